# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options that several modules have: what the engine's settings are called there, and the secrets that go with them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from .settings import SETTINGS

#: What modules take together, as the fragment of their documentation is called.
GROUPS = {
    "store": ("store",),
    "actor": ("actor",),
    "grace": ("grace",),
    "upstream": ("endpoint", "proxy", "allow_networks", "peers"),
    "run": ("max_delete", "workers", "bandwidth", "reserve", "xet", "peer_wait", "time_limit", "memory_limit"),
    "scrub": ("scrub_rate", "scrub_seconds"),
}
#: Options that go by another name, or have another default, than the setting.
_NAMES = {"scrub_rate": "rate", "scrub_seconds": "duration"}
_DEFAULTS = {"actor": "ansible"}
_TOKENS: Mapping[str, tuple[str, str]] = {
    "token": (
        "str",
        "Access token for the Hub, for entries that name none of O(tokens). It is sent to O(endpoint) only, of several"
        " to the first.",
    ),
    "tokens": ("dict", "Access tokens by name, for entries with C(token)."),
}


def argument_spec(*groups: str) -> dict[str, dict[str, Any]]:
    """Return the options of these groups as ``AnsibleModule`` takes them."""
    found = {}
    for group in groups:
        for name in GROUPS[group]:
            found[_NAMES.get(name, name)] = SETTINGS[name].module_option(**_more(name))
        if group == "upstream":
            found.update({name: {"type": kind, "no_log": True} for name, (kind, _text) in _TOKENS.items()})
    return found


def documentation(group: str) -> str:
    """Return the fragment of documentation that describes the options of a group."""
    found = {_NAMES.get(name, name): SETTINGS[name].documentation(**_more(name)) for name in GROUPS[group]}
    if group == "upstream":
        found.update({name: {"type": kind, "description": text} for name, (kind, text) in _TOKENS.items()})
    return json.dumps({"options": found})


def settings_in(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a module was given of the engine's settings, by their names."""
    tokens = {**(params.get("tokens") or {}), **({None: params["token"]} if params.get("token") else {})}
    given = {name: params[_NAMES.get(name, name)] for name in SETTINGS if _NAMES.get(name, name) in params}
    return {**given, "tokens": tokens}


def _more(name: str) -> dict[str, Any]:
    return {"default": _DEFAULTS[name]} if name in _DEFAULTS else {}
