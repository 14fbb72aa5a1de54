# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Send a message to people: apprise's, used here alone. No URL of a receiver, which is a secret, leaves this file.

To the robots of DingTalk and WeCom the engine speaks itself. They answer 200 to what they refuse and tell the error in
the body, which apprise 2.3 does not read; and apprise encodes DingTalk's signature twice, which DingTalk refuses.
"""

from __future__ import annotations

import logging
import os
import re
import ssl
import threading
import time
import traceback
from collections.abc import Sequence
from typing import Any
from urllib.parse import unquote

from .._base.errors import MirrorError

try:
    import apprise
    import requests
except ImportError:
    APPRISE_ERROR: str | None = traceback.format_exc()
else:
    APPRISE_ERROR = None

#: Seconds that the receivers have together. One that sends a byte now and then would never time out by itself.
DEADLINE = 30.0
_ERROR_LENGTH = 200


class Notifier:
    """The receivers of messages, each an apprise URL (``dingtalk://SECRET@TOKEN``)."""

    def __init__(self, urls: Sequence[str]) -> None:
        if APPRISE_ERROR:
            raise MirrorError("alerts need apprise: install it on the host of hf-mirror")
        _keep_secrets_out_of_logs()
        _trust_what_the_system_trusts()
        self._receivers = [_Receiver(position, url) for position, url in enumerate(urls, 1)]

    def __len__(self) -> int:
        return len(self._receivers)

    def send(self, title: str, body: str, failure: bool) -> list[str]:
        """Send a message to all receivers at once; ``failure`` tells bad news from good.

        Returns one sentence for each receiver that did not take it. Raises nothing.
        """
        ends = time.monotonic() + DEADLINE
        deliveries = [_Delivery(receiver, title, body, failure) for receiver in self._receivers]
        for delivery in deliveries:
            delivery.start()
        for delivery in deliveries:
            delivery.join(max(0.0, ends - time.monotonic()))
        outcomes = [(delivery.receiver, delivery.problem) for delivery in deliveries]
        return [f"{receiver} {problem}" for receiver, problem in outcomes if problem]


class _Receiver:
    """One receiver, named by position and service."""

    def __init__(self, position: int, url: str) -> None:
        asset = apprise.AppriseAsset(app_id="hf-mirror", app_desc="hf-mirror")
        self._service: Any = apprise.Apprise.instantiate(url, asset=asset)
        if self._service is None:
            scheme = re.match(r"[a-z0-9]+(?=://)", url)  # all else of it may be a secret
            raise MirrorError(
                f"{_name(position, scheme[0] if scheme else None)} is not a valid apprise URL: use "
                "dingtalk://SECRET@TOKEN, wecombot://KEY, mailtos://USER:PASSWORD@HOST or another apprise service"
            )
        self._name = _name(position, self._service.schema)

    def __str__(self) -> str:
        return self._name

    def deliver(self, title: str, body: str, failure: bool) -> str | None:
        """Send a message. Returns what went wrong, or None."""
        if self._service.schema == "dingtalk":
            return _dingtalk(self._service, f"{title}\n{body}")
        if self._service.schema == "wecombot":
            return _wecom(self._service, f"{title}\n{body}")
        kind = apprise.NotifyType.FAILURE if failure else apprise.NotifyType.SUCCESS
        # text: what has no format is put into an HTML mail as it is, all lines in one
        if self._service.notify(body=body, title=title, notify_type=kind, body_format=apprise.NotifyFormat.TEXT):
            return None
        return "did not accept the message: run `apprise -vv` to see why"


def _name(position: int, scheme: str | None) -> str:
    return f"receiver {position} ({scheme})" if scheme else f"receiver {position}"


class _Delivery(threading.Thread):
    """A message on its way. A daemon, so that a receiver that hangs does not hold up the end of the process."""

    def __init__(self, receiver: _Receiver, title: str, body: str, failure: bool) -> None:
        super().__init__(daemon=True)
        self.receiver = receiver
        self.problem: str | None = f"did not answer within {DEADLINE:.0f} seconds"
        self._message = (title, body, failure)

    def run(self) -> None:
        try:
            self.problem = self.receiver.deliver(*self._message)
        except Exception as error:  # whatever a service of apprise raises; its text may hold the URL
            self.problem = f"failed with {type(error).__name__}"


def _dingtalk(service: Any, text: str) -> str | None:
    """Send to a group robot of DingTalk, signed where the URL has a secret."""
    signed = {}
    if service.secret:
        timestamp, sign = service.get_signature()
        signed = {"timestamp": timestamp, "sign": unquote(sign)}  # requests encodes it
    mentions = {"atMobiles": service.targets, "isAtAll": False}
    message = {"msgtype": "text", "text": {"content": text}, "at": mentions}
    url = service.notify_url.format(token=service.token)
    return _post(service, url, signed, message, [service.token, service.secret])


def _wecom(service: Any, text: str) -> str | None:
    """Send to a group robot of WeCom."""
    return _post(service, service.api_url, {}, {"msgtype": "text", "text": {"content": text}}, [service.key])


def _post(
    service: Any, url: str, parameters: dict[str, str], message: dict[str, Any], secrets: list[str | None]
) -> str | None:
    """Hand a message to a robot. Returns what went wrong, or None."""
    try:
        answer = requests.post(
            url,
            params=parameters,
            json=message,
            timeout=service.request_timeout,
            verify=service.verify_certificate,
            allow_redirects=False,
        )
    except requests.RequestException as error:
        return f"can't be reached: {type(error).__name__}"  # no more of it: its text holds the URL
    if answer.status_code != requests.codes.ok:
        return f"answers {answer.status_code}"
    try:
        verdict = answer.json()
        code, text = verdict["errcode"], " ".join(str(verdict.get("errmsg")).split())
    except (ValueError, KeyError, TypeError, AttributeError):
        return "does not answer like a robot: is there a proxy or a login page in between?"
    for secret in filter(None, secrets):
        text = text.replace(secret, "***")
    return f"rejected the message: {code} {text[:_ERROR_LENGTH]}" if code else None


def _keep_secrets_out_of_logs() -> None:
    """Silence two loggers that tell URLs."""
    logging.getLogger("apprise").disabled = True
    logging.getLogger("urllib3.connectionpool").setLevel(logging.WARNING)


def _trust_what_the_system_trusts() -> None:
    """Let requests trust a private CA that the operator installed, as all other connections of the engine do."""
    paths = ssl.get_default_verify_paths()
    bundle = paths.cafile or paths.capath
    if bundle:
        os.environ.setdefault("REQUESTS_CA_BUNDLE", bundle)
