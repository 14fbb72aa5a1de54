# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The walk against Python's own two unpicklers: whatever gets one of them to call something is held."""

from __future__ import annotations

import io
import pickle
import struct
from typing import Any

import pytest
from ansible_collections.modelops.hf_mirror.plugins.module_utils._base.clock import Clock
from ansible_collections.modelops.hf_mirror.plugins.module_utils._inspect.budget import Budget
from ansible_collections.modelops.hf_mirror.plugins.module_utils._inspect.pickles import refuse_pickle
from ansible_collections.modelops.hf_mirror.plugins.module_utils._inspect.refused import Refused
from ansible_collections.modelops.hf_mirror.plugins.module_utils._inspect.stream import Stream
from hypothesis import example, given, settings
from hypothesis import strategies as st


class CalledError(BaseException):
    """Something imported was called."""


class _Meta(type):
    def __call__(cls, *_arguments: Any, **_names: Any) -> Any:
        raise CalledError


class Anything(metaclass=_Meta):
    """What every import gives: whatever is done with it is a call."""

    def __new__(cls, *_arguments: Any, **_names: Any) -> Anything:
        raise CalledError

    append = extend = add = __setitem__ = __setstate__ = classmethod(_Meta.__call__)  # type: ignore[assignment]


class _Object:
    """An instance, of which methods are called."""

    def _call(self, *_arguments: Any) -> None:
        raise CalledError

    __call__ = append = extend = add = __setitem__ = __setstate__ = _call


class InPython(pickle._Unpickler):  # type: ignore[name-defined, misc]
    def find_class(self, _module: str, _name: str) -> Any:
        return Anything if _name != "o" else _Object()


class InC(pickle.Unpickler):
    def find_class(self, _module: str, _name: str) -> Any:
        return Anything if _name != "o" else _Object()


def short(text: bytes) -> bytes:
    return b"\x8c" + bytes([len(text)]) + text


BITS = [
    *(bytes([value]) for value in b".0(12)]}NR\x81\x92ostueab\x88\x85\x86\x87ld\x8f\x90\x91\x94\x93\x97\x98Q"),
    *(b"c" + module + b"\n" + name + b"\n" for module in (b"a", b"a.b") for name in (b"b", b"o")),
    b"ia\nb\n", b"ia\no\n", b"I1\n", b"I0x10\n", b"I 7\n", b"I01\n", b"I\n", b"I5\0x\n", b"L5L\n", b"L-0x1\n",
    b"F1\n", b"Finf\n", b"F1_0\n", b"S'a'\n", b'S"o" \n', b"S'\n", b"Vo\n", b"Va\n", b"P1\n", b"p0\n", b"p1\n",
    b"p 2\n", b"g0\n", b"g1\n", b"g+2\n", b"q\0", b"q\1", b"h\0", b"h\1", b"r\2\0\0\0", b"j\2\0\0\0", b"K\1",
    b"J\1\0\0\0", b"M\1\0", b"U\1a", b"T\1\0\0\0o", b"T\xff\xff\xff\xff", b"X\1\0\0\0o", b"\x8a\1\5",
    b"\x8b\1\0\0\0\5", b"G" + bytes(8), b"B\1\0\0\0x", b"C\1x", b"\x8e\1" + bytes(7) + b"x",
    b"\x96\1" + bytes(7) + b"x", b"\x8d\1" + bytes(7) + b"a", short(b"a"), short(b"o"), b"\x80\2", b"\x80\4",
    b"\x80\5", b"\x80\6", b"\x95" + struct.pack("<Q", 4), b"\x82\1", b"\xff", b"\n", b"x",
]  # fmt: skip


def is_held(content: bytes) -> bool:
    try:
        refuse_pickle(Stream(io.BytesIO(content), Budget(len(content), Clock()), len(content)))
    except Refused:
        return True
    return False


def does(unpickler: Any, content: bytes) -> str:
    try:
        unpickler(io.BytesIO(content), encoding="latin-1").load()
    except CalledError:
        return "calls"
    except Exception:
        return "fails"
    return "loads"


@settings(max_examples=1500, deadline=None)
@given(st.lists(st.sampled_from(BITS), max_size=14))
@example([b"\x96" + bytes(8), b"(", b"K\1", b"e", b"ca\nb\n", b")", b"R"])
@example([b"\x96\1" + bytes(8), b"K\0", b"K\1", b"s", b"ca\nb\n", b")", b"R"])
@example([b"ca\nb\n", b"]", b"R"])
@example([b"ca\no\n", b"(", b"e"])
@example([b"ca\no\n", b"N", b"a"])
@example([b"ca\no\n", b"N", b"N", b"s"])
@example([b"ca\no\n", b"N", b"b"])
@example([b"(", b"ca\nb\n", b"o"])
@example([b"ca\nb\n", b")", b"\x81"])
@example([b"ca\nb\n", b")", b"}", b"\x92"])
@example([b"(", b"ia\nb\n"])
@example([b"I5\0x\n", b"(", b"ia\nb\n"])
@example([b"S'a'\n", b"(", b"e", b"(", b"ia\nb\n"])
@example([b"Va\n", b"(", b"u", b"(", b"ia\nb\n"])
@example([short(b"a"), b"(", b"\x90", b"(", b"ia\nb\n"])
@example([b"U\1a", b"N", b"b", b"(", b"ia\nb\n"])
@example([b"(", b"ia\nbX"])
@example([short(b"a"), short(b"o"), b"\x93", b"q\1", b"0", b"h\1", b")", b"R"])
def test_whatever_calls_is_held(bits: list[bytes]) -> None:
    content = b"".join(bits)
    done = {does(unpickler, content) for unpickler in (InPython, InC)}
    if "calls" in done:
        assert is_held(content)
    if "loads" in done and content.startswith(b"\x80"):
        assert is_held(content), "it is a pickle"


@pytest.mark.parametrize("unpickler", [InPython, InC])
def test_the_unpicklers_here_tell_what_is_called(unpickler: Any) -> None:
    assert (
        does(unpickler, b"ca\nb\n)R.") == does(unpickler, b"ca\no\n(Ne.") == does(unpickler, b"ca\no\nNb.") == "calls"
    )
    assert does(unpickler, b"ca\nb\n.") == "loads" and does(unpickler, b"R") == "fails"
