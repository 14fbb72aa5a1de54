# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What may happen to a mirror, as Hypothesis draws it."""

from __future__ import annotations

from ansible_collections.modelops.hf_mirror.plugins.module_utils._plan.facts import Repo
from hypothesis import strategies as st

REPOS = [Repo("model", "org/one"), Repo("model", "org/two"), Repo("dataset", "org/three")]
REFS = ["main", "refs/pr/1"]
PATHS = ["a.bin", "b.txt", "README.md", "deep/c.bin", "deep/er/b.txt"]
CONTENTS = [b"", b"some weights " * 5, b"other weights " * 6, b"text", b"more text, of some length" * 3]
CALLS = st.integers(1, 150)
CUTS = st.sampled_from(["any", "journal", "last", "none"])
FAULTS = st.one_of(
    st.tuples(st.just("crash"), CALLS),
    st.tuples(st.just("cut"), CALLS, st.integers(0, 1 << 30), CUTS),
    st.tuples(st.just("full"), st.integers(1, 60)),
)
EDITS = st.dictionaries(st.sampled_from(PATHS), st.sampled_from([*CONTENTS, None]), min_size=1, max_size=3)
OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "files": st.lists(st.sampled_from(PATHS), min_size=1, max_size=3, unique=True),
        "allow_patterns": st.sampled_from([["*.bin"], ["deep/"], ["*"]]),
        "views": st.lists(st.sampled_from(["flat", "other"]), min_size=1, unique=True),
        "publish": st.sampled_from(["auto", "manual"]),
        "allow_rewind": st.booleans(),
        "keep": st.integers(1, 3),
    },
)
CHANGES = st.tuples(st.just("upstream_changes"), st.sampled_from(REPOS), st.sampled_from(["main", *REFS]), EDITS)
LISTS = st.tuples(st.just("list_it"), st.sampled_from(REPOS), st.sampled_from([*REFS, "commit"]), OPTIONS)
JUMPS = st.tuples(st.just("clock_jumps"), st.sampled_from([-40, -1, 0.05, 1, 1.5, 8, 400]))
#: What a person decides: what, about which ref, and which of the commits that are here; the last is none in particular.
DECISIONS = st.tuples(
    st.sampled_from(["promote", "rollback", "rollback", "pin", "pin", "unpin", "freeze", "freeze", "unfreeze"]),
    st.sampled_from(REPOS),
    st.sampled_from(["main", "main", *REFS]),
    st.sampled_from([None, None, 0, 1, 2]),
)
#: What happens to a mirror: the name of a method and its arguments.
EVENTS = st.one_of(
    CHANGES,
    CHANGES,
    LISTS,
    st.tuples(st.just("unlist"), st.integers(0, 10)),
    st.tuples(st.just("upstream_goes_back"), st.sampled_from(REPOS), st.integers(0, 2)),
    st.tuples(st.just("upstream_drops_all_files"), st.sampled_from(REPOS), st.booleans()),
    st.tuples(st.just("upstream_refuses"), st.sampled_from(REPOS), st.booleans(), st.booleans()),
    st.tuples(st.just("upstream_sends_rubbish"), st.sampled_from(CONTENTS[1:]), st.sampled_from(CONTENTS)),
    st.tuples(st.just("upstream_is_well")),
    JUMPS,
    JUMPS,
    st.tuples(st.just("grace_is"), st.sampled_from([0, 24, 72])),
    DECISIONS.map(lambda decision: ("decide", *decision)),
    DECISIONS.map(lambda decision: ("decide", *decision)),
)
STORIES = st.lists(EVENTS, max_size=3)
