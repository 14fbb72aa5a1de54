# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Serve the stand-in Hub: ``python -m hub --root DIR --host H --port P --content-port Q [--content-url URL]``.

One process, two ports, two origins. Port 0 takes a free one. The first line of output is a JSON object with both URLs;
connections are accepted from then on. SIGTERM or Ctrl-C ends it within a second.

The content origin needs a *host name of its own*, as the Hub's CDN has: huggingface_hub 1.33 takes a redirect to
another port of the same host for one that stays on the Hub, and misses X-Repo-Commit there. On
loopback it is 127.0.0.2.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import socket
import sys
from pathlib import Path

import uvicorn
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from hub import control
from hub.content_origin import ContentOrigin
from hub.faults import ConnectionCut, Faults
from hub.hub_origin import HubOrigin
from hub.journal import Journal
from hub.repos import Library


class StandIn:
    """Both origins and the control pages as one ASGI application, told apart by the port that was called."""

    def __init__(self, root: Path, content_port: int, content_url: str | None) -> None:
        self._content_port, self._content_url = content_port, content_url
        library, faults, journal = Library(root), Faults(), Journal()
        content = ContentOrigin(library, faults, journal)
        self._content: ASGIApp = content
        self._hub: ASGIApp = HubOrigin(library, content, self._content_base, faults, journal)
        self._control: ASGIApp = control.application(library, faults, journal)

    def _content_base(self, request: Request) -> str:
        """Unless told otherwise, the content origin has the name that the client used for the Hub, and another port."""
        return self._content_url or f"{request.url.replace(port=self._content_port).replace(path='', query='')}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["server"][1] == self._content_port:
            application = self._content
        elif scope["path"].startswith("/_hub/"):
            application = self._control
        else:
            application = self._hub
        with contextlib.suppress(ConnectionCut):  # an answer begun and not ended makes uvicorn close the connection
            await application(scope, receive, send)


def main() -> None:
    """Read the command line and serve until told to stop."""
    parser = argparse.ArgumentParser(prog="python -m hub", description="A stand-in for huggingface.co.")
    parser.add_argument("--root", type=Path, required=True, help="contents, built by: python -m hub.contents DIR")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--content-host", help="the same for LFS content (default: as --host; on 127.0.0.1 127.0.0.2)")
    parser.add_argument("--port", type=int, default=8000, help="the Hub (default: %(default)s; 0: any)")
    parser.add_argument("--content-port", type=int, default=8001, help="LFS content (default: %(default)s; 0: any)")
    parser.add_argument("--content-url", help="base URL that redirects give for the content origin")
    options = parser.parse_args()
    if not (options.root / "repos.json").is_file():
        parser.error(f"{options.root} holds no contents: run python -m hub.contents {options.root}")

    content_host = options.content_host or ("127.0.0.2" if options.host == "127.0.0.1" else options.host)
    listeners = [_listen(options.host, options.port), _listen(content_host, options.content_port)]
    hub_url, content_url = (_url(listener) for listener in listeners)
    if options.content_url or content_host != options.host:
        content_url = (options.content_url or content_url).rstrip("/")
        application = StandIn(options.root, listeners[1].getsockname()[1], content_url)
    else:
        print("no --content-url: huggingface_hub 1.33 cannot download from here", file=sys.stderr)
        application = StandIn(options.root, listeners[1].getsockname()[1], None)
    print(json.dumps({"hub": hub_url, "content": content_url}), flush=True)
    config = uvicorn.Config(
        application,
        lifespan="off",
        access_log=False,
        log_level="critical",
        server_header=False,
        timeout_graceful_shutdown=1,
    )
    uvicorn.Server(config).run(sockets=listeners)


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=512)


if __name__ == "__main__":
    main()
