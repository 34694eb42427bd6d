"""How jobs are followed: what is asked when, and what each way of failing looks like."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from fractions import Fraction
from typing import Any

import pytest
from azure.core.exceptions import (
    ClientAuthenticationError,
    HttpResponseError,
    ServiceRequestError,
    ServiceResponseError,
)
from azure.core.rest import HttpRequest

from azure.keyvault.administration.aio import KeyVaultBackupClient
from fakes import (
    CHALLENGE,
    VAULT,
    Answer,
    FakeCredential,
    ScriptedTransport,
    error,
    unauthorized,
)

_CONTAINER = "https://account.blob.core.windows.net/backups"
_SAS = "sv=2024-11-04&se=2999-01-01&sp=crdw&sig=c2VjcmV0LXNpZ25hdHVyZQ%3D%3D"
_STATUS_URL = f"{VAULT}/backup/5f/pending"
_IN_AN_HOUR = datetime.now(timezone.utc) + timedelta(hours=1)
_NULLS = {"code": None, "message": None, "innererror": None}


def _job(status: str, **members: Any) -> dict[str, Any]:
    return {"status": status, "jobId": "5f", "error": None, "statusDetails": None, "startTime": 1, **members}


def _started(status: str = "InProgress", **members: Any) -> Answer:
    return Answer(202, _job(status, **members), {"azure-asyncoperation": _STATUS_URL, "Retry-After": "10"})


def _polled(status: str, headers: dict[str, str] | None = None, **members: Any) -> Answer:
    return Answer(200, _job(status, **members), headers or {})


async def _begin(transport: ScriptedTransport, **options: Any) -> Any:
    client = KeyVaultBackupClient(VAULT, FakeCredential(), transport=transport)
    return await client.begin_backup(_CONTAINER, _SAS, **options)


async def test_the_first_poll_is_at_once_and_the_next_when_the_service_or_the_user_says() -> None:
    transport = ScriptedTransport(
        CHALLENGE,
        _started(),
        _polled("InProgress"),
        _polled("InProgress", {"Retry-After": "17"}),
        _polled("InProgress", {"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}),
        _polled("Succeeded"),
    )

    await (await _begin(transport, polling_interval=3)).result()

    assert transport.waits == [3, 17, 3]
    assert [sent.url for sent in transport.requests[2:]] == [_STATUS_URL] * 4


@pytest.mark.parametrize(
    ("options", "interval"),
    [({}, 5), ({"_polling_interval": 2}, 2), ({"polling_interval": Fraction(1, 2)}, Fraction(1, 2))],
    ids=["default", "the published name", "a fraction"],
)
async def test_the_polling_interval_has_a_default_and_an_older_name(options: dict[str, Any], interval: float) -> None:
    transport = ScriptedTransport(CHALLENGE, _started(), _polled("InProgress"), _polled("Succeeded"))

    await (await _begin(transport, **options)).result()

    assert transport.waits == [interval]


# What no HSM has been seen to answer; how they have failed is tested with an emulator that does the same.
_FAILED_JOBS = [
    pytest.param([_started(), _polled("Canceled")], "Canceled", id="canceled"),
    pytest.param([_started(), _polled("failed")], "no reason", id="no reason"),
]


@pytest.mark.parametrize(("answers", "reason"), _FAILED_JOBS)
async def test_a_job_that_did_not_succeed_raises_from_result_with_the_reason(
    answers: list[Answer], reason: str
) -> None:
    poller = await _begin(ScriptedTransport(CHALLENGE, *answers))

    with pytest.raises(HttpResponseError, match=reason) as caught:
        await poller.result()

    assert "the backup job 5f" in str(caught.value)
    assert poller.done()


async def test_an_error_member_is_no_failure_while_the_job_is_in_progress() -> None:
    poller = await _begin(
        ScriptedTransport(CHALLENGE, _started(error=_NULLS), _polled("InProgress", error=_NULLS), _polled("Succeeded"))
    )

    await poller.result()

    assert poller.done()


@pytest.mark.parametrize("status", [307, 308])
async def test_a_start_follows_no_redirect(status: int) -> None:
    redirect = Answer(status, headers={"Location": f"{VAULT}/elsewhere"})
    transport = ScriptedTransport(CHALLENGE, redirect)

    with pytest.raises(HttpResponseError):
        await _begin(transport)

    assert [sent.url for sent in transport.requests] == [f"{VAULT}/backup?api-version=2026-04-01"] * 2


class _WithCodeError(ClientAuthenticationError):
    def __init__(self, code: int, text: str) -> None:
        super().__init__(message=f"{code}: {text}")


@pytest.mark.parametrize(
    "failure",
    [ClientAuthenticationError(message="no"), HttpResponseError(message="no"), _WithCodeError(1, "no")],
    ids=lambda failure: type(failure).__name__,
)
async def test_pollers_that_wait_for_the_same_token_get_errors_of_their_own(failure: HttpResponseError) -> None:
    started = [
        Answer(
            202, {**_job("InProgress"), "jobId": job_id}, {"azure-asyncoperation": f"{VAULT}/backup/{job_id}/pending"}
        )
        for job_id in ("1a", "2b", "3c")
    ]
    credential = FakeCredential(expires_on=0)
    client = KeyVaultBackupClient(VAULT, credential, transport=ScriptedTransport(CHALLENGE, *started), retry_total=0)
    pollers = [await client.begin_backup(_CONTAINER, _SAS) for _ in started]
    asked = len(credential.requests)
    said = str(failure)
    credential.fail_with(failure)

    errors: list[Any] = await asyncio.gather(*(poller.result() for poller in pollers), return_exceptions=True)

    assert len(credential.requests) == asked + 1
    assert [type(raised) for raised in errors] == [type(failure)] * 3
    assert [str(raised) for raised in errors] == [
        f"{said}\nThis was the status of the backup job {job_id}." for job_id in ("1a", "2b", "3c")
    ]
    assert [raised.continuation_token for raised in errors] == [poller.continuation_token() for poller in pollers]


async def test_an_answer_that_was_overtaken_does_not_reopen_a_job() -> None:
    reached, overtaken = asyncio.Event(), asyncio.Event()

    async def slow() -> Answer:
        reached.set()
        await overtaken.wait()
        return _polled("InProgress")

    answers: list[Any] = [CHALLENGE, _started(), slow(), _polled("Succeeded")]
    poller = await _begin(ScriptedTransport(server=lambda _: answers.pop(0)))
    first = asyncio.create_task(poller.update_status())
    await reached.wait()
    await poller.update_status()
    overtaken.set()
    await first

    assert poller.status() == "Succeeded"
    assert poller.done()


@pytest.mark.parametrize("value", ["soon", "inf", "nan", "1e300", "5, 5", "Fri, 31 Dec 9999 23:59:59 GMT"])
async def test_a_retry_after_that_nobody_can_follow_is_none(value: str) -> None:
    transport = ScriptedTransport(
        CHALLENGE, _started(), _polled("InProgress", {"Retry-After": value}), _polled("Succeeded")
    )

    await (await _begin(transport, polling_interval=2)).result()

    assert transport.waits == [2]


WAITS: list[Any] = [
    pytest.param({"Retry-After": "7"}, 7, id="seconds"),
    pytest.param({"retry-after": "0.5"}, 0.5, id="half a second"),
    pytest.param({"Retry-After": format_datetime(_IN_AN_HOUR, usegmt=True)}, pytest.approx(3600, abs=1800), id="date"),
    pytest.param({"retry-after-ms": "1500"}, 1.5, id="milliseconds"),
    pytest.param({"x-ms-retry-after-ms": "1500"}, 1.5, id="milliseconds, by the other name"),
    pytest.param({"Retry-After": "7", "retry-after-ms": "1500"}, 7, id="both"),
    pytest.param({"Retry-After": "soon", "retry-after-ms": "1500"}, 1.5, id="one of two intelligible"),
    pytest.param({"Retry-After": "1e300", "x-ms-retry-after-ms": "1500"}, 1.5, id="one of two within a life"),
    pytest.param({"retry-after-ms": "soon", "x-ms-retry-after-ms": "1500"}, 1.5, id="the last of them"),
]


@pytest.mark.parametrize(("headers", "seconds"), WAITS)
async def test_polling_and_retries_wait_as_long_as_the_service_says_in_any_header(
    headers: dict[str, str], seconds: Any
) -> None:
    throttled = Answer(429, error("TooManyRequests", "Later."), headers)
    transport = ScriptedTransport(
        CHALLENGE, throttled, _started(), throttled, _polled("InProgress", headers), _polled("Succeeded")
    )

    await (await _begin(transport, polling_interval=2)).result()

    assert transport.waits == [seconds] * 3


async def test_a_poll_without_job_id_leaves_the_one_that_is_known() -> None:
    transport = ScriptedTransport(CHALLENGE, _started(), Answer(200, {"status": "Failed"}))
    poller = await _begin(transport)

    with pytest.raises(HttpResponseError, match="the backup job 5f"):
        await poller.result()


async def test_a_start_that_was_never_sent_is_sent_again() -> None:
    refused = ServiceRequestError("connection refused", error=ConnectionRefusedError())
    transport = ScriptedTransport(CHALLENGE, refused, _started())

    poller = await _begin(transport)

    assert poller.details.job_id == "5f"


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(Answer(202, _job("InProgress")), id="no status URL"),
        pytest.param(Answer(202, body=b"<html>", headers={"azure-asyncoperation": _STATUS_URL}), id="no JSON"),
        pytest.param(Answer(202, {"jobId": "5f"}, {"azure-asyncoperation": _STATUS_URL}), id="no status"),
    ],
)
async def test_a_202_that_is_no_job_says_that_it_may_run(answer: Answer) -> None:
    with pytest.raises(HttpResponseError, match="may be running"):
        await _begin(ScriptedTransport(CHALLENGE, answer))


async def test_a_status_url_of_another_origin_is_refused_naming_both() -> None:
    answer = Answer(202, _job("InProgress"), {"azure-asyncoperation": "https://evil.example/backup/5f/pending"})

    with pytest.raises(HttpResponseError, match=r"contoso\.managedhsm\.azure\.net.*https://evil\.example"):
        await _begin(ScriptedTransport(CHALLENGE, answer))


@pytest.mark.parametrize("where", ["start", "poll"])
async def test_a_service_that_echoes_the_sas_does_not_get_it_into_an_error(where: str) -> None:
    echo = Answer(400, error("BadRequest", f"cannot use {_SAS}"))
    answers = [echo] if where == "start" else [_started(), _polled("Failed", statusDetails=f"cannot use {_SAS}")]

    with pytest.raises(HttpResponseError) as caught:
        await (await _begin(ScriptedTransport(CHALLENGE, *answers))).result()

    assert "cannot use" in str(caught.value)
    assert "c2VjcmV0" not in f"{caught.value}{caught.value!r}"


@pytest.mark.parametrize("stop", ["cancel", "time out"])
async def test_to_stop_waiting_stops_no_job_and_the_token_resumes_it(stop: str) -> None:
    still_running = ScriptedTransport(
        server=lambda sent: _polled("InProgress") if sent.method == "GET" else _started() if sent.token else CHALLENGE
    )
    poller = await _begin(still_running)
    token = poller.continuation_token()
    waiting = asyncio.create_task(asyncio.wait_for(poller.result(), 0.05 if stop == "time out" else None))
    if stop == "cancel":
        await asyncio.sleep(0)
        waiting.cancel()
    with pytest.raises((asyncio.TimeoutError, asyncio.CancelledError)):
        await waiting

    ended = ScriptedTransport(CHALLENGE, _polled("Succeeded"))
    other = KeyVaultBackupClient(VAULT, FakeCredential(), transport=ended)
    resumed = await other.begin_backup("", "", continuation_token=token)
    await resumed.result()

    assert resumed.details.job_id == "5f"
    assert {sent.method for sent in ended.requests} == {"GET"}
    assert [sent.method for sent in still_running.requests].count("POST") == 2


async def test_the_token_of_an_earlier_try_does_not_pass_for_that_of_a_probe() -> None:
    async def throttle_while_another_request_is_told_nothing() -> Answer:
        await client.send_request(HttpRequest("GET", "/x"))
        return Answer(429)

    answers: list[Any] = [
        CHALLENGE,
        throttle_while_another_request_is_told_nothing(),
        unauthorized(None),
        ServiceResponseError("the probe is lost"),
        CHALLENGE,
        _started(),
    ]
    transport = ScriptedTransport(server=lambda _: answers.pop(0))
    client = KeyVaultBackupClient(VAULT, FakeCredential(), transport=transport)

    poller = await client.begin_backup(_CONTAINER, _SAS)

    assert poller.details.job_id == "5f"
    assert [sent.token is None for sent in transport.requests] == [True, False, False, True, True, False]
