# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every command of ``hf-mirror`` needs: options over configuration over environment, the store, the engine."""

from __future__ import annotations

import contextlib
import os
import pwd
import sys
import time
from argparse import Namespace
from pathlib import Path
from typing import Any

from ._clock import Clock
from ._config import Config, ConfigError, check_value, read_config
from ._engine import Engine, Settings, become_owner
from ._errors import MirrorError
from ._http import URLLIB3_ERROR
from ._hub import HUGGINGFACE_HUB_ERROR
from ._scan import PICKLESCAN_ERROR
from ._store import Store, StoreError
from ._terminal import QuietTerminal, open_terminal
from ._wanted import Wanted

with contextlib.suppress(ImportError):  # the engine's users are told so
    import huggingface_hub

_OVERRIDES = ("store", "endpoint", "proxy", "workers", "bandwidth", "reserve", "max_delete")


class Session:
    """One call of the command."""

    def __init__(self, options: Namespace, clock: Clock) -> None:
        self.options, self.clock = options, clock
        self.config = read_config(options.config) if "config" in options else Config()
        as_json = getattr(options, "json", False)
        self.terminal = QuietTerminal(sys.stdout) if as_json else open_terminal(sys.stdout)

    def store(self) -> Store:
        """Return the store. Raises StoreError where there is none yet."""
        store = Store(Path(self._values()["store"]).absolute(), clock=self.clock)
        if not store.check():
            raise StoreError(f"{store.root} is no store yet: hf-mirror sync makes it one")
        return store

    def engine(self, wanted: list[Wanted]) -> Engine:
        """Return the engine; all that only root may read was read before it goes on as the store's owner."""
        _need_libraries(wanted)
        values = self._values()
        tokens = self.config.tokens()
        if os.environ.get("HF_TOKEN"):
            tokens.setdefault(None, os.environ["HF_TOKEN"])
        values["store"] = Path(values["store"]).absolute()
        settings = Settings(**values, tokens=tokens, lock=self.config.lock(), actor=_actor())
        _load_all()
        become_owner(settings.store)
        return Engine(settings, self.clock)

    def _values(self) -> dict[str, Any]:
        """Return what ``Settings`` takes and people decide."""
        environment = {"endpoint": os.environ["HF_ENDPOINT"]} if os.environ.get("HF_ENDPOINT") else {}
        given = {name: getattr(self.options, name) for name in _OVERRIDES if name in self.options}
        for name, value in given.items():
            problem = check_value(name, value)
            if problem:
                raise ConfigError(f"--{name.replace('_', '-')} {problem}")
        values = {**environment, **self.config.values, **given}
        if "store" not in values:
            raise ConfigError("there is no store: give --store DIR, or the key store in the configuration")
        return values


def _load_all() -> None:
    """Load what loads itself when it is first used: a Python in root's home can't be read by the store's owner."""
    huggingface_hub.HfApi(token=False)
    time.strptime("1970", "%Y")


def _actor() -> str:
    """Return who the ledger says it was."""
    try:
        return os.environ.get("SUDO_USER") or pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:  # a container without that user
        return f"user {os.geteuid()}"


def _need_libraries(wanted: list[Wanted]) -> None:
    libraries = {"huggingface_hub": HUGGINGFACE_HUB_ERROR, "urllib3": URLLIB3_ERROR}
    if any(one.formats == "no-pickle" for one in wanted):
        libraries["picklescan"] = PICKLESCAN_ERROR
    missing = [library for library, error in libraries.items() if error]
    if missing:
        raise MirrorError(f"{sys.executable} lacks {', '.join(missing)}: install it there with pip")
