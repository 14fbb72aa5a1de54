# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The gateway: who gets which host, and what becomes of people whose host goes."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import local_role
import mirror_server
import pytest
from polling import until
from unit.roles.gateway_server import Gateway, Person, drop, serving
from unit.roles.nginx_server import Store


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Gateway]:
    with serving(tmp_path / "gateway", 2) as running:
        yield running


# ---- Who has which host


def test_whoever_is_idle_makes_room(tmp_path: Path) -> None:
    with serving(tmp_path / "gateway", 1, facefusion_gateway_idle=0) as gateway:
        alice, bob = Person(gateway), Person(gateway, "bob")
        assert alice.host() == bob.host() == "gpu1"


def test_another_gateway_leaves_people_where_they_are(tmp_path: Path) -> None:
    with serving(tmp_path / "one", 2) as one:
        Person(one, "bob").host()
        alice = Person(one)
        assert alice.host() == "gpu2"
    with serving(tmp_path / "two", 2) as alice.gateway:
        assert alice.host() == "gpu2"


def test_the_service_starts_anew_and_nobody_notices(gateway: Gateway) -> None:
    alice, bob, carol = (Person(gateway, name) for name in ("alice", "bob", "carol"))
    assert (alice.host(), bob.host()) == ("gpu1", "gpu2")
    gateway.stop_service()
    with contextlib.closing(carol.connect()) as asked_meanwhile:
        asked_meanwhile.request("GET", "/", headers=carol.headers())
        gateway.start_service()
        assert asked_meanwhile.getresponse().status == 503
    assert (alice.host(), bob.host()) == ("gpu1", "gpu2")


# ---- Hosts that come and go


def test_the_people_of_a_host_that_dies_go_to_another(tmp_path: Path) -> None:
    with serving(tmp_path / "gateway", 3) as gateway:
        alice, bob = Person(gateway), Person(gateway, "bob")
        assert (alice.host(), bob.host()) == ("gpu1", "gpu2")
        with bob.opened("/events") as events:
            assert events.readline() == b"data: 1\n"
            drop(gateway, "gpu1")
            assert alice.host() == "gpu3"
            bob.ask("/next-event", "POST")
            assert [events.readline(), events.readline()] == [b"\n", b"data: 2\n"]
        assert bob.ask("/use", "POST", b"{}").json["count"] == 2
        gateway.hosts["gpu1"].start()
        until(lambda: gateway.states()["gpu1"]["up"])
        assert (alice.host(), bob.host(), Person(gateway, "carol").host()) == ("gpu3", "gpu2", "gpu1")


def test_a_page_that_is_still_open_gets_no_other_host(gateway: Gateway) -> None:
    """It asks again and again by itself, for what is lost with its host."""
    alice = Person(gateway)
    assert alice.ask("/", Sec_Fetch_Mode="navigate").json["host"] == "gpu1"
    assert alice.ask("/use", "POST", b"{}", Sec_Fetch_Mode="cors").json["host"] == "gpu1"
    drop(gateway, "gpu1")
    for mode in ("cors", "same-origin", "no-cors", "websocket"):
        assert alice.ask("/use", "POST", b"{}", Sec_Fetch_Mode=mode).status == 503
    assert not gateway.states()["gpu2"]["taken"]
    assert alice.ask("/", Sec_Fetch_Mode="navigate").json["host"] == "gpu2"
    assert alice.ask("/use", "POST", b"{}", Sec_Fetch_Mode="cors").json["host"] == "gpu2"
    alice.ask("/_gateway/leave", "POST")
    assert alice.ask("/use", "POST", b"{}", Sec_Fetch_Mode="cors").status == 503


def test_a_death_is_noticed_by_the_first_request(tmp_path: Path) -> None:
    """Long before somebody looks."""
    with serving(tmp_path / "gateway", 2, facefusion_gateway_check_interval=3600) as gateway:
        alice = Person(gateway)
        assert alice.host() == "gpu1"
        gateway.hosts["gpu1"].die()
        # a path of two slashes would be another server's name
        moved = alice.ask("//config?a=b%20c")
        assert (moved.status, moved.header("Location")) == (
            307,
            f"https://127.0.0.1:{gateway.tls_port}//config?a=b%20c",
        )
        assert alice.ask("/config").json["host"] == "gpu2"
        gateway.hosts["gpu2"].die()
        lost = alice.ask("/use", "POST", b"{}")
        assert lost.status == 502
        assert b"gpu2 is gone" in lost.body
        nothing = alice.ask("/")
        assert nothing.status == 503
        assert b"No host can be used now" in nothing.body


def test_trouble_of_the_gateway_itself_ends_no_watch(gateway: Gateway) -> None:
    """A mark that can't be read, for instance: people would keep a host that is gone."""
    (gateway.drained / "gpu1").mkdir()
    until(lambda: "gpu1 can't be looked at: [Errno 21]" in gateway.said())
    (gateway.drained / "gpu1").rmdir()
    drop(gateway, "gpu1")
    until(lambda: "gpu1 does not answer; it is asked every 0.1 seconds, for as long as it takes" in gateway.said())


def test_a_host_that_comes_back_at_once_keeps_its_person(gateway: Gateway) -> None:
    alice = Person(gateway)
    alice.host()
    drop(gateway, "gpu1")
    gateway.hosts["gpu1"].start()
    until(lambda: gateway.states()["gpu1"]["up"])
    assert alice.host() == "gpu1"


def test_a_host_that_hangs_gets_nobody_until_it_answers(gateway: Gateway) -> None:
    alice = Person(gateway)
    assert alice.host() == "gpu1"
    gateway.hosts["gpu1"].hang()
    until(lambda: not gateway.states()["gpu1"]["up"])
    assert alice.host() == "gpu2"
    assert Person(gateway, "bob").ask().status == 503
    gateway.hosts["gpu1"].go_on()
    until(lambda: gateway.states()["gpu1"]["up"])
    assert Person(gateway, "bob").host() == "gpu1"


def test_a_host_that_breaks_off_one_answer_keeps_its_person(gateway: Gateway) -> None:
    alice = Person(gateway)
    assert alice.host() == "gpu1"
    answer = alice.ask("/break")
    assert (answer.status, answer.header("X-FaceFusion-Host")) == (502, None)
    assert b"gpu1 broke off its answer" in answer.body
    assert alice.host() == "gpu1"


def test_a_drained_host_gets_nobody_new(gateway: Gateway) -> None:
    alice = Person(gateway)
    assert alice.host() == "gpu1"
    gateway.drain("gpu1", 3600)
    assert alice.host() == "gpu1"
    assert Person(gateway, "bob").host() == "gpu2"
    assert Person(gateway, "carol").ask().status == 503
    assert b"drained for maintenance" in alice.ask("/_gateway/").body
    alice.ask("/_gateway/leave", "POST")
    assert not gateway.states()["gpu1"]["taken"]
    assert alice.ask().status == 503
    gateway.undrain("gpu1")
    assert Person(gateway, "carol").host() == "gpu1"


def test_people_leave_a_drained_host_when_their_time_is_over(gateway: Gateway) -> None:
    alice = Person(gateway)
    assert alice.host() == "gpu1"
    gateway.drain("gpu1", 0)
    assert not gateway.states()["gpu1"]["taken"]
    assert alice.host() == "gpu2"


@pytest.mark.skipif(os.geteuid() != 0, reason="the mark is root's")
def test_the_role_drains_a_host_and_gives_it_back(gateway: Gateway, tmp_path: Path) -> None:
    def order(file: str, **variables: Any) -> local_role.Run:
        variables["__facefusion_gateway_socket"] = str(gateway.socket_path)
        variables["__facefusion_gateway_drained"] = str(gateway.drained)
        return local_role.run(tmp_path, "facefusion_gateway", file, **variables)

    alice = Person(gateway)
    assert alice.host() == "gpu1"
    done = order("drain", facefusion_gateway_host="gpu1", facefusion_gateway_limit=0)
    assert (done.is_good, done.changed) == (True, 1), done.said
    assert alice.host() == "gpu2"
    refused = order("undrain", facefusion_gateway_host="none")
    assert not refused.is_good and "one of gpu1, gpu2" in refused.said
    done = order("undrain", facefusion_gateway_host="gpu1")
    assert (done.is_good, done.changed) == (True, 1), done.said
    assert Person(gateway, "bob").host() == "gpu1"


# ---- A mirror on the same host


def test_a_mirror_on_the_same_ports(tmp_path: Path) -> None:
    """It comes later, and answers for all names but the gateway's."""
    name = "faces.example.com"
    with serving(tmp_path / "gateway", 1, facefusion_gateway_server_name=name) as gateway:
        alice, log = Person(gateway), str(tmp_path / "mirror.log")
        assert alice.ask("/", Host=name).json["host"] == "gpu1"
        mirror = mirror_server.render(
            "hf-mirror.conf.j2",
            mirror_nginx_store=str(Store(tmp_path / "store").root),
            mirror_nginx_port=gateway.port,
            mirror_nginx_tls="files",
            mirror_nginx_tls_port=gateway.tls_port,
            mirror_nginx_tls_certificate=str(gateway.certificate),
            mirror_nginx_tls_key=str(gateway.certificate),
            mirror_nginx_tls_client_ca="",
            mirror_nginx_access_log=log,
            __mirror_nginx_js=str(mirror_server.ROLE / "files" / "hub.js"),
        )
        (gateway.folder / "conf.d" / "hf-mirror.conf").write_text(mirror, encoding="utf-8")
        gateway.stop_nginx()
        gateway.start_nginx()
        assert alice.ask("/").body.startswith(b"A mirror of Hugging Face repositories")
        told = alice.ask("/", Host=name)
        assert (told.json["host"], told.header("Set-Cookie")) == ("gpu1", None)
        assert [line for line in gateway.errors() if "[notice]" not in line] == []
