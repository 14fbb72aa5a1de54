#!/usr/bin/env bash
# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Upgrade a pair from the last release: upgrade.sh [--from COMMIT]. Its hosts are those of the tests, and go at the end.
set -euo pipefail
cd "$(dirname "$0")/../.."
play() { ansible-playbook --inventory extensions/molecule/inventory "$@"; }
trap 'play tests/hosts/down.yml' EXIT
play tests/hosts/up.yml tests/hosts/receivers.yml
PYTHONPATH=collections:tests python -u -m upgrade "$@"
