# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kinds of contents that are known to be harmless, each with what shows that a content is of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Callable

from . import gguf, hdf5, media, msgpack, npy, onnx, safetensors, sentencepiece, tables, text, tfrecord
from .refused import Refused
from .stream import Stream


class Unknown(Refused):
    """A content is of no known kind, which another content may explain."""


@dataclass(frozen=True)
class Kind:
    """A kind. ``begins`` says of the first bytes whether they may be of it.

    ``check`` raises Refused where a content is of the kind and not harmless, and any of ``NOT`` where it is not of
    the kind. It returns the names of files that belong to it. ``hides_pickles``: so may a content that is no pickle
    itself.
    """

    name: str
    begins: Callable[[bytes], bool]
    check: Callable[[Stream], set[str] | None]
    hides_pickles: bool = False


#: What a check raises where a content is not of its kind.
NOT = (ValueError, EOFError, KeyError, IndexError)


def _starts(*begins: bytes) -> Callable[[bytes], bool]:
    return lambda head: head.startswith(begins)


def _has_end(stream: Stream) -> None:
    """Check nothing: how it begins is all that is to be seen."""


def _check_flatbuffer(stream: Stream) -> None:
    if not 8 <= stream.number(4) < stream.length():
        raise ValueError


def _is_safetensors(head: bytes) -> bool:
    return head[8:9] == b"{" and int.from_bytes(head[:8], "little") <= 100_000_000


KINDS: tuple[Kind, ...] = (
    Kind("safetensors", _is_safetensors, safetensors.check),
    Kind("GGUF", _starts(gguf.MAGIC), gguf.check),
    Kind("NumPy", _starts(npy.MAGIC), npy.check, hides_pickles=True),
    Kind("Parquet", _starts(tables.PARQUET), tables.check_parquet, hides_pickles=True),
    Kind("Arrow", _starts(tables.ARROW), tables.check_arrow, hides_pickles=True),
    Kind("Arrow stream", _starts(tables.ARROW_STREAM), tables.check_arrow_stream, hides_pickles=True),
    Kind("HDF5", _starts(hdf5.MAGIC), hdf5.check),
    Kind("TFLite", lambda head: head[4:8] == b"TFL3", _check_flatbuffer),
    Kind("image, audio or video", lambda head: media.name(head) is not None, _has_end),
    Kind("ONNX", _starts(b"\x08", b"\x12", b"\x1a", b"\x3a", b"\x42"), onnx.check),
    Kind("SentencePiece", _starts(b"\x0a"), sentencepiece.check),
    Kind("MessagePack", msgpack.begins, msgpack.check),
    Kind("TFRecord", tfrecord.begins, tfrecord.check),
)

#: Names of what is code however it reads, by their ends: programs, libraries, scripts, what a shell or a build runs,
#: and documents that can hold scripts. Python runs lines of a text that is called .pth; PyTorch's own are no texts.
#: TensorFlow and Caffe read their graphs, which may call code, as texts, too.
_CODE = """
    py pyc pyd pyw pyx pyz py3 pth ipynb rb pl pm php php3 phtml phar lua r jl go rs java cs swift dart nim zig
    c cc cpp cu cuh h hpp m mm kt kts scala sc groovy gradle clj ex exs hs el tcl awk nix
    so dll dylib exe msi com jar class wasm scr cpl sys
    sh bash zsh fish csh ksh dash bat cmd command ps1 psm1 psd1 ps1xml vbs vbe wsf wsh jse hta ahk reg inf lnk url
    scf applescript scpt desktop service timer mk makefile gnumakefile dockerfile containerfile jenkinsfile justfile
    bashrc bash_profile profile zshrc zprofile pbtxt prototxt
    js mjs cjs ts mts cts jsx tsx vue svelte html htm xhtml xht shtml mht mhtml svg svgz xsl xslt htc swf asp aspx jsp
"""
CODE = frozenset(_CODE.split())
#: What is worth a name in a message, although it is not let through.
_OTHERS = {
    b"\x7fELF": "a program or library",
    b"MZ": "a program or library of Windows",
    b"\xca\xfe\xba\xbe": "a program or library",
    b"\xcf\xfa\xed\xfe": "a program or library of macOS",
    b"\0asm": "WebAssembly",
    b"ftrt": "an engine of TensorRT, which may hold plug-ins",
    b"%PDF": "a PDF document, which may hold scripts",
    b"SQLite format 3\0": "a database of SQLite",
    b"lmgg": "a model in an old format of ggml, which has nothing to check it by",
}


def check_kind(stream: Stream, name: str) -> set[str]:
    """Return the names of files that belong to a content of a known kind. Raises Refused for all else."""
    suffix = name.rpartition("/")[2].rpartition(".")[2].lower()
    if suffix in CODE:
        raise Refused(f"is code, or a document that can hold code, by its name (.{suffix})")
    hdf5.refuse_behind(stream)
    for kind in _candidates(stream):
        try:
            return kind.check(stream) or set()
        except NOT:
            stream.rewind()
    try:
        text.check(stream, name)
    except NOT:
        head = stream.head(16)
        what = next((what for begin, what in _OTHERS.items() if head.startswith(begin)), None)
        raise Unknown(f"is {what}" if what else "is of no kind that is known to be harmless") from None
    return set()


def refuse_hidden_pickle(stream: Stream) -> None:
    """Raise Refused where a content of a known kind holds a pickle."""
    for kind in _candidates(stream):
        if kind.hides_pickles:
            try:
                kind.check(stream)
            except NOT:
                stream.rewind()


def _candidates(stream: Stream) -> Iterator[Kind]:
    head = stream.head()
    return (kind for kind in KINDS if kind.begins(head))
