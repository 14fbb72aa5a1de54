# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A store beside things that are none of its business, an upstream, and what must hold whatever that one says."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from unit.fuzz.documents import Document
from unit.fuzz.engine_process import Engine
from unit.fuzz.honest import HonestRepo
from unit.fuzz.known import VICTIM
from unit.fuzz.profile import SEED
from unit.fuzz.upstream import Upstream

from storecheck import check_store

#: Documents of one run.
BATCH = 20
TOKEN = "hf_" + "TheSecretOfTheMirror" * 2
NEIGHBOURS = [
    HonestRepo("honest/one"),
    HonestRepo("honest/two"),
    HonestRepo("honest/data", "dataset"),
    HonestRepo("honest/names"),
    HonestRepo("honest/unwanted"),
    HonestRepo("honest/fresh"),
]
NEW = [HonestRepo(f"hostile/new-{number:02}") for number in range(BATCH)]
OLD = [HonestRepo(f"hostile/old-{number:02}") for number in range(BATCH)]
#: Names under which something fails that is nobody's entry.
OTHERS = ("views", "max_delete", "retention", "ledger", "purged")
#: Bytes of memory that no run over such small repositories may take.
MEMORY = 400 << 20
#: What no message for people has in it.
_RAW = re.compile(
    r"0x[0-9a-f]{6,}| object at |Traceback|(?:Key|Type|Attribute|Value|Index|JSONDecode|Recursion|Overflow|OS|Name"
    r"|Memory|UnicodeDecode|UnicodeEncode|Assertion)Error|NoneType"
)
#: Seconds after which nothing that went wrong is still waited for.
LATER = 30 * 86400.0


class World:
    """A folder with a store and with what is beside it, set back before each run."""

    def __init__(self, folder: Path, upstream: Upstream, engine: Engine) -> None:
        self.folder, self.upstream, self.engine = folder, upstream, engine
        self.store, self.beside = folder / "world" / "store", folder / "world" / "beside"
        self._fill_beside()
        self._base = folder / "base"

    def _fill_beside(self) -> None:
        (self.beside / "deep").mkdir(parents=True)
        (self.beside / "victim").write_bytes(VICTIM)
        (self.beside / "victim").chmod(0o640)
        (self.beside / "deep" / "config.json").write_text("{}")
        (self.beside / "link").symlink_to("victim")
        (self.beside / "loose").symlink_to("/nowhere/at/all")
        for name in ("store", "victim", "store.json"):
            (self.folder / name).write_bytes(b"beside, further up\n")

    # ---- what is done

    def make_base(self, repos: Sequence[HonestRepo]) -> None:
        """Make the store that each run begins with: these repositories at their first commits."""
        self.upstream.numbers = dict.fromkeys(repos, 0)
        self.store.mkdir()
        self._must(self.sync(repos))
        shutil.move(self.store, self._base)

    def _must(self, done: dict[str, Any]) -> None:
        assert not done["problems"] and not done["error"] and not done["refused"], done

    def sync(self, repos: Sequence[HonestRepo], later: float = 0.0) -> dict[str, Any]:
        wanted = []
        for repo in repos:
            entry: dict[str, Any] = {"repo_id": repo.repo_id, "repo_type": repo.repo_type}
            if repo is NEIGHBOURS[0]:
                entry["views"] = ["honest"]
            if repo.has_unwanted:
                entry["files"] = list(repo.wanted(0))
            wanted.append(entry)
        endpoint = self.upstream.urls["hub"]
        return self.engine.do(
            do="sync", store=str(self.store), endpoint=endpoint, token=TOKEN, wanted=wanted, later=later
        )

    def reset(self, repos: Sequence[HonestRepo]) -> None:
        shutil.rmtree(self.folder / "world")
        self._fill_beside()
        copied(self._base, self.store)
        self.upstream.numbers = dict.fromkeys(repos, 1)
        self.upstream.tokens = {}

    # ---- what must hold

    def ended(self, done: dict[str, Any]) -> Iterator[str]:
        """It came to its end, in bounded time and memory, and whatever was wrong was somebody's."""
        if done["error"]:
            where = f"; it was at {done['stderr'][-4000:]}" if "did not end" in done["error"] else ""
            yield f"the run failed: {done['error']}{where}"
        if "Traceback" in done["stderr"]:
            yield f"a traceback was printed: {done['stderr'][-2000:]}"
        if done["peak"] > MEMORY:
            yield f"the run took {done['peak'] >> 20} MiB of memory"

    def outside(self) -> dict[str, str]:
        return tree(self.folder, self.store)

    def kept_outside(self, before: dict[str, str]) -> Iterator[str]:
        after = self.outside()
        for name in sorted({*before, *after}):
            if before.get(name) != after.get(name):
                yield f"outside the store {name} was {before.get(name)}, is {after.get(name)}"

    def sound(self) -> Iterator[str]:
        """All that is served was verified, and no name leads out of the store."""
        root = os.path.realpath(self.store)
        inodes = {entry.inode() for entry in os.scandir(self.store / "pool")}
        for folder, folders, files in os.walk(self.store):
            here = folder[len(str(self.store)) + 1 :]
            is_served = here.startswith("views") or re.match("hub/[^/]+/(snapshots|blobs)", here)
            for path in (os.path.join(folder, name) for name in (*folders, *files)):
                if os.path.islink(path) and not os.path.realpath(path).startswith(f"{root}/"):
                    yield f"{path} leads out of the store, to {os.readlink(path)}"
                elif is_served and os.path.isfile(path) and os.stat(path).st_ino not in inodes:
                    yield f"{path} is served, and no content that was verified"
        try:
            check_store(self.store)
        except AssertionError as problem:
            yield f"the store is not sound: {problem}"
        except OSError as problem:
            yield f"the store can't be checked: {problem}"
        answer = self.engine.do(do="fsck", store=str(self.store))
        yield from (f"fsck finds {one}" for one in answer.get("damage", [answer.get("error")]))

    def tokens_elsewhere(self) -> Iterator[str]:
        for origin, requests in self.upstream.tokens.items():
            if origin != "hub":
                yield f"the token went to the {origin}: {requests[0]}"

    def told(self, problems: dict[str, Any], honest: Collection[str]) -> Iterator[str]:
        """Each problem is of something that was tampered with, and is told in a sentence."""
        for name, (_kind, text, cause) in problems.items():
            if name in honest:
                yield f"{name} failed, which has nothing to do with it: {text}"
            yield from self.worded(name, text)
            if cause != text:
                yield from self.worded(name, cause)

    def worded(self, name: str, text: str) -> Iterator[str]:
        """It is for people: one line of words, without the innards of a program."""
        # but what an upstream said may be quoted
        text = re.sub(rf"(?:\.\./)+{re.escape(str(self.store)[1:])}", "", text)
        # and whose disk it is that is full has to be said
        text = text.replace(f"the disk of {self.store} is full", "")
        found = _RAW.search(text)
        if found or len(text) > 1000 or not text.isprintable() or TOKEN in text or str(self.store) in text:
            why = repr(found[0]) if found else f"{len(text)} characters"
            yield f"{name}: this is no sentence for people ({why}): {text[:500]!r}"

    def published(self, repo: HonestRepo, number: int, shows: int | None) -> Iterator[str]:
        """Say where a repository is not published as it is at a commit. ``shows``: which one its view does, if any."""
        folder, commit, files = self.store / "hub" / repo.folder, repo.commit(number), repo.wanted(number)
        rev = folder / ".mirror" / "rev"
        named = os.readlink(rev / "main") if (rev / "main").is_symlink() else "nothing"
        cached = (folder / "refs" / "main").read_text() if (folder / "refs" / "main").is_file() else "nothing"
        if not named == cached == commit:
            yield f"main is {named} and {cached}, not {commit}"
            return
        document = json.loads((rev / commit / "info.blobs.json").read_bytes())
        if {one["rfilename"]: one["size"] for one in document["siblings"]} != {p: len(c) for p, c in files.items()}:
            yield f"it lists {document['siblings']}"
        snapshot = folder / "snapshots" / commit
        found = {str(path.relative_to(snapshot)): path.read_bytes() for path in snapshot.rglob("*") if path.is_file()}
        if found != files:
            yield f"it has other files: {sorted(one for one in {*found, *files} if found.get(one) != files.get(one))}"
        if repo is NEIGHBOURS[0]:
            view = self.store / "views" / "honest"
            shown = {file.name: file.read_bytes() for file in view.iterdir()} if view.is_dir() else {}
            expected = {} if shows is None else repo.files(shows)
            if shown != {path.rpartition("/")[2]: content for path, content in expected.items()}:
                yield f"its view has {sorted(shown)}"


def names_of(folder: Path) -> dict[str, str]:
    """Return what stands for the places of a world in the edits of answers."""
    world = folder / "world"
    return {
        "up": "../" * 14,
        "store": str(world / "store").lstrip("/"),
        "victim": str(world / "beside" / "victim"),
        "beside": str(world / "beside").lstrip("/"),
        "sha256": hashlib.sha256(VICTIM).hexdigest(),
    }


def harmless(run: Callable[[Sequence[Document]], list[str]], documents: Sequence[Document]) -> None:
    """Fail where a run over these documents does harm, and say which of them does."""
    broken = run(documents)
    if broken:
        guilty, alone = documents, broken
        while len(guilty) > 1:
            half = len(guilty) // 2
            found = next(((part, wrong) for part in (guilty[:half], guilty[half:]) if (wrong := run(part))), None)
            if not found:
                break  # it takes several of them
            guilty, alone = found
        pytest.fail(
            "\n".join([f"FUZZ_SEED={SEED}", *map(repr, guilty), *[f"- {text}" for text in alone[:10]]]), pytrace=False
        )


def tree(top: Path, but: Path) -> dict[str, str]:
    """Return all below a folder, with modes, times and contents, but what is in one of its folders."""
    found = {}
    for folder, folders, files in os.walk(top):
        here = Path(folder)
        folders[:] = [name for name in folders if here / name != but and not name.startswith("base")]
        # the store itself may come and go: its folder's own times are its owner's
        for name in [".", *folders, *files]:
            path = here / name
            status = path.lstat()
            what = f"{status.st_mode:o} {status.st_uid} {status.st_nlink}"
            if path.is_symlink():
                what += f" -> {os.readlink(path)}"
            elif path.is_file():
                what += f" {status.st_mtime_ns} {hashlib.sha256(path.read_bytes()).hexdigest()}"
            found[str(path.relative_to(top))] = what
    return found


def copied(source: Path, target: Path) -> None:
    """Copy a store with its hard links, which are what it is made of."""
    first: dict[int, Path] = {}
    for folder, folders, files in os.walk(source):
        here = target / Path(folder).relative_to(source)
        here.mkdir(exist_ok=True)
        for name in [*files, *[one for one in folders if (Path(folder) / one).is_symlink()]]:
            path = Path(folder) / name
            if path.is_symlink():
                (here / name).symlink_to(os.readlink(path))
                continue
            inode = path.stat().st_ino
            if inode in first:
                os.link(first[inode], here / name)
            else:
                shutil.copy2(path, here / name)
                first[inode] = here / name
        shutil.copystat(folder, here)
