# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What operators and their programs are told of a store, in its folder ``v1``: ``status`` and ``metrics``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from .._base.lock import locked
from .._store.linked import Linked
from .._store.store import Store

_STATUS, _METRICS = "status", "metrics"


def write_status(store: Store, found: Mapping[str, Any], metrics: bytes) -> None:
    """Write what ``describe`` found, and the same as metrics. The repositories have documents of their own."""
    told = {name: value for name, value in found.items() if name != "repos"}
    content = json.dumps(told, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode("utf-8", "replace")
    with locked(store.root / "locks" / "status", wait=True):
        documents = Linked(store.root / "v1", store.fs)
        documents.lead(_STATUS, content)
        documents.put(_METRICS, metrics)
        documents.settle([_STATUS], [_METRICS])
