#!/usr/bin/env bash
# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Make a release of what is committed: the changelog from the fragments, a commit of it, and the built collection. Setting
# the tag, and pushing it, is left to a person who has looked at them.
set -euo pipefail
cd "$(dirname "$0")/../.."

refuse() {
    echo "make release: $1" >&2
    exit 1
}

version=$(sed -nE 's/^version: +//p' galaxy.yml)
arguments=plugins/module_utils/_cli/arguments.py
told=$(sed -nE 's/^VERSION = "([^"]*)".*/\1/p' $arguments)

[ -z "$(git status --porcelain)" ] || refuse "the tree has changes that are not committed (git status): commit them, or take them back."
[ -n "$(git ls-files 'changelogs/fragments/*.yml')" ] ||
    refuse "changelogs/fragments has no fragments: nothing that users notice has changed since the last release."
[ "$version" = "$told" ] ||
    refuse "galaxy.yml has version $version, $arguments has $told: write the same into both."
! grep -qF "  $version:" changelogs/changelog.yaml ||
    refuse "changelogs/changelog.yaml has $version already: write the next version into galaxy.yml and $arguments."
[ -z "$(git tag --list "$version")" ] || refuse "there is a tag $version already."

antsibull-changelog lint
antsibull-changelog release
for file in changelogs/changelog.yaml CHANGELOG.md; do
    # Markdown has a backslash before each dot
    grep -qF -e "  $version:" -e "v${version//./\\.}" "$file" || refuse "antsibull-changelog has not written $version into $file."
done
git add --all CHANGELOG.md changelogs
git commit --quiet --message "Release $version"

# only what is committed gets into the file
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
git archive HEAD | tar --extract --directory "$stage"
ansible-galaxy collection build --force "$stage"
cat <<DONE

Look at the commit (git show) and at the file. Then set the tag, and push both:
  git tag --annotate $version --message "Release $version"
  git push --follow-tags
DONE
