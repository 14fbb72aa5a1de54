#!/usr/bin/env bash
# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Run all checks, two at a time: most of what needs hosts beside all else. Ends with a table of how long each part took.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit
output=tests/output
rm -rf "$output" && mkdir -p "$output"
tests/hosts/remove.sh test faces

# part NAME COMMAND...: run it, keep its output in a file, show it when it fails
part() {
    local name=$1 start=$SECONDS code=0
    shift
    echo "$name: running, output in $output/$name.log"
    "$@" >"$output/$name.log" 2>&1 </dev/null || code=$?
    printf '%s\t%d:%02d\t%s\n' "$name" $(((SECONDS - start) / 60)) $(((SECONDS - start) % 60)) \
        "$([ $code = 0 ] && echo passed || echo "FAILED ($code)")" >>"$output/table"
    if [ $code = 0 ]; then
        echo "$name: passed"
    else
        tail -n 200 "$output/$name.log"
        echo "$name: FAILED, see above"
    fi
    return $code
}

images() {
    tests/hosts/image.sh debian12 &
    tests/hosts/image.sh debian13 && wait $!
}

# scenarios FOLDER SCENARIOS...: test them, from nothing, whatever molecule remembers of a run that was killed
scenarios() {
    MOLECULE_EPHEMERAL_DIRECTORY=$PWD/$output/$1 molecule test --no-command-borders "${@:2}"
}

hosts() {
    part images images && part hosts scenarios molecule-hosts --all --exclude facefusion
    [ "${TEST_PROFILE:-}" != full ] ||
        { part failover tests/setup/failover.sh --docs "$output" && part upgrade tests/setup/upgrade.sh &&
            part cut tests/setup/cut.sh --some 20; }
}

rest() {
    part lint tests/setup/lint.sh
    # a test that hangs ends; some slow proofs take as long as an hour
    part unit python -m pytest -q --numprocesses=2 --dist=worksteal --durations=20 \
        --timeout="$([ "${TEST_PROFILE:-}" = full ] && echo 0 || echo 900)"
    part sanity tests/setup/sanity.sh
    # it has hosts of its own, from the images that the others were the first to need
    part facefusion scenarios molecule-facefusion --scenario-name facefusion
    [ "${TEST_PROFILE:-}" != full ] || part other-core tests/setup/other_core.sh
    [ "${TEST_PROFILE:-}" != full ] || part powercut tests/setup/powercut.sh --docs "$output"
}

# Each of the two is a process group of its own, so that a run that is cut ends whole and leaves no hosts.
cut() {
    trap '' INT TERM
    echo "cut: ending what runs, removing the hosts"
    for group in $(jobs -p); do kill -TERM -- "-$group"; done
    wait
    tests/hosts/remove.sh test faces
    exit 1
}
trap cut INT TERM
set -m
hosts &
rest &
wait
set +m
echo
echo "the slowest tests:"
grep --no-filename --extended-regexp '^ *[0-9.]+s (call|setup|teardown)' "$output"/*.log | sort -rn | head -20
echo
echo "all together $((SECONDS / 60)):$(printf %02d $((SECONDS % 60)))"
column -t -s $'\t' "$output/table"
# what failed comes at the very end, for that is what is left of a long log
grep --no-filename --only-matching --extended-regexp '(FAILED|ERROR) [^ ]+\.py(::.*)?$' "$output"/*.log
! grep FAILED "$output/table"
