#!/usr/bin/env bash
# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Cut the power of a real kernel: powercut.sh [options of python -m powercut]. Its system is made once, below .cache.
# shellcheck disable=SC2016  # apt expands what is quoted for it
set -euo pipefail
cd "$(dirname "$0")/../.."

[ "$(uname -m)" = x86_64 ] || {
    echo "skipped: there is no user-mode Linux but for x86-64"
    exit 0
}

# The first release of Debian whose user-mode Linux starts on processors with AMX (6.13), and is fast (seccomp, 6.16).
codename=forky
include=user-mode-linux,e2fsprogs,xfsprogs,python3,python3-huggingface-hub,python3-urllib3,python3-starlette,python3-uvicorn
cache=.cache/powercut

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

# this machine's own mirror of Debian
mirror=$(apt-get indextargets --format '$(ORIGIN) $(CODENAME) $(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' |
    sed -nE 's/^Debian (\w+) ([^ ]+) \1 main$/\2/p' | head -1)
proxy=$(apt-config dump --format '%f "%v";%n' | grep -iE '^Acquire::https?::Proxy') || proxy=
stamp=$(cat "$0" <(echo "$mirror $proxy") | sha256sum)
[ "$(cat "$cache/stamp" 2>/dev/null)" = "$stamp" ] || {
    echo "making the system of the user-mode kernel from Debian's packages (1 to 2 minutes)"
    as_root rm -rf "$cache/root" && mkdir -p "$cache"
    mmdebstrap=(mmdebstrap --mode=root --variant=minbase --include="$include")
    mmdebstrap+=(--dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*')
    # where the kernel finds what is not its own
    mmdebstrap+=(--customize-hook='mkdir "$1/checkout" "$1/exchange"')
    [ -z "$proxy" ] || mmdebstrap+=(--aptopt="$proxy")
    # what is no release yet has an end of validity, and a mirror may be older than that
    mmdebstrap+=(--aptopt='Acquire::Check-Valid-Until "false"' "$codename" "$cache/root")
    [ -z "$mirror" ] || mmdebstrap+=("deb $mirror $codename main")
    as_root "${mmdebstrap[@]}" >"$cache/log" 2>&1 || {
        tail -20 "$cache/log" >&2
        echo "make: mmdebstrap could not make it (its last words are above): see that apt-get update works." >&2
        exit 1
    }
    echo "$stamp" >"$cache/stamp"
}
as_root env PATH="$PATH" PYTHONPATH=collections:tests python -m powercut --root "$cache/root" "$@"
