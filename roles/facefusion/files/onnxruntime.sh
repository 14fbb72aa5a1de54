#!/bin/sh
# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Print the variants of onnxruntime that suit this host, in FaceFusion's words, the best one first.
cuda=$(nvidia-smi 2>/dev/null | sed -n 's/.*CUDA Version: *\([0-9]*\).*/\1/p')
if [ -n "$cuda" ]; then
    # a driver runs what was made for an older CUDA, too
    [ "$cuda" -lt 13 ] || echo cuda@13
    [ "$cuda" -lt 12 ] || printf '%s\n' cuda@12 cuda
fi
if [ -e /dev/kfd ]; then
    for library in /opt/rocm/lib/libmigraphx*; do
        [ ! -e "$library" ] || { echo migraphx && break; }
    done
    echo rocm
fi
for vendor in /sys/class/drm/renderD*/device/vendor; do
    [ "$(cat "$vendor" 2>/dev/null)" != 0x8086 ] || { echo openvino && break; }
done
echo default
