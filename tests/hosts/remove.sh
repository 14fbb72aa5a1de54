#!/usr/bin/env bash
# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Remove test hosts and their networks by their label: remove.sh [NETWORK...], as the inventories call it; without one, all.
set -euo pipefail
podman=$(dirname "$0")/bin/podman
[ -x /usr/bin/podman ] || exit 0
hosts() { "$podman" ps --all --quiet --filter "label=$1" | xargs --no-run-if-empty "$podman" rm --force --time 2 >/dev/null; }

[ $# != 0 ] || set -- ""
for network in "$@"; do
    label=modelops.hf_mirror${network:+=$network}
    # one that ends by itself just when podman would kill it is an error to podman, and gone the next time
    hosts "$label" 2>/dev/null || hosts "$label"
    "$podman" network ls --quiet --filter "label=$label" | xargs --no-run-if-empty "$podman" network rm >/dev/null
done
