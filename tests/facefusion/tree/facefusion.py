# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in for FaceFusion's command line: the commands that a service runs, with FaceFusion's exit codes."""

from __future__ import annotations

import argparse
import signal
import sys

from facefusion import jobs, models, state, ui


def main() -> None:
    program = argparse.ArgumentParser()
    program.add_argument("command", choices=["run", "job-run-all", "models"])
    program.add_argument("--config-path", default="facefusion.ini")
    arguments = program.parse_args()
    state.read(arguments.config_path)
    signal.signal(signal.SIGINT, lambda *_: sys.exit(0))
    if arguments.command == "job-run-all":
        sys.exit(jobs.run_all())
    if not models.are_there():
        sys.exit(2)
    if arguments.command == "run":
        ui.serve()


if __name__ == "__main__":
    main()
