# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``hf-mirror fsck``: each kind of damage is found, and mended by what fsck says."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.modelops.hf_mirror.plugins.module_utils._base.clock import Clock
from ansible_collections.modelops.hf_mirror.plugins.module_utils._store.store import Store

from hub.process import HubProcess

from .conftest import LAUNCHER, Inside

TINY, SPACE = "models--stand-in--tiny-model", "spaces--stand-in--tiny-space"
MODELS = [
    {"repo_id": "stand-in/tiny-model", "views": ["flat"]},
    {"repo_id": "stand-in/tiny-model", "revision": "v1"},
    {"repo_id": "stand-in/tiny-model", "revision": "refs/pr/1"},
    {"repo_id": "stand-in/tiny-space", "repo_type": "space", "publish": "manual"},
]


@dataclass
class Place:
    """A store, and shorthands for what is in it."""

    root: Path

    @property
    def repo(self) -> Path:
        return self.root / "hub" / TINY

    @property
    def rev(self) -> Path:
        return self.repo / ".mirror" / "rev"

    @property
    def commit(self) -> str:
        return os.readlink(self.rev / "main")

    @property
    def snapshot(self) -> Path:
        return self.repo / "snapshots" / self.commit

    @property
    def blob(self) -> Path:
        """The content of the model: an LFS file."""
        return (self.snapshot / "model.safetensors").resolve()

    @property
    def pool(self) -> Path:
        return self.root / "pool" / self.blob.name


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory, contents: Path) -> Iterator[Path]:
    """A folder with a store as a sync leaves it, and a configuration; the Hub stays there for repairs."""
    folder = tmp_path_factory.mktemp("sound")
    with HubProcess(contents) as hub:
        (folder / "c.yml").write_text(json.dumps({"endpoint": hub.url, "store": "store", "models": MODELS}))
        subprocess.run([str(LAUNCHER), "--config", "c.yml", "sync"], cwd=folder, check=True)
        yield folder


@pytest.fixture
def place(sound: Path, tmp_path: Path) -> Place:
    """A copy with the same links."""
    subprocess.run(["cp", "-a", str(sound / "store"), str(sound / "c.yml"), str(tmp_path)], check=True)
    return Place(tmp_path / "store")


def write(file: Path, content: bytes) -> None:
    """Replace a file's content as no engine does."""
    mode = file.stat().st_mode
    file.chmod(0o644)
    file.write_bytes(content)
    file.chmod(mode)


def truncate_through_the_pool(place: Place) -> None:
    status = place.pool.stat()
    place.pool.chmod(0o644)
    os.truncate(place.pool, 7)
    place.pool.chmod(0o444)
    os.utime(place.pool, (status.st_atime, status.st_mtime))


def replace(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    write(file, text.replace(old, new).encode())


def copy_over(place: Place) -> None:
    content, status = place.blob.read_bytes(), place.blob.stat()
    blob = place.blob
    blob.unlink()
    blob.write_bytes(content)
    blob.chmod(0o444)
    os.utime(blob, (status.st_atime, status.st_mtime))


def point(link: Path, target: str) -> None:
    link.unlink()
    link.symlink_to(target)


DAMAGE: dict[str, tuple[Callable[[Place], Any], str]] = {
    "a blob that is cut": (truncate_through_the_pool, r"TINY/blobs/BLOB has 7 bytes, the Hub declared \d+"),
    "a blob that is gone": (lambda p: p.blob.unlink(), "TINY/blobs/BLOB is missing, .*/model.safetensors needs it"),
    "a content that is gone": (
        lambda p: [file.unlink() for file in (p.blob, p.pool)],
        "TINY/blobs/BLOB is missing",
    ),
    "a name in the pool that is gone": (lambda p: p.pool.unlink(), "TINY/blobs/BLOB has lost its name in the pool"),
    "a copy": (copy_over, "TINY/blobs/BLOB is not the file that pool/BLOB is"),
    "a foreign mode": (lambda p: p.pool.chmod(0o664), "pool/BLOB has mode 0664, it must be 0444"),
    "a foreign time": (lambda p: os.utime(p.pool, (1, 1)), "pool/BLOB has another time than all contents"),
    "a foreign name in the pool": (lambda p: (p.root / "pool/x.onnx").touch(), "pool/x.onnx is no name of a content"),
    "a foreign name among blobs": (
        lambda p: (p.repo / "blobs/x.incomplete").mkdir(),
        "TINY/blobs/x.incomplete is no name of a content",
    ),
    "a folder as a blob": (lambda p: (p.root / "pool" / ("0" * 40)).mkdir(), "pool/0{40} is no file"),
    "a link that is gone": (
        lambda p: (p.snapshot / "config.json").unlink(),
        "TINY/snapshots/COMMIT/config.json is listed, and no link to a content",
    ),
    "a link that leads elsewhere": (
        lambda p: point(p.snapshot / "tokenizer/vocab.txt", "../../../blobs/x"),
        r"TINY/snapshots/COMMIT/tokenizer/vocab.txt leads to \.\./\.\./\.\./blobs/x, it must lead to \.\./",
    ),
    "a file instead of a link": (
        lambda p: [(p.snapshot / "config.json").unlink(), (p.snapshot / "config.json").write_text("{}")],
        "TINY/snapshots/COMMIT/config.json is listed, and no link to a content",
    ),
    "a snapshot that is gone": (
        lambda p: p.snapshot.rename(p.snapshot.with_name("0" * 40)),
        "TINY/snapshots/COMMIT/README.md is listed, and no link",
    ),
    "a ref to nothing": (
        lambda p: point(p.rev / "main", "1" * 40),
        "TINY/.mirror/rev/main names commit 1{40}, which is not there",
    ),
    "a ref to anything": (
        lambda p: point(p.rev / "refs/pr/1", "../../main"),
        r"TINY/.mirror/rev/refs/pr/1 leads to \.\./\.\./main, which is no commit",
    ),
    "a ref that is gone": (
        lambda p: (p.rev / "v1").unlink(),
        "TINY/.mirror/history.json says that v1 names [0-9a-f]{40}, it names nothing",
    ),
    "a commit that is not sealed": (
        lambda p: (p.rev / p.commit).rename(p.repo / ".mirror" / "lost"),
        "TINY/.mirror/rev/main names commit COMMIT, which is not there",
    ),
    "no listing": (
        lambda p: (p.rev / p.commit / "info.blobs.json").unlink(),
        r"TINY/.mirror/rev/COMMIT/info.blobs.json can't be read: No such file or directory",
    ),
    "half a listing": (
        lambda p: write(p.rev / p.commit / "info.blobs.json", b'{"siblings": ['),
        "TINY/.mirror/rev/COMMIT/info.blobs.json can't be read: it is no JSON",
    ),
    "a document that is gone": (
        lambda p: (p.rev / p.commit / "tree/.mirror.flat.json").unlink(),
        r"TINY/.mirror/rev/COMMIT/tree/.mirror.flat.json is missing",
    ),
    "no index of paths": (
        lambda p: (p.rev / p.commit / "paths.txt").unlink(),
        r"TINY/.mirror/rev/COMMIT/paths.txt is missing",
    ),
    "another list of commits": (
        lambda p: replace(p.repo / ".mirror/commits/main.json", p.commit, "4" * 40),
        "TINY/.mirror/commits/main.json does not say what the refs are",
    ),
    "a list of commits of nothing": (
        lambda p: (p.repo / ".mirror/commits/next.json").write_text("[]"),
        "TINY/.mirror/commits/next.json is there for a ref that is not published",
    ),
    "no name in lower case": (
        lambda p: (p.root / "names" / TINY).unlink(),
        f"names/{TINY} must lead to hub/{TINY}",
    ),
    "a name in lower case that leads elsewhere": (
        lambda p: point(p.root / "names" / TINY, f"../hub/{SPACE}"),
        f"names/{TINY} leads to no repository",
    ),
    "a name in lower case of nothing": (
        lambda p: (p.root / "names/models--gone").symlink_to("../hub/models--gone"),
        "names/models--gone leads to no repository",
    ),
    "a document that is wrong": (
        lambda p: replace(p.rev / p.commit / "info.json", "config.json", "confih.json"),
        "TINY/.mirror/rev/COMMIT/info.json is not what this version writes",
    ),
    "no copy of the Hub's listing": (
        lambda p: (p.repo / ".mirror/upstream" / f"{p.commit}.json").unlink(),
        "TINY/.mirror/upstream/COMMIT.json does not describe the commit",
    ),
    "half a copy of the Hub's listing": (
        lambda p: write(p.repo / ".mirror/upstream" / f"{p.commit}.json", b"{"),
        "TINY/.mirror/upstream/COMMIT.json does not describe the commit",
    ),
    "no refs.json": (lambda p: (p.repo / ".mirror/refs.json").unlink(), "TINY/.mirror/refs.json is missing"),
    "another refs.json": (
        lambda p: replace(p.repo / ".mirror/refs.json", "main", "mein"),
        "TINY/.mirror/refs.json does not say what the refs are",
    ),
    "no refs/main": (lambda p: (p.repo / "refs/main").unlink(), "TINY/refs/main is missing"),
    "refs/main with a newline": (
        lambda p: (p.repo / "refs/main").write_text(f"{p.commit}\n"),
        "TINY/refs/main does not say what the refs are",
    ),
    "a ref for the client alone": (
        lambda p: (p.repo / "refs/next").write_text(p.commit),
        "TINY/refs/next is there for a ref that is not published",
    ),
    "no history": (lambda p: (p.repo / ".mirror/history.json").unlink(), "TINY/.mirror/history.json can't be read"),
    "half a history": (
        lambda p: write(p.repo / ".mirror/history.json", b'{"main": [{}]}'),
        "TINY/.mirror/history.json can't be read: ",
    ),
    "another history": (
        lambda p: replace(p.repo / ".mirror/history.json", p.commit, "2" * 40),
        "TINY/.mirror/history.json says that main names 2{40}, it names COMMIT",
    ),
    "a history out of order": (
        lambda p: write(
            p.repo / ".mirror/history.json",
            json.dumps(
                {
                    **json.loads((p.repo / ".mirror/history.json").read_text()),
                    "main": [
                        {"serial": serial, "commit": p.commit, "time": "2026-01-01T00:00:00Z", "actor": "me"}
                        for serial in (2, 1)
                    ],
                }
            ).encode(),
        ),
        "TINY/.mirror/history.json numbers main out of order",
    ),
    "half of what is pending": (
        lambda p: write(p.root / "hub" / SPACE / ".mirror/pending.json", b"{"),
        "SPACE/.mirror/pending.json can't be read",
    ),
    "something pending that is not there": (
        lambda p: write(p.root / "hub" / SPACE / ".mirror/pending.json", json.dumps({"main": "3" * 40}).encode()),
        "SPACE/.mirror/pending.json names main 3{40}, which is not there",
    ),
    "a view without a file": (
        lambda p: (p.root / "views/flat/vocab.txt").unlink(),
        "views/flat does not hold what its name says",
    ),
    "a view to nowhere": (
        lambda p: point(p.root / "views/flat", ".gone"),
        "views/flat does not hold what its name says",
    ),
    "a view that leads out of the store": (
        lambda p: point(p.root / "views/flat", str(p.root.parent)),
        "views/flat does not hold what its name says",
    ),
    "a view with a copy": (
        lambda p: [(p.root / "views/flat/vocab.txt").unlink(), (p.root / "views/flat/vocab.txt").write_text("x")],
        "views/flat does not hold what its name says",
    ),
    "a folder that others write to": (
        lambda p: p.snapshot.chmod(0o777),
        "TINY/snapshots/COMMIT can be written by others",
    ),
    "a folder that nginx can't read": (lambda p: (p.root / "pool").chmod(0o700), "pool can't be read by nginx"),
    "a document that nginx can't read": (
        lambda p: (p.rev / p.commit / "info.json").chmod(0o600),
        "TINY/.mirror/rev/COMMIT/info.json can't be read by nginx",
    ),
    "a document that others write to": (
        lambda p: (p.repo / ".mirror/history.json").chmod(0o666),
        "TINY/.mirror/history.json can be written by others",
    ),
}


def test_nothing_is_wrong_with_a_sound_store(place: Place, inside: Inside) -> None:
    got = inside("--config", "c.yml", "fsck")
    assert (got.code, got.out, got.err) == (0, "sound\n", "")
    assert inside("--config", "c.yml", "fsck", "--json").json == []


@pytest.mark.parametrize("name", DAMAGE)
def test_damage_is_found_and_mended(place: Place, inside: Inside, name: str) -> None:
    make, words = DAMAGE[name]
    names = {"TINY": f"hub/{TINY}", "SPACE": f"hub/{SPACE}", "BLOB": place.blob.name, "COMMIT": place.commit}
    for short, long in names.items():
        words = words.replace(short, long)
    make(place)
    before = listing(place.root)
    got = inside("--config", "c.yml", "fsck")
    assert got.code == 5
    assert re.search(f"^damage: {words}", got.out, re.MULTILINE), got.out
    assert listing(place.root) == before, "it changes nothing"

    _found, _head, advice = got.out.partition("To repair it, run as the user who owns the store:\n")
    for command in re.findall(r"^  (.*)$", advice, re.MULTILINE):
        if command == "hf-mirror sync":
            assert inside("--config", "c.yml", "sync").code == 0
        else:
            subprocess.run(command, shell=True, check=True)  # noqa: S602 - as a person does
    after = inside("--config", "c.yml", "fsck")
    assert after.code == 0, after.out
    assert place.blob.stat().st_size > 7 and (place.repo / "refs/main").read_text() == place.commit


def listing(top: Path) -> list[tuple[str, int, int, int]]:
    found = [(path, path.lstat()) for path in sorted(top.rglob("*"))]
    return [(str(path), status.st_ino, status.st_mode, status.st_mtime_ns) for path, status in found]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda p: (p.root / "pool" / ("4" * 64)).touch(0o444), "pool/4{64} is used by nothing"),
        (
            lambda p: [
                (p.root / "pool" / ("4" * 64)).touch(0o444),
                os.link(p.root / "pool" / ("4" * 64), p.repo / "blobs" / ("4" * 64)),
            ],
            "hub/TINY/blobs/4{64} is on no listing",
        ),
        (lambda p: (p.root / "hub/notes").mkdir(), "hub/notes is no repository of this mirror"),
        (lambda p: (p.root / "hub/models--a--b").mkdir(), "hub/models--a--b is no repository of this mirror"),
        (
            lambda p: (p.root / f"staging/{'6' * 64}.part").write_text("12"),
            r"staging/6{64}\.part is a download of 2 bytes",
        ),
        (lambda p: (p.root / "trash/models--a--b").mkdir(), "trash/models--a--b was being removed"),
        (lambda p: (p.root / "views/.old.1").mkdir(), r"views/\.old\.1 is no view any more"),
        (lambda p: (p.repo / ".mirror/build").mkdir(), "hub/TINY/.mirror/build was being made"),
        (lambda p: (p.rev / "old").mkdir(), "hub/TINY/.mirror/rev/old is neither a ref nor a commit"),
        (lambda p: (p.rev / p.commit / "x.json").touch(), "hub/TINY/.mirror/rev/[0-9a-f]{40}/x.json is no document"),
        (lambda p: (p.repo / "snapshots" / ("7" * 40)).mkdir(), "hub/TINY/snapshots/7{40} is not sealed"),
        (
            lambda p: (p.snapshot / "more.txt").symlink_to("x"),
            "hub/TINY/snapshots/[0-9a-f]{40}/more.txt is on no listing",
        ),
        (
            lambda p: next(p.root.glob("ledger/2*.jsonl")).open("a").write('{"kind": "ru'),
            r"ledger/\d{4}-\d\d\.jsonl can't be read at line \d+: readers skip that",
        ),
    ],
)
def test_what_is_left_over_is_no_damage(place: Place, inside: Inside, make: Callable[[Place], Any], words: str) -> None:
    make(place)
    for blob in (place.root / "pool").glob("4*"):
        os.utime(blob, (place.pool.stat().st_atime, place.pool.stat().st_mtime))
    got = inside("--config", "c.yml", "fsck")
    assert got.code == 0, got.out
    assert re.match("left over: " + words.replace("TINY", TINY), got.out), got.out
    assert "To repair it" not in got.out and re.search(r"^0 damaged, [12] left over$", got.out, re.MULTILINE)


def test_what_a_run_under_way_makes_is_no_damage(place: Place, inside: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    """A publish is announced before the ref moves: when fsck looks again, it has."""
    history, right = place.repo / ".mirror/history.json", (place.repo / ".mirror/history.json").read_bytes()
    replace(history, place.commit, "2" * 40)
    monkeypatch.setattr(Store, "running", lambda _store: "pid 1")
    monkeypatch.setattr(Clock, "sleep", lambda _clock, _seconds: history.write_bytes(right))
    assert inside("--config", "c.yml", "fsck").out == "sound\n"
