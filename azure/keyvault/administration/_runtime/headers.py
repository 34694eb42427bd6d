"""The headers that every request gets."""

from __future__ import annotations

import os
from typing import Any

from azure.core.pipeline import PipelineRequest
from azure.core.pipeline.policies import RequestIdPolicy

from .._version import VERSION

SDK_MONIKER = f"keyvault-administration/{VERSION}"


class NewRequestIdPolicy(RequestIdPolicy):
    """azure-core's request ids, but random ones: the time-based ones that it makes take ten times as long.

    :keyword request_id: The id of all requests of the client, or None for no id.
    :keyword auto_request_id: Whether to make ids where none is given.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._makes_ids = "request_id" not in options and options.get("auto_request_id", True)
        self._header = options.get("request_id_header_name", "x-ms-client-request-id")

    def on_request(self, request: PipelineRequest[Any]) -> None:
        """Give a request its id, unless it has one.

        :param request: The request.
        """
        headers = request.http_request.headers
        if self._makes_ids and "request_id" not in request.context.options and self._header not in headers:
            headers[self._header] = _random_uuid()
        else:
            super().on_request(request)


def _random_uuid() -> str:
    """Return a UUID: "4" is its version, "a" its variant. Python's own takes twice as long, because it is an object."""
    digits = os.urandom(16).hex()
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"
