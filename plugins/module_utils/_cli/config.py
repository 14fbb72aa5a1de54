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
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .._base.errors import MirrorError
from .._base.names import listed
from .._base.owner import others_can_change
from .._base.setting import Setting, problems_of, setting, settings_of
from .._base.yaml import MOST_BYTES, joined, load
from .._plan.lockfile import LockFile
from .._plan.wanted import Wanted
from .._plan.whitelist import parse
from .._plan.whitelist_files import read_entries
from .._run.settings import SETTINGS
from .._run.whitelist import WhitelistFolder
from .alerts import LANGUAGES

_WHITELIST_KEY = "models_to_sync"


class ConfigError(MirrorError):
    """The configuration can't be used as it stands."""


def _entries(value: Any) -> str | None:
    return None if isinstance(value, list) else "must be a list of entries with a repo_id each"


@dataclass(frozen=True)
class Alerts:
    """When and how people are alerted that an entry keeps failing."""

    threshold: int = setting(
        "After how many failures in a row an entry is reported.",
        default=3,
        type="int",
        unit="failures in a row",
        least=1,
        most=1000,
    )
    language: str = setting("The language of alerts.", default=LANGUAGES[0], choices=tuple(LANGUAGES))
    urls_file: Path | None = setting("File with the receivers of alerts, one apprise URL per line.", type="path")


ALERTS = settings_of(Alerts)


def _alerts(value: Any) -> str | None:
    if not isinstance(value, dict):
        return f"must be a mapping of {', '.join(ALERTS)}"
    return "; ".join(_problems(value, ALERTS)) or None


@dataclass(frozen=True)
class Config:
    """What the file says; ``values`` are for ``Settings``, those that are not there have its defaults."""

    values: Mapping[str, Any] = field(default_factory=dict)
    models: list[Any] | None = setting("The whitelist, a list of entries.", type="list", check=_entries)
    whitelist: Path | None = setting("File with the whitelist, or a folder of whitelist files.", type="path")
    tokens_file: Path | None = setting("File with access tokens by name.", type="path")
    lock_file: Path | None = setting("Lock file; only exactly what it lists is synced.", type="path")
    alerts: Alerts = setting("When and how to send alerts.", default=Alerts(), type="dict", check=_alerts)
    sources: list[str] = field(default_factory=list)

    @property
    def has_whitelist(self) -> bool:
        """True where there is one, be it right or wrong."""
        return self.models is not None or self.whitelist is not None

    @property
    def folder(self) -> WhitelistFolder | None:
        """Return the whitelist where it is a folder of files."""
        return WhitelistFolder(self.whitelist) if self.whitelist and self.whitelist.is_dir() else None

    def wanted(self) -> list[Wanted] | WhitelistFolder:
        """Return the whitelist, which a folder tells for a store. Raises ConfigError or WhitelistError."""
        folder = self.folder
        if folder:
            return folder
        if self.whitelist:
            entries = read_entries(self.whitelist)
            return parse(entries, entries.sources)
        if self.models is None:
            raise ConfigError("no whitelist is given: pass --config FILE with the key models or whitelist")
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
                raise ConfigError(f"{self.tokens_file}: the value of {name} is not a valid token")
        # the name of the one for entries that name none
        return {**content, **({None: content["default"]} if "default" in content else {})}

    def lock(self) -> LockFile | None:
        """Return the lock that runs obey."""
        if not self.lock_file:
            return None
        try:
            return LockFile.from_json(json.loads(_read(self.lock_file, most=_MOST_OF_A_LOCK)))
        except (ValueError, RecursionError) as problem:
            raise ConfigError(f"{self.lock_file} is not valid JSON: {problem}") from None


#: All that somebody decides, but for the alerts, by name.
ALL = {**SETTINGS, **settings_of(Config)}
KEYS = {name: one for name, one in ALL.items() if one.is_in_file}


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
    problems = list(_problems(content, KEYS))
    if "models" in content and "whitelist" in content:
        problems.append("models and whitelist exclude each other")
    if problems:
        raise ConfigError(joined([f"{file}: {problem}" for problem in problems]))
    found = {
        key: file.parent / value if KEYS[key].type == "path" else value
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
    values = {name: found.pop(name) for name in SETTINGS if name in found}
    return Config(values, alerts=Alerts(**{key: value for key, value in alerts.items() if value is not None}), **found)


def read_urls(file: Path) -> list[str]:
    """Read the receivers of alerts: a URL on each line; empty lines and those that begin with # or ; don't count."""
    lines = [line.strip() for line in _read(file, secret=True).splitlines()]
    return [line for line in lines if line and not line.startswith(("#", ";"))]


def _problems(content: Mapping[Any, Any], settings: Mapping[str, Setting]) -> Iterator[str]:
    unknown = [key for key in content if key not in settings]
    if unknown:
        yield f"unknown key {listed(unknown)} (known: {', '.join(settings)})"
    yield from problems_of(settings, content)


def _credential(file: Path) -> Path:
    """Return the copy of a root-only file that systemd gave to this service (``LoadCredential=``), if it did."""
    copy = Path(os.environ.get("CREDENTIALS_DIRECTORY", os.devnull)) / file.name
    return copy if copy.is_file() else file


def _read(file: Path, secret: bool = False, most: int = MOST_BYTES) -> str:
    file = _credential(file) if secret else file
    try:
        mode = file.stat().st_mode & 0o777
        if secret and mode & 0o007:
            raise ConfigError(f"{file} has mode {mode:04o}, everybody can read its secrets. Run: chmod 0600 {file}")
        everybody = others_can_change(file)
        if everybody:
            raise ConfigError(f"{file} is not trusted: {everybody}")
        with file.open("rb") as source:
            content = source.read(most + 1)
    except OSError as problem:
        raise ConfigError(f"{file} can't be read: {problem.strerror}") from None
    if len(content) > most:
        raise ConfigError(f"{file} has more than {most >> 20} MiB, the limit")
    try:
        return content.decode()
    except UnicodeDecodeError as problem:
        raise ConfigError(f"{file} is not UTF-8 text: {problem.reason} at byte {problem.start}") from None


#: Bytes of a lock file: half a million files.
_MOST_OF_A_LOCK = 100 << 20


def _load(file: Path, secret: bool = False) -> tuple[Any, Any]:
    return load(file, _read(file, secret), ConfigError, secret)


def _lines(root: Any, name: str) -> list[int]:
    """Return the line of each item of the list under a key."""
    node = next(value for key, value in root.value if key.value == name)
    return [item.start_mark.line + 1 for item in node.value]
