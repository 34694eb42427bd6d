"""What another program needs to know about the emulator, as environment variables."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import TYPE_CHECKING

from ._net.addresses import LOOPBACK, LOOPBACK_IPV6
from ._state.files import write_whole

if TYPE_CHECKING:
    from collections.abc import Mapping

_DIRECT = f"localhost,{LOOPBACK},{LOOPBACK_IPV6}"


def proxy_variables(port: int) -> dict[str, str]:
    """Lead every program to the proxy, and what is on this machine past it."""
    url = _proxy_url(port)
    return {
        "HTTPS_PROXY": url,
        "NO_PROXY": _DIRECT,
        # Where both are set, most programs look at these; what a shell has set in them must not win.
        "https_proxy": url,
        "no_proxy": _DIRECT,
        # Node looks at proxies only when it is told to.
        "NODE_USE_ENV_PROXY": "1",
    }


def proxies(port: int) -> dict[str, str]:
    """Lead a client of this process to the proxy."""
    return {"https": _proxy_url(port)}


def authority_file(directory: Path, authority: bytes) -> Path:
    """Write the certificate of the emulator's authority, and return where.

    :param directory: Where the file is written.
    :param authority: The certificate, as PEM.
    """
    path = directory / "ca.pem"
    write_whole(path, authority)
    return path


def trust_variables(directory: Path, authority: bytes) -> dict[str, str]:
    """Let every program trust the emulator's authority, as well as those that it already trusts.

    :param directory: Where the files are written that the variables name.
    :param authority: The certificate of the emulator's authority, as PEM.
    """
    alone = authority_file(directory, authority)
    bundle = directory / "ca-bundle.pem"
    write_whole(bundle, _trusted_roots() + authority)
    return {
        "SSL_CERT_FILE": str(bundle),
        "REQUESTS_CA_BUNDLE": str(bundle),
        "CURL_CA_BUNDLE": str(bundle),
        "NODE_EXTRA_CA_CERTS": str(alone),
    }


def render(variables: Mapping[str, str]) -> str:
    """Return the lines of an env file.

    :raises ValueError: if a value has more than one line, which such a file cannot hold.
    """
    for name, value in variables.items():
        if len(value.splitlines()) > 1:
            raise ValueError(f"{name} must fit on a line of an env file, got {value!r}")
    return "".join(f"{name}={value}\n" for name, value in variables.items())


def _proxy_url(port: int) -> str:
    return f"http://{LOOPBACK}:{port}"


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
