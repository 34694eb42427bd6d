"""What keeps a transport from sending a request again by itself.

aiohttp sends PUT, GET and DELETE again after a broken connection, and the user's own session can repeat anything: one
of aiohttp with a middleware, one of requests with ``Retry``. Nothing public forbids it, but aiohttp reads the cookies
again, and azure-core's transports read the body again.
"""

from __future__ import annotations

from io import SEEK_SET, BytesIO
from typing import Any

from typing_extensions import override

from azure.core.exceptions import ServiceResponseError

_LOST = "The connection was lost before the response arrived."


class ReadOnceCookies(dict[str, Any]):
    """The cookies of one request, which is sent once.

    aiohttp reads a request's cookies each time that it is about to send it: the only moment at which every session and
    every wrapped transport can be kept from sending it again. The usual way, a middleware for the request, would
    replace those of the user's session. To other transports these are plain cookies.
    """

    _was_read = False

    @override
    def items(self) -> Any:
        if self._was_read:
            raise ServiceResponseError(_LOST)
        self._was_read = True
        return super().items()


class WatchedBody(BytesIO):
    """A body that is read once: a transport reads it when it sends it, and goes back when it sends it again."""

    is_begun = False

    @override
    def read(self, size: int | None = -1, /) -> bytes:
        self.is_begun = True
        return super().read(size)

    @override
    def seek(self, offset: int, whence: int = SEEK_SET, /) -> int:
        if self.is_begun:
            raise ServiceResponseError(_LOST)
        return super().seek(offset, whence)
