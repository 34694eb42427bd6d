"""Run neighbouring policies that only look at requests and responses as one step of the pipeline.

azure-core wraps each such policy in its own step, with three coroutines and two checks of a type per request: for
the ten policies of a client this was a quarter of what a call cost. What the policies see, and in which order, is the
same here.
"""

from __future__ import annotations

from inspect import isawaitable
from itertools import groupby
from typing import TYPE_CHECKING, Any

from azure.core.pipeline.policies import AsyncHTTPPolicy, SansIOHTTPPolicy
from azure.core.rest import AsyncHttpResponse, HttpRequest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from azure.core.pipeline import PipelineRequest, PipelineResponse

_ON_RESPONSE = "on_response"


def grouped(policies: Iterable[Any]) -> list[Any]:
    """Return the policies with neighbours that do no I/O put together.

    :param policies: Policies in sending order.
    """
    steps: list[Any] = []
    for is_group, neighbours in groupby(policies, lambda policy: isinstance(policy, SansIOHTTPPolicy)):
        group = list(neighbours)
        steps += [PolicyGroup(group)] if is_group else group
    return steps


class PolicyGroup(AsyncHTTPPolicy[HttpRequest, AsyncHttpResponse]):
    """Several policies that do no I/O, as one that does.

    :param policies: The policies in sending order.
    """

    def __init__(self, policies: list[SansIOHTTPPolicy[HttpRequest, AsyncHttpResponse]]) -> None:
        super().__init__()
        self._policies = policies
        # Most policies look at requests only.
        self._reading = [(place, policy) for place, policy in enumerate(policies) if _reads_responses(policy)][::-1]

    async def send(self, request: PipelineRequest[HttpRequest]) -> PipelineResponse[HttpRequest, AsyncHttpResponse]:
        """Show the request to each policy, and the response in the reverse order.

        :param request: The request.
        """
        inside = 0
        try:
            for policy in self._policies:
                # The hooks are declared to return nothing, but may be coroutines.
                waiting: Any = policy.on_request(request)
                if waiting is not None and isawaitable(waiting):
                    await waiting
                inside += 1
            response = await self.next.send(request)
            for place, policy in self._reading:
                inside = place
                waiting = policy.on_response(request, response)
                if waiting is not None and isawaitable(waiting):
                    await waiting
        except Exception:
            await self._on_exception(request, inside)
            raise
        return response

    async def _on_exception(self, request: PipelineRequest[HttpRequest], inside: int) -> None:
        """Call ``on_exception`` on the policies that the error passes, as if each stood around the next."""
        for place in reversed(range(inside)):
            try:
                waiting: Any = self._policies[place].on_exception(request)  # type: ignore[func-returns-value]
                if waiting is not None and isawaitable(waiting):
                    await waiting
            except Exception:  # noqa: PERF203 - no loop of the usual path
                await self._on_exception(request, place)
                raise


def _reads_responses(policy: object) -> bool:
    inherited: object = getattr(SansIOHTTPPolicy, _ON_RESPONSE)
    return getattr(type(policy), _ON_RESPONSE) is not inherited or _ON_RESPONSE in vars(policy)
