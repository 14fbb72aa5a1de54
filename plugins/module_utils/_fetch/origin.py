# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whoever has files of repositories: the Hub, the other node of a pair, a mirror that FaceFusion's hosts ask."""

from __future__ import annotations

from typing import Protocol

from .._plan.plan import Fetch
from .http import Http


class Origin(Protocol):
    """What bytes are asked of: an ``endpoint``, and over which ``http`` it is asked.

    ``redirects`` says whether it may send elsewhere for the bytes.
    """

    endpoint: str
    http: Http
    redirects: bool

    def headers(self, token: str | None) -> dict[str, str]:
        """Return headers for requests to this origin alone, what opens it and the token of that name included."""

    def url_of(self, action: Fetch) -> str:
        """Return where it has a file, or says who has."""
