# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The public sources: GitHub, which nobody reaches from here, and the stand-in Hub."""

from __future__ import annotations

import os

download_provider_set = {
    "github": {"urls": ["http://127.0.0.1:9"], "path": "/{base_name}/{file_name}"},
    "huggingface": {
        "urls": ["http://127.0.0.1:9", os.environ.get("STAND_IN_HUB", "http://10.89.78.10")],
        "path": "/facefusion/{base_name}/resolve/main/{file_name}",
    },
}
download_providers = list(download_provider_set)
