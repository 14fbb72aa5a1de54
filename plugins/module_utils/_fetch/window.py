# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A window that moves over a file: its segments come over several connections at once, and leave in order.

They come into buffers that all files of a run share, which is the run's one budget of memory.
"""

from __future__ import annotations

import mmap
import queue
import threading
from collections import deque
from collections.abc import Generator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from .._base.clock import Clock
from .body import Body

SEGMENT = 4 << 20
#: Segments that are asked for ahead of the one that is written next, for one file.
_AHEAD = 4
#: A segment is late after so many seconds, and after so many times what the slowest one before it took.
_PATIENCE, _TIMES = 5.0, 3
_LOOK = 0.5  # seconds between two looks at what is late


class Request:
    """A segment that was asked for, and the buffer that it comes into."""

    def __init__(self, segments: Segments, body: Body, start: int, end: int, buffer: mmap.mmap) -> None:
        self.start, self.end = start, end
        self.block = memoryview(buffer)[: end - start]
        self.began = segments.clock.monotonic()
        #: Seconds that it took, once it is there.
        self.took = 0.0
        self._segments, self._body, self._buffer = segments, body, buffer
        self._unwanted = threading.Event()
        self.future: Future[None] = segments.threads.submit(self._fill)

    def _fill(self) -> None:
        self._body.segment(self.start, self.end, self.block, self._unwanted.is_set)
        self.took = self._segments.clock.monotonic() - self.began

    def drop(self) -> None:
        """Give the buffer back as soon as nothing is written into it any more."""
        self._unwanted.set()
        self.future.cancel()
        self.future.add_done_callback(lambda _future: self._segments.buffers.put(self._buffer))


class Segments:
    """The buffers for all threads of a run, ``budget`` bytes in all, and a thread for each of them.

    Buffers begin at a page, so that the disk can take a block out of one directly.
    """

    def __init__(self, clock: Clock, budget: int = 64 << 20) -> None:
        count = max(budget // SEGMENT, 1)
        self.clock = clock
        self.threads = ThreadPoolExecutor(count, thread_name_prefix="segment")
        self.buffers: queue.LifoQueue[mmap.mmap] = queue.LifoQueue()
        for _number in range(count):
            self.buffers.put(mmap.mmap(-1, SEGMENT))

    def ask(self, body: Body, start: int, end: int, wait_for_memory: bool) -> Request | None:
        """Ask for a segment; None where no buffer is free and there is to be no wait for one."""
        try:
            buffer = self.buffers.get(block=wait_for_memory)
        except queue.Empty:
            return None
        return Request(self, body, start, end, buffer)

    def close(self) -> None:
        """Let the threads go."""
        self.threads.shutdown(cancel_futures=True)


class Window:
    """The bytes of one file from ``start`` up to ``end``, on their way from when this is entered until it is left."""

    def __init__(self, segments: Segments, body: Body, start: int, end: int) -> None:
        self._segments, self._body = segments, body
        self._next, self._end = start, end
        #: By segment: the requests for it, mostly one.
        self._under_way: deque[list[Request]] = deque()
        self._slowest = 0.0  # seconds

    def __enter__(self) -> Window:
        self._ask_ahead()
        return self

    def __exit__(self, *_exception: object) -> None:
        for requests in self._under_way:
            _drop(requests)

    def blocks(self) -> Generator[memoryview, None, None]:
        """Yield the segments in order; each is there until the next one is asked for. Raises FetchError."""
        # memory for one segment is waited for while no other is held, so that every file gets on
        while self._under_way or self._ask(wait_for_memory=True):
            self._ask_ahead()
            yield self._first().block
            _drop(self._under_way.popleft())

    def _ask(self, wait_for_memory: bool) -> bool:
        if self._next >= self._end:
            return False
        end = min(self._next + SEGMENT, self._end)
        request = self._segments.ask(self._body, self._next, end, wait_for_memory)
        if request:
            self._under_way.append([request])
            self._next = end
        return request is not None

    def _ask_ahead(self) -> None:
        while len(self._under_way) <= _AHEAD and self._ask(wait_for_memory=False):
            pass

    def _first(self) -> Request:
        """Return the segment that is written next, from the connection that brings it first."""
        requests = self._under_way[0]
        while True:
            done = wait([request.future for request in requests], _LOOK, FIRST_COMPLETED).done
            for request in [one for one in requests if one.future in done]:
                requests.remove(request)
                problem = request.future.exception()
                if not problem:
                    _drop(requests)
                    requests[:] = [request]
                    self._slowest = max(self._slowest, request.took)
                    return request
                request.drop()
                if not requests:
                    raise problem
            self._segments.clock.check()
            self._ask_again(requests)

    def _ask_again(self, requests: list[Request]) -> None:
        """Ask for a late segment on a second connection, if others were faster."""
        first = requests[0]
        waited = self._segments.clock.monotonic() - first.began
        others = self._slowest or any(ahead[0].future.done() for ahead in list(self._under_way)[1:])
        if len(requests) == 1 and others and waited > max(_PATIENCE, _TIMES * self._slowest):
            second = self._segments.ask(self._body, first.start, first.end, wait_for_memory=False)
            requests.extend([second] if second else [])


def _drop(requests: list[Request]) -> None:
    for request in requests:
        request.drop()
