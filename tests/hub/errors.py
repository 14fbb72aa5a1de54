# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Refusals, in the two languages that are spoken: the Hub's JSON with X-Error headers, and the XML of its CDN."""

from __future__ import annotations

from xml.sax.saxutils import escape

from starlette.responses import JSONResponse, Response


def hub_error(status: int, code: str | None, message: str, headers: dict[str, str] | None = None) -> Response:
    """Refuse as the Hub does; ``code`` is for X-Error-Code."""
    headers = {**(headers or {}), "X-Error-Message": message}
    if code:
        headers["X-Error-Code"] = code
    return JSONResponse({"error": message}, status, headers)


def content_error(status: int, message: str, headers: dict[str, str] | None = None) -> Response:
    """Refuse as the Hub's CDN does: one line of XML that says why."""
    body = f"<Error><Code>AccessDenied</Code><Message>{escape(message)}</Message></Error>\n"
    return Response(f'<?xml version="1.0" encoding="UTF-8"?>{body}', status, headers, media_type="application/xml")
