# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The status as the API answers it to operators: ``v1/status`` of the store."""

from __future__ import annotations

import json

from .._base.lock import locked
from .._store.linked import Linked
from .._store.store import Store
from .describe import describe

_STATUS = "status"


def write_status(store: Store) -> None:
    """Write what the store has and how it fares now. The repositories have documents of their own."""
    found = {name: value for name, value in describe(store).items() if name != "repos"}
    found["time"] = store.clock.now()
    content = json.dumps(found, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()
    with locked(store.root / "locks" / "status", wait=True):
        documents = Linked(store.root / "v1", store.fs)
        documents.lead(_STATUS, content)
        documents.settle([_STATUS])
