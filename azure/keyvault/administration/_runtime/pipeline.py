"""The policies that every request passes, in sending order. This is the only list of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from azure.core.pipeline import AsyncPipeline
from azure.core.pipeline.policies import (
    CustomHookPolicy,
    HeadersPolicy,
    ProxyPolicy,
    SensitiveHeaderCleanupPolicy,
)
from azure.core.rest import AsyncHttpResponse, HttpRequest

from .auth import ChallengeAuthPolicy
from .grouping import grouped
from .headers import NewRequestIdPolicy, user_agent_policy
from .logs import RedactingHttpLoggingPolicy, RedactingTracePolicy
from .redirect import ParsableRedirectPolicy
from .retry import START_OPTIONS, JobAwareRetryPolicy
from .tls import own_tls
from .tracing import INSTRUMENTATION, RedactingTracingPolicy
from .transport import OneLoopPolicy, SendOncePolicy, default_transport, environment_proxies

if TYPE_CHECKING:
    from azure.core.pipeline.transport import AsyncHttpTransport


# What azure-core's own client takes in place of its policies.
_NOT_OF_A_CLIENT = ("authentication_policy", "pipeline", "policies")


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
) -> AsyncPipeline[HttpRequest, AsyncHttpResponse]:
    """Build the pipeline of one client.

    :param endpoint: URL of the HSM.
    :param credential: The credential that gives tokens.
    :keyword transport: How requests are sent; aiohttp if None.
    :keyword verify_challenge_resource: Whether to check that a challenge's resource fits the HSM's host.
    :keyword challenge_resource_domains: Hosts of resources to accept all the same.
    :keyword per_call_policies: A policy or several of the user's, run once per call.
    :keyword per_retry_policies: A policy or several of the user's, run each time a request is sent.
    :raises ValueError: If a keyword would replace the policies as a whole.
    """
    for name in _NOT_OF_A_CLIENT:
        if options.get(name) is not None:
            raise ValueError(
                f"{name} would replace the client's policies, and with them its authentication: add your own with"
                " per_call_policies or per_retry_policies, and see to redirects, retries and logs with redirect_policy,"
                " retry_policy and logging_policy"
            )
    tls = None
    if transport is None:
        tls = own_tls(**options)
        transport = default_transport(**options)
        if options.get("proxies") is None and options.get("use_env_settings", True):
            options["proxies"] = environment_proxies(endpoint)
    # Any: azure-core's policies are generic over invariant types, so no list of different ones has a common type.
    policies: list[Any] = [
        OneLoopPolicy(),
        options.get("request_id_policy") or NewRequestIdPolicy(**options),
        options.get("headers_policy") or HeadersPolicy(**options),
        options.get("user_agent_policy") or user_agent_policy(**options),
        options.get("proxy_policy") or ProxyPolicy(**options),
        *_several(per_call_policies),
        options.get("redirect_policy") or ParsableRedirectPolicy(**options),
        options.get("retry_policy") or JobAwareRetryPolicy(**options),
        ChallengeAuthPolicy(
            credential,
            endpoint,
            verify_challenge_resource=verify_challenge_resource,
            challenge_resource_domains=challenge_resource_domains,
        ),
        options.get("custom_hook_policy") or CustomHookPolicy(**options),
        *_several(per_retry_policies),
        options.get("logging_policy") or RedactingTracePolicy(**options),
        RedactingTracingPolicy(**{**options, "instrumentation_config": INSTRUMENTATION}),
        SensitiveHeaderCleanupPolicy(**options),
        options.get("http_logging_policy") or RedactingHttpLoggingPolicy(**options),
        SendOncePolicy(tls, not_for_transport=START_OPTIONS),
    ]
    return AsyncPipeline(transport, grouped(policies))


def _several(policies: Any) -> list[Any]:
    """Return one policy, several or none as a list."""
    if policies is None:
        return []
    return list(policies) if hasattr(policies, "__iter__") else [policies]
