# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Have FaceFusion ask a mirror first for its models: FACEFUSION_MIRROR is the mirror's address.

With FACEFUSION_PUBLIC_FALLBACK=0 it asks nobody else. A .pth file imports this when Python starts. FaceFusion's source
stays as it is, and whatever is not as expected here, FaceFusion starts.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from typing import Any

MODULE = "facefusion.choices"
PROVIDER = "huggingface"


def redirect(choices: Any) -> None:
    """Put the mirror first, and all others behind it or away."""
    mirror = os.environ["FACEFUSION_MIRROR"].rstrip("/")
    is_public = os.environ.get("FACEFUSION_PUBLIC_FALLBACK") != "0"
    for name, provider in choices.download_provider_set.items():
        urls = provider["urls"]
        first = [mirror] if name == PROVIDER else []
        urls[:] = first + [url for url in urls if is_public and url not in first]
    choices.download_providers.sort(key=lambda name: name != PROVIDER)


class Redirector:
    """Let others find facefusion.choices, and change it as soon as it is loaded."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        """Answer for one module, once."""
        if name != MODULE:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is None:
            return None
        load = spec.loader.exec_module

        def load_and_redirect(module: Any) -> None:
            load(module)
            try:
                redirect(module)
            except Exception as error:
                print(
                    f"FaceFusion does not use the mirror, because its structure is unknown: {error!r}", file=sys.stderr
                )

        spec.loader.exec_module = load_and_redirect
        return spec


if os.environ.get("FACEFUSION_MIRROR"):
    sys.meta_path.insert(0, Redirector())
