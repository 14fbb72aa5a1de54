# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hypothesis makes hostile answers: an honest one, and a few edits of what is in it or around it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st
from unit.fuzz.answers import (
    Cut,
    Drop,
    Edit,
    Flip,
    Header,
    Lie,
    Packed,
    Place,
    Put,
    Raw,
    Recode,
    Rename,
    Repeat,
    Status,
    Twice,
    Whole,
)
from unit.fuzz.honest import PAGE, HonestRepo

_SAMPLE = HonestRepo("hostile/sample")

#: Ways out of the store, to its own documents, to what belongs to somebody else; ``upstream.fill`` knows the names.
PATHS = [
    *["{up}{victim}", "{victim}", "../../beside/victim", "../../../beside/victim", "../../../../../beside/victim"],
    *["{up}{store}/hub", "{up}{store}/store.json", "../../../../store", "../../../victim", "{up}etc/passwd"],
    *["/etc/passwd", "{up}{beside}/new", "../new", "a/../../../../../../beside/new", "..", ".", "/", "", "a//b", "./a"],
    *["a/", "../", "a/./b", "~/a", "a\\..\\b", ".mirror.recursive.json", ".mirror/rev/main", ".git/config", "link/x"],
    *["x" * 255, "x" * 256, "é" * 128, "x" * 5000, "d/" * 64 + "x", "d/" * 1000 + "x", "config.json/x", "folder"],
]
#: Names as people write them, and such as no file may have.
LETTERS = [
    *[
        "Screenshot\u202f1.png",
        "a\u00a0b",
        "a\u3000b",
        "\ufeffa",
        "a\u00adb",
        "\U0001f469\u200d\U0001f680",
        "\u202egnp.a",
    ],
    *[
        "\ud800",
        "a\udfffb",
        "a\nb",
        "a\rb",
        "a\r\nX-A: b",
        "a\x00b",
        "\x1b[31mred",
        "a\u2028b",
        "a\u2029b",
        "a\x7f",
        "\x85",
    ],
    *[
        "e\u0301",
        "ﬁ",
        "\u0130",
        "a\u200bb",
        "COM1",
        "%2e%2e%2f",
        "a%00b",
        "a?b#c",
        "a b",
        "*",
        "[a]",
        "$(touch x)",
        "{up}",
    ],
]
#: What is of another kind, or much too large, where something else is expected.
SCALARS: list[Any] = [
    *[None, True, False, 0, 1, -1, -5, 5.5, 1e308, 2**31, 2**63 - 1, 2**63, 2**70, -(2**70), "5", "0", "null", "auto"],
    *["main", "ABCDEF", "{commit}", "0" * 40, "F" * 40, "0" * 39, "0" * 41, "0" * 40 + "\n", "0" * 64, "{sha256}"],
    *[[], {}, [None], [[]], {"": None}, {"a": 1}, [1, 2], {"self": 1}, "x" * 100_000, "٣" * 40, "directory", "file"],
    *["2026-11-27T10:00:00+00:00", "2026-11-27", "27 Nov", "9999-99-99T99:99:99Z", "0000-01-01T00:00:00.000Z"],
]
#: Tokens that are no JSON, or that JSON's readers differ about: (text, times, end).
TOKENS = [
    *[
        ("NaN", 1, ""),
        ("-Infinity", 1, ""),
        ("1e999", 1, ""),
        ("-0", 1, ""),
        ("01", 1, ""),
        ("'a'", 1, ""),
        ("", 1, ""),
    ],
    *[("[", 50, "]"), ("[", 1000, "]"), ("[", 100_000, "]"), ('{"a":', 1000, "}"), ('{"a":[', 50_000, "]}")],
    *[("1", 5000, ""), ('"\\ud800"', 1, ""), ('"\\uZZZZ"', 1, ""), ('"a\nb"', 1, ""), ('"open', 1, ""), ("5,5", 1, "")],
]
BODIES = [
    *[
        b"",
        b"null",
        b"true",
        b"5",
        b'"text"',
        b"[]",
        b"{}",
        b"[[]]",
        b"[null]",
        b"[{}]",
        b"NaN",
        b"\xff\xfe\x00",
        b"\x00",
    ],
    *[
        b"<html>502</html>",
        b"[" * 100_000,
        b'{"a":' * 5000,
        b"{}{}",
        b"{} x",
        b"\xef\xbb\xbf{}",
        b"data: {}\n\n",
        b"1" * 9999,
    ],
]
TYPES = [
    "text/html",
    "",
    "application/json; charset=utf-16",
    "application/json; charset=x",
    "application/x-ndjson",
    "\x7f",
]
#: Where an answer sends to.
WAYS = [
    *["{thief}/x", "{thief}/{repo}/resolve/{commit}/config.json", "//127.0.0.1:1/x", "http://127.0.0.1:1/", "{self}"],
    *[
        "file:///etc/passwd",
        "file:{victim}",
        "/api/models/honest/one/tree/main",
        "/honest/one/resolve/main/config.json",
    ],
    *["", "/", "?", "#", "..", "http://", "http://[::1", "http://[::1]:1/", "http://127.0.0.1:99999/", "http://a b/"],
    *[
        "ftp://127.0.0.1/x",
        "data:,x",
        "javascript:1",
        "http://user:word@127.0.0.1:1/",
        "http://0177.1:1/",
        "\x00",
        "\xe9",
    ],
    *["{hub}/api/models/{repo}/tree/main?cursor={count}", "x" * 9000, "http://127.1:1/", "http://\u202e/", "http:/x"],
]
LINKS = [
    *["garbage", "<", "<>", '<>; rel="next"', "; rel=next", '<{hub}/a>; rel="prev"', "<{hub}/a>; rel=next; rel=next"],
    *['<a>; rel="next", <b>; rel="next"', ", " * 3000, "<" * 3000, '<{self}>; rel="next"' * 50],
]
NUMBERS = ["", "-1", "0", "1", "5.5", "0x10", "1e9", "9" * 30, "9" * 5000, "a", " 5 ", "+5", "٣", "5, 5", "5\t"]
LIMITS = [
    '"api";r=0;t=5',
    '"api";r=0;t=' + "9" * 5000,
    '"resolvers";r=0;t=x',
    '"' + "a" * 5000,
    "r=0",
    '"api";r=-1;t=-1',
]
TAGS = [
    '""',
    '"',
    "W/",
    'W/"',
    "0" * 40,
    '"{sha256}"',
    '"' + "0" * 64 + '"',
    '"' + "x" * 9000 + '"',
    "\xff",
    '"a", "b"',
]
STATUSES = [
    100,
    101,
    199,
    201,
    203,
    204,
    205,
    206,
    300,
    301,
    302,
    304,
    307,
    308,
    400,
    401,
    403,
    404,
    405,
    407,
    409,
    410,
]
STATUSES += [412, 413, 416, 418, 421, 451, 500, 502, 503, 505, 511, 599, 600, 999]
ENCODINGS = ["gzip", "deflate", "br", "zstd", "identity", "gzip, gzip, gzip, gzip, gzip, gzip", "x", "compress"]

#: Keys of a peer's documents that look like names, and are others', or none.
_NAMES = [
    *[
        "models--hostile--x",
        "models--a--b--c",
        "models--",
        "datasets--..--..",
        "models--a/b--c",
        "spaces--a",
        "models--a.git--b",
    ],
    *[
        "refs/pr/1",
        "refs/../../x",
        "refs/convert/parquet",
        "main.lock",
        "a" * 300,
        "models--" + "a" * 300 + "--b",
        "{commit}",
    ],
    *["0" * 40, "0" * 64, "G" * 40, "0" * 39, "", " ", "main "],
]

_TEXT = st.text(st.characters(codec=None), max_size=12)
_VALUES = st.one_of(
    st.sampled_from(SCALARS),
    st.sampled_from(PATHS),
    st.sampled_from(LETTERS),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    _TEXT,
    st.recursive(
        st.none() | st.booleans() | st.integers() | _TEXT,
        lambda below: st.lists(below, max_size=3) | st.dictionaries(_TEXT, below, max_size=3),
        max_leaves=6,
    ),
)
#: Keys that somebody may have given a meaning.
_KEYS = st.sampled_from(
    ["self", "cls", "args", "kwargs", "__class__", "id", "sha", "path", "lfs", "tags", "type", "oid", ""]
)


@dataclass(frozen=True)
class Document:
    """One kind of answer about one repository, edited. ``is_new``: nothing of that repository is published yet."""

    kind: str
    edits: tuple[Edit, ...]
    is_new: bool = True
    #: nothing of it says anything about files: these are published as though it were not there
    is_harmless: bool = False

    def __repr__(self) -> str:
        edits = ", ".join(shortened(repr(edit)) for edit in self.edits)
        return f"Document({self.kind!r}, ({edits},){'' if self.is_new else ', is_new=False'})"


def shortened(text: str, length: int = 300) -> str:
    return (
        text if len(text) <= length else f"{text[: length // 2]} ... {len(text)} characters ... {text[-length // 2 :]}"
    )


def places(document: Any, at: Place = ()) -> Iterator[Place]:
    """Yield the places of all values in a document, itself included."""
    yield at
    below = (
        document.items() if isinstance(document, dict) else enumerate(document) if isinstance(document, list) else ()
    )
    for key, value in below:
        yield from places(value, (*at, key))


def json_edits(document: Any, values: st.SearchStrategy[Any] = _VALUES, at: Place = ()) -> st.SearchStrategy[Edit]:
    """Edits of what is in a document, which is at a place of a larger one."""
    every = list(places(document, at))
    found = st.sampled_from(every)
    below = st.sampled_from([one for one in every if one])
    holders = st.sampled_from([one for one in every if one == () or isinstance(one[-1], str)])
    return st.one_of(
        st.builds(Put, below, values),
        st.builds(Put, below, values),
        st.builds(Drop, below),
        st.builds(Twice, below, values),
        st.builds(lambda at, key, value: Put((*at, key), value), holders, _KEYS, values),
        # what is no JSON is nothing of all that is in the larger one either
        *([] if at else [st.builds(lambda at, token: Raw(at, *token), found, st.sampled_from(TOKENS))]),
        st.builds(Repeat, below, st.sampled_from([0, 2, 3, 50])),
    )


def renamings(keys: list[Place]) -> st.SearchStrategy[Edit]:
    """Edits of names that are keys in a document."""
    return st.builds(Rename, st.sampled_from(keys), st.sampled_from([*PATHS, *LETTERS, *_NAMES]))


def around(links: bool = False, limit: bool = True) -> st.SearchStrategy[Edit]:
    """Edits of an answer as a whole: its text, its headers."""
    named = st.builds(lambda way: f'<{way}>; rel="next"', st.sampled_from(WAYS)) | st.sampled_from(LINKS)
    kinds: list[st.SearchStrategy[Edit]] = [
        st.builds(Whole, st.sampled_from(BODIES)),
        st.builds(Whole, st.binary(max_size=20)),
        st.builds(Cut, st.integers(0, 999)),
        st.builds(Flip, st.integers(0, 1000)),
        st.builds(Recode, st.sampled_from(["utf-16", "utf-8-sig", "latin-1", "utf-32", "utf-7"])),
        st.builds(Status, st.sampled_from(STATUSES)),
        st.builds(Lie, st.sampled_from([-1, 1, -1000, 1000, 1 << 40])),
        st.builds(Packed, st.just(" "), st.sampled_from([0, 0, 0, 1])),
        st.builds(Header, st.just("Content-Encoding"), st.sampled_from(ENCODINGS)),
        st.builds(Header, st.just("Content-Type"), st.sampled_from(TYPES)),
        st.builds(Header, st.just("Content-Length"), st.sampled_from(NUMBERS)),
        st.builds(Header, st.just("Transfer-Encoding"), st.sampled_from(["chunked", "gzip, chunked", "x"])),
        st.builds(Header, st.just("X-Error-Code"), st.sampled_from(["", "x", "EntryNotFound", "x" * 5000, "\xff"])),
        st.builds(Header, st.just("Location"), st.sampled_from(WAYS)),
    ]
    if limit:
        kinds.append(st.builds(Header, st.just("RateLimit"), st.sampled_from(LIMITS)))
    if links:
        kinds += [st.builds(Header, st.just("Link"), named)] * 3
    return st.one_of(kinds)


_COMMITS = st.sampled_from(
    [*[one for one in SCALARS if isinstance(one, str) and len(one) < 100], *PATHS[:16], "{up}{store}/hub", "\xff", None]
)


def file_headers(redirects: bool) -> st.SearchStrategy[Edit]:
    """Edits of what the Hub says when it is asked for a file."""
    ways = st.sampled_from(WAYS)
    moved = st.builds(Header, st.just("Location"), ways)
    return st.one_of(
        st.builds(Header, st.just("X-Repo-Commit"), _COMMITS),
        st.builds(Header, st.just("X-Repo-Commit"), _COMMITS),
        st.builds(Header, st.sampled_from(["ETag", "X-Linked-ETag"]), st.sampled_from(TAGS)),
        st.builds(Header, st.just("X-Linked-Size"), st.sampled_from(NUMBERS)),
        st.builds(
            Header, st.just("Content-Range"), st.sampled_from(["bytes 0-0/1", "x", "bytes */5", "bytes 5-1/9", ""])
        ),
        moved,
        *([moved, st.builds(Status, st.sampled_from([301, 302, 303, 307, 308]))] if redirects else []),
        around(),
    )


def _edits(one: st.SearchStrategy[Edit], most: int = 3) -> st.SearchStrategy[tuple[Edit, ...]]:
    return st.lists(one, min_size=1, max_size=most).map(tuple)


_INFO, _TREE = _SAMPLE.info(1), _SAMPLE.tree(1)
#: A redirect needs both: a status and a way.
_REDIRECT = st.builds(
    lambda code, way: (Status(code), Header("Location", way)), st.sampled_from([301, 302, 307]), st.sampled_from(WAYS)
)
#: Documents of a Hub, of all kinds of answers.
OF_HUB: st.SearchStrategy[Document] = st.one_of(
    st.builds(Document, st.just("info"), _edits(json_edits(_INFO)), st.booleans()),
    st.builds(Document, st.just("info"), _edits(around()) | _REDIRECT, st.booleans()),
    st.builds(Document, st.just("tree"), _edits(json_edits(_TREE[:PAGE])), st.booleans()),
    st.builds(Document, st.just("tree"), _edits(json_edits(_TREE[:PAGE])), st.booleans()),
    st.builds(Document, st.just("tree2"), _edits(json_edits(_TREE[PAGE:])), st.booleans()),
    st.builds(Document, st.sampled_from(["tree", "tree2"]), _edits(around(links=True)) | _REDIRECT, st.booleans()),
    st.builds(Document, st.just("head"), _edits(file_headers(True)) | _REDIRECT, st.just(False)),
    st.builds(Document, st.just("file"), _edits(file_headers(True)) | _REDIRECT, st.booleans()),
    st.builds(Document, st.just("bytes"), _edits(file_headers(False)) | _REDIRECT, st.booleans()),
)

# ---- the peer's

_MARK = {"time": "2026-11-27T10:00:00Z", "actor": "x"}
_ENTRY = {"serial": 2, "commit": "{commit}", "time": "2026-11-27T10:00:00Z", "actor": "x"}
_FILE = [5, "0" * 40, None, None]
#: What a catalogue says of a repository, as far as all have it.
_PIECE = {
    "history": {"main": [_ENTRY]},
    "commits": {"{commit}": "digest"},
    "pending": {},
    "marks": {},
    "retired": [],
    "collected": [],
}
PIECE: Place = ("repos", "{folder}")
_NAMED = st.sampled_from([*PATHS, *LETTERS, *_NAMES])
_MARKS = st.sampled_from(
    [_MARK, {**_MARK, "off": True}, {**_MARK, "off": 5}, {"age": 5}, {"age": "5"}, {"time": 5}, {}, None, 5]
)
_PIECES: st.SearchStrategy[Edit] = st.one_of(
    json_edits(_PIECE, at=PIECE),
    json_edits(_PIECE, at=PIECE),
    renamings([PIECE, (*PIECE, "history", "main"), (*PIECE, "commits", "{commit}")]),
    st.builds(lambda ref, value: Put((*PIECE, "pending", ref), value), _NAMED, _VALUES | st.just("{commit}")),
    st.builds(
        lambda kind, name, mark: Put((*PIECE, "marks", kind), {name: mark}),
        st.sampled_from(["pins", "listed", "retired", "x"]),
        _NAMED | st.just("{commit}"),
        _MARKS,
    ),
    st.builds(lambda kind, value: Put((*PIECE, kind, 0), value), st.sampled_from(["retired", "collected"]), _VALUES),
    st.builds(lambda name, value: Put((*PIECE, "commits", name), value), _NAMED, _VALUES),
    st.builds(lambda ref: Put((*PIECE, "history", ref), [_ENTRY]), _NAMED),
    st.builds(
        lambda at, value: Put((*PIECE, "history", "main", 0, at), value),
        st.sampled_from(["serial", "commit", "time", "actor", "rollback"]),
        _VALUES,
    ),
)
#: What a file of the whitelist says, on another node.
_TEAM = {
    "entries": [{"repo_id": "team/x", "views": ["x"], "keep": 5}],
    "time": "2026-11-27T10:00:00Z",
    "node": "0" * 32,
    "gone": False,
}
#: What is said of no repository alone, and what somebody may add there under any name.
_WHOLE: st.SearchStrategy[Edit] = st.one_of(
    json_edits({"format": 1, "repos": {}, "views": [{"repo_id": "x", "views": ["x"]}], "removed": {}, "purged": {}}),
    json_edits({"whitelist": {"team.yml": _TEAM}}),
    st.builds(lambda name: Put(("whitelist", name), _TEAM), _NAMED),
    st.builds(lambda value: Put(("whitelist", "team.yml"), value), _VALUES),
    st.builds(
        lambda at, value: Put(("whitelist", "team.yml"), {**_TEAM, at: value}),
        st.sampled_from(["entries", "time", "node", "gone"]),
        _VALUES,
    ),
    st.builds(lambda name: Put(("whitelist", "team.yml"), {**_TEAM, "entries": [{"repo_id": name}]}), _NAMED),
    st.builds(lambda name, mark: Put(("purged", "contents", name), mark), _NAMED, _MARKS),
    st.builds(lambda name, mark: Put(("purged", "repos", name), mark), _NAMED, _MARKS),
    st.builds(lambda name: Put(("removed", name), {"main": [_ENTRY]}), _NAMED),
    st.builds(lambda value: Put(("removed", "models--hostile--x"), value), _VALUES),
    st.builds(lambda name: Put(("views", 0, "views"), [name]), _NAMED),
    st.builds(lambda name: Put(("views", 0, "repo_id"), name), _NAMED),
    around(),
)
_LISTING = {
    "commit": "x",
    "files": dict.fromkeys(_SAMPLE.files(1), _FILE),
    "folders": {"folder": "0" * 40, "folder/deep": "0" * 40},
    "info": {"tags": ["a"], "lastModified": "2026-11-27T10:00:00.000Z"},
}
_SERVED = {
    **dict.fromkeys(("_id", "id", "sha", "private", "gated", "usedStorage"), "x"),
    "siblings": [{"rfilename": "x", "size": 5, "blobId": "0" * 40, "lfs": {"sha256": "0" * 64, "size": 5}}] * 7,
}
#: A peer's catalogue, of which there is one for all repositories.
CATALOGUES: st.SearchStrategy[Document] = st.one_of(
    st.builds(Document, st.just("catalogue.json"), _edits(_WHOLE)),
    st.builds(Document, st.just("catalogue-digest.json"), _edits(around())),
)
#: What a peer says of single repositories, in its catalogue and elsewhere, and the contents that it gives.
OF_PEER: st.SearchStrategy[Document] = st.one_of(
    st.builds(Document, st.just("piece"), _edits(_PIECES)),
    st.builds(Document, st.just("piece"), _edits(_PIECES)),
    st.builds(
        Document,
        st.just("upstream"),
        _edits(json_edits(_LISTING) | renamings([("files", "config.json"), ("folders", "folder")])),
    ),
    st.builds(Document, st.just("rev"), _edits(json_edits(_SERVED))),
    st.builds(Document, st.sampled_from(["upstream", "rev"]), _edits(around()) | _REDIRECT),
    st.builds(Document, st.just("pool"), _edits(file_headers(True)) | _REDIRECT),
)
