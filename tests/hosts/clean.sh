#!/usr/bin/env bash
# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Remove what make has made: hosts, networks and images by their label, and the folders in this clone. Nothing else.
set -euo pipefail
cd "$(dirname "$0")/../.."
podman=$PWD/tests/hosts/bin/podman
tests/hosts/remove.sh
if [ -x /usr/bin/podman ]; then
    "$podman" images --quiet --filter label=modelops.hf_mirror | sort -u | xargs --no-run-if-empty "$podman" rmi --force >/dev/null
fi
# the system of a user-mode kernel belongs to root, and so does what ran in it
[ "$(id -u)" = 0 ] || [ ! -e .cache/powercut ] || sudo -n rm -rf .cache/powercut
rm -rf .venv .cache .ansible .mypy_cache .pytest_cache .ruff_cache tests/output
