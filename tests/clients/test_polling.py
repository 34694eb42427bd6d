"""Polling of jobs: when each request is sent, and how each failure is raised."""

from __future__ import annotations

import asyncio
import base64
import logging
import traceback
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from fractions import Fraction
from typing import Any

import pytest
from azure.core.exceptions import (
    AzureError,
    DecodeError,
    HttpResponseError,
    ResourceNotFoundError,
    ServiceRequestError,
    ServiceResponseError,
)
from azure.core.rest import HttpRequest

from azure.keyvault.administration.aio import KeyVaultBackupClient
from fakes import CHALLENGE, CONTAINER, SAS, VAULT, Answer, FakeCredential, ScriptedTransport, error, unauthorized

_SECRETS = ("c2VjcmV0", "token-1")
_STATUS_URL = f"{VAULT}/backup/5f/pending"
_IN_AN_HOUR = datetime.now(timezone.utc) + timedelta(hours=1)
_NULLS = {"code": None, "message": None, "innererror": None}


def _job(status: str, **members: Any) -> dict[str, Any]:
    return {"status": status, "jobId": "5f", "error": None, "statusDetails": None, "startTime": 1, **members}


def _started(status: str = "InProgress", **members: Any) -> Answer:
    return Answer(202, _job(status, **members), {"azure-asyncoperation": _STATUS_URL, "Retry-After": "10"})


def _all_of(raised: BaseException) -> str:
    """Return all that can be seen of an error and of those that led to it."""
    seen = "".join(traceback.format_exception(raised))
    linked: BaseException | None = raised
    while linked is not None:
        seen += f"{linked!r}{linked.args}{getattr(linked, 'error', None)}{getattr(linked, 'object', None)}"
        linked = linked.__cause__ or linked.__context__
    return seen


def _polled(status: str, headers: dict[str, str] | None = None, **members: Any) -> Answer:
    return Answer(200, _job(status, **members), headers or {})


async def _begin(transport: ScriptedTransport, **options: Any) -> Any:
    # Without a pace, waits are those of retries and polls alone.
    client = KeyVaultBackupClient(VAULT, FakeCredential(), transport=transport, throttling_policy=None)
    return await client.begin_backup(CONTAINER, SAS, **options)


async def test_the_service_or_the_user_sets_the_time_between_polls() -> None:
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
)
async def test_the_polling_interval_has_a_default_and_an_older_name(options: dict[str, Any], interval: float) -> None:
    transport = ScriptedTransport(CHALLENGE, _started(), _polled("InProgress"), _polled("Succeeded"))

    await (await _begin(transport, **options)).result()

    assert transport.waits == [interval]


async def test_polls_use_the_options_of_the_call_but_not_its_query() -> None:
    class GoneError(HttpResponseError):
        pass

    transport = ScriptedTransport(CHALLENGE, _started(), Answer(404, error("Gone", "gone")))
    poller = await _begin(transport, params={"x": "1"}, error_map={404: GoneError}, headers={"x-a": "b"})

    with pytest.raises(GoneError):
        await poller.result()

    start, poll = transport.requests[1:]
    assert "x=1" in start.url
    assert (poll.url, poll.headers["Accept"], poll.headers["x-a"]) == (_STATUS_URL, "application/json", "b")


async def test_cls_sees_the_last_response_and_its_value_is_the_result() -> None:
    last = _polled("Succeeded", {"x-ms-request-id": "r"}, azureStorageBlobContainerUri="https://a/b/c")
    poller = await _begin(ScriptedTransport(CHALLENGE, _started(), _polled("InProgress"), last), cls=lambda *seen: seen)

    response, result, headers = await poller.result()

    assert (response.http_response.status_code, headers["x-ms-request-id"]) == (200, "r")
    assert result.folder_url == "https://a/b/c"


# How an HSM has been seen to fail is tested with an emulator that does the same.
@pytest.mark.parametrize(
    ("ended", "reason"), [({"status": "Canceled"}, "Canceled"), ({"status": "failed", "jobId": None}, "no reason")]
)
async def test_a_failed_job_raises_from_result_with_the_reason(ended: dict[str, Any], reason: str) -> None:
    poller = await _begin(ScriptedTransport(CHALLENGE, _started(), Answer(200, ended)))

    with pytest.raises(HttpResponseError, match=reason) as caught:
        await poller.result()

    # A poll may come without the job's id.
    assert "the backup job 5f" in str(caught.value)
    assert poller.done()


async def test_an_error_member_does_not_end_a_job_in_progress() -> None:
    poller = await _begin(
        # A job may come with any status code of success.
        ScriptedTransport(
            CHALLENGE,
            _started(error=_NULLS),
            Answer(202, _job("InProgress", error=_NULLS)),
            Answer(201, _job("Succeeded")),
        )
    )

    await poller.result()

    assert poller.done()


async def test_a_start_follows_no_redirect() -> None:
    transport = ScriptedTransport(CHALLENGE, Answer(307, headers={"Location": f"{VAULT}/elsewhere"}))

    with pytest.raises(HttpResponseError):
        await _begin(transport)

    assert [sent.url for sent in transport.requests] == [f"{VAULT}/backup?api-version=2026-04-01"] * 2


@pytest.mark.parametrize(
    ("status", "ask"),
    [
        *((status, "result") for status in (400, 401, 403, 404, 409, 410)),
        *((403, ask) for ask in ("wait", "update_status", "polling_method().update_status")),
    ],
)
async def test_a_refused_poll_fails_the_poller(status: int, ask: str) -> None:
    transport = ScriptedTransport(CHALLENGE, _started(), Answer(status, error("Refused", "No.")))
    poller = await _begin(transport)

    with pytest.raises(HttpResponseError, match="No") as caught:
        await eval(f"poller.{ask}()", {"poller": poller})
    sent = len(transport.requests)
    with pytest.raises(type(caught.value), match="No") as again:
        await poller.result()

    assert (poller.status(), poller.done(), poller.polling_method().finished()) == ("Failed", True, True)
    assert caught.value.status_code == again.value.status_code == status
    assert "This was the status of the backup job 5f." in str(again.value)
    assert again.value.continuation_token == caught.value.continuation_token == poller.continuation_token()
    assert again.value is not caught.value
    assert len(transport.requests) == sent


_PASSING: list[Any] = [
    *(Answer(status, error("Busy", "Later.")) for status in (304, 408, 429, 500, 503)),
    ServiceResponseError("connection lost"),
    Answer(200, body=b"<html>"),
    Answer(200, {"jobId": "5f"}),
    Answer(204),
]


@pytest.mark.parametrize("passing", _PASSING)
async def test_a_poll_without_status_leaves_the_job_as_it_was(passing: Any) -> None:
    transport = ScriptedTransport(CHALLENGE, _started(), passing, _polled("InProgress"), _polled("Succeeded"))
    poller = await _begin(transport, retry_total=0)

    with pytest.raises(AzureError) as caught:
        await poller.result()
    after = (poller.status(), poller.done())
    await poller.result()

    assert after == ("InProgress", False)
    assert caught.value.continuation_token == poller.continuation_token()
    assert (poller.status(), poller.done()) == ("Succeeded", True)


async def test_a_refused_poller_can_be_asked_to_look_again() -> None:
    refusal = Answer(403, error("AccessDenied", "No."))
    poller = await _begin(
        ScriptedTransport(CHALLENGE, _started(), refusal, _polled("InProgress"), _polled("Succeeded"), refusal)
    )
    with pytest.raises(HttpResponseError):
        await poller.result()

    await poller.update_status()
    after = (poller.status(), poller.done())
    await poller.result()

    assert after == ("InProgress", False)
    # The service may forget a job, which doesn't undo its end.
    with pytest.raises(HttpResponseError):
        await poller.update_status()
    assert (poller.status(), poller.done()) == ("Succeeded", True)


async def test_request_status_returns_any_response_and_changes_nothing() -> None:
    poller = await _begin(ScriptedTransport(CHALLENGE, _started(), Answer(404, error("Gone", "No."))))

    response = await poller.polling_method().request_status(_STATUS_URL)

    assert response.http_response.status_code == 404
    assert (poller.status(), poller.done()) == ("InProgress", False)


@pytest.mark.parametrize("options", [{}, {"request_id": "mine"}], ids=str)
async def test_all_requests_of_a_job_have_one_id(options: dict[str, Any]) -> None:
    transport = ScriptedTransport(CHALLENGE, _started(), _polled("InProgress"), _polled("Succeeded"))

    await (await _begin(transport, **options)).result()

    (sent,) = {request.headers["x-ms-client-request-id"] for request in transport.requests}
    assert options.get("request_id", sent) == sent


async def _resume(
    transport: ScriptedTransport, method: str = "begin_backup", family: str = "backup", **options: Any
) -> Any:
    token = base64.b64encode(f"{VAULT}/{family}/5f/pending".encode()).decode()
    client = KeyVaultBackupClient(VAULT, FakeCredential(), transport=transport, retry_total=0)
    return await getattr(client, method)("", continuation_token=token, **options)


@pytest.mark.parametrize("method", ["begin_backup", "begin_restore", "begin_pre_backup", "begin_pre_restore"])
async def test_resuming_asks_once_for_the_status(method: str) -> None:
    family = "restore" if "restore" in method else "backup"
    transport = ScriptedTransport(CHALLENGE, _polled("InProgress"), _polled("Succeeded"))

    poller = await _resume(transport, method, family, cls=lambda *_: "resumed")
    at_first = (len(transport.requests), poller.status(), poller.done(), poller.details.status)
    result = await poller.result()

    assert at_first == (2, "InProgress", False, "InProgress")
    assert [sent.url for sent in transport.requests] == [f"{VAULT}/{family}/5f/pending"] * 3
    assert {sent.method for sent in transport.requests} == {"GET"}
    assert (transport.waits, result) == ([], "resumed")


@pytest.mark.parametrize("status", ["Succeeded", "Failed", "Canceled"])
async def test_a_job_that_ended_is_resumed_with_its_end(status: str) -> None:
    folder = f"{CONTAINER}/f"
    transport = ScriptedTransport(CHALLENGE, _polled(status, azureStorageBlobContainerUri=folder, statusDetails="Why."))

    poller = await _resume(transport)

    assert (poller.status(), poller.done()) == (status, True)
    if status == "Succeeded":
        await poller.wait()
        assert (await poller.result()).folder_url == folder
    else:
        for end in (poller.wait, poller.result):
            with pytest.raises(HttpResponseError, match=r"Why\.") as caught:
                await end()
            assert caught.value.continuation_token == poller.continuation_token()
    assert len(transport.requests) == 2


_UNRESUMABLE: list[Any] = [
    (Answer(403, error("E", "No.")), HttpResponseError),
    (Answer(404, error("E", "No.")), ResourceNotFoundError),
    (Answer(503, error("E", "No.")), HttpResponseError),
    (ServiceRequestError("no connection"), ServiceRequestError),
    (Answer(200, body=b"<html>"), DecodeError),
]


@pytest.mark.parametrize(("answer", "kind"), _UNRESUMABLE)
async def test_a_job_without_known_status_cannot_be_resumed(answer: Any, kind: type[AzureError]) -> None:
    transport = ScriptedTransport(CHALLENGE, answer)

    with pytest.raises(kind) as caught:
        await _resume(transport)

    assert type(caught.value) is kind
    assert len(transport.requests) == 2


async def test_an_overtaken_response_does_not_reopen_a_job() -> None:
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
async def test_an_unusable_retry_after_is_ignored(value: str) -> None:
    polled = _polled("InProgress", {"Retry-After": value})
    transport = ScriptedTransport(CHALLENGE, _started(), polled, _polled("Succeeded"))

    await (await _begin(transport, polling_interval=2)).result()

    assert transport.waits == [2]


WAITS: list[Any] = [
    ({"Retry-After": "0.5"}, 0.5),
    ({"Retry-After": format_datetime(_IN_AN_HOUR, usegmt=True)}, pytest.approx(3600, abs=1800)),
    ({"retry-after-ms": "1500"}, 1.5),
    ({"Retry-After": "7", "retry-after-ms": "1500"}, 7),
    ({"Retry-After": "soon", "retry-after-ms": "1500"}, 1.5),
    ({"Retry-After": "1e300", "x-ms-retry-after-ms": "1500"}, 1.5),
    ({"retry-after-ms": "soon", "x-ms-retry-after-ms": "1500"}, 1.5),
]


@pytest.mark.parametrize(("headers", "seconds"), WAITS)
async def test_polls_and_retries_wait_as_long_as_any_header_says(headers: dict[str, str], seconds: Any) -> None:
    throttled = Answer(429, error("TooManyRequests", "Later."), headers)
    transport = ScriptedTransport(
        CHALLENGE, throttled, _started(), throttled, _polled("InProgress", headers), _polled("Succeeded")
    )

    await (await _begin(transport, polling_interval=2)).result()

    assert transport.waits == [seconds] * 3


@pytest.mark.parametrize(
    "answer",
    [
        Answer(202, _job("InProgress")),
        Answer(202, body=b"<html>", headers={"azure-asyncoperation": _STATUS_URL}),
        Answer(202, {"jobId": "5f"}, {"azure-asyncoperation": _STATUS_URL}),
    ],
    ids=["no status URL", "no JSON", "no status"],
)
async def test_a_malformed_job_says_that_it_may_run(answer: Answer) -> None:
    with pytest.raises(HttpResponseError, match="may be running"):
        await _begin(ScriptedTransport(CHALLENGE, answer))


_REFUSED_URLS = [
    (f"https://evil.example/backup/5f/pending?{SAS}", "https://evil.example"),
    (f"http://contoso.managedhsm.azure.net/backup/5f/pending?{SAS}", "no valid status URL"),
    (f"/backup/5f/pending?{SAS}", "no valid status URL"),
    (f"{VAULT}/backup/{SAS}/pending", "no valid status URL"),
    (f"{VAULT}/backup/token-1/pending", "no valid status URL"),
    (f"https://user:{SAS}@evil.example/", "no valid status URL"),
    ("", "no valid status URL"),
]


@pytest.mark.parametrize(("url", "said"), _REFUSED_URLS)
async def test_the_error_of_a_refused_status_url_names_the_job_and_no_secret(url: str, said: str) -> None:
    answer = Answer(202, _job("InProgress"), {"azure-asyncoperation": url})

    with pytest.raises(HttpResponseError, match=said) as caught:
        await _begin(ScriptedTransport(CHALLENGE, answer))

    assert "The backup job 5f may be running anyway." in str(caught.value)
    assert not any(secret in _all_of(caught.value) for secret in _SECRETS)


@pytest.mark.parametrize("job_id", [None, 5, "", "x" * 65, "a b", SAS, "token-1"], ids=str)
async def test_an_implausible_job_id_is_not_shown(job_id: Any) -> None:
    poller = await _begin(ScriptedTransport(CHALLENGE, _started(jobId=job_id if job_id != 5 else None)))

    with pytest.raises(HttpResponseError, match=r"The backup job may be running anyway\.") as caught:
        # The challenge is known from the client before.
        await _begin(ScriptedTransport(Answer(202, _job("InProgress", jobId=job_id))))

    assert poller.details.job_id == "5f"
    assert not any(secret in _all_of(caught.value) for secret in _SECRETS)


@pytest.mark.parametrize(
    ("query", "kept"), [(f"?{SAS}&api-version=7.6&token=token-1#x", "?api-version=7.6"), (f"?api-version={SAS}", "")]
)
async def test_polls_and_the_token_keep_only_the_version_of_the_query(query: str, kept: str) -> None:
    # The path may be any plain one.
    named = f"{VAULT}/jobs/v2/5f"
    started = Answer(202, _job("InProgress"), {"azure-asyncoperation": f"{named}{query}"})
    transport = ScriptedTransport(CHALLENGE, started, _polled("Succeeded"))

    poller = await _begin(transport)
    await poller.result()

    assert base64.b64decode(poller.continuation_token()).decode() == f"{named}{kept}"
    assert transport.requests[-1].url == f"{named}{kept}"


_ECHO = f"{SAS} of token-1"


@pytest.mark.parametrize(
    "last",
    [
        pytest.param(_polled("Failed", statusDetails=_ECHO, jobId=_ECHO), id="details"),
        pytest.param(_polled("Failed", error={"code": _ECHO, "message": _ECHO, "innererror": _ECHO}), id="error"),
        pytest.param(_polled(_ECHO), id="status"),
        pytest.param(_polled("Succeeded", azureStorageBlobContainerUri=f"{CONTAINER}/f?{SAS}"), id="folder"),
        pytest.param(Answer(400, error("BadRequest", _ECHO)), id="refusal"),
        pytest.param(Answer(200, body=_ECHO.encode()), id="no JSON"),
    ],
)
async def test_a_poll_shows_no_secret_of_the_start(last: Answer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    # The polls have another token: a job remembers what its start was sent with.
    credential = FakeCredential(expires_on=0)
    client = KeyVaultBackupClient(
        VAULT, credential, transport=ScriptedTransport(CHALLENGE, _started(), last), logging_enable=True
    )
    poller = await client.begin_backup(CONTAINER, SAS)

    try:
        seen = repr(await poller.result())
    except HttpResponseError as raised:
        seen = _all_of(raised)

    seen += f"{poller.status()} {poller.details} {[record.getMessage() for record in caplog.records]}"
    assert len(credential.requests) > 1
    assert "REDACTED" in seen
    assert [secret for secret in _SECRETS if secret in seen] == []


async def test_long_texts_of_the_service_are_cut() -> None:
    poller = await _begin(ScriptedTransport(CHALLENGE, _started(), _polled("Failed", statusDetails="x" * 100_000)))

    with pytest.raises(HttpResponseError) as caught:
        await poller.result()

    assert len(poller.details.status_details) < 5_000
    assert len(str(caught.value)) < 10_000


async def test_cancelling_the_wait_leaves_the_job_running() -> None:
    still_running = ScriptedTransport(
        server=lambda sent: _polled("InProgress") if sent.method == "GET" else _started() if sent.token else CHALLENGE
    )
    poller = await _begin(still_running)
    waiting = asyncio.create_task(poller.result())
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting

    resumed = await _resume(ScriptedTransport(_polled("Succeeded")))
    await resumed.result()

    assert poller.continuation_token() == resumed.continuation_token()
    assert [sent.method for sent in still_running.requests].count("POST") == 2


async def test_a_probe_is_not_taken_for_a_request_with_a_token() -> None:
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

    poller = await client.begin_backup(CONTAINER, SAS)

    assert poller.details.job_id == "5f"
    assert [sent.token is None for sent in transport.requests] == [True, False, False, True, True, False]
