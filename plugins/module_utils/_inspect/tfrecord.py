# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""TFRecord: one record after the other, each with its length. TensorBoard's logs beside models are such."""

from __future__ import annotations

from .stream import Stream

_LONGEST = 1 << 30


def begins(head: bytes) -> bool:
    """Say whether the first record may be one."""
    return len(head) > 16 and 0 < int.from_bytes(head[:8], "little") < _LONGEST


def check(stream: Stream) -> None:
    """Raise an error where the lengths do not lead from the start to the end."""
    while not stream.is_at_end():
        stream.budget.step()
        size = stream.number(8)
        if not 0 < size < _LONGEST:
            raise ValueError("no length")
        stream.skip(4 + size + 4)
