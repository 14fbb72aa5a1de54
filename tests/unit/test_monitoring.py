# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Metrics and alerts: a real Prometheus reads what nginx serves, and each alert fires for its cause alone."""

from __future__ import annotations

import json
import re
import subprocess
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.modelops.hf_mirror.plugins.module_utils._check import traffic_count
from ansible_collections.modelops.hf_mirror.plugins.module_utils._check.describe import describe
from ansible_collections.modelops.hf_mirror.plugins.module_utils._check.status_document import write_status
from ansible_collections.modelops.hf_mirror.plugins.module_utils._cli import metrics as _metrics
from ansible_collections.modelops.hf_mirror.plugins.module_utils._cli.metrics import exposition
from ansible_collections.modelops.hf_mirror.plugins.module_utils._plan.whitelist import parse
from ansible_collections.modelops.hf_mirror.plugins.module_utils._run.engine import Engine
from ansible_collections.modelops.hf_mirror.plugins.module_utils._run.settings import Settings
from ansible_collections.modelops.hf_mirror.plugins.module_utils._store.node_state import NodeState, note_state
from ansible_collections.modelops.hf_mirror.plugins.module_utils._store.peer_status import PeerStatus, write_peers
from ansible_collections.modelops.hf_mirror.plugins.module_utils._store.store import Store
from mirror_server import Server
from polling import until
from ports import free_ports

from hub.process import HubProcess

TOP = Path(__file__).parents[2]
RULES = TOP / "docs/monitoring/hf-mirror.rules.yml"
PROGRAMS = TOP / ".cache/prometheus/usr/bin"
NAMES = [rule["alert"] for rule in yaml.safe_load(RULES.read_text())["groups"][0]["rules"]]
#: The minute at which all is looked at; what was longer ago was before 1970. The time an hour before, in seconds.
NOW = 2_000
LATELY = (NOW - 60) * 60
FINE = {
    'build_info{version="1"}': 1,
    "written_timestamp_seconds": NOW * 60,
    "run_timestamp_seconds": LATELY,
    'entry_failures{entry="a/b@main"}': 2,
    'entry_success_timestamp_seconds{entry="a/b@main"}': LATELY,
    "rotten_contents": 0,
    "scrub_timestamp_seconds": LATELY,
    'node_state{state="active"}': 1,
    'peer_differences{peer="http://two"}': 0,
    'peer_answered_timestamp_seconds{peer="http://two"}': NOW * 60,
    "disk_free_bytes": 500,
    "disk_size_bytes": 1000,
    "disk_free_inodes": 10_000_000,
    'hit_ratio{window="day"}': 0.96,
    "log_counted_timestamp_seconds": NOW * 60,
    "log_gaps_total": 3,
}
CAUSES: list[tuple[str, dict[str, Any]]] = [
    ("HfMirrorGone", {'build_info{version="1"}': f"1x{NOW // 5 - 8} stale"}),
    ("HfMirrorPeerAway", {'peer_answered_timestamp_seconds{peer="http://two"}': 0}),
    ("HfMirrorLogNotCounted", {"log_counted_timestamp_seconds": 0}),
    ("HfMirrorMetricsOld", {"written_timestamp_seconds": NOW * 60 - 2200}),
    ("HfMirrorNeverSynced", {"run_timestamp_seconds": None}),
    ("HfMirrorSyncStale", {"run_timestamp_seconds": (NOW - 40 * 60) * 60}),
    ("HfMirrorEntryFailing", {'entry_failures{entry="a/b@main"}': 3}),
    ("HfMirrorEntryStale", {'entry_success_timestamp_seconds{entry="a/b@main"}': (NOW - 5 * 1440) * 60}),
    ("HfMirrorRot", {"rotten_contents": 1}),
    ("HfMirrorScrubStale", {"scrub_timestamp_seconds": (NOW - 61 * 1440) * 60}),
    ("HfMirrorNoActiveNode", {'node_state{state="active"}': 0}),
    ("HfMirrorTwoActiveNodes", {'node_state{state="active",instance="two"}': 1}),
    ("HfMirrorNodesDiffer", {'peer_differences{peer="http://two"}': 1}),
    ("HfMirrorPeerAway", {'peer_answered_timestamp_seconds{peer="http://two"}': NOW * 60 - 1300}),
    ("HfMirrorDiskFull", {"disk_free_bytes": 70}),
    ("HfMirrorDiskFull", {"disk_free_inodes": 20_000}),
    ("HfMirrorHitRateLow", {'hit_ratio{window="day"}': 0.9}),
    ("HfMirrorLogNotCounted", {"log_counted_timestamp_seconds": NOW * 60 - 4000}),
    ("HfMirrorLogGap", {"log_gaps_total": f"3x{NOW // 5 - 12} 4x11"}),
]


def promtool(*arguments: str, **given: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run([PROGRAMS / "promtool", *arguments], check=False, capture_output=True, text=True, **given)


def named(metric: str) -> str:
    """Return a series of one node of a mirror."""
    name, _brace, labels = metric.rstrip("}").partition("{")
    labels = ",".join(filter(None, ['job="mirror"', labels, "" if "instance=" in labels else 'instance="one"']))
    return f"hf_mirror_{name}{{{labels}}}"


def test_nothing_fires_where_all_is_fine_and_each_alert_for_its_cause(tmp_path: Path) -> None:
    assert {name for name, _change in CAUSES} == set(NAMES)
    tests = []
    for name, change in [("", {}), *CAUSES]:
        series = {named(metric): value for metric, value in {**FINE, **change}.items() if value is not None}
        values = [
            {"series": metric, "values": value if isinstance(value, str) else f"{value}x{NOW // 5}"}
            for metric, value in series.items()
        ]
        fires = []
        for one in NAMES:
            # how many of it, without their labels
            expr = f'count(ALERTS{{alertname="{one}",alertstate="firing"}})'
            samples = [{"labels": "{}", "value": 1}] if one == name else []
            fires.append({"expr": expr, "eval_time": f"{NOW}m", "exp_samples": samples})
        tests.append({"name": name or "fine", "interval": "5m", "input_series": values, "promql_expr_test": fires})
    file = tmp_path / "test.yml"
    file.write_text(json.dumps({"rule_files": [str(RULES)], "evaluation_interval": "5m", "tests": tests}))
    done = promtool("test", "rules", str(file))
    assert done.returncode == 0, done.stdout + done.stderr


def full(root: Path, hub: HubProcess) -> Store:
    """A store with all that metrics can be of."""
    root.mkdir(mode=0o755)
    engine = Engine(Settings(root, endpoint=hub.url))
    engine.run(parse([{"repo_id": "stand-in/tiny-model"}, {"repo_id": "no/such"}]))
    engine.scrub([], repair=False)
    store = Store(root)
    for state in ("standby", "active"):
        note_state(store, state)
    node = NodeState.from_json(store.ledger.state().node)
    write_peers(store, [PeerStatus("http://two", 1.0, 1.0, differences=3, since=1.0, node=node)])
    return store


def test_a_real_prometheus_reads_them(tmp_path: Path, hub: HubProcess) -> None:
    tmp_path.chmod(0o755)
    store = full(tmp_path / "store", hub)
    server = Server(store.root, tmp_path / "nginx", mirror_nginx_metrics_networks=["127.0.0.1"])
    for _time in range(25):
        urllib.request.urlopen(f"{server.url}/stand-in/tiny-model/resolve/main/config.json").close()
    traffic_count.count(store, tmp_path / "nginx/access.log")
    found = describe(store)
    write_status(store, found, exposition(found))
    with urllib.request.urlopen(f"{server.url}/metrics") as answer:
        assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        text = answer.read().decode()
    checked = promtool("check", "metrics", input=text)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    served = set(re.findall(r"^# TYPE (hf_mirror_\w+)", text, re.MULTILINE))
    page = (TOP / "docs/monitoring.md").read_text()
    told = set(re.findall(r"`(hf_mirror_\w+)", page.partition("## Alerts")[0]))
    assert told == served, "docs/monitoring.md lists them"

    (port,) = free_ports(1)
    target = {"job_name": "mirror", "static_configs": [{"targets": [f"127.0.0.1:{server.port}"]}]}
    config = {"global": {"scrape_interval": "1s"}, "scrape_configs": [target], "rule_files": [str(RULES)]}
    (tmp_path / "prometheus.yml").write_text(json.dumps(config))
    command = [PROGRAMS / "prometheus", f"--config.file={tmp_path}/prometheus.yml", f"--storage.tsdb.path={tmp_path}"]
    command.append(f"--web.listen-address=127.0.0.1:{port}")
    with (tmp_path / "prometheus.log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:

        def query(what: str) -> list[Any]:
            quoted = urllib.parse.quote(what)
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/query?query={quoted}") as answer:
                return list(json.load(answer)["data"]["result"])

        def is_there() -> bool:
            try:
                return bool(query("hf_mirror_build_info"))
            except OSError:
                return False

        until(is_there)
        for metric in served:
            assert query(metric), metric
        for rule in yaml.safe_load(RULES.read_text())["groups"][0]["rules"]:
            query(rule["expr"])
        (ratio,) = query('hf_mirror_hit_ratio{window="day"}')
        assert float(ratio["value"][1]) == 1.0
    finally:
        process.terminate()
        process.wait(timeout=60)
        server.kill()


def test_labels_are_bounded(tmp_path: Path, hub: HubProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    found = describe(full(tmp_path / "store", hub))
    monkeypatch.setattr(_metrics, "ENTRIES", 1)
    text = exposition(found).decode()
    assert text.count("hf_mirror_entry_failures{") == 1 and "hf_mirror_entries 2.0" in text


@pytest.mark.parametrize("page", ["docs/monitoring.md", "docs/monitoring.zh-CN.md"])
def test_each_alert_has_a_section_in_the_runbook(page: str) -> None:
    titles = re.findall(r"^### (\w+)$", (TOP / page).read_text(encoding="utf-8"), re.MULTILINE)
    assert titles == NAMES
