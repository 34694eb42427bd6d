"""The spans of public methods and of requests, through azure-core. While tracing is off, each costs a look or two."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from inspect import iscoroutinefunction
from typing import Any, TypeVar, cast

from azure.core.pipeline import PipelineRequest
from azure.core.pipeline.policies import DistributedTracingPolicy
from azure.core.tracing.decorator import distributed_trace
from azure.core.tracing.decorator_async import distributed_trace_async

from .._version import VERSION
from .redaction import RedactedHead

Method = TypeVar("Method", bound=Callable[..., Any])

INSTRUMENTATION: Mapping[str, Any] = {
    "library_name": "azure-keyvault-administration",
    "library_version": VERSION,
    "attributes": {"az.namespace": "Microsoft.KeyVault"},
}
"""What OpenTelemetry shows as the source of the spans. azure-core reads it from a client and from its policy."""


def traced(method: Method) -> Method:
    """Give a method its own span.

    :param method: A method of a class that has ``_instrumentation_config``.
    """
    decorate: Callable[[Any], Any] = distributed_trace_async if iscoroutinefunction(method) else distributed_trace
    # azure-core types what it makes as any awaitable, which is too little for asyncio.create_task.
    return cast("Method", decorate(method))


class RedactingTracingPolicy(DistributedTracingPolicy[Any, Any]):
    """azure-core's spans of requests, without secrets that a service sent back: in a redirect's path, or as an id."""

    def end_span(self, request: PipelineRequest[Any], response: Any = None, exc_info: Any = None) -> None:
        """End the span of a request.

        :param request: The request.
        :param response: The response, if there is one.
        :param exc_info: The error, if there is one.
        """
        if self.TRACING_CONTEXT in request.context:
            original = request.http_request
            request = PipelineRequest(RedactedHead(original, original), request.context)
            response = None if response is None else RedactedHead(response, original)
        super().end_span(request, response, exc_info)
