# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers that once did harm, or that somebody thought of: tried each time, whatever else is made up."""

from __future__ import annotations

from typing import Any

from unit.fuzz.answers import Drip, Drop, Edit, Header, Packed, Put, Raw, Rename, Repeat, Status, Whole
from unit.fuzz.documents import PIECE, Document

#: Where in the two pages of a listing a file of Git is, and one of LFS.
CONFIG, WEIGHTS = 2, 3
#: Bytes of the file beside the store, which a hostile size fits.
VICTIM = b"nobody of the mirror may touch or serve this\n"
_SIZE = len(VICTIM)


def _any(*values: Any) -> tuple[Any, ...]:
    return values


def _info(*edits: Edit, is_new: bool = True) -> Document:
    return Document("info", edits, is_new)


def _tree(*edits: Edit) -> Document:
    return Document("tree", edits)


def _lfs(*edits: Edit) -> Document:
    return Document("tree2", edits)


def _file(*edits: Edit) -> Document:
    return Document("file", edits)


def _head(*edits: Edit) -> Document:
    return Document("head", edits, is_new=False)


OF_HUB = [
    # commits that are none
    *[_info(Put(("sha",), sha)) for sha in ("{up}{store}/hub", "../../../../store", "ABCDEF", None, 5, "{commit}\n")],
    _info(Put(("sha",), "{up}{store}/hub"), is_new=False),
    *[_head(Header("X-Repo-Commit", sha)) for sha in ("{up}{store}/hub", "../../../../store", "ABCDEF")],
    _file(Header("X-Repo-Commit", "{up}{store}/hub")),
    # contents that are somebody else's file, or would be written beside the store
    _tree(Put((CONFIG, "oid"), "{up}{victim}"), Put((CONFIG, "size"), _SIZE)),
    _tree(Put((CONFIG, "oid"), "../../../victim")),
    _lfs(
        Put((WEIGHTS, "lfs", "oid"), "{up}{victim}"),
        Put((WEIGHTS, "size"), _SIZE),
        Put((WEIGHTS, "lfs", "size"), _SIZE),
    ),
    _lfs(Put((WEIGHTS, "lfs", "oid"), "../../../victim")),
    _lfs(Put((0, "oid"), "../../../victim")),
    # a content that is here, of another size
    _tree(Put((WEIGHTS, "size"), 631)),
    # what is of another type
    *[_tree(Put((CONFIG, "oid"), oid)) for oid in _any(None, 5, [], {}, True)],
    *[_tree(Put((CONFIG, "size"), size)) for size in _any("5", None, -5, 5.5, 2**70, True, [])],
    *[
        _tree(Put((CONFIG, "path"), path))
        for path in _any(5, None, [], "x" * 256, "../../../../../beside/new", "a\nb", "\ud800")
    ],
    *[_lfs(Put((WEIGHTS, "lfs"), lfs)) for lfs in _any(5, [], "x", {}, True)],
    _lfs(Put((WEIGHTS, "lfs", "size"), "5")),
    _lfs(Put((WEIGHTS, "lfs", "pointerSize"), 2**70)),
    # what a library trips over, and that says nothing about the files
    *[
        Document(kind, (edit,), is_harmless=True)
        for kind, edit in [
            ("info", Put(("cardData", "self"), 5)),
            ("info", Put(("self",), 5)),
            ("info", Put(("tags",), 5)),
            ("info", Put(("tags",), ["x" * 100_000, 5, "\ud800", "a\nb"])),
            ("info", Put(("transformersInfo", "new"), 5)),
            ("info", Put(("lastModified",), "2026-11-27T10:00:00+00:00")),
            ("info", Put(("createdAt",), "0001-01-01T00:00:00+23:59")),
            ("info", Put(("siblings",), None)),
            ("tree2", Drop((WEIGHTS, "lfs", "pointerSize"))),
            ("tree", Put((4, "oid"), "../../../victim")),
        ]
    ],
    _info(Put(("gated",), 5)),
    _info(Put(("private",), "x")),
    # more than anybody can read
    _info(Packed(" ", 1024)),
    _tree(Packed("[", 1024)),
    _tree(Packed("[0,", 100)),
    _tree(Raw((CONFIG, "size"), "[", 100_000, "]")),
    _tree(Raw((CONFIG, "size"), "9", 1_000_000)),
    _info(Raw(("tags",), '{"a":', 100_000, "}")),
    _info(Whole(b"[" * 1_000_000)),
    _tree(Repeat((CONFIG,), 1_000)),
    _tree(Repeat((CONFIG,), 3_000)),
    _tree(Header("RateLimit", '"api";r=0;t=' + "9" * 5000)),
    _info(Drip()),
    _lfs(Drip()),
    # a name that is as good as others, of what is not there
    Document("tree2", (Put((2, "path"), "\xadH"),)),
    # pages that never end, or are somebody else's
    _tree(Header("Link", '<{self}>; rel="next"')),
    _lfs(Header("Link", '<{self}>; rel="next"')),
    _lfs(Header("Link", '<{hub}/api/models/{repo}/tree/{commit}?cursor={count}>; rel="next"')),
    _tree(Header("Link", '<{thief}/api/models/{repo}/tree/{commit}?cursor=2>; rel="next"')),
    _tree(Header("Link", '<http://[>; rel="next"')),
    # no answer at all, though somebody is there
    *[make(Status(100)) for make in (_info, _tree, _head, _file)],
    # ways that lead elsewhere
    *[_info(Status(307), Header("Location", way)) for way in ("{thief}/x", "{self}", "file:///etc/passwd", "http://[")],
    *[_file(Status(302), Header("Location", way)) for way in ("{thief}/x", "{self}", "file:///etc/passwd", "http://[")],
    *[_head(Status(307), Header("Location", way)) for way in ("{thief}/x", "http://[", "/honest/one/resolve/main/a")],
]

_LAST = (*PIECE, "history", "main", 0)


def _piece(*edits: Edit) -> Document:
    return Document("piece", edits)


def _catalogue(*edits: Edit) -> Document:
    return Document("catalogue.json", edits)


_TEAM = {"entries": [{"repo_id": "team/x"}], "time": "2026-11-27T10:00:00Z", "node": "0" * 32, "gone": True}
CATALOGUES = [
    _catalogue(Put(("purged", "contents", "{up}{victim}"), {"time": "2026-11-27T10:00:00Z"})),
    _catalogue(Put(("purged", "contents", "0" * 40), 5)),
    _catalogue(Put(("purged", "repos", "../../../beside"), {"time": "2026-11-27T10:00:00Z"})),
    _catalogue(Put(("removed", "models--hostile--old-01"), {"main": [{"serial": "9"}]})),
    _catalogue(Put(("views", 0, "views"), ["../../../beside/new"])),
    _catalogue(Put(("views", 0, "views"), ["another"])),
    _catalogue(Put(("whitelist",), [])),
    _catalogue(Put(("whitelist", "../../../beside.yml"), _TEAM)),
    _catalogue(Put(("whitelist", "team.yml"), {**_TEAM, "entries": [{"repo_id": "{up}{victim}"}]})),
    _catalogue(Put(("whitelist", "team.yml"), {**_TEAM, "entries": [{"repo_id": "{up}{victim}"}] * 9})),
    _catalogue(Put(("whitelist", "team.yml"), {**_TEAM, "time": "9999-12-31T23:59:59Z"})),
    Document("catalogue-digest.json", (Whole(b"[" * 10_000_000),)),
    Document("catalogue-digest.json", (Drip(),)),
    _catalogue(Put(("format",), 2)),
    _catalogue(Raw(("repos",), "[", 100_000, "]")),
    _catalogue(Drip()),
    _catalogue(Whole(b"[" * 10_000_000)),
    _catalogue(Status(302), Header("Location", "{thief}/x")),
]
_ETAG = ("files", "config.json", 1)
OF_PEER = [
    *[_piece(Put((*_LAST, "serial"), serial)) for serial in _any("3", None, 2**70, -1, 5.5, [])],
    *[_piece(Put((*_LAST, "time"), time)) for time in (5, None, "x", "")],
    *[_piece(Drop((*_LAST, name))) for name in ("serial", "time", "commit", "actor")],
    *[_piece(Put((*_LAST, "commit"), commit)) for commit in ("{up}{store}/hub", "ABCDEF", 5, None)],
    _piece(Drop(_LAST)),
    _piece(Rename(PIECE, "models--..--..")),
    _piece(Rename((*PIECE, "history", "main"), "../../../../../../beside/new")),
    _piece(Rename((*PIECE, "commits", "{commit}"), "{up}{store}/hub")),
    _piece(Put((*PIECE, "marks"), {"pins": {"../../../x": {"time": 5}}})),
    _piece(Put((*PIECE, "pending"), {"../x": "{commit}"})),
    *[Document("upstream", (Put(_ETAG, oid),)) for oid in _any("../../../victim", "{up}{victim}", None, 5, [])],
    Document("upstream", (Put(_ETAG, "{up}{victim}"), Put(("files", "config.json", 0), _SIZE))),
    *[Document("upstream", (Put(("files", "config.json", 0), size),)) for size in _any("5", None, -5, 5.5, 2**70)],
    Document("upstream", (Rename(("files", "config.json"), "../../../../../beside/new"),)),
    Document("upstream", (Put(("commit",), "{up}{store}/hub"),)),
    Document("upstream", (Put(("info",), 5),)),
    Document("rev", (Put(("siblings", 2, "rfilename"), 5),)),
    Document("rev", (Put(("siblings", 2, "rfilename"), "../../../../../beside/new"),)),
    Document("rev", (Drop(("siblings",)),)),
    Document("rev", (Header("Transfer-Encoding", "chunked"), Whole(b"x"))),
    Document("pool", (Status(302), Header("Location", "{thief}/x"))),
    Document("pool", (Status(302), Header("Location", "http://["))),
]
