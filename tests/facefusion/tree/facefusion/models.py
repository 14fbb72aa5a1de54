# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The models that the face swapper of FaceFusion 3.8.1 asks for with its default settings."""

from __future__ import annotations

from facefusion import download

MODELS = {
    "nsfw_1": "models-3.3.0",
    "nsfw_2": "models-3.3.0",
    "nsfw_3": "models-3.3.0",
    "yoloface_8n": "models-3.0.0",
    "2dfan4": "models-3.0.0",
    "fan_68_5": "models-3.0.0",
    "arcface_w600k_r50": "models-3.0.0",
    "fairface": "models-3.0.0",
    "xseg_1": "models-3.1.0",
    "bisenet_resnet_34": "models-3.0.0",
    "hyperswap_1a_256": "models-3.3.0",
}


def are_there() -> bool:
    return all(download.fetch_pair(base_name, name) for name, base_name in MODELS.items())
