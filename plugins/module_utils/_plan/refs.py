# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person decides about one repository: promote, roll back, pin, freeze. Pure: facts in, the change out.

Each function returns None where all is as it should be, and raises RefError where it can't be done.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Optional, Union

from .._base.errors import MirrorError
from .._base.names import Commit, Ref, shown
from .facts import Repo, RepoFacts
from .plan import Publish

_SHORTEST = 7


class RefError(MirrorError):
    """It can't be done; nothing was changed."""


@dataclass(frozen=True)
class Marking:
    """Set a mark or take it away. ``kind``: ``pins``, ``name`` is a commit then, or ``frozen``, it is a ref."""

    repo: Repo
    kind: str
    name: str
    is_set: bool


Change = Optional[Union[Publish, Marking]]


def promote(repo: Repo, facts: RepoFacts, ref: Ref, commit: str | None = None) -> Change:
    """Publish a commit that is here, the pending one if none is named."""
    if commit is None:
        commit = facts.pending.get(ref)
        if commit is None:
            raise RefError(f"{repo}@{ref} has no pending commit to promote")
    return _publish(repo, facts, ref, resolve(repo, facts, commit))


def rollback(repo: Repo, facts: RepoFacts, ref: Ref, commit: str | None = None) -> Change:
    """Publish a commit again that this ref named before, the last one if none is named."""
    now = facts.refs.get(ref)
    if now is None:
        raise RefError(f"{repo}@{ref} is not published")
    before = [one for one in reversed(facts.history.get(ref, ())) if one != now]
    if commit is None:
        here = [one for one in before if one in facts.snapshots and one not in facts.rejected.get(ref, ())]
        if not here:
            raise RefError(f"{repo}@{ref} has no earlier commit that is still here")
        return _publish(repo, facts, ref, here[0], is_rollback=True)
    named = resolve(repo, facts, commit)
    if named != now and named not in before:
        raise RefError(f"{repo}@{ref} never named {named[:12]}: promote it instead")
    return _publish(repo, facts, ref, named, is_rollback=True)


def pin(repo: Repo, facts: RepoFacts, commit: Ref, is_set: bool = True) -> Change:
    """Keep a commit for as long as it is pinned, whatever is published; or end that."""
    name = resolve(repo, facts, facts.refs.get(commit, commit))
    return Marking(repo, "pins", name, is_set) if (name in facts.pins) != is_set else None


def freeze(repo: Repo, facts: RepoFacts, ref: Ref, is_set: bool = True) -> Change:
    """Let a ref stay where it is, whatever the upstream does; or let it follow again."""
    if ref not in facts.refs:
        raise RefError(f"{repo}@{ref} is not published")
    return Marking(repo, "frozen", ref, is_set) if (ref in facts.frozen) != is_set else None


def resolve(repo: Repo, facts: RepoFacts, commit: str) -> Commit:
    """Return the whole id of a commit that is here. Seven digits of it are enough, if it is the only one."""
    if not re.fullmatch(r"[0-9a-f]+", commit) or not _SHORTEST <= len(commit) <= 40:
        raise RefError(f"{shown(commit)} is no commit: give at least {_SHORTEST} hexadecimal digits")
    found = [one for one in facts.snapshots if one.startswith(commit)]
    if len(found) != 1:
        raise RefError(f"{repo} has {'several commits' if found else 'no commit'} {commit} here")
    return found[0]


def _publish(repo: Repo, facts: RepoFacts, ref: Ref, commit: Commit, is_rollback: bool = False) -> Change:
    old = facts.refs.get(ref)
    if old == commit:
        return None
    return Publish(repo, ref, old, commit, facts.serials.get(ref, 0) + 1, is_rollback)
