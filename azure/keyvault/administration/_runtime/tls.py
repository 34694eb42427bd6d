"""A client's own CAs and certificate, read once. azure-core would read them for each request.

That costs more than reading: aiohttp shares a connection only among requests with the same TLS context, so with a
new context for each request, each would need a TLS handshake.
"""

from __future__ import annotations

import os
import re
import ssl
from pathlib import Path
from typing import Any

from azure.core.pipeline.transport import AioHttpTransport

from .._identifiers import described

_EXTENSION = re.compile(r"\.\w{1,8}\Z")
_CERTIFICATE = "connection_cert must be the path of a file with certificate and key, or the paths of two files"


class OwnTls:
    """What azure-core's keywords ``connection_verify`` and ``connection_cert`` say, as one TLS context.

    :param verify: True for the usual authorities, or the path of a file or folder with the authorities to trust.
    :param certificate: The client's certificate, if it shows one: the path of a file that holds its key too, or the
        paths of two files.
    :raises ValueError: If there is no such file, or it holds something else.
    """

    def __init__(self, verify: Any, certificate: Any) -> None:
        self.verify = verify
        self.cert = _paths(certificate)
        # As with azure-core, a client that shows a certificate verifies the server even if connection_verify is False.
        self.context = ssl.create_default_context() if verify in (True, False, None) else _trusting(verify)
        if self.cert:
            try:
                self.context.load_cert_chain(*self.cert)
            except (OSError, TypeError) as error:
                # A third member would be the password of the key.
                shown = " and ".join(_shown(path) for path in self.cert[:2])
                raise ValueError(f"{_CERTIFICATE}, got {shown}: {error}") from error


def apply_tls(own: OwnTls | None, options: dict[str, Any], transport: Any) -> None:
    """Put what the client and the call say about trust into the options of a request.

    :param own: TLS settings of the client, if it made the transport.
    :param options: The options that the transport gets.
    :param transport: The transport.
    :raises ValueError: If the call names a file that isn't there, or holds something else.
    """
    if "connection_verify" not in options and "connection_cert" not in options:
        if own is not None:
            options.setdefault("ssl", own.context)
        return
    if not isinstance(transport, AioHttpTransport):
        # The transport reads the files itself, but would raise whatever they make it raise.
        OwnTls(options.get("connection_verify", True), options.get("connection_cert"))
        return
    default = transport.connection_config if own is None else own
    verify = options.get("connection_verify", default.verify)
    certificate = options.get("connection_cert", default.cert)
    if certificate or verify not in (True, False):
        options["ssl"] = OwnTls(verify, certificate).context
        verify, certificate = True, None
    # azure-core's transport would take the letters of one path for paths.
    options["connection_verify"], options["connection_cert"] = verify, certificate


def own_tls(*, connection_verify: Any = True, connection_cert: Any = None, **_: Any) -> OwnTls | None:
    """Return what a client's keywords say about trust, or None if that is nothing special.

    :keyword connection_verify: Whether to verify the server's certificate, or the authorities to trust.
    :keyword connection_cert: The client's certificate.
    """
    if connection_verify in (True, False) and not connection_cert:
        return None
    return OwnTls(connection_verify, connection_cert)


def _paths(certificate: Any) -> tuple[Any, ...] | None:
    if not certificate:
        return None
    files: Any = [certificate] if isinstance(certificate, (str, os.PathLike)) else certificate
    try:
        return tuple(files)
    except TypeError as error:
        raise ValueError(f"{_CERTIFICATE}, got {described(files)}") from error


def _trusting(authorities: Any) -> ssl.SSLContext:
    try:
        if os.path.isdir(authorities):  # noqa: PTH112 - authorities may be anything
            return ssl.create_default_context(capath=authorities)
        return ssl.create_default_context(cafile=authorities)
    except (OSError, TypeError) as error:
        raise ValueError(
            "connection_verify must be True, False or the path of a file with the authorities to trust,"
            f" got {_shown(authorities)}: {error}"
        ) from error


def _shown(path: Any) -> str:
    """Return a path for an error. A key in place of its file has no extension, in whatever form it is."""
    return repr(path) if isinstance(path, (str, Path)) and _EXTENSION.search(str(path)) else described(path)
