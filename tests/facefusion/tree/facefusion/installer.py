# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The variants of onnxruntime; a small package stands in for each."""

ONNXRUNTIME_SET = {
    "default": ("colorama", "0.4.6"),
    "cuda@13": ("pathspec", "0.12.1"),
}
