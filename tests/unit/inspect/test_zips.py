# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A zip that is taken is one in which Python finds the same files; what everybody writes is taken."""

from __future__ import annotations

import io
import zipfile
import zlib

import pytest
from ansible_collections.modelops.hf_mirror.plugins.module_utils._base.clock import Clock
from ansible_collections.modelops.hf_mirror.plugins.module_utils._inspect.budget import Budget
from ansible_collections.modelops.hf_mirror.plugins.module_utils._inspect.refused import Refused
from ansible_collections.modelops.hf_mirror.plugins.module_utils._inspect.stream import Stream
from ansible_collections.modelops.hf_mirror.plugins.module_utils._inspect.zips import in_zips, is_zip
from contents.running import tarred
from contents.zips import fine_zips, zips
from hypothesis import given, settings
from hypothesis import strategies as st

from .conftest import Judge

TEXT = b"nothing but a text\n" * 40
FINE = fine_zips(TEXT)
SEEDS = [*FINE.values(), *(content for _name, content, _read in zips(b"a pickle, if it were one"))]
PIECES = [
    b"",
    b"\0",
    b"\xff" * 4,
    b"\xff" * 2,
    b"\1\0",
    b"PK\1\2",
    b"PK\3\4",
    b"PK\5\6" + bytes(18),
    b"PK\6\7" + bytes(16),
]


@pytest.mark.parametrize("name", FINE)
def test_what_everybody_writes_is_taken(judged: Judge, name: str) -> None:
    for formats in ("no-pickle", "safe"):
        assert judged(formats, {name: FINE[name]}) == {}
        assert judged(formats, {"a.tar": tarred(name, FINE[name])}) == {}, "at the end of something else"
        assert judged(formats, {"run": b"echo text\n" + FINE[name]}).keys() == ({"run"} if formats == "safe" else set())


def files_in(content: bytes) -> list[tuple[str, bytes]]:
    stream = Stream(io.BytesIO(content), Budget(len(content), Clock()), len(content), seekable=True)
    return [(name, b"".join(file.rest())) for name, file in in_zips(stream, check_names=True)]


@settings(max_examples=800, deadline=None)
@given(st.data())
def test_python_finds_the_same(data: st.DataObject) -> None:
    content = bytearray(data.draw(st.sampled_from(SEEDS)))
    for _number in range(data.draw(st.integers(0, 2))):
        at = data.draw(st.integers(0, len(content)))
        end = at + data.draw(st.sampled_from([0, 1, 2, 4, 8, 40]))
        content[at:end] = data.draw(st.sampled_from(PIECES) | st.binary(max_size=4) | st.just(bytes(content[:60])))
    try:
        found = files_in(bytes(content))
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            in_python = [(one.filename, archive.read(one)) for one in archive.infolist() if not one.is_dir()]
    except (Refused, zipfile.BadZipFile, OverflowError, ValueError, NotImplementedError, zlib.error):
        return
    assert {one for one in in_python if one not in found} == set()
    if is_zip(Stream(io.BytesIO(content), Budget(0, Clock()))):
        assert len([name for name, _content in found if not name.endswith("/")]) == len(in_python)
