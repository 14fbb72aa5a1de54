# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``hf-mirror lock``: write down what the whitelist has published, so that other runs can be held to it."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any

from .._base.errors import MirrorError
from .._plan.lockfile import LockFile, locked_entry
from .._plan.views import current_files
from .._plan.wanted import Wanted
from .._store.store import Store
from .arguments import FINE
from .session import Session


def lock(session: Session) -> int:
    """Write the lock file."""
    store, wanted = session.store(), session.wanted()
    value = LockFile({str(one): _entry(store, one) for one in wanted}).to_json()
    output: Path | None = session.options.output
    if output:
        _replace(output, json.dumps(value, ensure_ascii=False, indent=2) + "\n")
    else:
        session.terminal.data(value)
    return FINE


def _entry(store: Store, wanted: Wanted) -> dict[str, Any]:
    facts = store.repository(wanted.repo).facts()
    published = current_files(wanted, facts)
    if not published:
        raise MirrorError(f"{wanted} is not published, nothing was written. First run: hf-mirror sync")
    commit = wanted.commit or facts.refs[wanted.revision]
    return locked_entry(commit, {path: published[path] for path in wanted.select(published)}, store.pool.path)


def _replace(file: Path, content: str) -> None:
    """Give a file new content at one instant. Raises MirrorError where it is a link, a device or a folder."""
    if os.path.lexists(file) and (file.is_symlink() or not file.is_file()):
        raise MirrorError(f"{file} is not a regular file and would be replaced: choose another --output")
    descriptor, draft = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)
    try:
        with open(descriptor, "w", encoding="utf-8") as target:
            target.write(content)
            target.flush()
            os.fsync(descriptor)
        os.chmod(draft, 0o644)  # no secret: everybody who syncs reads it
        os.replace(draft, file)
    except BaseException:
        os.unlink(draft)
        raise
