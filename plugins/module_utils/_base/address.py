# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Addresses that an operator gives: what of them is refused because it would be shown, and how the rest is shown.

Messages, logs, the status and the ledger, which everybody on the host may read, name endpoints. So none may hold a
secret. A proxy is the one address that may need a user and a password; it is named nowhere.
"""

from __future__ import annotations

import posixpath
import re
from urllib.parse import urlsplit

#: The longest address; a longer one is none that a person meant.
LONGEST = 2000
_PORTS = {"http": 80, "https": 443}
#: A host by its name or address.
_HOST = re.compile(r"[A-Za-z0-9._-]*[A-Za-z0-9_-][.]?|[0-9A-Fa-f:.]+(%[A-Za-z0-9._-]+)?")
_SECRET = re.compile(r"(https?://)[^/\s]*@", re.IGNORECASE)


def masked(text: str) -> str:
    """Return a text without the users and passwords of the addresses in it."""
    return _SECRET.sub(r"\1***@", text) if "@" in text else text


def normal(url: str) -> str:
    """Return an endpoint without a problem as it is written only one way: two that are equal are one."""
    parts = urlsplit(url)
    host, scheme = str(parts.hostname).rstrip("."), parts.scheme
    port = f":{parts.port}" if parts.port and parts.port != _PORTS[scheme] else ""
    path = posixpath.normpath(f"/{parts.path.lstrip('/')}").rstrip("/")
    return f"{scheme}://{f'[{host}]' if ':' in host else host}{port}{path}"


def endpoint_problem(url: object, instead: str) -> str | None:
    """Return what is wrong with the address of a Hub, a mirror or a peer, without showing it, or None.

    ``instead`` says where a secret belongs.
    """
    problem = _problem(url)
    if problem:
        return problem
    parts = urlsplit(str(url))
    if "@" in parts.netloc:
        return f"has a user or a password in it, which everybody could read: {instead}"
    if parts.query or parts.fragment:
        return f"contains a ? or #: give only scheme, host, port and path; {instead}"
    return None


def proxy_problem(url: object) -> str | None:
    """Return what is wrong with a proxy's address, which may be a secret and is not shown, or None."""
    problem = _problem(url)
    if problem:
        return problem
    parts = urlsplit(str(url))
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        form = "http://HOST:PORT or http://USER:PASSWORD@HOST:PORT"
        return f"must be {form}; in a password write / ? # and @ as %2F %3F %23 and %40"
    return None


def _problem(url: object) -> str | None:
    """Return why something is no address at all, or None."""
    wrong = "must be an address that begins with http:// or https://"
    if not isinstance(url, str) or not url.isprintable() or not url.isascii() or " " in url or len(url) > LONGEST:
        return wrong
    try:
        parts = urlsplit(url)
        # a port that is none is a ValueError
        is_web = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return wrong
    if parts.netloc.count("@") > 1:
        return "has more than one @: write an @ in a password as %40"
    if is_web and not _HOST.fullmatch(str(parts.hostname)):
        return "has an invalid character in its host name"
    return None if is_web else wrong
