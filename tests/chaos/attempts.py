"""The requests that an operation sends, retries included, and their status codes."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any

from azure.core.pipeline import PipelineRequest, PipelineResponse
from azure.core.pipeline.policies import SansIOHTTPPolicy

# Where the operation of the current task collects its status codes.
_STATUSES: ContextVar[list[int | None] | None] = ContextVar("statuses", default=None)
_TOO_MANY_REQUESTS = 429
_REFUSED = frozenset({401, _TOO_MANY_REQUESTS})


def collect() -> list[int | None]:
    """Return a list that gets the status code of each request of the current task from now on; None for no response."""
    statuses: list[int | None] = []
    _STATUSES.set(statuses)
    return statuses


def is_throttled(statuses: list[int | None]) -> bool:
    """Return whether the service refused every request of an operation, so that it carried out none."""
    return _TOO_MANY_REQUESTS in statuses and _REFUSED.issuperset(statuses)


class AttemptsPolicy(SansIOHTTPPolicy[Any, Any]):
    """Counts requests each time they are sent, and tells operations their status codes."""

    def __init__(self) -> None:
        self.count = 0

    def on_request(self, request: PipelineRequest[Any]) -> None:
        del request
        self.count += 1
        if (statuses := _STATUSES.get()) is not None:
            statuses.append(None)

    def on_response(self, request: PipelineRequest[Any], response: PipelineResponse[Any, Any]) -> None:
        del request
        if statuses := _STATUSES.get():
            statuses[-1] = response.http_response.status_code
