# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The gateway while all is well: who gets in, who gets which host, what comes through."""

from __future__ import annotations

import contextlib
import http.client
import itertools
import json
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from polling import until
from unit.roles.gateway_server import USERS, Gateway, Person, drop, render, serving

ADDRESSES = itertools.count(1)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with serving(tmp_path_factory.mktemp("gateway"), 2) as running:
        yield running
    # those who may not come in are errors
    assert [line for line in running.errors() if "[notice]" not in line and "[error]" not in line] == []


@pytest.fixture
def gateway(shared: Gateway) -> Iterator[Gateway]:
    """A gateway that nobody uses."""
    yield shared
    shared.empty()


# ---- Who has which host


def test_a_person_stays_on_one_host(gateway: Gateway) -> None:
    alice = Person(gateway)
    counts = [alice.ask("/use", "POST", b"{}").json["count"] for _request in range(5)]
    assert counts == list(range(counts[0], counts[0] + 5))


def test_two_people_have_a_host_each(gateway: Gateway) -> None:
    alice, bob = Person(gateway), Person(gateway, "bob")
    assert {alice.host(), bob.host()} == {"gpu1", "gpu2"}


def test_two_browsers_with_the_same_login_share_a_host(gateway: Gateway) -> None:
    first, second = Person(gateway), Person(gateway)
    first.ask(), first.ask()
    assert first.host() == second.host()


def test_whoever_takes_no_cookies_stays_on_one_host_too(gateway: Gateway) -> None:
    assert len({Person(gateway).host() for _request in range(5)}) == 1
    assert sorted(state["taken"] for state in gateway.states().values()) == [False, True]


def test_nobody_else_frees_a_host(gateway: Gateway) -> None:
    alice, bob = Person(gateway), Person(gateway, "bob")
    own = alice.host()
    bob.cookie = alice.cookie
    assert alice.ask("/_gateway/leave").status == 403  # a link is followed by GET
    bob.ask("/_gateway/leave", "POST")
    assert gateway.states()[own]["taken"]


def test_a_cookie_is_worth_nothing_with_another_login(gateway: Gateway) -> None:
    alice, bob = Person(gateway), Person(gateway, "bob")
    alice.ask("/")
    bob.cookie = alice.cookie
    assert alice.host() != bob.host()


def test_a_third_person_waits_until_one_is_done(gateway: Gateway) -> None:
    alice, bob, carol = (Person(gateway, user["name"]) for user in USERS)
    left = alice.host(), bob.host()
    for method in ("GET", "POST"):
        answer = carol.ask("/", method)
        assert (answer.status, answer.header("Retry-After"), carol.cookie) == (503, "10", "")
        assert b"Somebody works on each of the 2 hosts" in answer.body
    assert b"yours" not in carol.ask("/_gateway/").body
    gone = alice.ask("/_gateway/leave", "POST")
    assert (gone.status, gone.header("Location"), alice.cookie) == (303, "/_gateway/", "")
    assert carol.host() == left[0]
    assert bob.host() == left[1]
    assert Person(gateway).ask().status == 503


@pytest.mark.parametrize("cookie", ["x", "gpu2", ".gpu2", "a" * 22 + ".gpu9", "a" * 23 + ".gpu2", "a" * 4000])
def test_a_cookie_that_was_not_given(gateway: Gateway, cookie: str) -> None:
    alice = Person(gateway)
    alice.cookie = cookie
    assert alice.host() in gateway.hosts
    assert alice.cookie != cookie


def test_made_up_cookies_take_no_second_host(gateway: Gateway) -> None:
    alice = Person(gateway)
    own = alice.host()
    for letter in "abc":
        alice.cookie = f"{letter * 22}."
        assert alice.host() == own
    assert [name for name, state in gateway.states().items() if state["taken"]] == [own]


# ---- What comes through


def test_events_come_one_by_one(gateway: Gateway) -> None:
    """The host sends the next one when this one has arrived."""
    alice = Person(gateway)
    alice.ask("/")
    with alice.opened("/events") as events:
        for number in (b"1", b"2", b"3"):
            assert [events.readline(), events.readline()] == [b"data: %s\n" % number, b"\n"]
            alice.ask("/next-event", "POST")


def test_an_upload_streams_through(gateway: Gateway) -> None:
    """The host has a good part of it before the rest is sent, and nginx keeps nothing of it."""
    alice, piece, pieces = Person(gateway), bytes(1 << 20), 200
    spooled: list[Path] = []

    def body() -> Iterator[bytes]:
        for number in range(pieces):
            if number == pieces // 2:
                until(lambda: alice.ask("/").json["received"] > len(piece) * (pieces // 2 - 20))
            spooled.extend(file for folder in ("body", "proxy") for file in (gateway.folder / folder).rglob("*"))
            yield piece

    alice.ask("/")
    answer = alice.ask("/upload", "POST", body(), Content_Length=str(len(piece) * pieces))
    assert answer.json["received"] == len(piece) * pieces
    assert [file for file in spooled if file.is_file()] == []
    assert not any("temporary file" in line for line in gateway.errors())


def test_browsers_speak_http_2(gateway: Gateway, tmp_path: Path) -> None:
    alice, upload = Person(gateway), tmp_path / "upload"
    upload.write_bytes(bytes(20 << 20))
    alice.ask("/")
    url = f"https://127.0.0.1:{gateway.tls_port}"
    command = ["curl", "--http2", "--silent", "--max-time", "60", "--cacert", str(gateway.authority.certificate)]
    for name, value in alice.headers().items():
        command += ["--header", f"{name}: {value}"]
    with subprocess.Popen([*command, "--no-buffer", f"{url}/events"], stdout=subprocess.PIPE) as events:
        assert events.stdout
        for number in (b"1", b"2", b"3"):
            assert [events.stdout.readline(), events.stdout.readline()] == [b"data: %s\n" % number, b"\n"]
            alice.ask("/next-event", "POST")
    sends = ["--data-binary", f"@{upload}", "--write-out", " by HTTP/%{http_version}", f"{url}/upload"]
    done = subprocess.run([*command, *sends], check=True, capture_output=True, text=True)
    assert f'"received": {20 << 20}' in done.stdout
    assert done.stdout.endswith(" by HTTP/2")
    assert not any("temporary file" in line for line in gateway.errors())


def test_an_upload_that_is_too_large(tmp_path: Path) -> None:
    with serving(tmp_path / "gateway", 1, facefusion_gateway_max_upload="1m") as gateway:
        assert Person(gateway).ask("/upload", "POST", bytes(1 << 20)).status == 200
        assert Person(gateway).ask("/upload", "POST", bytes((1 << 20) + 1)).status == 413


def test_a_socket_that_both_sides_talk_on(gateway: Gateway) -> None:
    alice = Person(gateway)
    alice.ask("/")
    with contextlib.closing(alice.connect()) as connection:
        connection.connect()
        headers = {**alice.headers(), "Host": "gateway", "Upgrade": "websocket", "Connection": "Upgrade"}
        lines = [f"{name}: {value}" for name, value in headers.items()]
        connection.sock.sendall("\r\n".join(["GET /socket HTTP/1.1", *lines, "", ""]).encode())
        with connection.sock.makefile("rb") as answer:
            assert answer.readline() == b"HTTP/1.1 101 Switching Protocols\r\n"
            assert "Upgrade" in http.client.parse_headers(answer)
            connection.sock.sendall(b"hello")
            assert answer.read(5) == b"hello"


def test_what_a_host_is_told(gateway: Gateway) -> None:
    told = Person(gateway).ask("/path?x=%2F", X_Forwarded_For="1.2.3.4", X_Gateway_User="bob").json
    headers = told["headers"]
    assert told["path"] == "/path?x=%2F"
    assert headers["Host"] == headers["X-Forwarded-Host"] == f"127.0.0.1:{gateway.tls_port}"
    assert (headers["X-Forwarded-Proto"], headers["X-Forwarded-For"]) == ("https", "127.0.0.1")
    assert "Authorization" not in headers


def test_people_get_nothing_of_others(gateway: Gateway) -> None:
    alice, bob = Person(gateway), Person(gateway, "bob")
    for person in (alice, bob):
        first, second = person.ask("/"), person.ask("/")
        assert first.header("Set-Cookie") and not second.header("Set-Cookie")
    assert alice.cookie.partition(".")[0] != bob.cookie.partition(".")[0]
    kept = alice.cookie
    for path in ("/", "/_gateway/", "/_gateway/none", "/break"):
        answer = bob.ask(path)
        assert kept not in f"{answer.headers}{answer.body!r}" and alice.cookie == kept
    assert kept.partition(".")[0] not in (gateway.folder / "persons.json").read_text()


def test_the_hosts_own_403_is_passed_on(gateway: Gateway) -> None:
    answer = Person(gateway).ask("/forbidden")
    assert (answer.status, answer.json["host"]) == (403, answer.header("X-FaceFusion-Host"))


def test_the_page_of_hosts(tmp_path: Path) -> None:
    with serving(tmp_path / "gateway", 2) as gateway:
        check_page(gateway)


def check_page(gateway: Gateway) -> None:
    alice = Person(gateway)
    assert b"yours" not in alice.ask("/_gateway/").body
    assert not gateway.states()["gpu1"]["taken"]
    alice.host()
    page = alice.ask("/_gateway/").body
    assert b"<td>gpu1</td><td>yours</td><td>in use</td>" in page
    assert b"<td>gpu2</td><td></td><td>free</td>" in page
    drop(gateway, "gpu2")
    assert b"<td>gpu2</td><td></td><td>does not answer</td>" in alice.ask("/_gateway/").body


@pytest.mark.parametrize("path", ["/_gateway/assign", "/_gateway/none", "/_gateway/states"])
def test_nobody_asks_the_service_but_nginx(gateway: Gateway, path: str) -> None:
    answer = Person(gateway).ask(path, X_Gateway_Ask="states")
    assert answer.status == 404
    assert b"taken" not in answer.body


# ---- Who gets in


@pytest.mark.parametrize(("user", "password"), [("", ""), ("alice", "wrong"), ("alice", ""), ("mallory", "x")])
@pytest.mark.parametrize(
    ("path", "method"), [("/", "GET"), ("/use", "POST"), ("/_gateway/", "GET"), ("/_gateway/leave", "POST")]
)
def test_nobody_gets_in_without_a_login(gateway: Gateway, user: str, password: str, path: str, method: str) -> None:
    # of an address of its own, for the next ones would have to wait
    answer = Person(gateway, user, password, f"127.0.1.{next(ADDRESSES)}").ask(path, method)
    assert (answer.status, answer.header("WWW-Authenticate")) == (401, 'Basic realm="FaceFusion"')
    assert answer.header("Set-Cookie") is None
    assert not any(state["taken"] for state in gateway.states().values())


def test_an_address_that_guesses_passwords_has_to_wait(gateway: Gateway) -> None:
    where = f"127.0.1.{next(ADDRESSES)}"
    alice, guesser, bob = Person(gateway, address=where), Person(gateway, "bob", "guess", where), Person(gateway, "bob")
    own = alice.host()
    assert [guesser.ask(path).status for path in ["/", "/_gateway/"] * 5] == [401] * 10
    for path, method in (("/", "GET"), ("/use", "POST"), ("/_gateway/", "GET"), ("/_gateway/leave", "POST")):
        refused = guesser.ask(path, method)
        assert (refused.status, b"too many wrong logins" in refused.body) == (429, True)
        assert 0 < int(refused.header("Retry-After") or 0) <= 6
    # who has logged in before goes on at the same address, and everybody does at others
    assert (alice.host(), bob.ask("/").status) == (own, 200)


# ---- What pages of other sites have a browser send

OWN = "https://{host}"
FOREIGN = [
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://{host}"},
    {"Origin": OWN + ".evil.example"},
    {"Origin": "https://127.0.0.1"},  # another port
    {"Origin": OWN, "Sec-Fetch-Site": "cross-site"},
    {"Origin": "https://evil.example", "Sec-Fetch-Site": "same-origin"},
]
ALLOWED = [
    {},
    {"Origin": OWN},
    {"Sec-Fetch-Site": "same-origin"},
    {"Sec-Fetch-Site": "none"},
    {"Origin": OWN, "Sec-Fetch-Site": "same-origin"},
]


def sent(gateway: Gateway, headers: dict[str, str]) -> dict[str, str]:
    return {name: value.format(host=f"127.0.0.1:{gateway.tls_port}") for name, value in headers.items()}


@pytest.mark.parametrize("headers", FOREIGN)
def test_pages_of_other_sites_change_nothing(gateway: Gateway, headers: dict[str, str]) -> None:
    """The browser sends the login by itself."""
    alice = Person(gateway)
    own, count = alice.host(), alice.ask("/").json["count"]
    for method, path in (("POST", "/_gateway/leave"), ("POST", "/use"), ("PUT", "/use"), ("DELETE", "/_gateway/")):
        refused = alice.ask(path, method, b"{}", **sent(gateway, headers))
        assert (refused.status, b"page of another site" in refused.body) == (403, True), (method, path)
    # a WebSocket begins with GET
    socket_ = alice.ask("/socket", **sent(gateway, headers), Connection="Upgrade", Upgrade="websocket")
    assert socket_.status == 403
    assert gateway.states()[own]["taken"]
    assert alice.ask("/").json["count"] == count
    # it may be opened from a link, but neither read nor framed
    opened = alice.ask("/", **sent(gateway, headers))
    assert opened.status == 200
    assert not [name for name in opened.headers if name.startswith("Access-Control-")]
    for answer in (opened, alice.ask("/_gateway/")):
        assert answer.header("X-Frame-Options") == "SAMEORIGIN"
    # who does not know the password learns no more than that
    assert Person(gateway, "").ask("/_gateway/leave", "POST", **sent(gateway, headers)).status == 403


@pytest.mark.parametrize("headers", ALLOWED)
def test_its_own_pages_and_other_programs_do(gateway: Gateway, headers: dict[str, str]) -> None:
    alice = Person(gateway)
    own = alice.host()
    assert alice.ask("/use", "POST", b"{}", **sent(gateway, headers)).json["host"] == own
    assert alice.ask("/_gateway/leave", "POST", **sent(gateway, headers)).status == 303
    assert not gateway.states()[own]["taken"]


def test_the_refusal_has_no_page_of_its_own(gateway: Gateway) -> None:
    assert Person(gateway).ask("/_gateway/foreign").status == 404


def test_networks(tmp_path: Path) -> None:
    with serving(tmp_path / "gateway", 1, facefusion_gateway_networks=["10.0.0.0/8"]) as gateway:
        answer = Person(gateway).ask("/")
        assert (answer.status, b"host" in answer.body) == (403, False)
        assert not gateway.states()["gpu1"]["taken"]


def test_networks_alone(tmp_path: Path) -> None:
    settings = {"facefusion_gateway_users": [], "facefusion_gateway_networks": ["127.0.0.0/8"]}
    with serving(tmp_path / "gateway", 2, **settings) as gateway:
        first, second = Person(gateway, ""), Person(gateway, "")
        assert (first.host(), first.host(), second.host()) == ("gpu1", "gpu1", "gpu2")


def test_the_password_file_is_the_same_each_time_and_has_no_passwords() -> None:
    once, twice = (render("passwords.j2", facefusion_gateway_users=USERS) for _run in range(2))
    assert once == twice
    hashes = [line.split(":")[1] for line in once.splitlines()[1:]]
    assert len(set(hashes)) == len(USERS)
    assert all(one.startswith("$6$") and "secret" not in one for one in hashes)
    other = render("passwords.j2", facefusion_gateway_users=USERS, inventory_hostname="other")
    assert other != once


def test_the_plain_port_sends_everybody_to_tls(gateway: Gateway) -> None:
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=10)) as connection:
        connection.request("GET", "/a?b", headers={"Host": "gateway"})
        answer = connection.getresponse()
        assert (answer.status, answer.headers["Location"]) == (301, f"https://gateway:{gateway.tls_port}/a?b")


def test_the_log(gateway: Gateway) -> None:
    alice, log = Person(gateway), gateway.folder / "access.log"
    own = alice.host()
    alice.ask("/path?to=log")
    line = json.loads(until(lambda: [line for line in log.read_text().splitlines() if "to=log" in line])[0])
    told = [line[name] for name in ("client", "user", "host", "method", "uri", "status")]
    assert told == ["127.0.0.1", "alice", own, "GET", "/path?to=log", 200]
    assert alice.cookie.partition(".")[0] not in log.read_text()


def test_half_a_request_takes_no_host(gateway: Gateway) -> None:
    with socket.create_connection(("127.0.0.1", gateway.tls_port)) as client:
        client.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert b"400" in client.recv(1000)
    assert not any(state["taken"] for state in gateway.states().values())


def test_who_sends_half_a_request_is_let_go(tmp_path: Path) -> None:
    """Whether they may come in or not; the kernel counts how many they are."""
    with (
        serving(tmp_path / "gateway", 1, __facefusion_gateway_header_timeout="1s") as gateway,
        contextlib.closing(Person(gateway).connect()) as half,
    ):
        half.connect()
        half.sock.sendall(b"GET / HTTP/1.1\r\nX: ")
        with contextlib.suppress(ConnectionResetError):
            assert half.sock.recv(100) == b""
