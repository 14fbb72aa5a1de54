# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What must hold in a store, read from the disk alone, with none of the engine's own code.

``at_any_time``: at every instant, in the middle of a run, after a crash and after a power cut, before anything is
recovered: what readers see. ``at_rest``: once recovery is done.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

MTIME = 1_577_836_800
#: (repository, commit, path) -> etag
Identities = dict[tuple[str, str, str], str]


def at_any_time(root: Path) -> Identities:
    """Check what readers rely on, and return what is listed."""
    blobs(root)
    views(root)
    closed_views(root)
    history(root)
    listed: Identities = {}
    for repo in repositories(root):
        sealed = {entry.name for entry in _entries(repo / ".mirror/rev") if not entry.is_symlink()} - {"refs"}
        for commit in sealed:
            for path, etag in closed(repo, commit).items():
                listed[repo.name, commit, path] = etag
        for ref, commit in refs(repo).items():
            assert commit in sealed, f"{repo.name} {ref} names {commit}, which is not sealed"
        for file in _files(repo / "refs"):
            # a Hub cache's reader goes by refs/REF and the snapshot's folder alone
            assert file.read_text() in sealed, f"{file} names a commit that is not complete"
        for link in [one for one in (repo / "snapshots").rglob("*") if one.is_symlink()]:
            assert link.exists(), f"{link} leads nowhere"
    return listed


def at_rest(root: Path) -> Identities:
    """Check besides that there is one truth and nothing half-made."""
    listed = at_any_time(root)
    for repo in repositories(root):
        named = refs(repo)
        copies = {str(file.relative_to(repo / "refs")): file.read_text() for file in _files(repo / "refs")}
        assert copies == named, f"{repo.name}: refs/ differ from .mirror/rev"
        document = _json(repo / ".mirror/refs.json") or {}
        listed_refs = [one for group in document.values() for one in group]
        told = {one["ref"].removeprefix("refs/heads/"): one["targetCommit"] for one in listed_refs}
        assert told == named, f"{repo.name}: refs.json differs from .mirror/rev"
        link = root / "names" / repo.name.lower()
        assert os.readlink(link).lower() == f"../hub/{repo.name}".lower() and link.is_dir()
        commits_agree(repo, named)
        last = {ref: entries[-1:] for ref, entries in (_json(repo / ".mirror/history.json") or {}).items()}
        known = {ref: entry["commit"] for ref, entries in last.items() for entry in entries if entry["commit"]}
        assert known == named, f"{repo.name}: history differs"
        for commit in {commit for name, commit, _path in listed if name == repo.name}:
            documents_agree(repo, commit)
    known_names = {repo.name.lower() for repo in repositories(root)}
    assert {link.name for link in _entries(root / "names")} == known_names, "names/ has others than repositories"
    assert not leftovers(root)
    return listed


def leftovers(root: Path) -> list[Path]:
    """Return what a run that was cut leaves, and a power cut brings back: recovery takes it away."""
    shown = {os.readlink(link) for link in (root / "views").iterdir() if link.is_symlink()}
    return [
        *root.glob("hub/*/.mirror/build"),
        *root.glob("trash/*"),
        *[one for one in root.glob("staging/*.part") if (root / "pool" / one.name.removesuffix(".part")).exists()],
        *[one for one in (root / "views").iterdir() if not one.is_symlink() and one.name not in shown],
    ]


def repositories(root: Path) -> list[Path]:
    return [folder for folder in _entries(root / "hub") if (folder / ".mirror").is_dir()]


def refs(repo: Path) -> dict[str, str]:
    top = repo / ".mirror/rev"
    links = [link for link in [*_entries(top), *top.glob("refs/*/*")] if link.is_symlink()]
    for link in links:
        assert os.path.realpath(link.parent / os.readlink(link)).rpartition("/")[0] == os.path.realpath(top)
    return {str(link.relative_to(top)): os.path.basename(os.readlink(link)) for link in links}


def blobs(root: Path) -> None:
    """Content: what has a name hashes to it, and is frozen."""
    for blob in [*root.glob("pool/[0-9a-f]*"), *root.glob("hub/*/blobs/*")]:
        content = blob.read_bytes()
        assert hash_of(content, blob.name) == blob.name, f"{blob} is not what its name says"
        status = blob.stat()
        assert (status.st_mode & 0o7777, int(status.st_mtime)) == (0o444, MTIME), f"{blob} is not frozen"


def hash_of(content: bytes, like: str) -> str:
    if len(like) == 64:
        return hashlib.sha256(content).hexdigest()
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def closed(repo: Path, commit: str) -> dict[str, str]:
    """Closure: each document lists files that are there, in the size it tells. Returns path -> etag."""
    found: dict[str, str] = {}
    top = repo / ".mirror/rev" / commit
    snapshot = repo / "snapshots" / commit
    there: dict[str, tuple[str, int]] = {}

    def leads(path: str, etag: str | None, size: int | None) -> None:
        if path not in there:
            there[path] = _led_to(f"{snapshot}/{path}", repo)
        name, found = there[path]
        assert etag in (None, name), f"{snapshot}/{path} leads to {name} and is listed as {etag}"
        assert size in (None, found), f"{snapshot}/{path} has {found} bytes and is listed with {size}"

    for sibling in _must_read(top / "info.blobs.json")["siblings"]:
        etag = sibling["lfs"]["sha256"] if "lfs" in sibling else sibling["blobId"]
        leads(sibling["rfilename"], etag, sibling["size"])
        found[sibling["rfilename"]] = etag
    info = _must_read(top / "info.json")
    assert not info["gated"] or (repo / ".mirror/gated").exists(), f"{top} is gated, and everybody may see it"
    for sibling in info["siblings"]:
        leads(sibling["rfilename"], None, None)
    for document in (top / "tree").rglob("*.json"):
        for entry in _must_read(document):
            if entry["type"] == "file":
                etag = entry["lfs"]["oid"] if "lfs" in entry else entry["oid"]
                leads(entry["path"], etag, entry["size"])
    for path, entry in by_path(top / "paths.txt").items():
        if entry["type"] == "file":
            etag = entry["lfs"]["oid"] if "lfs" in entry else entry["oid"]
            leads(path, etag, entry["size"])
    return found


def by_path(index: Path) -> dict[str, Any]:
    """Return the entries of a document in which paths are looked up, each in the bucket where it is looked for."""
    content = index.read_bytes()
    count = int(content[:11])
    seed = content[12:44]
    ends = [int(content[45 + 12 * number :][:11]) for number in range(count + 1)]
    assert ends[0] == 45 + 12 * (count + 1) and ends[-1] == len(content)
    found = {}
    for bucket, (start, end) in enumerate(zip(ends, ends[1:], strict=False)):
        for line in content[start:end].splitlines():
            digest, _space, text = line.partition(b" ")
            entry = json.loads(text)
            assert digest.decode() == hashlib.sha256(seed + entry["path"].encode()).hexdigest()[:32]
            assert int(digest[:8], 16) % count == bucket
            found[entry["path"]] = entry
    return found


def commits_agree(repo: Path, named: dict[str, str]) -> None:
    """What is told of a ref's commits is what was published of those that are there, the newest first."""
    told = {str(file.relative_to(repo / ".mirror/commits")): file for file in _files(repo / ".mirror/commits")}
    assert told.keys() == {f"{ref}.json" for ref in named}
    published = _json(repo / ".mirror/history.json") or {}
    sealed = {entry.name for entry in _entries(repo / ".mirror/rev") if not entry.is_symlink()}
    for ref, commit in named.items():
        ids = [one["id"] for one in _must_read(told[f"{ref}.json"])]
        assert ids[0] == commit and len(set(ids)) == len(ids)
        assert set(ids) == {entry["commit"] for entry in published[ref]} & sealed


def _led_to(link: str, repo: Path) -> tuple[str, int]:
    """Return the name and the size of the blob that a link in a snapshot leads to."""
    try:
        folder, name = os.path.split(os.path.join(os.path.dirname(link), os.readlink(link)))
        size = os.stat(link).st_size
    except OSError as problem:
        raise AssertionError(f"{link} is listed and leads nowhere") from problem
    assert os.path.normpath(folder) == f"{repo}/blobs", f"{link} leads out of the blobs"
    return name, size


def documents_agree(repo: Path, commit: str) -> None:
    """All documents of a commit list the same files."""
    top = repo / ".mirror/rev" / commit
    paths = {sibling["rfilename"] for sibling in _must_read(top / "info.blobs.json")["siblings"]}
    assert {sibling["rfilename"] for sibling in _must_read(top / "info.json")["siblings"]} == paths
    folders = {".", *(str(parent) for path in paths for parent in Path(path).parents)}
    assert {str(file.parent.relative_to(top / "tree")) for file in (top / "tree").rglob("*.json")} == folders
    for folder in folders:
        below = {path for path in paths if folder == "." or path.startswith(f"{folder}/")}
        prefix = "" if folder == "." else f"{folder}/"
        told = {e["path"] for e in _must_read(top / "tree" / folder / ".mirror.recursive.json") if e["type"] == "file"}
        assert told == below, f"{top}/tree/{folder} is not complete"
        flat = {e["path"] for e in _must_read(top / "tree" / folder / ".mirror.flat.json")}
        assert flat == {prefix + path[len(prefix) :].partition("/")[0] for path in below}
    whole = _must_read(top / "tree/.mirror.recursive.json")
    assert by_path(top / "paths.txt") == {entry["path"]: entry for entry in whole}
    info = _must_read(top / "info.json")
    del info["siblings"]
    assert json.loads((top / "listed.txt").read_bytes().partition(b"\n")[2]) == info
    assert [one["id"] for one in _must_read(top / "commits.json")] == [commit]


def views(root: Path) -> None:
    """A view leads to a folder with just the files that its name was made of."""
    for link in [entry for entry in _entries(root / "views") if entry.is_symlink()]:
        assert link.is_dir(), f"view {link.name} leads nowhere"
        inodes = {blob.stat().st_ino: blob.name for blob in (root / "pool").iterdir()}
        files = sorted([file.name, inodes.get(file.stat().st_ino, "?")] for file in link.iterdir())
        digest = hashlib.sha256(json.dumps(files).encode()).hexdigest()[:16]
        assert os.readlink(link) == f".{link.name}.{digest}", f"view {link.name} holds {files}"


def closed_views(root: Path) -> None:
    """What is gated is in no view, but for a content that another repository has there, too."""
    entries = _json(root / "views.json") or []
    folders = {f"{one['repo_type']}s--{one['repo_id'].replace('/', '--')}": one["views"] for one in entries}
    gated = {repo.name for repo in repositories(root) if (repo / ".mirror/gated").exists()}
    for link in [entry for entry in _entries(root / "views") if entry.is_symlink()]:
        others = [root / "hub" / name / "blobs" for name, views in folders.items() if link.name in views]
        may = {blob.stat().st_ino for blobs in others if blobs.parent.name not in gated for blob in _entries(blobs)}
        for blob in [blob for name in gated for blob in _entries(root / "hub" / name / "blobs")]:
            status = blob.stat()
            shown = [file for file in link.iterdir() if file.stat().st_ino == status.st_ino]
            assert not shown or status.st_ino in may, f"{shown[0]} is gated, and everybody may see it"


def history(root: Path) -> None:
    """Order: serials rise, and each publish was announced in the ledger before, here or by the peer.

    A repository that was removed as the peer did has the peer's history up to there.
    """
    announced, removed = set(), set()
    came: dict[tuple[str, str, str], int] = {}
    for record in ledger(root):
        if record["kind"] == "remove" and "peer" in record:
            removed.add((record["repo_type"], record["repo_id"]))
        if record["kind"] != "intent":
            continue
        ref_of = (record["repo_type"], record["repo_id"], record["ref"])
        announced.add((*ref_of, record["serial"], record["old"], record["new"]))
        if "peer" in record:
            came[ref_of] = max(record["serial"], came.get(ref_of, 0))
    for repo in repositories(root):
        kind, *name = repo.name.split("--")
        for ref, entries in (_json(repo / ".mirror/history.json") or {}).items():
            if (kind[:-1], "/".join(name)) in removed:
                gone = [place for place, entry in enumerate(entries, 1) if not entry["commit"]]
                entries = entries[gone[-1] :] if gone else entries
            serials = [entry["serial"] for entry in entries]
            assert serials == sorted(set(serials)), f"{repo.name} {ref} has serials {serials}"
            for before, entry in zip([{"commit": ""}, *entries], entries):
                ref_of = (kind[:-1], "/".join(name), ref)
                what = (*ref_of, entry["serial"], before["commit"] or None, entry["commit"])
                is_known = what in announced or entry["serial"] <= came.get(ref_of, 0)
                assert not entry["commit"] or is_known, f"{what} was not announced"


def ledger(root: Path) -> Iterator[dict[str, Any]]:
    for file in sorted((root / "ledger").glob("[0-9]*.jsonl")):
        for line in file.read_bytes().split(b"\n"):
            try:
                record = json.loads(line)
            except ValueError:
                continue
            if isinstance(record, dict):
                yield record


def ledger_is_in_order(root: Path) -> None:
    """Runs have numbers that rise, publishes of a ref have serials that rise as long as its repository is there."""
    runs = [record["run"] for record in ledger(root) if record["kind"] == "start"]
    assert runs == sorted(set(runs)), f"runs {runs}"
    serials: dict[tuple[str, str, str], int] = {}
    for record in ledger(root):
        if record["kind"] == "publish":
            ref = (record["repo_type"], record["repo_id"], record["ref"])
            assert record["serial"] > serials.get(ref, 0), f"{ref}: serial {record['serial']} after {serials[ref]}"
            serials[ref] = record["serial"]
        elif record["kind"] == "remove":
            repo = (record["repo_type"], record["repo_id"])
            serials = {ref: last for ref, last in serials.items() if ref[:2] != repo}


def _entries(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def _files(folder: Path) -> list[Path]:
    return [file for file in folder.rglob("*") if file.is_file()] if folder.is_dir() else []


def _must_read(file: Path) -> Any:
    return json.loads(file.read_bytes())


def _json(file: Path) -> Any:
    return _must_read(file) if file.exists() else None
