# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is told of each kind of file: an example of each, by which the table of docs/security.md is made."""

from __future__ import annotations

import gzip
import pickle
import random
from pathlib import Path

from . import harmless, running

PICKLE = pickle.dumps(running.Makes(Path("/nowhere")))
CLOSED = b"7z\xbc\xaf\x27\x1c" + bytes(20)

#: What a person calls it -> (name, content) of examples, all of which get the same.
NOT_HARMLESS: dict[str, list[tuple[str, bytes]]] = {
    "a pickle, whatever its name: `.pkl`, `.pt`, `.pth`, `.ckpt`, `.joblib`, PyTorch's `.bin`": [
        ("model.pkl", PICKLE),
        ("model.pt", running.zipped_as("a/data.pkl", PICKLE)),
        ("notes.txt", pickle.dumps(running.Makes(Path("/nowhere")), 0)),
        ("values.pkl", pickle.dumps({"a": 1})),
    ],
    "a pickle in gzip, bzip2, xz, zlib (joblib), zip, tar, one in another": [
        ("model.pkl.gz", gzip.compress(PICKLE)),
        ("a.zip", running.zipped_as("a.zip", running.zipped_as("b", PICKLE))),
        ("a.tar", running.tarred("a", PICKLE)),
    ],
    "NumPy with objects, Parquet and Arrow with a pickled column": [
        ("a.npy", running.npy("{'descr': '|O', 'fortran_order': False, 'shape': (1,)}")),
        ("a.parquet", harmless.parquet(b"arrow.py_extension_type")),
    ],
    "what can't be looked into: 7z, rar, zstd, lz4, an encrypted, ambiguous or broken archive, one beyond the limits": [
        ("a.7z", CLOSED),
        ("a.zip", running.zipped_as("a", b"text" * 1000)[:-30]),
        ("a.zip", running.zipped_as("a", b"text") * 2),
    ],
    "code: `.py`, `.ipynb`, `.so`, `.js`, `.html`, `.svg` and others by their name, scripts by `#!`": [
        ("modeling.py", b"x = 1"),
        ("libx.so", b"\x7fELF"),
        ("run", b"#!/bin/sh\n"),
    ],
    "a configuration that names code: `auto_map` to another repository, `_target_`, YAML's tags and `target`": [
        ("config.json", b'{"auto_map": {"AutoModel": "a/b--modeling.X"}}'),
        ("config.yaml", b"a: !!python/name:os.system\n"),
        ("config.yaml", b"_target_: os.system\n"),
    ],
    "Keras, HDF5 or JSON with a Lambda layer, HDF5 of PyTables": [
        ("model.h5", harmless.hdf5(b'{"class_name": "Lambda"}')),
        ("model.keras", running.zipped_as("config.json", b'{"class_name": "Lambda"}')),
    ],
    "ONNX with data outside its folder, GGUF whose chat template reaches for Python's insides": [
        ("model.onnx", harmless.onnx("../x")),
        ("model.gguf", harmless.gguf("{{ x.__class__ }}")),
    ],
    "a safetensors, GGUF or Parquet that is broken": [
        ("model.safetensors", b"\x09" + bytes(7) + b'{"a": {}}'),
        ("a.parquet", harmless.parquet()[:-1]),
    ],
    "an archive with any of these in it": [("a.zip", running.zipped_as("a.py", b""))],
    "engines (TensorRT), programs, PDF, and all of no known kind: TensorFlow's `.pb`, Core ML, raw `.bin`": [
        ("model.engine", b"ftrt" + bytes(99)),
        ("weights.bin", random.Random(4).randbytes(1000)),
    ],
}
