# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The health check of a pair's node: what it asks its own nginx, and what nobody else may ask."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import debian_nginx
import pytest
from unit.roles.nginx_server import Mirror, Store, commit_of, etag_of, serving
from unit.roles.nginx_store import CONFIG, fill

ROLE = Path(__file__).parents[3] / "roles" / "mirror_keepalived"
PATH = "/_health/store.json"
#: Rules by which nobody may see anything.
ACCESS = [{"repos": ["*"], "networks": ["192.0.2.1"]}]


@pytest.fixture
def checked(tmp_path: Path) -> Iterator[Mirror]:
    with serving(Store(tmp_path / "store"), tmp_path / "nginx", mirror_nginx_access=ACCESS) as mirror:
        yield mirror


def said(mirror: Mirror, folder: Path, store: Path | None = None) -> str:
    """Run the script, and return what is wrong with the node."""
    script = debian_nginx.render(
        ROLE,
        "health.j2",
        __mirror_keepalived_user="nobody",
        __mirror_keepalived_drained=folder / "drained",
        __mirror_keepalived_follow=folder / "follow",
        __mirror_keepalived_scripts=folder,
        __mirror_keepalived_store=store or mirror.store.root,
        __mirror_keepalived_tls=False,
        __mirror_keepalived_port=mirror.port,
        __mirror_keepalived_name="127.0.0.1",
        __mirror_keepalived_ip="127.0.0.1",
        __mirror_keepalived_follows=[],
    )
    done = subprocess.run(["sh", "-c", script], check=False, capture_output=True, text=True, timeout=60)
    assert (done.returncode == 0) == (done.stdout == "")
    return done.stdout.strip()


def _leave_it(store: Store) -> None: ...


def _fill(store: Store) -> None:
    fill(store)


def _fill_with_odd_names(store: Store) -> None:
    """As a data set of photographs has them, hundreds of thousands: not one of them is to be looked at."""
    commit = commit_of("photographs")
    store.commit("org/photographs", commit, {f"Zürich, {number} ü.jpg": b"photograph" for number in range(100)})


def _let_everything_rot(store: Store) -> None:
    fill(store)
    for blob in store.root.glob("hub/*/blobs/*"):
        blob.unlink()


@pytest.mark.parametrize("have", [_leave_it, _fill, _fill_with_odd_names, _let_everything_rot])
def test_a_node_is_well_whatever_is_mirrored(checked: Mirror, tmp_path: Path, have: Callable[[Store], None]) -> None:
    have(checked.store)
    assert said(checked, tmp_path) == ""


def _unmount(store: Store) -> None:
    store.root.rename(store.root.with_name("away"))


def _remove_sentinel(store: Store) -> None:
    store.sentinel.unlink()


def _remove_hub(store: Store) -> None:
    (store.root / "hub").rmdir()


@pytest.mark.parametrize("spoil", [_unmount, _remove_sentinel, _remove_hub])
def test_a_store_that_is_not_there(checked: Mirror, tmp_path: Path, spoil: Callable[[Store], None]) -> None:
    spoil(checked.store)
    assert said(checked, tmp_path) == "the store is not mounted, or can't be read"


def test_an_nginx_that_serves_something_else(checked: Mirror, tmp_path: Path) -> None:
    other = Store(tmp_path / "other")
    other.sentinel.write_text('{"format": 2}')
    assert said(checked, tmp_path, other.root) == "nginx does not serve the store as it is"
    # what the script can read nginx may be kept from
    (checked.store.root / "hub").rmdir()
    other.sentinel.write_text(checked.store.sentinel.read_text())
    assert said(checked, tmp_path, other.root) == "nginx does not serve the store as it is"


def test_an_nginx_that_is_away(tmp_path: Path) -> None:
    with serving(Store(tmp_path / "store"), tmp_path / "nginx") as mirror:
        assert said(mirror, tmp_path) == ""
    assert said(mirror, tmp_path) == "nginx does not serve the store as it is"


def test_a_drained_node(checked: Mirror, tmp_path: Path) -> None:
    (tmp_path / "drained").touch()
    assert said(checked, tmp_path).startswith("this node is drained")


def test_nobody_else_sees_that_there_is_anything(checked: Mirror) -> None:
    assert checked.ask(PATH).body == checked.store.sentinel.read_bytes()
    checked.source = "127.0.0.2"
    nothing = checked.ask("/_nothing/at-all")
    for method in ("GET", "HEAD"):
        answer = checked.ask(PATH, method)
        assert (answer.status, answer.header("Content-Length")) == (404, nothing.header("Content-Length"))
    assert checked.ask(PATH).body == nothing.body


@pytest.mark.parametrize(
    "path",
    [
        "/_health/",
        "/_health/store.json/",
        "/_health/catalogue.json",
        "/_health/../store.json",
        f"/_health/hub/models--org--name/blobs/{etag_of(CONFIG)}",
    ],
)
def test_nothing_else_is_there(mirror: Mirror, path: str) -> None:
    assert mirror.ask(path).status == 404


def test_the_log_is_not_filled_with_it(own_mirror: Mirror) -> None:
    for _second in range(3):
        assert own_mirror.ask(PATH).status == 200
    own_mirror.logged("/")
    assert [line["uri"] for line in own_mirror.log()] == ["/"]
