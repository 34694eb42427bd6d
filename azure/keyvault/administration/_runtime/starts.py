"""The state of one job's start, for as long as its call lasts.

It lives in the pipeline's context, where policies that change the options or the request don't lose it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from azure.core.exceptions import AzureError

if TYPE_CHECKING:
    from azure.core.pipeline import PipelineResponse
    from azure.core.rest import AsyncHttpResponse, HttpRequest

START_PROGRESS = "start_progress"
"""The key of a :class:`StartProgress`: in the options of a call, and from its first policy on in the context."""

_SERVER_ERROR = 500
# A success other than the promised one, and a request that the service waited for too long.
_UNDECIDED = frozenset({200, 201, 202, 204, 408})


class StartProgress:
    """Whether the service may have taken the start, and what came of sending it."""

    __slots__ = ("is_taken", "outcome")

    def __init__(self) -> None:
        self.is_taken = False
        """Whether the start was sent with a token, and nothing proves that the service did not take it."""
        self.outcome: PipelineResponse[HttpRequest, AsyncHttpResponse] | AzureError | None = None
        """What sending it led to. None if that is unknown, because the sending was cancelled."""

    def begin(self) -> None:
        """Note that the start is about to be sent. Whatever cuts that short without an error leaves it at that."""
        self.is_taken, self.outcome = True, None

    def end(
        self,
        outcome: PipelineResponse[HttpRequest, AsyncHttpResponse] | AzureError | None,
        *,
        may_be_taken: bool,
    ) -> None:
        """Note what came of sending the start.

        :param outcome: The response, or azure-core's error.
        :keyword may_be_taken: Whether the service may have taken it.
        """
        self.is_taken, self.outcome = may_be_taken, outcome

    def may_be_running(self) -> bool:
        """Return whether the service may be running the job. A refusal says that it isn't."""
        if not self.is_taken:
            return False
        if self.outcome is None or isinstance(self.outcome, AzureError):
            return True
        status = self.outcome.http_response.status_code
        return status >= _SERVER_ERROR or status in _UNDECIDED


class AlreadySentError(Exception):
    """Raised instead of sending a start a second time.

    It isn't an azure-core error, so that no policy retries it: ``RestClient.start`` replaces it by the outcome.
    """
