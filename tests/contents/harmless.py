# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Harmless contents, one or more of each kind that ``formats: safe`` knows."""

from __future__ import annotations

import base64
import gzip
import json
import struct

from hub.drafts import safetensors

from .running import npy, tarred, zipped_as

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)


def varint(value: int) -> bytes:
    out = b""
    while value > 127:
        out, value = out + bytes([value & 127 | 128]), value >> 7
    return out + bytes([value])


def message(number: int, content: bytes) -> bytes:
    """Return a field of Protocol Buffers that holds text, bytes or a message."""
    return varint(number << 3 | 2) + varint(len(content)) + content


def onnx(location: str | None = None, in_attribute: bool = False, value_first: bool = False) -> bytes:
    """Return a model with one node and one tensor, whose data is inside or in another file."""
    tensor = varint(1 << 3) + varint(4) + varint(2 << 3) + varint(1) + message(8, b"weight")
    if location is None:
        tensor += message(9, bytes(16))
    else:
        pair = [message(1, b"location"), message(2, location.encode())]
        tensor += message(13, b"".join(reversed(pair) if value_first else pair)) + varint(14 << 3) + varint(1)
    attribute = message(1, b"value") + (message(5, tensor) if in_attribute else varint(3 << 3) + varint(1))
    node = message(1, b"x") + message(2, b"y") + message(4, b"Identity") + message(5, attribute)
    graph = message(1, node) + message(2, b"graph") + (b"" if in_attribute else message(5, tensor))
    return (
        varint(1 << 3) + varint(8) + message(2, b"pytorch") + message(7, graph) + message(8, varint(2 << 3) + b"\x11")
    )


def sentencepiece() -> bytes:
    pieces = [
        message(1, message(1, word.encode()) + b"\x15" + struct.pack("<f", -1.5)) for word in ("<unk>", "▁the", "是")
    ]
    return b"".join(pieces) + message(2, message(1, b"corpus.txt")) + message(3, message(1, b"nmt_nfkc"))


def gguf(template: str = "{{ messages }}", tensors: int = 1) -> bytes:
    def text(value: str) -> bytes:
        return struct.pack("<Q", len(value.encode())) + value.encode()

    words = struct.pack("<IIQ", 9, 8, 2) + text("a") + text("b")
    scores = struct.pack("<IIQ", 9, 6, 2) + bytes(8)
    about = text("general.architecture") + struct.pack("<I", 8) + text("llama")
    about += text("tokenizer.ggml.tokens") + words + text("tokenizer.ggml.scores") + scores
    about += text("tokenizer.chat_template") + struct.pack("<I", 8) + text(template)
    table = text("output.weight") + struct.pack("<IQIQ", 1, 8, 0, 0)
    return b"GGUF" + struct.pack("<IQQ", 3, tensors, 4) + about + table * tensors + bytes(64)


def msgpack() -> bytes:
    array = b"\xc7\x0c\x01" + b"\x93\x91\x02\xa7float32"[:4] + bytes(8)
    return b"\x82\xa6params\x81\xa6kernel" + array + b"\xa4step\x05"


def parquet(description: bytes = b"\x15\x04schema" + bytes(40)) -> bytes:
    return b"PAR1" + bytes(100) + description + struct.pack("<I", len(description)) + b"PAR1"


def arrow_stream() -> bytes:
    schema = struct.pack("<I", 16) + bytes(60)
    return b"\xff\xff\xff\xff" + struct.pack("<I", len(schema)) + schema + bytes(64)


def arrow() -> bytes:
    return b"ARROW1\0\0" + arrow_stream() + bytes(32) + struct.pack("<I", 32) + b"ARROW1"


def tfrecord() -> bytes:
    return b"".join(struct.pack("<QI", size, 7) + bytes(size) + bytes(4) for size in (24, 90))


def riff(kind: bytes) -> bytes:
    return b"RIFF" + struct.pack("<I", 36) + kind + bytes(32)


def hdf5(attribute: bytes = b'{"class_name": "Dense", "config": {"units": 3}}') -> bytes:
    return b"\x89HDF\r\n\x1a\n" + bytes(500) + b"FRHP\0\x08\0\0\0" + bytes(90) + attribute + bytes(500)


TFLITE = struct.pack("<I", 28) + b"TFL3" + bytes(100)
GZIP = gzip.compress(b'{"a": 1}\n' * 10)

#: What docs/security.md says of each kind: kind -> (name, content).
KINDS: dict[str, list[tuple[str, bytes]]] = {
    "safetensors, whose header describes the rest to the byte": [
        ("model.safetensors", safetensors("x", 1000)),
        ("empty.safetensors", struct.pack("<Q", 2) + b"{}"),
    ],
    "GGUF, whose lengths lie inside it": [("model-q4.gguf", gguf()), ("vocab.gguf", gguf(tensors=0))],
    "ONNX, and the files in its folder that it names as its data": [
        ("model.onnx", onnx()),
        ("constants.onnx", onnx("weights/a.data", in_attribute=True)),
    ],
    "NumPy's `.npy` and `.npz` of numbers or text": [
        ("weights.npy", npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2), }", bytes(16))),
        ("words.npy", npy("{'descr': '<U7', 'fortran_order': False, 'shape': (1,), }", bytes(28), 3)),
        (
            "identifiers.npy",
            npy("{'descr': [('for', '<i8'), ('b', '|u1', (3,))], 'fortran_order': False, 'shape': ()}"),
        ),
        ("arrays.npz", zipped_as("a.npy", npy("{'descr': '|b1', 'fortran_order': True, 'shape': (3,)}", bytes(3)))),
    ],
    "Parquet, Arrow": [
        ("train-00000-of-00001.parquet", parquet()),
        ("data-00000.arrow", arrow_stream()),
        ("table.arrow", arrow()),
    ],
    "TFRecord (TensorBoard's logs)": [("events.out.tfevents.1640094759.host.77.0", tfrecord())],
    "MessagePack (flax)": [("flax_model.msgpack", msgpack())],
    "TFLite": [("model.tflite", TFLITE)],
    "HDF5 (Keras, TensorFlow) without Lambda layers": [("tf_model.h5", hdf5())],
    "SentencePiece": [("tokenizer.model", sentencepiece()), ("spiece.model", sentencepiece())],
    "text in UTF-8 or UTF-16: JSON, JSON lines, YAML, Markdown, CSV, vocabularies, licences": [
        ("README.md", "# 模型\n\nThe *quick* brown fox\n".encode()),
        ("config.json", json.dumps({"architectures": ["X"], "auto_map": {"AutoModel": "modeling.X"}}).encode()),
        ("tokenizer.json", json.dumps({"model": {"vocab": {"a\u0000b": 0}}}).encode()),
        ("data.jsonl", b'{"text": "class_name"}\n{"text": "Lambda"}\n'),
        ("deep.json", b"[" * 100_000),
        ("mkdocs.yml", b"a: !!str 1\nb: [1, 2]\nc: 'wow!'\nd: 50 %\n"),
        ("target.yaml", b"# a comment\nmodel: &m\n  target: accuracy\n  values: [1.5, x]\nother: *m\n"),
        ("modules.json", b'[{"idx": 0, "type": "sentence_transformers.models.Transformer", "n": 1.0}]'),
        ("lines.json", b'{"a": 1}\n{"a": 2}\n'),
        ("openvino_model.xml", b'<?xml version="1.0"?>\n<net name="Model0" version="11"><layers/></net>\n'),
        ("train.log", b"\x1b[32mepoch 1\x1b[0m\r\n\fpage\n"),
        ("labels.txt", b"cat\ndog\nfish\n"),
        ("table.csv", b"category,label\n1,2\n"),
        ("persons.txt", b"Peter\nPaul\nbob\n"),
        ("names.txt", b"Victor\nVanessa\nbob\nalice\n"),
        ("story.txt", b"(in the beginning\nthere was\n"),
        ("merges.txt", b"#version: 0.2\ni n\nt h\n"),
        ("utf-16.txt", "text".encode("utf-16")),
        ("LICENSE", b"MIT License\n"),
        (".gitattributes", b"*.bin filter=lfs\n"),
        ("empty.txt", b""),
        ("chat_template.jinja", b"{{ bos_token }}"),
        ("model.hash", b"1a2b3c4d"),
    ],
    "images (PNG, JPEG, GIF, WebP, BMP, TIFF, AVIF), audio (WAV, FLAC, Ogg, MP3), video (MP4, WebM, AVI)": [
        ("image.png", PNG),
        ("image.jpg", b"\xff\xd8\xff\xe0\0\x10JFIF\0" + bytes(100)),
        ("image.gif", b"GIF89a" + bytes(50)),
        ("image.webp", riff(b"WEBP")),
        ("image.bmp", b"BM" + struct.pack("<I", 70) + bytes(4) + b"\x36\0\0\0\x28\0\0\0" + bytes(50)),
        ("image.tiff", b"II*\0\x08\0\0\0" + bytes(50)),
        ("image.avif", b"\0\0\0\x1cftypavif" + bytes(50)),
        ("sample.wav", riff(b"WAVE")),
        ("sample.flac", b"fLaC\0\0\0\x22" + bytes(50)),
        ("sample.ogg", b"OggS\0\x02" + bytes(50)),
        ("sample.mp3", b"ID3\x04\0\0\0\0\0\0" + bytes(50)),
        ("frames.mp3", b"\xff\xfb\x90\x64" + bytes(500)),
        ("film.mp4", b"\0\0\0\x18ftypmp42" + bytes(50)),
        ("film.webm", b"\x1a\x45\xdf\xa3\x9f" + bytes(50)),
    ],
    "zip, tar, gzip, bzip2, xz, zlib with nothing but these in them": [
        ("data.zip", zipped_as("a/b.txt", b"text")),
        ("model.keras", zipped_as("config.json", b'{"module": "keras", "class_name": "Functional"}')),
        ("data.tar", tarred("a.png", PNG)),
        ("data.tar.gz", tarred("a.png", PNG, "w:gz")),
        ("data.jsonl.gz", GZIP),
    ],
}
