# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Contents that are made to take the machine, or to break who looks at them: held, in little memory, never a crash."""

from __future__ import annotations

import gzip
import io
import lzma
import os
import struct
import subprocess
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.modelops.hf_mirror.plugins.module_utils._base.clock import Clock, StoppedError
from ansible_collections.modelops.hf_mirror.plugins.module_utils._inspect.judge import judge
from contents.harmless import KINDS, message, varint
from contents.running import contents, npy, tarred, zipped_as
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.drafts import safetensors

#: What looking at a content may take, in bytes.
MEMORY = 150 << 20
#: What is large or deep, and harmless.
FINE = ("comments.yaml", "anchors.yaml", "blanks.yaml", "digits.json", "line.pkl", "tensors.gguf", "spaces.txt.gz")


def bombs() -> Iterator[tuple[str, bytes]]:
    zeros = zipped_as("zeros.txt", b" " * (32 << 20))
    many = io.BytesIO()
    with zipfile.ZipFile(many, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(60):
            archive.writestr(f"{number}.zip", zeros)
    yield "zips.zip", many.getvalue()
    packer = zlib.compressobj(1, zlib.DEFLATED, 31)
    spaces = b"".join(packer.compress(b" " * (1 << 20)) for _number in range(280)) + packer.flush()
    yield "spaces.txt.gz", spaces
    yield "twice.txt.gz.gz", gzip.compress(spaces)
    yield "zip-in-gz.gz", gzip.compress(zipped_as("a.txt", b" " * (90 << 20), zipfile.ZIP_STORED), 1)
    deep = b"text"
    for _number in range(9):
        deep = zipped_as("a", deep)
    yield "deep.zip", deep
    yield "window.xz", lzma.compress(b"text")[:12] + b"\x02\x00\x21\x01\x27" + bytes(50)
    yield "window.lzma", b"\x5d" + struct.pack("<I", 0xF0000000) + b"\xff" * 8 + bytes(50)
    yield "directory.zip", bytes(20 << 20) + b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, 9, 9, 20 << 20, 0, 0)
    about = tarfile.TarInfo("a")
    about.type, about.size = tarfile.XHDTYPE, 8 << 30
    yield "header.tar", about.tobuf(tarfile.GNU_FORMAT) + bytes(4096)
    about.type = tarfile.GNUTYPE_LONGNAME
    yield "long.tar", about.tobuf(tarfile.GNU_FORMAT) + bytes(4096)
    yield "negative.tar", _negative()
    for text in (
        b"[" * 5_000_000,
        b"[" + b"[]," * 190_000 + b"[]]",
        b'{"a":' * 600_000,
        b"[" + b'"a",' * 2_000_000 + b"0]",
    ):
        yield "deep.safetensors", struct.pack("<Q", len(text) + 1) + b"{" + text
    yield "deep.msgpack", b"\x91" * 1_000_000
    yield "lists.msgpack", b"\xdd\xff\xff\xff\xff" * 100
    yield "zeros.msgpack", b"\xdd\x00\x0f\xff\xff" + bytes(0x0FFFFF)
    yield "list.gguf", b"GGUF" + struct.pack("<IQQQ", 3, 0, 1, 1) + b"a" + struct.pack("<IIQ", 9, 9, 1 << 62)
    yield "text.gguf", b"GGUF" + struct.pack("<IQQQ", 3, 0, 1, 1 << 62)
    yield "tensors.gguf", b"GGUF" + struct.pack("<IQQ", 3, 100_000, 0) + bytes(2_400_000)
    graph = message(4, b"If")
    for _number in range(400):
        graph = message(1, message(5, message(6, graph)))
    yield "deep.onnx", b"\x08\x08" + message(7, graph)
    yield "pairs.onnx", b"\x08\x08" + message(7, message(5, message(13, b"x" * 5_000_000)))
    yield "fields.onnx", b"\x08\x08" + b"\x10\x00" * 1_100_000
    yield "size.onnx", b"\x08\x08\x3a" + varint(1 << 62) + b"x"
    yield "endless.onnx", b"\x08" + b"\xff" * 100
    for header in (
        "(" * 9_000,
        "-" * 9_000 + "1",
        "not " * 2_000 + "1",
        "{" * 9_000,
        "a." * 4_000 + "a",
        "1+" * 4_000 + "1",
    ):
        yield "deep.npy", npy(header)
        yield "deep-descr.npy", npy("{'descr': " + header)
    yield "long.npy", npy("{'descr': '<f4', " + " " * 60_000 + "}")
    yield "descr.npy", npy("{'descr': " + "[('a', " * 60 + "'O'" + ")]" * 60 + "}")
    yield "string.pkl", b"\x80\x04\x8e" + struct.pack("<Q", 1 << 62) + b"x"
    yield "line.pkl", b"V" + b"x" * 30_000_000
    yield "lists.pkl", b"]" * 300_000
    yield "memo.pkl", b"N" + b"".join(b"r" + struct.pack("<I", number) for number in range(110_000))
    yield "footer.parquet", b"PAR1" + b"\xf0\xff\xff\xff" + b"PAR1"
    yield "comments.yaml", b"target:\n" + b"#target:\n" * 110_000
    yield "maps.json", b'"auto_map":{' * 85_000
    yield "maps.json", b'{"auto_map":{' * 70_000 + b"}" * 140_000
    yield "digits.json", b"1" * 1_000_000
    yield "digits.json", b"[1e" + b"1" * 1_000_000 + b"]"
    yield "deep.yaml", b"[" * 900_000
    yield "anchors.yaml", b"a: &a [x, x]\n" + b"".join(b"b%d: [*a, *a]\n" % number for number in range(1000))
    yield "long.yaml", b"a: b\n" * 300_000
    yield "blanks.yaml", b"target:" + b" " * 1_000_000
    yield "tags.yaml", b"- ! " * 250_000
    yield "flow.yaml", b"[" + b"a," * 500_000 + b"]"


def _negative() -> bytes:
    """Return a tar whose file has a negative size, by which a reader may go round in a circle."""
    header = bytearray(tarfile.TarInfo("a").tobuf(tarfile.GNU_FORMAT))
    header[124:136] = b"\xff" * 10 + b"\xfe\x00"
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header) + bytes(1024)


#: Judges what is in a folder, as number.name, and prints how much memory that took so far, and what was held.
JUDGE = """
import sys
from pathlib import Path
from ansible_collections.modelops.hf_mirror.plugins.module_utils._base.clock import Clock
from ansible_collections.modelops.hf_mirror.plugins.module_utils._inspect.judge import judge

def memory():
    return int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]) << 10

before = memory()
for file in sorted(Path(sys.argv[1]).iterdir()):
    for formats in ("no-pickle", "safe"):
        held = judge({file.name: file}, formats == "safe", Clock())
        print(formats, file.name, memory() - before, held, sep="\\t")
"""


def test_bombs(tmp_path: Path) -> None:
    for number, (name, content) in enumerate(bombs()):
        (tmp_path / f"{number:03}.{name}").write_bytes(content)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", JUDGE, str(tmp_path)],
        env=environment, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    told = [line.split("\t") for line in done.stdout.splitlines()]
    assert len(told) == 2 * len(list(tmp_path.iterdir()))
    for formats, name, memory, held in told:
        assert int(memory) < MEMORY, (formats, name)
        if formats == "safe":
            is_fine = name.endswith(FINE)
            assert (held == "{}") == is_fine, (name, held)


SMALL = [content for kind in KINDS.values() for _name, content in kind if len(content) < 20_000]
SMALL += [one.content for one in contents(Path("/nowhere/at/all")) if len(one.content) < 20_000]
NAMES = ["a", "a.yaml", "config.json", "a.keras", "a.gz"]
PIECES = [
    b"",
    b"\0",
    b"\xff" * 8,
    b"\x7f" * 4,
    b"PK\5\6" + bytes(18),
    b"(" * 100,
    b"\x80\x04",
    b"]" * 50,
    b"\n",
    b"[" * 99,
]


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_no_content_breaks_the_judge(folder: Path, data: st.DataObject) -> None:
    content = bytearray(data.draw(st.sampled_from(SMALL)))
    for _number in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content)))
        end = at + data.draw(st.sampled_from([0, 1, 4, 100]))
        content[at:end] = data.draw(st.sampled_from(PIECES) | st.binary(max_size=8) | st.just(bytes(content[:200])))
    (folder / "content").write_bytes(bytes(content))
    for formats in ("no-pickle", "safe"):
        held = judge({data.draw(st.sampled_from(NAMES)): folder / "content"}, formats == "safe", Clock())
        assert all(reason.isprintable() and len(reason) < 2000 for reason in held.values())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("contents")


def test_a_judge_that_fails_means_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_arguments: object) -> None:
        raise RecursionError("a fault\nof ours")

    monkeypatch.setattr(sys.modules[judge.__module__], "refuse_pickle", fail)
    (tmp_path / "a").write_bytes(b"text")
    held = judge({"a.txt": tmp_path / "a", "gone.txt": tmp_path / "gone"}, False, Clock())
    assert held["a.txt"] == "could not be read to its end (RecursionError a fault\\nof ours)"
    assert "FileNotFoundError" in held["gone.txt"]


def test_a_run_that_is_to_end_does_not_wait_for_the_judge(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(safetensors("x", 1000))
    clock = Clock()
    clock.stop()
    with pytest.raises(StoppedError):
        judge({"a": tmp_path / "a"}, True, clock)


def test_what_takes_too_long_is_held(tmp_path: Path) -> None:
    class Late(Clock):
        """A clock on which each look takes a minute."""

        minutes = 0.0

        def monotonic(self) -> float:
            self.minutes += 1
            return self.minutes * 60

    (tmp_path / "a").write_bytes(tarred("a.txt", b"text" * 100_000))
    held = judge({"a.tar": tmp_path / "a"}, True, Late())
    assert "could not be read to its end within the time" in held["a.tar"]
