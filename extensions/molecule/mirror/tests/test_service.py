# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""nginx' service on a host: what it may do, and its access log."""

from __future__ import annotations

import json

import pytest
from testinfra.host import Host

from testhosts import until

LOG = "/var/log/hf-mirror/access.log"
ASK = "curl -s -o /dev/null http://127.0.0.1/hysts/ArcFace-resnet100/resolve/main/model.onnx"


def process(mirror: Host) -> str:
    return mirror.check_output("systemctl show --property=MainPID --value nginx")


def lines(mirror: Host) -> list[dict[str, str]]:
    return [json.loads(line) for line in mirror.file(LOG).content_string.splitlines()]


@pytest.mark.parametrize(
    ("path", "may_write"),
    [
        ("/srv/hf-mirror", False),
        ("/etc/nginx", False),
        ("/usr/local", False),
        ("/root", False),
        ("/var/log/hf-mirror", True),
        ("/var/log/nginx", True),
    ],
)
def test_what_nginx_may_write(mirror: Host, path: str, may_write: bool) -> None:
    file = f"{path}/written-by-a-test"
    assert (mirror.run("nsenter --target %s --mount touch %s", process(mirror), file).rc == 0) == may_write
    assert mirror.file(file).exists == may_write
    mirror.run("rm -f %s", file)


def test_what_nginx_is_kept_from(mirror: Host) -> None:
    status = dict(
        line.split(":\t", 1) for line in mirror.file(f"/proc/{process(mirror)}/status").content_string.splitlines()
    )
    assert status["NoNewPrivs"] == "1"
    assert status["Seccomp"] == "2"
    # neither sys_admin (21) nor net_admin (12) nor sys_ptrace (19)
    assert int(status["CapBnd"], 16) & (1 << 21 | 1 << 12 | 1 << 19) == 0
    score = mirror.run("systemd-analyze security --no-pager nginx.service").stdout.splitlines()[-1]
    exposure = float(score.partition(": ")[2].split()[0])
    assert exposure <= 3, score


@pytest.mark.parametrize("signal", ["KILL", "TERM"])
def test_nginx_starts_again_when_it_dies(mirror: Host, signal: str) -> None:
    before = process(mirror)
    mirror.check_output("kill -%s %s", signal, before)
    until(lambda: process(mirror) not in ("0", before) and mirror.run(ASK).rc == 0)


def test_the_log_is_rotated(mirror: Host) -> None:
    file = mirror.file(LOG)
    assert (file.mode, file.user, file.group) == (0o640, "www-data", "adm")
    mirror.check_output(ASK)
    before = lines(mirror)
    assert before
    done = mirror.run("logrotate --force /etc/logrotate.d/hf-mirror")
    assert (done.rc, done.stderr) == (0, "")
    # nginx writes to the old file until it has got the signal
    until(lambda: mirror.check_output(ASK) or lines(mirror))
    after = lines(mirror)
    assert after[-1]["repo_id"] == "hysts/ArcFace-resnet100"
    rotated = mirror.file(f"{LOG}.1")
    assert rotated.mode == 0o640
    assert [json.loads(line) for line in rotated.content_string.splitlines()][: len(before)] == before
    # both of Debian's rule and ours
    assert mirror.run("logrotate --debug /etc/logrotate.conf 2>&1 | grep -i 'duplicate\\|error:'").stdout == ""
    told = json.loads(mirror.check_output("hf-mirror audit --repo hysts/ArcFace-resnet100 --by commit --json"))
    assert told


def test_the_kernels_tables_are_there_whenever_rules_are_read(mirror: Host) -> None:
    wanted = {"table inet hf_mirror_connections", "table inet hf_mirror_vrrp"}

    def tables() -> set[str]:
        return set(mirror.check_output("nft list tables").splitlines())

    assert wanted <= tables()
    for what in ("start", "reload", "restart"):
        mirror.check_output("systemctl %s nftables.service", what)
        # systemctl waits for that unit, and not for those that follow it
        until(lambda: wanted <= tables())
    mirror.check_output("systemctl stop nftables.service")
    for name in ("connections", "vrrp"):
        assert mirror.service(f"hf-mirror-{name}-firewall").is_enabled
        mirror.check_output("systemctl start %s", f"hf-mirror-{name}-firewall")
    assert wanted <= tables()


def test_nginx_takes_more_connections_than_debians(mirror: Host) -> None:
    assert "worker_connections 16384; # 768 before" in mirror.check_output("nginx -T 2>/dev/null")
