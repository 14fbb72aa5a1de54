#!/usr/bin/env bash
# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Live through a year: year.sh [options of python -m year]. What only the plot needs is installed here.
set -euo pipefail
cd "$(dirname "$0")/../.."
python -m pip install --quiet --disable-pip-version-check --requirement tests/bench/requirements.txt
PYTHONPATH=collections:tests python -m year "$@"
