# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The document in which paths are looked up."""

from __future__ import annotations

import hashlib
import itertools
import json
from pathlib import Path

from ansible_collections.modelops.hf_mirror.plugins.module_utils._store.path_index import path_index
from unit.engine.machine.invariants import by_path


def test_nobody_chooses_names_of_one_bucket(tmp_path: Path) -> None:
    """Each lookup reads its whole bucket. These names are in one by the digest of the path alone."""
    count = 300
    digests = ((f"{number:x}", hashlib.sha256(b"%x" % number).hexdigest()) for number in itertools.count())
    names = list(itertools.islice((name for name, digest in digests if int(digest[:8], 16) % count == 0), count))
    index = path_index({name: json.dumps({"path": name}).encode() for name in names})
    (tmp_path / "paths.txt").write_bytes(index)
    assert by_path(tmp_path / "paths.txt") == {name: {"path": name} for name in names}
    ends = [int(index[45 + 12 * number :][:11]) for number in range(count + 1)]
    assert max(end - start for start, end in itertools.pairwise(ends)) < 20 * len(index) / count
