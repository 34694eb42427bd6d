"""The span of a public method, through azure-core. While tracing is off, it costs two looks at a setting."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from inspect import iscoroutinefunction
from typing import Any, TypeVar, cast

from azure.core.tracing.decorator import distributed_trace
from azure.core.tracing.decorator_async import distributed_trace_async

from .._version import VERSION

Method = TypeVar("Method", bound=Callable[..., Any])

INSTRUMENTATION: Mapping[str, Any] = {
    "library_name": "azure-keyvault-administration",
    "library_version": VERSION,
    "attributes": {"az.namespace": "Microsoft.KeyVault"},
}
"""Who makes the spans, as OpenTelemetry shows it. azure-core reads it from a client and from its policy."""


def traced(method: Method) -> Method:
    """Give a method a span of its own.

    :param method: A method of a class that has ``_instrumentation_config``.
    """
    decorate: Callable[[Any], Any] = distributed_trace_async if iscoroutinefunction(method) else distributed_trace
    # azure-core types what it makes as any awaitable, which is too little for asyncio.create_task.
    return cast("Method", decorate(method))
