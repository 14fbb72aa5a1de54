# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the configuration says."""

from __future__ import annotations

import configparser

from facefusion import choices

settings = configparser.ConfigParser()


def read(path: str) -> None:
    settings.read(path, encoding="utf-8")


def providers() -> list[str]:
    named = settings.get("download", "download_providers", fallback="").split()
    return named or choices.download_providers
