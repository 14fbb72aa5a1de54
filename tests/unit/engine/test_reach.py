# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where an upstream may send a sync: addresses inside and outside, and an endpoint that stays what it was."""

from __future__ import annotations

import pytest
from ansible_collections.modelops.hf_mirror.plugins.module_utils._base import inside as _inside
from ansible_collections.modelops.hf_mirror.plugins.module_utils._fetch.reach import InsideError, Reach

INSIDE = """
0.0.0.0 10.1.2.3 100.100.100.200 127.0.0.1 127.9.9.9 169.254.169.254 172.16.0.1 172.31.255.255 192.168.1.1
::1 :: fe80::1 fe80::1%eth0 fc00::1 fd12::1 ::ffff:10.0.0.1 ::ffff:127.0.0.1 64:ff9b::10.0.0.1 64:ff9b::a9fe:a9fe
64:ff9b:1::1 2002:0a00:0001::1 ::10.0.0.1
"""
OUTSIDE = """
1.1.1.1 198.18.0.1 198.19.255.255 172.32.0.1 192.167.1.1 2606:4700::1 ::ffff:1.1.1.1 64:ff9b::1.1.1.1
2002:0101:0101::1
"""


@pytest.mark.parametrize("address", INSIDE.split())
def test_addresses_inside(address: str) -> None:
    assert _inside.is_inside(address)


@pytest.mark.parametrize("address", OUTSIDE.split())
def test_addresses_outside(address: str) -> None:
    assert not _inside.is_inside(address)


def test_an_endpoint_inside_may_send_inside() -> None:
    reach = Reach("http://mirror.example:8080")
    with pytest.raises(InsideError):
        reach.check("127.0.0.1", 80, "127.0.0.1")
    reach.check("mirror.example", 8080, "10.0.0.5")
    reach.check("elsewhere.example", 80, "10.0.0.6")


def test_a_public_endpoint_stays_public() -> None:
    reach = Reach("https://hub.example")
    reach.check("hub.example", 443, "1.1.1.1")
    with pytest.raises(InsideError):  # its name means another address now
        reach.check("hub.example", 443, "127.0.0.1")


def test_an_endpoint_whose_name_means_both_is_public() -> None:
    reach = Reach("https://hub.example")
    reach.check("hub.example", 443, "127.0.0.1")
    reach.check("hub.example", 443, "1.1.1.1")
    with pytest.raises(InsideError):
        reach.check("victim.example", 80, "127.0.0.1")


def test_a_folder_of_this_host_is_no_store() -> None:
    with pytest.raises(InsideError, match="not an http"):
        Reach("https://hub.example").check_url("local:///srv")
