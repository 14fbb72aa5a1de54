# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options that several modules have: what the engine's settings are called there, and the secrets that go with them.

What a module is not given comes from the host's configuration, where it is given that, else it is as by default.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .._base.errors import MirrorError
from .._cli.config import Config, read_config
from .._plan.lockfile import LockFile
from .._plan.wanted import Wanted
from .._plan.whitelist import parse
from .._run.settings import SETTINGS, Settings
from .._run.whitelist import WhitelistFolder

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
_ACTOR = "ansible"
_TOKENS: Mapping[str, tuple[str, str]] = {
    "token": (
        "str",
        "Access token for the Hub, for entries that name none of O(tokens). It is sent only to O(endpoint), or to the"
        " first of several that provides listings.",
    ),
    "tokens": ("dict", "Access tokens by name, for entries with C(token)."),
}
_CONFIG: Mapping[str, Any] = {
    "type": "path",
    "description": [
        "The configuration of the command C(hf-mirror) on the host, as the role C(mirror_sync) writes it. Options that"
        " are not given are read from there.",
        "One of O(store) and O(config) is required.",
    ],
}
_NO_STORE = "one of store and config is required"
#: What C(store) and C(config) have to do with each other.
REQUIRED = {"required_one_of": [("store", "config")]}


def argument_spec(*groups: str) -> dict[str, dict[str, Any]]:
    """Return the options of these groups as ``AnsibleModule`` takes them, for one with ``REQUIRED``."""
    found: dict[str, dict[str, Any]] = {}
    for group in groups:
        for name in GROUPS[group]:
            found[_NAMES.get(name, name)] = _without_default(SETTINGS[name].module_option())
        if group == "store":
            found["config"] = {"type": _CONFIG["type"]}
        if group == "upstream":
            found.update({name: {"type": kind, "no_log": True} for name, (kind, _text) in _TOKENS.items()})
    return found


def documentation(group: str) -> str:
    """Return the fragment of documentation that describes the options of a group."""
    found: dict[str, Any] = {}
    for name in GROUPS[group]:
        about = SETTINGS[name].documentation()
        default = _ACTOR if name == "actor" else about.get("default")
        if default not in (None, []):
            about["description"] = [*about["description"], f"By default V({default})."]
        found[_NAMES.get(name, name)] = _without_default(about)
    if group == "store":
        found["config"] = dict(_CONFIG)
    if group == "upstream":
        found.update({name: {"type": kind, "description": text} for name, (kind, text) in _TOKENS.items()})
    return json.dumps({"options": found})


def _without_default(option: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in option.items() if key not in ("default", "required")}


class Given:
    """What a module was given, and beside it what its host's configuration says. Raises MirrorError."""

    def __init__(self, params: Mapping[str, Any]) -> None:
        self._params = params
        self._config = read_config(Path(params["config"])) if params.get("config") else Config()

    @property
    def store(self) -> Path:
        """Return the store's folder."""
        found = self._params.get("store") or self._config.values.get("store")
        if not found:
            raise MirrorError(f"{self._params['config']} names no store" if self._params.get("config") else _NO_STORE)
        return Path(found)

    def settings(self, **more: Any) -> Settings:
        """Return what the engine goes by, with what no option or configuration says."""
        params = self._params
        given = {name: params.get(_NAMES.get(name, name)) for name in SETTINGS}
        given = {name: value for name, value in given.items() if value is not None}
        tokens = {**(params.get("tokens") or {}), **({None: params["token"]} if params.get("token") else {})}
        values = {"actor": _ACTOR, **self._config.values, **given, "store": self.store, "tokens": tokens}
        return Settings(**{**values, **more})

    def lock(self) -> LockFile | None:
        """Return the lock that the run obeys."""
        return LockFile.from_json(self._params["lock"]) if self._params.get("lock") else self._config.lock()

    def whitelist(self) -> list[Wanted] | WhitelistFolder:
        """Return the whitelist. Raises WhitelistError, ConfigError."""
        models, file = self._params.get("models"), self._params.get("models_file")
        if models is None:
            return self._config.wanted()
        if file and self._config.whitelist:
            return WhitelistFolder(self._config.whitelist, {file: models})
        return parse(models)

    @property
    def has_whitelist(self) -> bool:
        """True where there is one, be it right or wrong."""
        return self._params.get("models") is not None or self._config.has_whitelist


def with_secrets(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a module was given with the tokens of its host's configuration, which may be root's to read."""
    if not params.get("config") or "tokens" not in params:
        return dict(params)
    own = params["tokens"] or {}
    found = {**read_config(Path(params["config"])).tokens(), **own}
    default = found.pop(None, None)
    return {**params, "tokens": found, "token": params["token"] or own.get("default") or default}
