"""What another program needs to know about the emulator, as environment variables."""

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
from ._state.files import write_whole

if TYPE_CHECKING:
    from collections.abc import Mapping

# DefaultAzureCredential prefers other identities than the emulator's where it finds these.
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
    """Return the variables that keep ``DefaultAzureCredential`` from the emulator's managed identity.

    :param variables: The environment of a program.
    """
    return [name for name in _OTHER_IDENTITIES if name in variables]


def proxy_variables(host: str, port: int) -> dict[str, str]:
    """Lead every program to the proxy, and what is on this machine past it.

    :param host: The address of the proxy, or its host name.
    :param port: The port of the proxy.
    """
    url = _proxy_url(host, port)
    direct = ",".join(dict.fromkeys(["localhost", LOOPBACK, LOOPBACK_IPV6, host]))
    return {
        "HTTPS_PROXY": url,
        "NO_PROXY": direct,
        # Where both are set, most programs look at these; what a shell has set in them must not win.
        "https_proxy": url,
        "no_proxy": direct,
        # Node looks at proxies only when it is told to.
        "NODE_USE_ENV_PROXY": "1",
    }


def proxies(host: str, port: int) -> dict[str, str]:
    """Lead a client of this process to the proxy."""
    return {"https": _proxy_url(host, port)}


def authority_file(directory: Path, authority: bytes) -> Path:
    """Write the certificate of the emulator's authority, and return where.

    :param directory: Where the file is written.
    :param authority: The certificate, as PEM.
    """
    path = directory / "ca.pem"
    write_whole(path, authority, is_public=True)
    return path


def trust_variables(directory: Path, authority: bytes) -> dict[str, str]:
    """Let every program trust the emulator's authority, as well as those that it already trusts.

    :param directory: Where the files are written that the variables name.
    :param authority: The certificate of the emulator's authority, as PEM.
    """
    alone = authority_file(directory, authority)
    trusted = _trusted_roots() + authority
    bundle = directory / "ca-bundle.pem"
    write_whole(bundle, trusted, is_public=True)
    return {
        "SSL_CERT_FILE": str(bundle),
        "REQUESTS_CA_BUNDLE": str(bundle),
        "CURL_CA_BUNDLE": str(bundle),
        "NODE_EXTRA_CA_CERTS": str(alone),
    }


def java_variables(host: str, port: int, directory: Path, authority: bytes) -> dict[str, str]:
    """Lead Java to the proxy, and let it trust the emulator's authority: it looks at no other variable.

    :param host: The address of the proxy, or its host name.
    :param port: The port of the proxy.
    :param directory: Where the trust store is written.
    :param authority: The certificate of the emulator's authority, as PEM.
    """
    store = directory / "truststore.p12"
    write_whole(store, _trust_store(_trusted_roots() + authority), is_public=True)
    options = [
        # What others have set stays, and ours comes later, so that it counts.
        *filter(None, [os.environ.get(_JAVA_OPTIONS)]),
        f"-Dhttps.proxyHost={host}",
        f"-Dhttps.proxyPort={port}",
        # Java takes the quotes away, which a path with blanks needs.
        f'"-Djavax.net.ssl.trustStore={store}"' if " " in str(store) else f"-Djavax.net.ssl.trustStore={store}",
        "-Djavax.net.ssl.trustStoreType=PKCS12",
    ]
    return {_JAVA_OPTIONS: " ".join(options)}


def _proxy_url(host: str, port: int) -> str:
    return f"http://{host}:{port}"


def _trust_store(trusted: bytes) -> bytes:
    """Return certificates as PKCS #12, without a password: Java asks for none, and there is nothing to hide.

    :param trusted: The certificates as PEM.
    """
    certificates: list[pkcs12.PKCS12Certificate] = []
    with warnings.catch_warnings():
        # A machine may trust certificates that cryptography deprecates, or cannot read; Java goes without the latter.
        warnings.simplefilter("ignore")
        for pem in dict.fromkeys(_CERTIFICATE.findall(trusted)):
            with suppress(ValueError):
                certificates.append(pkcs12.PKCS12Certificate(x509.load_pem_x509_certificate(pem), None))
    return pkcs12.serialize_java_truststore(certificates, NoEncryption())


def _trusted_roots() -> bytes:
    """Return the authorities that programs on this machine trust, as PEM; empty if there is no such list."""
    paths = ssl.get_default_verify_paths()
    # What SSL_CERT_FILE names, or the file of OpenSSL.
    if paths.cafile:
        return Path(paths.cafile).read_bytes() + b"\n"
    # What SSL_CERT_DIR names, or the directory of OpenSSL; it has a file for the hash of each certificate.
    if paths.capath and (files := sorted(Path(paths.capath).glob("*.[0-9]"))):
        return b"\n".join(path.read_bytes() for path in files) + b"\n"
    # The store of Windows.
    certificates = ssl.create_default_context().get_ca_certs(binary_form=True)
    return "".join(map(ssl.DER_cert_to_PEM_cert, certificates)).encode()
