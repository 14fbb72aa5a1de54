# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The words of the command line: commands, options, and what ``--help`` says."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from pathlib import Path

from .._base.names import REPO_TYPES, shown
from .._check.audit import GAP, KEYS
from .._run.settings import SETTINGS
from .._store.node_state import NODE_STATES

VERSION = "0.9.0"  # the collection's; a test compares it with galaxy.yml

FINE, FAILED, REFUSED, BUSY, STOPPED, BROKEN, DIED = range(7)

_LONGEST_INTERVAL = 3600

_ACCESS_LOG = Path("/var/log/hf-mirror/access.log")

_EXIT_CODES = """\
exit codes:
  0  success, or nothing to do
  1  some entries failed, or more would have been removed than max_delete allows (and nothing was removed);
     everything else is done; alert: a receiver did not accept the message; gc: a repository
     could not be read; promote, rollback: the ref moved, a view did not
  2  the command line, configuration, whitelist or installation is wrong; nothing was changed
  3  another run is in progress on this store (gc, sync without --wait); scrub: another scrub
  4  stopped by a signal; the next sync, or scrub, continues from there
  5  the store can't be used; fsck: it is damaged; scrub: a content is rotten and was not repaired
  6  stopped by a limit (time, no progress, memory) or by an unexpected error; the next sync continues

environment:
  HF_ENDPOINT  the Hub's URL, if neither --endpoint nor the configuration sets it
  HF_TOKEN     access token for entries that name none, if tokens_file has no default
"""

#: What people do to a ref or a commit.
CHANGES = {
    "promote": "publish a commit under a ref, by default the pending one",
    "rollback": "publish an earlier commit of a ref again, by default the previous one",
    "pin": "keep a commit, whatever is published later",
    "unpin": "stop keeping a commit longer than the whitelist says",
    "freeze": "hold a ref where it is, whatever the upstream does",
    "unfreeze": "let a ref follow the upstream again",
}


def parse_arguments(arguments: list[str] | None) -> argparse.Namespace:
    """Read the command line. An option that was not given is not there."""
    common = _common()
    parser = argparse.ArgumentParser(
        prog="hf-mirror",
        description="Mirror selected Hugging Face repositories into a store that nginx serves.",
        epilog=_EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        parents=[common],
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"hf-mirror {VERSION}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)

    def command(name: str, text: str) -> argparse.ArgumentParser:
        return commands.add_parser(
            name, help=text, description=f"{text[0].upper()}{text[1:]}.", parents=[common], allow_abbrev=False
        )

    sync = command("sync", "sync the repositories of the whitelist into the store")
    plan = command("plan", "show what a sync would do, without doing it")
    for one in (sync, plan):
        one.add_argument(
            "--state",
            choices=["present", "exact", "absent"],
            default="present",
            help="present: mirror the entries; exact: also remove everything else; absent: remove the entries"
            " (default: present)",
        )
        _add(one, "max_delete")
    sync.add_argument("--wait", action="store_true", help="first wait for a run in progress, then do what is left")
    status = command("status", "show what is published, what fails, and the run in progress")
    status.add_argument("--follow", action="store_true", help="first show the run in progress until it ends")
    log = command("log", "show the events of the ledger, newest last")
    log.add_argument("name", nargs="?", metavar="REPO", help="only events of this repository")
    log.add_argument("-n", type=_count, default=20, metavar="N", dest="count", help="how many records (default: 20)")
    fsck = command("fsck", "verify the structure of the store, without changing it")
    scrub = command("scrub", "hash all contents again, quarantine corrupt ones, and download them again")
    _add(scrub, "scrub_rate")
    _add(scrub, "scrub_seconds")
    scrub.add_argument(
        "--no-repair", action="store_false", dest="repair", help="download nothing; does not contact the Hub"
    )
    lock = command("lock", "write a lock file: commit, SHA-256 and size of each published file of the whitelist")
    lock.add_argument(
        "--output", type=Path, metavar="FILE", help="the file to write atomically (default: standard output)"
    )
    lock.set_defaults(json=True)
    alert = command(
        "alert",
        "send alerts for entries that keep failing, for those that recovered, and for a run that died, each once",
    )
    alert.add_argument("--test", action="store_true", help="send a test message")
    gc = command(
        "gc", "retire and collect unreferenced commits, as every sync does at its end; does not contact the Hub"
    )
    gc.add_argument("--check", action="store_true", help="only report what would be done and how much it would free")
    _add(gc, "grace")
    follow = command("follow", "replicate the peers: fetch what they have, and publish what they published")
    follow.add_argument(
        "--interval",
        type=_interval,
        metavar="SECONDS",
        help="repeat after this time, until stopped (default: run once)",
    )
    compare = command("compare", "show the differences between this store and those of the peers")
    node = command("node", "record the state of this node in a pair; keepalived calls this")
    node.add_argument("state", choices=NODE_STATES)
    purge = command("purge", "take down a repository, a file or a content permanently; does not contact the Hub")
    purge.add_argument("name", metavar="REPO|HASH", help="a repository, or a content by its SHA-256 or Git blob SHA-1")
    purge.add_argument(
        "--file", metavar="PATH", help="only the contents that this path has in any commit, from all repositories"
    )
    purge.add_argument("--note", default="", metavar="TEXT", help="the reason, for people")
    purge.add_argument("--check", action="store_true", help="only report what would be taken down")
    purge.add_argument("--lift", action="store_true", help="allow it again; the next sync may download it")
    audit = _log_commands(command)
    changes = _changes(command)
    difference = command("diff", "show the files that differ between two commits in the store")
    difference.add_argument("name", metavar="REPO")
    for side in ("old", "new"):
        difference.add_argument(side, metavar=side.upper(), help="a ref, or a commit; seven digits of it are enough")
    for one in (log, difference, purge, *changes):
        one.add_argument("--repo-type", choices=REPO_TYPES, default=REPO_TYPES[0], help="default: model")
    for one in (sync, plan, status, log, fsck, scrub, gc, compare, difference, purge, audit, *changes):
        one.add_argument("--json", action="store_true", help="print the result for programs, and nothing else")
    return parser.parse_args(arguments)


def _log_commands(command: Callable[[str, str], argparse.ArgumentParser]) -> argparse.ArgumentParser:
    """Add what reads nginx's access log; return the one whose ``--json`` nothing else excludes."""
    count = command("count", "count what is new in nginx's access log, write status and metrics; a timer calls this")
    audit = command("audit", "show who downloaded what and when, from nginx's access log, newest last")
    audit.epilog = (
        f"Requests of one client for one file of one commit are one download if each begins no later than {GAP // 60}"
        " minutes after the end of those before it. --commit with --by client shows who still uses a commit."
    )
    audit.add_argument("--repo", metavar="REPO", help="only from this repository")
    audit.add_argument("--repo-type", choices=REPO_TYPES, help="only from repositories of this type")
    audit.add_argument("--commit", metavar="COMMIT", help="only of this commit; seven digits of it are enough")
    audit.add_argument("--user", metavar="NAME", help="only by this user")
    audit.add_argument("--client", metavar="ADDRESS", help="only by the client with this IP address")
    audit.add_argument("--by", choices=list(KEYS), help="count downloads by this, the latest download last")
    wanted = command("wanted", "show what clients requested and did not find, from nginx's access log")
    wanted.epilog = "Clients also try files that a repository never had: check the --yaml output before you use it."
    for one in (audit, wanted, count):
        one.add_argument(
            "--log",
            type=Path,
            default=_ACCESS_LOG,
            metavar="FILE",
            help="and FILE.1, FILE.2.gz... (default: %(default)s)",
        )
    for one in (audit, wanted):
        one.add_argument("--since", metavar="TIME", help="3d, 12h or 30m ago, or 2026-11-25T02:00Z")
    audit.add_argument("--until", metavar="TIME", help="only downloads that ended before that")
    shown = wanted.add_mutually_exclusive_group()
    shown.add_argument("--yaml", action="store_true", help="print the result as whitelist entries")
    shown.add_argument("--json", action="store_true", help="print the result for programs, and nothing else")
    return audit


def _changes(command: Callable[[str, str], argparse.ArgumentParser]) -> list[argparse.ArgumentParser]:
    """Add what people do to a ref or a commit."""
    found = []
    for name, text in CHANGES.items():
        one = command(name, text)
        what = "COMMIT" if name.endswith("pin") else "REF"
        one.add_argument("name", metavar=f"REPO@{what}", help="as status shows it; without @, main")
        if name in ("promote", "rollback"):
            one.add_argument("commit", nargs="?", metavar="COMMIT", help="seven digits of it are enough")
        one.add_argument("--note", metavar="TEXT", default="", help="the reason, for the log")
        one.add_argument("--check", action="store_true", help="only report what would be done")
        found.append(one)
    return found


def _count(text: str) -> int:
    if not re.fullmatch("[0-9]{1,9}", text):
        raise argparse.ArgumentTypeError(f"{shown(text)} is no number from 0 to 999999999")
    return int(text)


def _interval(text: str) -> int:
    if not 1 <= _count(text) <= _LONGEST_INTERVAL:
        raise argparse.ArgumentTypeError(f"{shown(text)} is no number of seconds, 1 to {_LONGEST_INTERVAL}")
    return int(text)


def _add(parser: argparse._ActionsContainer, name: str) -> None:
    """Add the option for a setting. One that was not given is not there."""
    one = SETTINGS[name]
    default = one.zero if one.zero and not one.default else one.default
    more = "" if one.is_required or default in (None, ()) else f" (default: {default})"
    # of a list each item is given by itself
    is_list = one.type in ("list", "raw")
    parser.add_argument(
        one.flag,
        action="append" if is_list else "store",
        type=int if one.type == "int" else str,
        metavar=one.metavar,
        dest=name,
        default=argparse.SUPPRESS,
        help=f"{one.line()}{'; repeatable' if is_list else ''}{more}".replace("%", "%%"),
    )


def _common() -> argparse.ArgumentParser:
    """Return the options that stand before or after the command."""
    common = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS, allow_abbrev=False)
    group = common.add_argument_group("options of all commands, which override the configuration")
    group.add_argument("--config", type=Path, metavar="FILE", help="configuration, or just a whitelist, in YAML")
    group.add_argument("--traceback", action="store_true", help="show the traceback of an unexpected error")
    for name in ("store", "endpoint", "proxy", "peers", "workers", "bandwidth", "reserve"):
        _add(group, name)
    return common
