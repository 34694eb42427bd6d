"""The headers that every request gets: made once for a client where they can be, cheaply where each needs its own."""

from __future__ import annotations

import uuid
from typing import Any

from azure.core.pipeline import PipelineRequest
from azure.core.pipeline.policies import RequestIdPolicy, UserAgentPolicy

from .._version import VERSION

_SDK_MONIKER = f"keyvault-administration/{VERSION}"


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
        options = request.context.options
        if self._makes_ids and "request_id" not in options and self._header not in request.http_request.headers:
            options["request_id"] = str(uuid.uuid4())
        super().on_request(request)


def user_agent_policy(**options: Any) -> UserAgentPolicy:
    """Return azure-core's policy with a name that is put together once: it would read the environment for each request.

    :param options: The client's keywords.
    """
    user_agent = UserAgentPolicy(**{"sdk_moniker": _SDK_MONIKER, **options}).user_agent
    overwrite = options.get("user_agent_overwrite", False)
    return UserAgentPolicy(base_user_agent=user_agent, user_agent_use_env=False, user_agent_overwrite=overwrite)
