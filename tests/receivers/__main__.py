# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Serve the receivers: ``python -m receivers --folder DIR --host H --port P --proxy-port Q --mail-port R``.

The certificate, and the authority that signed it (``DIR/ca.pem``), are made at the first start. Port 0 takes a free
one. The first line of output is a JSON object with the addresses; connections are accepted from then on.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import socket
from pathlib import Path

import uvicorn

from receivers.application import application
from receivers.authority import certificate
from receivers.journal import Journal
from receivers.mail import MailServer
from receivers.robots import DINGTALK_HOST, WECOM_HOST
from receivers.tunnel import Tunnel

HOSTS = (DINGTALK_HOST, WECOM_HOST)


def main() -> None:
    """Read the command line and serve until told to stop."""
    parser = argparse.ArgumentParser(prog="python -m receivers", description="Stand-ins for receivers of alerts.")
    parser.add_argument("--folder", type=Path, required=True, help="where the certificate is kept")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=443, help="HTTPS (default: %(default)s; 0: any)")
    parser.add_argument("--proxy-port", type=int, default=3128, help="the proxy (default: %(default)s; 0: any)")
    parser.add_argument("--mail-port", type=int, default=25, help="SMTP (default: %(default)s; 0: any)")
    asyncio.run(_serve(parser.parse_args()))


async def _serve(options: argparse.Namespace) -> None:
    made = certificate(options.folder, [*HOSTS, options.host])
    web, proxy, mail = (
        socket.create_server((options.host, port)) for port in (options.port, options.proxy_port, options.mail_port)
    )
    journal = Journal()
    address = (options.host, web.getsockname()[1])
    await asyncio.start_server(Tunnel(HOSTS, address).serve, sock=proxy)
    await asyncio.start_server(MailServer(journal).serve, sock=mail)
    where = {
        "url": f"https://{options.host}:{address[1]}",
        "proxy": f"http://{options.host}:{proxy.getsockname()[1]}",
        "mail": f"{options.host}:{mail.getsockname()[1]}",
        "ca": str(made.ca),
    }
    print(json.dumps(where), flush=True)
    config = uvicorn.Config(
        application(journal),
        ssl_certfile=made.chain,
        ssl_keyfile=made.key,
        lifespan="off",
        access_log=False,
        log_level="critical",
        timeout_graceful_shutdown=1,
    )
    await uvicorn.Server(config).serve(sockets=[web])


if __name__ == "__main__":
    main()
