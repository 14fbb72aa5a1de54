# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options that several modules have. They are described where the engine's settings are."""

from __future__ import annotations

from ansible_collections.modelops.hf_mirror.plugins.module_utils._module.options import GROUPS, documentation


class ModuleDocFragment:
    """The fragments, by group of options in upper case: STORE, ACTOR and so on."""


# by a loop, for ansible-test takes no assignment in that class but those of texts
for _group in GROUPS:
    setattr(ModuleDocFragment, _group.upper(), documentation(_group))
