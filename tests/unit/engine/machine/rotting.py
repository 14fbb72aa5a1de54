# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Contents rot, and are scrubbed: nobody reads them from the moment they are found, and all is as before in the end."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ansible_collections.modelops.hf_mirror.plugins.module_utils._base.errors import MirrorError
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule
from unit.engine.machine import invariants
from unit.engine.machine.disk import Data, Disk
from unit.engine.machine.faulty_fs import Crash, faulty
from unit.engine.machine.mirror import Whitelist, served
from unit.engine.machine.people import People
from unit.engine.machine.stories import FAULTS, STORIES
from unit.rot import flip


class Rotting(People):
    tell: Callable[[list[Any]], None]
    entries: Callable[[], Whitelist]
    upstream_is_well: Callable[[], None]

    @precondition(lambda self: self.at_rest)
    @rule(place=st.integers(0, 20), story=STORIES, faults=st.lists(FAULTS, max_size=2), syncs=st.booleans())
    def a_content_rots(self, place: int, story: list[Any], faults: list[tuple[Any, ...]], syncs: bool) -> None:
        """A scrub finds it, cut or not, whether the upstream gives it again or not; a sync may come between."""
        self.tell(story)
        # what a cut run linked and no commit lists is had from nowhere, served to nobody, and goes with a collection
        listed = set(invariants.at_any_time(self.root).values())
        pool = [(file, file.stat()) for file in sorted((self.root / "pool").iterdir())]
        whole = [file for file, found in pool if found.st_size and (found.st_nlink == 1 or file.name in listed)]
        if not whole:
            return
        content = whole[place % len(whole)]
        self.mirror.disk.sync(None)
        before = served(self.root)
        spoil(self.mirror.disk, content)
        recovered, self.mirror.recovered = self.mirror.recovered, lambda: None  # it may look at what is rotten
        for fault in faults:
            with contextlib.suppress(Crash, MirrorError, OSError):
                self.mirror.scrub(faulty(self.mirror.disk, fault))
            if fault[0] == "cut":
                self.cut(*fault[2:])
        report = self.mirror.scrub()
        assert report.complete
        for left in report.left:
            assert not content.stat().st_mode & 0o444, f"{left.names} can be read"
        self.upstream_is_well()
        if syncs:
            self.uses(self.entries(), "present")
            with contextlib.suppress(MirrorError):
                self.mirror.run(self.entries())
        assert not self.mirror.scrub(seconds=0).left
        self.mirror.recovered = recovered
        if not syncs:
            after = served(self.root)
            gone = {path for path in before.keys() - after.keys() if path.startswith(("pool/", "staging/"))}
            # what nothing but the pool has is not fetched again
            assert gone <= {path for path, what in before.items() if what == before[f"pool/{content.name}"]}
            assert after == {path: what for path, what in before.items() if path not in gone}
        self.settle()


def spoil(disk: Disk, file: Path) -> None:
    """Change a byte on the disk; nobody did it, and nothing can undo it."""
    flip(file)
    inode = disk.inode(file)
    assert inode is not None
    disk.do(Data(inode, 0, file.read_bytes()))
    disk.sync(inode)
