"""The headers that every request gets."""

from __future__ import annotations

import uuid
from typing import Any

from azure.core.pipeline import PipelineRequest
from azure.core.pipeline.policies import RequestIdPolicy

from .._version import VERSION

SDK_MONIKER = f"keyvault-administration/{VERSION}"


class NewRequestIdPolicy(RequestIdPolicy):
    """azure-core's request ids, but random ones: the time-based ones that it makes take six times as long.

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
            headers[self._header] = str(uuid.uuid4())
        else:
            super().on_request(request)
