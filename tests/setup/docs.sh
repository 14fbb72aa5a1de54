#!/usr/bin/env bash
# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Make the documentation a site: docs.sh [FOLDER]. The pages are the repository's Markdown, and what ansible-doc knows.
set -euo pipefail
cd "$(dirname "$0")/../.."
site=${1:-tests/output/docs}

# in a copy, for Sphinx wants all pages below one folder
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
git ls-files -z --cached --others --exclude-standard -- ':!collections' ':!tests' |
    tar --create --null --files-from=- --ignore-failed-read | tar --extract --directory "$stage"
mv "$stage/docs/docsite/index.rst" "$stage"
mkdir "$stage/reference"
ANSIBLE_COLLECTIONS_PATH=collections antsibull-docs collection --use-current --squash-hierarchy --fail-on-error \
    --dest-dir "$stage/reference" modelops.hf_mirror

# a link or a reference to nowhere is an error
python -m sphinx --quiet --fail-on-warning --keep-going --nitpicky -c "$stage/docs/docsite" "$stage" "$site"
echo "the documentation is at $site/index.html"
