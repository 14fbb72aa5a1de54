# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the engine raises when it can say in a sentence what is wrong and what to do."""

from __future__ import annotations


class MirrorError(Exception):
    """A problem that a person can act on; its text is shown as it is."""
