# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Load a model's configuration and tokenizer with transformers: ``transformers_client.py REPO REF``."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

from huggingface_hub.constants import HF_HUB_CACHE
from transformers import AutoConfig, AutoTokenizer
from transformers.utils.hub import has_file

REPO, REF = sys.argv[1:]


def main() -> None:
    """Print what was loaded, and the hashes of the files that came in by their commit."""
    now, then = AutoConfig.from_pretrained(REPO), AutoConfig.from_pretrained(REPO, revision=REF)
    tokenizer = AutoTokenizer.from_pretrained(REPO)
    snapshots = Path(HF_HUB_CACHE) / f"models--{REPO.replace('/', '--')}" / "snapshots"
    files = {
        str(path.relative_to(snapshots)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in snapshots.rglob("*")
        if path.is_file()
    }
    answer = {
        "has_file": [has_file(REPO, name) for name in ("config.json", "model.fp16.safetensors")],
        "hidden_size": {"main": now.hidden_size, REF: then.hidden_size},
        "tokens": tokenizer.tokenize("A mirror of models"),
        "ids": tokenizer("A mirror of models")["input_ids"],
        "files": files,
    }
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
