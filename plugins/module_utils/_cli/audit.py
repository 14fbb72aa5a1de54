# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``hf-mirror audit`` and ``wanted``: what nginx's access log tells. They need no store, and change nothing."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator

from .._base.clock import stamp
from .._base.errors import MirrorError
from .._base.names import shown
from .._base.yaml import dump
from .._check.access_log import AccessLog, Request
from .._check.audit import Download, Filter, Group, Missing, NotFound, downloads, grouped, moment, not_found
from .._plan.report import human
from .arguments import FINE
from .session import Session
from .terminal import clean, complain

_LACKS = {"RepoNotFound": "repository", "RevisionNotFound": "revision", "EntryNotFound": "file"}
_COMMIT = re.compile(r"[0-9a-f]{7,40}")


def audit(session: Session) -> int:
    """Show downloads, the newest last, or count them."""
    options, terminal = session.options, session.terminal
    log = AccessLog(options.log)
    found = downloads(_requests(session, log, _filter(session)))
    if options.by:
        groups = grouped(found, options.by)
        terminal.data([group.to_json() for group in groups])
        if groups:
            rows = [_row(options.by, group) for group in groups]
            terminal.table(list(rows[0]), [list(row.values()) for row in rows])
    else:
        for download in found:
            terminal.data(download.to_json(), indent=None)
            terminal.say(_line(download))
    _complain(log)
    return FINE


def wanted(session: Session) -> int:
    """Show what was asked for and not found, the most wanted first."""
    options, terminal = session.options, session.terminal
    log = AccessLog(options.log)
    found = not_found(_requests(session, log, Filter(since=_moment(session, options.since))))
    if options.yaml:
        terminal.say(dump({"models_to_sync": found.entries()}).rstrip("\n"))
    else:
        terminal.data(found.to_json())
        if found.repos:
            terminal.table(("REPOSITORY", "LACKS", ">REQUESTS", ">CLIENTS", "LAST"), list(_rows(found)))
    if found.left_out:
        complain(f"left out requests for names that are not valid in a whitelist: {found.left_out}")
    _complain(log)
    return FINE


def _requests(session: Session, log: AccessLog, counts: Filter) -> Iterator[Request]:
    for request in log:
        session.clock.check()
        if counts(request):
            yield request


def _filter(session: Session) -> Filter:
    options = session.options
    commit, client = options.commit, options.client
    if commit is not None:
        commit = commit.lower()
        if not _COMMIT.fullmatch(commit):
            raise MirrorError(f"--commit {shown(commit)} is no commit: give 7 to 40 hex digits of it")
    if client is not None:
        try:
            client = str(ipaddress.ip_address(client))
        except ValueError:
            raise MirrorError(f"--client {shown(client)} is no IP address") from None
    since, until = _moment(session, options.since), _moment(session, options.until)
    return Filter(options.repo, options.repo_type, commit, options.user, client, since, until)


def _moment(session: Session, text: str | None) -> float | None:
    return None if text is None else moment(text, session.clock.now())


def _line(download: Download) -> str:
    one = download.request
    what = f"{download.source}@{one.commit[:12]}" if one.commit else download.source
    size = human(download.bytes)
    size += f" in {download.requests} requests" if download.requests > 1 else ""
    words = (stamp(download.last), one.client, one.user or "-", f"{what} {one.path}", size)
    return "  ".join(map(_one_line, words))


def _row(by: str, group: Group) -> dict[str, str]:
    row = {
        by.upper(): _one_line(group.key) or "-",
        ">DOWNLOADS": str(group.downloads),
        ">BYTES": human(group.bytes),
        ">USERS": str(len(group.users)),
        ">CLIENTS": str(len(group.clients)),
        "FIRST": _minute(group.first),
        "LAST": _minute(group.last),
    }
    row.pop(f">{by.upper()}S", None)  # that is always one
    return row


def _rows(found: NotFound) -> Iterator[list[str]]:
    for repo, missing in found.repos.items():
        yield [str(repo), "", *_counts(missing)]
        for (revision, path), one in missing.items.items():
            yield [f"  {revision} {path}".rstrip(), _LACKS[one.error], *_counts(one)]


def _counts(missing: Missing) -> list[str]:
    return [str(missing.requests), str(len(missing.clients)), _minute(missing.last)]


def _minute(seconds: float) -> str:
    return f"{stamp(seconds)[:16]}Z"


def _one_line(text: str) -> str:
    """Return a text that can't look like two lines: names in the log are the clients' words."""
    return clean(text).replace("\n", "?")


def _complain(log: AccessLog) -> None:
    if log.skipped:
        complain(f"ignored damaged lines of the log: {log.skipped}")
    for part in log.damaged:
        complain(f"{part} is damaged: only its readable part counts")
