# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``hf-mirror purge``: take down a repository, a file of it, or a content wherever it is."""

from __future__ import annotations

import re

from .._base.names import ETAG, Etag, NameProblem, RepoPath, shown
from .._plan.facts import Repo
from .._plan.order import repository
from .._plan.refs import RefError
from .._run.purge import Purge
from .._store.store import Store
from .arguments import FINE
from .session import Session

_ETAG = re.compile(ETAG)
_HEXADECIMAL = re.compile("[0-9a-f]{7,}")


def purge(session: Session) -> int:
    """Take it down, or with ``--lift`` let it come again."""
    options = session.options
    engine = session.local_engine()
    order = Purge(engine.store, engine.settings.actor, options.note, options.lift, options.check)
    name = options.name.lower()  # some programs print hashes in upper case
    if _ETAG.fullmatch(name):
        gone = order.content(Etag(name))
    elif _HEXADECIMAL.fullmatch(name):
        raise RefError(f"{shown(options.name)} is no whole hash: give all of its 40 or 64 digits, or ORGANISATION/NAME")
    else:
        repo = repository("purge", options.repo_type, options.name)
        gone = order.repo(repo) if options.file is None else _file(engine.store, order, repo, options.file)
    session.terminal.data({"purged": gone})
    for name in gone:
        session.terminal.say(f"{'to be ' if options.check else ''}purged: {name}")
    if options.check:
        session.terminal.say("nothing was changed, this is a check")
    elif options.lift:
        session.terminal.say("lifted: the next sync may bring it again")
    elif not gone:
        session.terminal.say("noted; nothing of it is here")
    return FINE


def _file(store: Store, order: Purge, repo: Repo, name: str) -> list[str]:
    """Purge what a path has in any commit of a repository, from everywhere."""
    try:
        path = RepoPath(name)
    except NameProblem as problem:
        raise RefError(f"--file {problem}") from None
    mirrored = store.repository(repo)
    # the Hub's listings know it also where it was purged before
    listings = [mirrored.upstream(commit) for commit in mirrored.facts().snapshots]
    etags = sorted({listing.files[path].etag for listing in listings if listing and path in listing.files})
    if not etags:
        raise RefError(f"no commit of {repo} here has a file {path}")
    return [name for etag in etags for name in order.content(etag)]
