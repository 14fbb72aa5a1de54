# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What answers people, by the environment variables of Gradio."""

from __future__ import annotations

import http.server
import json
import os

from facefusion import download, process_manager, state


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        """Answer with what is known, or have a model as when somebody chooses one: /choose/BASE_NAME/NAME."""
        if self.path.startswith("/choose/"):
            download.fetch_pair(*self.path.split("/")[2:])
        answer = {
            "processors": state.settings.get("processors", "processors", fallback=""),
            "strategy": state.settings.get("memory", "video_memory_strategy", fallback="strict"),
            "is_checking": process_manager.is_checking(),
        }
        self.send_response(200 if self.path == "/config" or self.path.startswith("/choose/") else 404)
        self.end_headers()
        self.wfile.write(json.dumps(answer).encode())

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""


def serve() -> None:
    address = os.environ["GRADIO_SERVER_NAME"], int(os.environ["GRADIO_SERVER_PORT"])
    http.server.ThreadingHTTPServer(address, Handler).serve_forever()
