# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The body of an answer that is a document: read within limits of bytes and time, whoever sends it and however."""

from __future__ import annotations

import contextlib
import http.client
import threading
from typing import Any

from .._base.clock import Clock
from .._base.limits import ANSWER_BYTES, ANSWER_SECONDS
from .._border.json import AnswerProblem, read_json
from .http import content_length

#: What asks for a document sends this: a body that was packed could become anything.
PLAIN = {"Accept-Encoding": "identity"}
_BLOCK = 1 << 16
#: Of answers that have more bytes than this one at a time is taken in: each takes many times its bytes of memory.
_LARGE, _ONE_LARGE = 4 << 20, threading.Lock()
_LOOK = 0.5  # seconds between two looks whether the run is to end


class LateProblem(AnswerProblem):
    """It did not come in time."""


def document(answer: Any, clock: Clock, seconds: float | None = None) -> Any:
    """Return what an answer's JSON says, and let its connection go. It has ``seconds`` to come.

    Raises AnswerProblem, one of NETWORK_ERRORS where it is cut short, and StoppedError.
    """
    with contextlib.ExitStack() as stack:
        try:
            text = _body(answer, clock, ANSWER_SECONDS if seconds is None else seconds, stack)
            answer.release_conn()
        finally:
            if not answer.closed:
                answer.close()
        return read_json(text)


def _body(answer: Any, clock: Clock, seconds: float, stack: contextlib.ExitStack) -> bytes:
    packed = answer.headers.get("Content-Encoding", "identity").strip().lower()
    if packed not in ("", "identity"):
        raise AnswerProblem(f"it is packed ({packed[:20]}) although that was not asked for")
    told = content_length(answer)
    if told is not None and told > ANSWER_BYTES:
        raise AnswerProblem(f"it has {told} bytes, {ANSWER_BYTES} are the most")
    text, until, is_large = bytearray(), clock.monotonic() + seconds, False
    while True:
        block = answer.read1(_BLOCK, decode_content=False)
        if not block:
            break
        text += block
        clock.check()
        if len(text) > ANSWER_BYTES:
            raise AnswerProblem(f"it has more than {ANSWER_BYTES} bytes")
        if len(text) > _LARGE and not is_large:
            is_large = True
            waited = clock.monotonic()
            while not _ONE_LARGE.acquire(timeout=_LOOK):
                clock.check()
            stack.callback(_ONE_LARGE.release)
            until += clock.monotonic() - waited
        if clock.monotonic() > until:
            raise LateProblem(f"it did not come in {seconds:.1f} seconds")
    if told is not None and len(text) < told:
        raise http.client.IncompleteRead(b"", told - len(text))
    return bytes(text)
