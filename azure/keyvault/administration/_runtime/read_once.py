"""What keeps a transport from sending a request again by itself.

aiohttp sends PUT, GET and DELETE again after a broken connection. The user's own session can repeat anything: one of
requests with ``Retry``, one of aiohttp with a middleware. Nothing public forbids it, but each of them reads a part of
the request again.
"""

from __future__ import annotations

from io import SEEK_SET, BytesIO
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from azure.core.exceptions import ServiceResponseError

if TYPE_CHECKING:
    from _collections_abc import dict_items

    from azure.core.rest import HttpRequest

_LOST = "The connection was lost before the response arrived."


class ReadOnceCookies(dict[str, Any]):
    """The cookies of one request, which is sent once.

    aiohttp reads a request's cookies each time that it is about to send it: the only moment at which every session and
    every wrapped transport can be kept from sending it again. The usual way, a middleware for the request, would
    replace those of the user's session. To other transports these are plain cookies.
    """

    _was_read = False

    @override
    def items(self) -> dict_items[str, Any]:
        if self._was_read:
            raise ServiceResponseError(_LOST)
        self._was_read = True
        return super().items()


class Disguise:
    """What a request carries only while it is being sent.

    :param request: The request.
    """

    def __init__(self, request: HttpRequest) -> None:
        # Any: the name by which azure-core's transports ask for the body is missing from its newer type.
        self._request: Any = request
        self._authorization: str | None = None
        self._content: Any = None
        self._body: _WatchedBody | None = None

    def hide_authorization(self) -> str | None:
        """Take the request's ``Authorization`` out, and return it."""
        self._authorization = self._request.headers.pop("Authorization", None)
        return self._authorization

    def watch_body(self) -> None:
        """Give the request a body that is sent once, and knows whether it was.

        Only that tells whether a proxy hung up before the request was sent to the service, or after that.
        """
        self._content = self._request.content
        if isinstance(self._content, (str, bytes)):
            content = self._content.encode() if isinstance(self._content, str) else self._content
            self._body = self._request.data = _WatchedBody(content)

    def is_unsent(self) -> bool:
        """Return whether it is certain that the request was not sent."""
        return self._body is not None and not self._body.is_begun

    def take_off(self) -> None:
        """Make the request what it was."""
        if self._authorization is not None:
            self._request.headers["Authorization"] = self._authorization
        if self._body is not None:
            self._request.data = self._content


class _WatchedBody(BytesIO):
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
