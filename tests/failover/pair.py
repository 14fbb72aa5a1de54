# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pair of mirrors: how both come to have the same."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from testhosts import MIRRORS, are_well, connect, until

FOLLOW = "hf-mirror-follow"


def have_caught_up() -> bool:
    return all(connect(name).file(f"/run/{FOLLOW}/caught-up").exists for name in MIRRORS)


@contextlib.contextmanager
def following() -> Iterator[None]:
    """Let both follow each other, and begin with the same."""
    for name in MIRRORS:
        # what other tests brought to one of the two would follow
        connect(name).check_output("hf-mirror sync --state exact --max-delete 100%")
    try:
        for name in MIRRORS:
            connect(name).check_output("systemctl enable --now %s", FOLLOW)
        until(lambda: are_well() and have_caught_up())
        yield
    finally:
        for name in MIRRORS:
            connect(name).run("systemctl disable --now %s; rm -rf /run/%s", FOLLOW, FOLLOW)
