# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Messages through apprise and over TLS to receivers that check them as the real ones do."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from ansible_collections.modelops.hf_mirror.plugins.module_utils._base.errors import MirrorError
from ansible_collections.modelops.hf_mirror.plugins.module_utils._cli import alerts as _alert
from ansible_collections.modelops.hf_mirror.plugins.module_utils._cli import notify as _notify
from ansible_collections.modelops.hf_mirror.plugins.module_utils._cli.notify import Notifier
from ansible_collections.modelops.hf_mirror.plugins.module_utils._store.ledger import RepoState

from receivers.process import ReceiversProcess
from receivers.robots import DINGTALK_SECRET, DINGTALK_TOKEN, WECOM_KEY, dingtalk_signature

TITLE, BODY = "hf-mirror on mirror1: 1 failing", "a/模型@main\n  100% + more & <so> on\n  last success: never"
TEXT = f"{TITLE}\n{BODY}"
DINGTALK = f"dingtalk://{DINGTALK_SECRET}@{DINGTALK_TOKEN}/"
DEAD = "json://127.0.0.1:1/"  # nobody listens on port 1


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ReceiversProcess]:
    with ReceiversProcess(tmp_path_factory.mktemp("receivers")) as receivers:
        yield receivers


@pytest.fixture
def receivers(running: ReceiversProcess, monkeypatch: pytest.MonkeyPatch) -> ReceiversProcess:
    running.control("reset", {})
    for name, value in running.environment.items():
        monkeypatch.setenv(name, value)
    # the engine is to find the CA where the system has it
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")
    return running


Send = Callable[..., list[str]]


@pytest.fixture
def send(receivers: ReceiversProcess) -> Send:
    """Send to URLs in which ``HOOK`` and ``MAIL`` are the receivers' addresses."""

    def call(*urls: str, title: str = TITLE, body: str = BODY, failure: bool = True) -> list[str]:
        hook = receivers.url.replace("https://", "jsons://") + "/hook"
        known = [url.replace("HOOK", hook).replace("MAIL", receivers.mail) for url in urls]
        return Notifier(known).send(title, body, failure)

    return call


@pytest.mark.parametrize(
    ("url", "service", "to"),
    [
        (DINGTALK, "dingtalk", "oapi.dingtalk.com"),
        (f"{DINGTALK}13800138000", "dingtalk", "oapi.dingtalk.com"),
        (f"wecombot://{WECOM_KEY}", "wecom", "qyapi.weixin.qq.com"),
        (f"https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key={WECOM_KEY}", "wecom", "qyapi.weixin.qq.com"),
        ("HOOK", "hook", "127.0.0.1"),
        ("mailto://MAIL?from=mirror@example.org&to=ops@example.org", "mail", "ops@example.org"),
    ],
)
@pytest.mark.parametrize("failure", [True, False])
def test_a_message_arrives(
    receivers: ReceiversProcess, send: Send, url: str, service: str, to: str, failure: bool
) -> None:
    assert send(url, failure=failure) == []
    (came,) = receivers.control("messages")
    assert (came["service"], came["to"].partition(":")[0], came["text"]) == (service, to, TEXT)


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        (f"dingtalk://SECwrong@{DINGTALK_TOKEN}", "(dingtalk) rejected the message: 310000 sign not match, more: ["),
        (f"dingtalk://{DINGTALK_TOKEN}", "(dingtalk) rejected the message: 310000 invalid timestamp"),
        (f"dingtalk://{DINGTALK_SECRET}@fade", "(dingtalk) rejected the message: 300005 token is not exist: ***"),
        ("wecombot://wrong-key", "(wecombot) rejected the message: 93000 invalid webhook url, hint: [1]"),
        (DEAD, "(json) did not accept the message: run `apprise -vv` to see why"),
    ],
)
def test_a_receiver_that_takes_nothing_is_named_and_the_others_get_the_message(
    receivers: ReceiversProcess, send: Send, url: str, problem: str
) -> None:
    (told,) = send("HOOK", url, f"wecombot://{WECOM_KEY}")
    assert told.startswith(f"receiver 2 {problem}")
    assert {came["service"] for came in receivers.control("messages") if came["text"] == TEXT} == {"hook", "wecom"}


@pytest.mark.parametrize(
    ("status", "body", "problem"),
    [
        (502, "", "answers 502"),
        (302, "", "answers 302"),
        (
            200,
            "<html>Please log in",
            "does not answer like a robot: is there a proxy or a login page in between?",
        ),
        (200, "[]", "does not answer like a robot: is there a proxy or a login page in between?"),
        (
            200,
            json.dumps({"errcode": 1, "errmsg": f"{DINGTALK_TOKEN}\n{'x' * 999}"}),
            f"rejected the message: 1 *** {'x' * 196}",
        ),
    ],
)
def test_a_robot_that_does_not_answer_as_one_took_nothing(
    receivers: ReceiversProcess, send: Send, status: int, body: str, problem: str
) -> None:
    receivers.control("instead", {"status": status, "body": body, "headers": {"Location": "/hook"}})
    assert send(DINGTALK) == [f"receiver 1 (dingtalk) {problem}"]


def test_a_certificate_that_nobody_vouches_for_is_refused(send: Send, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/etc/ssl/certs/ca-certificates.crt")
    assert send(DINGTALK) == ["receiver 1 (dingtalk) can't be reached: SSLError"]


def test_a_robot_that_is_down_is_named(
    receivers: ReceiversProcess, send: Send, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:1")
    assert send(DINGTALK) == ["receiver 1 (dingtalk) can't be reached: ProxyError"]


def test_a_receiver_that_hangs_is_left_behind(
    receivers: ReceiversProcess, send: Send, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_notify, "DEADLINE", 3.0)
    assert send("HOOK/drip", "HOOK") == ["receiver 1 (jsons) did not answer within 3 seconds"]
    assert [came["text"] for came in receivers.control("messages")] == [TEXT]


def test_a_receiver_that_hangs_does_not_hold_up_the_end_of_the_process(receivers: ReceiversProcess) -> None:
    program = f"""
from ansible_collections.modelops.hf_mirror.plugins.module_utils._cli import notify as _notify
_notify.DEADLINE = 1.0
url = {receivers.url.replace("https://", "jsons://")!r} + "/hook/drip"
print(_notify.Notifier([url]).send("title", "body", True))
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        check=False,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3] / "collections")},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.stdout, done.stderr) == ("['receiver 1 (jsons) did not answer within 1 seconds']\n", "")


def test_whatever_a_service_raises_is_a_problem_of_that_receiver(send: Send, monkeypatch: pytest.MonkeyPatch) -> None:
    def break_down(*arguments: Any, **options: Any) -> None:
        raise RuntimeError(DINGTALK)

    monkeypatch.setattr(requests, "post", break_down)
    assert send(DINGTALK) == ["receiver 1 (dingtalk) failed with RuntimeError"]


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("dingtalk://S3CRET@not-a-token/", "receiver 2 (dingtalk)"),
        ("https://oapi.dingtalk.com/robot/send?access_token=S3CRET", "receiver 2 (https)"),
        ("carrier-pigeon://S3CRET", "receiver 2"),
        ("S3CRET", "receiver 2"),
        ("", "receiver 2"),
        ("wecombot://S3CRET wecombot://S3CRET", "receiver 2 (wecombot)"),
    ],
)
def test_a_url_that_apprise_does_not_know_is_refused_and_not_told(
    url: str, name: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.NOTSET)
    with pytest.raises(MirrorError) as error:
        Notifier(["json://127.0.0.1", url])
    assert str(error.value).startswith(f"{name} is not a valid apprise URL: use dingtalk://SECRET@TOKEN, ")
    assert "S3CRET" not in f"{error.value}{caplog.text}{capfd.readouterr()}"


def test_no_secret_reaches_a_log(send: Send, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.NOTSET)
    problems = send(
        DINGTALK,
        f"wecombot://{WECOM_KEY}",
        f"dingtalk://{DINGTALK_SECRET}@fade5ec2e7",
        "wecombot://wr0ng-key",
        "json://user:pa55word@127.0.0.1:1/to-ken",
    )
    assert len(problems) == 3
    told = "\n".join([*problems, caplog.text])
    for secret in (DINGTALK_TOKEN, DINGTALK_SECRET, WECOM_KEY, "fade5ec2e7", "wr0ng-key", "pa55word", "to-ken"):
        assert secret not in told


@pytest.mark.parametrize("language", _alert.LANGUAGES)
def test_the_longest_alert_is_short_enough_for_all(receivers: ReceiversProcess, send: Send, language: str) -> None:
    states = {f"org/模型{number}@main": RepoState(3, "坏" * 100, f"{number}") for number in range(500)}
    title, body = _alert.message(_alert.due(states, 3), language, "mirror1")
    assert send(DINGTALK, f"wecombot://{WECOM_KEY}", title=title, body=body) == []
    assert [came["text"] for came in receivers.control("messages")] == [f"{title}\n{body}"] * 2


def test_a_notifier_says_how_many_receivers_it_has() -> None:
    assert [len(Notifier(urls)) for urls in ([], [DEAD], [DEAD, DINGTALK])] == [0, 1, 2]
    assert Notifier([]).send(TITLE, BODY, True) == []


def now() -> str:
    return str(int(time.time() * 1000))


def sign(timestamp: str, secret: str = DINGTALK_SECRET) -> dict[str, str]:
    signature = dingtalk_signature(timestamp, secret).decode()
    return {"access_token": DINGTALK_TOKEN, "timestamp": timestamp, "sign": signature}


def test_the_receiver_s_idea_of_dingtalk_s_signature() -> None:
    # printf '1700000000000\nthis is secret' | openssl dgst -sha256 -hmac 'this is secret' -binary | base64
    expected = b"sSFWELbV2YwjdDQhWZwTcWlX5BWUx5J6TPpsZmuPii0="
    assert dingtalk_signature("1700000000000", "this is secret") == expected


@pytest.mark.parametrize(
    ("path", "query", "message", "code"),
    [
        ("robot/send", sign(now()), {"msgtype": "text", "text": {"content": "x"}}, 0),
        ("robot/send", sign("1700000000000"), {"msgtype": "text", "text": {"content": "x"}}, 310000),
        ("robot/send", sign(now(), "SECwrong"), {"msgtype": "text", "text": {"content": "x"}}, 310000),
        ("robot/send", sign(now()), {"msgtype": "text", "text": {"content": "x" * 20000}}, 460101),
        ("robot/send", sign(now()), {"msgtype": "text"}, 40035),
        ("robot/send", sign(now()), ["text"], 40035),
        ("cgi-bin/webhook/send", {"key": WECOM_KEY}, {"msgtype": "text", "text": {"content": "模" * 682}}, 0),
        ("cgi-bin/webhook/send", {"key": WECOM_KEY}, {"msgtype": "text", "text": {"content": "模" * 683}}, 40058),
        ("cgi-bin/webhook/send", {"key": WECOM_KEY}, {"msgtype": "text", "text": "x"}, 40008),
        ("cgi-bin/webhook/send", {}, {"msgtype": "text", "text": {"content": "x"}}, 93000),
    ],
)
def test_the_receivers_check(receivers: ReceiversProcess, path: str, query: Any, message: Any, code: int) -> None:
    answer = requests.post(f"{receivers.url}/{path}", params=query, json=message, verify=receivers.ca, timeout=30)
    assert (answer.status_code, answer.json()["errcode"]) == (200, code)
