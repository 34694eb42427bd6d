"""The emulator's own certificate authority, and the certificate of its server."""

from __future__ import annotations

import re
import ssl
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from tempfile import TemporaryDirectory

import trustme
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.x509.verification import PolicyBuilder

from .._net.addresses import LOOPBACK, LOOPBACK_IPV6
from .files import write_whole

_RENEWAL = timedelta(days=30)
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
        """Return a context that trusts this authority and no other."""
        return ssl.create_default_context(cadata=self.authority.decode())


def load_or_create(path: Path, host: str, *others: str) -> Certificates:
    """Return the certificates that a file keeps, or new ones that it keeps from now on.

    A program or a machine that trusts the authority goes on trusting it after the next start. Certificates that cannot
    be read, soon expire or are for other hosts are replaced.
    """
    if path.exists() and (kept := _parse(path.read_bytes(), {host, *others})):
        return kept
    certificates = issue(host, *others)
    write_whole(path, certificates.authority + certificates.server + certificates.server_key)
    return certificates


def issue(host: str, *others: str) -> Certificates:
    """Make an authority, and a certificate for a host, and others, that is also valid on loopback.

    They are valid from 2000 to 3000: OpenSSL compares with the real clock, whatever a test has done to Python's.
    """
    authority = trustme.CA(organization_name="Managed HSM emulator CA")
    server = authority.issue_cert(host, *others, "localhost", LOOPBACK, LOOPBACK_IPV6, common_name=host)
    return Certificates(
        authority=authority.cert_pem.bytes(),
        server=server.cert_chain_pems[0].bytes(),
        server_key=server.private_key_pem.bytes(),
    )


def _parse(content: bytes, hosts: set[str]) -> Certificates | None:
    try:
        authority, server, server_key = _PEM.findall(content)
        kept = Certificates(authority, server, server_key)
        certificate = x509.load_pem_x509_certificate(server)
        certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(authority))
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        kept.server_context()
        kept.client_context()
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm, ssl.SSLError, x509.ExtensionNotFound):
        return None
    if not hosts.issubset(names.get_values_for_type(x509.DNSName)):
        return None
    return kept if datetime.now(timezone.utc) < certificate.not_valid_after_utc - _RENEWAL else None
