# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask for a file's head again and again, from a client's host: ``poll.py HOST PATH ETAG``, until standard input ends.

Every 20 ms, whatever became of the requests before. A line for each answer: when it was asked for and when it came, by
the clock that all containers of a machine share, and whether it was the right one.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time

HOST, PATH, ETAG = sys.argv[1:]
INTERVAL = 0.02
PATIENCE = 10


async def is_right() -> bool:
    """Ask once, on a new connection."""
    reader, writer = await asyncio.open_connection(HOST, 80)
    try:
        writer.write(f"HEAD {PATH} HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n".encode())
        answer = await reader.read()
    finally:
        writer.transport.abort()
    return answer.startswith(b"HTTP/1.1 200") and f'etag: "{ETAG}"'.encode() in answer.lower()


async def ask() -> None:
    begun, good = time.monotonic(), False
    with contextlib.suppress(OSError, asyncio.TimeoutError):
        good = await asyncio.wait_for(is_right(), PATIENCE)
    print(f"{begun:.4f} {time.monotonic():.4f} {good:d}", flush=True)


async def main() -> None:
    end = asyncio.ensure_future(asyncio.to_thread(sys.stdin.read))
    requests: set[asyncio.Task[None]] = set()
    after = time.monotonic()
    while not end.done():
        request = asyncio.ensure_future(ask())
        requests.add(request)
        request.add_done_callback(requests.discard)
        after += INTERVAL
        await asyncio.sleep(max(after - time.monotonic(), 0))
    await asyncio.gather(*requests)


if __name__ == "__main__":
    asyncio.run(main())
