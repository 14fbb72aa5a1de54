# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which models a FaceFusion of some version loads for some processors. Pure: what it knows is data that it is given."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .._base.errors import MirrorError
from .._base.names import shown
from .pairs import LIKENESSES, Pair, read_pairs

#: Kinds of entries, and what each of them has to say.
_KINDS = {
    "models": ("repo_id", "names"),
    "companions": ("names", "with"),
    "parts": ("part", "names"),
    "common": ("parts",),
    "processors": ("processor", "parts", "names"),
}
_UNCLEAR = "the catalogue of models can't be understood"
_VERSION = re.compile(r"v?(\d+)\.(\d+)(?:\.(\d+))?")


class Choice:
    """The part of a catalogue (``roles/facefusion/files/models.yml``) that holds for one version."""

    def __init__(self, catalogue: Mapping[str, Any], version: str) -> None:
        number = _number(version)
        self._version = version

        def held(kind: str) -> list[Any]:
            return [one for one in _entries(catalogue, kind) if _holds(one, number)]

        try:
            self._repos = {str(name): str(one["repo_id"]) for one in held("models") for name in one["names"]}
            self._companions = {name: list(one["with"]) for one in held("companions") for name in one["names"]}
            self._parts = {one["part"]: list(one["names"]) for one in held("parts")}
            self._common = [part for one in held("common") for part in one["parts"]]
            self._processors = {
                one["processor"]: (list(one["parts"]), list(one["names"])) for one in held("processors")
            }
            self._everywhere = {one["repo_id"] for one in catalogue["models"]}
        except (TypeError, AttributeError) as problem:
            raise MirrorError(f"{_UNCLEAR}: {problem!r}") from problem
        if not self._common:
            raise MirrorError(f"the catalogue of models knows nothing of FaceFusion {version}")

    def pairs(self, processors: Iterable[str], names: Iterable[str]) -> list[Pair]:
        """Return what a start loads, with the models that are named besides. Raises MirrorError."""
        parts, found = list(self._common), list[str]()
        wanted = [str(one) for one in processors]
        unknown = sorted(set(wanted) - set(self._processors))
        if unknown:
            raise MirrorError(
                f"FaceFusion {self._version} has no processor {', '.join(unknown)}. It has"
                f" {', '.join(sorted(self._processors))}"
            )
        for processor in wanted:
            needed, own = self._processors[processor]
            parts += needed
            found += own
        for part in parts:
            if part not in self._parts:
                raise MirrorError(f"{_UNCLEAR}: no part {part} for FaceFusion {self._version}")
            found += self._parts[part]
        chosen = [self._pair(name) for name in [*found, *map(str, names)]]
        chosen += [self._pair(other) for pair in chosen for other in self._companions.get(pair.name, [])]
        return sorted(set(chosen), key=str)

    def _pair(self, name: str) -> Pair:
        repo_id, _slash, model = name.rpartition("/")
        if not repo_id:
            if name not in self._repos:
                raise MirrorError(self._refusal(name))
            return Pair(self._repos[name], name)
        if repo_id in self._everywhere and self._repos.get(model) != repo_id:
            raise MirrorError(self._refusal(name))
        return Pair(repo_id, model)

    def _refusal(self, name: str) -> str:
        return (
            f"FaceFusion {self._version} loads no model {shown(name)}. Use one of {', '.join(sorted(self._repos))};"
            f" or ORG/REPO/NAME for a model of another repository and for each likeness ({LIKENESSES}*)"
        )


def choose(
    catalogue: Mapping[str, Any], version: str, processors: Sequence[str], names: Sequence[str]
) -> list[dict[str, Any]]:
    """Return the option ``models`` of the module."""
    for what, given in (("processors", processors), ("names", names)):
        if isinstance(given, str) or not isinstance(given, Sequence):
            raise MirrorError(f"{what} must be a list")
    repos: dict[str, list[str]] = {}
    for pair in Choice(catalogue, str(version)).pairs(processors, names):
        repos.setdefault(pair.repo_id, []).append(pair.name)
    models = [{"repo_id": repo_id, "names": found} for repo_id, found in repos.items()]
    read_pairs(models)
    return models


def _entries(catalogue: Mapping[str, Any], kind: str) -> list[Any]:
    """Return all entries of a kind, each of them whole."""
    if kind not in catalogue:
        raise MirrorError(f"{_UNCLEAR}: no {kind}")
    for one in catalogue[kind]:
        missing = [key for key in _KINDS[kind] if key not in one]
        if missing:
            raise MirrorError(f"{_UNCLEAR}: no {missing[0]} in an entry of {kind}: {one}")
    return list(catalogue[kind])


def _number(version: Any) -> tuple[int, ...]:
    found = _VERSION.fullmatch(str(version))
    if not found:
        raise MirrorError(f"{shown(version)} is no version of FaceFusion such as 3.8.1")
    return tuple(int(part or 0) for part in found.groups())


def _holds(entry: Mapping[str, Any], number: tuple[int, ...]) -> bool:
    since, before = entry.get("since"), entry.get("before")
    return (since is None or number >= _number(since)) and (before is None or number < _number(before))
