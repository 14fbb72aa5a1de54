#!/usr/bin/env bash
# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Takeovers of a pair: failover.sh [options of python -m failover]. Its hosts are those of the tests, and go at the end.
set -euo pipefail
cd "$(dirname "$0")/../.."
play() { ansible-playbook --inventory extensions/molecule/inventory "$@"; }
trap 'play tests/hosts/down.yml' EXIT
python -m pip install --quiet --disable-pip-version-check --requirement tests/bench/requirements.txt
play tests/hosts/up.yml tests/hosts/clients.yml site.yml
PYTHONPATH=collections:tests python -m failover "$@"
