"""The emulator's own certificate authority, and the certificate of its server."""

from __future__ import annotations

import re
import ssl
from dataclasses import astuple, dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, cast

import trustme
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.x509.verification import PolicyBuilder

from .._net.addresses import LOOPBACK, LOOPBACK_IPV6
from .files import write_whole

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cryptography.hazmat.primitives.asymmetric import ec

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
    cloud: bytes
    """The certificate of the same server for other hosts."""

    def server_context(self) -> ssl.SSLContext:
        return self._context(self.server)

    def cloud_context(self) -> ssl.SSLContext:
        """Return a context for the other hosts."""
        return self._context(self.cloud)

    def _context(self, certificate: bytes) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        # The standard library loads a chain from files only. The directory is closed to others.
        with TemporaryDirectory() as directory:
            chain = Path(directory, "chain.pem")
            chain.write_bytes(certificate + self.server_key)
            context.load_cert_chain(chain)
        return context

    def client_context(self) -> ssl.SSLContext:
        """Return a context that trusts this authority and no other."""
        return ssl.create_default_context(cadata=self.authority.decode())


def load_or_create(path: Path, host: str, *others: str) -> Certificates:
    """Return the certificates that a file keeps, or new ones that it keeps from now on.

    A program or a machine that trusts the authority goes on trusting it after the next start. Certificates that cannot
    be read or soon expire are replaced.
    """
    if path.exists() and (kept := _parse(path.read_bytes())):
        return kept
    certificates = issue(host, *others)
    write_whole(path, b"".join(astuple(certificates)))
    return certificates


def issue(host: str, *others: str) -> Certificates:
    """Make an authority, a certificate for a host that is also valid on loopback, and one for other hosts.

    They are valid from 2000 to 3000: OpenSSL compares with the real clock, whatever a test has done to Python's.
    """
    authority = trustme.CA(organization_name="Managed HSM emulator CA")
    server = authority.issue_cert(host, "localhost", LOOPBACK, LOOPBACK_IPV6, common_name=host)
    certificate = server.cert_chain_pems[0].bytes()
    return Certificates(
        authority=authority.cert_pem.bytes(),
        server=certificate,
        server_key=server.private_key_pem.bytes(),
        cloud=_copy(certificate, others, authority.private_key_pem.bytes()),
    )


def _copy(certificate: bytes, hosts: Iterable[str], authority_key: bytes) -> bytes:
    """Return a certificate like another, for the same key and other hosts."""
    original = x509.load_pem_x509_certificate(certificate)
    builder = x509.CertificateBuilder(
        original.issuer,
        original.subject,
        original.public_key(),
        x509.random_serial_number(),
        original.not_valid_before_utc,
        original.not_valid_after_utc,
    )
    names = x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts])
    for extension in original.extensions:
        value = names if isinstance(extension.value, x509.SubjectAlternativeName) else extension.value
        builder = builder.add_extension(value, extension.critical)
    key = cast("ec.EllipticCurvePrivateKey", load_pem_private_key(authority_key, None))
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)


def _parse(content: bytes) -> Certificates | None:
    try:
        authority, server, server_key, *rest = _PEM.findall(content)
        # Earlier versions kept no certificate for other hosts; there, clients will refuse the HSM's.
        (cloud,) = rest or [server]
        kept = Certificates(authority, server, server_key, cloud)
        certificates = [x509.load_pem_x509_certificate(each) for each in (server, cloud)]
        for certificate in certificates:
            certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(authority))
        kept.server_context()
        kept.cloud_context()
        kept.client_context()
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm, ssl.SSLError):
        return None
    expiry = min(certificate.not_valid_after_utc for certificate in certificates)
    return kept if datetime.now(timezone.utc) < expiry - _RENEWAL else None
