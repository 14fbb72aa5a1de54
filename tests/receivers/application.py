# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All pages: the robots', webhooks that behave well and badly, and the stand-in's own.

========  ===========================  ========================================================================
``POST``  ``/robot/send``              DingTalk's robot
``POST``  ``/cgi-bin/webhook/send``    WeCom's robot
``POST``  ``/hook``                    takes any JSON (apprise's ``jsons://``)
``POST``  ``/hook/drip``               answers a byte at a time, for ever
``GET``   ``/_receivers/messages``     what came, as JSON
``POST``  ``/_receivers/instead``      ``{"status", "body", "headers"?}``: all that the robots answer from now on
``POST``  ``/_receivers/reset``        nothing came, all is well
========  ===========================  ========================================================================
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from receivers.journal import Entry, Journal
from receivers.robots import Robots


def application(journal: Journal) -> Starlette:
    """Return the ASGI application."""
    robots = Robots(journal)

    async def hook(request: Request) -> Response:
        message = json.loads(await request.body())
        journal.note(Entry("hook", f"{message['title']}\n{message['message']}", 0, request.headers.get("host", "")))
        return Response(status_code=204)

    async def drip(request: Request) -> Response:
        return StreamingResponse(_drops())

    async def messages(request: Request) -> JSONResponse:
        return JSONResponse(journal.to_json())

    async def instead(request: Request) -> JSONResponse:
        order = await request.json()
        robots.instead = Response(order["body"], order["status"], order.get("headers"))
        return JSONResponse(order)

    async def reset(request: Request) -> JSONResponse:
        journal.reset()
        robots.instead = None
        return JSONResponse({"reset": True})

    return Starlette(
        routes=[
            Route("/robot/send", robots.dingtalk, methods=["POST"]),
            Route("/cgi-bin/webhook/send", robots.wecom, methods=["POST"]),
            Route("/hook", hook, methods=["POST"]),
            Route("/hook/drip", drip, methods=["POST"]),
            Route("/_receivers/messages", messages),
            Route("/_receivers/instead", instead, methods=["POST"]),
            Route("/_receivers/reset", reset, methods=["POST"]),
        ]
    )


async def _drops() -> AsyncIterator[bytes]:
    while True:
        yield b" "
        await asyncio.sleep(0.1)
