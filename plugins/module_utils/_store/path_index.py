# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``paths.txt``: the entries of a commit's tree, to be found by path with two short reads. Pure.

The server looks up a path in a repository of 100,000 files without reading more of it than that entry (``hub.js``).
All is text, and all positions have a fixed width: a line with the number of buckets, one with a seed, a line for each
bucket with the position of its first entry, one for the end, then the entries, each on a line of its own behind the
digest of the seed and its path. A path's bucket is the first eight digits of that digest, modulo the number of buckets.

The seed is a digest of all paths. So nobody can choose names that get into one bucket, which would have to be read for
each of them: another name is another seed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from .._base.names import RepoPath

_DIGITS = 11  # of a number; a line has one more
_DIGEST = 32


def path_index(entries: Mapping[RepoPath, bytes]) -> bytes:
    """Return the document. ``entries`` is path -> its entry as JSON, which has no line break."""
    buckets = [b""] * (len(entries) or 1)
    seed = _digest("\n".join(entries))
    for path, entry in entries.items():
        digest = _digest(seed + path)
        buckets[int(digest[:8], 16) % len(buckets)] += b"%s %s\n" % (digest.encode(), entry)
    position = (len(buckets) + 2) * (_DIGITS + 1) + _DIGEST + 1
    lines = [_line(len(buckets)), b"%s\n" % seed.encode(), _line(position)]
    for bucket in buckets:
        position += len(bucket)
        lines.append(_line(position))
    return b"".join([*lines, *buckets])


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:_DIGEST]


def _line(number: int) -> bytes:
    return b"%0*d\n" % (_DIGITS, number)
