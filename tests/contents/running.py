# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Contents that run code when they are loaded: each makes a file, and nothing else."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import io
import lzma
import pickle
import struct
import tarfile
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable

from .zips import zips


@dataclass(frozen=True)
class Running:
    """A content; ``load`` does what its loader does, and runs it."""

    name: str
    content: bytes
    load: Callable[[bytes], Any] | None = None


def _load(file: Any) -> Any:
    return pickle.load(file)  # noqa: S301 - that loading runs code is what is tested; these pickles are the tests' own


class Makes:
    """Makes a file when it is unpickled."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[Any, ...]:
        return open, (str(self.file), "w")


def zipped_as(name: str, content: bytes, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        archive.writestr(name, content)
    return out.getvalue()


def tarred(name: str, content: bytes, mode: str = "w") -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as archive:  # type: ignore[call-overload]
        about = tarfile.TarInfo(name)
        about.size = len(content)
        archive.addfile(about, io.BytesIO(content))
    return out.getvalue()


def npy(header: str, content: bytes = b"", version: int = 1) -> bytes:
    text = header.encode() + b"\n"
    return b"\x93NUMPY" + bytes([version, 0]) + struct.pack("<H" if version == 1 else "<I", len(text)) + text + content


def _by_memo(code: bytes) -> bytes:
    """Put the module's and the function's name into the memo, and take them from there."""
    module, function = b"builtins", b"exec"

    def text(value: bytes) -> bytes:
        return b"X" + struct.pack("<I", len(value)) + value

    return (
        b"\x80\x04" + text(module) + b"q\x010" + text(function) + b"q\x020"
        b"h\x01h\x02\x93" + text(code) + b"\x85R."
    )  # fmt: skip


def _by_protocol_0(code: bytes) -> bytes:
    return b"c__builtin__\nexec\n(S" + repr(code.decode()).encode() + b"\ntR."


def _member(content: bytes, name: str) -> bytes:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return archive.read(name)


def _from_tar(content: bytes, name: str) -> bytes:
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        file = archive.extractfile(name)
        assert file
        return file.read()


def _second(content: bytes) -> Any:
    file = io.BytesIO(content)
    _load(file)
    return _load(file)


def _by_number(content: bytes) -> Any:
    """Do as PyTorch with its oldest files, whose numbers are pairs that begin with an object."""

    class Unpickler(pickle.Unpickler):
        def persistent_load(self, pid: Any) -> Any:
            return pid[0]

    return Unpickler(io.BytesIO(content)).load()


def _as_numbered(content: bytes) -> Any:
    """Do as a loader to which a number stands for itself."""

    class Unpickler(pickle.Unpickler):
        def persistent_load(self, pid: Any) -> Any:
            return pid

    return Unpickler(io.BytesIO(content)).load()


def _in_python(content: bytes) -> None:
    """Do as Python's own unpickler does, until it finds no end."""
    with contextlib.suppress(EOFError):
        pickle._Unpickler(io.BytesIO(content)).load()  # type: ignore[attr-defined]


def _behind_header(content: bytes) -> Any:
    """Do as numpy.load does with an array of objects."""
    size = struct.unpack("<H", content[8:10])[0]
    return _load(io.BytesIO(content[10 + size :]))


def contents(file: Path) -> list[Running]:
    """Return contents that make a file."""
    code = f"open({str(file)!r}, 'w')".encode()
    plain = pickle.dumps(Makes(file))
    memo, old = _by_memo(code), _by_protocol_0(code)
    load = pickle.loads
    # PyTorch before 1.6 writes three small pickles before the one that counts
    legacy = pickle.dumps(0x1950A86A20F9469CFC6C, 2) + pickle.dumps(1001, 2) + pickle.dumps({"little_endian": True}, 2)
    padded = b"\x80\x04\x8e" + struct.pack("<Q", 64 << 20) + bytes(64 << 20) + b"0" + plain[2:]
    objects = npy("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", plain)
    return [
        *(Running(f"protocol-{number}.pkl", pickle.dumps(Makes(file), number), load) for number in range(6)),
        Running("model.onnx", plain, load),
        Running("vocab.txt", old, load),
        Running("memo.bin", memo, load),
        Running("padded.pkl", padded, load),
        Running("many-steps.pkl", b"\x80\x04" + b"N0" * 60_000 + plain[2:], load),
        Running("two.pkl", pickle.dumps([1, 2]) + plain, _second),
        Running("two-without-head.pkl", b"N." + plain, _second),
        Running("call-then-garbage.pkl", plain[:-1] + b"\xff\xff", _until_garbage),
        Running("instance.pkl", b"(S" + repr(code.decode()).encode() + b"\ni__builtin__\nexec\n.", load),
        Running("object.pkl", b"(c__builtin__\nexec\nS" + repr(code.decode()).encode() + b"\no.", load),
        *(Running("nothing-into-a-text.pkl", b"S'hi'\n(" + one + old, load) for one in (b"e", b"u", b"\x90")),
        Running("nothing-into-a-text.txt", b"V\n(e" + old, load),
        Running("by-number.pkl", b"(c__builtin__\nexec\ntQ(S" + repr(code.decode()).encode() + b"\ntR.", _by_number),
        Running("names-by-number.pkl", b"Pbuiltins\nPexec\n\x93(V" + code + b"\ntR.", _as_numbered),
        Running("without-line-end.pkl", b"(S" + repr(code.decode()).encode() + b"\ni__builtin__\nexecX", _in_python),
        Running("hexadecimal-number.pkl", b"I0x10\n0" + old, load),
        Running("broken-text.pkl", b"T\x02\0\0\0\xff\xfe0" + old, lambda content: load(content, encoding="latin-1")),
        Running("pytorch_model.bin", zipped_as("a/data.pkl", plain), lambda c: load(_member(c, "a/data.pkl"))),
        Running("stored.pt", zipped_as("archive/data.pkl", plain, zipfile.ZIP_STORED)),
        Running("zips.zip", zipped_as("a", zipped_as("b", plain)), lambda c: load(_member(_member(c, "a"), "b"))),
        Running("zip-behind.bin", b"numbers " * 999 + zipped_as("a.pkl", plain), lambda c: load(_member(c, "a.pkl"))),
        *(Running(name, content, _then_load(read)) for name, content, read in zips(plain)),
        Running("legacy.pt", legacy + plain),
        Running("legacy.tar", tarred("pickle", plain), lambda c: load(_from_tar(c, "pickle"))),
        Running("model.tar.gz", tarred("a/model.pkl", plain, "w:gz"), lambda c: load(_from_tar(c, "a/model.pkl"))),
        Running("tar-and-pickle.tar", _tar_and_pickle(file), load),
        Running("two-tars.tar", tarred("a.txt", b"text") + tarred("a.pkl", plain), _as_tar_goes_on),
        Running("two-tars.tar.gz", gzip.compress(tarred("a.txt", b"text") + tarred("a.pkl", plain))),
        Running("no-header-between.tar", _broken_between(plain), _as_tar_goes_on),
        Running("zip-in-tar.tar.xz", tarred("a.zip", zipped_as("b.pkl", plain), "w:xz")),
        Running("tar-with-zip-behind.tar", tarred("a.pkl", plain) + zipped_as("a.txt", b"text")),
        Running("model.pkl.gz", gzip.compress(plain), lambda c: load(gzip.decompress(c))),
        Running("second-member.gz", gzip.compress(b"") + gzip.compress(plain), lambda c: load(gzip.decompress(c))),
        Running("unknown-flags.pkl.gz", _with(gzip.compress(plain), 3, b"\xe0"), _from_gzip),
        Running("wrong-sum.pkl.gz", _with(gzip.compress(plain), -8, b"xxxx"), _from_gzip),
        Running("wrong-sum-of-head.pkl.gz", _with(gzip.compress(plain), 3, b"\2", b"xx"), _from_gzip),
        Running("no-sum.pkl.gz", gzip.compress(plain)[:-8], _from_gzip),
        Running("named.pkl.gz", _named(plain), _from_gzip),
        Running("model.pkl.bz2", bz2.compress(plain), lambda c: load(bz2.decompress(c))),
        Running("model.pkl.xz", lzma.compress(plain), lambda c: load(lzma.decompress(c))),
        Running("model.pkl.lzma", lzma.compress(plain, lzma.FORMAT_ALONE), lambda c: load(lzma.decompress(c))),
        *(Running(f"properties-{lc}-{lp}-{pb}.pkl.xz", _alone(plain, lc, lp, pb), _from_lzma) for lc, lp, pb in
          ((0, 0, 0), (4, 0, 0), (0, 4, 4), (3, 1, 2))),
        Running("empty-before.pkl.xz", lzma.compress(b"") + _alone(plain, 0, 0, 0), _from_lzma),
        Running("zeros-before.pkl.xz", bytes(18 * 5000) + _alone(plain, 0, 0, 0), _from_lzma),
        Running("empty-and-zeros-before.pkl.xz", lzma.compress(b"") + bytes(36) + _alone(plain), _from_lzma),
        Running("odd-window.lzma", _with(lzma.compress(plain, lzma.FORMAT_ALONE), 2, b"\x55"), _from_odd_lzma),
        Running("model.pkl.lz", _lzip(plain)),
        Running("large-window.xz", with_large_window(plain), lambda c: load(lzma.decompress(c))),
        Running("model.joblib", zlib.compress(plain), lambda c: load(zlib.decompress(c))),
        Running("old.joblib", b"ZF" + hex(len(plain)).ljust(19).encode() + zlib.compress(plain), _as_old_joblib),
        *(Running("old-length.joblib", _old_joblib(plain, length), _as_old_joblib) for length in _lengths(len(plain))),
        Running("old-blank.joblib", b"ZF" + hex(len(plain)).ljust(20).encode() + zlib.compress(plain), _as_old_joblib),
        *(Running("window.pkl.zlib", _zlib(plain, bits), lambda c: load(zlib.decompress(c))) for bits in (9, 12, 14)),
        Running("window.joblib", _old_joblib(plain, "1", 9), _as_old_joblib),
        Running("cut.pkl.gz", gzip.compress(plain + bytes(100_000), 1)[:-20]),
        Running("objects.npy", objects, _behind_header),
        Running("fields.npy", npy("{'descr': [('a', 'f4'), ('b', [('c', 'O')])], 'fortran_order': True, 'shape': ()}")),
        Running("objects.npz", zipped_as("a.npy", objects), lambda c: _behind_header(_member(c, "a.npy"))),
        Running("pickled-column.arrow", _arrow(b"arrow.py_extension_type")),
    ]  # fmt: skip


def _as_old_joblib(content: bytes) -> Any:
    """Do as joblib with a content that begins with ZF (its check of the length is an assert)."""
    int(content[2:21], 16)
    return _load(io.BytesIO(zlib.decompress(content[22:] if content[21:22] == b" " else content[21:])))


def _from_gzip(content: bytes) -> Any:
    """Do as pandas and others with .gz: load while it is unpacked."""
    return _load(gzip.open(io.BytesIO(content)))


def _from_lzma(content: bytes) -> Any:
    """Do as pandas with .xz and joblib with .lzma."""
    return _load(lzma.open(io.BytesIO(content)))


def _from_odd_lzma(content: bytes) -> Any:
    return _load(lzma.open(io.BytesIO(content), format=lzma.FORMAT_ALONE))


def _then_load(read: Callable[[bytes], bytes]) -> Callable[[bytes], Any]:
    return lambda content: _load(io.BytesIO(read(content)))


def _with(content: bytes, at: int, piece: bytes, behind_head: bytes = b"") -> bytes:
    """Put a piece in the place of as many bytes, and something behind the head of gzip."""
    at %= len(content)
    content = content[:at] + piece + content[at + len(piece) :]
    return content[:10] + behind_head + content[10:]


def _named(content: bytes) -> bytes:
    """Pack with all that the head of gzip may have."""
    packed = gzip.compress(content)
    return packed[:3] + b"\x1e" + packed[4:10] + b"\4\0more" + b"n" * 3000 + b"\0comment\0" + b"xx" + packed[10:]


def _alone(content: bytes, lc: int = 3, lp: int = 0, pb: int = 2) -> bytes:
    """Pack as .lzma, whose first byte these make."""
    filters = [{"id": lzma.FILTER_LZMA1, "lc": lc, "lp": lp, "pb": pb}]
    return lzma.compress(content, lzma.FORMAT_ALONE, filters=filters)


def _lzip(content: bytes) -> bytes:
    """Pack as .lz, which newer versions of liblzma unpack unasked."""
    packed = lzma.compress(content, lzma.FORMAT_RAW, filters=[{"id": lzma.FILTER_LZMA1, "dict_size": 1 << 20}])
    return b"LZIP\1\x14" + packed + struct.pack("<IQQ", zlib.crc32(content), len(content), len(packed) + 26)


def _lengths(length: int) -> list[str]:
    """Return what joblib's old format takes for a length: whatever Python's int() does."""
    number = f"{length:x}"
    return [
        number,
        f"+{number}",
        f" 0x{number}",
        f"0X{number}",
        f"\n\v{number}\t",
        f"0_{number}",
        "-0x0_1",
        number.upper(),
    ]


def _old_joblib(content: bytes, length: str, bits: int = 15) -> bytes:
    return b"ZF" + length.encode().ljust(19) + _zlib(content, bits)


def _zlib(content: bytes, bits: int) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, bits)
    return packer.compress(content) + packer.flush()


def _broken_between(content: bytes) -> bytes:
    """Return a tar with a block that is no header between its two files."""
    return tarred("a.txt", b"text")[:1024] + b"x" * 512 + tarred("a.pkl", content)


def _as_tar_goes_on(content: bytes) -> Any:
    """Do as a tar that is told to ignore zeros, and as one that goes on to the next header."""
    with tarfile.open(fileobj=io.BytesIO(content), ignore_zeros=True) as archive:
        file = archive.extractfile("a.pkl")
        assert file
        return _load(file)


def _until_garbage(content: bytes) -> None:
    try:
        _load(io.BytesIO(content))
    except pickle.UnpicklingError:
        return


def with_large_window(content: bytes) -> bytes:
    """Pack so that unpacking asks for memory; the content is small all the same."""
    filters = [
        {"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 256 << 20, "mf": lzma.MF_HC3, "mode": lzma.MODE_FAST}
    ]
    return lzma.compress(content, filters=filters)


def _tar_and_pickle(file: Path) -> bytes:
    """Return a tar whose first file has a name that is a pickle."""
    return tarred(f"c__builtin__\nopen\n(S{str(file)!r}\nS'w'\ntR.", b"text")


def _arrow(extension: bytes) -> bytes:
    schema = struct.pack("<I", 8) + bytes(12) + extension + bytes(64)
    return b"\xff\xff\xff\xff" + struct.pack("<I", len(schema)) + schema
