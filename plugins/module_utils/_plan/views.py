# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Views: which content a flat folder has under which name, from what its entries have published. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .._base.errors import MirrorError
from .._base.names import Etag, RepoPath, ViewName
from .facts import Repo, RepoFacts, Snapshot
from .wanted import Wanted

_SHOWN = 3  # names a message


class GatedError(MirrorError):
    """A repository that only some may see is in no view: everybody sees those."""

    def __init__(self, repo: Repo) -> None:
        super().__init__(f"{repo} is gated or private, but a view is public: remove views from its entry")


@dataclass(frozen=True)
class Clash:
    """Different contents of one name in a view: which paths of which entries have them."""

    view: ViewName
    name: str
    paths: Mapping[Wanted, list[RepoPath]]

    def __str__(self) -> str:
        entries = [str(one) for one in self.paths]
        if len(entries) > 1:
            return f"view {self.view}: {' and '.join(entries)} have different files named {self.name}"
        (paths,) = self.paths.values()
        told = ", ".join(paths[:_SHOWN]) + (", ..." if len(paths) > _SHOWN else "")
        return f"view {self.view}: {entries[0]} has {len(paths)} files named {self.name}: {told}"


@dataclass
class ViewPlan:
    """View -> file name -> etag; and the names that no content can be chosen for."""

    files: dict[ViewName, dict[str, Etag]] = field(default_factory=dict)
    clashes: list[Clash] = field(default_factory=list)

    @property
    def problems(self) -> dict[Wanted, MirrorError]:
        """Return what is wrong with entries: all that have a part in a clash, for none of them is the right one."""
        found: dict[Wanted, list[Clash]] = {}
        for clash in self.clashes:
            for wanted in clash.paths:
                found.setdefault(wanted, []).append(clash)
        return {wanted: MirrorError(_told(clashes)) for wanted, clashes in found.items()}


def _told(clashes: list[Clash]) -> str:
    more = f", and {len(clashes) - 1} more names" if len(clashes) > 1 else ""
    return f"{clashes[0]}{more}: select files by files or patterns; the view keeps its old file of that name"


def plan_views(published: Mapping[Wanted, Snapshot]) -> ViewPlan:
    """Plan views from what each entry has published (path -> etag). A name with several contents is left out."""
    offers: dict[ViewName, dict[str, dict[Wanted, dict[RepoPath, Etag]]]] = {}
    for wanted, files in published.items():
        for view in wanted.views:
            names = offers.setdefault(view, {})
            for path, etag in sorted(files.items()):
                names.setdefault(base_name(path), {}).setdefault(wanted, {})[path] = etag
    plan = ViewPlan()
    for view, names in offers.items():
        folder = plan.files.setdefault(view, {})
        for name, found in names.items():
            etags = {etag for paths in found.values() for etag in paths.values()}
            if len(etags) == 1:
                folder[name] = etags.pop()
            else:
                plan.clashes.append(Clash(view, name, {one: list(paths) for one, paths in found.items()}))
    return plan


def base_name(path: str) -> str:
    """Return a path's last part: a file's name in a view."""
    return path.rpartition("/")[2]


def current_files(wanted: Wanted, facts: RepoFacts) -> Snapshot:
    """Return path -> etag of what an entry has published."""
    commit = wanted.commit or facts.refs.get(wanted.revision)
    return facts.snapshots.get(commit, {}) if commit else {}


def chosen(wanted: Wanted, files: Snapshot) -> Snapshot:
    """Return those of the published files that an entry names; what could not be had is left out."""
    try:
        return {path: files[path] for path in wanted.select(files)}
    except MirrorError:
        return {path: files[path] for path in wanted.files or () if path in files}
