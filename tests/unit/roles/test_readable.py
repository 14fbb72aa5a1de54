# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was installed under a strict umask is read by a service's user all the same."""

from __future__ import annotations

from pathlib import Path

import local_role


def test_what_root_alone_could_read_is_for_everybody(tmp_path: Path) -> None:
    program = tmp_path / "venv/lib/module.py"
    program.parent.mkdir(parents=True)
    program.write_text("")
    program.chmod(0o600)
    program.parent.chmod(0o700)
    secret = tmp_path / "venv/pip.conf"
    secret.write_text("proxy = http://me:secret@proxy.example.com")
    secret.chmod(0o600)
    for changes in (1, 0):
        done = local_role.run(tmp_path, "common", "readable", common_paths=[str(tmp_path / "venv/lib")])
        assert done.is_good and done.changed == changes, done.said
    modes = [oct(path.stat().st_mode & 0o777) for path in (program, program.parent, secret)]
    assert modes == ["0o644", "0o755", "0o600"]
