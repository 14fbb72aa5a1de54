# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is mirrored for the clients: a model with odd names and refs, a dataset, a space, one for transformers."""

from __future__ import annotations

import json

from hub.drafts import Draft, Noise, card
from hub.recipes import ODD_NAMES

MODEL, DATASET, SPACE = "clients/odd", "clients/rows", "clients/page"
BERT, FACEFUSION = "clients/bert", "facefusion/models-3.6.0"
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "mirror", "of", "models"]

_ODD = Draft(
    MODEL,
    [
        (
            "Upload",
            {
                "README.md": card("Odd names", "Version 1."),
                "config.json": b'{"version": 1}\n',
                "weights.bin": Noise("weights 1", 40_000),
                "odd/more weights+.bin": Noise("more weights", 30_000),
                "large.bin": Noise("large", 6 << 20),
                "empty.txt": b"",
                **{name: f"content of {name}\n".encode() for name in ODD_NAMES},
            },
        ),
        ("Version 2", {"config.json": b'{"version": 2}\n', "weights.bin": Noise("weights 2", 40_000)}),
        ("Version 3", {"config.json": b'{"version": 3}\n', "empty.txt": None}),
    ],
    main=1,
    refs={"refs/tags/v1": 0, "refs/heads/next": 2, "refs/pr/1": 2},
)
_ROWS = Draft(
    DATASET,
    [
        (
            "Upload",
            {
                "README.md": card("Rows", "Two splits."),
                "data/train.csv": b"x,word\n1,one\n2,two\n",
                "data/test.csv": "x,word\n7,sieben für 七\n".encode(),
                "odd/half + of it.bin": Noise("rows", 20_000),
            },
        ),
        ("One row more", {"data/train.csv": b"x,word\n1,one\n2,two\n3,three\n"}),
    ],
    repo_type="dataset",
    refs={"refs/tags/v1": 0},
)
_PAGE = Draft(
    SPACE,
    [("Upload", {"README.md": card("Page", "Static.", sdk="static"), "weights.bin": Noise("page", 20_000)})],
    repo_type="space",
    sdk="static",
)
_BERT_CONFIG = {
    "model_type": "bert",
    "architectures": ["BertModel"],
    "vocab_size": len(WORDS),
    "hidden_size": 8,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 16,
}
_BERT = Draft(
    BERT,
    [
        (
            "Upload",
            {
                "config.json": json.dumps(_BERT_CONFIG).encode(),
                "tokenizer_config.json": b'{"tokenizer_class": "BertTokenizer", "do_lower_case": true}\n',
                "vocab.txt": "\n".join(WORDS).encode(),
            },
        ),
        ("Wider", {"config.json": json.dumps({**_BERT_CONFIG, "hidden_size": 16}).encode()}),
    ],
    refs={"refs/tags/v1": 0},
    tags=["tiny", "en"],
    pipeline_tag="fill-mask",
)
DRAFTS = [_ODD, _ROWS, _PAGE, _BERT]
WHITELIST = [
    *({"repo_id": MODEL, "revision": ref} for ref in ("main", "v1", "next", "refs/pr/1")),
    *({"repo_id": DATASET, "repo_type": "dataset", "revision": ref} for ref in ("main", "v1")),
    {"repo_id": SPACE, "repo_type": "space"},
    *({"repo_id": BERT, "revision": ref} for ref in ("main", "v1")),
    {"repo_id": FACEFUSION},
]
