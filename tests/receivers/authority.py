# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A throw-away certificate authority, and the certificate of the receivers. The key of the first is not kept."""

from __future__ import annotations

import ipaddress
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_DAYS = "30"
_NEW_KEY = ("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc", "-days", _DAYS)


@dataclass
class Certificate:
    """Where the files are: what clients have to trust, and what the server needs."""

    ca: Path
    chain: Path
    key: Path


def certificate(folder: Path, names: Sequence[str]) -> Certificate:
    """Return a certificate for these host names and addresses, made at the first call."""
    folder.mkdir(parents=True, exist_ok=True)
    ca, ca_key = folder / "ca.pem", folder / "ca.key"
    made = Certificate(ca, folder / "server.pem", folder / "server.key")
    if made.chain.is_file():
        return made
    _openssl(
        *_NEW_KEY,
        *("-subj", "/CN=hf-mirror test receivers", "-addext", "keyUsage=critical,keyCertSign"),
        *("-keyout", str(ca_key), "-out", str(ca)),
    )
    _openssl(
        *_NEW_KEY,
        *("-CA", str(ca), "-CAkey", str(ca_key), "-subj", "/CN=receivers"),
        *("-addext", f"subjectAltName={','.join(map(_alternative, names))}"),
        *("-addext", "basicConstraints=critical,CA:FALSE", "-addext", "extendedKeyUsage=serverAuth"),
        *("-keyout", str(made.key), "-out", str(made.chain)),
    )
    ca_key.unlink()
    return made


def _alternative(name: str) -> str:
    try:
        return f"IP:{ipaddress.ip_address(name)}"
    except ValueError:
        return f"DNS:{name}"


def _openssl(*arguments: str) -> None:
    done = subprocess.run(["openssl", *arguments], check=False, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"openssl {arguments[0]} failed: {done.stderr}")
