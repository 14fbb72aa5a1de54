# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The configuration file: what it may say, and what is said of one that is wrong."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from ansible_collections.modelops.hf_mirror.plugins.module_utils._base import yaml as _yaml
from ansible_collections.modelops.hf_mirror.plugins.module_utils._base.errors import MirrorError
from ansible_collections.modelops.hf_mirror.plugins.module_utils._cli.config import (
    Alerts,
    Config,
    ConfigError,
    read_config,
    read_urls,
)
from ansible_collections.modelops.hf_mirror.plugins.module_utils._plan.whitelist import WhitelistError

FULL = """\
store: /srv/hf-mirror
endpoint: https://hub.example.com
proxy: http://user:secret@proxy.example.com:3128
workers: 4
bandwidth: 1000000
reserve: 5
grace: 24
max_delete: 3
xet: true
whitelist: models.d
tokens_file: tokens.yml
lock_file: /etc/lock.json
scrub_rate: 50000000
alerts:
  threshold: 2
  language: zh
  urls_file: alerts
"""


def config(tmp_path: Path, text: str) -> Config:
    (tmp_path / "c.yml").write_text(text)
    return read_config(tmp_path / "c.yml")


def test_everything(tmp_path: Path) -> None:
    assert config(tmp_path, FULL) == Config(
        values={
            "store": Path("/srv/hf-mirror"),
            "endpoint": "https://hub.example.com",
            "proxy": "http://user:secret@proxy.example.com:3128",
            "workers": 4,
            "bandwidth": 1000000,
            "reserve": 5,
            "grace": 24,
            "max_delete": "3",
            "xet": True,
        },
        whitelist=tmp_path / "models.d",
        tokens_file=tmp_path / "tokens.yml",
        lock_file=Path("/etc/lock.json"),
        scrub_rate=50000000,
        alerts=Alerts(threshold=2, language="zh", urls_file=tmp_path / "alerts"),
    )


@pytest.mark.parametrize(
    "text",
    [
        "models_to_sync:\n  - repo_id: a/b\n",
        "- repo_id: a/b\n",
        "models:\n  - repo_id: a/b\n",
        "whitelist: c2.yml\n",
        "whitelist: folder\n",
        "store:\nalerts:\nmodels: [{repo_id: a/b}]\n",
    ],
)
def test_where_the_whitelist_may_be(tmp_path: Path, text: str) -> None:
    (tmp_path / "c2.yml").write_text("- repo_id: a/b\n")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "one.yaml").write_text("models_to_sync: [{repo_id: a/b}]")
    found = config(tmp_path, text)
    assert found.has_whitelist and [str(one) for one in found.wanted()] == ["a/b@main"]
    assert found.values == {} and found.alerts == Alerts() and found.lock() is None and found.tokens() == {}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "FILE must be a mapping with keys such as store and models, or a whitelist"),
        ("a/b", "FILE must be a mapping"),
        ("store: s\nendpont: x\n1: 2", "FILE: unknown key endpont, 1 (known: store, endpoint, proxy, workers, "),
        ("models_to_sync: []\nstore: s", "FILE: unknown key models_to_sync (known: "),
        ("store: 7", "FILE: store must be a path"),
        ("endpoint: []", "FILE: endpoint must be a text"),
        ("proxy: {http: secret}", "FILE: proxy must be a text"),
        ("workers: 0", "FILE: workers is 0, it must be a number, at least 1"),
        ("workers: yes", "FILE: workers is True, it must be a number"),
        ("bandwidth: 5M", "FILE: bandwidth is '5M', it must be a number of bytes a second"),
        ("reserve: 100", "FILE: reserve is 100, it must be a number of percent, 0 to 99"),
        ("grace: 3d", "FILE: grace is '3d', it must be a number of hours"),
        ("grace: -1", "FILE: grace is -1, it must be a number of hours"),
        ("max_delete: some", "FILE: max_delete is 'some', it must be a number of repositories or a share like 10%"),
        ("scrub_rate: fast", "FILE: scrub_rate is 'fast', it must be a number of bytes a second"),
        ("max_delete: -1", "FILE: max_delete is -1"),
        ("xet: 1", "FILE: xet "),
        ("models: {repo_id: a/b}", "FILE: models must be a list of entries with a repo_id each"),
        ("models: []\nwhitelist: x", "FILE: models and whitelist exclude each other"),
        ("alerts: 3", "FILE: alerts must be a mapping of threshold, language, urls_file"),
        ("alerts: {treshold: 3}", "FILE: alerts unknown key treshold (known: threshold, language, urls_file)"),
        ("alerts: {language: fr, threshold: 0}", "FILE: alerts language is 'fr', it must be en or zh; threshold is 0"),
        ("store: a\nworkers: 1\nstore: b", "FILE line 3: store is there twice, first on line 1"),
        ("models:\n- repo_id: a/b\n  keep: 1\n  keep: 2", "FILE line 4: keep is there twice, first on line 3"),
        ("store: [", "FILE line 1: not YAML: while parsing a flow node, expected the node content"),
        ("store: !vault x", "FILE line 1: not YAML: could not determine a constructor for the tag '!vault'"),
        ("a: \x00", "FILE: not YAML: "),
        ("store: 0\nworkers: 0", "FILE: store must be a path\nFILE: workers is 0"),
    ],
)
def test_refused(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(
        ConfigError, match="^" + re.escape(words).replace("FILE", re.escape(f"{tmp_path}/c.yml"))
    ) as caught:
        config(tmp_path, text)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("store: s", "there is no whitelist: give --config FILE with the key models or whitelist"),
        ("models: []", "the whitelist is empty"),
        ("models:\n- repo_id: a/b\n- {repo_id: c/d, kep: 1}", "FILE line 3 (c/d): unknown key kep"),
        ("models:\n- repo_id: a/b\n- repo_id: A/B", "FILE line 3: A/B@main: is there twice, join the two"),
        ("- repo_id: a/b\n- 7\n- repo_id: a/b", "FILE line 2: is a int, it must be a mapping"),
        (
            "- {repo_id: a/b, files: [x], views: [v]}\n- {repo_id: c/d, files: [y/x], views: [v]}",
            "FILE line 2: c/d@main: view v would hold two files named x (a/b@main)",
        ),
        ("whitelist: gone.yml", "TOP/gone.yml can't be read: No such file or directory"),
    ],
)
def test_a_wrong_entry_is_named_with_its_line(tmp_path: Path, text: str, words: str) -> None:
    expected = words.replace("FILE", f"{tmp_path}/c.yml" if "--config" not in words else "FILE")
    with pytest.raises((ConfigError, WhitelistError), match="^" + re.escape(expected.replace("TOP", str(tmp_path)))):
        config(tmp_path, text).wanted()


SECRETS: list[tuple[str, int, str]] = [
    ("team: hf_secret", 0o604, "FILE has mode 0604, everybody can read the secrets in it: chmod 0600 FILE"),
    ("team: hf_secret", 0o646, "FILE has mode 0646"),
    ("- hf_secret", 0o600, "FILE must be a mapping NAME: TOKEN"),
    ("hf_secret", 0o600, "FILE must be a mapping NAME: TOKEN"),
    ("1: hf_secret", 0o600, "FILE must be a mapping NAME: TOKEN"),
    ("team: [hf_secret]", 0o600, "FILE: what is given for team is no token"),
    ("team: hf secret", 0o600, "FILE: what is given for team is no token"),
    ("team: 'hf_secret\\n'", 0o600, "FILE: what is given for team is no token"),
    ("team: 秘密", 0o600, "FILE: what is given for team is no token"),
    ("a: 1\nteam: hf_secret: x", 0o600, "FILE line 2: not YAML$"),
    ("team: *hf_secret", 0o600, "FILE line 1: not YAML$"),
    ("team: a\nteam: hf_secret", 0o600, "FILE line 2: a key is there twice$"),
    ("team: 2026-13-01", 0o600, "FILE: not YAML$"),
]


@pytest.mark.parametrize(("text", "mode", "words"), SECRETS)
def test_tokens_are_never_shown(tmp_path: Path, text: str, mode: int, words: str) -> None:
    file = tmp_path / "tokens.yml"
    file.write_text(text)
    file.chmod(mode)
    if text.endswith("'hf_secret\\n'"):
        file.write_text('team: "hf_secret\\n"')
    with pytest.raises(ConfigError, match="^" + words.replace("FILE", re.escape(str(file)))) as caught:
        config(tmp_path, "tokens_file: tokens.yml").tokens()
    assert "secret" not in str(caught.value).replace("the secrets in it", "")
    assert caught.value.__cause__ is None and caught.value.__suppress_context__ is bool(caught.value.__context__)


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o400, 0o440])
def test_tokens(tmp_path: Path, mode: int) -> None:
    (tmp_path / "tokens.yml").write_text("team: hf_secret\nother: hf_2")
    (tmp_path / "tokens.yml").chmod(mode)
    assert config(tmp_path, "tokens_file: tokens.yml").tokens() == {"team": "hf_secret", "other": "hf_2"}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "lock.json can't be read: No such file or directory"),
        (b"{", "lock.json is no JSON: "),
        (b"\xff", "lock.json is no UTF-8 text: invalid start byte at byte 0"),
        (b"{}", "the lock file has no version 1: write it anew"),
        (b'{"version": 1}', "the lock file can't be read: KeyError 'entries'"),
    ],
)
def test_a_wrong_lock_file(tmp_path: Path, content: bytes | None, words: str) -> None:
    if content is not None:
        (tmp_path / "lock.json").write_bytes(content)
    with pytest.raises(MirrorError, match=re.escape(words)):
        config(tmp_path, "lock_file: lock.json").lock()


def test_root_s_files_are_handed_over_by_systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    handed = tmp_path / "handed"
    handed.mkdir()
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(handed))
    for name, theirs, mine in (
        ("tokens.yml", "default: hf_root", "a: hf_mine"),
        ("alerts", "json://root", "json://mine"),
    ):
        for file, text in ((tmp_path / name, theirs), (handed / name, mine)):
            file.write_text(text)
            file.chmod(0o440)
    found = config(tmp_path, "tokens_file: tokens.yml\nalerts: {urls_file: alerts}")
    assert found.tokens() == {"a": "hf_mine"} and read_urls(tmp_path / "alerts") == ["json://mine"]
    (handed / "tokens.yml").unlink()
    assert found.tokens() == {"default": "hf_root", None: "hf_root"}


def test_the_receivers_of_alerts(tmp_path: Path) -> None:
    file = tmp_path / "alerts"
    file.write_text("# mine\n; too\n\n  json://a/  \nmailtos://x:y@z\n")
    file.chmod(0o600)
    assert read_urls(file) == ["json://a/", "mailtos://x:y@z"]
    file.chmod(0o644)
    with pytest.raises(ConfigError, match="has mode 0644"):
        read_urls(file)


def test_a_host_without_pyyaml_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_yaml, "YAML_ERROR", "ImportError: no yaml")
    with pytest.raises(ConfigError, match="without PyYAML"):
        config(tmp_path, "store: s")
