# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in for FaceFusion's UI: facefusion_backend.py NAME PORT. Its state is the process's, whoever asks."""

from __future__ import annotations

import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

NAME = sys.argv[1]


class State:
    """What the process remembers."""

    count = 0
    received = 0
    next_event = threading.Semaphore(0)


class Request(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/events":
            return self._send_events()
        if path == "/break":
            self.close_connection = True
            return None
        if path == "/socket" and self.headers["Upgrade"] == "websocket":
            return self._echo()
        return self._say(403 if path == "/forbidden" else 200)

    def do_POST(self) -> None:
        if self.path == "/upload":
            State.received = 0
            while State.received < int(self.headers["Content-Length"]):
                State.received += len(self.rfile.read1(1 << 16))
        elif self.path == "/next-event":
            State.next_event.release()
        else:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            State.count += 1
        self._say(200)

    def _say(self, status: int) -> None:
        said = {"host": NAME, "count": State.count, "received": State.received, "headers": dict(self.headers)}
        body = json.dumps({**said, "path": self.path}).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        if self.headers["Origin"]:  # as Gradio does where Host is not localhost
            for name, value in {"Origin": self.headers["Origin"], "Credentials": "true", "Methods": "GET"}.items():
                self.send_header(f"Access-Control-Allow-{name}", value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _send_events(self) -> None:
        """Each event waits until somebody asks for the next."""
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        self.close_connection = True
        for number in range(1, 4):
            self.wfile.write(f"data: {number}\n\n".encode())
            State.next_event.acquire()

    def _echo(self) -> None:
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.end_headers()
        self.close_connection = True
        while data := self.rfile.read1(100):
            self.wfile.write(data)

    def log_message(self, *args: object) -> None:
        pass


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[2])), Request).serve_forever()
