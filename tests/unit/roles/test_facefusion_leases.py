# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who has which host, with a clock that the test turns; and how the service sees that somebody is connected."""

from __future__ import annotations

import importlib
import socket
from typing import Any

import pytest
from polling import until
from unit.roles.gateway_server import ROLE

IDLE = 900.0


@pytest.fixture(autouse=True)
def _files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROLE / "files"))


class Gateway:
    """Leases of some hosts, all of which answer."""

    def __init__(self, *names: str) -> None:
        self.now, self.names = 1e9, names
        self.saved: dict[str, str] = {}
        self.leases = importlib.import_module("leases").Leases(names, IDLE, self._save, lambda: self.now)
        for name in names:
            self.look(name)

    def _save(self, persons: dict[str, str]) -> None:
        self.saved = persons

    def look(self, name: str, answer: str = "up", *, used: bool = False, until: float | None = None) -> None:
        self.leases.report(name, answer, used, until)

    def states(self, key: str) -> list[str]:
        return [name for name, state in self.leases.states().items() if state[key]]


class Person:
    def __init__(self, gateway: Gateway, user: str, address: str = "10.0.0.1") -> None:
        self.gateway, self.user, self.address, self.cookie = gateway, user, address, ""

    def ask(self, *, may_begin: bool = True) -> str:
        host, cookie = self.gateway.leases.assign(self.cookie, self.user, self.address, may_begin=may_begin)
        self.cookie = cookie or self.cookie
        return str(host)


def test_somebody_who_works_keeps_the_host() -> None:
    gateway = Gateway("one")
    alice, bob = Person(gateway, "alice"), Person(gateway, "bob")
    for _request in range(10):
        assert (alice.ask(), bob.ask()) == ("one", "")
        gateway.now += IDLE
    assert (alice.ask(), bob.ask()) == ("one", "")


def test_an_open_page_is_not_idle() -> None:
    gateway = Gateway("one")
    alice, bob = Person(gateway, "alice"), Person(gateway, "bob")
    assert alice.ask() == "one"
    for _look in range(10):
        gateway.now += IDLE
        gateway.look("one", used=True)
        assert bob.ask() == ""
    assert alice.ask() == "one"


def test_the_idle_give_way_the_longest_first_when_nothing_is_free() -> None:
    gateway = Gateway("one", "two", "three")
    alice, bob, carol, dave = (Person(gateway, name) for name in ("alice", "bob", "carol", "dave"))
    assert bob.ask() == "one"
    gateway.now += 1
    assert alice.ask() == "two"
    gateway.now += IDLE + 1
    assert gateway.states("taken") == []
    assert (carol.ask(), dave.ask()) == ("three", "one")
    assert (alice.ask(), bob.ask()) == ("two", "")


def test_who_is_idle_and_in_nobodys_way_comes_back_to_the_same_host() -> None:
    gateway = Gateway("one", "two")
    alice = Person(gateway, "alice")
    assert alice.ask() == "one"
    gateway.now += 100 * IDLE
    assert (Person(gateway, "bob").ask(), alice.ask()) == ("two", "one")


def test_hosts_are_used_in_turn() -> None:
    gateway = Gateway("one", "two")
    for name in ("one", "two", "one", "two"):
        gateway.now += 1
        alice = Person(gateway, "alice")
        assert alice.ask() == name
        gateway.leases.leave(alice.cookie, "alice")


def test_a_login_has_one_host_whatever_comes_with_it() -> None:
    gateway = Gateway("one", "two", "three")
    people = [Person(gateway, "a", address) for address in ("10.0.0.1", "10.0.0.1", "::1")]
    assert [person.ask() for person in people] == ["one"] * 3
    for letter in "abc":
        people[0].cookie = f"{letter * 22}.three"
        assert people[0].ask() == "one"
    assert (Person(gateway, "b").ask(), gateway.states("taken")) == ("two", ["one", "two"])
    gateway.leases.leave("", "a")
    assert gateway.states("taken") == ["two"]


def test_without_logins_newcomers_are_told_apart_by_address_until_they_show_their_cookie() -> None:
    gateway = Gateway("one", "two", "three")
    first, again, elsewhere = (Person(gateway, "", address) for address in ("10.0.0.1", "10.0.0.1", "::1"))
    assert [first.ask(), again.ask(), elsewhere.ask()] == ["one", "one", "two"]
    assert first.ask() == "one"
    assert Person(gateway, "").ask() == "three"


def test_newcomers_who_were_refused_or_left_are_forgotten() -> None:
    gateway = Gateway("one")
    alice, bob = Person(gateway, "alice"), Person(gateway, "bob")
    assert (alice.ask(), bob.ask()) == ("one", "")
    gateway.leases.leave(alice.cookie, "alice")
    left, alice.cookie = alice.cookie, ""
    assert alice.ask() == "one"
    assert alice.cookie != left


def test_a_host_is_gone_at_once_and_slow_after_three_answers() -> None:
    gateway = Gateway("one", "two")
    gateway.look("one", "gone")
    assert gateway.states("up") == ["two"]
    for _look in range(2):
        gateway.look("two", "slow")
        gateway.look("two", "slow")
        assert gateway.states("up") == ["two"]
        gateway.look("two", "up")
    for _look in range(3):
        gateway.look("two", "slow")
    assert gateway.states("up") == []
    gateway.look("two", "up")
    assert gateway.states("up") == ["two"]


def test_a_drained_host_empties() -> None:
    gateway = Gateway("one", "two")
    alice, bob = Person(gateway, "alice"), Person(gateway, "bob")
    assert (alice.ask(), bob.ask()) == ("one", "two")
    for name in ("one", "two"):
        gateway.look(name, until=gateway.now + 100)
    gateway.now += 99
    assert (alice.ask(), gateway.states("taken"), gateway.states("drained")) == ("one", ["one", "two"], ["one", "two"])
    gateway.now += 1
    assert (alice.ask(), gateway.states("taken")) == ("", [])
    gateway.look("two")
    assert (alice.ask(), bob.ask()) == ("", "two")
    gateway.look("one")
    assert alice.ask() == "one"


def test_what_was_saved_is_restored() -> None:
    gateway, anew = Gateway("one", "two"), Gateway("one", "two")
    alice = Person(gateway, "alice")
    assert alice.ask() == "one"
    anew.leases.restore({**gateway.saved, "removed": "x"})
    alice.gateway = anew
    assert (Person(anew, "bob").ask(), alice.ask(), Person(anew, "carol").ask()) == ("two", "one", "")
    assert alice.cookie.partition(".")[0] not in str(gateway.saved)


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_a_connection_is_seen(address: str) -> None:
    is_connected: Any = importlib.import_module("watch").is_connected
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.create_server((address, 0), family=family) as server:
        port = server.getsockname()[1]
        assert not is_connected(address, port)
        with socket.create_connection((address, port)):
            assert is_connected(address, port)
            assert not is_connected(address, port ^ 1)
        until(lambda: not is_connected(address, port))
