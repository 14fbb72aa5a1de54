# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tasks of the role that need no host of their own."""

from __future__ import annotations

import hashlib
import os
import pwd
import shutil
import subprocess
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import local_role
import pytest
from served import served

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="files get other owners")


# ---- The user


def test_folders_are_of_the_users_own_group(tmp_path: Path) -> None:
    """Which is not called as the user is, for this one of Debian's."""
    user, out = pwd.getpwnam("sync"), tmp_path / "srv" / "out"
    variables: dict[str, Any] = {"facefusion_path": str(tmp_path), "facefusion_output_paths": [str(out)]}
    files = ("user", "folders", "folders")
    done = local_role.run(tmp_path, "facefusion", *files, facefusion_user=user.pw_name, **variables)
    assert (done.is_good, done.changed) == (True, 1), done.said
    for made in (tmp_path / ".caches", tmp_path / ".assets" / "models", out):
        assert (made.stat().st_uid, made.stat().st_gid) == (user.pw_uid, user.pw_gid)


# ---- A tarball


def pack(folder: Path, version: str) -> Path:
    """Return a tarball of a FaceFusion, what names the version first and the file ``last`` last."""
    top = folder / f"facefusion-{version}"
    (top / "facefusion").mkdir(parents=True)
    (top / "facefusion/metadata.py").write_text(f"METADATA = {{'version': '{version}'}}\n", encoding="utf-8")
    for name in ("facefusion/new.py", "facefusion.py", "last"):
        (top / name).touch()
    tarball = folder / "facefusion.tar.gz"
    names = [f"{top.name}/{name}" for name in ("facefusion/metadata.py", "facefusion/new.py", "facefusion.py", "last")]
    subprocess.run(["tar", "-czf", tarball, "-C", folder, *names], check=True)
    return tarball


def test_a_tarball_that_was_cut_is_unpacked_again(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    metadata, model, in_the_way = tree / "facefusion/metadata.py", tree / ".assets/models/model.onnx", tree / "last"
    for file in (metadata, model, metadata.with_name("old.py"), in_the_way / "file"):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("METADATA = {'version': '3.7.0'}\n")
    tarball = str(pack(tmp_path, "3.8.1"))
    variables: dict[str, Any] = {
        "facefusion_path": str(tree),
        "facefusion_source": tarball,
        "facefusion_version": "v3.8.1",
    }

    assert not local_role.run(tmp_path, "facefusion", "source", **variables).is_good
    assert metadata.with_name("new.py").exists()
    shutil.rmtree(in_the_way)
    done = local_role.run(tmp_path, "facefusion", "source", "source", **variables)
    # the old modules are removed, the new ones unpacked and named, once
    assert (done.is_good, done.changed, in_the_way.is_file()) == (True, 3, True), done.said
    assert "3.8.1" in metadata.read_text()
    assert sorted(file.name for file in metadata.parent.iterdir()) == ["metadata.py", "new.py"]
    assert "3.7.0" in model.read_text()


class Tarball(BaseHTTPRequestHandler):
    """Gives one file, wherever it is asked for."""

    content = b""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.content)))
        self.end_headers()
        self.wfile.write(self.content)

    def log_message(self, *_about: Any) -> None:
        """Say nothing."""


@pytest.mark.parametrize("is_right", [True, False])
def test_a_tarball_from_elsewhere_is_the_one_that_was_meant(tmp_path: Path, is_right: bool) -> None:
    tree = tmp_path / "tree"
    metadata = tree / "facefusion/metadata.py"
    metadata.parent.mkdir(parents=True)
    metadata.write_text("METADATA = {'version': '3.7.0'}\n")
    content = pack(tmp_path, "3.8.1").read_bytes()
    digest = hashlib.sha256(content if is_right else b"").hexdigest()
    with served(type("One", (Tarball,), {"content": content})) as url:
        variables = {"facefusion_source": f"{url}/facefusion.tar.gz", "facefusion_version": "3.8.1"}
        variables |= {"facefusion_path": str(tree), "facefusion_source_checksum": f"sha256:{digest}"}
        done = local_role.run(tmp_path, "facefusion", "source", **variables)
    assert done.is_good == is_right, done.said
    assert ("3.8.1" if is_right else "3.7.0") in metadata.read_text()
    assert not list(tree.glob("*.tar*"))


@pytest.mark.parametrize(
    ("file", "is_right", "words"),
    [
        ("facefusion.tar.gz", True, ""),
        ("facefusion.tar.gz", False, "facefusion_source_checksum). Download the file again"),
        ("missing.tar.gz", True, "is not on the controller"),
    ],
)
def test_a_tarball_of_the_controller_is_looked_at_first(tmp_path: Path, file: str, is_right: bool, words: str) -> None:
    digest = hashlib.sha256(pack(tmp_path, "3.8.1").read_bytes() if is_right else b"").hexdigest().upper()
    variables = {"facefusion_source": str(tmp_path / file), "facefusion_source_checksum": f"sha256:{digest}"}
    done = local_role.run(tmp_path, "facefusion", "preflight_tarball", **variables)
    assert (done.is_good, done.changed) == (not words, 0), done.said
    assert words in " ".join(done.said.split())


# ---- The process of the UI

SYSTEMCTL = """\
#!/bin/sh
case $* in
*ExecMainStartTimestamp*) cat {folder}/since ;;
show*) printf 'LoadState=loaded\\nActiveState=active\\n' ;;
*) echo "$@" >>{folder}/orders ;;
esac
"""
LOADED = [
    "etc/facefusion.ini",
    "etc/environment",
    "units/facefusion.service",
    "site/hf_mirror_watchdog.pth",
    "site/gradio-5.dist-info/RECORD",
    "tree/facefusion.py",
    "tree/facefusion/metadata.py",
]


def test_the_ui_stops_for_what_is_newer_than_its_process(tmp_path: Path) -> None:
    for name in [*LOADED, "tree/facefusion/__pycache__/metadata.pyc", "tree/.assets/models/model.onnx"]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (0, 0))  # as a tarball may have it
    (tmp_path / "systemctl").write_text(SYSTEMCTL.format(folder=tmp_path))
    (tmp_path / "systemctl").chmod(0o755)
    variables: dict[str, Any] = {
        "facefusion_path": str(tmp_path / "tree"),
        "facefusion_source": "/srv/facefusion.git",
        "__facefusion_folder": str(tmp_path / "etc"),
        "__facefusion_unit_folder": str(tmp_path / "units"),
        "__facefusion_site": {"stdout": str(tmp_path / "site")},
    }
    moment, written = 0.001, [(tmp_path / name).stat().st_ctime for name in LOADED]
    for since, is_old in ((max(written) + moment, False), (min(written) - moment, True)):
        began = datetime.fromtimestamp(since, timezone.utc)
        (tmp_path / "since").write_text(f"{began:%a %Y-%m-%d %H:%M:%S.%f} UTC\n")
        (tmp_path / "orders").write_text("")
        done = local_role.run(tmp_path, "facefusion", "stop", programs=tmp_path, **variables)
        assert done.is_good, done.said
        found = done.said.partition("    stdout:")[2]
        assert [name for name in LOADED if f"{tmp_path}/{name}\n" in found] == (LOADED if is_old else [])
        assert ("stop facefusion.service" in (tmp_path / "orders").read_text()) == (done.changed == 1) == is_old


STARTS = """\
#!/bin/sh
folder={folder}
case $* in
is-active*) cat $folder/state; [ "$(cat $folder/state)" = active ] ;;
show*) printf 'LoadState=loaded\\nActiveState=%s\\n' "$(cat $folder/state)" ;;
is-enabled*) echo enabled ;;
restart* | start*) echo "$@" >>$folder/orders; cp $folder/later $folder/state; exit 1 ;;
esac
"""


@pytest.mark.parametrize(
    ("before", "order", "comes_up"),
    [("inactive", "start facefusion.service", True), ("activating", "restart facefusion.service", False)],
)
def test_a_run_waits_for_a_while_and_ends_with_a_sentence(
    tmp_path: Path, before: str, order: str, comes_up: bool
) -> None:
    """The first start fails, as without a mirror: it is tried again by itself, and comes up or does not."""
    (tmp_path / "systemctl").write_text(STARTS.format(folder=tmp_path))
    (tmp_path / "journalctl").write_text("#!/bin/sh\necho models are missing\n")
    for name in ("systemctl", "journalctl"):
        (tmp_path / name).chmod(0o755)
    (tmp_path / "state").write_text(before)
    (tmp_path / "later").write_text("active" if comes_up else "activating")
    variables: dict[str, Any] = {"facefusion_service": "ui", "__facefusion_tries": 0}
    done = local_role.run(tmp_path, "facefusion", "start", programs=tmp_path, **variables)
    assert done.is_good == comes_up, done.said
    assert (tmp_path / "orders").read_text() == f"{order}\n", "whoever waits is not left waiting"
    if not comes_up:
        assert "It retries by itself, up to every five minutes" in done.said
        assert "Its log ends with: models are missing" in done.said
