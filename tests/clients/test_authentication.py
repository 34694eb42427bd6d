"""Challenges and tokens: what is sent, how often, and where to."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from azure.core.credentials import AccessToken, AccessTokenInfo
from azure.core.exceptions import AzureError, ClientAuthenticationError, HttpResponseError
from azure.core.pipeline import PipelineRequest
from azure.core.pipeline.policies import SansIOHTTPPolicy
from azure.core.rest import AsyncHttpResponse, HttpRequest

from azure.keyvault.administration._runtime.challenge_cache import ChallengeCache
from azure.keyvault.administration._runtime.tokens import Audience
from azure.keyvault.administration.aio import KeyVaultAccessControlClient
from fakes import (
    CHALLENGE,
    FAR_FUTURE,
    RESOURCE,
    SCOPE,
    TENANT,
    VAULT,
    Answer,
    FakeCredential,
    ScriptedTransport,
    Sent,
    TokenRequest,
    claims_challenge,
    error,
    resource_challenge,
    unauthorized,
    yield_to_loop,
)

if TYPE_CHECKING:
    from azure.keyvault.administration.emulator import ManagedHsmEmulator

CLAIMS = '{"access_token":{"nbf":{"essential":true,"value":"1603742800"}}}'
ROLE = Answer(200, {"id": "id", "name": "n", "type": "t", "properties": {"roleName": "r"}})
CREATED = Answer(201, ROLE.json)
FIRST_TOKEN = TokenRequest(SCOPE, TENANT, None, enable_cae=True)
EVIL = "https://contoso.managedhsm.azure.net.evil.example"


class Setup(NamedTuple):
    client: KeyVaultAccessControlClient
    transport: ScriptedTransport
    credential: FakeCredential


def scripted(
    *script: Answer | Exception,
    server: Callable[[Sent], Any] | None = None,
    credential: Any = None,
    url: str = VAULT,
    **kwargs: Any,
) -> Setup:
    """Return a client, its transport and its credential; nothing is opened, so nothing needs to be closed."""
    transport = ScriptedTransport(*script, server=server)
    credential = credential or FakeCredential()
    return Setup(KeyVaultAccessControlClient(url, credential, transport=transport, **kwargs), transport, credential)


def hsm_server(sent: Sent) -> Answer:
    """Answer as an HSM that takes any token."""
    return CHALLENGE if sent.token is None else ROLE


async def get(client: KeyVaultAccessControlClient, name: str = "n") -> str | None:
    return (await client.get_role_definition("/", name)).role_name


def tokens(transport: ScriptedTransport) -> list[str | None]:
    return [sent.token for sent in transport.requests]


# What is sent


async def test_the_first_request_goes_without_token_and_body_and_then_whole() -> None:
    client, transport, credential = scripted(CHALLENGE, CREATED)

    await client.set_role_definition("/", name="n", role_name="r")

    probe, request = transport.requests
    assert (probe.method, probe.url) == (request.method, request.url)
    assert (probe.token, probe.body, probe.headers["Content-Length"]) == (None, None, "0")
    assert (request.token, request.body) == ("token-1", '{"properties": {"roleName": "r", "permissions": []}}')
    assert credential.requests == [FIRST_TOKEN]


async def test_later_requests_carry_the_token_at_once() -> None:
    client, transport, credential = scripted(server=hsm_server)

    for _ in range(3):
        await get(client)

    assert tokens(transport) == [None, "token-1", "token-1", "token-1"]
    assert credential.requests == [FIRST_TOKEN]


async def test_an_answer_other_than_a_challenge_to_the_first_request_is_the_answer() -> None:
    client, transport, credential = scripted(Answer(403, error("Firewall", "Your address is blocked.")))

    with pytest.raises(HttpResponseError, match="Your address is blocked"):
        await get(client)

    assert tokens(transport) == [None]
    assert credential.requests == []


async def test_clients_of_two_hsms_share_nothing() -> None:
    credential = FakeCredential()
    one, transport, _ = scripted(server=hsm_server, credential=credential)
    other = KeyVaultAccessControlClient("https://fabrikam.managedhsm.azure.net", credential, transport=transport)

    await get(one)
    await get(other)

    assert tokens(transport) == [None, "token-1", None, "token-2"]
    assert [sent.url.partition("/prov")[0] for sent in transport.requests] == [
        VAULT,
        VAULT,
        "https://fabrikam.managedhsm.azure.net",
        "https://fabrikam.managedhsm.azure.net",
    ]


# What clients share


async def test_ten_clients_of_one_hsm_probe_once_and_ask_for_a_token_each() -> None:
    setups = [scripted(server=hsm_server) for _ in range(10)]

    for client, _, _ in setups:
        await get(client)

    assert [tokens(transport) for _, transport, _ in setups] == [[None, "token-1"], *[["token-1"]] * 9]
    assert [credential.requests for _, _, credential in setups] == [[FIRST_TOKEN]] * 10


@pytest.mark.parametrize("url", [VAULT.upper().replace("HTTPS", "https"), f"{VAULT}:443"])
async def test_an_hsm_is_known_by_its_origin(url: str) -> None:
    await get(scripted(server=hsm_server).client)
    client, transport, _ = scripted(server=hsm_server, url=url)

    await get(client)

    assert tokens(transport) == ["token-1"]


async def test_what_a_lenient_client_took_is_nothing_to_a_strict_one() -> None:
    foreign = unauthorized(resource_challenge("https://vault.azure.net"))
    lenient, _, _ = scripted(foreign, ROLE, verify_challenge_resource=False)
    await get(lenient)
    strict, transport, credential = scripted(CHALLENGE, ROLE)
    other, sent, asked = scripted(foreign)

    with pytest.raises(ValueError, match="does not match the requested domain"):
        await get(other)
    await get(strict)

    assert (tokens(sent), asked.requests) == ([None], [])
    assert (tokens(transport), credential.requests) == ([None, "token-1"], [FIRST_TOKEN])


async def test_a_domain_that_one_client_accepts_is_not_accepted_by_the_next() -> None:
    foreign = unauthorized(resource_challenge("https://vault.azure.net"))
    await get(scripted(foreign, ROLE, challenge_resource_domains=["vault.azure.net"]).client)
    again, transport, _ = scripted(ROLE, challenge_resource_domains=["vault.azure.net"])
    strict, _, credential = scripted(foreign)

    await get(again)
    with pytest.raises(ValueError, match="does not match"):
        await get(strict)

    assert tokens(transport) == ["token-1"]
    assert credential.requests == []


async def test_an_hsm_that_moved_since_costs_one_more_round_trip() -> None:
    await get(scripted(server=hsm_server).client)
    moved = unauthorized(resource_challenge(tenant="new-tenant"))
    client, transport, credential = scripted(moved, CREATED, ROLE)
    third, sent, asked = scripted(ROLE)

    await client.set_role_definition("/", name="n", role_name="r")
    await get(client)
    await get(third)

    assert tokens(transport) == ["token-1", "token-2", "token-2"]
    assert transport.requests[0].body == transport.requests[1].body
    assert [request.tenant_id for request in credential.requests] == [TENANT, "new-tenant"]
    assert (tokens(sent), [request.tenant_id for request in asked.requests]) == (["token-1"], ["new-tenant"])


@pytest.mark.parametrize("tenant", [TENANT, "new-tenant"])
async def test_a_credential_that_refuses_a_known_tenant_is_asked_for_another_one_only(tenant: str) -> None:
    await get(scripted(server=hsm_server).client)
    credential = FakeCredential(ClientAuthenticationError(message="not my tenant"))
    client, transport, _ = scripted(unauthorized(resource_challenge(tenant=tenant)), ROLE, credential=credential)

    if tenant == TENANT:
        with pytest.raises(ClientAuthenticationError, match="not my tenant"):
            await get(client)
    else:
        await get(client)

    assert tokens(transport) == ([None] if tenant == TENANT else [None, "token-2"])
    assert [request.tenant_id for request in credential.requests] == (
        [TENANT] if tenant == TENANT else [TENANT, tenant]
    )


async def test_claims_of_a_first_challenge_are_asked_for_once() -> None:
    first, _, asked = scripted(unauthorized(f'{resource_challenge()}, claims="e30"'), ROLE)
    client, transport, credential = scripted(ROLE)

    await get(first)
    await get(client)

    assert [request.claims for request in asked.requests] == ["{}"]
    assert (tokens(transport), credential.requests) == (["token-1"], [FIRST_TOKEN])


async def test_a_401_that_is_not_answered_makes_the_next_client_probe_too() -> None:
    client, _, _ = scripted(CHALLENGE, unauthorized(None))
    other, transport, _ = scripted(CHALLENGE, ROLE)

    with pytest.raises(ClientAuthenticationError):
        await get(client)
    await get(other)

    assert tokens(transport) == [None, "token-1"]


def test_the_cache_of_challenges_is_bounded_and_keeps_the_newest() -> None:
    cache = ChallengeCache(2)

    for name in "abac":
        cache.store(name, Audience(name, None))

    assert [cache.get(name) for name in "abc"] == [Audience("a", None), None, Audience("c", None)]


async def test_clients_in_several_threads_share_the_cache() -> None:
    def work(number: int) -> None:
        for turn in range(200):
            audience = Audience(str(turn % 7), str(number))
            cache.store(audience.scope, audience)
            cache.drop(audience.scope, audience)

    cache = ChallengeCache(3)

    await asyncio.gather(*(asyncio.to_thread(work, number) for number in range(4)))


@pytest.mark.parametrize(
    ("challenge", "scope", "tenant"),
    [
        pytest.param(resource_challenge(tenant="adfs"), SCOPE, None, id="ad-fs"),
        pytest.param(
            'Bearer authorization="https://login.windows.net/", resource="https://managedhsm.azure.net"',
            SCOPE,
            None,
            id="no-tenant",
        ),
        pytest.param(f'Bearer authorization="https://l/t", scope="{RESOURCE}/x"', f"{RESOURCE}/x", "t", id="scope"),
        pytest.param(f'Basic realm="a,b", {resource_challenge()}', SCOPE, TENANT, id="several-challenges"),
    ],
)
async def test_the_token_is_asked_for_as_the_challenge_says(challenge: str, scope: str, tenant: str | None) -> None:
    client, _, credential = scripted(unauthorized(challenge), ROLE)

    await get(client)

    assert credential.requests == [TokenRequest(scope, tenant, None, enable_cae=True)]


# How often


@pytest.mark.parametrize("calls", [1, 10, 100])
async def test_cold_concurrent_calls_cost_one_challenge_and_one_token(calls: int) -> None:
    client, transport, credential = scripted(server=hsm_server)

    results = await asyncio.gather(*(get(client, f"n{number}") for number in range(calls)))

    assert results == ["r"] * calls
    assert len(transport.requests) == calls + 1
    assert tokens(transport) == [None] + ["token-1"] * calls
    assert len({sent.url for sent in transport.requests[1:]}) == calls
    assert credential.requests == [FIRST_TOKEN]


@pytest.mark.parametrize("calls", [1, 10, 100])
async def test_concurrent_calls_with_a_token_that_must_be_renewed_cost_one_token(calls: int) -> None:
    client, transport, credential = scripted(server=hsm_server, credential=FakeCredential(expires_on=1))
    await get(client)
    transport.requests.clear()
    credential.requests.clear()
    credential.expires_on = FAR_FUTURE

    await asyncio.gather(*(get(client, f"n{number}") for number in range(calls)))

    assert tokens(transport) == ["token-1"] * calls
    assert credential.requests == [FIRST_TOKEN]


async def test_cold_concurrent_calls_cost_the_emulated_hsm_one_challenge(hsm: ManagedHsmEmulator) -> None:
    async with KeyVaultAccessControlClient(hsm.vault_url, hsm.credential, **hsm.client_kwargs) as client:
        await asyncio.gather(*(client.list_role_definitions("/").by_page().__anext__() for _ in range(20)))

    assert sorted(entry.status or 0 for entry in hsm.journal) == [200] * 20 + [401]


@pytest.mark.parametrize("when", ["probing", "getting the token"])
async def test_a_leader_that_is_cancelled_takes_nobody_with_it(when: str) -> None:
    reached = asyncio.Event()
    never = asyncio.Event()

    async def hang_once() -> None:
        if not reached.is_set():
            reached.set()
            await never.wait()

    async def server(sent: Sent) -> Answer:
        if when == "probing" and sent.token is None:
            await hang_once()
        return hsm_server(sent)

    class Credential(FakeCredential):
        async def get_token_info(self, *scopes: str, options: Any = None) -> AccessTokenInfo:
            token = await super().get_token_info(*scopes, options=options)
            if when == "getting the token":
                await hang_once()
            return token

    client, transport, credential = scripted(server=server, credential=Credential())
    leader = asyncio.create_task(get(client, "leader"))
    await reached.wait()
    others = [asyncio.create_task(get(client, f"n{number}")) for number in range(5)]
    await yield_to_loop()

    leader.cancel()

    assert await asyncio.gather(*others) == ["r"] * 5
    with pytest.raises(asyncio.CancelledError):
        await leader
    assert len(credential.requests) == (1 if when == "probing" else 2)
    assert tokens(transport).count(None) == (2 if when == "probing" else 1)


async def test_a_failing_credential_fails_all_who_waited_after_one_call_and_the_next_call_tries_again() -> None:
    failure = ClientAuthenticationError(message="no token today")
    client, transport, credential = scripted(server=hsm_server, credential=FakeCredential(failure))

    outcomes = await asyncio.gather(*(get(client) for _ in range(10)), return_exceptions=True)

    assert [repr(outcome) for outcome in outcomes] == [repr(failure)] * 10
    assert credential.requests == [FIRST_TOKEN]
    assert tokens(transport) == [None]
    assert await get(client) == "r"
    assert credential.requests == [FIRST_TOKEN] * 2


async def test_a_token_past_refresh_on_is_renewed() -> None:
    client, transport, _ = scripted(server=hsm_server, credential=FakeCredential(refresh_on=1))

    await get(client)
    await get(client)

    assert tokens(transport) == [None, "token-1", "token-2"]


# Claims and further challenges


@pytest.mark.parametrize(
    ("script", "sent", "asked"),
    [
        pytest.param(
            [unauthorized(claims_challenge(CLAIMS)), ROLE],
            [None, "token-1"],
            [(SCOPE, None, CLAIMS)],
            id="claims-first",
        ),
        pytest.param(
            [CHALLENGE, unauthorized(claims_challenge(CLAIMS)), ROLE],
            [None, "token-1", "token-2"],
            [(SCOPE, TENANT, None), (SCOPE, TENANT, CLAIMS)],
            id="claims-after-the-resource",
        ),
        pytest.param(
            [CHALLENGE, unauthorized(resource_challenge(tenant="other")), ROLE],
            [None, "token-1"],
            [(SCOPE, TENANT, None)],
            id="resource-after-the-resource",
        ),
    ],
)
async def test_challenges_to_a_first_call(script: list[Answer], sent: list[str | None], asked: list[Any]) -> None:
    client, transport, credential = scripted(*script)
    refused = sent[-1] == "token-1" and len(script) == 3

    if refused:
        with pytest.raises(ClientAuthenticationError):
            await get(client)
    else:
        assert await get(client) == "r"

    assert tokens(transport) == sent
    assert [(request.scope, request.tenant_id, request.claims) for request in credential.requests] == asked


async def test_claims_asked_of_a_cached_token_send_the_same_request_once_more() -> None:
    client, transport, credential = scripted(CHALLENGE, ROLE, unauthorized(claims_challenge(CLAIMS)), CREATED, ROLE)
    await get(client)

    await client.set_role_definition("/", name="n", role_name="r")
    await get(client)

    refused, repeated, later = transport.requests[2:]
    assert (refused.method, refused.url, refused.body) == (repeated.method, repeated.url, repeated.body)
    assert (refused.token, repeated.token, later.token) == ("token-1", "token-2", "token-2")
    assert credential.requests == [FIRST_TOKEN, TokenRequest(SCOPE, TENANT, CLAIMS, enable_cae=True)]


async def test_policies_below_authentication_see_the_options_of_a_call_each_time_it_is_sent() -> None:
    seen: list[Any] = []

    class Taking(SansIOHTTPPolicy[HttpRequest, AsyncHttpResponse]):
        def on_request(self, request: PipelineRequest[HttpRequest]) -> None:
            seen.append(request.context.options.pop("mine", None))

    client, _, _ = scripted(CHALLENGE, unauthorized(claims_challenge(CLAIMS)), ROLE, custom_hook_policy=Taking())

    await client.get_role_definition("/", "n", mine="x")

    assert seen == ["x"] * 3


async def test_one_request_that_is_refused_without_a_challenge_decides_nothing_for_the_others() -> None:
    def server(sent: Sent) -> Answer:
        return Answer(403, error("Refused", "Not you.")) if "/bad?" in sent.url else hsm_server(sent)

    client, transport, credential = scripted(server=server)

    bad, good, other = await asyncio.gather(
        get(client, "bad"), get(client, "good"), get(client, "other"), return_exceptions=True
    )

    assert isinstance(bad, HttpResponseError)
    assert bad.status_code == 403
    assert (good, other) == ("r", "r")
    assert sum("/bad?" in sent.url for sent in transport.requests) == 1
    assert credential.requests == [FIRST_TOKEN]


async def test_a_vault_that_moved_to_another_tenant_is_followed() -> None:
    moved = unauthorized(resource_challenge(tenant="new-tenant"))
    client, transport, credential = scripted(CHALLENGE, ROLE, moved, ROLE, ROLE)

    for _ in range(3):
        await get(client)

    assert tokens(transport) == [None, "token-1", "token-1", "token-2", "token-2"]
    assert [request.tenant_id for request in credential.requests] == [TENANT, "new-tenant"]


async def test_a_move_followed_by_claims_is_answered_twice() -> None:
    moved = unauthorized(resource_challenge(tenant="new-tenant"))
    client, transport, credential = scripted(CHALLENGE, ROLE, moved, unauthorized(claims_challenge(CLAIMS)), ROLE)
    await get(client)

    await get(client)

    assert tokens(transport)[2:] == ["token-1", "token-2", "token-3"]
    assert credential.requests[1:] == [
        TokenRequest(SCOPE, "new-tenant", None, enable_cae=True),
        TokenRequest(SCOPE, "new-tenant", CLAIMS, enable_cae=True),
    ]


async def test_endless_challenges_of_both_kinds_at_once_end_in_an_error() -> None:
    header = f'{resource_challenge()}, claims="e30"'
    client, transport, credential = scripted(server=lambda _: unauthorized(header, message="Never."))

    with pytest.raises(ClientAuthenticationError, match="Never"):
        await get(client)

    assert len(transport.requests) <= 4
    assert len(credential.requests) <= 3


UNANSWERABLE = {
    "none": None,
    "blank": " ",
    "basic": "Basic realm=x",
    "bare": "Bearer",
    "invalid-token": 'Bearer error="invalid_token"',
    "no-authority": f'Bearer resource="{RESOURCE}"',
    "broken-authority": f'Bearer authorization="https://[l/t", resource="{RESOURCE}"',
    "claims-not-base64": 'Bearer authorization="https://l/t", claims="%%%"',
    "no-token": "\u00fc",
}


@pytest.mark.parametrize("header", UNANSWERABLE.values(), ids=UNANSWERABLE)
async def test_a_401_that_cannot_be_answered_is_the_response(
    header: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    refused = unauthorized(header, message="Wrong port.")
    client, transport, credential = scripted(refused, refused)

    with pytest.raises(ClientAuthenticationError, match=r"Wrong port\.") as caught:
        await get(client)
    response = await client.send_request(HttpRequest("GET", "/x"))

    assert (caught.value.status_code, caught.value.error and caught.value.error.code) == (401, "Unauthorized")
    assert (response.status_code, response.json()["error"]["message"]) == (401, "Wrong port.")
    assert (tokens(transport), credential.requests) == ([None, None], [])
    assert ("cannot be answered: " in caplog.text) is (header is not None)


@pytest.mark.parametrize(
    "headers",
    [
        *([header] for header in UNANSWERABLE.values()),
        [resource_challenge("https://vault.azure.net")],
        ['Bearer authorization="https://l/t"'],
        [resource_challenge(), resource_challenge()],
        [claims_challenge(CLAIMS), claims_challenge(CLAIMS)],
        [claims_challenge(CLAIMS), None],
    ],
    ids=[*UNANSWERABLE, "foreign", "no-resource", "two-resources", "twice-claims", "claims-then-none"],
)
async def test_a_token_whose_401_is_not_answered_is_never_sent_again(headers: list[str | None]) -> None:
    client, transport, credential = scripted(
        CHALLENGE, ROLE, *(unauthorized(header) for header in headers), CHALLENGE, ROLE, ROLE
    )
    await get(client)
    with pytest.raises(ClientAuthenticationError):
        await get(client)
    rejected = len(credential.requests)

    await get(client)
    await get(client)

    new = f"token-{rejected + 1}"
    assert tokens(transport)[-3:] == [None, new, new]
    assert credential.requests[rejected:] == [FIRST_TOKEN]


async def test_a_token_is_not_sent_again_if_the_credential_has_no_other_for_its_challenge() -> None:
    client, transport, credential = scripted(CHALLENGE, ROLE, unauthorized(claims_challenge(CLAIMS)), CHALLENGE, ROLE)
    await get(client)
    credential.fail_with(ClientAuthenticationError(message="sign in again"))

    with pytest.raises(ClientAuthenticationError, match="sign in again"):
        await get(client)
    await get(client)

    assert tokens(transport) == [None, "token-1", "token-1", None, "token-3"]


async def test_claims_say_nothing_of_the_resource_of_a_host_outside_the_clouds() -> None:
    client, _, credential = scripted(unauthorized(claims_challenge(CLAIMS)), url="https://hsm.example.org")

    with pytest.raises(ClientAuthenticationError, match=r"invalid scope '/\.default'"):
        await get(client)

    assert credential.requests == []


async def test_an_unanswerable_challenge_to_a_token_shows_no_token() -> None:
    client, _, _ = scripted(CHALLENGE, ROLE, unauthorized('Bearer error="invalid_token"'))
    await get(client)

    with pytest.raises(ClientAuthenticationError) as caught:
        await get(client)

    assert "token-1" not in str(caught.value)


async def test_a_challenge_to_a_streamed_request_is_refused_as_any_other() -> None:
    header = resource_challenge("https://vault.azure.net")
    client, transport, _ = scripted(CHALLENGE, ROLE, unauthorized(header, message="Moved."))
    await get(client)

    with pytest.raises(ClientAuthenticationError, match=r"The service said: Moved\."):
        await client.send_request(HttpRequest("GET", "/x"), stream=True)

    assert tokens(transport) == [None, "token-1", "token-1"]


@pytest.mark.parametrize("known", [True, False], ids=["token", "probe"])
async def test_a_streamed_401_that_cannot_be_answered_can_still_be_read(known: bool) -> None:
    refused = unauthorized("Basic realm=x", message="Wrong port.")
    client, _, _ = scripted(*([CHALLENGE, ROLE] if known else []), refused)
    if known:
        await get(client)

    response = await client.send_request(HttpRequest("GET", "/x"), stream=True)

    assert not response.is_stream_consumed
    assert b"Wrong port." in await response.read()


async def test_a_challenged_streamed_request_is_sent_again_streamed() -> None:
    client, transport, _ = scripted(CHALLENGE, ROLE, unauthorized(claims_challenge(CLAIMS)), ROLE)
    await get(client)

    response = await client.send_request(HttpRequest("GET", "/x"), stream=True)

    assert await response.read() == ROLE.content
    assert tokens(transport) == [None, "token-1", "token-1", "token-2"]
    assert [options.get("stream") for options in transport.options[2:]] == [True, True]


async def test_a_streamed_request_whose_first_try_failed_is_sent_streamed() -> None:
    client, transport, _ = scripted(Answer(503), CHALLENGE, ROLE)

    await client.send_request(HttpRequest("GET", "/x"), stream=True)

    assert [options.get("stream") for options in transport.options] == [True, True, True]


# Whether the resource can be trusted


@pytest.mark.parametrize(
    "resource",
    [
        pytest.param("https://managedhsm.azure.net.evil.example", id="look-alike"),
        pytest.param("https://vault.azure.net", id="other-service"),
        pytest.param("https://contoso.managedhsm.azure.net", id="the-host-itself"),
        pytest.param("https://edhsm.azure.net", id="no-dot-boundary"),
        pytest.param("https://managedhsm.azure.net:8443", id="other-port"),
        pytest.param("https://managedhsm.azure.net\\.evil.example", id="backslash"),
        pytest.param("https://evil@managedhsm.azure.net", id="userinfo"),
        pytest.param("managedhsm.azure.net", id="no-url"),
        pytest.param("https://management.azure.com", id="resource-manager"),
    ],
)
async def test_no_token_is_asked_for_a_resource_that_does_not_fit_the_host(resource: str) -> None:
    client, transport, credential = scripted(server=lambda _: unauthorized(resource_challenge(resource)))

    for _ in range(2):
        with pytest.raises(ClientAuthenticationError):
            await get(client)

    # The rejected challenge was not kept: the second call asked again.
    assert tokens(transport) == [None, None]
    assert credential.requests == []


async def test_the_error_about_a_resource_names_host_resource_and_both_ways_out() -> None:
    client, _, _ = scripted(unauthorized(resource_challenge("https://vault.azure.net")))

    with pytest.raises(ClientAuthenticationError) as caught:
        await get(client)

    assert isinstance(caught.value, ValueError)
    for part in (
        "does not match the requested domain",
        "'contoso.managedhsm.azure.net'",
        "'vault.azure.net'",
        "challenge_resource_domains=['vault.azure.net']",
        "verify_challenge_resource=False",
    ):
        assert part in str(caught.value)


@pytest.mark.parametrize("resource", ["2ff814a6-3304-4ab8-85cb-cd0e6f879c1d", "invalid", "urn:x", "https://[bad", ""])
@pytest.mark.parametrize("parameter", ["resource", "scope"])
async def test_any_resource_is_taken_without_verification_and_is_else_a_value_error(
    resource: str, parameter: str
) -> None:
    header = f'Bearer authorization="https://l/t", {parameter}="{resource}"'
    scope = resource if parameter == "scope" and resource else f"{resource if parameter == 'resource' else ''}/.default"
    strict, transport, asked = scripted(unauthorized(header))
    lenient, _, credential = scripted(unauthorized(header), ROLE, verify_challenge_resource=False)

    with pytest.raises(ClientAuthenticationError) as caught:
        await get(strict)

    assert isinstance(caught.value, ValueError)
    assert scope in str(caught.value)
    assert (tokens(transport), asked.requests) == ([None], [])
    assert await get(lenient) == "r"
    assert [request.scope for request in credential.requests] == [scope]


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({"verify_challenge_resource": False}, id="switched-off"),
        pytest.param({"challenge_resource_domains": ["vault.azure.net"]}, id="named"),
        pytest.param({"challenge_resource_domains": ["a.example", "Vault.Azure.NET"]}, id="named-in-any-case"),
        pytest.param({"challenge_resource_domains": ["vault.azure.net:443"]}, id="named-with-the-default-port"),
    ],
)
async def test_a_foreign_resource_can_be_accepted(options: dict[str, Any]) -> None:
    client, _, credential = scripted(unauthorized(resource_challenge("https://vault.azure.net")), ROLE, **options)

    assert await get(client) == "r"
    assert [request.scope for request in credential.requests] == ["https://vault.azure.net/.default"]


@pytest.mark.parametrize(
    "domains",
    [
        pytest.param("managedhsm.azure.net", id="one-string"),
        pytest.param([""], id="blank"),
        pytest.param([None], id="no-string"),
        pytest.param(["https://managedhsm.azure.net"], id="url"),
        pytest.param(["managedhsm.azure.net/"], id="path"),
        pytest.param([".managedhsm.azure.net"], id="leading-dot"),
    ],
)
def test_resources_that_could_never_be_accepted_are_an_error_of_the_constructor(domains: Any) -> None:
    with pytest.raises(ValueError, match="challenge_resource_domains must be several hosts"):
        KeyVaultAccessControlClient(VAULT, FakeCredential(), challenge_resource_domains=domains)


@pytest.mark.parametrize("domains", [["azure.net"], None], ids=["another", "none"])
async def test_a_resource_that_was_not_named_is_not_accepted(domains: list[str] | None) -> None:
    client, _, credential = scripted(
        unauthorized(resource_challenge("https://vault.azure.net")), challenge_resource_domains=domains
    )

    with pytest.raises(ClientAuthenticationError):
        await get(client)

    assert credential.requests == []


@pytest.mark.parametrize(
    "url",
    [
        "https://managedhsm.azure.net",
        "https://contoso.managedhsm.azure.net.evil.example",
        "https://evilmanagedhsm.azure.net",
        "https://contoso.managedhsm.azure.net:8443",
        "https://contoso.managedhsm.azure.net.",
    ],
    ids=["bare-domain", "look-alike", "no-dot-boundary", "other-port", "trailing-dot"],
)
async def test_no_token_is_asked_for_a_host_that_is_not_below_the_resource(url: str) -> None:
    client, transport, credential = scripted(CHALLENGE, url=url)

    with pytest.raises(ClientAuthenticationError):
        await get(client)

    assert (tokens(transport), credential.requests) == ([None], [])


# One origin


OTHER_ORIGINS = [
    pytest.param(EVIL, id="look-alike"),
    pytest.param("https://fabrikam.managedhsm.azure.net", id="sibling"),
    pytest.param(f"{VAULT}:8443", id="other-port"),
    pytest.param(f"{VAULT}.", id="trailing-dot"),
]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("target", OTHER_ORIGINS)
async def test_a_redirect_to_another_origin_is_refused_naming_both(status: int, target: str) -> None:
    client, transport, credential = scripted(CHALLENGE, Answer(status, headers={"Location": f"{target}/x"}))

    with pytest.raises(ClientAuthenticationError) as caught:
        await get(client)

    assert target in str(caught.value)
    assert VAULT in str(caught.value).replace(target, "")
    assert {sent.url.partition("/prov")[0] for sent in transport.requests} == {VAULT}
    assert credential.requests == [FIRST_TOKEN]


@pytest.mark.parametrize("status", [307, 308])
async def test_a_redirect_of_a_request_with_a_body_to_another_origin_is_refused(status: int) -> None:
    redirect = Answer(status, headers={"Location": f"{EVIL}/x"})
    client, transport, _ = scripted(CHALLENGE, redirect)

    with pytest.raises(AzureError):
        await client.set_role_definition("/", name="n", role_name="r")

    assert {sent.url.partition("/prov")[0] for sent in transport.requests} == {VAULT}


@pytest.mark.parametrize(
    "target",
    [
        "http://contoso.managedhsm.azure.net",
        "https://contoso.managedhsm.azure.net\\@evil.example",
        "https://user@contoso.managedhsm.azure.net",
        "https://cont\u043eso.managedhsm.azure.net",
    ],
    ids=["http", "backslash", "userinfo", "other-alphabet"],
)
@pytest.mark.parametrize("status", [302, 307])
async def test_a_redirect_to_a_url_without_clear_origin_is_refused(target: str, status: int) -> None:
    client, transport, _ = scripted(CHALLENGE, Answer(status, headers={"Location": f"{target}/x"}))

    with pytest.raises(ClientAuthenticationError):
        await get(client)

    assert len(transport.requests) == 2


async def test_a_redirect_of_the_first_request_to_another_origin_is_refused() -> None:
    client, transport, credential = scripted(Answer(302, headers={"Location": f"{EVIL}/x"}))

    with pytest.raises(ClientAuthenticationError, match=r"evil\.example"):
        await get(client)

    assert (tokens(transport), credential.requests) == ([None], [])


async def test_a_redirect_within_the_origin_is_followed_with_the_token() -> None:
    client, transport, _ = scripted(CHALLENGE, Answer(307, headers={"Location": f"{VAULT}/moved"}), ROLE)

    assert await get(client) == "r"
    assert (transport.requests[-1].url, transport.requests[-1].token) == (f"{VAULT}/moved", "token-1")


@pytest.mark.parametrize("target", OTHER_ORIGINS)
async def test_a_next_link_to_another_origin_is_refused_naming_both(target: str) -> None:
    page = Answer(200, {"value": [ROLE.json], "nextLink": f"{target}/next"})
    client, transport, _ = scripted(CHALLENGE, page)
    seen: list[str | None] = []

    async def read() -> None:
        async for role in client.list_role_definitions("/"):
            seen.append(role.role_name)  # noqa: PERF401 - what was seen before the error counts

    with pytest.raises(ClientAuthenticationError) as caught:
        await read()

    assert seen == ["r"]
    assert target in str(caught.value)
    assert VAULT in str(caught.value).replace(target, "")
    assert len(transport.requests) == 2


async def test_an_own_request_to_another_origin_is_refused_before_anything_is_sent() -> None:
    client, transport, credential = scripted()

    with pytest.raises(ValueError, match=r"evil\.example.*https://contoso"):
        await client.send_request(HttpRequest("GET", f"{EVIL}/x"))

    assert (transport.requests, credential.requests) == ([], [])


# Credentials


class _Asked:
    def __init__(self) -> None:
        self.asked: list[Any] = []


class InfoCredential(_Asked):
    async def get_token_info(self, *scopes: str, options: Any = None) -> AccessTokenInfo:
        self.asked.append((scopes, options))
        return AccessTokenInfo("token", FAR_FUTURE)


class KeywordCredential(_Asked):
    async def get_token(self, *scopes: str, **kwargs: Any) -> AccessToken:
        self.asked.append((scopes, kwargs))
        return AccessToken("token", FAR_FUTURE)


class NamedKeywordsCredential(_Asked):
    async def get_token(self, *scopes: str, claims: str | None = None, tenant_id: str | None = None) -> AccessToken:
        self.asked.append((scopes, {"claims": claims, "tenant_id": tenant_id}))
        return AccessToken("token", FAR_FUTURE)


class SyncCredential(_Asked):
    def get_token(self, *scopes: str, **kwargs: Any) -> AccessToken:
        self.asked.append((scopes, kwargs))
        return AccessToken("token", FAR_FUTURE)


class SyncInfoCredential(_Asked):
    def get_token_info(self, *scopes: str, options: Any = None) -> AccessTokenInfo:
        self.asked.append((scopes, options))
        return AccessTokenInfo("token", FAR_FUTURE)


class PlainCredential(_Asked):
    async def get_token(self, *scopes: str) -> AccessToken:
        self.asked.append((scopes, None))
        return AccessToken("token", FAR_FUTURE)


@pytest.mark.parametrize(
    ("credential", "options"),
    [
        pytest.param(InfoCredential(), {"enable_cae": True, "tenant_id": TENANT}, id="get_token_info"),
        pytest.param(KeywordCredential(), {"enable_cae": True, "tenant_id": TENANT}, id="get_token"),
        pytest.param(
            NamedKeywordsCredential(), {"claims": None, "tenant_id": TENANT}, id="get_token-with-some-keywords"
        ),
        pytest.param(PlainCredential(), None, id="get_token-without-keywords"),
        pytest.param(SyncCredential(), {"enable_cae": True, "tenant_id": TENANT}, id="sync-get_token"),
        pytest.param(SyncInfoCredential(), {"enable_cae": True, "tenant_id": TENANT}, id="sync-get_token_info"),
    ],
)
async def test_credentials_of_every_shape_work(credential: _Asked, options: Any) -> None:
    client, transport, _ = scripted(CHALLENGE, ROLE, credential=credential)

    assert await get(client) == "r"
    assert credential.asked == [((SCOPE,), options)]
    assert tokens(transport) == [None, "token"]


async def test_a_credential_without_a_token_sends_none() -> None:
    class Empty:
        async def get_token(self, *_: str, **__: Any) -> None:
            """Return nothing, as a mock does that was not told what to return."""

    client, transport, _ = scripted(CHALLENGE, credential=Empty())

    with pytest.raises(ClientAuthenticationError, match="The credential Empty returned NoneType"):
        await get(client)

    assert tokens(transport) == [None]


@pytest.mark.parametrize("failure", [RuntimeError("no"), ClientAuthenticationError(message="no")], ids=repr)
async def test_an_error_of_the_credential_is_raised_as_it_is(failure: Exception) -> None:
    client, _, _ = scripted(CHALLENGE, credential=FakeCredential(failure))

    with pytest.raises(type(failure)) as caught:
        await get(client)

    assert caught.value is failure


@pytest.mark.parametrize("credential", [None, "secret", object()], ids=["none", "text", "object"])
def test_what_gives_no_tokens_is_refused_when_the_client_is_made(credential: Any) -> None:
    with pytest.raises(ValueError, match="credential must be") as caught:
        KeyVaultAccessControlClient(VAULT, credential)

    assert "secret" not in str(caught.value)


def test_a_client_works_in_a_second_event_loop_after_the_first_one_is_gone() -> None:
    hang = True

    async def server(sent: Sent) -> Answer:
        if hang:
            await asyncio.Event().wait()
        return hsm_server(sent)

    client, _, _ = scripted(server=server)

    async def abandon() -> None:
        # Ends while the first challenge is still awaited: whoever comes next must not wait for it.
        task = asyncio.create_task(get(client))
        await yield_to_loop()
        task.cancel()

    asyncio.run(abandon())
    hang = False

    assert asyncio.run(get(client)) == "r"


async def test_a_redirect_of_the_probe_keeps_the_body_of_the_request() -> None:
    transport = ScriptedTransport(
        Answer(307, headers={"Location": f"{VAULT}/elsewhere"}), CHALLENGE, Answer(200, {"ok": True})
    )
    client = KeyVaultAccessControlClient(VAULT, FakeCredential(), transport=transport)

    await client.send_request(HttpRequest("PUT", "/x", json={"a": 1}))

    assert [(request.token, request.body) for request in transport.requests] == [
        (None, None),
        (None, None),
        ("token-1", '{"a": 1}'),
    ]


async def test_a_failure_of_the_leaders_own_request_is_its_own() -> None:
    class Hook(Exception):  # noqa: N818 - what a user's hook raises is none of ours
        pass

    def refuse(_: Any) -> None:
        raise Hook

    transport = ScriptedTransport(CHALLENGE, CHALLENGE, Answer(200, {}))
    client = KeyVaultAccessControlClient(VAULT, FakeCredential(), transport=transport)

    outcomes = await asyncio.gather(
        client.send_request(HttpRequest("GET", "/x"), raw_response_hook=refuse),
        client.send_request(HttpRequest("GET", "/y")),
        return_exceptions=True,
    )

    assert [type(outcome).__name__ for outcome in outcomes] == ["Hook", "FakeResponse"]
