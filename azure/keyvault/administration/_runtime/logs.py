"""azure-core's logs of requests and responses, without secrets.

The policies show copies, made only for a log that is on: requests and responses themselves stay as they are.
"""

from __future__ import annotations

import logging
from typing import Any

from azure.core.pipeline import PipelineRequest, PipelineResponse
from azure.core.pipeline.policies import HttpLoggingPolicy, NetworkTraceLoggingPolicy

from .redaction import RedactedHead, redacted_request, redacted_response

_TRACE_LOGGER = logging.getLogger("azure.core.pipeline.policies._universal")

# Support asks for them.
_HEADERS_OF_KEY_VAULT = (
    "x-ms-keyvault-region",
    "x-ms-keyvault-network-info",
    "x-ms-keyvault-service-version",
)


class RedactingTracePolicy(NetworkTraceLoggingPolicy):
    """azure-core's network trace (``logging_enable=True``, logged at DEBUG) without the secrets."""

    def on_request(self, request: PipelineRequest[Any]) -> None:
        """Log a request.

        :param request: The request.
        """
        enabled = request.context.options.get("logging_enable", self.enable_http_logger)
        if enabled and _TRACE_LOGGER.isEnabledFor(logging.DEBUG):
            request = PipelineRequest(redacted_request(request.http_request), request.context)
        super().on_request(request)

    def on_response(self, request: PipelineRequest[Any], response: PipelineResponse[Any, Any]) -> None:
        """Log a response.

        :param request: The request.
        :param response: The response.
        """
        if response.context.get("logging_enable") and _TRACE_LOGGER.isEnabledFor(logging.DEBUG):
            shown = redacted_response(response.http_response)
            super().on_response(request, PipelineResponse(response.http_request, shown, response.context))


class RedactingHttpLoggingPolicy(HttpLoggingPolicy):
    """azure-core's log of URLs and headers (at INFO) without the secrets, but with the headers that support needs."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.allowed_header_names.update(_HEADERS_OF_KEY_VAULT)

    def on_request(self, request: PipelineRequest[Any]) -> None:
        """Log a request.

        :param request: The request.
        """
        if self._is_shown(request):
            request = PipelineRequest(RedactedHead(request.http_request, request.http_request), request.context)
        super().on_request(request)

    def on_response(self, request: PipelineRequest[Any], response: PipelineResponse[Any, Any]) -> None:
        """Log a response.

        :param request: The request.
        :param response: The response.
        """
        if self._is_shown(request):
            shown: Any = RedactedHead(response.http_response, request.http_request)
            super().on_response(request, PipelineResponse(response.http_request, shown, response.context))

    def _is_shown(self, request: PipelineRequest[Any]) -> bool:
        """Return whether the log is on."""
        # A call may bring its own logger and level. azure-core moves them to the context.
        context, options = request.context, request.context.options
        logger = context.get("logger") or options.get("logger", self.logger)
        level = context.get("http_logging_level") or options.get("http_logging_level", self.http_logging_level)
        return bool(logger.isEnabledFor(level))
