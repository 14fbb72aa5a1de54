# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the roles leave on the hosts."""

from __future__ import annotations

import pytest
from testinfra.host import Host

from hub.repos import Library
from testhosts import MIRRORS


def test_the_client_knows_the_mirror(client: Host) -> None:
    endpoint = f"http://{MIRRORS['mirror12']}"
    assert client.check_output("env -i bash -lc 'echo $HF_ENDPOINT'") == endpoint
    assert client.check_output("systemd-run --quiet --pipe --wait printenv HF_ENDPOINT") == endpoint


@pytest.mark.parametrize("address", MIRRORS.values(), ids=MIRRORS.keys())
def test_views(client: Host, address: str, library: Library) -> None:
    file = library.repo("model", "deepinsight/inswapper-128").main.files["inswapper_128.onnx"]
    url = f"http://{address}/models/facefusion/"
    assert client.check_output("curl -fs %sinswapper_128.onnx | sha256sum", url).split()[0] == file.blob
    assert "inswapper_128.onnx" in client.check_output("curl -fs %s", url)


def test_only_one_user_writes_the_store(mirror: Host) -> None:
    assert mirror.check_output("find /srv/hf-mirror ! -user hf-mirror") == ""
    assert mirror.check_output("find /srv/hf-mirror ! -type l -perm /022") == ""
    assert mirror.run("runuser -u www-data -- find /srv/hf-mirror -type f -exec cat {} + > /dev/null").rc == 0
    assert mirror.run("runuser -u www-data -- touch /srv/hf-mirror/x").rc != 0


def test_nginx_starts_by_itself(mirror: Host) -> None:
    nginx = mirror.service("nginx")
    assert nginx.is_running
    assert nginx.is_enabled
