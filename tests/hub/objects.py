# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names that Git and Git LFS give to content, computed as they do.

The Hub reports these ids: a plain file's ``oid`` is its Git blob SHA-1; an LFS file's ``oid`` is the blob SHA-1 of its
*pointer* while ``lfs.oid`` is the SHA-256 of the content. Trees and commits are hashed as Git hashes them too, so a
real Git repository made from the same files has the same commit ids (``git_lfs_repo`` relies on it, a test proves it).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

#: Suffixes that a repository's .gitattributes sends to LFS.
LFS_SUFFIXES = (".onnx", ".safetensors", ".bin", ".jit", ".gguf", ".parquet")
#: The Hub takes no plain Git file above 10 MB.
LFS_THRESHOLD = 10_000_000
AUTHOR = "stand-in <stand-in@hub.invalid>"


def is_lfs(path: str, size: int) -> bool:
    """Tell whether a file is kept in LFS."""
    return path.endswith(LFS_SUFFIXES) or size > LFS_THRESHOLD


def git_object_id(kind: str, content: bytes) -> str:
    """Return the SHA-1 that Git gives to an object: over ``<kind> <size>\\0`` and the content."""
    return hashlib.sha1(f"{kind} {len(content)}\0".encode() + content, usedforsecurity=False).hexdigest()


def lfs_pointer(sha256: str, size: int) -> bytes:
    """Return the small text that Git stores in place of an LFS file."""
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {size}\n".encode()


def tree_ids(blob_ids: Mapping[str, str]) -> dict[str, str]:
    """Return the Git tree id of every folder, ``""`` being the root, from path -> blob id."""
    folders: dict[str, dict[str, tuple[str, str]]] = {"": {}}
    for path in blob_ids:
        for folder in parents(path):
            folders.setdefault(folder, {})
    for path, blob_id in blob_ids.items():
        folder, _slash, name = path.rpartition("/")
        folders[folder][name] = ("100644", blob_id)
    ids: dict[str, str] = {}
    for folder in sorted(folders, key=lambda folder: folder.count("/") + bool(folder), reverse=True):
        ids[folder] = git_object_id("tree", _tree_content(folders[folder]))
        if folder:
            parent, _slash, name = folder.rpartition("/")
            folders[parent][name] = ("40000", ids[folder])
    return ids


def _tree_content(entries: Mapping[str, tuple[str, str]]) -> bytes:
    """Git sorts a tree's entries by name in bytes, a folder as though its name ended in a slash."""

    def order(item: tuple[str, tuple[str, str]]) -> bytes:
        name, (mode, _oid) = item
        return name.encode() + (b"/" if mode == "40000" else b"")

    return b"".join(
        f"{mode} {name}\0".encode() + bytes.fromhex(object_id)
        for name, (mode, object_id) in sorted(entries.items(), key=order)
    )


def parents(path: str) -> Iterable[str]:
    """Yield the folders that a path lies in, the outermost first, without the root."""
    parts = path.split("/")[:-1]
    return ("/".join(parts[:depth]) for depth in range(1, len(parts) + 1))


def commit_id(tree: str, parent: str | None, time: int, title: str) -> str:
    """Return the SHA-1 that Git gives to a commit by our one author."""
    lines = [f"tree {tree}"]
    if parent:
        lines.append(f"parent {parent}")
    lines += [f"author {AUTHOR} {time} +0000", f"committer {AUTHOR} {time} +0000", "", title]
    return git_object_id("commit", "\n".join(lines).encode())
