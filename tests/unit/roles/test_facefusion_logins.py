# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Logins of the gateway: what is hashed, what is not, and how often an address may be wrong."""

from __future__ import annotations

import importlib
from base64 import b64encode
from types import ModuleType

import pytest
from unit.roles.gateway_server import ROLE, USERS, render

HERE = "10.0.0.1"


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROLE / "files"))
    return importlib.import_module("logins")


class Logins:
    """Those of alice and bob, with a clock that the test turns, and what was hashed."""

    def __init__(self, module: ModuleType) -> None:
        self.module, self.now = module, 1000.0
        self.hashed: list[tuple[bytes, bytes]] = []
        hashes = {"alice": "salt of alice+right", "bob": "salt of bob+right"}
        self._logins = module.Logins(hashes, self._digest, lambda: self.now)

    def _digest(self, password: bytes, setting: bytes) -> bytes:
        self.hashed.append((password, setting))
        return setting.partition(b"+")[0] + b"+" + password

    def try_(self, pair: str, address: str = HERE) -> str:
        """Return the name, or why there is none."""
        try:
            return str(self._logins.name(f"Basic {b64encode(pair.encode()).decode()}", address))
        except self.module.WrongError:
            return "wrong"
        except self.module.LimitedError as limit:
            return f"in {limit.seconds} s"

    def send(self, header: str) -> str:
        try:
            return str(self._logins.name(header, HERE))
        except self.module.WrongError:
            return "wrong"


@pytest.fixture
def logins(module: ModuleType) -> Logins:
    return Logins(module)


def test_a_long_password_costs_what_a_short_one_costs(module: ModuleType) -> None:
    longest = "x" * module.LONGEST
    hashed: list[bytes] = []
    logins = module.Logins({"alice": longest}, lambda password, _setting: hashed.append(password) or password)

    def send(password: str) -> str:
        return str(logins.name("Basic " + b64encode(f"alice:{password}".encode()).decode(), HERE))

    assert send(longest) == "alice"
    for more in ("x", "x" * 5000):
        with pytest.raises(module.WrongError):
            send(longest + more)
    assert [len(password) for password in hashed] == [module.LONGEST] * 3


def test_a_name_that_nobody_has_costs_what_a_known_one_costs(logins: Logins) -> None:
    for name in ("alice", "bob", "mallory", ""):
        assert logins.try_(f"{name}:guess") == "wrong"
    assert [password for password, _setting in logins.hashed] == [b"guess"] * 4
    assert [len(setting) for _password, setting in logins.hashed[2:]] == [len("salt of alice+right")] * 2


def test_the_password_of_one_is_not_that_of_nobody(logins: Logins) -> None:
    """What nobody's name is compared with is somebody's hash."""
    assert logins.try_("mallory:right") == "wrong"
    assert logins.try_("alice:right") == "alice"


def test_what_was_right_once_is_not_hashed_again(logins: Logins) -> None:
    for _request in range(50):
        assert logins.try_("alice:right") == "alice"
    assert len(logins.hashed) == 1
    assert logins.try_("alice:wrong") == "wrong"
    assert logins.try_("bob:right") == "bob"


def test_an_address_that_guesses_has_to_wait(logins: Logins) -> None:
    assert logins.try_("alice:right") == "alice"
    assert [logins.try_(f"alice:{guess}") for guess in range(10)] == ["wrong"] * 10
    hashed = len(logins.hashed)
    # whatever it is, nothing is computed for it
    assert (logins.try_("alice:10"), logins.try_("bob:right")) == ("in 6 s", "in 6 s")
    assert len(logins.hashed) == hashed
    assert logins.try_("alice:right") == "alice", "who was right goes on"
    assert logins.try_("bob:right", "10.0.0.2") == "bob", "others have addresses of their own"
    logins.now += 6
    assert (logins.try_("alice:10"), logins.try_("alice:11")) == ("wrong", "in 6 s")
    logins.now += 60
    assert [logins.try_(f"alice:{guess}") for guess in range(11)] == ["wrong"] * 10 + ["in 6 s"]


def test_with_ipv6_a_network_is_an_address(logins: Logins) -> None:
    for guess in range(10):
        assert logins.try_(f"alice:{guess}", f"2001:db8::{guess}") == "wrong"
    assert logins.try_("alice:10", "2001:db8::ffff") == "in 6 s"
    assert logins.try_("alice:10", "2001:db8:0:1::1") == "wrong"


def test_addresses_are_not_kept_for_ever(logins: Logins) -> None:
    for number in range(1100):
        logins.try_("alice:guess", f"10.1.{number // 250}.{number % 250}")
        logins.now += 1
    assert len(logins._logins._forgiven) < 1010


@pytest.mark.parametrize(
    "header",
    ["", "Basic", "Basic !", "Bearer abc", "Basic YWxpY2U=", f"Basic {b64encode(bytes([255, 58, 65])).decode()}"],
)
def test_what_is_no_login(logins: Logins, header: str) -> None:
    for _request in range(20):
        assert logins.send(header) == "wrong"
    assert logins.try_("alice:right") == "alice", "a browser that was not asked yet is no guess"


def test_the_hashes_that_the_role_writes(module: ModuleType) -> None:
    """By the libcrypt of this machine."""
    hashes = module.read_hashes(render("passwords.j2", facefusion_gateway_users=USERS))
    assert list(hashes) == [user["name"] for user in USERS]
    logins = module.Logins(hashes)
    for user in USERS:
        right = b64encode(f"{user['name']}:{user['password']}".encode()).decode()
        assert logins.name(f"basic  {right}", HERE) == user["name"]
        # libcrypt reads to the zero
        longer = b64encode(f"{user['name']}:{user['password']}\0more".encode()).decode()
        with pytest.raises(module.WrongError):
            logins.name(f"Basic {longer}", HERE)
