"""Programs in other processes set faults, read the journal, move the clock and revoke tokens."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
import pytest_asyncio
from yarl import URL

from azure.keyvault.administration.emulator import JournalEntry, ManagedHsmEmulator, faults
from azure.keyvault.administration.emulator._hsm.journal import Recorder
from emulator.operator_client import ALICE
from emulator.raw import ROLE_DEFINITIONS, RawClient

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

EVERY_KIND: list[dict[str, Any]] = [
    {"kind": "status", "status": 503, "body": {"a": 1}, "headers": {"X-A": "b"}, "after_work": True},
    {"kind": "throttle", "retry_after": 3},
    {"kind": "delay", "seconds": 0.5, "after_work": True},
    {"kind": "drop", "after_work": True},
    {"kind": "reset", "after_work": False},
    {"kind": "truncated body"},
    {"kind": "malformed body"},
    {"kind": "challenge"},
    {"kind": "claims challenge"},
    {"kind": "page size", "items": 2},
    {"kind": "failed job", "form": "poll refused", "code": "C", "message": "M"},
    {"kind": "slow job", "seconds": 20},
]


class Control:
    """Talks to the control path, as a program in any language would."""

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self._url = url
        self._session = session

    async def send(self, method: str, path: str, body: object = None, **headers: str) -> tuple[int, Any]:
        async with self._session.request(method, self._url + path, json=body, headers=headers) as reply:
            return reply.status, await reply.json() if reply.content_type == "application/json" else await reply.text()


@pytest_asyncio.fixture(name="control")
async def _control(hsm: ManagedHsmEmulator) -> AsyncIterator[Control]:
    async with aiohttp.ClientSession() as session:
        yield Control(hsm.environment()["EMULATOR_CONTROL_URL"], session)


async def test_a_fault_of_every_kind_is_set_and_listed(hsm: ManagedHsmEmulator, control: Control) -> None:
    kinds = {each for each in vars(faults).values() if isinstance(each, type) and issubclass(each, faults.Fault)}
    assert {each["kind"] for each in EVERY_KIND} == {each.kind for each in kinds if hasattr(each, "kind")}

    for number, fault in enumerate(EVERY_KIND, 1):
        where = (
            {"method": "GET", "path": "/keys"}
            if fault["kind"] == "page size"
            else {"method": "PUT", "path": "/restore"}
        )
        rule = {"fault": fault, **where, "times": 3, "skip": 1, "anonymous": True}
        added = {**rule, "id": number, "delivered": 0}

        assert await control.send("POST", "/faults", rule) == (201, added)
        assert await control.send("GET", "/faults") == (200, {"value": [added]})
        assert len(hsm.faults) == 1
        assert await control.send("DELETE", "/faults") == (204, "")
        assert await control.send("GET", "/faults") == (200, {"value": []})


async def test_form_of_a_failed_job_is_its_name(hsm: ManagedHsmEmulator, control: Control) -> None:
    await control.send("POST", "/faults", {"fault": {"kind": "failed job", "form": "start refused"}})

    (rule,) = hsm.faults
    assert isinstance(rule.fault, faults.FailedJob)
    assert rule.fault.form is faults.FailedJobForm.START_REFUSED


async def test_one_fault_is_removed_and_the_others_stay(hsm: ManagedHsmEmulator, control: Control) -> None:
    added = [(await control.send("POST", "/faults", {"fault": {"kind": "drop"}, "times": None}))[1] for _ in range(2)]

    for _ in range(2):
        assert await control.send("DELETE", f"/faults/{added[0]['id']}") == (204, "")

    assert await control.send("GET", "/faults") == (200, {"value": added[1:]})
    assert (await control.send("DELETE", "/faults/x"))[0] == 404
    assert len(hsm.faults) == 1


async def test_a_fault_happens_as_often_as_asked_and_the_journal_tells(raw: RawClient, control: Control) -> None:
    await control.send("POST", "/faults", {"fault": {"kind": "delay", "seconds": 0}, "times": 2})
    assert [(await raw.send("GET", ROLE_DEFINITIONS)).status for _ in range(3)] == [200] * 3

    status, journal = await control.send("GET", "/journal")

    assert status == 200
    assert [entry.pop("time") > 1.7e9 for entry in journal["value"]] == [True] * 3
    expected = {"method": "GET", "path": ROLE_DEFINITIONS, "principal": raw.principal, "status": 200}
    assert journal == {"value": [expected | {"fault": fault} for fault in ("delay", "delay", None)]}
    assert await control.send("DELETE", "/journal") == (204, "")
    assert await control.send("GET", "/journal") == (200, {"value": []})


async def test_the_clock_is_put_forward(hsm: ManagedHsmEmulator, control: Control) -> None:
    _, before = await control.send("GET", "/clock")

    status, after = await control.send("POST", "/clock", {"advance": 3600})

    assert status == 200
    assert after["now"] >= before["now"] + 3600
    assert hsm.clock.now() >= after["now"]


@pytest.mark.parametrize("body", [{}, {"objectId": None}, {"objectId": "PRINCIPAL"}])
async def test_tokens_are_revoked(raw: RawClient, control: Control, body: dict[str, Any]) -> None:
    token = await raw.token()
    named = {name: value and raw.principal for name, value in body.items()}

    assert await control.send("POST", "/revocations", {"objectId": ALICE}) == (204, "")
    assert (await raw.send("GET", ROLE_DEFINITIONS, token=token)).status == 200
    assert await control.send("POST", "/revocations", named) == (204, "")
    assert (await raw.send("GET", ROLE_DEFINITIONS, token=token)).status == 401


async def test_a_revocation_that_cannot_be_stored_is_an_error_of_one_line(
    hsm: ManagedHsmEmulator, control: Control, caplog: pytest.LogCaptureFixture
) -> None:
    hsm._run.hsm.store.close()

    status, answer = await control.send("POST", "/revocations", {})

    assert (status, caplog.text) == (503, "")
    assert answer["message"].startswith("The revocation could not be stored: memory: ")


@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        ("/faults", [], "The body must be an object; it may have anonymous, fault, method, path, skip, times"),
        ("/faults", {"fault": {"kind": "drop"}, "x": 1}, None),
        ("/faults", {"fault": "drop"}, "fault must be an object"),
        ("/faults", {"fault": {"kind": "x"}}, None),
        ("/faults", {"fault": {"kind": "drop", "x": 1}}, "The parameters of 'drop' are: after_work; got x"),
        ("/faults", {"fault": {"kind": "delay"}}, "The parameters of 'delay' are: seconds, after_work; got none"),
        ("/faults", {"fault": {"kind": "drop"}, "times": "1"}, "times must be a whole number from 1, or None, got '1'"),
        ("/clock", {}, "advance: seconds must be a number of seconds from 0 to 1000000000 in all, got None"),
        ("/clock", {"advance": -1}, "advance: seconds must be a number of seconds from 0 to 1000000000 in all, got -1"),
        ("/revocations", {"objectId": "me"}, "objectId must be a GUID, got 'me'"),
        ("/revocations", {"objectId": 1}, "objectId must be a GUID, got 1"),
    ],
)
async def test_invalid_body_is_refused(
    hsm: ManagedHsmEmulator, control: Control, path: str, body: object, message: str | None
) -> None:
    status, answer = await control.send("POST", path, body)

    assert status == 400
    assert message in {None, answer["message"]}
    assert list(hsm.faults) == []


async def test_request_without_the_key_is_refused(hsm: ManagedHsmEmulator) -> None:
    base, _, right = hsm.control_url.rpartition("/")
    wrong = ["", f"/{'0' * len(right)}", f"/{right}x", f"/{right:.8}", "/%FF", "/..", f"//{right}"]
    assert base.endswith("/control")

    async with aiohttp.ClientSession() as session:
        for path in [*(f"{key}/faults" for key in wrong), "", "/"]:
            for method in ("GET", "DELETE"):
                async with session.request(method, URL(base + path, encoded=True)) as reply:
                    assert reply.status == 403
                    assert "EMULATOR_CONTROL_URL" in (await reply.json())["message"]


async def test_each_emulator_has_its_own_key(hsm: ManagedHsmEmulator) -> None:
    keys = {hsm.control_url.rpartition("/")[2]}
    for _ in range(2):
        async with ManagedHsmEmulator() as other:
            assert other.control_url == other.environment()["EMULATOR_CONTROL_URL"]
            keys.add(other.control_url.rpartition("/")[2])

    assert len(keys) == 3
    assert all(len(bytes.fromhex(key)) == 32 for key in keys)


async def test_unknown_path_is_not_found(control: Control) -> None:
    assert (await control.send("GET", "/nothing"))[0] == 404
    assert (await control.send("PUT", "/faults"))[0] == 405


async def test_others_are_served_while_a_long_journal_is_shown(hsm: ManagedHsmEmulator, control: Control) -> None:
    begun, may_end = threading.Event(), threading.Event()
    waits: list[bool] = []

    class SlowEntry(JournalEntry):
        """An entry that takes its time to be shown."""

        def __getattribute__(self, name: str) -> Any:
            if name == "status":
                begun.set()
                waits.append(may_end.wait(60))
            return super().__getattribute__(name)

    assert isinstance(hsm.journal, Recorder)
    hsm.journal.append(SlowEntry("GET", "/slow", None, 200))
    assert not begun.is_set()
    journal = asyncio.create_task(control.send("GET", "/journal"))
    assert await asyncio.to_thread(begun.wait, 60)

    status, _ = await control.send("GET", "/clock")
    may_end.set()

    assert status == 200
    assert [entry["path"] for entry in (await journal)[1]["value"]] == ["/slow"]
    assert waits == [True]


async def test_web_pages_are_kept_out(hsm: ManagedHsmEmulator, control: Control) -> None:
    fault = {"fault": {"kind": "drop"}}

    assert (await control.send("POST", "/faults", fault, Origin="https://example.org"))[0] == 403
    assert (await control.send("GET", "/journal", None, Host="example.org"))[0] == 403
    assert (await control.send("POST", "/faults", fault, **{"Content-Type": "text/plain"}))[0] == 415
    assert list(hsm.faults) == []
