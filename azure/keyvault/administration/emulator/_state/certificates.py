"""The emulator's own certificate authority, and the certificate of its server."""

from __future__ import annotations

import re
import ssl
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from ipaddress import ip_address
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from .._net.addresses import LOOPBACK, LOOPBACK_IPV6
from .files import write_whole

if TYPE_CHECKING:
    from collections.abc import Iterable

_ADDRESSES = (LOOPBACK, LOOPBACK_IPV6)
_EARLIER = timedelta(days=1)
_LATER = timedelta(days=365)
_RENEWAL = timedelta(days=30)
_PEM = re.compile(rb"-----BEGIN [A-Z ]+-----\n[^-]+-----END [A-Z ]+-----\n")


@dataclass(frozen=True, slots=True)
class Certificates:
    """PEM texts; the authority's key is gone once the server's certificate is signed."""

    authority: bytes
    server: bytes
    server_key: bytes = field(repr=False)

    def server_context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        # The standard library loads a chain from files only.
        with TemporaryDirectory() as directory:
            chain = Path(directory, "chain.pem")
            chain.touch(mode=0o600)
            chain.write_bytes(self.server + self.server_key)
            context.load_cert_chain(chain)
        return context

    def client_context(self) -> ssl.SSLContext:
        """Return a context that trusts this authority and no other."""
        return ssl.create_default_context(cadata=self.authority.decode())


def settle(path: Path, host: str, *others: str) -> Certificates:
    """Return the certificates that a file keeps, or new ones that it keeps from now on.

    Who has told a program or a machine to trust the authority need not do so again at the next start. Certificates that
    cannot be read, soon expire or are for other hosts are replaced.
    """
    if path.exists() and (kept := _parse(path.read_bytes(), {host, *others})):
        return kept
    certificates = issue(host, *others)
    write_whole(path, certificates.authority + certificates.server + certificates.server_key)
    return certificates


def _parse(content: bytes, hosts: set[str]) -> Certificates | None:
    texts = _PEM.findall(content)
    try:
        authority, server, server_key = texts
        kept = Certificates(authority, server, server_key)
        expiry = x509.load_pem_x509_certificate(server).not_valid_after_utc
        x509.load_pem_x509_certificate(server).verify_directly_issued_by(x509.load_pem_x509_certificate(authority))
        names = x509.load_pem_x509_certificate(server).extensions.get_extension_for_class(x509.SubjectAlternativeName)
        kept.server_context()
        kept.client_context()
    except (ValueError, TypeError, InvalidSignature, ssl.SSLError, x509.ExtensionNotFound):
        return None
    if not hosts.issubset(names.value.get_values_for_type(x509.DNSName)):
        return None
    return kept if datetime.now(timezone.utc) < expiry - _RENEWAL else None


def issue(host: str, *others: str) -> Certificates:
    """Make an authority, and a certificate for a host, and others, that also holds on loopback."""
    authority_key = ec.generate_private_key(ec.SECP256R1())
    authority_name = _name("Managed HSM emulator CA")
    authority = _sign(
        _builder(authority_name, authority_name, authority_key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(signs_certificates=True), critical=True),
        authority_key,
    )
    server_key = ec.generate_private_key(ec.SECP256R1())
    server = _sign(
        _builder(_name(host), authority_name, server_key.public_key())
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(_alternative_names([host, *others, "localhost"])), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False),
        authority_key,
    )
    return Certificates(
        authority=authority.public_bytes(Encoding.PEM),
        server=server.public_bytes(Encoding.PEM),
        server_key=server_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
    )


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    # TLS libraries compare with the wall clock, so the emulator's own has no say here.
    now = datetime.now(timezone.utc)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _EARLIER)
        .not_valid_after(now + _LATER)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _sign(builder: x509.CertificateBuilder, key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    return builder.sign(key, hashes.SHA256())


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _alternative_names(hosts: Iterable[str]) -> list[x509.GeneralName]:
    return [*map(x509.DNSName, hosts), *(x509.IPAddress(ip_address(each)) for each in _ADDRESSES)]


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )
