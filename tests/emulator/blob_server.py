"""A blob service on loopback with what a backup needs: one account, one container, SAS permissions."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from aiohttp import web
from typing_extensions import Self

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from types import TracebackType
    from typing import TypeAlias

    Handler: TypeAlias = Callable[[web.Request], Awaitable[web.StreamResponse]]

ACCOUNT = "devstoreaccount1"
CONTAINER = "backups"

_NEEDED = {"PUT": "w", "DELETE": "d", "GET": "r"}


class BlobServer:
    """Keeps blobs in a dict; of a SAS token it checks ``sp`` alone, of a shared key the account.

    ``sizes`` overrides the size of a blob in lists; every error message ends with ``quote``, filled with the query of
    the request. ``lists`` and ``reads`` can be replaced by handlers that lie.
    """

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}
        self.sizes: dict[str, int] = {}
        self.quote = ""
        self.lists: Handler = self._list
        self.reads: Handler = self._read
        app = web.Application()
        app.router.add_route("*", "/{account}/{container}", self._container)
        app.router.add_route("*", "/{account}/{container}/{blob:.+}", self._blob)
        self._runner = web.AppRunner(app, access_log=None)

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc_value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._runner.cleanup()

    @property
    def account_url(self) -> str:
        return f"http://127.0.0.1:{self._runner.addresses[0][1]}/{ACCOUNT}"

    async def _container(self, request: web.Request) -> web.StreamResponse:
        return await self.lists(request)

    async def _list(self, request: web.Request) -> web.Response:
        if refusal := self._refusal(request, "l"):
            return refusal
        prefix = request.query["prefix"]
        blobs = "".join(
            f"<Blob><Name>{escape(name)}</Name><Properties><Content-Length>{self.sizes.get(name, len(content))}"
            "</Content-Length><BlobType>BlockBlob</BlobType></Properties></Blob>"
            for name, content in self.blobs.items()
            if name.startswith(prefix)
        )
        body = f"<?xml version='1.0'?><EnumerationResults><Blobs>{blobs}</Blobs><NextMarker/></EnumerationResults>"
        return web.Response(text=body, content_type="application/xml")

    async def _blob(self, request: web.Request) -> web.StreamResponse:
        if refusal := self._refusal(request, _NEEDED[request.method]):
            return refusal
        name = request.match_info["blob"]
        if request.method == "PUT":
            if request.headers.get("If-None-Match") == "*" and name in self.blobs:
                return self._error(request, 409, "BlobAlreadyExists", "The specified blob already exists.")
            self.blobs[name] = await request.read()
            return web.Response(status=201)
        if request.method == "DELETE":
            del self.blobs[name]
            return web.Response(status=202)
        return await self.reads(request)

    async def _read(self, request: web.Request) -> web.Response:
        content = self.blobs[request.match_info["blob"]]
        last = max(len(content) - 1, 0)
        headers = {"Content-Range": f"bytes 0-{last}/{len(content)}", "x-ms-blob-type": "BlockBlob"}
        return web.Response(status=206, body=content, headers=headers)

    def _refusal(self, request: web.Request, needed: str) -> web.Response | None:
        if request.match_info["container"] != CONTAINER:
            return self._error(request, 404, "ContainerNotFound", "The specified container does not exist.")
        by_key = request.headers.get("Authorization", "").startswith(f"SharedKey {ACCOUNT}:")
        if not by_key and needed not in request.query.get("sp", ""):
            return self._error(request, 403, "AuthorizationPermissionMismatch", "This request lacks a permission.")
        return None

    def _error(self, request: web.Request, status: int, code: str, message: str) -> web.Response:
        quoted = self.quote.format(raw=request.url.raw_query_string, decoded=request.query_string)
        text = escape(f"{message}{quoted}\nRequestId:secret\nTime:now")
        body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{text}</Message></Error>"
        headers = {"x-ms-error-code": code}
        return web.Response(status=status, text=body, content_type="application/xml", headers=headers)
