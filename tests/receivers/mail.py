# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A mail server that takes everything, in plain text and without asking who it is."""

from __future__ import annotations

import asyncio
import contextlib
import email
import email.policy
from dataclasses import dataclass

from receivers.journal import Entry, Journal


@dataclass
class MailServer:
    """Speaks as much SMTP as smtplib needs."""

    journal: Journal

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Handle one connection."""
        with contextlib.closing(writer), contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            writer.write(b"220 receivers\r\n")
            while command := (await reader.readline()).decode("latin-1")[:4].upper():
                if command == "DATA":
                    writer.write(b"354 go on\r\n")
                    self._note((await reader.readuntil(b"\r\n.\r\n"))[:-5])
                writer.write(b"221 bye\r\n" if command == "QUIT" else b"250 ok\r\n")
                await writer.drain()

    def _note(self, data: bytes) -> None:
        message = email.message_from_bytes(data, policy=email.policy.default)
        body = message.get_body(("plain", "html"))
        text = "\n".join(body.get_content().splitlines()) if body else ""
        self.journal.note(Entry("mail", f"{message['Subject']}\n{text}", 0, str(message["To"])))
