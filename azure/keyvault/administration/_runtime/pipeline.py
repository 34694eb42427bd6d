"""The policies that every request passes, in sending order. This is the only list of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from typing_extensions import override

from azure.core.pipeline import AsyncPipeline, PipelineContext, PipelineRequest, PipelineResponse
from azure.core.pipeline.policies import (
    CustomHookPolicy,
    HeadersPolicy,
    ProxyPolicy,
    SensitiveHeaderCleanupPolicy,
    UserAgentPolicy,
)
from azure.core.pipeline.transport import AioHttpTransport
from azure.core.rest import AsyncHttpResponse, HttpRequest

from .auth import ChallengeAuthPolicy
from .errors import ClientClosedError
from .grouping import grouped
from .headers import SDK_MONIKER, NewRequestIdPolicy
from .logs import RedactingHttpLoggingPolicy, RedactingTracePolicy
from .proxies import PROXY_SCHEMES, environment_proxies, usable_proxies
from .redirect import ParsableRedirectPolicy
from .retry import JobAwareRetryPolicy
from .sending import SendOncePolicy
from .throttling import CallLimitsPolicy, ThrottlingPolicy
from .tls import own_tls
from .tracing import INSTRUMENTATION, RedactingTracingPolicy
from .transport import FirstPolicy, default_transport

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

    from azure.core.pipeline.transport import AsyncHttpTransport


# What azure-core's own client accepts instead of its policies.
_NOT_OF_A_CLIENT = ("authentication_policy", "pipeline", "policies")

# Stands for the client's own policy, because None means no policy.
_THROTTLING = object()


def build_pipeline(
    endpoint: str,
    credential: Any,
    *,
    transport: AsyncHttpTransport[HttpRequest, AsyncHttpResponse] | None = None,
    verify_challenge_resource: bool = True,
    challenge_resource_domains: Any = (),
    per_call_policies: Any = None,
    per_retry_policies: Any = None,
    **options: Any,
) -> ClientPipeline:
    """Build the pipeline of one client.

    :param endpoint: URL of the HSM.
    :param credential: The credential that gives tokens.
    :keyword transport: How requests are sent; aiohttp if None.
    :keyword verify_challenge_resource: Whether to check that a challenge's resource fits the HSM's host.
    :keyword challenge_resource_domains: Hosts of resources to accept although they don't fit the HSM's host.
    :keyword per_call_policies: A policy or several of the user's, run once per call.
    :keyword per_retry_policies: A policy or several of the user's, run at each attempt, around its authentication.
    :keyword throttling_policy: A policy of the user's that stands behind the retry policy, or None for none.
    :raises ValueError: If a keyword would replace the policies as a whole, or a proxy cannot be used.
    """
    for name in _NOT_OF_A_CLIENT:
        if options.get(name) is not None:
            raise ValueError(
                f"{name} would replace the client's policies, and with them its authentication: add your own with"
                " per_call_policies or per_retry_policies, and replace those for redirects, retries and logs with"
                " redirect_policy, retry_policy and logging_policy"
            )
    has_own_transport = transport is None
    tls = own_tls(**options) if has_own_transport else None
    if transport is None:
        transport = default_transport(**options)
    schemes = PROXY_SCHEMES if isinstance(transport, AioHttpTransport) else None
    if options.get("proxies") is not None:
        options["proxies"] = usable_proxies(options["proxies"], "proxies", schemes=schemes)
    elif has_own_transport and options.get("use_env_settings", True) and (proxies := environment_proxies(endpoint)):
        options["proxies"] = usable_proxies(proxies, "the environment's HTTPS_PROXY", schemes=schemes)
    guard = SendOncePolicy(endpoint, tls, trusts_environment=not has_own_transport)
    retry_policy = options.get("retry_policy") or JobAwareRetryPolicy(**options)
    throttling_policy = options.pop("throttling_policy", _THROTTLING)
    if throttling_policy is _THROTTLING:
        throttling_policy = ThrottlingPolicy(guard)
    # Any: azure-core's policies are generic over invariant types, so no list of different ones has a common type.
    policies: list[Any] = [
        FirstPolicy(),
        CallLimitsPolicy(retry_policy),
        options.get("request_id_policy") or NewRequestIdPolicy(**options),
        options.get("headers_policy") or HeadersPolicy(**options),
        options.get("user_agent_policy") or UserAgentPolicy(**{"sdk_moniker": SDK_MONIKER, **options}),
        options.get("proxy_policy") or ProxyPolicy(**options),
        *_several(per_call_policies),
        options.get("redirect_policy") or ParsableRedirectPolicy(**options),
        retry_policy,
        *_several(throttling_policy),
        *_several(per_retry_policies),
        ChallengeAuthPolicy(
            credential,
            endpoint,
            verify_challenge_resource=verify_challenge_resource,
            challenge_resource_domains=challenge_resource_domains,
        ),
        options.get("custom_hook_policy") or CustomHookPolicy(**options),
        options.get("logging_policy") or RedactingTracePolicy(**options),
        RedactingTracingPolicy(**{**options, "instrumentation_config": INSTRUMENTATION}),
        SensitiveHeaderCleanupPolicy(**options),
        options.get("http_logging_policy") or RedactingHttpLoggingPolicy(**options),
        guard,
    ]
    return ClientPipeline(transport, policies, guard)


class ClientPipeline(AsyncPipeline[HttpRequest, AsyncHttpResponse]):
    """A pipeline that raises :class:`ClientClosedError` when it is used after it was closed.

    :param transport: The transport.
    :param policies: The policies in sending order.
    :param guard: The last of them.
    """

    def __init__(
        self, transport: AsyncHttpTransport[HttpRequest, AsyncHttpResponse], policies: list[Any], guard: SendOncePolicy
    ) -> None:
        steps = grouped(policies)
        super().__init__(transport, steps)
        self._own_transport = transport
        self._first = steps[0]
        self._guard = guard

    async def send(self, request: HttpRequest, **options: Any) -> PipelineResponse[HttpRequest, AsyncHttpResponse]:
        """Send one of the client's own requests, as :meth:`run` does.

        That looks first for the parts of a batch, which only a user's request could have. It is a tenth of what a call
        costs, because azure-core's request finds what its older class had after the usual look-up has failed.

        :param request: The request.
        :keyword options: Options of the pipeline.
        """
        context = PipelineContext(self._own_transport, **options)
        response: PipelineResponse[HttpRequest, AsyncHttpResponse] = await self._first.send(
            PipelineRequest(request, context)
        )
        return response

    @override
    async def __aenter__(self) -> Self:
        try:
            await super().__aenter__()
        except ValueError as error:
            raise ClientClosedError("The client is closed.", error=error) from error
        self._guard.is_closed = False
        return self

    @override
    async def __aexit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        self._guard.is_closed = True
        await super().__aexit__(exc_type, exc_value, traceback)


def _several(policies: Any) -> list[Any]:
    """Return one policy, several or none as a list."""
    if policies is None:
        return []
    return list(policies) if hasattr(policies, "__iter__") else [policies]
