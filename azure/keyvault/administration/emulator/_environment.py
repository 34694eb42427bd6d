"""The environment variables that point other programs to the emulator."""

from __future__ import annotations

import os
import re
import ssl
import warnings
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives.serialization import NoEncryption, pkcs12

from ._net.addresses import LOOPBACK, LOOPBACK_IPV6
from ._state.files import write_atomically

if TYPE_CHECKING:
    from collections.abc import Mapping

# With these, DefaultAzureCredential prefers other identities.
_OTHER_IDENTITIES = (
    "AZURE_CLIENT_ID",
    "AZURE_TENANT_ID",
    "AZURE_CLIENT_SECRET",
    "AZURE_CLIENT_CERTIFICATE_PATH",
    "AZURE_CLIENT_CERTIFICATE_PASSWORD",
    "AZURE_USERNAME",
    "AZURE_PASSWORD",
    "AZURE_FEDERATED_TOKEN_FILE",
    "IDENTITY_SERVER_THUMBPRINT",
    "IMDS_ENDPOINT",
    "MSI_ENDPOINT",
    "MSI_SECRET",
)

_JAVA_OPTIONS = "JAVA_TOOL_OPTIONS"
_CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----\s[^-]+-----END CERTIFICATE-----")


def other_identities(variables: Mapping[str, str]) -> list[str]:
    """Return the names of variables that keep ``DefaultAzureCredential`` from the emulator's managed identity."""
    return [name for name in _OTHER_IDENTITIES if name in variables]


def proxy_variables(host: str, port: int) -> dict[str, str]:
    """Return the variables that make programs use the proxy, except for hosts on this machine."""
    url = proxy_url(host, port)
    direct = ",".join(dict.fromkeys(["localhost", LOOPBACK, LOOPBACK_IPV6, host]))
    return {
        "HTTPS_PROXY": url,
        "NO_PROXY": direct,
        # Most programs prefer these, which the parent may have set.
        "https_proxy": url,
        "no_proxy": direct,
        # Node ignores proxies without it.
        "NODE_USE_ENV_PROXY": "1",
    }


def authority_file(directory: Path, authority: bytes) -> Path:
    """Write the certificate of the emulator's authority, and return the path."""
    path = directory / "ca.pem"
    write_atomically(path, authority, is_public=True)
    return path


def trust_variables(directory: Path, authority: bytes) -> dict[str, str]:
    """Return the variables that make programs trust the emulator's authority in addition to the machine's.

    :param directory: For the files that the variables name.
    :param authority: The certificate of the emulator's authority, as PEM.
    """
    alone = authority_file(directory, authority)
    trusted = _trusted_roots() + authority
    bundle = directory / "ca-bundle.pem"
    write_atomically(bundle, trusted, is_public=True)
    return {
        "SSL_CERT_FILE": str(bundle),
        "REQUESTS_CA_BUNDLE": str(bundle),
        "CURL_CA_BUNDLE": str(bundle),
        "NODE_EXTRA_CA_CERTS": str(alone),
    }


def java_variables(host: str, port: int, directory: Path, authority: bytes) -> dict[str, str]:
    """Return the variable that makes Java use the proxy and trust the emulator's authority: it reads no other."""
    store = directory / "truststore.p12"
    write_atomically(store, _trust_store(_trusted_roots() + authority), is_public=True)
    options = [
        # The parent's options stay; ours come later, so they count.
        *filter(None, [os.environ.get(_JAVA_OPTIONS)]),
        f"-Dhttps.proxyHost={host}",
        f"-Dhttps.proxyPort={port}",
        # Java removes the quotes, which a path with spaces needs.
        f'"-Djavax.net.ssl.trustStore={store}"' if " " in str(store) else f"-Djavax.net.ssl.trustStore={store}",
        "-Djavax.net.ssl.trustStoreType=PKCS12",
    ]
    return {_JAVA_OPTIONS: " ".join(options)}


def proxy_url(host: str, port: int) -> str:
    return f"http://{host}:{port}"


def _trust_store(trusted: bytes) -> bytes:
    """Return PEM certificates as PKCS #12 without a password, which Java does not need."""
    certificates: list[pkcs12.PKCS12Certificate] = []
    with warnings.catch_warnings():
        # A machine can trust certificates that cryptography deprecates, or cannot read; the latter are left out.
        warnings.simplefilter("ignore")
        for pem in dict.fromkeys(_CERTIFICATE.findall(trusted)):
            with suppress(ValueError):
                certificates.append(pkcs12.PKCS12Certificate(x509.load_pem_x509_certificate(pem), None))
    return pkcs12.serialize_java_truststore(certificates, NoEncryption())


def _trusted_roots() -> bytes:
    """Return the authorities that programs on this machine trust, as PEM."""
    paths = ssl.get_default_verify_paths()
    # SSL_CERT_FILE, or the file of OpenSSL.
    if paths.cafile:
        return Path(paths.cafile).read_bytes() + b"\n"
    # SSL_CERT_DIR, or the directory of OpenSSL, with a file for the hash of each certificate.
    if paths.capath and (files := sorted(Path(paths.capath).glob("*.[0-9]"))):
        return b"\n".join(path.read_bytes() for path in files) + b"\n"
    # The store of Windows.
    certificates = ssl.create_default_context().get_ca_certs(binary_form=True)
    return "".join(map(ssl.DER_cert_to_PEM_cert, certificates)).encode()
