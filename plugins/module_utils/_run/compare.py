# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare the stores of a pair by their catalogues: refs with serials, commits with what they list, marks, views."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from .._fetch.peer import Peer
from .._plan.facts import Repo
from .._store.catalogue import Catalogue, read_catalogue
from .._store.piece import Piece
from .._store.store import Store


@dataclass(frozen=True)
class Difference:
    """Something that is not the same on both nodes."""

    name: str
    what: str
    here: str
    there: str


def compare(store: Store, peer: Peer) -> list[Difference]:
    """Return what differs, by name. The store is read itself, of the peer its catalogue. Raises PeerError."""
    return list(differences(read_catalogue(store), peer.catalogue()))


def differences(here: Catalogue, there: Catalogue) -> Iterator[Difference]:
    """Yield what differs. Pure."""
    for repo in sorted({*here.pieces, *there.pieces}, key=str):
        yield from _of_repo(repo, here.pieces.get(repo, Piece()), there.pieces.get(repo, Piece()))
    mine, theirs = ({view for entry in one.views for view in entry.views} for one in (here, there))
    for view in sorted(mine ^ theirs):
        yield Difference(f"view {view}", "is there", str(view in mine), str(view in theirs))


def _of_repo(repo: Repo, here: Piece, there: Piece) -> Iterator[Difference]:
    mine, theirs = _published(here), _published(there)
    for ref in sorted({*mine, *theirs}):
        if mine.get(ref) != theirs.get(ref):
            yield Difference(f"{repo}@{ref}", "names", mine.get(ref, "-"), theirs.get(ref, "-"))
    for what, left, right in (
        ("lists", here.commits, there.commits),
        ("is retired", dict.fromkeys(here.retired, "yes"), dict.fromkeys(there.retired, "yes")),
    ):
        for commit in sorted({*left, *right}):
            if left.get(commit) != right.get(commit):
                yield Difference(f"{repo}@{commit[:12]}", what, left.get(commit, "-"), right.get(commit, "-"))
    if here.gated != there.gated:
        yield Difference(str(repo), "is gated", str(here.gated), str(there.gated))
    for ref in sorted({*here.pending, *there.pending}):
        if here.pending.get(ref) != there.pending.get(ref):
            yield Difference(
                f"{repo}@{ref}", "waits with", here.pending.get(ref, "-")[:12], there.pending.get(ref, "-")[:12]
            )
    for kind in sorted({*here.marks, *there.marks}):
        yield from _of_marks(repo, kind, here.marks.get(kind, {}), there.marks.get(kind, {}))


def _published(piece: Piece) -> dict[str, str]:
    if not piece.commits:
        return {}  # it was removed, and something came to its folder again that has not been published yet
    return {ref: f"{commit[:12] or 'nothing'} (publish {serial})" for ref, (serial, commit) in piece.refs.items()}


def _of_marks(repo: Repo, kind: str, here: Mapping[str, Any], there: Mapping[str, Any]) -> Iterator[Difference]:
    for name in sorted({*here, *there}):
        mine, theirs = (bool(marks.get(name)) and not marks[name].get("off") for marks in (here, there))
        if mine != theirs:
            yield Difference(f"{repo}@{name}", f"is in {kind}", str(mine), str(theirs))
