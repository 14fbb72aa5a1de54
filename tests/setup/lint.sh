#!/usr/bin/env bash
# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Style and correctness of everything that can be read without running it.
set -euo pipefail
cd "$(dirname "$0")/../.."

ruff check
ruff format --check
mypy -p ansible_collections.modelops.hf_mirror.plugins
git ls-files -z '*.sh' .ci/run tests/hosts/bin | xargs -0 shellcheck --exclude=SC1091

linted=$(ansible-lint --offline 2>&1) || { echo "$linted" && exit 1; }
echo "$linted" | tail -2
# a linter that finds no files is content, too
[ "$(sed -nE 's/.* in ([0-9]+) files processed.*/\1/p' <<<"$linted")" -gt 30 ]

antsibull-changelog lint
antsibull-docs lint-collection-docs --plugin-docs --skip-rstcheck --validate-collection-refs all .
[ "$(ansible-doc --list modelops.hf_mirror | wc -l)" -ge 1 ]
