# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No unit of systemd that a role writes gives up for good."""

from __future__ import annotations

from pathlib import Path

import pytest

ROLES = Path(__file__).parents[3] / "roles"
UNITS = sorted(file for kind in ("service", "socket") for file in ROLES.glob(f"*/templates/*.{kind}.j2"))
#: What a timer starts again, or a file that is there; or, of keepalived, what belongs to such a unit.
STARTED_BY_OTHERS = {
    "facefusion-queue.service",
    "hf-mirror-count.service",
    "hf-mirror-scrub.service",
    "hf-mirror-sync.service",
    "nftables.service",
}
#: Settings that are wrong don't get right by waiting.
MAY_END = {"hf-mirror-alert.service": ["RestartPreventExitStatus=2"]}


@pytest.mark.parametrize("file", UNITS, ids=lambda file: f"{file.parts[-3]}/{file.stem}")
def test_a_unit_goes_on_for_as_long_as_it_takes(file: Path) -> None:
    lines = file.read_text(encoding="utf-8").splitlines()
    if file.suffixes[-2] == ".socket":
        assert "TriggerLimitIntervalSec=0" in lines
        return
    if file.stem not in STARTED_BY_OTHERS:
        # a signal that ends it in good order is no failure; what does its work once has no other
        assert ("Restart=on-failure" if "Type=oneshot" in lines else "Restart=always") in lines
        assert "StartLimitIntervalSec=0" in lines
    assert [line for line in lines if line.startswith("RestartPrevent")] == [*MAY_END.get(file.stem, ())]
