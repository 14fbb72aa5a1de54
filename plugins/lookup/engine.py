# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine as one file, for hosts that run it without Ansible."""

from __future__ import annotations

DOCUMENTATION = r"""
name: engine
short_description: Pack the engine of this collection into one file
version_added: 0.9.0
author:
  - modelops.hf_mirror contributors (@modelops)
description:
  - Packs C(plugins/module_utils) into a Python zip application (PEP 441), which is the command C(hf-mirror), and
    returns its path on the controller. The file is removed when Ansible ends.
  - The same sources give the same bytes, so that copying it changes nothing the second time.
options:
  _terms:
    description: Takes none.
"""

EXAMPLES = r"""
- name: Install the command
  ansible.builtin.copy:
    src: "{{ lookup('modelops.hf_mirror.engine') }}"
    dest: /opt/hf-mirror/hf-mirror.pyz
    mode: "0755"
"""

RETURN = r"""
_raw:
  description: The path of the file.
  type: list
  elements: path
"""

import zipfile
from pathlib import Path
from typing import Any

from ansible import constants
from ansible.plugins.lookup import LookupBase

_PACKAGE = "hf_mirror"
_MAIN = f"from {_PACKAGE}.cli import main\n\nraise SystemExit(main())\n"
#: The oldest date that a zip file knows: content is all that may tell two files apart.
_DATE = (1980, 1, 1, 0, 0, 0)


class LookupModule(LookupBase):
    """The lookup."""

    def run(self, terms: list[Any], variables: Any = None, **kwargs: Any) -> list[str]:
        """Write the file and return its path."""
        sources = Path(__file__).parents[1] / "module_utils"
        target = Path(constants.DEFAULT_LOCAL_TMP) / "hf-mirror.pyz"
        contents = {
            f"{_PACKAGE}/{file.relative_to(sources)}": file.read_bytes() for file in sorted(sources.rglob("*.py"))
        }
        contents.setdefault(f"{_PACKAGE}/__init__.py", b"")
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in {"__main__.py": _MAIN.encode(), **contents}.items():
                entry = zipfile.ZipInfo(name, _DATE)
                entry.external_attr = 0o644 << 16
                entry.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(entry, content)
        return [str(target)]
