# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The group robots of DingTalk and WeCom: what they check, in which order, and what they answer. Always 200."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from receivers.journal import Entry, Journal

DINGTALK_HOST, WECOM_HOST = "oapi.dingtalk.com", "qyapi.weixin.qq.com"
#: What these two robots are called by, and the secret of DingTalk's.
DINGTALK_TOKEN = "0123456789abcdef" * 4
DINGTALK_SECRET = "SEC" + "fedcba9876543210" * 4
WECOM_KEY = "693a91f6-7a0c-4bc4-97a0-0ec2515a5aaa"
_HOUR = 3600 * 1000  # milliseconds
_DINGTALK_BYTES, _WECOM_BYTES = 20000, 2048


class Refusal(Exception):
    """Raised with the code and the text of an error."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code, self.text = code, text


@dataclass
class Robots:
    """Both robots; everything that comes is entered in the journal. While ``instead`` is set it is all they answer."""

    journal: Journal
    instead: Response | None = None

    async def dingtalk(self, request: Request) -> Response:
        """Answer ``POST /robot/send?access_token=TOKEN&timestamp=MILLISECONDS&sign=SIGNATURE``."""
        return await self._answer("dingtalk", request, _check_dingtalk)

    async def wecom(self, request: Request) -> Response:
        """Answer ``POST /cgi-bin/webhook/send?key=KEY``."""
        return await self._answer("wecom", request, _check_wecom)

    async def _answer(self, service: str, request: Request, check: Any) -> Response:
        if self.instead:
            return self.instead
        body = await request.body()
        verdict: dict[str, Any] = {"errcode": 0, "errmsg": "ok"}
        text = None
        try:
            text = check(request, body)
        except Refusal as refusal:
            verdict = {"errcode": refusal.code, "errmsg": refusal.text}
        self.journal.note(Entry(service, text, verdict["errcode"], request.headers.get("host", "")))
        return JSONResponse(verdict)


def _check_dingtalk(request: Request, body: bytes) -> str:
    query = request.query_params
    if query.get("access_token") != DINGTALK_TOKEN:
        raise Refusal(300005, f"token is not exist: {query.get('access_token')}")
    timestamp = query.get("timestamp", "")
    if not timestamp.isdecimal() or abs(time.time() * 1000 - int(timestamp)) > _HOUR:
        raise Refusal(310000, "invalid timestamp")
    if not hmac.compare_digest(query.get("sign", "").encode(), dingtalk_signature(timestamp, DINGTALK_SECRET)):
        raise Refusal(310000, "sign not match, more: [https://ding-doc.dingtalk.com/doc#/serverapi2/qf2nxq]")
    if request.headers.get("content-type", "").partition(";")[0] != "application/json":
        raise Refusal(43004, "无效的HTTP HEADER Content-Type")
    if len(body) > _DINGTALK_BYTES:
        raise Refusal(460101, "message too long, exceed 20000 bytes")
    message = _json(body, Refusal(40035, "缺少参数 json"))
    mentions = message.get("at", {})
    if not isinstance(mentions.get("atMobiles", []), list) or not isinstance(mentions.get("isAtAll", False), bool):
        raise Refusal(40035, "不合法的参数 at")
    return _text(message, Refusal(40035, "缺少参数 text"))


def dingtalk_signature(timestamp: str, secret: str) -> bytes:
    """Return what ``sign`` must be once its URL encoding is undone."""
    digest = hmac.new(secret.encode(), f"{timestamp}\n{secret}".encode(), hashlib.sha256).digest()
    return base64.b64encode(digest)


def _check_wecom(request: Request, body: bytes) -> str:
    more = "more info at https://open.work.weixin.qq.com/devtool/query?e="
    if request.query_params.get("key") != WECOM_KEY:
        raise Refusal(93000, f"invalid webhook url, hint: [1], from ip: 192.0.2.1, {more}93000")
    text = _text(_json(body, Refusal(47001, f"data format error, {more}47001")), Refusal(40008, "invalid message type"))
    if len(text.encode()) > _WECOM_BYTES:
        raise Refusal(40058, f"text.content exceed max length {_WECOM_BYTES}. invalid Request Parameter, {more}40058")
    return text


def _json(body: bytes, refusal: Refusal) -> Mapping[str, Any]:
    try:
        message = json.loads(body)
    except ValueError:
        raise refusal from None
    if not isinstance(message, dict):
        raise refusal
    return message


def _text(message: Mapping[str, Any], refusal: Refusal) -> str:
    """Return what people get to read."""
    text = message.get("text")
    content = text.get("content") if message.get("msgtype") == "text" and isinstance(text, dict) else None
    if not isinstance(content, str) or not content:
        raise refusal
    return content
