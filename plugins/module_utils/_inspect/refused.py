# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a content is not let through."""

from __future__ import annotations


class Refused(Exception):  # noqa: N818 - it is a judgement
    """A content is not let through. Its text goes on after the content's name: "is a pickle ..."."""

    def within(self, name: str) -> Refused:
        """Return the judgement of an archive or packed content that has this one in it under a name."""
        return Refused(f"has {name} in it, which {self}")


class Limit(Refused):
    """A content is not let through, for it could not be looked into within the limits: it may be made to be so."""

    def within(self, name: str) -> Limit:
        """Return the same of what it is in."""
        return Limit(f"has {name} in it, which {self}")
