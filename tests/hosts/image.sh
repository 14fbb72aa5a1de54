#!/usr/bin/env bash
# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Build the image of a test host unless it is there: image.sh debian12|debian13. The last line of output is its name.
#
# There is no image registry in this: mmdebstrap makes a root file system from the packages of this machine's own apt
# sources. What the machine needs to reach package indexes (private CAs, pip.conf, a proxy) its hosts get too.
# shellcheck disable=SC2016  # apt and mmdebstrap expand what is quoted for them
set -euo pipefail

case "${1-}" in
    debian12) codename=bookworm ;;
    debian13) codename=trixie ;;
    *) echo "usage: $0 debian12|debian13" >&2 && exit 64 ;;
esac
repository=localhost/hf-mirror-test-$1
podman=$(dirname "$0")/bin/podman
include=systemd,systemd-sysv,dbus,python3,python3-apt,python3-venv,iproute2,ca-certificates,curl,procps,sudo,openssl
include+=,openssh-server

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

sources=$(apt-get indextargets --format '$(ORIGIN) $(CODENAME) deb $(REPO_URI) $(RELEASE) $(COMPONENT)' \
    'Created-By: Packages' | sed -nE "s/^Debian (\w+)[^ ]* (.* )\1/\2$codename/p" | grep ' main$' | sort -u) || sources=
proxy=$(apt-config dump --format '%f "%v";%n' | grep -iE '^Acquire::https?::Proxy') || proxy=
shopt -s nullglob
own=(/etc/pip.conf /usr/local/share/ca-certificates/*.crt)
for file in "${!own[@]}"; do [ -r "${own[$file]}" ] || unset "own[$file]"; done

recipe=$({ cat "$0" "${own[@]}" && echo "$sources" "$proxy"; } | sha256sum)
image=$repository:${recipe:0:12}
if "$podman" image exists "$image"; then
    echo "$image"
    exit
fi

echo "$1: building $image (1 to 2 minutes)" >&2
work=$(mktemp -d)
trap 'as_root rm -rf "$work"' EXIT
mmdebstrap=(mmdebstrap --mode=root --variant=minbase --include="$include")
# A host is what a fresh server is, less what no test reads.
mmdebstrap+=(--dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*')
[ -z "$proxy" ] || mmdebstrap+=(--aptopt="$proxy")
for file in "${own[@]}"; do mmdebstrap+=("--customize-hook=upload $file $file"); done
mmdebstrap+=(--customize-hook='chroot "$1" update-ca-certificates >&2')
log=$work/log
echo "$sources" >"$work/sources"
mmdebstrap+=("$codename" "$work/rootfs.tar")
[ -z "$sources" ] || mmdebstrap+=("$work/sources")

# A line for each stage of mmdebstrap, everything else to the log.
as_root "${mmdebstrap[@]}" 2> >(tee "$log" | sed -unE "s/^I: /$1: /p" >&2) || {
    tail -20 "$log" >&2
    echo "make: mmdebstrap could not build $1 (its last words are above): see that apt-get update works." >&2
    exit 1
}
echo "$1: importing $(du -h "$work/rootfs.tar" | cut -f1)" >&2
"$podman" import --quiet --change 'CMD ["/lib/systemd/systemd"]' --change 'STOPSIGNAL SIGRTMIN+3' \
    --change 'LABEL modelops.hf_mirror=image' "$work/rootfs.tar" "$image" >/dev/null
# Older recipes of the same host; one that still runs keeps its image.
"$podman" images --format '{{.Repository}}:{{.Tag}}' | grep "^$repository:" | grep -vxF "$image" |
    xargs --no-run-if-empty -n 1 "$podman" rmi >/dev/null 2>&1 || true
echo "$image"
