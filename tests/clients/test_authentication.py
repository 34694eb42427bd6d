"""Challenges and tokens: what is sent, how often, and where to."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
from azure.core.credentials import AccessToken, AccessTokenInfo
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError
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


def shown(transport: ScriptedTransport) -> str:
    """Return the numbers of the tokens sent, with a dash for a request without one."""
    return "".join(token[-1] if token else "-" for token in tokens(transport))


async def outcome(client: KeyVaultAccessControlClient) -> str:
    """Return how a call ends: "r" for its result, "!" for an error."""
    try:
        return await get(client) or ""
    except HttpResponseError:
        return "!"


# What is sent


async def test_the_first_request_is_probed_without_token_and_body() -> None:
    client, transport, credential = scripted(CHALLENGE, CREATED)

    await client.set_role_definition("/", name="n", role_name="r")

    probe, request = transport.requests
    assert (probe.method, probe.url) == (request.method, request.url)
    assert (probe.token, probe.body, probe.headers["Content-Length"]) == (None, None, "0")
    assert (request.token, request.body) == ("token-1", '{"properties": {"roleName": "r", "permissions": []}}')
    assert credential.requests == [FIRST_TOKEN]


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


# Conversations: the answers of the service, how the calls end, and the tokens sent and asked for


MOVED = unauthorized(resource_challenge(tenant="new-tenant"))
FOREIGN = unauthorized(resource_challenge("https://managedhsm.azure.net.evil.example"))
WITH_CLAIMS = unauthorized(claims_challenge(CLAIMS))
AWAY = Answer(302, headers={"Location": f"{EVIL}/x"})
FIRST, NEW, CLAIMED = (TENANT, None), ("new-tenant", None), (TENANT, CLAIMS)


@pytest.mark.parametrize(
    ("script", "ends", "sent", "asked"),
    [
        pytest.param([CHALLENGE, ROLE, ROLE], "rr", "-11", [FIRST], id="one challenge"),
        pytest.param([Answer(403), AWAY], "!!", "--", [], id="a probe with another response"),
        pytest.param([FOREIGN, FOREIGN], "!!", "--", [], id="a challenge that is not trusted"),
        pytest.param([WITH_CLAIMS, ROLE], "r", "-1", [(None, CLAIMS)], id="claims first"),
        pytest.param([CHALLENGE, WITH_CLAIMS, ROLE], "r", "-12", [FIRST, CLAIMED], id="claims after the resource"),
        pytest.param([CHALLENGE, MOVED], "!", "-1", [FIRST], id="two resources at first"),
        pytest.param([CHALLENGE, ROLE, MOVED, ROLE, ROLE], "rrr", "-1122", [FIRST, NEW], id="another tenant"),
        pytest.param(
            [CHALLENGE, ROLE, MOVED, WITH_CLAIMS, ROLE],
            "rr",
            "-1123",
            [FIRST, NEW, ("new-tenant", CLAIMS)],
            id="another tenant, then claims",
        ),
    ],
)
async def test_a_challenge_is_answered_once_per_kind(
    script: list[Answer], ends: str, sent: str, asked: list[tuple[str | None, str | None]]
) -> None:
    client, transport, credential = scripted(*script)

    assert [await outcome(client) for _ in ends] == list(ends)
    assert shown(transport) == sent
    assert [(request.tenant_id, request.claims) for request in credential.requests] == asked
    assert {request.scope for request in credential.requests} <= {SCOPE}


@pytest.mark.parametrize(
    ("headers", "tokens_asked"),
    [
        ([None], 1),
        (["Basic realm=x"], 1),
        ([resource_challenge("https://vault.azure.net")], 1),
        (['Bearer authorization="https://l/t"'], 1),
        ([resource_challenge(), resource_challenge()], 2),
        ([claims_challenge(CLAIMS), claims_challenge(CLAIMS)], 2),
        ([claims_challenge(CLAIMS), None], 2),
    ],
    ids=["none", "basic", "foreign", "no resource", "two resources", "twice claims", "claims, then none"],
)
async def test_a_token_is_dropped_after_an_unanswered_401(headers: list[str | None], tokens_asked: int) -> None:
    client, transport, _ = scripted(CHALLENGE, ROLE, *map(unauthorized, headers), CHALLENGE, ROLE, ROLE)

    assert [await outcome(client) for _ in range(4)] == ["r", "!", "r", "r"]
    assert shown(transport).endswith(f"-{tokens_asked + 1}{tokens_asked + 1}")


async def test_a_token_is_dropped_if_the_credential_has_no_other() -> None:
    client, transport, credential = scripted(CHALLENGE, ROLE, WITH_CLAIMS, CHALLENGE, ROLE)
    await get(client)
    credential.fail_with(ClientAuthenticationError(message="sign in again"))

    with pytest.raises(ClientAuthenticationError, match="sign in again"):
        await get(client)
    await get(client)

    assert shown(transport) == "-11-3"


async def test_claims_of_an_unknown_host_name_no_resource() -> None:
    client, _, credential = scripted(WITH_CLAIMS, url="https://hsm.example.org")

    with pytest.raises(ClientAuthenticationError, match=r"invalid scope '/\.default'"):
        await get(client)

    assert credential.requests == []


# What clients share


async def test_clients_of_one_hsm_share_the_probe_and_not_the_token() -> None:
    urls = [VAULT, f"{VAULT}/", "https://CONTOSO.managedhsm.azure.net:443"]
    setups = [scripted(server=hsm_server, url=url) for url in urls]

    for client, _, _ in setups:
        await get(client)

    assert [shown(transport) for _, transport, _ in setups] == ["-1", "1", "1"]
    assert [credential.requests for _, _, credential in setups] == [[FIRST_TOKEN]] * 3


@pytest.mark.parametrize(
    "options", [{"verify_challenge_resource": False}, {"challenge_resource_domains": ["vault.azure.net"]}], ids=str
)
async def test_a_lenient_client_does_not_decide_for_a_strict_one(options: dict[str, Any]) -> None:
    foreign = unauthorized(resource_challenge("https://vault.azure.net"))
    again, strict, fitting = scripted(ROLE, **options), scripted(foreign), scripted(CHALLENGE, ROLE)
    await get(scripted(foreign, ROLE, **options).client)

    ends = [await outcome(each.client) for each in (again, strict, fitting)]

    assert ends == ["r", "!", "r"]
    assert [shown(each.transport) for each in (again, strict, fitting)] == ["1", "-", "-1"]
    assert strict.credential.requests == []


async def test_a_stale_challenge_costs_one_more_round_trip() -> None:
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
async def test_a_credential_that_refuses_a_known_tenant_is_asked_for_a_new_one(tenant: str) -> None:
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


async def test_claims_of_a_first_challenge_are_requested_once() -> None:
    first, _, asked = scripted(unauthorized(f'{resource_challenge()}, claims="e30"'), ROLE)
    client, transport, credential = scripted(ROLE)

    await get(first)
    await get(client)

    assert [request.claims for request in asked.requests] == ["{}"]
    assert (tokens(transport), credential.requests) == (["token-1"], [FIRST_TOKEN])


async def test_an_unanswered_401_makes_the_next_client_probe_again() -> None:
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


async def test_the_token_request_follows_the_challenge() -> None:
    header = f'Basic realm="a,b", Bearer authorization="https://l/t", scope="{RESOURCE}/x"'
    client, _, credential = scripted(unauthorized(header), ROLE)

    await get(client)

    assert credential.requests == [TokenRequest(f"{RESOURCE}/x", "t", None, enable_cae=True)]


# How often


async def test_concurrent_calls_cost_one_challenge_and_one_token() -> None:
    client, transport, credential = scripted(server=hsm_server, credential=FakeCredential(expires_on=1))

    results = await asyncio.gather(*(get(client, f"n{number}") for number in range(100)))

    assert results == ["r"] * 100
    assert tokens(transport) == [None] + ["token-1"] * 100
    assert len({sent.url for sent in transport.requests[1:]}) == 100
    assert credential.requests == [FIRST_TOKEN]

    # That token has expired.
    await asyncio.gather(*(get(client) for _ in range(100)))

    assert tokens(transport)[101:] == ["token-2"] * 100
    assert len(credential.requests) == 2


@pytest.mark.parametrize("when", ["probing", "getting the token"])
async def test_cancelling_the_leader_cancels_no_waiter(when: str) -> None:
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


async def test_a_failing_credential_fails_all_waiting_calls_and_is_asked_again() -> None:
    failure = ClientAuthenticationError(message="no token today")
    client, transport, credential = scripted(server=hsm_server, credential=FakeCredential(failure))

    outcomes = await asyncio.gather(*(get(client) for _ in range(10)), return_exceptions=True)

    assert [repr(outcome) for outcome in outcomes] == [repr(failure)] * 10
    assert credential.requests == [FIRST_TOKEN]
    assert tokens(transport) == [None]
    assert await get(client) == "r"
    assert credential.requests == [FIRST_TOKEN] * 2


# Claims and further challenges


async def test_a_claims_challenge_to_a_cached_token_repeats_the_request() -> None:
    client, transport, credential = scripted(CHALLENGE, ROLE, unauthorized(claims_challenge(CLAIMS)), CREATED, ROLE)
    await get(client)

    await client.set_role_definition("/", name="n", role_name="r")
    await get(client)

    refused, repeated, later = transport.requests[2:]
    assert (refused.method, refused.url, refused.body) == (repeated.method, repeated.url, repeated.body)
    assert (refused.token, repeated.token, later.token) == ("token-1", "token-2", "token-2")
    assert credential.requests == [FIRST_TOKEN, TokenRequest(SCOPE, TENANT, CLAIMS, enable_cae=True)]


async def test_policies_below_authentication_see_the_options_at_each_send() -> None:
    seen: list[Any] = []

    class Taking(SansIOHTTPPolicy[HttpRequest, AsyncHttpResponse]):
        def on_request(self, request: PipelineRequest[HttpRequest]) -> None:
            seen.append(request.context.options.pop("mine", None))

    client, _, _ = scripted(CHALLENGE, unauthorized(claims_challenge(CLAIMS)), ROLE, custom_hook_policy=Taking())

    await client.get_role_definition("/", "n", mine="x")

    assert seen == ["x"] * 3


async def test_a_probe_without_challenge_decides_nothing_for_other_requests() -> None:
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


async def test_endless_challenges_of_both_kinds_end_in_an_error() -> None:
    header = f'{resource_challenge()}, claims="e30"'
    client, transport, credential = scripted(server=lambda _: unauthorized(header, message="Never."))

    with pytest.raises(ClientAuthenticationError, match="Never"):
        await get(client)

    assert len(transport.requests) <= 4
    assert len(credential.requests) <= 3


@pytest.mark.parametrize("header", [None, "Basic realm=x"])
async def test_an_unanswerable_401_is_the_response(header: str | None, caplog: pytest.LogCaptureFixture) -> None:
    refused = unauthorized(header, message="Wrong port.")
    client, transport, credential = scripted(refused, refused)

    with pytest.raises(ClientAuthenticationError, match=r"Wrong port\.") as caught:
        await get(client)
    response = await client.send_request(HttpRequest("GET", "/x"))

    assert (caught.value.status_code, caught.value.error and caught.value.error.code) == (401, "Unauthorized")
    assert (response.status_code, response.json()["error"]["message"]) == (401, "Wrong port.")
    assert (tokens(transport), credential.requests) == ([None, None], [])
    assert ("cannot be answered: " in caplog.text) is (header is not None)


async def test_an_untrusted_challenge_to_a_streamed_request_is_refused() -> None:
    header = resource_challenge("https://vault.azure.net")
    client, transport, _ = scripted(CHALLENGE, ROLE, unauthorized(header, message="Moved."))
    await get(client)

    with pytest.raises(ClientAuthenticationError, match=r"The service said: Moved\."):
        await client.send_request(HttpRequest("GET", "/x"), stream=True)

    assert tokens(transport) == [None, "token-1", "token-1"]


async def test_a_retried_streamed_request_is_sent_streamed() -> None:
    client, transport, _ = scripted(Answer(503), CHALLENGE, ROLE)

    await client.send_request(HttpRequest("GET", "/x"), stream=True)

    assert [options.get("stream") for options in transport.options] == [True, True, True]


# Whether the resource can be trusted


async def test_the_error_of_a_foreign_resource_names_both_remedies() -> None:
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


@pytest.mark.parametrize(
    ("parameter", "scope"),
    [
        ('resource="2ff814a6-3304-4ab8-85cb-cd0e6f879c1d"', "2ff814a6-3304-4ab8-85cb-cd0e6f879c1d/.default"),
        ('resource="https://[bad"', "https://[bad/.default"),
        ('resource=""', "/.default"),
        ('scope="urn:x"', "urn:x"),
    ],
)
async def test_any_resource_is_accepted_without_verification_only(parameter: str, scope: str) -> None:
    header = f'Bearer authorization="https://l/t", {parameter}'
    strict, transport, asked = scripted(unauthorized(header))
    lenient, _, credential = scripted(unauthorized(header), ROLE, verify_challenge_resource=False)

    with pytest.raises(ClientAuthenticationError) as caught:
        await get(strict)

    assert isinstance(caught.value, ValueError)
    assert scope in str(caught.value)
    assert (tokens(transport), asked.requests) == ([None], [])
    assert await get(lenient) == "r"
    assert [request.scope for request in credential.requests] == [scope]


async def test_a_foreign_resource_can_be_accepted_by_its_domain() -> None:
    foreign = unauthorized(resource_challenge("https://vault.azure.net"))
    client, _, credential = scripted(foreign, ROLE, challenge_resource_domains=["a.example", "Vault.Azure.NET:443"])

    assert await get(client) == "r"
    assert [request.scope for request in credential.requests] == ["https://vault.azure.net/.default"]


# One origin


@pytest.mark.parametrize(
    ("status", "target"),
    [
        (301, EVIL),
        (302, EVIL),
        (303, EVIL),
        (307, EVIL),
        (308, EVIL),
        (302, "https://fabrikam.managedhsm.azure.net"),
        (307, f"{VAULT}:8443"),
        (307, f"{VAULT}."),
    ],
)
async def test_a_redirect_to_another_origin_is_refused_naming_both(status: int, target: str) -> None:
    client, transport, credential = scripted(CHALLENGE, Answer(status, headers={"Location": f"{target}/x"}))

    with pytest.raises(ClientAuthenticationError) as caught:
        await get(client)

    assert target in str(caught.value)
    assert VAULT in str(caught.value).replace(target, "")
    assert {sent.url.partition("/prov")[0] for sent in transport.requests} == {VAULT}
    assert credential.requests == [FIRST_TOKEN]


@pytest.mark.parametrize(
    ("status", "target"),
    [(302, "http://contoso.managedhsm.azure.net"), (307, "https://user@contoso.managedhsm.azure.net")],
)
async def test_a_redirect_to_a_url_without_clear_origin_is_refused(status: int, target: str) -> None:
    client, transport, _ = scripted(CHALLENGE, Answer(status, headers={"Location": f"{target}/x"}))

    with pytest.raises(ClientAuthenticationError):
        await get(client)

    assert len(transport.requests) == 2


async def test_a_redirect_within_the_origin_is_followed_with_the_token() -> None:
    client, transport, _ = scripted(CHALLENGE, Answer(307, headers={"Location": f"{VAULT}/moved"}), ROLE)

    assert await get(client) == "r"
    assert (transport.requests[-1].url, transport.requests[-1].token) == (f"{VAULT}/moved", "token-1")


async def test_a_next_link_to_another_origin_is_refused_naming_both() -> None:
    page = Answer(200, {"value": [ROLE.json], "nextLink": f"{EVIL}/next"})
    client, transport, _ = scripted(CHALLENGE, page)
    seen: list[str | None] = []

    async def read() -> None:
        async for role in client.list_role_definitions("/"):
            seen.append(role.role_name)  # noqa: PERF401 - what was seen before the error counts

    with pytest.raises(ClientAuthenticationError) as caught:
        await read()

    assert seen == ["r"]
    assert EVIL in str(caught.value)
    assert VAULT in str(caught.value).replace(EVIL, "")
    assert len(transport.requests) == 2


# Credentials


_NAMED = {"enable_cae": True, "tenant_id": TENANT}


@pytest.mark.parametrize(
    ("shape", "passed"),
    [
        ("async get_token_info", (_NAMED,)),
        ("sync get_token_info", (_NAMED,)),
        ("async get_token", _NAMED),
        ("sync get_token", _NAMED),
        ("get_token with some keywords", {"claims": None, "tenant_id": TENANT}),
        ("get_token without keywords", {}),
    ],
)
async def test_credentials_of_every_shape_work(shape: str, passed: Any) -> None:
    asked: list[Any] = []

    def get_token_info(*scopes: str, options: Any = None) -> AccessTokenInfo:
        asked.append((scopes, (options,)))
        return AccessTokenInfo("token", FAR_FUTURE)

    def get_token(*scopes: str, **kwargs: Any) -> AccessToken:
        asked.append((scopes, kwargs))
        return AccessToken("token", FAR_FUTURE)

    async def async_get_token_info(*scopes: str, options: Any = None) -> AccessTokenInfo:
        return get_token_info(*scopes, options=options)

    async def async_get_token(*scopes: str, **kwargs: Any) -> AccessToken:
        return get_token(*scopes, **kwargs)

    async def some_keywords(*scopes: str, claims: str | None = None, tenant_id: str | None = None) -> AccessToken:
        return get_token(*scopes, claims=claims, tenant_id=tenant_id)

    async def no_keywords(*scopes: str) -> AccessToken:
        return get_token(*scopes)

    credential = {
        "async get_token_info": SimpleNamespace(get_token_info=async_get_token_info),
        "sync get_token_info": SimpleNamespace(get_token_info=get_token_info),
        "async get_token": SimpleNamespace(get_token=async_get_token),
        "sync get_token": SimpleNamespace(get_token=get_token),
        "get_token with some keywords": SimpleNamespace(get_token=some_keywords),
        "get_token without keywords": SimpleNamespace(get_token=no_keywords),
    }[shape]
    client, transport, _ = scripted(CHALLENGE, ROLE, credential=credential)

    assert await get(client) == "r"
    assert asked == [((SCOPE,), passed)]
    assert tokens(transport) == [None, "token"]


async def test_an_error_of_the_credential_is_raised_as_it_is() -> None:
    failure = RuntimeError("no")
    client, _, _ = scripted(CHALLENGE, credential=FakeCredential(failure))

    with pytest.raises(RuntimeError) as caught:
        await get(client)

    assert caught.value is failure


@pytest.mark.parametrize("credential", [None, "secret", object()], ids=["none", "text", "object"])
def test_an_invalid_credential_is_refused_by_the_constructor(credential: Any) -> None:
    with pytest.raises(ValueError, match="credential must be") as caught:
        KeyVaultAccessControlClient(VAULT, credential)

    assert "secret" not in str(caught.value)


def test_a_client_works_in_a_second_event_loop() -> None:
    hang = True

    async def server(sent: Sent) -> Answer:
        if hang:
            await asyncio.Event().wait()
        return hsm_server(sent)

    client, _, _ = scripted(server=server)

    async def abandon() -> None:
        # Ends while the first challenge is still awaited: the next call must not wait for it.
        task = asyncio.create_task(get(client))
        await yield_to_loop()
        task.cancel()

    asyncio.run(abandon())
    hang = False

    assert asyncio.run(get(client)) == "r"


async def test_a_redirect_of_the_probe_keeps_the_body_of_the_request() -> None:
    moved = Answer(307, headers={"Location": f"{VAULT}/elsewhere"})
    client, transport, _ = scripted(moved, CHALLENGE, Answer(200, {"ok": True}))

    await client.send_request(HttpRequest("PUT", "/x", json={"a": 1}))

    bodies = [(request.token, request.body) for request in transport.requests]
    assert bodies == [(None, None), (None, None), ("token-1", '{"a": 1}')]


async def test_a_failure_of_the_leaders_request_is_not_shared() -> None:
    class Hook(Exception):  # noqa: N818 - an error of the user
        pass

    def refuse(_: Any) -> None:
        raise Hook

    client, _, _ = scripted(CHALLENGE, CHALLENGE, Answer(200, {}))

    outcomes = await asyncio.gather(
        client.send_request(HttpRequest("GET", "/x"), raw_response_hook=refuse),
        client.send_request(HttpRequest("GET", "/y")),
        return_exceptions=True,
    )

    assert [type(outcome).__name__ for outcome in outcomes] == ["Hook", "FakeResponse"]
