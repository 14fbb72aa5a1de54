# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every command of ``hf-mirror`` needs: options over configuration over environment, the store, the engine."""

from __future__ import annotations

import contextlib
import functools
import os
import pwd
import sys
import time
from argparse import Namespace
from pathlib import Path
from typing import Any

from .._base.clock import Clock
from .._base.errors import MirrorError
from .._base.owner import become_owner
from .._fetch.http import URLLIB3_ERROR
from .._fetch.hub import HUGGINGFACE_HUB_ERROR
from .._fetch.peer import Peer, peer_at
from .._plan.wanted import Wanted
from .._run.engine import Engine, open_store
from .._run.settings import SETTINGS, Settings
from .._run.whitelist import WhitelistFolder
from .._store.store import Store
from .config import Config, ConfigError, is_token, read_config
from .terminal import QuietTerminal, complain, open_terminal

with contextlib.suppress(ImportError):  # the engine's users are told so
    import huggingface_hub


class Session:
    """One call of the command."""

    def __init__(self, options: Namespace, clock: Clock) -> None:
        self.options, self.clock = options, clock
        as_json = getattr(options, "json", False)
        self.terminal = QuietTerminal(sys.stdout) if as_json else open_terminal(sys.stdout)

    @functools.cached_property
    def config(self) -> Config:
        """Return the configuration; what needs none doesn't read it. Raises ConfigError."""
        return read_config(self.options.config) if "config" in self.options else Config()

    def store(self) -> Store:
        """Return the store. Raises StoreError where there is none yet."""
        return open_store(Path(self._values()["store"]).absolute(), self.clock)

    def wanted(self) -> list[Wanted]:
        """Return what the whitelist says just now. Raises ConfigError where there is none."""
        wanted = self.config.wanted()
        if not isinstance(wanted, WhitelistFolder):
            return wanted
        whitelist = wanted.read(self.store())
        for problem in whitelist.problems.values():
            complain(problem)
        return list(whitelist.wanted)

    def engine(self) -> Engine:
        """Return the engine; all that only root may read was read before it goes on as the store's owner."""
        _need_libraries()
        tokens = self.config.tokens()
        token = os.environ.get("HF_TOKEN", "").strip()
        if token and not is_token(token):
            raise ConfigError("the value of HF_TOKEN is not a valid token")
        if token:
            tokens.setdefault(None, token)
        lock = self.config.lock()
        _load_all()
        return self._engine(tokens=tokens, lock=lock)

    def local_engine(self) -> Engine:
        """Return the engine for what asks no Hub: it needs a store, and neither tokens nor libraries."""
        self.store()
        return self._engine()

    def peers(self) -> list[Peer]:
        """Return the other nodes. Raises ConfigError where none is named."""
        urls = self._values().get("peers")
        if not urls:
            raise ConfigError("no peer is given: pass --peer URL, or set peers in the configuration")
        return [peer_at(url, self.clock) for url in urls]

    def _engine(self, **more: Any) -> Engine:
        values = self._values()
        values["store"] = Path(values["store"]).absolute()
        settings = Settings(**values, **more, actor=_actor())
        become_owner(settings.store)
        return Engine(settings, self.clock)

    def _values(self) -> dict[str, Any]:
        """Return what ``Settings`` takes and people decide."""
        environment = {"endpoint": os.environ["HF_ENDPOINT"]} if os.environ.get("HF_ENDPOINT") else {}
        given = {name: getattr(self.options, name) for name in SETTINGS if name in self.options}
        said = [(SETTINGS[name].flag, name, value) for name, value in given.items()]
        said += [("HF_ENDPOINT", name, value) for name, value in environment.items()]
        for place, name, value in said:
            problem = SETTINGS[name].problem(value)
            if problem:
                raise ConfigError(f"{place} {problem}")
        values = {**environment, **self.config.values, **given}
        if "store" not in values:
            raise ConfigError("no store is given: pass --store DIR, or set store in the configuration")
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


def _need_libraries() -> None:
    libraries = {"huggingface_hub": HUGGINGFACE_HUB_ERROR, "urllib3": URLLIB3_ERROR}
    missing = [library for library, error in libraries.items() if error]
    if missing:
        raise MirrorError(f"{sys.executable} lacks {', '.join(missing)}: install it with pip")
