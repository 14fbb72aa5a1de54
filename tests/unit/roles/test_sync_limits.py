# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an operator's variables may be, and what the role's units limit."""

from __future__ import annotations

import configparser
from pathlib import Path
from typing import Any

import jinja2
import local_role
import pytest
import yaml
from ansible.template import trust_as_template
from unit.roles.role_variables import templar, variables_of

SYNC = Path(__file__).parents[3] / "roles/mirror_sync"
FACTS = {"distribution": "Debian", "distribution_version": "13.1", "distribution_major_version": "13"}
FINE = {"ansible_facts": FACTS, "mirror_sync_models": [{"repo_id": "a/b"}]}


def test_what_is_wrong_is_refused_before_anything_is_touched_and_no_secret_is_shown(tmp_path: Path) -> None:
    wrong = {
        "mirror_sync_workers": "0",  # as -e on a command line gives it
        "mirror_sync_bandwidth": 5,
        "mirror_sync_peer_wait": 86400,
        "mirror_sync_scrub_seconds": -1,
        "mirror_sync_alert_after": 0,
        "mirror_sync_memory_limit": 64,
        "mirror_sync_endpoint": "https://me:hf_secret@hub.example.com",
        "mirror_sync_peers": ["https://hf_secret@peer.example.com"],
        "mirror_sync_proxy": "http://me:hf_secret/1@proxy.example.com",
    }
    done = local_role.run(tmp_path, "mirror_sync", "preflight", **FINE, **wrong)
    assert not done.is_good and "hf_secret" not in done.said
    for words in (
        "workers is 0, it must",
        "bandwidth is 5, it must",
        "peer_wait is 86400, it must",
        "scrub_seconds is -1, it must",
        "threshold is 0, it must",
        "memory_limit is 64, it must",
        "endpoint has a user or a password in it",
        "mirror_sync_tokens",
        "peers has a URL that has a user or a password in it",
        "proxy must be ",
    ):
        assert words in " ".join(done.said.split()), words


def test_what_is_right_passes(tmp_path: Path) -> None:
    right = {"mirror_sync_workers": "16", "mirror_sync_proxy": "http://me:hf_secret@proxy.example.com:3128"}
    done = local_role.run(tmp_path, "mirror_sync", "preflight", **FINE, **right)
    assert done.is_good and "hf_secret" not in done.said, done.said


UPSTREAMS = [
    ("https://a.example.com", ""),
    (["https://a.example.com", {"url": "https://b.example.com", "proxy": "", "bandwidth": "50000"}], ""),
    ('["https://a.example.com"]', "endpoint is a text; a list is written as [URL, URL], on the command line as JSON"),
    ("", "endpoint must be an address"),
    (5, "endpoint is a number, it must be a URL, or a list"),
    (True, "endpoint is true or false, it must be a URL, or a list"),
    (None, "mirror_sync_endpoint must be a value, not null."),
    ({"url": "https://a.example.com"}, "endpoint is a mapping, it must be a URL, or a list"),
    (["https://a.example.com", {"url": "https://b.example.com", "token": ["x"]}], "endpoint (upstream 2) token is a"),
    (["https://a.example.com", {"url": "https://b.example.com", "token": "here"}], ""),
    (
        ["https://a.example.com", {"url": "https://b.example.com", "token": "hf_secret"}],
        "names a token that does not exist",
    ),
    ("https://a.example.com,https://b.example.com", "endpoint is a text; a list is written as [URL, URL]"),
]


@pytest.mark.parametrize(("given", "words"), UPSTREAMS, ids=str)
def test_upstreams_are_a_url_or_a_list(tmp_path: Path, given: Any, words: str) -> None:
    known = {"mirror_sync_tokens": {"here": "hf_x"}}
    done = local_role.run(tmp_path, "mirror_sync", "preflight", **FINE, **known, mirror_sync_endpoint=given)
    assert done.is_good == (not words) and words in " ".join(done.said.split()), done.said
    assert "hf_secret" not in done.said


def test_the_night_asks_whom_the_play_asks() -> None:
    upstreams = UPSTREAMS[1][0]
    made = templar(variables_of("mirror_sync", mirror_sync_models=[], mirror_sync_endpoint=upstreams))
    assert made.template(trust_as_template("{{ __mirror_sync_config }}"))["endpoint"] == upstreams
    tasks = yaml.safe_load((SYNC / "tasks/sync.yml").read_text(encoding="utf-8"))
    foretold, done = (task["modelops.hf_mirror.mirror_models"] for task in tasks[-1]["block"])
    assert made.template(trust_as_template(foretold["endpoint"])) == upstreams
    # it goes by the file that was made of them
    assert made.template(trust_as_template(done["config"])) == "/etc/hf-mirror/config.yml" and "endpoint" not in done


def unit(name: str, **more: Any) -> dict[str, str]:
    """Return the settings of a unit as the role writes it; of several of one name the last."""
    values = {**yaml.safe_load((SYNC / "defaults/main.yml").read_text()), "__mirror_sync_folder": "/etc/hf-mirror"}
    parts = [(SYNC / f"templates/{part}.j2").read_text() for part in ("hf-mirror.conf", name)]
    text = jinja2.Template("\n".join(parts)).render({**values, **more})
    return dict(line.split("=", 1) for line in text.splitlines() if "=" in line and not line.startswith("#"))


@pytest.mark.parametrize("name", ["sync", "follow", "scrub", "alert"])
def test_what_runs_by_itself_has_limits(name: str) -> None:
    found = unit(f"hf-mirror-{name}.service", mirror_sync_memory_limit=2048, mirror_sync_time_limit="3600")
    assert (found["MemoryMax"], found["MemorySwapMax"]) == ("2048M", "0")
    # RuntimeMaxSec= counts for no oneshot service, and the follower has no end
    assert found.get("TimeoutStartSec") == {"sync": "3900", "follow": None, "scrub": "3600", "alert": "300"}[name]


def test_a_sync_that_systemd_ends_is_told() -> None:
    found = unit("hf-mirror-sync.service", mirror_sync_alert_urls=["json://x"])
    assert found["OnFailure"] == "hf-mirror-alert.service"
    # asked to stop it would record that somebody stopped it, which is nobody's failure
    assert found["TimeoutStartFailureMode"] == "kill"


def test_the_fallback_s_password_is_not_shown(tmp_path: Path) -> None:
    facts = {**FACTS, "default_ipv4": {}, "fqdn": "mirror1.example.com"}
    variables = {"ansible_facts": facts, "mirror_nginx_fallback_endpoint": "https://me:hf_secret@hub.example.com"}
    done = local_role.run(tmp_path, "mirror_nginx", "preflight", **variables)
    said = " ".join(done.said.split())
    assert not done.is_good and "mirror_nginx_fallback_endpoint must be a URL without a path, a user or a pass" in said
    assert "https://***@hub.example.com" in said


@pytest.mark.parametrize(
    ("index", "trusted"),
    [("", None), ("https://pypi.example.com/simple", None), ("http://me:secret@10.0.0.5:8080/simple", "10.0.0.5")],
)
def test_an_index_without_tls_is_one_that_pip_asks(index: str, trusted: str | None) -> None:
    variables = variables_of("mirror_sync", mirror_sync_package_index=index, ansible_managed="Ansible")
    text = templar(variables).template(trust_as_template((SYNC / "templates/pip.conf.j2").read_text()))
    found = configparser.ConfigParser()
    found.read_string(text)
    assert found.get("global", "trusted-host", fallback=None) == trusted
    assert found.get("global", "index-url", fallback="") == index
