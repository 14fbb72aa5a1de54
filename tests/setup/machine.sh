#!/usr/bin/env bash
# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Install the Debian packages that the test hosts and the checks need. With all of them there it does nothing.
set -euo pipefail

stop() {
    echo "make: $1" >&2
    exit 1
}

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

id=unknown VERSION_ID=''
# shellcheck source=/dev/null
[ ! -r /etc/os-release ] || . /etc/os-release
case "${ID:-$id} $VERSION_ID" in
    "debian 12" | "debian 13" | "ubuntu 24.04") ;;
    *) stop "the test hosts need Debian 12 or 13 (or Ubuntu 24.04, where they were not run); this is ${PRETTY_NAME:-another system}." ;;
esac

packages=(
    podman netavark aardvark-dns uidmap nftables iptables iproute2 # run hosts
    mmdebstrap debian-archive-keyring                             # build their images
    python3-venv git shellcheck ca-certificates openssh-client curl jq
)
# clients that only the full checks run
if [ "${TEST_PROFILE:-}" = full ]; then
    packages+=(aria2)
    # Ubuntu has none but as a snap.
    [ "$ID" = ubuntu ] || packages+=(chromium)
    # Node's own packages bring npm, and refuse Debian's beside them.
    command -v npm >/dev/null || packages+=(nodejs npm)
fi
# crun does not start on version 1 of the cgroups, runc does on both; podman wants one of them.
if [ -e /sys/fs/cgroup/cgroup.controllers ]; then packages+=(crun); else packages+=(runc); fi

missing=()
for package in "${packages[@]}"; do
    status=$(dpkg-query --show --showformat '${db:Status-Status}' "$package" 2>/dev/null) || status=unknown
    [ "$status" = installed ] || missing+=("$package")
done

# The hosts have addresses of their own, which podman gives to root only.
if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || stop "the test hosts need root: run make as root, or install sudo and give it to $(id -un)."
    sudo -n true 2>/dev/null || sudo -v || stop "the test hosts need root: give $(id -un) the right to use sudo."
fi

# The unit tests want the programs of nginx and Prometheus, but nobody wants their services started on this machine: unpack
# them into folders.
cache=$(cd "$(dirname "$0")/../.." && pwd)/.cache
unpacked=(nginx/usr/sbin/nginx nginx/usr/lib/nginx/modules/ngx_http_js_module.so prometheus/usr/bin/promtool)
all=yes
for file in "${unpacked[@]}"; do [ -e "$cache/$file" ] || all=no; done
[ ${#missing[@]} -gt 0 ] || [ $all = no ] || exit 0

# unpack FOLDER PACKAGE...
unpack() {
    mkdir -p "$cache/$1" && cd "$cache/$1" && rm -f ./*.deb && apt-get download "${@:2}" &&
        for file in ./*.deb; do dpkg --extract "$file" . || return; done && rm ./*.deb
}

echo "installing ${missing[*]:+the packages ${missing[*]}, }the programs of nginx and Prometheus"
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
{
    as_root apt-get update --quiet &&
        as_root apt-get install --quiet --yes --no-install-recommends "${missing[@]}" libpcre2-8-0 &&
        unpack nginx nginx nginx-common libnginx-mod-http-js && unpack prometheus prometheus
} >"$log" 2>&1 || {
    tail -20 "$log" >&2
    stop "apt-get could not install ${missing[*]}: its last words are above, the rest is in $log."
}
rm "$log"
