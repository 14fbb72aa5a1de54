# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Load a dataset of CSV files with datasets, whole and as a stream: ``datasets_client.py REPO REF``."""

from __future__ import annotations

import json
import sys

from datasets import get_dataset_split_names, load_dataset

REPO, REF = sys.argv[1:]


def main() -> None:
    """Print the rows of each way to load them."""
    whole = load_dataset(REPO)
    answer = {
        "splits": sorted(get_dataset_split_names(REPO)),
        "whole": {name: split.to_list() for name, split in whole.items()},
        "ref": load_dataset(REPO, split="train", revision=REF).to_list(),
        "stream": list(load_dataset(REPO, split="train", streaming=True)),
        "file": load_dataset("csv", data_files=f"hf://datasets/{REPO}@{REF}/data/train.csv", split="train").to_list(),
    }
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
