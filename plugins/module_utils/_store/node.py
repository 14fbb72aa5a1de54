# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which node a store is: an id that its place has, so that a copy of a store, on whatever host, is another node.

Whoever has a new id is a node that has decided nothing yet: a store that was moved or restored loses nothing by that.
"""

from __future__ import annotations

import json
import os
import uuid
from pathlib import Path
from typing import Any

from .._base import fs as _fs
from .._border.json import AnswerProblem, mapping, read_document
from .store import Store


def node_of(value: Any) -> str:
    """Return the id of a node. Raises AnswerProblem."""
    if not isinstance(value, str) or len(value) != 32 or not value.isalnum():
        raise AnswerProblem("the id of a node is 32 letters and digits")
    return value


def known_node(store: Store) -> str:
    """Return this node's id, empty where it has none yet, or where the store is a copy of another node's."""
    try:
        told = mapping(read_document(_file(store)), "it")
        return node_of(told.get("id")) if told.get("place") == _place(store) else ""
    except (OSError, ValueError):
        return ""


def own_node(store: Store) -> str:
    """Return this node's id, which it gets here where it has none yet. The run lock must be held."""
    known = known_node(store)
    if known:
        return known
    new = uuid.uuid4().hex
    content = json.dumps({"id": new, "place": _place(store)}).encode()
    _fs.replace_file(store.fs, _file(store), content, store.staging)
    return new


def _place(store: Store) -> str:
    """Return what a copy differs in: on another host its name, on the same one the folder's inode."""
    # not the device, whose number may be another one after each start of the host
    return f"{os.uname().nodename}:{store.root.stat().st_ino}"


def _file(store: Store) -> Path:
    return store.root / "ledger" / "node.json"
