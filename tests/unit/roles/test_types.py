# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A text where a list, a number or true belongs: the same as the value that it stands for, or refused by name.

Every option of every role is tried, in each way in which operators give it. What the lookup wrong_arguments lets pass
as a text is one that a filter makes the value of; that the roles do so wherever they use it is read from their files.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jinja2
import pytest
import yaml
from ansible.inventory.manager import InventoryManager
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.parsing.dataloader import DataLoader
from ansible.parsing.splitter import parse_kv
from ansible.plugins.filter.core import to_bool
from ansible.template import Templar
from ansible_collections.modelops.hf_mirror.plugins.lookup.wrong_arguments import LookupModule
from jinja2 import nodes

TOP = Path(__file__).parents[3]
ROLES = sorted((TOP / "roles").iterdir())
CASTS: dict[str, Any] = {"bool": to_bool, "int": int, "float": float}
#: Texts that operators give, or that a survey makes of nothing.
TEXTS = {
    "bool": ["true", "False", "yes", "NO", "on", "off", "1", "0", "y", "t", "", "None", "null", " true", "[]", "2"],
    "int": ["4", "0", "-1", "4.0", "4.5", "04", " 4", "+4", "1_000", "1e3", "٤", "true", "", "None", "null", "[4]"],
    "float": ["4", "0.25", "-1", "1e3", "inf", "nan", "", "None", " 4.5", "true"],
    "list": ["", "None", "null", "a", "a,b", "a\nb", "[]", '["a"]', '[{"name": "a", "repos": ["*"]}]', "{}", "*", "name=a"],
    "dict": ["", "None", "null", "a=b", "{}", '{"a": "b"}', "[]"],
}
TRUE_TO_THE_FILTERS = {
    "bool": {"true", "False", "yes", "NO", "on", "off", "1", "0"},
    "int": {"4", "0", "-1"},
    "float": {"4", "0.25", "-1"},
}


def spec(role: Path) -> Any:
    return yaml.safe_load((role / "meta/argument_specs.yml").read_text(encoding="utf-8"))["argument_specs"]


ENTRIES = [pytest.param(role, entry, id=f"{role.name}-{entry}") for role in ROLES for entry in spec(role)]


def walk(options: dict[str, Any], place: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], dict[str, Any]]]:
    """Yield where each option is, and what the spec says about it, members of lists and of mappings, too."""
    for name, option in options.items():
        yield (*place, name), option
        if option["type"] == "list":
            yield (*place, name, 0), {**option, "type": option["elements"]}
        yield from walk(option.get("options", {}), (*place, name, 0) if option["type"] == "list" else (*place, name))


def written(place: tuple[Any, ...]) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place).lstrip(".")


def values(options: dict[str, Any], place: tuple[Any, ...], value: Any) -> dict[str, Any]:
    """Return variables that hold ``value`` there, and nothing else but what has to be there."""
    name, *rest = place
    given: dict[str, Any] = {key: "10" for key, option in options.items() if option.get("required")}
    if rest and rest[0] == 0:
        given[name] = [values(options[name]["options"], tuple(rest[1:]), value) if rest[1:] else value]
    else:
        given[name] = values(options[name]["options"], tuple(rest), value) if rest else value
    return given


def told(role: Path, entry: str, variables: dict[str, Any]) -> list[str]:
    """Ask as the role's first task does."""
    loader = DataLoader()
    known = {"role_path": str(role), **variables}
    return LookupModule(loader=loader, templar=Templar(loader=loader, variables=known)).run([entry], known)


def by_ini(folder: Path, name: str, text: str) -> Any:
    """Return what an INI inventory makes of it."""
    file = folder / "hosts.ini"
    file.write_text(f"[mirrors]\none\n[mirrors:vars]\n{name}={text}\n", encoding="utf-8")
    return InventoryManager(DataLoader(), [str(file)]).groups["mirrors"].vars[name]


def by_command_line(folder: Path, name: str, text: str) -> Any:
    """Return what ``-e NAME=TEXT`` makes of it."""
    return parse_kv(f"{name}='{text}'")[name]


def by_survey(folder: Path, name: str, text: str) -> Any:
    """Return what AWX makes of a survey's answer, which it writes as JSON."""
    return DataLoader().load(json.dumps({name: text}))[name]


@pytest.mark.parametrize("way", [by_ini, by_command_line, by_survey])
@pytest.mark.parametrize(("role", "entry"), ENTRIES)
def test_a_text_is_the_value_or_is_refused_by_name(role: Path, entry: str, way: Any, tmp_path: Path) -> None:
    options = spec(role)[entry]["options"]
    for place, option in walk(options):
        kind = option["type"]
        for text in TEXTS.get(kind, []):
            if way is by_ini and "\n" in text:
                continue  # which a line can't hold
            given = values(options, place, way(tmp_path, "value", text))
            inner: Any = given
            for part in place:
                inner = inner[part]
            refusal = told(role, entry, given)
            if isinstance(inner, str) and inner in TRUE_TO_THE_FILTERS.get(kind, ()):
                assert refusal == []
                out: Any = ArgumentSpecValidator(options).validate(given).validated_parameters
                for part in place:
                    out = out[part]
                # what a role makes of it is what Ansible's modules would
                assert CASTS[kind](inner) == out, (place, text)
            elif isinstance(inner, str) or inner is None:
                assert refusal[0].startswith(f"{written(place)} must be "), (place, text, refusal)
            else:  # INI inventories know numbers, lists and True
                assert refusal == [] or refusal[0].startswith(written(place)), (place, text, refusal)
            assert "Ansible" not in " ".join(refusal)


@pytest.mark.parametrize(("role", "entry"), ENTRIES)
def test_nothing_is_null(role: Path, entry: str) -> None:
    options = spec(role)[entry]["options"]
    for place, option in walk(options):
        if option["type"] != "raw":
            assert told(role, entry, values(options, place, None))[0].startswith(f"{written(place)} must be ")


# ---- what the roles do with what passes -----------------------------------------------------------------------------

TYPES: dict[str, str] = {
    place[-1]: option["type"]
    for role in ROLES
    for entry in spec(role).values()
    for place, option in walk(entry["options"])
    if option["type"] in CASTS and len(place) == 1
}
FILES = sorted(
    file
    for pattern in ("roles/*/tasks/*.yml", "roles/*/handlers/*.yml", "roles/*/vars/*.yml", "roles/*/defaults/*.yml")
    + ("roles/*/templates/*.j2", "playbooks/*.yml")
    for file in TOP.glob(pattern)
)
#: What is an expression without braces.
EXPRESSIONS = {"when", "that", "until", "changed_when", "failed_when"}


def templates(found: Any, key: str = "") -> Iterator[str]:
    """Yield the templates in a YAML file's content."""
    if isinstance(found, dict):
        for name, value in found.items():
            yield from templates(value, name)
    elif isinstance(found, list):
        for value in found:
            yield from templates(value, key)
    elif isinstance(found, str):
        yield f"{{{{ ({found}) }}}}" if key in EXPRESSIONS and "{{" not in found else found


def uncast(template: str, is_text: bool) -> Iterator[str]:
    """Yield the options that a template takes as they are, where a text would not be the same."""

    def look(node: nodes.Node, above: list[nodes.Node]) -> Iterator[str]:
        name = node.name if isinstance(node, nodes.Name) else node.attr if isinstance(node, nodes.Getattr) else ""
        if name in TYPES and not is_cast(name, node, above):
            yield name
        for child in node.iter_child_nodes():
            yield from look(child, [*above, node])

    def is_cast(name: str, node: nodes.Node, above: list[nodes.Node]) -> bool:
        for parent in reversed(above):
            if isinstance(parent, nodes.Filter) and parent.node is node:
                if parent.name == TYPES[name]:
                    return True
                if parent.name != "default":
                    return parent.name == "string" and TYPES[name] != "bool"
            elif isinstance(parent, nodes.Test):
                return parent.name in ("defined", "undefined")
            else:
                is_written = isinstance(parent, nodes.Concat) or (
                    isinstance(parent, nodes.Output) and (is_text or len(parent.nodes) > 1)
                )
                return is_written and TYPES[name] != "bool"
            node = parent
        return False

    yield from look(jinja2.Environment().parse(template), [])


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(TOP)))
def test_what_may_be_a_text_is_cast(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    is_text = file.suffix == ".j2"
    found = [text] if is_text else templates(yaml.safe_load(text))
    assert sorted({name for one in found for name in uncast(one, is_text)}) == []


def test_a_cast_that_is_missing_is_found() -> None:
    assert list(uncast("{{ mirror_sync_timer }}", False)) == ["mirror_sync_timer"]
    assert list(uncast("{{ 'a' if mirror_sync_timer | default(true) else 'b' }}", True)) == ["mirror_sync_timer"]
    assert list(uncast("{{ mirror_sync_workers > 1 }} {{ mirror_sync_workers }}", True)) == ["mirror_sync_workers"]
    assert list(uncast("{{ mirror_sync_timer | default(true) | bool }} {{ mirror_sync_workers }}", True)) == []
    assert list(uncast("{{ hostvars['a'].mirror_sync_timer }}", False)) == ["mirror_sync_timer"]


@pytest.mark.parametrize(("role", "entry"), ENTRIES)
def test_each_entry_point_looks_at_its_variables_first(role: Path, entry: str) -> None:
    tasks = yaml.safe_load((role / "tasks" / f"{entry}.yml").read_text(encoding="utf-8"))
    if entry == "main":
        assert tasks[0]["ansible.builtin.include_tasks"] == "preflight.yml"
        return
    options = "main" if entry == "preflight" else entry
    is_look = [task.get("ansible.builtin.assert", {}).get("that") for task in tasks]
    before = tasks[: is_look.index(f"query('modelops.hf_mirror.wrong_arguments', '{options}') | length == 0")]
    # facts, of which defaults are made, and the system
    assert {key for task in before for key in task if "." in key} <= {"ansible.builtin.setup", "ansible.builtin.assert"}
    assert not [name for name in spec(role)[entry]["options"] if f"{{{{ {name}" in json.dumps(before)]
