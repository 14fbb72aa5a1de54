# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Load on a server, and what that costs it: ``wrk`` for GET, and a loop for HEAD.

wrk waits for the body that an answer to HEAD announces, and so does h2load.
"""

from __future__ import annotations

import json
import os
import select
import socket
import ssl
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

_SCRIPT = """\
local ready = {}

function init(args)
  if args[2] then wrk.headers["Authorization"] = args[2] end
  for path in io.lines(args[1]) do ready[#ready + 1] = wrk.format("GET", path) end
  math.randomseed(1)
end

function request()
  return ready[math.random(#ready)]
end

function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format('{"requests": %d, "bytes": %d, "microseconds": %d, "errors": %d}\\n', summary.requests,
    summary.bytes, summary.duration, errors.status + errors.connect + errors.read + errors.write + errors.timeout))
end
"""
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Load:
    """What was answered. Seconds of wall clock, and of the server's CPU."""

    requests: int
    bytes: int
    seconds: float
    cpu: float

    @property
    def rate(self) -> float:
        """Requests in a second of wall clock."""
        return self.requests / self.seconds

    @property
    def rate_of_cpu(self) -> float:
        """Requests in a second of the server's CPU."""
        return self.requests / self.cpu

    @property
    def byte_rate(self) -> float:
        """Bytes in a second of wall clock."""
        return self.bytes / self.seconds

    @property
    def cpu_of_gigabyte(self) -> float:
        """Seconds of the server's CPU for a GB."""
        return self.cpu / self.bytes * 1e9


def load(
    scratch: Path,
    port: int,
    paths: Sequence[str],
    process: int,
    *,
    seconds: int,
    connections: int = 32,
    method: str = "GET",
    authorization: str = "",
    tls: bool = False,
) -> Load:
    """Ask a server for ``paths``, at random, as fast as it answers. Raises RuntimeError where that is an error.

    The server, whose process is given, and who asks keep off each other's processors, where there is more than one.
    """
    everywhere = os.sched_getaffinity(0)
    first, *others = sorted(everywhere)
    os.sched_setaffinity(process, {first})
    os.sched_setaffinity(0, others or [first])
    try:
        before = cpu_of(process)
        if method == "HEAD":
            requests, count, wall = _heads(port, paths, seconds, connections, authorization, tls)
        else:
            url = f"{'https' if tls else 'http'}://127.0.0.1:{port}"
            requests, count, wall = _wrk(scratch, url, paths, seconds, connections, authorization)
        return Load(requests, count, wall, cpu_of(process) - before)
    finally:
        os.sched_setaffinity(0, everywhere)


def cpu_of(process: int) -> float:
    """Return the seconds of CPU that a process has used."""
    fields = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _wrk(
    scratch: Path, url: str, paths: Sequence[str], seconds: int, connections: int, authorization: str
) -> tuple[int, int, float]:
    """Return requests, bytes and seconds; bytes of answers that were not at their end count, too."""
    script, list_of_paths = scratch / "wrk.lua", scratch / "wrk.paths"
    script.write_text(_SCRIPT, encoding="utf-8")
    list_of_paths.write_text("\n".join(paths), encoding="utf-8")
    command = ["wrk", "--threads=1", f"--connections={connections}", f"--duration={seconds}s", "--timeout=60s"]
    command += [f"--script={script}", url, "--", str(list_of_paths)]
    command += [authorization] if authorization else []
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found = json.loads(said.splitlines()[-1])
    if found["errors"]:
        raise RuntimeError(f"{paths[0]} of {url}: {said}")
    return found["requests"], found["bytes"], found["microseconds"] / 1e6


def _heads(
    port: int, paths: Sequence[str], seconds: int, connections: int, authorization: str, tls: bool
) -> tuple[int, int, float]:
    header = f"Authorization: {authorization}\r\n" if authorization else ""
    ready = [f"HEAD {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{header}\r\n".encode() for path in paths]
    Random(1).shuffle(ready)
    requests = count = 0
    start = time.perf_counter()
    with select.epoll() as poll:
        sockets = {}
        for _connection in range(connections):
            connection = _connect(port, poll, tls)
            sockets[connection.fileno()] = connection
            connection.sendall(ready[len(sockets) % len(ready)])
        while (wall := time.perf_counter() - start) < seconds:
            for descriptor, _event in poll.poll(60):
                connection = sockets.pop(descriptor)
                answer = connection.recv(1 << 16)
                if answer[9:12] not in (b"200", b"307") or not answer.endswith(b"\r\n\r\n"):
                    raise RuntimeError(f"{paths[0]} of port {port}: {answer!r}")
                requests += 1
                count += len(answer)
                # as nginx does after 1000 requests
                if b"connection: close" in answer.lower():
                    connection.close()
                    connection = _connect(port, poll, tls)
                sockets[connection.fileno()] = connection
                connection.sendall(ready[requests % len(ready)])
        for connection in sockets.values():
            connection.close()
    return requests, count, wall


def _connect(port: int, poll: select.epoll, tls: bool) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port), timeout=60)
    if tls:
        # who the server is matters to nobody here
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        connection = context.wrap_socket(connection)
    poll.register(connection, select.EPOLLIN)
    return connection
