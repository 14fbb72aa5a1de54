# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the host's own health check may ask, and nobody else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from unit.roles.nginx_server import Mirror, Store, etag_of, serving
from unit.roles.nginx_store import CONFIG, NOWHERE, ONE, TWO, WEIGHTS, fill

PATH = f"/_health/models--org--name/snapshots/{ONE}/config.json"
#: Without rules; and with rules by which nobody may see anything.
SETTINGS = [{}, {"mirror_nginx_access": [{"repos": ["*"], "networks": ["192.0.2.1"]}]}]


@pytest.fixture(params=SETTINGS, ids=["open", "guarded"])
def checked(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Mirror]:
    store = Store(tmp_path / "store")
    fill(store)
    with serving(store, tmp_path / "nginx", **request.param) as mirror:
        yield mirror


@pytest.mark.parametrize(
    ("path", "content"),
    [
        (PATH, CONFIG),
        (f"/_health/models--org--name/snapshots/{ONE}/onnx/deep/weights.bin", WEIGHTS),
    ],
)
def test_a_file_with_its_etag(checked: Mirror, path: str, content: bytes) -> None:
    answer = checked.ask(path, "HEAD")
    assert (answer.status, answer.header("ETag")) == (200, f'"{etag_of(content)}"')
    assert answer.header("Content-Length") == str(len(content))


def test_a_file_of_a_dataset(checked: Mirror) -> None:
    assert checked.ask(f"/_health/datasets--org--name/snapshots/{TWO}/data.csv", "HEAD").status == 200


def test_nobody_gets_a_content(checked: Mirror) -> None:
    """The location knows no rules, and what is asked there is on no record."""
    answer = checked.ask(PATH)
    assert (answer.status, answer.header("ETag"), answer.body) == (404, None, checked.ask("/_nothing/at-all").body)


def test_nobody_else_sees_that_there_is_anything(checked: Mirror) -> None:
    checked.source = "127.0.0.2"
    nothing = checked.ask("/_nothing/at-all")
    for method in ("GET", "HEAD"):
        answer = checked.ask(PATH, method)
        assert (answer.status, answer.header("ETag")) == (404, None)
    assert checked.ask(PATH).body == nothing.body


@pytest.mark.parametrize(
    "path",
    [
        "/_health/",
        f"/_health/models--org--name/snapshots/{ONE}/absent",
        f"/_health/models--org--name/snapshots/{ONE}/onnx",
        f"/_health/models--org--name/snapshots/{NOWHERE}/config.json",
        f"/_health/models--org--name/snapshots/{ONE}/../../refs/main",
        "/_health/models--org--name/.mirror/refs.json",
        f"/_health/models--org--name/blobs/{etag_of(CONFIG)}",
        f"/_health/../store.json/snapshots/{ONE}/x",
    ],
)
def test_what_is_no_file_of_a_commit(mirror: Mirror, path: str) -> None:
    assert mirror.ask(path, "HEAD").status == 404


def _remove_sentinel(store: Store) -> None:
    store.sentinel.unlink()


def _remove_blob(store: Store) -> None:
    (store.folder("org/name") / "blobs" / etag_of(CONFIG)).unlink()


def _swap_blob(store: Store) -> None:
    link = store.folder("org/name") / "snapshots" / ONE / "config.json"
    link.unlink()
    link.symlink_to(f"../../blobs/{etag_of(WEIGHTS)}")


@pytest.mark.parametrize(
    ("spoil", "status"),
    [(_remove_sentinel, 503), (_remove_blob, 404), (_swap_blob, 200)],
    ids=["no sentinel", "no blob", "another blob"],
)
def test_a_store_that_is_not_as_it_was(own_mirror: Mirror, spoil: Callable[[Store], None], status: int) -> None:
    spoil(own_mirror.store)
    answer = own_mirror.ask(PATH, "HEAD")
    assert (answer.status, answer.header("ETag") == f'"{etag_of(CONFIG)}"') == (status, False)


def test_the_log_is_not_filled_with_it(own_mirror: Mirror) -> None:
    for _second in range(3):
        assert own_mirror.ask(PATH, "HEAD").status == 200
    own_mirror.logged("/")
    assert [line["uri"] for line in own_mirror.log()] == ["/"]
