# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What people read when it is not FaceFusion that answers."""

from __future__ import annotations

import html

SECONDS = 10

_FRAME = """\
<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>FaceFusion: {title}</title>
<meta name="viewport" content="width=device-width">{again}
<style>
body {{ font-family: sans-serif; margin: 3em auto; max-width: 40em; padding: 0 1em }}
td, th {{ padding: .3em 1.5em .3em 0; text-align: left }}
</style>
</head><body><h1>{title}</h1>
{body}
</body></html>
"""


def hosts(states: dict[str, dict[str, bool]], own: str) -> str:
    """List the hosts, and say which one is the reader's."""
    rows = "".join(
        f"<tr><td>{html.escape(name)}</td><td>{'yours' if name == own else ''}</td><td>{_word(state)}</td></tr>\n"
        for name, state in states.items()
    )
    leave = (
        '<form method="post" action="/_gateway/leave"><button>I am done, free my host</button></form>\n' if own else ""
    )
    return _page(
        "hosts",
        f"<table>\n<tr><th>host</th><th></th><th>state</th></tr>\n{rows}</table>\n{leave}"
        '<p><a href="/">Back to FaceFusion</a></p>',
        again=True,
    )


def waiting(states: dict[str, dict[str, bool]]) -> str:
    """Say why there is no host, and ask again."""
    up = [state for state in states.values() if state["up"] and not state["drained"]]
    reason = (
        f"Somebody works on each of the {len(up)} hosts that can be used."
        if up
        else "No host can be used now: all are away, or drained for maintenance."
    )
    return _page("please wait", f"<p>{reason} This page asks again every {SECONDS} seconds.</p>", again=True)


def no_login() -> str:
    """Say that nobody is known by that name and password."""
    return _page("no login", "<p>Name and password are needed, and were not given, or are not right.</p>")


def limited(seconds: int) -> str:
    """Say that somebody at the reader's address guesses passwords."""
    return _page(
        "too many wrong logins", f"<p>There were too many from your address: try again in {seconds} seconds.</p>"
    )


def broke_off(host: str) -> str:
    """Say that a host is there but did not answer this request."""
    return _page("no answer", f"<p>{html.escape(host)} broke off its answer. It is there: try again.</p>")


def lost(host: str) -> str:
    """Say that what was sent is lost with its host."""
    return _page(
        "host lost", f"<p>{html.escape(host)} is gone, and what you did there. Reload the page to get another host.</p>"
    )


def _word(state: dict[str, bool]) -> str:
    words = [] if state["up"] else ["does not answer"]
    words += ["drained for maintenance"] if state["drained"] else []
    return ", ".join(words) or ("in use" if state["taken"] else "free")


def _page(title: str, body: str, *, again: bool = False) -> str:
    refresh = f'\n<meta http-equiv="refresh" content="{SECONDS}">' if again else ""
    return _FRAME.format(title=title, again=refresh, body=body)
