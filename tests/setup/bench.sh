#!/usr/bin/env bash
# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Run the benchmarks: bench.sh [options of python -m bench]. What only they need is installed here.
set -euo pipefail
cd "$(dirname "$0")/../.."
as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}
{ command -v aria2c && command -v wrk; } >/dev/null ||
    as_root apt-get install --quiet --yes --no-install-recommends aria2 wrk >/dev/null
python -m pip install --quiet --disable-pip-version-check --requirement tests/bench/requirements.txt
export PYTHONPATH=collections:tests
python -m bench "$@"
python -m bench.loading
python -m bench.sizing
