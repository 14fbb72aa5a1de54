# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write what is said of the settings where people and Ansible read it: the role's files and the tables of the docs.

``make render`` runs it; a test fails where a file does not have what it would write. A block begins and ends with a
line that names it; all else in a file is written by hand.
"""

from __future__ import annotations

import json
import re
import sys
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml
from ansible_collections.modelops.hf_mirror.plugins.module_utils._base.setting import Setting
from ansible_collections.modelops.hf_mirror.plugins.module_utils._cli.config import ALERTS, KEYS
from ansible_collections.modelops.hf_mirror.plugins.module_utils._module.options import argument_spec
from ansible_collections.modelops.hf_mirror.plugins.module_utils._run.settings import SETTINGS

TOP = Path(__file__).parents[1]
ROLE = TOP / "roles/mirror_sync"
#: Where the role's default is another one than the engine's.
ROLE_DEFAULTS = {"store": "/srv/hf-mirror", "scrub_rate": 50_000_000}
#: Where the role computes it.
ROLE_DERIVED = {"peers": "{{ query('modelops.hf_mirror.nodes', of='urls') }}"}
#: What the role does beside that.
ROLE_NOTES = {
    "proxy": "Pip goes through it, too.",
    "peers": "By default the other hosts of the group C(mirrors), where there is a C(mirror_keepalived_address).",
}


def in_role() -> dict[str, Setting]:
    """Return the role's variables for settings, with the defaults that they have there."""
    found = {}
    for name, one in SETTINGS.items():
        if one.is_in_file:
            default = ROLE_DEFAULTS.get(name, one.default)
            notes = [ROLE_NOTES[name]] if name in ROLE_NOTES else []
            if default is None:  # a variable of a role is always there
                default, notes = "", [*notes, "Empty for none."]
            variable = f"mirror_sync_{name}"
            found[variable] = replace(one, help=(*one.help, *notes), name=variable, default=default, is_required=False)
    return found


def argument_specs() -> Iterator[str]:
    for name, one in in_role().items():
        about = one.documentation()
        if _derived(name):
            about.pop("default")
        yield f"{name}:"
        yield "  description:"
        for sentence in about.pop("description"):
            yield from _item(_of_role(sentence), "    ")
        if one.is_secret:
            about["no_log"] = True
        for key, value in about.items():
            yield f"  {key}: {_scalar(value)}"


def defaults() -> Iterator[str]:
    for name, one in in_role().items():
        yield f"{name}: {_derived(name) or _scalar(one.module_option()['default'])}"


def _derived(variable: str) -> str:
    """Return the default that the role works out, as YAML, or nothing."""
    found = ROLE_DERIVED.get(variable.replace("mirror_sync_", ""))
    return json.dumps(found) if found else ""


def config() -> Iterator[str]:
    """Yield the keys of the configuration."""
    for name, one in in_role().items():
        yield f'{name.replace("mirror_sync_", "")}: "{{{{ {name}{_cast(one, "none")} }}}}"'


def arguments() -> Iterator[str]:
    """Yield the arguments of the module that syncs."""
    taken = argument_spec("store", "upstream", "run", "grace")
    for name, one in in_role().items():
        option = name.replace("mirror_sync_", "")
        if option in taken:
            yield f'{option}: "{{{{ {name}{_cast(one, "omit")} }}}}"'


def _cast(one: Setting, nothing: str) -> str:
    """Return what makes a value of a variable, which may have come as a text; an empty one is ``nothing``."""
    if one.type in ("int", "bool"):
        return f" | {one.type}"
    return f" or {nothing}" if one.default == "" else ""


def role_table() -> Iterator[str]:
    yield from _table(in_role(), "variable")


def keys_table() -> Iterator[str]:
    alerts = {f"alerts.{name}": one for name, one in ALERTS.items()}
    yield from _table({**{name: one for name, one in KEYS.items() if name != "alerts"}, **alerts}, "key")


def _table(settings: Mapping[str, Setting], head: str) -> Iterator[str]:
    yield f"| {head} | default | |"
    yield "|---|---|---|"
    for name, one in settings.items():
        default = "none" if one.default in (None, "") else f"`{_scalar(one.module_option()['default'])}`"
        default = "computed" if _derived(name) and head == "variable" else default
        limits = f"; {one.limits}" if one.type == "int" else ""
        yield f"| `{name}` | {default} | {one.line('`')}{limits} |"


#: File -> the block in it -> its lines.
BLOCKS = {
    ROLE / "meta/argument_specs.yml": argument_specs,
    ROLE / "defaults/main.yml": defaults,
    ROLE / "vars/main.yml": config,
    ROLE / "tasks/sync.yml": arguments,
    ROLE / "README.md": role_table,
    TOP / "docs/hf-mirror.md": keys_table,
}


def rendered(file: Path) -> str:
    """Return what a file is to have in it."""
    text = file.read_text(encoding="utf-8")
    comment = ("<!-- {} -->", "") if file.suffix == ".md" else ("# {}", "")
    begin, end = (comment[0].format(words) for words in ("settings, by make render", "end of the settings"))
    found = re.search(rf"^( *){re.escape(begin)}\n.*?^ *{re.escape(end)}\n", text, re.DOTALL | re.MULTILINE)
    if not found:
        raise ValueError(f"{file} has no block for the settings")
    lines = [begin, *BLOCKS[file](), end]
    if file.suffix == ".md":
        lines = [begin, "", *BLOCKS[file](), "", end]
    block = "".join(f"{found[1]}{line}\n" if line else "\n" for line in lines)
    return text[: found.start()] + block + text[found.end() :]


def _of_role(sentence: str) -> str:
    """Let a sentence name the role's variables where it names options."""
    return re.sub(r"\bO\((\w+)\)", lambda m: f"O(mirror_sync_{m[1]})" if m[1] in SETTINGS else m[0], sentence)


def _item(sentence: str, indent: str) -> Iterator[str]:
    text = sentence if yaml.safe_load(f"- {sentence}") == [sentence] else json.dumps(sentence)
    yield from textwrap.wrap(text, 130, initial_indent=f"{indent}- ", subsequent_indent=f"{indent}  ")


def _scalar(value: Any) -> str:
    if isinstance(value, (bool, list, tuple)) or value == "":
        return json.dumps(value)
    return str(value)


def main() -> int:
    for file in BLOCKS:
        text = rendered(file)
        if text != file.read_text(encoding="utf-8"):
            file.write_text(text, encoding="utf-8")
            print(f"{file.relative_to(TOP)} written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
