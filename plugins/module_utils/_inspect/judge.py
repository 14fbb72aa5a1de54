# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The judge of contents: what an entry with ``formats: no-pickle`` or ``safe`` does not let through, and why.

Nothing of a content is run, imported or written. Whatever goes wrong while one is looked at means that it is held.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from posixpath import dirname, join

from .._base.clock import Clock, StoppedError
from .budget import DEPTH, Budget
from .kinds import Unknown, check_kind, refuse_hidden_pickle
from .names import shown
from .packed import refuse_closed, unpack
from .pickles import refuse_pickle
from .refused import Limit, Refused
from .stream import Stream
from .tars import in_tar, is_tar
from .zips import in_zips, is_zip

#: So many are named; to look for more would cost time and help nobody.
_ENOUGH = 10
#: One content at a time, or memory would be needed for as many as there are threads.
_ONE = threading.Lock()


def judge(files: Mapping[str, Path], is_safe: bool, clock: Clock) -> dict[str, str]:
    """Return what of a commit's files is not let through: the path, and the end of a sentence that begins with it.

    ``is_safe``: let through what is known to be harmless, else what is no pickle.
    """
    held: dict[str, str] = {}
    unknown: dict[str, str] = {}
    data: set[str] = set()
    with _ONE:
        for path, file in files.items():
            try:
                names = judge_file(file, path, is_safe, clock)
            except Unknown as reason:
                unknown[path] = str(reason)
            except Limit as reason:
                held[path] = str(reason)
                break
            except Refused as reason:
                held[path] = str(reason)
                if len(held) == _ENOUGH:
                    break
            else:
                data.update(join(dirname(path), name) for name in names)
    # numbers alone, which a model says are its own: what they are was seen, they are no pickle and no archive
    return {**held, **{path: reason for path, reason in unknown.items() if path not in data}}


def judge_file(file: Path, name: str, is_safe: bool, clock: Clock) -> set[str]:
    """Return the names of files that belong to a content. Raises Refused where it is not let through."""
    try:
        size = file.stat().st_size
        with file.open("rb", buffering=0) as source:
            return _judge(Stream(source, Budget(size, clock), size, seekable=True), name, is_safe, 0)
    except (Refused, StoppedError):
        raise
    except Exception as problem:  # a broken content breaks its readers in more ways than anybody can list
        text = f"{type(problem).__name__} {problem}"[:200]
        raise Refused(f"could not be read to its end ({ascii(text)[1:-1]})") from problem


def _judge(stream: Stream, name: str, is_safe: bool, depth: int) -> set[str]:
    if depth > DEPTH:
        raise Limit(f"is packed deeper than {DEPTH} times")
    refuse_pickle(stream)
    refuse_closed(stream)
    unpacked = unpack(stream)
    if unpacked:
        # what may be packed may as well be something else, and is no harmless kind by what it seems to have in it
        _judge_within(unpacked.content, _unpacked_name(name), is_safe and unpacked.is_certain, depth)
        if unpacked.is_certain and not stream.is_seekable:
            return set()
    begins_as_zip, begins_as_tar = is_zip(stream), is_tar(stream)
    # as whatever it can be read: it may be several at once
    for inner, content in in_zips(stream, check_names=is_safe):
        _judge_within(content, inner, is_safe, depth)
    if begins_as_tar:
        for inner, content in in_tar(stream, check_names=is_safe):
            _judge_within(content, inner, is_safe, depth)
    if not is_safe:
        if not begins_as_zip:  # or a large zip in a zip would have to be read twice, for kinds that don't begin so
            refuse_hidden_pickle(stream)
    elif not ((unpacked and unpacked.is_certain) or begins_as_zip or begins_as_tar):
        return check_kind(stream, name)
    return set()


def _judge_within(stream: Stream, name: str, is_safe: bool, depth: int) -> None:
    try:
        _judge(stream, name, is_safe, depth + 1)
    except Refused as reason:
        raise reason.within(shown(name)) from None


def _unpacked_name(name: str) -> str:
    """Return the name without the suffix that says how it is packed."""
    stem, dot, suffix = name.rpartition("/")[2].rpartition(".")
    return stem if dot and suffix.lower() in ("gz", "bz2", "xz", "lzma", "z", "zlib") else name
