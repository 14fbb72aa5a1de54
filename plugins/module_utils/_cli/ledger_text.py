# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ledger in words: what a person reads in the log and while a run goes on. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .._base.errors import Besides, MirrorError, sentence
from .._plan.facts import Repo, repo_name
from .._plan.report import human

#: Records that only recovery is interested in, or that are told by the one after them.
_SILENT = ("intent", "seal", "collect", "trim", "suspect", "trace")


def describe(record: Mapping[str, Any], failures: bool = True) -> str | None:
    """Return a record of the ledger as a sentence, or None where it says nothing to people.

    Without ``failures`` the end of a run only counts them.
    """
    kind = record.get("kind")
    if kind in _SILENT:
        return None
    try:
        if kind == "run":
            return _run(record, failures)
        if kind == "alert":
            return _alert(record)
        return _SENTENCES[str(kind)].format(**_words(record))
    except (KeyError, TypeError, ValueError, AttributeError):
        # a kind of another version
        rest = ", ".join(f"{key} {value}" for key, value in record.items() if key not in ("kind", "time"))
        return f"{kind}: {rest}"


_SENTENCES = {
    "start": "run {run} begins ({actor})",
    "recover": "recovered: {what}",
    "stopped": "stopped before the run was finished ({actor}); the next one continues from there",
    "died": "the run died: {message}",
    "publish": "{repo} {ref}: {old} -> {new} ({what} {serial}, {actor}){why}",
    "purge": "{done} {purged} ({actor}){why}",
    "mark": "{repo} {name}: {what} ({actor}){why}",
    "pending": "{repo} {ref}: {commit} was downloaded and waits for approval",
    "withdraw": "{repo} {ref}: withdrawn ({actor})",
    "remove": "{repo}: removed ({actor})",
    "retire": "{repo}: nothing names {commits} any more; served by id until the grace is over ({actor})",
    "spare": "{repo}: {commits} is referenced again ({actor})",
    "collected": "{repo}: {commits} collected, {bytes} freed ({actor})",
    "trimmed": "{repo}: files that {commits} does not list any more removed, {bytes} freed ({actor})",
    "rot": "{etag:.12} is rotten, and is not served any more: {problem} ({names})",
    "repair": "{etag:.12} is sound again: {path} of {repo}@{commit} was fetched ({actor})",
    "discard": "{etag:.12} was rotten, and nothing needed it: removed, {bytes} freed ({actor})",
    "node": "this node of the pair: {state}",
    "scrub": "{contents} contents, {bytes} read again: {repaired} repaired, {removed} removed, {left} rotten ({actor})",
}

_MARKS = {
    ("pins", True): "pinned",
    ("pins", False): "not pinned any more",
    ("frozen", True): "frozen",
    ("frozen", False): "follows the upstream again",
}


def _words(record: Mapping[str, Any]) -> dict[str, Any]:
    words = dict(record)
    if "repo_id" in record:
        words["repo"] = repo_name(record["repo_type"], record["repo_id"])
    words["why"] = f": {record['note']}" if record.get("note") else ""
    if "serial" in record:
        words["what"] = "roll-back" if record.get("rollback") else "publish"
    if record["kind"] == "purge":
        words.update(_purge(record))
    if "mark" in record:
        words["what"] = _MARKS[record["mark"], record["is_set"]]
        words["name"] = record["name"][:12] if record["mark"] == "pins" else record["name"]
    if "names" in record:
        words["names"] = ", ".join(record["names"])
    if "commits" in record:
        words["commits"] = ", ".join(commit[:12] for commit in record["commits"])
    if "bytes" in record:
        words["bytes"] = human(record["bytes"])
    words.update({key: (record[key] or "nothing")[:12] for key in ("old", "new", "commit") if key in record})
    return words


def _run(record: Mapping[str, Any], failures: bool) -> str:
    failed = {name: MirrorError(message, cause) for name, (message, cause) in record["failed"].items()}
    updated, unchanged = sum(not Besides.has(name) for name in record["succeeded"]), record["unchanged"]
    total = updated + unchanged + sum(not Besides.has(name) for name in failed)
    came = human(record["fetched_bytes"])
    text = f"run {record['run']} ended after {record['duration']:.1f} s: {updated} updated, {unchanged} unchanged"
    if not failures:
        return f"{text}, {len(failed)} failed, {came} came in"
    clauses = [f"{text}, {came} came in", *record.get("upstreams", ())]
    return "; ".join([*clauses, sentence(failed, total)] if failed else clauses)


def _alert(record: Mapping[str, Any]) -> str:
    told = [f"{name} fails" for name in record["failing"]] + [f"{name} recovered" for name in record["recovered"]]
    text = f"alert sent: {', '.join(told)}" if told else "no alert could be sent"
    return "; ".join([text, *record["problems"]])


def _purge(record: Mapping[str, Any]) -> dict[str, str]:
    """Return the words for what was taken down, or may come again."""
    repos = [str(Repo.of_folder(name) or name) for name in record["repos"]]
    marks = [*record["repos"].values(), *record["contents"].values()]
    notes = dict.fromkeys(mark["note"] for mark in marks if mark.get("note"))
    return {
        "done": "lifted the purge of" if any(mark.get("off") for mark in marks) else "purged",
        "purged": ", ".join([*repos, *record["contents"]]),
        "why": "".join(f": {note}" for note in notes),
    }
