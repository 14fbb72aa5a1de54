# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The configuration file: what it may say, and what is said of one that is wrong."""

from __future__ import annotations

import os
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
from ansible_collections.modelops.hf_mirror.plugins.module_utils._run.whitelist import WhitelistFolder
from ansible_collections.modelops.hf_mirror.plugins.module_utils._store.store import Store

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
            "scrub_rate": 50000000,
        },
        whitelist=tmp_path / "models.d",
        tokens_file=tmp_path / "tokens.yml",
        lock_file=Path("/etc/lock.json"),
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
    wanted = found.wanted()
    if isinstance(wanted, WhitelistFolder):
        wanted = list(wanted.read(Store(tmp_path)).wanted)
    assert found.has_whitelist and [str(one) for one in wanted] == ["a/b@main"]
    assert found.values == {} and found.alerts == Alerts() and found.lock() is None and found.tokens() == {}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "FILE must be a mapping with keys such as store and models, or a whitelist"),
        ("a/b", "FILE must be a mapping"),
        ("store: s\nendpont: x\n1: 2", "FILE: unknown key endpont, 1 (known: store, endpoint, proxy, "),
        ("models_to_sync: []\nstore: s", "FILE: unknown key models_to_sync (known: "),
        ("store: 7", "FILE: store must be a path"),
        ("endpoint: []", "FILE: endpoint has 0 upstreams, it must have 1 to 10"),
        ("endpoint: 5", "FILE: endpoint is a number, it must be a URL, or a list of URLs"),
        (
            "endpoint: [https://a.example.com, https://me:secret@b.example.com]",
            "FILE: endpoint (upstream 2) has a user",
        ),
        (
            "endpoint: https://me:secret@hub.example.com",
            "FILE: endpoint has a user or a password in it, which everybody",
        ),
        (
            "endpoint: https://secret@hub.example.com/x",
            "FILE: endpoint has a user or a password in it, which everybody",
        ),
        ("endpoint: https://a@secret@hub.example.com", "FILE: endpoint has more than one @"),
        ("endpoint: https://hub.example.com?token=secret", "FILE: endpoint contains a ? or #"),
        ("endpoint: hub.example.com", "FILE: endpoint must be an address"),
        ("endpoint: 'https://hub.example.com:secret'", "FILE: endpoint must be an address"),
        ('endpoint: "https://hub.example.com/\\nsecret"', "FILE: endpoint must be an address"),
        (
            "peers: [https://me:secret@peer.example.com]",
            "FILE: peers has a URL that has a user or a password in it, which everybody could",
        ),
        ("proxy: {http: secret}", "FILE: proxy must be an address that begins with http:// or https://"),
        (
            "proxy: me:secret@proxy.example.com:3128",
            "FILE: proxy must be an address that begins with http:// or https://",
        ),
        ("proxy: http://me:secret/1@proxy.example.com", "FILE: proxy must be "),
        (
            "proxy: http://me:secret@1@proxy.example.com",
            "FILE: proxy has more than one @: write an @ in a password as %40",
        ),
        ("workers: 0", "FILE: workers is 0, it must be a number of files that are fetched at the same time, 1 to 64"),
        ("workers: 65", "FILE: workers is 65, it must be a number"),
        ("workers: yes", "FILE: workers is True, it must be a number"),
        ("workers: 4.5", "FILE: workers is 4.5, it must be a number"),
        ("workers: '4'", "FILE: workers is '4', it must be a number"),
        (f"workers: 0x{'f' * 5000}", "FILE: workers is a number of very many digits, it must be a number"),
        (f"grace: {'9' * 9999}", "FILE: not YAML: "),
        (
            "bandwidth: 5",
            "FILE: bandwidth is 5, it must be a number of bytes a second, 10000 to 1000000000000, or 0 for no",
        ),
        ("peer_wait: 1801", "FILE: peer_wait is 1801, it must be a number of seconds, 0 to 1800"),
        ("time_limit: 0", "FILE: time_limit is 0, it must be a number of seconds, 60 to "),
        ("memory_limit: 100", "FILE: memory_limit is 100, it must be a number of MiB, 1024 to "),
        (
            "alerts: {threshold: 1001}",
            "FILE: alerts threshold is 1001, it must be a number of failures in a row, 1 to ",
        ),
        ("max_delete: 101%", "FILE: max_delete is '101%', it must be"),
        ("max_delete: [1, 2]", "FILE: max_delete is [1, 2], it must be"),
        (f"{'x' * 400}: 1", f"FILE: unknown key '{'x' * 47}...{'x' * 48}' (known: "),
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
    assert "secret" not in str(caught.value).replace(str(tmp_path), "")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("store: s", "no whitelist is given: pass --config FILE with the key models or whitelist"),
        ("models: []", "the whitelist is empty"),
        ("models:\n- repo_id: a/b\n- {repo_id: c/d, kep: 1}", "FILE line 3 (c/d): unknown key kep"),
        ("models:\n- repo_id: a/b\n- repo_id: A/B", "FILE line 3: A/B@main: is listed twice, merge the two"),
        ("- repo_id: a/b\n- 7\n- repo_id: a/b", "FILE line 2: is a number, it must be a mapping"),
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


#: Each of nine lines has nine times the line before: 400 million items.
BOMB = "".join(f"x{n}: &x{n} [{', '.join([f'*x{n - 1}' if n else 'lol'] * 9)}]\n" for n in range(9))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (BOMB + "store: *x8", "FILE line 7: has more than 1000000 items, with aliases expanded"),
        (BOMB + "models: [{repo_id: *x8}]", "FILE line 7: has more than 1000000 items"),
        (
            "".join(f"- &x{n} {{<<: [{', '.join([f'*x{n - 1}'] * 9 if n else ['{a: b}'])}]}}\n" for n in range(9)),
            "FILE line ",
        ),
        ("models: &x\n- repo_id: *x", "FILE line 1: contains itself, through an alias"),
        ("store: " + "[" * 40 + "]" * 40, "FILE line 1: is nested more than 32 deep"),
        ("store: " + "[" * 4000 + "]" * 4000, "FILE: not YAML"),
        (
            "\n".join(f"x{n}: &x{n} [{f'*x{n - 1}' if n else ''}]" for n in range(99)),
            "FILE line 33: is nested more than 32",
        ),
        ("workers: " + "1:" * 9000 + "1", "FILE line 1: is longer than 10000 characters"),
        ("# " + "x" * (2 << 20), "FILE has more than 2 MiB, the limit"),
        ("".join(f"x{number}: 1\nx{number}: 1\n" for number in range(500)), "FILE line 2: x0 is there twice"),
    ],
    ids=range(10),
)
def test_what_grows_beyond_all_bounds(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ConfigError, match="^" + words.replace("FILE", re.escape(f"{tmp_path}/c.yml"))) as caught:
        config(tmp_path, text)
    assert len(str(caught.value)) < 200 * 100


def test_a_wrong_entry_may_be_as_large_as_it_likes(tmp_path: Path) -> None:
    """The message shows the beginning of it, and of many entries the first."""
    many = "".join(f"x{n}: &x{n} [{', '.join([f'*x{n - 1}' if n else 'lol'] * 9)}]\n" for n in range(5))
    entries = "".join(f"- repo_id: *x4\n  keep: {key}\n" for key in ("1", "*x4", "'" + "k" * 9999 + "'"))
    with pytest.raises(ConfigError, match="unknown key x0, x1, x2, x3, x4 ") as caught:
        config(tmp_path, f"{many}models:\n{entries}")
    whitelist = (
        "- &a [" + "lol, " * 9 + "]\n- &b [" + "*a, " * 9 + "]\n- &c [" + "*b, " * 9 + "]\n- &d [" + "*c, " * 9 + "]\n"
    )
    whitelist += (
        "- repo_id: *d\n- {repo_id: a/b, keep: *d}\n- {repo_id: a/b, revision: *d}\n- {repo_id: a/b, files: *d}\n"
    )
    whitelist += "- {repo_id: a/b, views: [" + "v" * 9000 + "/]}\n- 7\n" + "- 7\n" * 400
    with pytest.raises(WhitelistError) as caught_too:
        config(tmp_path, whitelist).wanted()
    lines = str(caught_too.value).splitlines()
    assert lines[-1] == f"and {4 + 4 + 1 + 401 - 100} more" and max(map(len, lines)) < 400
    assert caught.value.args


@pytest.mark.parametrize("what", ["file", "whitelist", "folder", "link", "above", "tokens", "alerts", "lock"])
def test_what_everybody_could_change_is_not_obeyed(tmp_path: Path, what: str) -> None:
    top = tmp_path / "top"
    (top / "models.d").mkdir(parents=True)
    (top / "models.d/a.yml").write_text("- repo_id: a/b")
    for name in ("tokens.yml", "alerts"):
        (top / name).write_text("")
        (top / name).chmod(0o600)
    (top / "lock.json").write_text('{"version": 1, "entries": {}}')
    (tmp_path / "c.yml").write_text(
        "whitelist: top/models.d\ntokens_file: top/tokens.yml\nlock_file: top/lock.json\n"
        "alerts: {urls_file: top/alerts}"
    )

    def read() -> None:
        found = read_config(tmp_path / ("link.yml" if what == "link" else "c.yml"))
        told = found.folder.read(Store(tmp_path)).problems if found.folder else {}
        if told:
            raise MirrorError(told["a.yml"])
        (found.lock(), read_urls(found.alerts.urls_file or Path()), found.tokens() if what == "tokens" else None)

    (top / "tokens.yml").write_text("a: b")
    (tmp_path / "link.yml").symlink_to(tmp_path / "c.yml")
    read()
    wrong, mode = {
        "file": (tmp_path / "c.yml", 0o666),
        "whitelist": (top / "models.d/a.yml", 0o646),
        "folder": (top / "models.d", 0o777),
        "link": (tmp_path / "c.yml", 0o602),
        "above": (top, 0o777),
        "tokens": (top / "tokens.yml", 0o602),
        "alerts": (top / "alerts", 0o602),
        "lock": (top / "lock.json", 0o666),
    }[what]
    wrong.chmod(mode)
    with pytest.raises(MirrorError, match=f"has mode 0{mode:o}, everybody can .*: chmod .*"):
        read()


def test_a_pipe_of_the_shell_is_as_good_as_a_file() -> None:
    reading, writing = os.pipe()
    try:
        os.write(writing, b"store: /s")
        os.close(writing)
        assert read_config(Path(f"/dev/fd/{reading}")).values == {"store": Path("/s")}
    finally:
        os.close(reading)


def test_a_folder_in_which_each_has_his_own_is_as_good_as_another(tmp_path: Path) -> None:
    tmp_path.chmod(0o1777)
    assert config(tmp_path, "store: s").values == {"store": tmp_path / "s"}


SECRETS: list[tuple[str, int, str]] = [
    ("team: hf_secret", 0o604, "FILE has mode 0604, everybody can read its secrets. Run: chmod 0600 FILE"),
    ("team: hf_secret", 0o646, "FILE has mode 0646"),
    ("- hf_secret", 0o600, "FILE must be a mapping NAME: TOKEN"),
    ("hf_secret", 0o600, "FILE must be a mapping NAME: TOKEN"),
    ("1: hf_secret", 0o600, "FILE must be a mapping NAME: TOKEN"),
    ("team: [hf_secret]", 0o600, "FILE: the value of team is not a valid token"),
    ("team: hf secret", 0o600, "FILE: the value of team is not a valid token"),
    ("team: 'hf_secret\\n'", 0o600, "FILE: the value of team is not a valid token"),
    ("team: 秘密", 0o600, "FILE: the value of team is not a valid token"),
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
    assert "secret" not in str(caught.value).replace("its secrets", "")
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
        (b"{", "lock.json is not valid JSON: "),
        (b"\xff", "lock.json is not UTF-8 text: invalid start byte at byte 0"),
        (b"{}", "the lock file has no version 1. Regenerate it with: hf-mirror lock"),
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
