"""The requests that the library itself makes."""

from __future__ import annotations

from typing import Any

from azure.core.rest import HttpRequest


class RestRequest(HttpRequest):
    """A request whose body is JSON, if it has one.

    azure-core's policies and transports ask for ``body``, ``data`` and ``files``, the names of an older class, six
    times in each call. Its own request finds them only after the usual look-up has failed. Nothing is uploaded, so a
    policy cannot add files.
    """

    files = None

    @property
    def body(self) -> Any:
        """The body, or None."""
        return self.content

    data = body
