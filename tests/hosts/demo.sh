#!/usr/bin/env bash
# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# The demo: hosts, then the collection's own site.yml on them, then a look at the result. demo.sh [URL of a Hub]
set -euo pipefail
cd "$(dirname "$0")/../.."
hub=${1-}
options=()
[ -z "$hub" ] || options=(--limit '!hub:!facefusion')

step() { echo && echo "== $1"; }
quietly() {
    local log
    log=$(mktemp)
    "$@" >"$log" 2>&1 || { cat "$log" && exit 1; }
    sed -n '/PLAY RECAP/,$p' "$log" | sed '1d;/^$/d'
    rm "$log"
}

step "images of Debian 12 and 13 (the first time some minutes)"
tests/hosts/image.sh debian12 >/dev/null &
tests/hosts/image.sh debian13 >/dev/null && wait $!
step "hosts: ${hub:-a stand-in for the Hub}, two mirrors, clients"
for play in up clients facefusion; do
    quietly ansible-playbook -i inventory/demo "tests/hosts/$play.yml" "${options[@]}"
done
[ -z "$hub" ] || options+=(-e "mirror_sync_endpoint=$hub" -e @tests/hosts/real_hub.yml)
step "ansible-playbook -i inventory/demo site.yml"
quietly ansible-playbook -i inventory/demo site.yml "${options[@]}"
step "the result"
python tests/hosts/show.py
[ -z "$hub" ] || exit 0
step "the Hub is off, and FaceFusion starts without a model"
python tests/hosts/show_facefusion.py
