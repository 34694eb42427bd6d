"""The emulator's own certificate authority, and the certificate of its server."""

from __future__ import annotations

import re
import ssl
from dataclasses import astuple, dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from tempfile import TemporaryDirectory

import trustme
from cryptography.x509.verification import PolicyBuilder

from .._net.addresses import LOOPBACK, LOOPBACK_IPV6
from .files import write_atomically

# cryptography keeps the first datetime class that it meets, so it meets the real one before a test replaces that.
PolicyBuilder().time(datetime.now(timezone.utc))
_PEM = re.compile(rb"-----BEGIN [A-Z ]+-----\n[^-]+-----END [A-Z ]+-----\n")


@dataclass(frozen=True, slots=True)
class Certificates:
    """PEM texts; the authority's key is gone once the server's certificate is signed."""

    authority: bytes
    server: bytes
    server_key: bytes = field(repr=False)

    def server_context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        # The standard library loads a chain from files only. The directory is closed to others.
        with TemporaryDirectory() as directory:
            chain = Path(directory, "chain.pem")
            chain.write_bytes(self.server + self.server_key)
            context.load_cert_chain(chain)
        return context

    def client_context(self) -> ssl.SSLContext:
        """Return a context that trusts only this authority."""
        return ssl.create_default_context(cadata=self.authority.decode())


def load_or_create(path: Path, host: str, *others: str) -> Certificates:
    """Return the certificates in a file, or create and save new ones.

    A program or a machine that trusts the authority still trusts it after a restart. Damaged certificates are replaced.
    """
    if path.exists() and (kept := _parse(path.read_bytes())):
        return kept
    certificates = issue(host, *others)
    write_atomically(path, b"".join(astuple(certificates)))
    return certificates


def issue(host: str, *others: str) -> Certificates:
    """Create an authority, and a certificate for a host that is also valid for other hosts and on loopback.

    They are valid from 2000 to 3000: OpenSSL compares with the real clock, whatever a test has done to Python's.
    """
    authority = trustme.CA(organization_name="Managed HSM emulator CA")
    server = authority.issue_cert(host, "localhost", LOOPBACK, LOOPBACK_IPV6, *others, common_name=host)
    return Certificates(authority.cert_pem.bytes(), server.cert_chain_pems[0].bytes(), server.private_key_pem.bytes())


def _parse(content: bytes) -> Certificates | None:
    try:
        kept = Certificates(*_PEM.findall(content))
        kept.server_context()
        kept.client_context()
    except (TypeError, ValueError, ssl.SSLError):
        return None
    return kept
