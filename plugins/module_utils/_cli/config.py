# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The configuration file of the command ``hf-mirror``, and the files that it names. Relative paths start beside it.

Secrets are in files of their own, which others must not be able to read; no error shows what is in them. No file may be
one that everybody can change.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from .._base.errors import MirrorError
from .._base.names import listed, shown
from .._base.owner import others_can_change
from .._base.yaml import MOST_BYTES, joined, load
from .._plan.lockfile import LockFile
from .._plan.wanted import Wanted
from .._plan.whitelist import parse
from .._plan.whitelist_files import read_entries
from .._run.settings import CHECKS, Settings
from .alerts import LANGUAGES

_WHITELIST_KEY = "models_to_sync"


class ConfigError(MirrorError):
    """The configuration can't be used as it stands."""


@dataclass(frozen=True)
class Alerts:
    """When and how people are told that an entry keeps failing."""

    threshold: int = 3
    language: str = LANGUAGES[0]
    urls_file: Path | None = None


@dataclass(frozen=True)
class Config:
    """What the file says; ``values`` are for ``Settings``, those that are not there have its defaults."""

    values: Mapping[str, Any] = field(default_factory=dict)
    models: list[Any] | None = None
    sources: list[str] = field(default_factory=list)
    whitelist: Path | None = None
    tokens_file: Path | None = None
    lock_file: Path | None = None
    scrub_rate: int = 0
    alerts: Alerts = Alerts()

    @property
    def has_whitelist(self) -> bool:
        """True where there is one, be it right or wrong."""
        return self.models is not None or self.whitelist is not None

    def wanted(self) -> list[Wanted]:
        """Return the whitelist. Raises ConfigError or WhitelistError."""
        if self.whitelist:
            entries = read_entries(self.whitelist)
            return parse(entries, entries.sources)
        if self.models is None:
            raise ConfigError("there is no whitelist: give --config FILE with the key models or whitelist")
        return parse(self.models, self.sources)

    def tokens(self) -> dict[str | None, str]:
        """Return the access tokens by name, under ``None`` that of the name ``default``, for entries that name none."""
        if not self.tokens_file:
            return {}
        content = _load(self.tokens_file, secret=True)[1]
        if not isinstance(content, dict) or not all(isinstance(name, str) for name in content):
            raise ConfigError(f"{self.tokens_file} must be a mapping NAME: TOKEN")
        for name, token in content.items():
            if not is_token(token):
                raise ConfigError(f"{self.tokens_file}: what is given for {name} is no token")
        # the name of the one for entries that name none
        return {**content, **({None: content["default"]} if "default" in content else {})}

    def lock(self) -> LockFile | None:
        """Return the lock that runs obey."""
        if not self.lock_file:
            return None
        try:
            return LockFile.from_json(json.loads(_read(self.lock_file, most=_MOST_OF_A_LOCK)))
        except (ValueError, RecursionError) as problem:
            raise ConfigError(f"{self.lock_file} is no JSON: {problem}") from None


def is_token(value: Any) -> bool:
    """Say whether a value may go into a header as a token."""
    return isinstance(value, str) and value.isascii() and value.isprintable() and " " not in value


def read_config(file: Path) -> Config:
    """Read a configuration file. One that is just a whitelist is a configuration, too."""
    root, content = _load(file)
    if isinstance(content, list) or (isinstance(content, dict) and list(content) == [_WHITELIST_KEY]):
        return Config(whitelist=file)
    if not isinstance(content, dict):
        raise ConfigError(f"{file} must be a mapping with keys such as store and models, or a whitelist")
    problems = list(_problems(content, _CHECKS))
    if "models" in content and "whitelist" in content:
        problems.append("models and whitelist exclude each other")
    if problems:
        raise ConfigError(joined([f"{file}: {problem}" for problem in problems]))
    found = {
        key: file.parent / value if _CHECKS[key] is _text_path else value
        for key, value in content.items()
        if value is not None
    }
    if "max_delete" in found:
        found["max_delete"] = str(found["max_delete"])
    if "models" in found:
        found["sources"] = [f"{file} line {line}" for line in _lines(root, "models")]
    alerts = dict(found.pop("alerts", {}))
    if alerts.get("urls_file"):
        alerts["urls_file"] = file.parent / alerts["urls_file"]
    values = {one.name: found.pop(one.name) for one in fields(Settings) if one.name in found}
    return Config(values, alerts=Alerts(**{key: value for key, value in alerts.items() if value is not None}), **found)


def check_value(key: str, value: Any) -> str | None:
    """Return what is wrong with the value of a key, wherever it was given."""
    problem: str | None = _CHECKS[key](value)
    return problem


def read_urls(file: Path) -> list[str]:
    """Read the receivers of alerts: a URL on each line; empty lines and those that begin with # or ; don't count."""
    lines = [line.strip() for line in _read(file, secret=True).splitlines()]
    return [line for line in lines if line and not line.startswith(("#", ";"))]


# ---- what a value must be: each returns what is wrong, without showing it where it may be a secret


def _text_path(value: Any) -> str | None:
    return None if isinstance(value, str) and value else "must be a path"


def _switch(value: Any) -> str | None:
    return None if isinstance(value, bool) else f"is {shown(value)}, it must be true or false"


def _language(value: Any) -> str | None:
    return None if value in LANGUAGES else f"is {shown(value)}, it must be {' or '.join(LANGUAGES)}"


def _entries(value: Any) -> str | None:
    return None if isinstance(value, list) else "must be a list of entries with a repo_id each"


def _alerts(value: Any) -> str | None:
    if not isinstance(value, dict):
        return f"must be a mapping of {', '.join(_ALERTS)}"
    return "; ".join(_problems(value, _ALERTS)) or None


_ALERTS = {"threshold": CHECKS["threshold"], "language": _language, "urls_file": _text_path}
_CHECKS = {
    "store": _text_path,
    **{one.name: CHECKS[one.name] for one in fields(Settings) if one.name in CHECKS},
    "scrub_rate": CHECKS["scrub_rate"],
    "xet": _switch,
    "models": _entries,
    "whitelist": _text_path,
    "tokens_file": _text_path,
    "lock_file": _text_path,
    "alerts": _alerts,
}


def _problems(content: Mapping[Any, Any], checks: Mapping[str, Any]) -> Iterator[str]:
    unknown = [key for key in content if key not in checks]
    if unknown:
        yield f"unknown key {listed(unknown)} (known: {', '.join(checks)})"
    for key, value in content.items():
        problem = checks[key](value) if key in checks and value is not None else None
        if problem:
            yield f"{key} {problem}"


# ---- files


def _credential(file: Path) -> Path:
    """Return the copy of a root-only file that systemd gave to this service (``LoadCredential=``), if it did."""
    copy = Path(os.environ.get("CREDENTIALS_DIRECTORY", os.devnull)) / file.name
    return copy if copy.is_file() else file


def _read(file: Path, secret: bool = False, most: int = MOST_BYTES) -> str:
    file = _credential(file) if secret else file
    try:
        mode = file.stat().st_mode & 0o777
        if secret and mode & 0o007:
            raise ConfigError(f"{file} has mode {mode:04o}, everybody can read the secrets in it: chmod 0600 {file}")
        everybody = others_can_change(file)
        if everybody:
            raise ConfigError(f"{file} is nothing to go by: {everybody}")
        with file.open("rb") as source:
            content = source.read(most + 1)
    except OSError as problem:
        raise ConfigError(f"{file} can't be read: {problem.strerror}") from None
    if len(content) > most:
        raise ConfigError(f"{file} has more than {most >> 20} MiB, which is the most")
    try:
        return content.decode()
    except UnicodeDecodeError as problem:
        raise ConfigError(f"{file} is no UTF-8 text: {problem.reason} at byte {problem.start}") from None


#: Bytes of a lock file: half a million files.
_MOST_OF_A_LOCK = 100 << 20


def _load(file: Path, secret: bool = False) -> tuple[Any, Any]:
    return load(file, _read(file, secret), ConfigError, secret)


def _lines(root: Any, name: str) -> list[int]:
    """Return the line of each item of the list under a key."""
    node = next(value for key, value in root.value if key.value == name)
    return [item.start_mark.line + 1 for item in node.value]
