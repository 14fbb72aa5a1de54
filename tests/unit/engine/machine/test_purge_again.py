# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A purge is cut at each call, by a crash and by a power cut, and made again with nothing in between."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
from pathlib import Path
from random import Random

import pytest
from ansible_collections.modelops.hf_mirror.plugins.module_utils._run.purge import Purge
from ansible_collections.modelops.hf_mirror.plugins.module_utils._store.store import Store
from unit.engine.machine import invariants
from unit.engine.machine.faulty_fs import Crash, CrashingFs
from unit.engine.machine.mirror import Mirror
from unit.engine.machine.profile import CUTS, FULL, SEED
from unit.engine.machine.scenarios import BOTH, FILES, SHARED, start
from unit.engine.machine.upstream import StandingClock

#: One is in the root of a commit and in two repositories, the other one has a folder of its own.
CONTENTS = {"shared": SHARED, "deep": FILES["deep/er/weights.bin"]}


@pytest.mark.parametrize("content", CONTENTS.values(), ids=CONTENTS)
@pytest.mark.parametrize("how", [None, *CUTS] if FULL else [None, "any"], ids=str)
def test_it_takes_down_what_is_left(root: Path, content: bytes, how: str | None) -> None:
    mirror = Mirror(root, start(), StandingClock())
    mirror.run(BOTH)
    before, etag = mirror.disk.now.copy(), hashlib.sha256(content).hexdigest()
    if not (root / "pool" / etag).exists():
        etag = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
    assert (root / "pool" / etag).exists()

    def purge(call: int = 0) -> CrashingFs:
        fs = CrashingFs(mirror.disk, call) if call else CrashingFs(mirror.disk)
        with contextlib.suppress(Crash):
            Purge(Store(root, fs, mirror.clock), "a person").content(etag)
        return fs

    for call in itertools.count(1, 1 if FULL else 4):
        mirror.boot(before.copy())
        fs = purge(call)
        if how:
            disk = mirror.disk
            mirror.boot(disk.after_power_cut(len(disk.events), Random(f"{SEED} {call}"), how))
        invariants.at_any_time(root)
        purge()
        listed = invariants.at_any_time(root)
        assert etag not in listed.values()
        assert not [*root.rglob(etag)]
        if not fs.dead:
            break
