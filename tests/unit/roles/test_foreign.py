# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an operator had before is not overwritten and not removed: it is refused, with how to move it away."""

from __future__ import annotations

from pathlib import Path

import local_role
import pytest

OURS = "# Managed by Ansible (role modelops.hf_mirror.mirror_keepalived): changes made here are lost.\n"


@pytest.mark.parametrize(
    ("content", "is_good"),
    [(None, True), (OURS, True), ("vrrp_instance mine {}\n", False)],
    ids=["none", "ours", "other"],
)
def test_keepalived_has_one_configuration(tmp_path: Path, content: str | None, is_good: bool) -> None:
    file = tmp_path / "keepalived.conf"
    if content is not None:
        file.write_text(content)
    about = {"__mirror_keepalived_config": str(file), "ansible_become": False}
    done = local_role.run(tmp_path, "mirror_keepalived", "preflight_foreign", **about)
    assert (done.is_good, done.changed) == (is_good, 0), done.said
    assert is_good or f"mv {file} {file}.before" in " ".join(done.said.split())


DEBIANS = ("httpd, httpd-cgi, nginx-abi-1.22.1-7", "Debian Nginx Maintainers <pkg-nginx@example.org>")
NGINX_ORGS = ("httpd", "NGINX Packaging <packaging@example.com>")


@pytest.mark.parametrize(
    ("installed", "offered", "words"),
    [
        (None, None, ""),  # apt has no lists yet
        (None, DEBIANS, ""),
        (None, NGINX_ORGS, "comes from NGINX Packaging <packaging@example.com>."),
        (DEBIANS, NGINX_ORGS, ""),
        (NGINX_ORGS, NGINX_ORGS, "comes from NGINX Packaging <packaging@example.com>."),
        ((), DEBIANS, "comes from no package nginx."),
    ],
)
def test_another_nginx_is_refused_first(
    tmp_path: Path, installed: tuple[str, ...] | None, offered: tuple[str, str] | None, words: str
) -> None:
    programs, binary = tmp_path / "bin", tmp_path / "nginx"
    programs.mkdir()
    for name, package in (("dpkg-query", installed), ("apt-cache", offered)):
        known = "Package: nginx\nProvides: {}\nMaintainer: {}\n".format(*package) if package else ""
        (tmp_path / name).write_text(known)
        (programs / name).write_text(f"#!/bin/sh\ncat {tmp_path / name}\n[ -s {tmp_path / name} ]\n")
        (programs / name).chmod(0o755)
    if installed is not None:
        binary.touch()
    about = {"__mirror_nginx_binary": str(binary), "ansible_become": False}
    done = local_role.run(tmp_path, "mirror_nginx", "preflight_package", programs=programs, check=True, **about)
    assert (done.is_good, done.changed) == (not words, 0), done.said
    assert words in " ".join(done.said.split())


@pytest.mark.parametrize(("kind", "is_good"), [("none", True), ("link", True), ("file", False)])
def test_a_site_of_their_own_stays(tmp_path: Path, kind: str, is_good: bool) -> None:
    site = tmp_path / "sites-enabled/default"
    site.parent.mkdir()
    if kind == "link":
        site.symlink_to("../sites-available/default")
    elif kind == "file":
        site.write_text("server {}\n")
    done = local_role.run(tmp_path, "mirror_nginx", "preflight_site", __mirror_nginx_default_site=str(site))
    assert (done.is_good, done.changed) == (is_good, 0), done.said
    assert is_good or f"mv {site} {tmp_path}/sites-available/default.before" in " ".join(done.said.split())
