#!/usr/bin/env bash
# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Renew the locks: of tests/requirements.in, for the Pythons that a controller may have, and of what a mirror host installs, for
# those of the systems that it may run, with the hash of each file that its index may hand out for any of them.
set -euo pipefail
cd "$(dirname "$0")/../.."
python -m pip install --quiet uv
lock() { # FOLDER [OPTION...]
    uv pip compile --quiet --universal --no-emit-index-url --no-header --python-version 3.11 "${@:2}" \
        --output-file "$1/requirements.txt" "$1/requirements.in"
}
lock tests
lock roles/mirror_sync/files --generate-hashes
