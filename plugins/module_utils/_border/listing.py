# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documents of our own, read as though a stranger had written them: the peer may be one, and so may a disk."""

from __future__ import annotations

from typing import Any

from .._base.address import LONGEST
from .._base.limits import LISTING_ENTRIES
from .._base.names import PATH_BYTES, Commit, Etag, RepoPath, Size, clean, is_plain
from .._plan.facts import File, Listing
from .hub import card_of
from .json import AnswerProblem, items, mapping, sequence


def listing_of(value: Any) -> Listing:
    """Read what ``Listing.to_json`` wrote. Raises NameProblem."""
    document = mapping(value, "it")
    files = {}
    for path, fields in items(document.get("files"), "files", LISTING_ENTRIES):
        told = tuple(sequence(fields, "a file", 4))
        if len(told) != 4:
            raise AnswerProblem("a file has not four fields")
        files[RepoPath(path)] = File.of(*told)
    return Listing(
        Commit(document.get("commit")),
        files,
        {RepoPath(path): Etag(oid) for path, oid in items(document.get("folders"), "folders", LISTING_ENTRIES)},
        card_of(mapping(document.get("info"), "info")),
        {
            name[:PATH_BYTES]: clean(str(why))
            for name, why in items(document.get("refused", {}), "refused", LISTING_ENTRIES)
        },
        teller=_address(document.get("teller")),
    )


def _address(value: Any) -> str:
    return value if isinstance(value, str) and len(value) <= LONGEST and is_plain(value) else ""


def served_of(value: Any) -> dict[RepoPath, tuple[Etag, Size]]:
    """Read the document that says what a sealed commit lists: path -> etag and size in bytes. Raises NameProblem."""
    served = {}
    for sibling in sequence(mapping(value, "it").get("siblings"), "siblings", LISTING_ENTRIES):
        told = mapping(sibling, "a file")
        etag = mapping(told["lfs"], "lfs").get("sha256") if "lfs" in told else told.get("blobId")
        served[RepoPath(told.get("rfilename"))] = (Etag(etag), Size(told.get("size")))
    return served
