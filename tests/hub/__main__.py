# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Serve the stand-in Hub: ``python -m hub --root DIR --host H --port P --content-port Q [--nginx PROGRAM]``.

One process, two ports, two origins. Port 0 takes a free one. The first line of output is a JSON object with both URLs;
connections are accepted from then on. SIGTERM or Ctrl-C ends it within a second.

The content origin needs a *host name of its own*, as the Hub's CDN has: huggingface_hub 1.33 takes a redirect to
another port of the same host for one that stays on the Hub, and misses X-Repo-Commit there. On
loopback it is 127.0.0.2.

With ``--nginx`` that program listens on the content port, and sends the files whose bytes nobody ordered to be spoiled.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import signal
import socket
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import uvicorn
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from hub.content_origin import ContentOrigin
from hub.control import Control
from hub.faults import ConnectionCut, Faults
from hub.hub_origin import HubOrigin
from hub.journal import Journal
from hub.limits import Limits
from hub.nginx import Nginx
from hub.repos import Library
from hub.signatures import Signatures


class StandIn:
    """Both origins and the control pages as one ASGI application, told apart by the port that was called."""

    def __init__(
        self, library: Library, content_port: int, content_url: Callable[[Request], str], behind_nginx: bool
    ) -> None:
        self._content_port, self._library, self._faults = content_port, library, Faults()
        limits, signatures, journal = Limits(), Signatures(self._faults), Journal()
        content = ContentOrigin(library, self._faults, signatures, journal, behind_nginx)
        self._content: ASGIApp = content
        self._hub: ASGIApp = HubOrigin(library, content, content_url, self._faults, limits, journal)
        self._control: ASGIApp = Control(library, self._faults, limits, signatures, journal)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_content = scope["server"][1] == self._content_port
        if not is_content and scope["path"].startswith("/_hub/"):
            await self._control(scope, receive, send)
            return
        self._library.count_request()
        with contextlib.suppress(ConnectionCut):  # an answer begun and not ended makes uvicorn close the connection
            await self._faults.delay("content" if is_content else "hub")
            await (self._content if is_content else self._hub)(scope, receive, send)


def main() -> None:
    """Read the command line and serve until told to stop."""
    parser = argparse.ArgumentParser(prog="python -m hub", description="A stand-in for huggingface.co.")
    parser.add_argument("--root", type=Path, required=True, help="contents, built by: python -m hub.contents DIR")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--content-host", help="the same for LFS content (default: as --host; on 127.0.0.1 127.0.0.2)")
    parser.add_argument("--port", type=int, default=8000, help="the Hub (default: %(default)s; 0: any)")
    parser.add_argument("--content-port", type=int, default=8001, help="LFS content (default: %(default)s; 0: any)")
    parser.add_argument("--content-url", help="base URL that redirects give for the content origin")
    parser.add_argument("--nginx", type=Path, metavar="PROGRAM", help="an nginx that sends the content")
    options = parser.parse_args()
    if not (options.root / "repos.json").is_file():
        parser.error(f"{options.root} holds no contents: run python -m hub.contents {options.root}")
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(0))  # or nothing would be cleaned up
    with tempfile.TemporaryDirectory(prefix="hub-") as scratch, contextlib.ExitStack() as ending:
        _serve(options, Path(scratch), ending)


def _serve(options: argparse.Namespace, scratch: Path, ending: contextlib.ExitStack) -> None:
    content_host = options.content_host or ("127.0.0.2" if options.host == "127.0.0.1" else options.host)
    hub, content = _listen(options.host, options.port), _listen(content_host, options.content_port)
    hub_url, listening_url = _url(hub), _url(content)
    public_port = content.getsockname()[1]
    if options.nginx:
        address = content.getsockname()
        content.close()  # nginx takes the address over
        content = _listen("127.0.0.1", 0)
        nginx = Nginx(options.nginx, scratch / "nginx", address[:2], content.getsockname())
        ending.callback(nginx.stop)

    content_url: str | None = (options.content_url or listening_url).rstrip("/")
    if not options.content_url and content_host == options.host:
        print("no --content-url: huggingface_hub 1.33 cannot download from here", file=sys.stderr)
        content_url = None

    def content_base(request: Request) -> str:
        """Unless told otherwise, the content origin has the name that the client used for the Hub, and another port."""
        return content_url or f"{request.url.replace(port=public_port).replace(path='', query='')}"

    (scratch / "contents").mkdir()
    library = Library(options.root, scratch / "contents")
    application = StandIn(library, content.getsockname()[1], content_base, bool(options.nginx))
    print(json.dumps({"hub": hub_url, "content": content_url or listening_url}), flush=True)
    config = uvicorn.Config(
        application,
        lifespan="off",
        access_log=False,
        log_level="critical",
        server_header=False,
        timeout_graceful_shutdown=1,
    )
    uvicorn.Server(config).run(sockets=[hub, content])


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, port), family=family, backlog=512)
    # asyncio does so for its own sockets only: without, each answer with a body waits 40 ms for a late ACK
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


if __name__ == "__main__":
    main()
