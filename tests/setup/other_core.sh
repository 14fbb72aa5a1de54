#!/usr/bin/env bash
# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Run what Ansible itself runs on the line of ansible-core that .venv does not have: other_core.sh [options of pytest].
# Its environment is .cache/other-core, made as .venv is, with the other of the lock's two lines.
set -euo pipefail
cd "$(dirname "$0")/../.."
python -c 'import sys; sys.exit(sys.version_info < (3, 12))' || {
    echo "skipped: the newer ansible-core wants Python 3.12, and .venv has an older one"
    exit 0
}
venv=.cache/other-core
version=$(PYTHONPATH=tests python -c 'import other_core; print(other_core.version())')
stamp=$(cat tests/requirements.txt "$0" | sha256sum)
[ "$(cat "$venv/stamp" 2>/dev/null)" = "$stamp" ] || {
    rm -rf "$venv"
    python -m venv "$venv"
    pip=("$venv/bin/python" -m pip --quiet --disable-pip-version-check)
    # these two want the newer one; what the tests of roles and modules import is left
    "${pip[@]}" install --requirement <(sed -E '/^ *#/d; /^(ansible-|antsibull|molecule|bindep)/d' tests/requirements.txt)
    "${pip[@]}" install "ansible-core==$version" passlib
    echo "$stamp" >"$venv/stamp"
}
PATH=$PWD/$venv/bin:$PATH python -m pytest -q tests/unit/roles tests/unit/engine tests/unit/facefusion "$@"
