#!/usr/bin/env bash
# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Make .venv from tests/requirements.txt. It is made anew when the lock or this script has changed, and only then.
set -euo pipefail
cd "$(dirname "$0")/../.."

# Of the bundle that PyPI has under the name "ansible" two collections are taken: no Galaxy server is needed.
readonly BUNDLE=ansible==12.3.0

stamp=$(cat tests/requirements.txt "$0" | sha256sum)
[ "$(cat .venv/stamp 2>/dev/null)" != "$stamp" ] || exit 0

# ansible-core's current line wants 3.12; a Python that a version manager only pretends to have does not run.
python=
for candidate in python3.{12,13,14} ~/.pyenv/versions/3.{12,13,14}.*/bin/python python3.11 /usr/bin/python3 python3; do
    # the real path, for the one that is found first may be that of the .venv which is about to go
    if python=$("$candidate" - 2>/dev/null <<'END'
import ensurepip, os, ssl, sys, venv

print(os.path.realpath(sys.executable))
sys.exit(sys.version_info < (3, 11))
END
    ); then
        break
    fi
    python=
done
[ -n "$python" ] || {
    echo "make: no Python 3.11 or newer with venv was found: install python3 and python3-venv." >&2
    exit 1
}

echo "making .venv with $("$python" --version) from tests/requirements.txt (a minute)"
rm -rf .venv
"$python" -m venv .venv
pip=(.venv/bin/python -m pip --quiet --disable-pip-version-check)
"${pip[@]}" install --requirement tests/requirements.txt

mkdir -p .cache/bundle
"${pip[@]}" download --no-deps --dest .cache/bundle "$BUNDLE"
.venv/bin/python - .cache/bundle/ansible-"${BUNDLE#*==}"-*.whl <<'END'
import sys, sysconfig, zipfile

with zipfile.ZipFile(sys.argv[1]) as bundle:
    folders = tuple(f"ansible_collections/{name}/" for name in ("community/crypto", "containers/podman"))
    wanted = [name for name in bundle.namelist() if name.startswith(folders)]
    bundle.extractall(sysconfig.get_path("purelib"), wanted)
END
rm -r .cache/bundle

# the command, run from this checkout
cat >.venv/bin/hf-mirror <<'END'
#!/bin/sh
top=$(dirname "$(dirname "$(dirname "$(readlink -f "$0")")")")
PYTHONPATH=$top/collections exec "$top/.venv/bin/python" -P -m \
    ansible_collections.modelops.hf_mirror.plugins.module_utils.cli "$@"
END
chmod +x .venv/bin/hf-mirror
echo "$stamp" >.venv/stamp
