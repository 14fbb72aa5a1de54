# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names that come from outside, as values that can only be right: whoever has one need not look at it again.

Their grammar is written here alone. The patterns are of the kind that Python's ``re`` and nginx' PCRE read alike: the
server's configuration is rendered from them. What is wrong raises ``NameProblem``, whose text is the second half of a
sentence that begins with what the name is of.
"""

from __future__ import annotations

import re
import reprlib
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any, Callable, ClassVar, TypeVar

#: A commit, as the Hub names it: the whole SHA-1 of Git.
COMMIT = "[0-9a-f]{40}"
#: A content: the SHA-1 of a Git blob, or the SHA-256 of what Git LFS and Xet keep.
ETAG = "[0-9a-f]{64}|[0-9a-f]{40}"
#: The longest part of a repository's id: huggingface_hub's own limit (``validate_repo_id``), which is for each part.
WORD_LENGTH = 96
REF_LENGTH, VIEW_LENGTH = 200, 200
#: One of the two parts of a repository's id. It ends where two hyphens stand, which part them in the name of a folder.
WORD = f"(?!(?:[0-9A-Za-z_.]|-(?!-)){{{WORD_LENGTH + 1}}})[0-9A-Za-z_]+(?:(?:[.](?![.])|-(?!-))+[0-9A-Za-z_]+)*"
#: The last part of a repository's id.
REPO_NAME = f"{WORD}(?<![.]git)"
#: A branch or tag without a slash, or one of the Hub's own refs.
REF = (
    f"(?![0-9A-Za-z._+/-]{{{REF_LENGTH + 1}}})"
    "(?:refs/(?:pr|convert)/)?[0-9A-Za-z_](?:[0-9A-Za-z_+-]|[.](?![.]))*(?<![.]lock)"
)
#: A folder of ``/models/``.
VIEW = f"(?![0-9A-Za-z._-]{{{VIEW_LENGTH + 1}}})[0-9A-Za-z][0-9A-Za-z_-]*(?:[.][0-9A-Za-z_-]+)*"
#: What stands for repositories or views in the server's rules, where ``*`` is anything: as long as the longest id.
GLOB_LENGTH = len("datasets/") + WORD_LENGTH + 1 + WORD_LENGTH
GLOB = f"[0-9A-Za-z._/*-]{{1,{GLOB_LENGTH}}}"

REPO_TYPES = ("model", "dataset", "space")
#: The longest name that Linux' file systems have, in bytes. Ours carry a prefix and a digest beside some names.
NAME_BYTES = 255
#: The longest path in a repository, in bytes of UTF-8: with the store's own folders before it Linux takes 4,096.
PATH_BYTES = 2048
#: The deepest folder: each folder has documents of its own, which list all that is below it.
PATH_DEPTH = 64
#: The largest file, in bytes. The Hub takes files of up to 500 GB; this is what a file system can count.
LARGEST_FILE = (1 << 63) - 1
#: How much of a name from outside is shown in a message.
SHOWN = 100

#: Our own documents stand beside what is mirrored, under names that begin so.
RESERVED = ".mirror."


class NameProblem(ValueError):  # noqa: N818 - it is caught where a name has a place, and told with it
    """A name that can't be right. Its text says what was given, shortened, and what it must be."""


def shown(value: Any) -> str:
    """Return a value from outside as a message may show it: on one line, and not longer than ``SHOWN``."""
    text = _SHORT.repr(value)
    return text if len(text) <= SHOWN + 2 else f"{text[:SHOWN]}..."  # the quotes of a text


def kind_of(value: Any) -> str:
    """Return what kind of value this is, in words of YAML: Ansible's own texts and lists have classes nobody knows."""
    if value is None:
        return "null"
    return next((name for kind, name in _KINDS if isinstance(value, kind)), "something else")


def clean(text: str) -> str:
    """Return a line from outside as a message may carry it: nothing in it moves a cursor, and it is not long."""
    return "".join(one if one.isprintable() else "?" for one in text[: 3 * SHOWN])


def is_plain(text: str) -> bool:
    """Say whether a text is on one line, can be written, and is shown in the order in which it is read.

    No control characters, line breaks or lone surrogates, and nothing that turns the direction of what follows.
    """
    return text.isprintable() or not any(unicodedata.category(one) in _UNSAFE or one in _TURNING for one in text)


def listed(values: Iterable[Any]) -> str:
    """Return several values from outside as a message may show them: short texts as they are, and the first of many."""
    known = list(values)
    more = f" and {len(known) - _LISTED} more" if len(known) > _LISTED else ""
    return ", ".join(map(_plain, known[:_LISTED])) + more


def _plain(value: Any) -> str:
    return value if isinstance(value, str) and value.isprintable() and len(value) <= SHOWN else shown(value)


_LISTED = 10
_KINDS = (
    (bool, "true or false"),
    ((int, float), "a number"),
    (str, "a text"),
    ((list, tuple), "a list"),
    (Mapping, "a mapping"),
)


class _Short(reprlib.Repr):
    """Looks at no more of a value than it shows: YAML's aliases make a few lines into billions of items."""

    def repr1(self, x: Any, level: int) -> str:
        """Take a value for what it is: Ansible has its own texts, lists and mappings, which are kinds of these."""
        for kind in (str, int, list, tuple, dict):
            if isinstance(x, kind):
                shorten: Callable[[Any, int], str] = getattr(self, f"repr_{kind.__name__}")
                return shorten(x, level)
        return super().repr1(x, level)

    def repr_int(self, x: Any, level: int) -> str:
        """Python refuses to write out an integer of many thousands of digits."""
        return super().repr_int(x, level) if x.bit_length() < 4 * SHOWN else "a number of very many digits"


_SHORT = _Short()
_SHORT.maxstring = _SHORT.maxother = _SHORT.maxlong = SHOWN
_SHORT.maxlevel = 2


_N = TypeVar("_N", bound="_Name")


class _Name(str):
    """A text that was checked when it was made."""

    __slots__ = ()
    _PATTERN: ClassVar[re.Pattern[str]]
    _RULE: ClassVar[str]

    def __new__(cls: type[_N], value: Any) -> _N:
        if isinstance(value, cls):
            return value
        if not isinstance(value, str) or not cls._PATTERN.fullmatch(value):
            raise NameProblem(f"{shown(value)} {cls._RULE}")
        return super().__new__(cls, value)


class Commit(_Name):
    """A commit's whole id."""

    __slots__ = ()
    _PATTERN = re.compile(COMMIT)
    _RULE = "is no commit of 40 hexadecimal digits in lower case"


class Etag(_Name):
    """The name of a content, which is what it hashes to."""

    __slots__ = ()
    _PATTERN = re.compile(ETAG)
    _RULE = "is no hash of 40 or 64 hexadecimal digits in lower case"

    @property
    def is_sha256(self) -> bool:
        """Say whether it is a SHA-256, else the SHA-1 of a Git blob."""
        return len(self) == 64


class Ref(_Name):
    """What stands for a commit: a branch or tag without a slash, ``refs/pr/N``, ``refs/convert/NAME``, or its id."""

    __slots__ = ()
    _PATTERN = re.compile(REF)
    _RULE = (
        "is no branch or tag without a slash, no refs/pr/N or refs/convert/NAME and no commit of 40 hex digits (numbers"
        " must be quoted in YAML)"
    )


class ViewName(_Name):
    """The name of a view."""

    __slots__ = ()
    _PATTERN = re.compile(VIEW)
    _RULE = f"is no folder name of letters, digits, '-', '_' and '.', of {VIEW_LENGTH} characters at most"


class RepoPath(str):
    """The path of a file or folder in its repository: relative, none of its parts leads elsewhere."""

    __slots__ = ()

    def __new__(cls, value: Any) -> RepoPath:
        """Make it. Raises NameProblem."""
        if isinstance(value, cls):
            return value
        if not isinstance(value, str):
            raise NameProblem(f"{shown(value)} is no text")
        _check_path(value)
        return super().__new__(cls, value)


class Size(int):
    """The size of a file, in bytes."""

    __slots__ = ()

    def __new__(cls, value: Any) -> Size:
        """Make it. Raises NameProblem."""
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= LARGEST_FILE:
            raise NameProblem(f"{shown(value)} is no size in bytes")
        return super().__new__(cls, value)


def repo_id(value: Any) -> str:
    """Return a repository's id, ``ORGANISATION/NAME`` or ``NAME``. Raises NameProblem."""
    if not isinstance(value, str) or not _REPO.fullmatch(value):
        raise NameProblem(f"{shown(value)} is not of the form ORGANISATION/NAME, of {WORD_LENGTH} characters each")
    return str(value)


_REPO = re.compile(f"(?:{WORD}/)?{REPO_NAME}")


def _check_path(path: str) -> None:
    if path.startswith("/"):
        raise NameProblem(f"{shown(path)} is absolute, it must be relative to the repository")
    parts = path.split("/")
    if any(part in ("", ".", "..") for part in parts):
        raise NameProblem(f"{shown(path)} has an empty, '.' or '..' component")
    if any(part.startswith(RESERVED) for part in parts):
        raise NameProblem(f"{shown(path)} can't be mirrored: names that begin with {RESERVED} are the mirror's own")
    if not is_plain(path):
        raise NameProblem(f"{shown(path)} can't be mirrored: it has a control character or a line break")
    if len(parts) > PATH_DEPTH:
        raise NameProblem(f"{shown(path)} is {len(parts)} folders deep, {PATH_DEPTH} are the most")
    if len(path) * 4 > NAME_BYTES:  # a character takes four bytes at most
        long = max(len(part.encode()) for part in parts)
        if long > NAME_BYTES:
            raise NameProblem(f"{shown(path)} has a part of {long} bytes, file systems take {NAME_BYTES}")
        if len(path.encode()) > PATH_BYTES:
            raise NameProblem(f"{shown(path)} has {len(path.encode())} bytes, {PATH_BYTES} are the most")


#: Control characters, lone surrogates, line and paragraph separators. All else is a name like others: macOS writes
#: U+202F into each screenshot's, and emoji are joined by U+200D.
_UNSAFE = ("Cc", "Cs", "Zl", "Zp")
#: Embeddings, overrides and isolates of writing from right to left (Unicode's bidirectional algorithm).
_TURNING = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
