# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A role's variables, as its templates see them, and the spec that says what they are."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from debian_nginx import alone

TOP = Path(__file__).parents[3]


@functools.cache
def spec(role: Path) -> Any:
    return yaml.safe_load((role / "meta/argument_specs.yml").read_text(encoding="utf-8"))["argument_specs"]


def variables_of(role: str, **given: Any) -> dict[str, Any]:
    """Return what a role's templates see on the first of two hosts."""
    facts = {"default_ipv4": {"address": "10.0.0.1", "interface": "eth0"}, "fqdn": "one.example.com"}
    hosts = {name: {"ansible_facts": facts} for name in ("one", "two")}
    known = {"inventory_hostname": "one", "groups": {"mirrors": ["one"], "facefusion": ["two"]}, "hostvars": hosts}
    known |= {"ansible_facts": facts, "role_path": str(TOP / "roles" / role)}
    for file in ("defaults", "vars"):
        known |= DataLoader().load_from_file(str(TOP / "roles" / role / file / "main.yml"), trusted_as_template=True)
    return {**alone(known), **given}


def templar(variables: dict[str, Any]) -> Templar:
    return Templar(loader=DataLoader(), variables=variables)
