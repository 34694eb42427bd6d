"""Each fault happens to the requests it is meant for, exactly as often as asked, and stands in the journal."""

from __future__ import annotations

import asyncio
import re
import ssl
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from azure.keyvault.administration.emulator import ManagedHsmEmulator, faults
from azure.keyvault.administration.emulator._domain.faults import FaultMatcher
from emulator.operator_client import ALICE, Operator
from emulator.raw import CRYPTO_USER, ROLE_ASSIGNMENTS, ROLE_DEFINITIONS, SCOPE
from emulator.slow_key import SlowKey

if TYPE_CHECKING:
    from aiohttp import ClientSession

ROLE = f"{ROLE_DEFINITIONS}/2f5b1a7e-6c1d-4f7a-9b35-7f0c5c9d7f11"
BODY = {"properties": {"roleName": "Made"}}
URL = "https://{}.managedhsm.azure.net"


@pytest.fixture(name="operator")
def _operator(hsm: ManagedHsmEmulator) -> Operator:
    return Operator(hsm)


class Plain:
    """A client that checks no contract: a fault keeps none."""

    def __init__(self, hsm: ManagedHsmEmulator) -> None:
        self._hsm = hsm

    async def send(self, method: str, path: str, body: object = None) -> tuple[int, dict[str, str], bytes]:
        session: ClientSession = self._hsm.client_kwargs["transport"].session
        token = (await self._hsm.credential.get_token(SCOPE)).token
        async with session.request(
            method,
            f"{self._hsm.vault_url}{path}?api-version=7.6",
            json=body,
            headers={"Authorization": f"Bearer {token}"},
            middlewares=(_no_replay,),
        ) as reply:
            return reply.status, dict(reply.headers), await reply.read()


async def _no_replay(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    # aiohttp sends a request again, by itself, when a connection that it used before is closed.
    try:
        return await handler(request)
    except aiohttp.ClientError as error:
        raise ConnectionError(str(error)) from error


@pytest.fixture(name="plain")
def _plain(hsm: ManagedHsmEmulator) -> Plain:
    return Plain(hsm)


def _seen(hsm: ManagedHsmEmulator) -> list[tuple[str, int | None, str | None]]:
    return [(entry.method, entry.status, entry.fault) for entry in hsm.journal]


async def test_a_status_is_answered_instead_of_the_work(hsm: ManagedHsmEmulator, plain: Plain) -> None:
    rule = hsm.faults.add(faults.Status(503), method="PUT", path=ROLE)

    status, headers, body = await plain.send("PUT", ROLE, BODY)

    assert (status, body) == (503, b'{"error":{"code":"ServiceUnavailable","message":"Service Unavailable"}}')
    assert headers["Content-Type"] == "application/json; charset=utf-8"
    assert _seen(hsm) == [("PUT", 503, "status")]
    assert (rule.delivered, list(hsm.faults)) == (1, [])
    assert (await plain.send("GET", ROLE))[0] == 404


async def test_a_status_comes_with_the_body_and_the_headers_that_are_wanted(
    hsm: ManagedHsmEmulator, plain: Plain
) -> None:
    hsm.faults.add(faults.Status(502, body="<html>", headers={"Content-Type": "text/html", "X-Proxy": "yes"}))
    hsm.faults.add(faults.Status(299, body={"value": None}))

    status, headers, body = await plain.send("GET", ROLE)

    assert (status, headers["Content-Type"], headers["X-Proxy"], body) == (502, "text/html", "yes", b"<html>")
    assert (await plain.send("GET", ROLE))[::2] == (299, b'{"value":null}')


async def test_a_status_after_the_work_loses_only_the_response(hsm: ManagedHsmEmulator, plain: Plain) -> None:
    hsm.faults.add(faults.Status(503, after_work=True), method="PUT")

    assert (await plain.send("PUT", ROLE, BODY))[0] == 503
    assert (await plain.send("GET", ROLE))[0] == 200


async def test_throttling_says_when_to_come_again(hsm: ManagedHsmEmulator, plain: Plain) -> None:
    hsm.faults.add(faults.Throttle(retry_after=7), times=2)

    for _ in range(2):
        status, headers, body = await plain.send("GET", ROLE_DEFINITIONS)
        assert (status, headers["Retry-After"], b"TooManyRequests" in body) == (429, "7", True)
    assert (await plain.send("GET", ROLE_DEFINITIONS))[0] == 200
    assert _seen(hsm) == [("GET", 429, "throttle")] * 2 + [("GET", 200, None)]


@pytest.mark.parametrize("after_work", [False, True])
async def test_a_delay_lasts_until_the_clock_says_so(
    hsm: ManagedHsmEmulator, plain: Plain, *, after_work: bool
) -> None:
    hsm.faults.add(faults.Delay(1000, after_work=after_work), method="PUT")
    request = asyncio.create_task(plain.send("PUT", ROLE, BODY))
    while hsm.faults:
        await plain.send("GET", "/keys")

    assert (await plain.send("GET", ROLE))[0] == (200 if after_work else 404)
    assert not request.done()
    hsm.clock.advance(1000)

    assert (await request)[0] == 201
    assert _seen(hsm)[-1] == ("PUT", 201, "delay")


@pytest.mark.parametrize(("kind", "after_work"), [(faults.Drop, False), (faults.Drop, True), (faults.Reset, True)])
async def test_a_lost_connection_leaves_the_work_undone_or_done(
    hsm: ManagedHsmEmulator, plain: Plain, kind: type[faults.Drop | faults.Reset], *, after_work: bool
) -> None:
    hsm.faults.add(kind(after_work=after_work), method="PUT")

    with pytest.raises(aiohttp.ClientOSError):
        await plain.send("PUT", ROLE, BODY)

    assert _seen(hsm) == [("PUT", None, kind.kind)]
    assert (await plain.send("GET", ROLE))[0] == (200 if after_work else 404)


async def test_a_truncated_body_ends_in_the_middle(hsm: ManagedHsmEmulator, plain: Plain) -> None:
    hsm.faults.add(faults.TruncatedBody())

    with pytest.raises(aiohttp.ClientPayloadError):
        await plain.send("PUT", ROLE, BODY)

    assert _seen(hsm) == [("PUT", 201, "truncated body")]
    assert (await plain.send("GET", ROLE))[0] == 200


async def test_a_malformed_body_is_whole_for_http_and_no_json(hsm: ManagedHsmEmulator, plain: Plain) -> None:
    hsm.faults.add(faults.MalformedBody())

    status, headers, body = await plain.send("GET", ROLE_DEFINITIONS)

    assert (status, int(headers["Content-Length"])) == (200, len(body))
    assert body.startswith(b'{"value":[')
    assert not body.endswith(b"}]}")
    assert _seen(hsm) == [("GET", 200, "malformed body")]


async def test_a_challenge_is_the_one_of_a_request_without_a_token(hsm: ManagedHsmEmulator, plain: Plain) -> None:
    hsm.faults.add(faults.Challenge())
    hsm.faults.add(faults.ClaimsChallenge())

    status, headers, body = await plain.send("GET", ROLE_DEFINITIONS)
    assert (status, body) == (401, b"OK")
    assert 'resource="https://managedhsm.azure.net"' in headers["WWW-Authenticate"]

    status, headers, _ = await plain.send("GET", ROLE_DEFINITIONS)
    assert status == 401
    assert 'error="insufficient_claims", claims="' in headers["WWW-Authenticate"]
    assert _seen(hsm) == [("GET", 401, "challenge"), ("GET", 401, "claims challenge")]


async def test_a_list_comes_in_pages_that_together_are_the_list(operator: Operator) -> None:
    await operator.grant_key_roles()
    await operator.assign(ALICE, CRYPTO_USER)
    for name in ("one", "two", "many", "many", "many", "d1", "d2", "d3"):
        assert (await operator.send("POST", f"/keys/{name}/create", {"kty": "oct-HSM"})).status == 200
    for name in ("d1", "d2", "d3"):
        assert (await operator.send("DELETE", f"/keys/{name}")).status == 200

    for path in (ROLE_DEFINITIONS, ROLE_ASSIGNMENTS, "/keys", "/deletedkeys", "/keys/many/versions"):
        whole = (await operator.send("GET", path)).json["value"]
        assert len(whole) >= 3
        operator.hsm.journal.clear()
        rule = operator.hsm.faults.add(faults.PageSize(2), path=path)

        pages = [(await operator.send("GET", path)).json]
        while "nextLink" in pages[-1]:
            link: str = pages[-1]["nextLink"]
            assert link.startswith(operator.hsm.vault_url)
            following, _, query = link.removeprefix(operator.hsm.vault_url).partition("?")
            pages.append((await operator.send("GET", following, version=None, query=query)).json)

        assert [item for page in pages for item in page["value"]] == whole
        assert all(len(page["value"]) == 2 for page in pages[:-1])
        assert rule.delivered == 1
        assert [entry.fault for entry in operator.hsm.journal] == ["page size", *[None] * (len(pages) - 1)]


async def test_a_page_size_waits_for_a_list(operator: Operator) -> None:
    rule = operator.hsm.faults.add(faults.PageSize(1))

    assert (await operator.send("GET", ROLE)).status == 404
    assert (rule.delivered, list(operator.hsm.faults)) == (0, [rule])
    assert "nextLink" in (await operator.send("GET", ROLE_DEFINITIONS)).json
    assert _seen(operator.hsm) == [("GET", 404, None), ("GET", 200, "page size")]


async def test_a_list_goes_on_although_what_it_has_shown_was_deleted(operator: Operator) -> None:
    path = f"/keys/a{ROLE_ASSIGNMENTS}"
    for number in range(5):
        await operator.assign(f"a11ce000-0000-4000-8000-00000000000{number}", CRYPTO_USER, "/keys/a")
    whole = (await operator.send("GET", path)).json["value"]
    operator.hsm.faults.add(faults.PageSize(2))

    page = (await operator.send("GET", path)).json
    shown = list(page["value"])
    while link := page.get("nextLink"):
        for item in page["value"]:
            assert (await operator.send("DELETE", f"{path}/{item['name']}")).status == 200
        page = (await operator.send("GET", path, version=None, query=link.partition("?")[2])).json
        shown += page["value"]

    assert shown == whole


async def test_a_page_of_another_list_is_refused(operator: Operator) -> None:
    for token in ("x", "2f5b1a7e-6c1d-4f7a-9b35-7f0c5c9d7f11", "2f5b1a7e-6c1d-4f7a-9b35-7f0c5c9d7f11.2"):
        reply = await operator.send("GET", ROLE_DEFINITIONS, query=f"$skiptoken={token}")

        assert reply.error == (400, "BadParameter", "The $skiptoken is not one of this list")


NULLS = {"code": None, "innererror": None, "message": None}
REASON = {"code": "AuthorizationFailure", "innererror": None, "message": "No way in"}
ERROR = (faults.FailedJobForm.ERROR, ("InProgress", None), (200, "No way in", REASON))
STATUS_DETAILS = (faults.FailedJobForm.STATUS_DETAILS, ("InProgress", NULLS), (200, "No way in", NULLS))
AT_ONCE = (faults.FailedJobForm.AT_ONCE, ("Failed", NULLS), (200, "No way in", NULLS))


async def _start(operator: Operator, path: str) -> Any:
    if path.endswith("backup"):
        return await operator.send("POST", path, operator.storage)
    return await operator.restore("mhsm-emulated-hsm-2026010100000000", path)


@pytest.mark.parametrize(
    ("path", "outcome"),
    [
        ("/backup", ERROR),
        ("/backup", AT_ONCE),
        ("/prebackup", STATUS_DETAILS),
        ("/restore", STATUS_DETAILS),
        ("/prerestore", ERROR),
        ("/keys/a/restore", AT_ONCE),
    ],
)
async def test_a_job_fails_in_the_form_that_is_wanted(
    operator: Operator,
    path: str,
    outcome: tuple[faults.FailedJobForm, tuple[str, Any], tuple[int, Any, Any]],
) -> None:
    form, started, ended = outcome
    before = await operator.state()
    operator.hsm.faults.add(faults.FailedJob(form, "AuthorizationFailure", "No way in"), path=path)

    start = await _start(operator, path)

    assert (start.status, start.json["status"], start.json["error"]) == (202, *started)
    # The start of a backup has its members in the order of declaration, also those of the error.
    order = ["code", "message", "innererror"] if path.endswith("backup") else sorted(NULLS)
    assert list(start.json["error"] or order) == order
    operator.hsm.clock.advance(3600)
    while (reply := await operator.status(start)).json["status"] == "InProgress":
        pass
    assert (reply.status, reply.json["statusDetails"], reply.json["error"]) == ended
    assert reply.json["status"] == "Failed"
    assert reply.json["endTime"] >= reply.json["startTime"]
    assert start.json["endTime"] in {None, reply.json["endTime"]}
    assert await operator.state() == before
    assert [entry.path for entry in operator.hsm.journal if entry.fault == "failed job"] == [path]


@pytest.mark.parametrize("path", ["/backup", "/prerestore"])
async def test_a_job_fails_by_a_refusal_of_its_poll(operator: Operator, path: str) -> None:
    operator.hsm.faults.add(faults.FailedJob(faults.FailedJobForm.POLL_REFUSED, message="Bad token"), path=path)

    start = await _start(operator, path)

    assert (start.status, start.json["status"]) == (202, "InProgress")
    operator.hsm.clock.advance(3600)
    while (reply := await operator.status(start)).status == 200:
        pass
    assert reply.backup_error == (400, "BadRequest", "Bad token")


@pytest.mark.parametrize("path", ["/prebackup", "/restore"])
async def test_a_job_fails_by_a_refusal_of_its_start(operator: Operator, path: str) -> None:
    operator.hsm.faults.add(faults.FailedJob(faults.FailedJobForm.START_REFUSED, message="Bad token"), path=path)

    assert (await _start(operator, path)).backup_error == (400, "BadRequest", "Bad token")
    assert _seen(operator.hsm)[-1][1:] == (400, "failed job")
    # There is no job in the way.
    assert (await operator.finish(await operator.back_up())).json["status"] == "Succeeded"


async def test_the_failure_of_a_job_waits_for_a_start_that_is_accepted(operator: Operator) -> None:
    await operator.back_up()
    rule = operator.hsm.faults.add(faults.FailedJob())

    assert (await operator.back_up()).status == 409
    assert rule.delivered == 0
    assert list(operator.hsm.faults) == [rule]


@pytest.mark.parametrize("path", ["/backup", "/prerestore", "/keys/a/restore"])
async def test_a_slow_job_takes_its_time(operator: Operator, path: str) -> None:
    folder = await operator.folder()
    operator.hsm.faults.add(faults.SlowJob(1000), path=path)
    start = await (_start(operator, path) if path.endswith("backup") else operator.restore(folder, path))
    assert start.status == 202

    operator.hsm.clock.advance(900)
    for _ in range(5):
        assert (await operator.status(start)).json["status"] == "InProgress"
    operator.hsm.clock.advance(100)
    while (reply := await operator.status(start)).json["status"] == "InProgress":
        pass

    assert reply.json["status"] in {"Succeeded", "Failed"}
    assert (reply.json["status"] == "Failed") is (path == "/keys/a/restore"), reply.json


async def test_faults_happen_in_the_order_in_which_they_were_added_and_one_at_a_time(
    hsm: ManagedHsmEmulator, plain: Plain
) -> None:
    hsm.faults.add(faults.Status(500), times=2)
    hsm.faults.add(faults.Status(501))

    assert [(await plain.send("GET", ROLE_DEFINITIONS))[0] for _ in range(4)] == [500, 500, 501, 200]


async def test_a_fault_lets_the_first_requests_pass(hsm: ManagedHsmEmulator, plain: Plain) -> None:
    hsm.faults.add(faults.Status(500), skip=2)

    assert [(await plain.send("GET", ROLE_DEFINITIONS))[0] for _ in range(4)] == [200, 200, 500, 200]


async def test_a_fault_without_end_happens_until_it_is_removed(hsm: ManagedHsmEmulator, plain: Plain) -> None:
    rule = hsm.faults.add(faults.Status(500), times=None)

    assert [(await plain.send("GET", ROLE_DEFINITIONS))[0] for _ in range(3)] == [500] * 3
    assert rule in hsm.faults
    assert repr(hsm.faults) == f"Faults([{rule!r}])"
    hsm.faults.remove(rule)
    hsm.faults.remove(rule)
    assert (await plain.send("GET", ROLE_DEFINITIONS))[0] == 200
    assert (rule.delivered, rule in hsm.faults) == (3, False)


async def test_clearing_takes_all_faults_back(hsm: ManagedHsmEmulator, plain: Plain) -> None:
    hsm.faults.add(faults.Status(500))
    hsm.faults.add(faults.Drop())
    assert len(hsm.faults) == 2

    hsm.faults.clear()

    assert (await plain.send("GET", ROLE_DEFINITIONS))[0] == 200


async def test_method_and_path_choose_the_requests(hsm: ManagedHsmEmulator, plain: Plain) -> None:
    hsm.faults.add(faults.Status(500), method="PUT", path="/*/roleDefinitions/*", times=None)

    assert (await plain.send("GET", ROLE))[0] == 404
    assert (await plain.send("PUT", "/restore", {}))[0] == 400
    assert (await plain.send("PUT", ROLE, BODY))[0] == 500
    # Whatever way the scope is written.
    assert (await plain.send("PUT", f"//{ROLE}", BODY))[0] == 500


async def test_the_round_for_the_challenge_is_left_alone_unless_it_is_meant(operator: Operator) -> None:
    rule = operator.hsm.faults.add(faults.Status(500))
    assert (await operator.send("GET", ROLE_DEFINITIONS, token=None)).status == 401
    assert rule.delivered == 0

    operator.hsm.faults.clear()
    operator.hsm.faults.add(faults.Status(500), anonymous=True)
    url = operator.hsm.vault_url + ROLE_DEFINITIONS
    async with operator.hsm.client_kwargs["transport"].session.get(url) as reply:
        assert reply.status == 500


async def test_a_fault_that_cannot_happen_to_a_request_leaves_it_to_the_next(
    hsm: ManagedHsmEmulator, plain: Plain
) -> None:
    waiting = [hsm.faults.add(fault) for fault in (faults.FailedJob(), faults.SlowJob(1), faults.PageSize(1))]
    hsm.faults.add(faults.Status(500), times=4)

    replies = [
        await plain.send("GET", ROLE),
        await plain.send("PUT", ROLE, BODY),
        await plain.send("POST", "/restore", BODY),
        await plain.send("GET", "/backup/5f/pending"),
    ]

    assert [reply[0] for reply in replies] == [500] * 4
    assert list(hsm.faults) == waiting


async def test_the_journal_names_the_caller_of_a_request_that_was_struck(operator: Operator, plain: Plain) -> None:
    for fault in (faults.Status(500), faults.Challenge(), faults.Status(500, after_work=True)):
        operator.hsm.faults.add(fault)
        await plain.send("GET", ROLE_DEFINITIONS)
    operator.hsm.faults.add(faults.Status(500), times=2, anonymous=True)
    for token in (None, "no token of ours"):
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        url = operator.hsm.vault_url + ROLE_DEFINITIONS
        async with operator.hsm.client_kwargs["transport"].session.get(url, headers=headers) as reply:
            assert reply.status == 500

    administrator = operator.hsm.admin_object_id
    assert [entry.principal for entry in operator.hsm.journal] == [*[administrator] * 3, None, None]


async def test_each_of_many_requests_at_once_meets_at_most_one_fault(hsm: ManagedHsmEmulator, plain: Plain) -> None:
    rule = hsm.faults.add(faults.Throttle(), times=6)
    other = hsm.faults.add(faults.Status(503), times=4)

    statuses = [reply[0] for reply in await asyncio.gather(*(plain.send("GET", ROLE_DEFINITIONS) for _ in range(16)))]

    assert sorted(statuses) == [200] * 6 + [429] * 6 + [503] * 4
    assert (rule.delivered, other.delivered, len(hsm.faults)) == (6, 4, 0)
    assert sorted(entry.fault or "" for entry in hsm.journal) == [""] * 6 + ["status"] * 4 + ["throttle"] * 6


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: faults.Status(99), "status must be from 200 to 599, got 99"),
        (lambda: faults.Status(500, body=b"x"), "body must be text or an object, got b'x'"),  # type: ignore[arg-type]
        *(
            (
                lambda headers=headers: faults.Status(500, headers=headers),
                "headers must be printable texts by name, without Content-Length and Transfer-Encoding, got",
            )
            for headers in (
                {"Retry-After": 1},
                {"X-A": "a\r\nEvil: 1"},
                {"X A": "a"},
                {"": "a"},
                {"Content-length": "5"},
                {"Transfer-Encoding": "chunked"},
            )
        ),
        (lambda: faults.Status(500, body="\ud800"), "body cannot be sent: "),
        (lambda: faults.Status(500, body={"now": object()}), "body cannot be sent: "),
        (lambda: faults.Status(True), "status must be from 200 to 599, got True"),
        (lambda: faults.Delay(-1), "seconds must be a number of seconds from 0 to 1000000000, got -1"),
        (lambda: faults.SlowJob(float("nan")), "seconds must be a number of seconds from 0 to 1000000000, got nan"),
        (lambda: faults.PageSize(0), "items must be a whole number from 1, got 0"),
        (
            lambda: faults.FailedJob("never"),  # type: ignore[arg-type]
            "form must be one of error, status details, at once, poll refused, start refused, got 'never'",
        ),
        (lambda: faults.Drop(after_work="no"), "after_work must be true or false, got 'no'"),  # type: ignore[arg-type]
    ],
)
def test_a_fault_that_makes_no_sense_is_refused(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        make()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"times": 0}, "times must be a whole number from 1, or None, got 0"),
        ({"path": 1}, "path must be text, got 1"),
        ({"skip": -1}, "skip must be a whole number from 0, got -1"),
        ({"method": 1}, "method must be text, got 1"),
        ({"anonymous": 1}, "anonymous must be true or false, got 1"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(arguments: dict[str, Any], message: str) -> None:
    hsm = ManagedHsmEmulator()

    with pytest.raises(ValueError, match=re.escape(message)):
        hsm.faults.add(faults.Drop(), **arguments)
    with pytest.raises(ValueError, match="fault must be a fault, got 503"):
        hsm.faults.add(503)  # type: ignore[arg-type]
    assert list(hsm.faults) == []


@pytest.mark.parametrize("is_cleared", [False, True])
def test_fault_removed_while_a_request_has_met_it_does_not_happen(*, is_cleared: bool) -> None:
    pending = FaultMatcher()
    rule = pending.add(faults.FailedJob(), path="/backup")
    match = pending.match("POST", "/backup", has_token=True)

    pending.clear() if is_cleared else pending.remove(rule)

    assert match.take(faults.FailedJob) is None
    assert (list(pending), rule.delivered, match.shown) == ([], 0, None)


def test_requests_that_meet_a_fault_together_show_it_as_often_as_asked() -> None:
    pending = FaultMatcher()
    rule = pending.add(faults.FailedJob(), times=2)
    matches = [pending.match("POST", "/backup", has_token=True) for _ in range(4)]

    taken = [match.take(faults.FailedJob) for match in matches[1:]]

    assert taken == [rule.fault, rule.fault, None]
    assert (list(pending), rule.delivered) == ([], 2)


@pytest.mark.parametrize(
    ("fault", "where"),
    [
        (faults.FailedJob(), {"method": "GET"}),
        (faults.SlowJob(1), {"path": "/backups"}),
        (faults.PageSize(1), {"path": "/keys/k"}),
        (faults.Drop(), {"path": "restore"}),
        (faults.Drop(), {"method": "FETCH"}),
    ],
)
def test_rule_that_fits_no_request_is_never_delivered(fault: faults.Fault, where: Any) -> None:
    pending = FaultMatcher()
    rule = pending.add(fault, **where)

    for method, path in (("POST", "/backup"), ("PUT", "/restore"), ("GET", "/keys"), ("GET", "/keys/k")):
        assert pending.match(method, path, has_token=True).rule is None
    assert rule.delivered == 0


@pytest.mark.parametrize("method", ["put", "Put", "p*", "*t", "*"])
async def test_the_case_of_a_method_does_not_matter(hsm: ManagedHsmEmulator, plain: Plain, method: str) -> None:
    hsm.faults.add(faults.Status(500), method=method)

    assert (await plain.send("PUT", ROLE, BODY))[0] == 500


def test_only_a_star_matches_anything_but_itself() -> None:
    pending = FaultMatcher()
    rule = pending.add(faults.Status(500), path="/[kx]eys")

    assert pending.match("GET", "/keys", has_token=True).rule is None
    assert pending.match("GET", "/[kx]eys", has_token=True).rule is rule


async def test_a_pattern_of_many_stars_holds_up_nobody(hsm: ManagedHsmEmulator, plain: Plain) -> None:
    rule = hsm.faults.add(faults.Status(500), path="/keys/" + "*a" * 12 + "*b")

    assert (await plain.send("GET", f"/keys/{'a' * 120}"))[0] == 403
    assert rule.delivered == 0


@pytest.mark.parametrize("fault", [faults.TruncatedBody(), faults.Drop(after_work=True)], ids=lambda fault: fault.kind)
async def test_a_client_that_has_gone_by_itself_is_no_error(
    operator: Operator, slow_key: SlowKey, caplog: pytest.LogCaptureFixture, fault: faults.Fault
) -> None:
    await operator.assign(operator.hsm.admin_object_id, CRYPTO_USER)
    operator.hsm.faults.add(fault, path="/keys/k/create")
    reader, writer = await asyncio.open_connection(
        "localhost", operator.hsm.port, ssl=ssl.create_default_context(cadata=operator.hsm.ca_certificate.decode())
    )
    head = [
        "POST /keys/k/create?api-version=7.6 HTTP/1.1",
        "Host: localhost",
        f"Authorization: Bearer {await operator.token()}",
        "Content-Type: application/json",
        "Content-Length: 14",
    ]
    writer.write("\r\n".join([*head, "", '{"kty": "RSA"}']).encode())
    await slow_key.begun()

    writer.transport.abort()
    await reader.read()
    # So that the server has noticed, too.
    assert (await operator.send("GET", "/keys")).status == 200
    slow_key.end()
    while all(entry.method != "POST" for entry in operator.hsm.journal):
        assert (await operator.send("GET", "/nothing")).status == 404

    assert (await operator.send("GET", "/nothing")).status == 404
    assert caplog.text == ""


@pytest.mark.parametrize("fault", [faults.TruncatedBody(), faults.Drop(after_work=True)], ids=lambda fault: fault.kind)
async def test_a_response_without_a_body_is_lost_whole(operator: Operator, plain: Plain, fault: faults.Fault) -> None:
    await operator.grant_key_roles()
    await operator.send("POST", "/keys/k/create", {"kty": "oct-HSM"})
    await operator.send("DELETE", "/keys/k")
    operator.hsm.faults.add(fault)

    with pytest.raises(aiohttp.ClientOSError):
        await plain.send("DELETE", "/deletedkeys/k")

    assert _seen(operator.hsm)[-1][0] == "DELETE"
    assert (await operator.send("GET", "/deletedkeys/k")).status == 404
