# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a fetch asks of a source of bytes, whether they come over HTTP or otherwise."""

from __future__ import annotations

import abc
from collections.abc import Generator
from typing import Callable

from .._base.errors import MirrorError


class FetchError(MirrorError):
    """A file did not arrive."""


class BrokenError(FetchError):
    """Whoever was asked gives nothing that can be used, for this file and maybe for others."""


class ClosedError(FetchError):
    """The repository opens for some accounts only, or was closed for all."""


class WrongError(FetchError):
    """Somebody says or sends another content than the listing. ``told`` is that hash, size or commit."""

    def __init__(self, text: str, cause: str | None = None, told: str | None = None) -> None:
        super().__init__(text, cause)
        self.told = told


class Body(abc.ABC):
    """The bytes of one file; ``has_ranges`` says whether ``segment`` works."""

    has_ranges = True

    @abc.abstractmethod
    def stream(self, start: int) -> Generator[bytes, None, None]:
        """Yield the bytes from ``start`` to the end. Raises FetchError."""

    @abc.abstractmethod
    def segment(self, start: int, end: int, block: memoryview, unwanted: Callable[[], bool]) -> None:
        """Fill ``block`` with the bytes from ``start`` up to ``end``, or end early when they are ``unwanted``.

        Raises FetchError. Called by several threads.
        """
