#!/usr/bin/env bash
# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# ansible-test sanity, in a copy: it is the one tool that wants a real tree ansible_collections/NAMESPACE/NAME.
set -euo pipefail
cd "$(dirname "$0")/../.."
top=$(mktemp -d)
trap 'rm -rf "$top"' EXIT
stage=$top/ansible_collections/modelops/hf_mirror
mkdir -p "$stage"
git ls-files -z --cached --others --exclude-standard -- ':!collections' |
    tar --create --null --files-from=- --ignore-failed-read | tar --extract --directory "$stage"

# ansible-test would fetch the installer of the pip that it wants from the internet; Python brings one along.
requirements=$(python -c 'import importlib.util as u; print(u.find_spec("ansible_test").submodule_search_locations[0])')
version=$(sed -nE "s/^ +pip='([0-9.]+)',/\1/p" "$requirements/_internal/python_requirements.py")
installer=~/.ansible/test/cache/get_pip_${version//./_}.py
[ -e "$installer" ] || { mkdir -p ~/.ansible/test/cache && cp tests/setup/get_pip.py "$installer"; }

cd "$stage"
python=$(python -c 'import sys; print("%d.%d" % sys.version_info[:2])')
ansible-test sanity --local --python "$python" 2>&1 | tee "$top/log"
# it also answers 0 when it has tested nothing
grep -q 'Running sanity test "validate-modules"' "$top/log"
! grep -qE 'All targets skipped|No tests applicable' "$top/log"
