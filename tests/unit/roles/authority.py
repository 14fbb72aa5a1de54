# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A CA for tests: certificates of servers and clients, and lists of the revoked."""

from __future__ import annotations

import datetime
import ipaddress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

NOW = datetime.datetime.now(datetime.timezone.utc)
DAY = datetime.timedelta(days=1)
COMMON_NAME, ORGANIZATION = NameOID.COMMON_NAME, NameOID.ORGANIZATION_NAME


class Authority:
    """A CA whose files are in ``folder``."""

    def __init__(self, folder: Path, name: str = "the CA") -> None:
        folder.mkdir()
        self.folder, self._key = folder, ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(COMMON_NAME, name)])
        basic = x509.BasicConstraints(ca=True, path_length=0)
        builder = self._builder(self._name, self._key, NOW + DAY).add_extension(basic, critical=True)
        self.certificate = folder / "ca.pem"
        self.certificate.write_bytes(builder.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))

    def _builder(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, until: datetime.datetime
    ) -> x509.CertificateBuilder:
        builder = x509.CertificateBuilder().subject_name(subject).issuer_name(self._name).public_key(key.public_key())
        return builder.serial_number(x509.random_serial_number()).not_valid_before(NOW - 3 * DAY).not_valid_after(until)

    def sign(
        self, file: str, *subject: tuple[x509.ObjectIdentifier, str], until: datetime.datetime = NOW + DAY
    ) -> Path:
        """Make a key and a certificate in one file. Those for this machine's address do for a server, too."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(*attribute) for attribute in subject])
        address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
        made = self._builder(name, key, until).add_extension(address, critical=False).sign(self._key, hashes.SHA256())
        path = self.folder / f"{file}.pem"
        pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
        secret = key.private_bytes(pem, pkcs8, serialization.NoEncryption())
        path.write_bytes(made.public_bytes(pem) + secret)
        return path

    def revoke(self, path: Path) -> Path:
        """Write a list of revoked certificates with the one in ``path``."""
        serial = x509.load_pem_x509_certificate(path.read_bytes()).serial_number
        entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(NOW - DAY).build()
        builder = x509.CertificateRevocationListBuilder().issuer_name(self._name).last_update(NOW - DAY)
        signed = builder.next_update(NOW + DAY).add_revoked_certificate(entry).sign(self._key, hashes.SHA256())
        (self.folder / "crl.pem").write_bytes(signed.public_bytes(serialization.Encoding.PEM))
        return self.folder / "crl.pem"
