# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What playbooks and roles order of the modules: all that a mirror is told once holds for each of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.modelops.hf_mirror.plugins.module_utils._module.options import documentation
from ansible_collections.modelops.hf_mirror.plugins.modules import (
    mirror_gc,
    mirror_models,
    mirror_purge,
    mirror_ref,
    mirror_verify,
)

ROOT = Path(__file__).parents[3]
MODULES = {
    "mirror_gc": mirror_gc,
    "mirror_models": mirror_models,
    "mirror_purge": mirror_purge,
    "mirror_ref": mirror_ref,
    "mirror_verify": mirror_verify,
}
#: Options that say where the mirror's contents come from, what opens that, and who asks for it.
COMMON = {"store", "endpoint", "proxy", "token", "tokens", "peers", "actor"}


def tasks(found: Any) -> Iterator[dict[str, Any]]:
    for one in found if isinstance(found, list) else []:
        yield one
        for part in ("tasks", "pre_tasks", "post_tasks", "block", "rescue", "always"):
            yield from tasks(one.get(part))


ORDERS = [
    pytest.param(module, task[f"modelops.hf_mirror.{module}"], id=f"{file.relative_to(ROOT)} {module}")
    for file in [*sorted(ROOT.glob("playbooks/*.yml")), *sorted(ROOT.glob("roles/mirror_sync/tasks/*.yml"))]
    for task in tasks(yaml.safe_load(file.read_text(encoding="utf-8")))
    for module in MODULES
    if f"modelops.hf_mirror.{module}" in task
]


@pytest.mark.parametrize(("module", "order"), ORDERS)
def test_an_order_leaves_out_nothing_that_the_mirror_was_told(module: str, order: dict[str, Any]) -> None:
    about = yaml.safe_load(MODULES[module].DOCUMENTATION)
    options = {*about["options"]}
    for fragment in about["extends_documentation_fragment"]:
        options |= json.loads(documentation(fragment.rpartition(".")[2]))["options"].keys()
    assert {"store", "config", "actor"} <= options
    # all but who asks for it is in the host's configuration
    assert order.keys() >= ({"config", "actor"} if "config" in order else COMMON.intersection(options))


def test_all_modules_are_ordered_somewhere() -> None:
    assert {order.values[0] for order in ORDERS} == {*MODULES}
