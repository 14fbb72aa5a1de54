# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The status as metrics of Prometheus; docs/monitoring.md lists them.

Times are timestamps, not ages, so that a file that is not written any more does not look fresh. Labels are bounded:
entries beyond ENTRIES are counted and not named.
"""

from __future__ import annotations

import contextlib
import traceback
from collections.abc import Iterator, Mapping
from typing import Any

from .._base.errors import MirrorError
from .._check.traffic import OUTCOMES
from .._store.node_state import NODE_STATES
from .arguments import VERSION

try:
    from prometheus_client import CollectorRegistry, generate_latest
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
except ImportError:
    PROMETHEUS_ERROR: str | None = traceback.format_exc()
else:
    PROMETHEUS_ERROR = None

#: Entries that have metrics of their own.
ENTRIES = 2_000
_PREFIX = "hf_mirror_"


def exposition(found: Mapping[str, Any]) -> bytes:
    """Return what ``describe`` tells, in Prometheus' text format. ``time`` is when that was, in seconds since 1970."""
    if PROMETHEUS_ERROR:
        raise MirrorError("metrics need prometheus_client: install it on the host of hf-mirror")
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(found))
    return bytes(generate_latest(registry))


class _Collector:
    """What prometheus_client asks for the families."""

    def __init__(self, found: Mapping[str, Any]) -> None:
        self._found = found

    def collect(self) -> Iterator[Any]:
        """Yield all families that have a value."""
        for group in (self._writer, self._store, self._entries, self._run, self._nodes, self._traffic):
            # a record of the ledger that is none takes its own metrics away and no others
            with contextlib.suppress(TypeError, ValueError, KeyError, AttributeError):
                yield from [family for family in group() if family.samples]

    def _writer(self) -> Iterator[Any]:
        yield _gauge("build_info", "The version that wrote this.", {(VERSION,): 1}, ["version"])
        yield _one("written_timestamp_seconds", "When this was written.", self._found["time"])

    def _store(self) -> Iterator[Any]:
        disk, scrub = self._found["disk"], self._found["scrub"]
        yield _one("store_bytes", "Bytes of all contents.", disk["used_bytes"])
        yield _one("disk_free_bytes", "Free bytes of the file system of the store.", disk["free_bytes"])
        yield _one("disk_size_bytes", "Bytes of the file system of the store.", disk["total_bytes"])
        yield _one("disk_free_inodes", "Free inodes of the file system of the store.", disk["free_inodes"])
        yield _one("rotten_contents", "Contents that were found rotten, and are not served.", scrub["rotten"])
        last = scrub["last"] or {}
        yield _one("scrub_timestamp_seconds", "End of the last complete scrub.", last.get("ended"))
        yield _one("scrub_rotten_contents", "Contents that the last complete scrub found rotten.", last.get("rotten"))

    def _entries(self) -> Iterator[Any]:
        entries = self._found["entries"]
        # what fails is named in any case
        named = sorted(entries, key=lambda one: not one["failures"])[:ENTRIES]
        yield _one("entries", "Entries of the whitelist, and what the store has besides.", len(entries))
        failing = sum(one["failures"] > 0 for one in entries)
        yield _one("failing_entries", "Entries that failed the last time.", failing)
        waiting = sum(bool(one["pending"]) for one in entries)
        yield _one("pending_entries", "Entries with a commit that waits for approval.", waiting)
        for name, text, of in (
            ("entry_success_timestamp_seconds", "Last success of an entry.", "last_success"),
            ("entry_failures", "Failures of an entry in a row.", "failures"),
            ("entry_bytes", "Bytes of what is published of an entry.", "bytes"),
        ):
            yield _gauge(name, text, {(one["name"],): one[of] for one in named if one[of] is not None}, ["entry"])

    def _run(self) -> Iterator[Any]:
        last = self._found["last_run"] or {}
        yield _one("run_in_progress", "1 while a sync is under way.", int(bool(self._found["running"])))
        yield _one("run_timestamp_seconds", "End of the last sync that came to its end.", last.get("seconds"))
        yield _one("run_duration_seconds", "Duration of that sync.", last.get("duration"))
        yield _one("run_fetched_bytes", "Bytes that came in with it.", last.get("fetched_bytes"))
        failed = len(last["failed"]) if last else None
        yield _one("run_failed_entries", "Entries that failed in it.", failed)

    def _nodes(self) -> Iterator[Any]:
        node, peers = self._found["node"], self._found["peers"]
        if node:
            states = {(state,): int(state == node["state"]) for state in NODE_STATES}
            yield _gauge("node_state", "1 for what keepalived made of this node.", states, ["state"])
            taken = CounterMetricFamily(f"{_PREFIX}takeovers", "How often this node became the active one.")
            taken.add_metric([], node.get("takeovers", 0))
            yield taken
        for name, text, of in (
            ("peer_answered_timestamp_seconds", "When a peer answered the last time.", "answered"),
            ("peer_differences", "In how many places the stores of a peer and of this node differ.", "differences"),
        ):
            # 0 for one that never answered: what is not there alerts nobody
            known = [one for one in peers if of == "answered" or one[of] is not None]
            values = {(one["endpoint"],): one[of] or 0 for one in known}
            yield _gauge(name, text, values, ["peer"])
        active = {(one["endpoint"],): int(one["node"]["state"] == "active") for one in peers if one["node"]}
        yield _gauge("peer_active", "1 if a peer says that it is the active node.", active, ["peer"])

    def _traffic(self) -> Iterator[Any]:
        traffic = self._found["traffic"]
        counted = traffic["counted"] if traffic else 0
        yield _one("log_counted_timestamp_seconds", "When the access log was counted, 0 if never.", counted)
        if not traffic:
            return
        gaps = CounterMetricFamily(f"{_PREFIX}log_gaps", "How often a part of the access log was gone unread.")
        gaps.add_metric([], traffic["gaps"])
        yield gaps
        for name, text, of in (
            ("requests", "Requests by how they ended.", "requests"),
            ("sent_bytes", "Bytes that were sent, by how the request ended.", "bytes"),
        ):
            family = CounterMetricFamily(f"{_PREFIX}{name}", text, labels=["outcome"])
            for outcome in OUTCOMES:
                family.add_metric([outcome], traffic["total"].get(outcome, {}).get(of, 0))
            yield family
        for name, text, of in (
            ("hit_ratio", "Part of the downloads that came from this mirror.", "rate"),
            ("hit_bytes_ratio", "Part of their bytes that came from this mirror.", "bytes_rate"),
        ):
            rates = {(window,): one[of] for window, one in traffic["hit_rate"].items() if one[of] is not None}
            yield _gauge(name, text, rates, ["window"])


def _one(name: str, text: str, value: float | None) -> Any:
    return _gauge(name, text, {} if value is None else {(): value}, [])


def _gauge(name: str, text: str, values: Mapping[Any, float], labels: list[str]) -> Any:
    family = GaugeMetricFamily(f"{_PREFIX}{name}", text, labels=labels)
    for label, value in values.items():
        family.add_metric(list(label), value)
    return family
