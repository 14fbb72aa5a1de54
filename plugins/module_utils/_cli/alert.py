# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``hf-mirror alert``: tell people what keeps failing. A run of its own, so that it can't harm a sync."""

from __future__ import annotations

import contextlib
import os
import socket

from .._base.errors import MirrorError
from .._base.lock import BusyError
from .._base.owner import become_owner
from .._run.recovery import note_death, settle
from .._store.ledger import RUN, RepoState
from .._store.store import Store, StoreError
from .alerts import Alert, due, message, test_message
from .arguments import BUSY, DIED, FAILED, FINE, STOPPED
from .config import ConfigError, read_urls
from .session import Session
from .terminal import complain


def alert(session: Session) -> int:
    """Tell people which entries keep failing, each once, which recovered, and that a run died."""
    from .notify import Notifier  # apprise takes a while to import, and no other command needs it

    notifier = Notifier(_receivers(session))
    alerts, host = session.config.alerts, socket.gethostname()
    try:
        store = session.store()
        become_owner(store.root)
        if session.options.test:
            problems = notifier.send(*test_message(alerts.language, host), failure=False)
        else:
            _settle(store)
            _note_refused(store)
            news = due(store.ledger.state().repos, alerts.threshold)
            if not news:
                session.terminal.say("nothing to report")
                return FINE
            problems = notifier.send(*message(news, alerts.language, host), failure=bool(news.failing))
            # told is what one receiver took, at least
            told = news if len(problems) < len(notifier) else due({}, alerts.threshold)
            failing, recovered = sorted(told.failing), sorted(told.recovered)
            store.ledger.append("alert", failing=failing, recovered=recovered, problems=problems)
            # with that record, and with those of a run that may have ended meanwhile
            store.ledger.save(store.ledger.state())
    except (StoreError, OSError) as problem:
        if os.environ.get("MONITOR_SERVICE_RESULT", "success") == "success" or session.options.test:
            raise
        # what it died of keeps it from being recorded, so each run that dies so is told
        news = Alert({RUN: RepoState(1, str(problem), str(problem))}, {})
        problems = notifier.send(*message(news, alerts.language, host), failure=True)
    for text in problems:
        complain(text)
    session.terminal.say(f"{len(notifier) - len(problems)} of {len(notifier)} receivers accepted the message")
    return FAILED if problems else FINE


def _settle(store: Store) -> None:
    """Have a run that was killed in the ledger before it is read. Whoever has the lock now has done that already."""
    with contextlib.suppress(BusyError):
        if store.ledger.state().under_way is not None:
            with store.locked():
                settle(store)


def _note_refused(store: Store) -> None:
    """Have in the ledger what systemd says of a run that did not even begin, where that starts this."""
    result, status = os.environ.get("MONITOR_SERVICE_RESULT"), os.environ.get("MONITOR_EXIT_STATUS", "")
    # what these codes stand for is in the ledger, or nobody's failure
    if result == "exit-code" and status not in map(str, (FAILED, BUSY, STOPPED, DIED)):
        unit = os.environ.get("MONITOR_UNIT", "the sync's unit")
        cause = f"{unit} ended with exit code {status} before a run began: see journalctl -u {unit}"
        note_death(store, MirrorError(cause), run=None)


def _receivers(session: Session) -> list[str]:
    """Return the URLs of those who are told. They are secrets."""
    file = session.config.alerts.urls_file
    if file is None:
        raise ConfigError("no receiver is configured: set alerts: urls_file: FILE in the configuration")
    urls = read_urls(file)
    if not urls:
        raise ConfigError(f"{file} names no receiver: add an apprise URL on a line of its own")
    return urls
