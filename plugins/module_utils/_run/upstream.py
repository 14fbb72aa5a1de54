# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Upstreams as an operator names them: one URL, or a list of URLs and of mappings that say more of one."""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass
from typing import Any

from .._base.address import endpoint_problem, normal, proxy_problem
from .._base.errors import MirrorError
from .._base.names import kind_of, listed, shown

#: Bytes a second: with less, what is fetched would be taken for stalled.
LEAST_BANDWIDTH, MOST_BANDWIDTH = 10_000, 10**12
_MOST = 10  # upstreams; each of them may have to be asked for each file
#: Several URLs, or hosts, in one text.
_SEVERAL = re.compile(r"[\s,;|]+https?:|^https?://[^/]*[,;|]", re.IGNORECASE)
#: A token's name; what looks otherwise may be a secret.
_NAME = re.compile(r"[A-Za-z0-9._-]{1,100}")
_NUMBER = re.compile("[0-9]{1,13}")
_TOKENS = "tokens (mirror_sync_tokens)"
_WHERE = (
    "give an access token as token or tokens (mirror_sync_token, mirror_sync_tokens), the command by its tokens_file"
)
_FORM = "must be a URL, or a list of URLs and of mappings with a url"


@dataclass(frozen=True)
class Upstream:
    """One of the upstreams.

    ``token`` is the name of what opens it, beside what entries name. ``proxy`` is None for that of the settings, and
    empty for a direct connection. ``bandwidth`` is in bytes a second, 0 for no limit of its own. ``is_believed``: it
    is asked for commits and hashes, too, and not for bytes alone.
    """

    url: str
    token: str | None = None
    proxy: str | None = None
    bandwidth: int = 0
    is_believed: bool = True


def upstreams_of(endpoint: Any) -> list[Upstream]:
    """Return the upstreams that a setting without a problem names, in order."""
    items = endpoint if isinstance(endpoint, (list, tuple)) else [endpoint]
    return [Upstream(normal(item)) if isinstance(item, str) else _of_mapping(item) for item in items]


def _of_mapping(item: Mapping[str, Any]) -> Upstream:
    given = {name: value for name, value in item.items() if value is not None}
    return Upstream(
        normal(given["url"]),
        given.get("token") or None,
        given.get("proxy"),
        int(given.get("bandwidth", 0)),
        given.get("listings", True),
    )


def upstreams_problem(endpoint: Any) -> str | None:
    """Return what is wrong with the setting, without showing what may be a secret, or None."""
    if isinstance(endpoint, str):
        if endpoint.lstrip().startswith("[") or _SEVERAL.search(endpoint):
            return f"""is a text; a list is written as [URL, URL], on the command line as JSON: {_ON_COMMAND_LINE}"""
        return endpoint_problem(endpoint, _WHERE)
    if not isinstance(endpoint, (list, tuple)):
        return f"is {kind_of(endpoint)}, it {_FORM}"
    if not 1 <= len(endpoint) <= _MOST:
        return f"has {len(endpoint)} upstreams, it must have 1 to {_MOST}"
    for number, item in enumerate(endpoint, 1):
        problem = _item_problem(item)
        if problem:
            return f"(upstream {number}) {problem}" if len(endpoint) > 1 else problem
    found = upstreams_of(endpoint)
    if len({one.url for one in found}) < len(found):
        return "names an upstream twice"
    if not any(one.is_believed for one in found):
        return "has listings: false for all upstreams: at least one must provide listings"
    return None


_ON_COMMAND_LINE = """-e '{"mirror_sync_endpoint": ["URL", "URL"]}'"""


def _item_problem(item: Any) -> str | None:
    if isinstance(item, str):
        return endpoint_problem(item, _WHERE)
    if not isinstance(item, Mapping):
        return f"is {kind_of(item)}, it must be a URL or a mapping with a url"
    unknown = [key for key in item if key not in _KEYS]
    if unknown:
        return f"has the unknown key {listed(unknown)} (known: {', '.join(_KEYS)})"
    if item.get("url") is None:
        return "has no url"
    for key, value in item.items():
        problem = _KEYS[key](value) if value is not None else None
        if problem:
            return f"{key} {problem}"
    return None


def _token(value: Any) -> str | None:
    if not isinstance(value, str):
        return f"is {kind_of(value)}, it must be the name of a token"
    if value and not _NAME.fullmatch(value):
        return "must be the name of a token, of letters, digits and . _ -"
    return "must not be default: that token is for the first upstream with listings" if value == "default" else None


def _proxy(value: Any) -> str | None:
    problem = None if value == "" else proxy_problem(value)
    if problem is None and "@" in value:
        return "has a user or a password in it, which everybody could read: set such a proxy as proxy of all upstreams"
    return problem


def _bandwidth(value: Any) -> str | None:
    number = int(value) if isinstance(value, str) and _NUMBER.fullmatch(value) else value
    is_number = isinstance(number, int) and not isinstance(number, bool)
    if is_number and (LEAST_BANDWIDTH <= number <= MOST_BANDWIDTH or number == 0):
        return None
    limits = f"{LEAST_BANDWIDTH} to {MOST_BANDWIDTH}, or 0 for no limit"
    return f"is {shown(value)}, it must be a number of bytes a second, {limits}"


def _listings(value: Any) -> str | None:
    return None if isinstance(value, bool) else f"is {shown(value)}, it must be true or false"


#: What a mapping may say.
_KEYS: Mapping[str, Callable[[Any], str | None]] = {
    "url": lambda value: endpoint_problem(value, _WHERE),
    "token": _token,
    "proxy": _proxy,
    "bandwidth": _bandwidth,
    "listings": _listings,
}


def tokens_for(upstreams: list[Upstream], tokens: Mapping[str | None, str]) -> list[Mapping[str | None, str]]:
    """Return the tokens for each upstream: its own, and for the first that is believed all that is nobody else's.

    Raises MirrorError where one names a token that there is not.
    """
    problem = unknown_token(upstreams, tokens)
    if problem:
        raise MirrorError(f"endpoint {problem}")
    first = first_believed(upstreams)
    taken = {one.token for one in upstreams if one.token and one is not first}
    for_first = {name: token for name, token in tokens.items() if name not in taken or name == first.token}
    if first.token:
        for_first[None] = tokens[first.token]
    return [for_first if one is first else _own(one, tokens) for one in upstreams]


def _own(upstream: Upstream, tokens: Mapping[str | None, str]) -> Mapping[str | None, str]:
    return {None: tokens[upstream.token]} if upstream.token else {}


def first_believed(upstreams: list[Upstream]) -> Upstream:
    """Return the upstream that entries' tokens are for."""
    return next(one for one in upstreams if one.is_believed)


def unknown_token(upstreams: list[Upstream], names: Container[str | None]) -> str | None:
    """Return what is wrong where an upstream names a token that there is not, or None.

    What is named is not shown: it may be the token itself.
    """
    for number, one in enumerate(upstreams, 1):
        if one.token and one.token not in names:
            return f"(upstream {number}) names a token that does not exist: add it to {_TOKENS}"
    return None
