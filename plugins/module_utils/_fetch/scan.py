# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pickles: content that runs code when it is loaded, found by picklescan, whatever the file is called."""

from __future__ import annotations

import io
import logging
import os
import re
import traceback
from pathlib import Path

from .._base.errors import MirrorError

try:
    from picklescan.scanner import scan_bytes
except ImportError:
    PICKLESCAN_ERROR: str | None = traceback.format_exc()
else:
    PICKLESCAN_ERROR = None
    # it prints a warning for every file that is no pickle
    logging.getLogger("picklescan").setLevel(logging.CRITICAL)

#: A chance byte at the start of other content may read as the length of a string of gigabytes.
_LONGEST_READ = 64 << 20
#: Text can read as an import, too ("cat\\ndog\\n" does): what is imported has to be a name that Python can have.
_MODULE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")


class _CarefulReader(io.BufferedReader):
    def read(self, size: int | None = -1) -> bytes:
        left = os.fstat(self.fileno()).st_size - self.tell()
        if (left if size is None or size < 0 else min(size, left)) > _LONGEST_READ:
            raise ValueError("no pickle has that in its head")
        return super().read(size)


def find_imports(file: Path, name: str) -> list[str]:
    """Return what a content imports when it is unpickled (``os.system``), nothing where it is no pickle.

    ``name`` is the file's name in its repository: PyTorch's suffixes have formats of their own.
    """
    if not file.stat().st_size:
        return []
    with _CarefulReader(io.FileIO(file)) as source:
        try:
            found = scan_bytes(source, name, os.path.splitext(name)[1].lower())
        except Exception as problem:
            # a broken archive is not worth guessing about
            raise MirrorError(f"{name} can't be searched for pickles: {type(problem).__name__} {problem}") from problem
    return sorted({f"{one.module}.{one.name}" for one in found.globals if _MODULE.fullmatch(str(one.module))})


def refuse_pickle(file: Path, name: str, what: str) -> None:
    """Raise MirrorError where a content is a pickle. ``what`` names the commit that is held for it."""
    imports = find_imports(file, name)
    if imports:
        shown = ", ".join(imports[:3]) + (f" and {len(imports) - 3} more" if len(imports) > 3 else "")
        raise MirrorError(
            f"{name} of {what} is a pickle (it imports {shown}) and the entry says formats: no-pickle; the whole commit"
            " is held"
        )
