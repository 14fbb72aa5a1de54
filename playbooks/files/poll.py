# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask a mirror all the time, as clients do: poll.py ADDRESS PORT http|https NAME SECONDS.

Prints JSON: how many ``answers`` and ``failures`` there were, and the longest ``gap`` between two answers, in seconds.
"""

from __future__ import annotations

import http.client
import json
import ssl
import sys
import time

PAUSE = 0.02
#: Who does not get an answer for so long asks again.
TIMEOUT = 0.25


def connect(address: str, port: int, scheme: str) -> http.client.HTTPConnection:
    """Return a connection that is not open yet."""
    if scheme == "http":
        return http.client.HTTPConnection(address, port, timeout=TIMEOUT)
    # Whether it answers is the question, not who it is.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return http.client.HTTPSConnection(address, port, timeout=TIMEOUT, context=context)


def answers(connection: http.client.HTTPConnection, name: str) -> bool:
    """Ask once."""
    try:
        connection.request("HEAD", "/", headers={"Host": name})
        return connection.getresponse().status < 500
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def main(address: str, port: str, scheme: str, name: str, seconds: str) -> None:
    """Ask until the time is over, and print what came."""
    good = bad = 0
    gap = 0.0
    start = last = time.monotonic()
    while time.monotonic() < start + float(seconds):
        if answers(connect(address, int(port), scheme), name):
            now = time.monotonic()
            good, gap, last = good + 1, max(gap, now - last), now
        else:
            bad += 1
        time.sleep(PAUSE)
    # also one that has not ended
    gap = max(gap, time.monotonic() - last)
    print(json.dumps({"answers": good, "failures": bad, "gap": round(gap, 2)}))


if __name__ == "__main__":
    main(*sys.argv[1:])
