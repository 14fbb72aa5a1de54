# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``hf-mirror promote``, ``rollback``, ``pin``, ``unpin``, ``freeze``, ``unfreeze`` and ``diff``. They ask no Hub."""

from __future__ import annotations

from .._plan.ref_order import RefOrder, repository
from .._plan.report import human
from .._run.ref_change import BehindError, diff_commits, make_change, plan_change, record
from .arguments import FAILED, FINE
from .ledger_text import describe
from .session import Session
from .terminal import complain

_MAIN = "main"
_HEADS = ("FILE", ">OLD SIZE", "OLD HASH", ">NEW SIZE", "NEW HASH")


def change(session: Session) -> int:
    """Do what a person decided about a ref or a commit, or say what would be done."""
    options = session.options
    repo_id, _at, revision = options.name.partition("@")
    commit = getattr(options, "commit", None)
    order = RefOrder.of(options.command, options.repo_type, repo_id, revision or _MAIN, commit)
    engine = session.local_engine()
    store, actor = engine.store, engine.settings.actor
    if options.check:
        found = plan_change(store, order.repo, order)
    else:
        try:
            found = make_change(store, order.repo, order, actor, options.note)
        except BehindError as problem:
            complain(str(problem))
            return FAILED
    session.terminal.data(order.answer(store.repository(order.repo).facts(), found))
    if found is None:
        session.terminal.say("nothing is to be done" if options.check else "nothing had to be done")
    else:
        text = describe(record(found, actor, options.note))
        session.terminal.say(f"{text}; nothing was changed, this is a check" if options.check else str(text))
    return FINE


def diff(session: Session) -> int:
    """Show the files that differ between two commits."""
    options = session.options
    repo = repository("diff", options.repo_type, options.name)
    found = diff_commits(session.store(), repo, options.old, options.new)
    session.terminal.data([{"path": one.path, "old": _json(one.old), "new": _json(one.new)} for one in found])
    if found:
        session.terminal.table(_HEADS, [(one.path, *_cells(one.old), *_cells(one.new)) for one in found])
    session.terminal.say(f"{len(found)} files differ" if found else "no file differs")
    return FINE


def _cells(side: tuple[str, int] | None) -> tuple[str, str]:
    return (human(side[1]), side[0][:12]) if side else ("-", "-")


def _json(side: tuple[str, int] | None) -> dict[str, str | int] | None:
    return {"etag": side[0], "size": side[1]} if side else None
