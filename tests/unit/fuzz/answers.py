# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An answer over HTTP, and edits that make an honest one hostile. An edit that finds nothing to edit does nothing."""

from __future__ import annotations

import contextlib
import dataclasses
import gzip
import json
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Union

#: What stands in the text of a document for a token of JSON that ``json.dumps`` does not write.
_RAW, _TWICE = "@raw-%d@", "@twice"
#: What a file of gzip begins with.
_GZIP = b"\x1f\x8b\x08" + bytes(7)
Place = tuple[Union[str, int], ...]
Fill = Callable[[Any], Any]


@dataclass(frozen=True)
class Answer:
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    #: Content-Length is the body's, and as much more
    lie: int = 0
    #: seconds after each byte of the body
    drip: float = 0.0
    #: the connection ends after it, for it may not be what it says
    is_hostile: bool = False

    def but(self, **changes: Any) -> Answer:
        return dataclasses.replace(self, **changes)


class Edit:
    """A change of an answer."""

    def edit(self, answer: Answer, fill: Fill) -> Answer:
        raise NotImplementedError


class JsonEdit(Edit):
    """A change of the value at a place in a document of JSON, as the keys and indices that lead there."""

    at: Place

    def apply(self, holder: Any, key: Any, fill: Fill, raws: list[str]) -> None:
        raise NotImplementedError


@dataclass(frozen=True)
class Put(JsonEdit):
    """Have this value there, as one more where there is none."""

    at: Place
    value: Any

    def apply(self, holder: Any, key: Any, fill: Fill, raws: list[str]) -> None:
        value = fill(self.value)
        if isinstance(holder, list) and key == len(holder):
            holder.append(value)
        else:
            holder[key] = value


@dataclass(frozen=True)
class Raw(JsonEdit):
    """Have this text there, be it JSON or not."""

    at: Place
    text: str
    times: int = 1
    end: str = ""

    def apply(self, holder: Any, key: Any, fill: Fill, raws: list[str]) -> None:
        holder[key] = _RAW % len(raws)
        raws.append(self.text * self.times + self.end * self.times)


@dataclass(frozen=True)
class Drop(JsonEdit):
    at: Place

    def apply(self, holder: Any, key: Any, fill: Fill, raws: list[str]) -> None:
        del holder[key]


@dataclass(frozen=True)
class Rename(JsonEdit):
    """Have it under another key."""

    at: Place
    key: str

    def apply(self, holder: Any, key: Any, fill: Fill, raws: list[str]) -> None:
        if isinstance(holder, dict):
            holder[fill(self.key)] = holder.pop(key)


@dataclass(frozen=True)
class Twice(JsonEdit):
    """Have the key twice, then with this value."""

    at: Place
    value: Any

    def apply(self, holder: Any, key: Any, fill: Fill, raws: list[str]) -> None:
        if isinstance(holder, dict):
            holder[f"{key}{_TWICE}"] = fill(self.value)


@dataclass(frozen=True)
class Repeat(JsonEdit):
    """Have so many of it in its list, all with other names where they have names."""

    at: Place
    times: int

    def apply(self, holder: Any, key: Any, fill: Fill, raws: list[str]) -> None:
        if isinstance(holder, list):
            one = holder[key]
            named = isinstance(one, dict) and isinstance(one.get("path"), str)
            holder[key : key + 1] = [{**one, "path": f"{n}-{one['path']}"} if named else one for n in range(self.times)]


@dataclass(frozen=True)
class Whole(Edit):
    """Have another body."""

    body: bytes
    times: int = 1

    def edit(self, answer: Answer, fill: Fill) -> Answer:
        return answer.but(body=self.body * self.times)


@dataclass(frozen=True)
class Cut(Edit):
    """Leave out the end, from so many thousandths of the body on."""

    at: int

    def edit(self, answer: Answer, fill: Fill) -> Answer:
        return answer.but(body=answer.body[: len(answer.body) * self.at // 1000])


@dataclass(frozen=True)
class Flip(Edit):
    """Change a bit of the byte at so many thousandths."""

    at: int

    def edit(self, answer: Answer, fill: Fill) -> Answer:
        body = bytearray(answer.body)
        if body:
            body[(len(body) - 1) * self.at // 1000] ^= 1
        return answer.but(body=bytes(body))


@dataclass(frozen=True)
class Recode(Edit):
    encoding: str

    def edit(self, answer: Answer, fill: Fill) -> Answer:
        return answer.but(body=answer.body.decode("utf-8", "replace").encode(self.encoding, "replace"))


@dataclass(frozen=True)
class Header(Edit):
    """Have a header with this value, or without one."""

    name: str
    value: str | None

    def edit(self, answer: Answer, fill: Fill) -> Answer:
        kept = {name: value for name, value in answer.headers.items() if name.lower() != self.name.lower()}
        return answer.but(headers=kept if self.value is None else {**kept, self.name: fill(self.value)})


@dataclass(frozen=True)
class Status(Edit):
    code: int

    def edit(self, answer: Answer, fill: Fill) -> Answer:
        return answer.but(status=self.code)


@dataclass(frozen=True)
class Lie(Edit):
    """Promise so many bytes more, or less, than there are."""

    more: int

    def edit(self, answer: Answer, fill: Fill) -> Answer:
        return answer.but(lie=self.more)


@dataclass(frozen=True)
class Drip(Edit):
    """Send a byte, wait, and send the next one."""

    seconds: float = 0.05

    def edit(self, answer: Answer, fill: Fill) -> Answer:
        return answer.but(drip=self.seconds)


@dataclass(frozen=True)
class Packed(Edit):
    """Send it packed with gzip, after so many MiB of what takes no room in that."""

    before: str = " "
    mebibytes: int = 0

    def edit(self, answer: Answer, fill: Fill) -> Answer:
        if self.mebibytes:
            # one stream, whose checksum at the end nobody should get to
            rest = zlib.compressobj(1, zlib.DEFLATED, -zlib.MAX_WBITS)
            end = rest.compress(answer.body) + rest.flush() + bytes(8)
            packed = _GZIP + _mebibyte(self.before) * self.mebibytes + end
        else:
            packed = gzip.compress(answer.body, 1, mtime=0)
        return answer.but(body=packed, headers={**answer.headers, "Content-Encoding": "gzip"})


def about(edit: Edit, names: Mapping[str, str]) -> Edit:
    """Return an edit with some ``{names}`` in it replaced."""
    given = {one.name: filled(getattr(edit, one.name), names) for one in dataclasses.fields(edit)}  # type: ignore[arg-type]
    return dataclasses.replace(edit, **given)  # type: ignore[type-var]


def filled(value: Any, names: Mapping[str, str]) -> Any:
    """Return a value with all ``{names}`` in it replaced."""
    if isinstance(value, str):
        for name, text in names.items():
            value = value.replace(f"{{{name}}}", text)
        return value
    if isinstance(value, (list, tuple)):
        return type(value)(filled(one, names) for one in value)
    if isinstance(value, dict):
        return {filled(key, names): filled(one, names) for key, one in value.items()}
    return value


def tampered(answer: Answer, edits: tuple[Edit, ...], fill: Fill) -> Answer:
    """Return the answer with all edits, first those of what is in its document."""
    if any(isinstance(edit, JsonEdit) for edit in edits):
        answer = answer.but(body=_edited(answer.body, [one for one in edits if isinstance(one, JsonEdit)], fill))
    for edit in edits:
        if not isinstance(edit, JsonEdit):
            answer = edit.edit(answer, fill)
    return answer.but(is_hostile=True)


def _edited(body: bytes, edits: list[JsonEdit], fill: Fill) -> bytes:
    try:
        document = [json.loads(body)]
    except ValueError:
        return body
    raws: list[str] = []
    for edit in edits:
        holder: Any = document
        # what an earlier edit took away is not there to be edited
        with contextlib.suppress(KeyError, IndexError, TypeError):
            place: Place = (0, *fill(edit.at))
            way, last = place[:-1], place[-1]
            for key in way:
                holder = holder[key]
            edit.apply(holder, last, fill, raws)
    text = json.dumps(document[0]) if document else ""
    text = text.replace(f'{_TWICE}"', '"')
    for number, raw in enumerate(raws):
        text = text.replace(f'"{_RAW % number}"', raw)
    return text.encode("utf-8", "surrogatepass")


@cache
def _mebibyte(pattern: str) -> bytes:
    """Return a piece of a packed stream that stands for a mebibyte of a pattern, however often it is there."""
    text = pattern.encode()
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return packer.compress((text * (1 + (1 << 20) // len(text)))[: 1 << 20]) + packer.flush(zlib.Z_FULL_FLUSH)
