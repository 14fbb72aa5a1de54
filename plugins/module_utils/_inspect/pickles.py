# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pickles: contents that run what they name when they are loaded.

An unpickler is a machine with a stack; Python's own table of its opcodes (``pickletools``) says what each takes and
gives. The walk goes through them as an unpickler would, and neither imports nor calls anything. Where any unpickler may
go on, the walk goes on, so nothing that is called stays unseen. It judges by whether something can be called, not by a
list of names that are known to be bad.
"""

from __future__ import annotations

import pickletools
import re
from typing import Any

from .refused import Limit, Refused
from .stream import Stream

#: No unpickler knows a higher one yet.
_PROTOCOLS = 5
#: Whatever makes sense for so long is a pickle, and need not be read to its end.
_STEPS = 100_000
#: What is kept of a string, for the message.
_KEPT = 200
#: What is looked at of a line. Nothing that has a longer name can be imported; numbers and texts may be longer.
_LINE = 4096
_LONG_LINES = ("INT", "LONG", "FLOAT", "STRING", "UNICODE")

_OPCODES = {ord(opcode.code): opcode for opcode in pickletools.opcodes}
_MARK = pickletools.markobject
_INTEGER = re.compile(rb"\s*[+-]?(?:0[xXoObB][0-9a-fA-F_]+|[0-9_]*)L?\s*(?:\0.*)?", re.DOTALL)

# What stands on the stack: a string is its own beginning, as bytes; all else is Imported, or no more than this.
_VALUE = "a value"


class Imported:
    """A thing that was imported, which can be called."""

    def __init__(self, name: str) -> None:
        self.name = name


class _MaybeText(bytes):
    """What a loader has under a text: most likely that text, but it may be anything."""


class _NoPickle(Exception):  # noqa: N818 - it is the usual case
    """No unpickler goes on here."""


def refuse_pickle(stream: Stream) -> None:
    """Raise Refused where a content is a pickle: from its first byte to its end, or until something can be called."""
    walk = _Walk(stream)
    try:
        while True:
            walk.one()
    except (_NoPickle, EOFError):
        # an unpickler ends here, too, and has called nothing
        return


class _Walk:
    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._memo: dict[int, Any] = {}
        self._stack: list[Any] = []
        self._marks: list[int] = []
        self._steps = 0
        self._imported: list[str] = []
        self._has_protocol = False

    def one(self) -> None:
        """Walk through one pickle to its end, after which another one may stand."""
        self._stack, self._marks, self._memo = [], [], {}
        while True:
            opcode = _OPCODES.get(self._stream.byte())
            if opcode is None:
                raise _NoPickle
            self._steps += 1
            self._stream.budget.step()
            if self._steps > _STEPS:
                raise Limit(f"is a pickle of more than {_STEPS} steps, which is not read to its end")
            argument = self._argument(opcode)
            if opcode.name == "STOP":
                self._pop(1)
                # a few bytes of anything may read as a pickle that says nothing: a real one says so, or ends there
                if self._has_protocol or self._imported or self._stream.is_at_end():
                    raise Refused("is a pickle" + self._imports())
                return
            self._do(opcode.name, opcode, argument)

    def _argument(self, opcode: Any) -> bytes:
        """Return the beginning of an opcode's argument and stand after it."""
        stream = self._stream
        if opcode.arg is None:
            return b""
        count = opcode.arg.n
        if count == pickletools.UP_TO_NEWLINE:
            line = stream.line(_LINE, opcode.name in _LONG_LINES)
            if opcode.name in ("GLOBAL", "INST"):
                try:
                    line += b"\n" + stream.line(_LINE, is_longer=False)
                except EOFError:  # Python's own unpickler goes without the last line's end, and calls INST
                    if opcode.name == "GLOBAL":
                        raise
                    line += b"\n?"
            return line
        if count < 0:
            size = {
                pickletools.TAKEN_FROM_ARGUMENT1: (1, False),
                pickletools.TAKEN_FROM_ARGUMENT4: (4, True),
                pickletools.TAKEN_FROM_ARGUMENT4U: (4, False),
                pickletools.TAKEN_FROM_ARGUMENT8U: (8, False),
            }[count]
            count = stream.number(*size)
            if count < 0:
                raise _NoPickle
        kept = stream.take(min(count, _KEPT))
        stream.skip(count - len(kept))
        return kept

    def _imports(self, verb: str = "imports") -> str:
        names = list(dict.fromkeys(self._imported))
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        return f" (it {verb} {', '.join(names[:3])}{more})" if names else ""

    def _called(self, target: Any) -> None:
        """Note that something is about to be called; raise what it is."""
        if not isinstance(target, Imported):
            raise _NoPickle
        raise Refused("is a pickle" + self._imports("calls or imports"))

    def _fence(self) -> int:
        return self._marks[-1] if self._marks else 0

    def _pop(self, count: int) -> list[Any]:
        if len(self._stack) - self._fence() < count:
            raise _NoPickle
        cut = len(self._stack) - count
        items = self._stack[cut:]
        del self._stack[cut:]
        return items

    def _pop_mark(self) -> list[Any]:
        if not self._marks:
            raise _NoPickle
        cut = self._marks.pop()
        items = self._stack[cut:]
        del self._stack[cut:]
        return items

    def _import(self, module: bytes, name: bytes) -> Imported:
        # a list of words is no import: no module's name has a blank in it
        if not module or re.search(rb"\s", module):
            raise _NoPickle
        text = f"{module.decode(errors='replace')}.{name.decode(errors='replace')}"[:_KEPT]
        self._imported.append(text if text.isprintable() else ascii(text))
        return Imported(text)

    def _do(self, name: str, opcode: Any, argument: bytes) -> None:
        special = getattr(self, f"_do_{name.lower()}", None)
        if special:
            special(argument)
            return
        if name in _TARGETED:
            items = self._pop_mark() if _MARK in opcode.stack_before else self._pop(_TARGETED[name])
            (target,) = self._pop(1)
            # a text takes nothing, but nothing is what it may be given
            if isinstance(target, Imported) or (isinstance(target, bytes) and items):
                self._called(target)
            self._stack.append(target)
            return
        if name in _NUMBERS and not _is_number(name, argument):
            raise _NoPickle
        before = opcode.stack_before
        if _MARK in before:
            self._pop_mark()
            before = before[: before.index(_MARK)]
        self._pop(len(before))
        pushed = argument if name in _STRINGS else _VALUE
        self._stack += [pushed] * len(opcode.stack_after)

    # ---- what is not told by Python's table

    def _do_proto(self, argument: bytes) -> None:
        if argument[0] > _PROTOCOLS:
            raise _NoPickle
        self._has_protocol = self._has_protocol or self._steps == 1

    def _do_mark(self, _argument: bytes) -> None:
        self._marks.append(len(self._stack))

    def _do_pop(self, _argument: bytes) -> None:
        if self._marks and self._marks[-1] == len(self._stack):
            self._marks.pop()
        else:
            self._pop(1)

    def _do_dup(self, _argument: bytes) -> None:
        self._stack += self._pop(1) * 2

    def _do_string(self, argument: bytes) -> None:
        line = argument.rstrip()
        if len(argument) < _LINE and (len(line) < 2 or line[:1] != line[-1:] or line[:1] not in (b"'", b'"')):
            raise _NoPickle
        self._stack.append(line[1:-1][:_KEPT])

    def _do_global(self, argument: bytes) -> None:
        self._stack.append(self._import(*argument.split(b"\n", 1)))

    def _do_stack_global(self, _argument: bytes) -> None:
        module, name = (b"?" if isinstance(one, Imported) else one for one in self._pop(2))
        if not isinstance(module, bytes) or not isinstance(name, bytes):
            raise _NoPickle
        self._stack.append(self._import(module, name))

    def _do_ext(self, argument: bytes) -> None:
        code = int.from_bytes(argument, "little")
        self._imported.append(f"what copyreg has under {code}")
        self._stack.append(Imported(self._imported[-1]))

    _do_ext1 = _do_ext2 = _do_ext4 = _do_ext

    def _do_persid(self, argument: bytes) -> None:
        self._stack.append(_MaybeText(argument[:_KEPT]))

    def _do_binpersid(self, _argument: bytes) -> None:
        # a loader makes of it what it likes; PyTorch's for its oldest files gives back what was imported
        self._pop(1)
        self._stack.append(Imported("what a loader has under a number"))

    def _do_inst(self, argument: bytes) -> None:
        self._pop_mark()
        self._called(self._import(*argument.split(b"\n", 1)))

    def _do_obj(self, _argument: bytes) -> None:
        self._called((self._pop_mark() or [None])[0])

    def _do_reduce(self, _argument: bytes) -> None:
        self._called(self._pop(2)[0])

    _do_newobj = _do_reduce

    def _do_newobj_ex(self, _argument: bytes) -> None:
        self._called(self._pop(3)[0])

    def _do_build(self, _argument: bytes) -> None:
        target = self._pop(2)[0]
        if isinstance(target, Imported):
            self._called(target)
        self._stack.append(target)

    def _do_put(self, argument: bytes) -> None:
        self._remember(_text_number(argument))

    def _do_binput(self, argument: bytes) -> None:
        self._remember(int.from_bytes(argument, "little"))

    _do_long_binput = _do_binput

    def _do_memoize(self, _argument: bytes) -> None:
        self._remember(len(self._memo))

    def _remember(self, key: int) -> None:
        (value,) = self._pop(1)
        self._stack.append(value)
        self._memo[key] = value

    def _do_get(self, argument: bytes) -> None:
        self._recall(_text_number(argument))

    def _do_binget(self, argument: bytes) -> None:
        self._recall(int.from_bytes(argument, "little"))

    _do_long_binget = _do_binget

    def _recall(self, key: int) -> None:
        if key not in self._memo:
            raise _NoPickle
        self._stack.append(self._memo[key])


#: Those that change what stands below what they take, and how much they take; of an import they call a method.
_TARGETED = {"APPEND": 1, "APPENDS": 0, "SETITEM": 2, "SETITEMS": 0, "ADDITEMS": 0}
_STRINGS = {
    "UNICODE", "BINSTRING", "SHORT_BINSTRING", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8",
}  # fmt: skip
_NUMBERS = {"INT", "LONG", "FLOAT"}


def _is_number(name: str, line: bytes) -> bool:
    """Say whether any unpickler reads a line as a number: C's reads more than Python's."""
    if len(line) >= _LINE:
        return True
    if name != "FLOAT":
        return bool(_INTEGER.fullmatch(line))
    try:
        float(line.split(b"\0")[0])
    except ValueError:
        return False
    return True


def _text_number(line: bytes) -> int:
    try:
        return int(line)
    except ValueError:
        raise _NoPickle from None
