#!/usr/bin/env bash
# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Renew the lock from tests/requirements.in, for both Pythons that a controller may have.
set -euo pipefail
cd "$(dirname "$0")/../.."
python -m pip install --quiet uv
uv pip compile --quiet --universal --no-emit-index-url --no-header --python-version 3.11 \
    --output-file tests/requirements.txt tests/requirements.in
