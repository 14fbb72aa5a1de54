# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``hf-mirror alert``: tell people what keeps failing. A run of its own, so that it can't harm a sync."""

from __future__ import annotations

import socket

from .._base.owner import become_owner
from .alerts import due, message, test_message
from .arguments import FAILED, FINE
from .config import ConfigError, read_urls
from .session import Session
from .terminal import complain


def alert(session: Session) -> int:
    """Tell people which entries keep failing, each once, and which recovered."""
    from .notify import Notifier  # apprise takes a while to import, and no other command needs it

    notifier = Notifier(_receivers(session))
    store = session.store()
    become_owner(store.root)
    alerts, host = session.config.alerts, socket.gethostname()
    if session.options.test:
        problems = notifier.send(*test_message(alerts.language, host), failure=False)
    else:
        news = due(store.ledger.state().repos, alerts.threshold)
        if not news:
            session.terminal.say("nothing is to be told")
            return FINE
        problems = notifier.send(*message(news, alerts.language, host), failure=bool(news.failing))
        # told is what one receiver took, at least
        told = news if len(problems) < len(notifier) else due({}, alerts.threshold)
        store.ledger.append("alert", failing=sorted(told.failing), recovered=sorted(told.recovered), problems=problems)
    for problem in problems:
        complain(problem)
    session.terminal.say(f"{len(notifier) - len(problems)} of {len(notifier)} receivers took the message")
    return FAILED if problems else FINE


def _receivers(session: Session) -> list[str]:
    """Return the URLs of those who are told. They are secrets."""
    file = session.config.alerts.urls_file
    if file is None:
        raise ConfigError("there is nobody to tell: give alerts: urls_file: FILE in the configuration")
    urls = read_urls(file)
    if not urls:
        raise ConfigError(f"{file} names nobody to tell: write an apprise URL on a line of its own")
    return urls
