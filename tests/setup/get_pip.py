# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ansible-test takes for the installer of pip: from Python's own ensurepip, then the arguments by it."""

import os
import subprocess
import sys

environment = {name: value for name, value in os.environ.items() if name != "PIP_CONFIG_FILE"}
subprocess.run([sys.executable, "-m", "ensurepip", "--upgrade"], check=True, env=environment)
wanted = [argument for argument in sys.argv[1:] if argument not in ("--no-setuptools", "--no-wheel")]
command = [sys.executable, "-m", "pip", "install", "--upgrade", *wanted]
sys.exit(subprocess.run(command, check=False, env=environment).returncode)
