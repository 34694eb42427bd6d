"""When a request is sent again, and which errors its status becomes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any, NamedTuple

import pytest
from azure.core.exceptions import (
    AzureError,
    DecodeError,
    HttpResponseError,
    ServiceRequestError,
    ServiceResponseError,
)
from azure.core.pipeline import PipelineContext, PipelineResponse
from azure.core.rest import HttpRequest

from azure.keyvault.administration._identifiers import with_query
from azure.keyvault.administration._runtime.pipeline import ClientPipeline
from azure.keyvault.administration._runtime.rest import JobStart, Operation, RestClient, decode_object, status_error
from azure.keyvault.administration._runtime.retry import JobAwareRetryPolicy, carries_token, may_have_been_accepted
from azure.keyvault.administration._runtime.sending import SendOncePolicy
from azure.keyvault.administration._runtime.transport import FirstPolicy
from fakes import VAULT, Answer, FakeResponse, ScriptedTransport

AUTHORIZED = {"Authorization": "Bearer abc"}


def rest(*script: Answer | Exception) -> tuple[RestClient, ScriptedTransport]:
    transport = ScriptedTransport(*script)
    guard = SendOncePolicy(VAULT)
    pipeline = ClientPipeline(transport, [FirstPolicy(), JobAwareRetryPolicy(), guard], guard)
    return RestClient(VAULT, "7.6", pipeline), transport


def start(headers: dict[str, str] = AUTHORIZED) -> HttpRequest:
    return HttpRequest("POST", "/backup", headers=headers, json={})


@pytest.mark.parametrize(
    ("outcome", "tries"),
    [
        pytest.param(Answer(429), 2, id="429"),
        pytest.param(ServiceRequestError("refused", error=ConnectionRefusedError()), 2, id="never-left"),
        pytest.param(ServiceRequestError("unknown cause"), 1, id="unknown-cause"),
        pytest.param(Answer(500), 1, id="500"),
        pytest.param(Answer(503, headers={"Retry-After": "1"}), 1, id="503-that-says-when"),
        pytest.param(Answer(408), 1, id="408"),
        pytest.param(ServiceResponseError("lost"), 1, id="lost-answer"),
    ],
)
async def test_a_start_is_sent_again_only_if_it_cannot_have_been_taken(outcome: Any, tries: int) -> None:
    client, transport = rest(outcome, Answer(202, {}))

    if tries == 1:
        with pytest.raises(AzureError):
            await client.start(JobStart(start(), 202))
    else:
        await client.start(JobStart(start(), 202))

    assert len(transport.requests) == tries


@pytest.mark.parametrize("status", [500, 503], ids=str)
async def test_a_start_without_token_is_sent_again_since_nothing_was_done(status: int) -> None:
    client, transport = rest(Answer(status), Answer(202, {}))

    await client.start(JobStart(start({}), 202))

    assert len(transport.requests) == 2


@pytest.mark.parametrize(
    "outcome",
    [Answer(429), Answer(500), Answer(503), ServiceRequestError("a"), ServiceResponseError("b")],
    ids=["429", "500", "503", "never-left", "lost-answer"],
)
async def test_any_other_request_is_sent_again_as_azure_core_does(outcome: Any) -> None:
    client, transport = rest(outcome, Answer(200, {"a": 1}))

    assert await client.send(Operation(HttpRequest("PUT", "/", headers=AUTHORIZED), 200), dict) == {"a": 1}
    assert len(transport.requests) == 2


def test_a_request_carries_a_token_if_it_is_authorized() -> None:
    assert [carries_token(start()), carries_token(start({}))] == [True, False]


class Attempt(NamedTuple):
    http_response: Any = None
    error: Exception | None = None
    http_request: HttpRequest = start()


@pytest.mark.parametrize(
    ("attempt", "accepted"),
    [
        pytest.param(Attempt(FakeResponse(start(), Answer(500))), True, id="500"),
        pytest.param(Attempt(FakeResponse(start(), Answer(429))), False, id="429"),
        pytest.param(Attempt(error=ServiceRequestError("a")), False, id="never-left"),
        pytest.param(Attempt(error=ServiceResponseError("a")), True, id="lost-answer"),
        pytest.param(Attempt(error=ServiceResponseError("a"), http_request=start({})), False, id="without-token"),
    ],
)
def test_what_an_earlier_try_may_have_done(attempt: Attempt, accepted: bool) -> None:
    harmless = Attempt(error=ServiceRequestError("a"))

    assert may_have_been_accepted([harmless, attempt]) is accepted


def test_without_earlier_tries_nothing_was_done() -> None:
    assert may_have_been_accepted([]) is False


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        pytest.param(VAULT, f"{VAULT}?api-version=7.6", id="none"),
        pytest.param(f"{VAULT}?a=1&a=2", f"{VAULT}?a=1&a=2&api-version=7.6", id="others-stay"),
        pytest.param(f"{VAULT}?api-version=7.2&b=", f"{VAULT}?b=&api-version=7.6", id="replaced"),
        pytest.param(f"{VAULT}/x#f", f"{VAULT}/x?api-version=7.6", id="the-fragment-stays-here"),
        pytest.param(f"{VAULT}?$t=%FFa&flag", f"{VAULT}?$t=%FFa&flag&api-version=7.6", id="others-stay-as-they-are"),
    ],
)
def test_a_query_parameter_is_added_or_replaced(url: str, expected: str) -> None:
    assert with_query(url, {"api-version": "7.6"}) == expected


async def test_parameters_of_a_call_are_added_to_its_url() -> None:
    client, transport = rest(Answer(200, {}))

    await client.send(Operation(HttpRequest("GET", "/?a=b"), 200), dict, params={"c": "d e"})

    assert transport.requests[0].url == f"{VAULT}/?a=b&c=d+e&api-version=7.6"


def test_a_body_that_is_no_object_is_a_decode_error_with_the_response() -> None:
    response = FakeResponse(start(), Answer(200, [1]))

    with pytest.raises(DecodeError, match="JSON of type list") as caught:
        decode_object(response)

    assert str(caught.value).endswith("Content: [1]")


def test_an_unlisted_status_is_the_general_error() -> None:
    error = status_error(FakeResponse(start(), Answer(418)))

    assert type(error) is HttpResponseError
    assert error.status_code == 418


@pytest.fixture(name="far_from_utc")
def _far_from_utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Asia/Tokyo")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("far_from_utc")
@pytest.mark.parametrize("zone", [" GMT", " +0000", " -0000", ""], ids=["GMT", "plus", "minus", "none"])
def test_a_date_to_wait_for_is_in_utc_where_it_names_no_zone(zone: str) -> None:
    in_an_hour = datetime.now(timezone.utc) + timedelta(hours=1)
    throttled = Answer(429, headers={"Retry-After": f"{in_an_hour:%a, %d %b %Y %H:%M:%S}{zone}"})
    response = PipelineResponse(start(), FakeResponse(start(), throttled), PipelineContext(None))

    assert JobAwareRetryPolicy().get_retry_after(response) == pytest.approx(3600, abs=1800)
