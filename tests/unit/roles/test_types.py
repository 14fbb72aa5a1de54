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
from ansible.template import trust_as_template
from ansible_collections.modelops.hf_mirror.plugins.lookup.wrong_arguments import (
    LookupModule,
    problems_of,
)
from jinja2 import nodes
from unit.roles.role_variables import TOP, spec, templar, variables_of

#: All but the one whose variables come from these.
ROLES = sorted(role for role in (TOP / "roles").iterdir() if role.name != "common")
CASTS: dict[str, Any] = {"bool": to_bool, "int": int, "float": float}
#: Texts that operators give, or that a survey makes of nothing.
TEXTS = {
    "bool": ["true", "False", "yes", "NO", "on", "off", "1", "0", "y", "t", "", "None", "null", " true", "[]", "2"],
    "int": ["4", "0", "-1", "4.0", "4.5", "04", " 4", "+4", "1_000", "1e3", "٤", "true", "", "None", "null", "[4]"],
    "float": ["4", "0.25", "-1", "1e3", "inf", "nan", "", "None", " 4.5", "true"],
    "list": [
        "",
        "None",
        "null",
        "a",
        "a,b",
        "a\nb",
        "[]",
        '["a"]',
        '[{"name": "a", "repos": ["*"]}]',
        "{}",
        "*",
        "name=a",
    ],
    "dict": ["", "None", "null", "a=b", "{}", '{"a": "b"}', "[]"],
}
TRUE_TO_THE_FILTERS = {
    "bool": {"true", "False", "yes", "NO", "on", "off", "1", "0"},
    "int": {"4", "0", "-1"},
    "float": {"4", "0.25", "-1"},
}


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


def by_ini(folder: Path, text: str) -> Any:
    """Return what an INI inventory makes of it."""
    file = folder / "hosts.ini"
    file.write_text(f"[mirrors]\none\n[mirrors:vars]\nvalue={text}\n", encoding="utf-8")
    return InventoryManager(DataLoader(), [str(file)]).groups["mirrors"].vars["value"]


def by_command_line(folder: Path, text: str) -> Any:
    """Return what ``-e NAME=TEXT`` makes of it."""
    return parse_kv(f"value='{text}'")["value"]


def by_survey(folder: Path, text: str) -> Any:
    """Return what AWX makes of a survey's answer, which it writes as JSON."""
    return DataLoader().load(json.dumps({"value": text}))["value"]


@pytest.fixture(scope="module", params=[by_ini, by_command_line, by_survey])
def given_texts(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Any]]:
    """Return what one way makes of the texts, by the type that they are tried on. INI has one line for each."""
    folder, way = tmp_path_factory.mktemp("given"), request.param
    return {
        kind: [way(folder, text) for text in texts if way is not by_ini or "\n" not in text]
        for kind, texts in TEXTS.items()
    }


@pytest.mark.parametrize(("role", "entry"), ENTRIES)
def test_a_text_is_the_value_or_is_refused_by_name(role: Path, entry: str, given_texts: dict[str, list[Any]]) -> None:
    options = spec(role)[entry]["options"]
    for place, option in walk(options):
        kind = option["type"]
        for given in given_texts.get(kind, []):
            told = problems_of(options, values(options, place, given))
            if isinstance(given, str) and given in TRUE_TO_THE_FILTERS.get(kind, ()):
                assert told == []
                out: Any = ArgumentSpecValidator(options).validate(values(options, place, given)).validated_parameters
                for part in place:
                    out = out[part]
                # what a role makes of it is what Ansible's modules would
                assert CASTS[kind](given) == out, (place, given)
            elif isinstance(given, str) or given is None:
                assert told[0].startswith(f"{written(place)} must be "), (place, given, told)
            else:  # INI inventories know numbers, lists, mappings and True
                assert told == [] or place[0] in told[0], (place, given, told)
            assert "Ansible" not in " ".join(told)


@pytest.mark.parametrize(("role", "entry"), ENTRIES)
def test_nothing_is_null(role: Path, entry: str) -> None:
    options = spec(role)[entry]["options"]
    for place, _option in walk(options):
        assert problems_of(options, values(options, place, None))[0].startswith(f"{written(place)} must be ")


def told(role: str, **given: Any) -> list[str]:
    """Ask as the role's task does."""
    variables = variables_of(role, **given)
    return LookupModule(loader=DataLoader(), templar=templar(variables)).run(["main"], variables)


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_defaults_are_of_their_types(role: Path) -> None:
    required = {name: "x" for name, option in spec(role)["main"]["options"].items() if option.get("required")}
    assert told(role.name, **required) == []


def test_variables_are_looked_at_as_templates_make_them() -> None:
    rules = trust_as_template("{{ [{'repos': somewhere}] }}")
    found = told("mirror_nginx", mirror_nginx_access=rules, somewhere="a/*")
    assert found[:-1] == ["mirror_nginx_access[0].repos must be a list, not a text."]
    assert "on the command line as JSON" in found[-1]


def test_no_secret_is_shown() -> None:
    options = spec(TOP / "roles/mirror_nginx")["main"]["options"]
    for wrong in ('[{"name": "me", "tokens": ["hf_secret"]}]', [{"name": "me", "tokens": "hf_secret"}], ["hf_secret"]):
        assert "hf_secret" not in str(problems_of(options, {"mirror_nginx_users": wrong}))


def test_what_is_of_the_right_type_is_looked_at_by_ansible() -> None:
    options = spec(TOP / "roles/mirror_nginx")["main"]["options"]
    assert problems_of(options, {}) == []
    (told,) = problems_of(options, {"mirror_nginx_access": [{"repo": ["a/*"]}]})
    assert told.startswith("mirror_nginx_access.repo. Supported parameters include: certificates")
    assert problems_of(spec(TOP / "roles/hub_client")["main"]["options"], {}) == [
        "missing required arguments: hub_client_endpoint"
    ]


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
    for pattern in ("roles/*/*/*.yml", "roles/*/templates/*.j2", "playbooks/*.yml")
    for file in TOP.glob(pattern)
    if file.parent.name not in ("files", "meta")
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

    yield from look(jinja2.Environment(autoescape=True).parse(template), [])


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
