"""A call that is cancelled, at any of its waits, leaves nothing behind, and its client goes on working."""

from __future__ import annotations

import asyncio
import inspect
import ssl
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from itertools import count
from typing import Any, NamedTuple

import aiohttp
import pytest
from azure.core.pipeline.transport import AioHttpTransport
from azure.core.rest import HttpRequest

from azure.keyvault.administration._runtime.challenge_cache import CHALLENGES
from azure.keyvault.administration.aio import AsyncKeyVaultLROPoller, KeyVaultAccessControlClient, KeyVaultBackupClient
from azure.keyvault.administration.emulator import ManagedHsmEmulator
from fakes import (
    CHALLENGE,
    CONTAINER,
    FOLDER,
    SAS,
    VAULT,
    Answer,
    FakeCredential,
    ScriptedTransport,
    Sent,
    claims_challenge,
    error,
    unauthorized,
)
from stepping import Moment, cancelled_at

ROLES = "/providers/Microsoft.Authorization/roleDefinitions"
NAME = "2f5b1a7e-6c1d-4f7a-9b35-7f0c5c9d7f11"
ROLE = {"id": ROLES + NAME, "name": NAME, "properties": {"permissions": [], "assignableScopes": ["/"]}}
ASSIGNMENT = {"name": NAME, "properties": {"principalId": "p", "roleDefinitionId": "r", "scope": "/"}}


class Clients(NamedTuple):
    """Both clients of one HSM, with a place for backups."""

    access: KeyVaultAccessControlClient
    backup: KeyVaultBackupClient
    container: str = CONTAINER
    folder: str = FOLDER
    sas: str = SAS


Use = Callable[[Clients], Awaitable[Any]]


async def _all(items: Any) -> Any:
    return [item async for item in items]


async def _together(calls: Iterable[Awaitable[Any]]) -> Any:
    return await asyncio.gather(*calls)


async def _result(clients: Clients) -> None:
    await (await clients.backup.begin_backup(clients.container, clients.sas, polling_interval=0.001)).result()


async def _wait(clients: Clients) -> None:
    await (await clients.backup.begin_restore(clients.folder, clients.sas, polling_interval=0.001)).wait()


async def _update_status(clients: Clients) -> None:
    poller = await clients.backup.begin_pre_restore(clients.folder, clients.sas)
    await poller.update_status()


async def _stream(clients: Clients) -> None:
    response = await clients.access.send_request(HttpRequest("GET", ROLES), stream=True)
    async with response:
        async for _ in response.iter_bytes():
            pass


async def _close(clients: Clients) -> None:
    async with clients.access:
        await clients.access.close()
    await clients.backup.close()


USES: dict[str, Use] = {
    "create_role_assignment": lambda of: of.access.create_role_assignment("/", "r", "p", name=NAME),
    "get_role_assignment": lambda of: of.access.get_role_assignment("/", NAME),
    "delete_role_assignment": lambda of: of.access.delete_role_assignment("/", NAME),
    "list_role_assignments": lambda of: _all(of.access.list_role_assignments("/")),
    "set_role_definition": lambda of: of.access.set_role_definition("/", name=NAME),
    "get_role_definition": lambda of: of.access.get_role_definition("/", NAME),
    "delete_role_definition": lambda of: of.access.delete_role_definition("/", NAME),
    "list_role_definitions": lambda of: _all(of.access.list_role_definitions("/")),
    "send_request": _stream,
    "begin_backup": lambda of: of.backup.begin_backup(of.container, of.sas),
    "begin_pre_backup": lambda of: of.backup.begin_pre_backup(of.container, of.sas),
    "begin_restore": lambda of: of.backup.begin_restore(of.folder, of.sas, key_name="k"),
    "begin_pre_restore": lambda of: of.backup.begin_pre_restore(of.folder, of.sas),
    "result": _result,
    "wait": _wait,
    "update_status": _update_status,
    "close": _close,
}


def test_every_public_coroutine_is_among_those_that_get_cancelled() -> None:
    public = {
        name
        for owner in (KeyVaultAccessControlClient, KeyVaultBackupClient, AsyncKeyVaultLROPoller)
        for name, member in inspect.getmembers(owner)
        if not name.startswith("_") and (inspect.iscoroutinefunction(member) or name.startswith("list_"))
    }

    assert public == set(USES)


class TroubledHsm:
    """Wants claims, then to be left alone for a while, then loses an answer; and answers well in the end."""

    def __init__(self) -> None:
        self._tries: Counter[tuple[str, str]] = Counter()
        self.calm = False
        self.accepted: Counter[str] = Counter()

    def __call__(self, sent: Sent) -> Answer:
        if sent.token is None:
            return CHALLENGE
        path = sent.url.removeprefix(VAULT).partition("?")[0]
        self._tries[sent.method, path] += 1
        number = self._tries[sent.method, path]
        is_start = sent.method != "GET" and "providers" not in path
        if self.calm:
            return self._good(sent.method, path, sent.url)
        if number == 1:
            return unauthorized(claims_challenge('{"access_token":{}}'))
        if number == 2:
            return Answer(429, headers={"Retry-After": "1"})
        if number == 3 and not is_start:
            return Answer(503)
        if sent.method != "GET":
            self.accepted[path] += 1
        return self._good(sent.method, path, sent.url)

    def _good(self, method: str, path: str, url: str) -> Answer:
        if path.endswith(("roleDefinitions", "roleAssignments")):
            item = ROLE if "Definitions" in path else ASSIGNMENT
            more = {} if "page" in url else {"nextLink": f"{url}&page=2"}
            return Answer(200, {"value": [item], **more})
        if "roleAssignments" in path:
            if method == "PUT" and not self.calm:
                return Answer(400, error("MatchingRoleAssignmentExists", "It exists"))
            return Answer(201 if method == "PUT" else 200, ASSIGNMENT)
        if "roleDefinitions" in path:
            return Answer(201 if method == "PUT" else 200, ROLE)
        job = {"jobId": "j", "status": "InProgress", "azureStorageBlobContainerUri": FOLDER}
        if method == "GET":
            return Answer(
                200, {**job, "status": "Succeeded" if self.calm or self._tries[method, path] > 5 else "InProgress"}
            )
        family = "backup" if "backup" in path else "restore"
        return Answer(202, job, {"azure-asyncoperation": f"{VAULT}/{family}/j/pending"})


@pytest.mark.parametrize("moment", Moment)
@pytest.mark.parametrize("name", USES)
async def test_a_cancelled_call_leaves_nothing_behind_and_the_client_works(name: str, moment: Moment) -> None:
    use = USES[name]
    ahead = asyncio.all_tasks()
    for step in count(1):
        CHALLENGES.clear()
        hsm = TroubledHsm()
        credential = FakeCredential()
        transport: Any = ScriptedTransport(server=hsm)
        clients = Clients(
            KeyVaultAccessControlClient(VAULT, credential, transport=transport),
            KeyVaultBackupClient(VAULT, credential, transport=transport),
        )

        cancelled = await cancelled_at(step, moment, use(clients))

        assert asyncio.all_tasks() == ahead
        assert max(hsm.accepted.values(), default=0) <= 1
        hsm.calm = True
        async with clients.access, clients.backup:
            await asyncio.wait_for(use(clients), 10)
        if not cancelled:
            break
    # The scripts make every call but the last wait dozens of times; a number that drops tells of a test gone blind.
    assert step > (20 if name != "close" else 0)


@pytest.mark.parametrize("moment", Moment)
@pytest.mark.parametrize("leads", [True, False], ids=["leader", "follower"])
async def test_a_call_that_shares_a_challenge_with_a_cancelled_one_succeeds(leads: bool, moment: Moment) -> None:
    def wants_claims_of_the_first_token(sent: Sent) -> Answer:
        if sent.token is None:
            return CHALLENGE
        return unauthorized(claims_challenge("{}")) if sent.token == "token-1" else Answer(200, ROLE)

    for step in count(1):
        CHALLENGES.clear()
        transport: Any = ScriptedTransport(server=wants_claims_of_the_first_token)
        async with KeyVaultAccessControlClient(VAULT, FakeCredential(), transport=transport) as client:
            others: Any = _together(client.get_role_definition("/", NAME) for _ in range(3))
            call = client.get_role_definition("/", NAME)
            if not leads:
                others = asyncio.ensure_future(others)
                await asyncio.sleep(0)
                await asyncio.sleep(0)

            if not await cancelled_at(step, moment, call, bystander=others):
                break
    assert step > 5


@pytest.mark.parametrize("moment", Moment)
@pytest.mark.parametrize("name", ["list_role_definitions", "set_role_definition", "send_request", "result", "close"])
async def test_a_cancelled_call_over_tls_gives_its_connection_back(name: str, moment: Moment) -> None:
    async with ManagedHsmEmulator(job_duration=0, retry_after=0) as hsm:
        ahead = asyncio.all_tasks()
        for step in count(1):
            CHALLENGES.clear()
            clients = _clients(hsm)

            cancelled = await cancelled_at(step, moment, USES[name](clients))

            if name != "close":
                roles = await asyncio.wait_for(_all(clients.access.list_role_definitions("/")), 10)
                assert len(roles) > 5
            await clients.access.close()
            if not cancelled:
                break
            await _settled(ahead)
    assert step > (5 if name != "close" else 0)


def _clients(hsm: ManagedHsmEmulator) -> Clients:
    """Return clients that share one connection: were it lost, the next call would wait for ever."""
    context = ssl.create_default_context(cadata=hsm.ca_certificate.decode())
    connector = aiohttp.TCPConnector(limit=1, ssl=context)
    session = aiohttp.ClientSession(connector=connector, auto_decompress=False)
    options: dict[str, Any] = {"transport": AioHttpTransport(session=session), "verify_challenge_resource": False}
    return Clients(
        KeyVaultAccessControlClient(hsm.localhost_url, hsm.credential, **options),
        KeyVaultBackupClient(hsm.localhost_url, hsm.credential, **options),
        hsm.container_url,
        sas=hsm.sas_token,
    )


async def _settled(ahead: set[asyncio.Task[Any]]) -> None:
    """Wait until nothing runs but what ran before: connections are closed, and jobs have ended."""

    async def settle() -> None:
        # There is no event for the end of an aiohttp task.
        while asyncio.all_tasks() - ahead - {own, asyncio.current_task()}:  # noqa: ASYNC110
            await asyncio.sleep(0.001)

    own = asyncio.current_task()
    await asyncio.wait_for(settle(), 10)
