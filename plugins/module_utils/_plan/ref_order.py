# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person orders about a ref or a commit, checked before a store is looked at, and what came of it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .._base.names import Ref
from .facts import Repo, RepoFacts
from .plan import Publish
from .refs import Change, Marking, RefError, freeze, pin, promote, resolve, rollback
from .wanted import Wanted
from .whitelist import parse

_OF_COMMITS = ("pin", "unpin")
_SET = {
    ("pins", True): "is pinned",
    ("pins", False): "is not pinned",
    ("frozen", True): "is frozen",
    ("frozen", False): "follows the upstream",
}


@dataclass(frozen=True)
class RefOrder:
    """One order; a call decides it by the facts.

    ``verb`` is promote, rollback, pin, unpin, freeze or unfreeze. ``revision`` is a ref; of pins it may be a commit.
    """

    verb: str
    repo: Repo
    revision: Ref
    commit: str | None = None

    @classmethod
    def of(cls, verb: str, repo_type: str, repo_id: str, revision: str, commit: str | None = None) -> RefOrder:
        """Return the order for what a person wrote. Raises WhitelistError or RefError where no store can have it."""
        wanted = _parse(verb, repo_type, repo_id, revision)
        if wanted.is_commit and verb not in _OF_COMMITS:
            raise RefError(f"{revision} is a commit: {verb} needs a branch or a tag")
        return cls(verb, wanted.repo, wanted.revision, commit)

    def __call__(self, facts: RepoFacts) -> Change:
        """Return what is to be done. Raises RefError where it can't be."""
        repo, revision = self.repo, self.revision
        if self.verb == "promote":
            return promote(repo, facts, revision, self.commit)
        if self.verb == "rollback":
            return rollback(repo, facts, revision, self.commit)
        is_set = not self.verb.startswith("un")
        if self.verb in _OF_COMMITS:
            return pin(repo, facts, revision, is_set)
        return freeze(repo, facts, revision, is_set)

    def answer(self, facts: RepoFacts, change: Change) -> dict[str, Any]:
        """Return what modules return and commands print with ``--json``. ``facts`` are those before or after."""
        about: dict[str, Any] = {
            "changed": change is not None,
            "repo_type": self.repo.repo_type,
            "repo_id": self.repo.repo_id,
            "diff": diff(change),
        }
        if self.verb in _OF_COMMITS:
            commit = facts.refs.get(self.revision, self.revision)
            return {
                **about,
                "commit": change.name if isinstance(change, Marking) else resolve(self.repo, facts, commit),
            }
        about["ref"] = self.revision
        if isinstance(change, Publish):
            return {**about, "commit": change.new, "old": change.old, "serial": change.serial}
        return {**about, "commit": facts.refs.get(self.revision)}


def repository(verb: str, repo_type: str, repo_id: str) -> Repo:
    """Return the repository that a person named. Raises WhitelistError where no store can have it."""
    return _parse(verb, repo_type, repo_id).repo


def _parse(verb: str, repo_type: str, repo_id: str, revision: str = "main") -> Wanted:
    """Check names as those of a whitelist are checked."""
    (wanted,) = parse([{"repo_type": repo_type, "repo_id": repo_id, "revision": revision}], [verb])
    return wanted


def diff(change: Change) -> dict[str, str]:
    """Return Ansible's diff."""
    if change is None:
        return {"before": "", "after": ""}
    if isinstance(change, Publish):
        name = f"{change.repo} {change.ref}"
        return {"before": f"{name} {change.old or 'is not published'}\n", "after": f"{name} {change.new}\n"}
    before, after = (_SET[change.kind, is_set] for is_set in (not change.is_set, change.is_set))
    return {
        "before": f"{change.repo} {change.name} {before}\n",
        "after": f"{change.repo} {change.name} {after}\n",
    }
