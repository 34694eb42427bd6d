"""When a request is sent again, and which errors its status becomes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any, NamedTuple

import pytest
from azure.core.exceptions import AzureError, DecodeError, HttpResponseError, ServiceRequestError, ServiceResponseError
from azure.core.pipeline import PipelineContext, PipelineResponse
from azure.core.rest import HttpRequest

from azure.keyvault.administration._identifiers import with_query
from azure.keyvault.administration._runtime.pipeline import ClientPipeline
from azure.keyvault.administration._runtime.rest import JobStart, Operation, RestClient, decode_object, status_error
from azure.keyvault.administration._runtime.retry import JobAwareRetryPolicy, may_have_been_accepted
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
        (Answer(429), 2),
        (ServiceRequestError("refused", error=ConnectionRefusedError()), 2),
        (ConnectionRefusedError("from the transport itself"), 2),
        (ServiceRequestError("unknown cause"), 1),
        *((Answer(status), 1) for status in (408, 500)),
        (Answer(503, headers={"Retry-After": "1"}), 1),
        (ServiceResponseError("lost"), 1),
    ],
)
async def test_a_start_is_retried_only_if_it_cannot_have_been_accepted(outcome: Any, tries: int) -> None:
    client, transport = rest(outcome, Answer(202, {}))

    if tries == 1:
        with pytest.raises(AzureError):
            await client.start(JobStart(start(), 202))
    else:
        await client.start(JobStart(start(), 202))

    assert len(transport.requests) == tries


async def test_a_start_without_token_is_retried() -> None:
    client, transport = rest(Answer(503), Answer(202, {}))

    await client.start(JobStart(start({}), 202))

    assert len(transport.requests) == 2


@pytest.mark.parametrize(
    "outcome",
    [Answer(429), Answer(500), Answer(503), ServiceRequestError("a"), ServiceResponseError("b"), OSError("c")],
)
async def test_any_other_request_is_retried(outcome: Any) -> None:
    client, transport = rest(outcome, Answer(200, {"a": 1}))

    assert await client.send(Operation(HttpRequest("PUT", "/", headers=AUTHORIZED), 200), dict) == {"a": 1}
    assert len(transport.requests) == 2


class Attempt(NamedTuple):
    http_response: Any = None
    error: Exception | None = None
    http_request: HttpRequest = start()


@pytest.mark.parametrize(
    ("attempt", "accepted"),
    [
        (Attempt(FakeResponse(start(), Answer(500))), True),
        (Attempt(FakeResponse(start(), Answer(429))), False),
        (Attempt(error=ServiceRequestError("a")), False),
        (Attempt(error=ServiceResponseError("a")), True),
        (Attempt(error=ServiceResponseError("a"), http_request=start({})), False),
    ],
)
def test_an_earlier_attempt_may_have_been_accepted(attempt: Attempt, accepted: bool) -> None:
    harmless = Attempt(error=ServiceRequestError("a"))

    assert may_have_been_accepted([harmless, attempt]) is accepted
    assert may_have_been_accepted([]) is False


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", "?api-version=7.6"),
        ("?api-version=7.2&b=", "?b=&api-version=7.6"),
        ("/x#f", "/x?api-version=7.6"),
        ("?a=1&a=2&$t=%FFa&flag", "?a=1&a=2&$t=%FFa&flag&api-version=7.6"),
    ],
)
def test_a_query_parameter_is_added_or_replaced(query: str, expected: str) -> None:
    assert with_query(f"{VAULT}{query}", {"api-version": "7.6"}) == f"{VAULT}{expected}"


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        (ConnectionRefusedError("a"), ServiceRequestError),
        (OSError("b"), ServiceResponseError),
        (TypeError("c"), ValueError),
    ],
)
async def test_an_error_that_the_transport_does_not_wrap_is_wrapped(raw: Exception, kind: type[Exception]) -> None:
    client, _ = rest(*[raw] * 11)

    with pytest.raises(kind):
        await client.send(Operation(HttpRequest("PUT", "/", headers=AUTHORIZED), 200), dict)


def test_a_query_parameter_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="got None for 'a', 'c'"):
        with_query(VAULT, {"a": None, "b": "1", "c": None})


async def test_parameters_of_a_call_are_added_to_its_url() -> None:
    client, transport = rest(Answer(200, {}))

    await client.send(Operation(HttpRequest("GET", "/?a=b"), 200), dict, params={"c": "d e"})

    assert transport.requests[0].url == f"{VAULT}/?a=b&c=d+e&api-version=7.6"


def test_a_body_that_is_not_an_object_is_a_decode_error_with_the_response() -> None:
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
