"""The clients against an HSM that misbehaves: what they send, and what they make of it.

The journal of the emulator shows what was on the wire. Single bytes and moments are tested with scripted transports.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
from azure.core.exceptions import HttpResponseError

from azure.keyvault.administration._runtime.challenge_cache import CHALLENGES
from azure.keyvault.administration.aio import KeyVaultAccessControlClient, KeyVaultBackupClient
from azure.keyvault.administration.emulator import ManagedHsmEmulator, faults
from azure.keyvault.administration.emulator.faults import FailedJobForm
from fakes import ALICE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from azure.keyvault.administration.emulator.faults import Fault

DEFINITIONS = "/providers/Microsoft.Authorization/roleDefinitions"
ASSIGNMENTS = "/providers/Microsoft.Authorization/roleAssignments"
NAME = "ff388517-2e5c-4d0f-8a0b-0d6f5c3b7a01"
CRYPTO_USER = f"Microsoft.KeyVault{DEFINITIONS}/21dbd100-6940-42c2-9190-5d6cb909625b"
POLLS = "/backup/*/pending"
# The waits are those of the policies, only shorter.
QUICK: dict[str, Any] = {"retry_backoff_factor": 0.001}
OFTEN: dict[str, Any] = {"polling_interval": 0.001}


@pytest_asyncio.fixture(name="hsm")
async def _hsm() -> AsyncIterator[ManagedHsmEmulator]:
    async with ManagedHsmEmulator(job_duration=0.01, retry_after=0) as hsm:
        yield hsm


@pytest_asyncio.fixture(name="client")
async def _client(hsm: ManagedHsmEmulator) -> AsyncIterator[KeyVaultAccessControlClient]:
    async with KeyVaultAccessControlClient(hsm.vault_url, hsm.credential, **hsm.client_kwargs, **QUICK) as client:
        yield client


@pytest_asyncio.fixture(name="backup")
async def _backup(hsm: ManagedHsmEmulator) -> AsyncIterator[KeyVaultBackupClient]:
    async with KeyVaultBackupClient(hsm.vault_url, hsm.credential, **hsm.client_kwargs, **QUICK) as client:
        yield client


async def begin(hsm: ManagedHsmEmulator, backup: KeyVaultBackupClient) -> Any:
    return await backup.begin_backup(hsm.container_url, hsm.sas_token, **OFTEN)


def seen(hsm: ManagedHsmEmulator, *, polls: bool = False) -> list[tuple[str, int | None, str | None]]:
    """Return method, status and fault of each request; how often a job is polled is a matter of time."""
    return [(each.method, each.status, each.fault) for each in hsm.journal if polls or "/pending" not in each.path]


# Jobs that fail.


@pytest.mark.parametrize(
    ("form", "code"),
    [(FailedJobForm.AT_ONCE, "Failed"), (FailedJobForm.STATUS_DETAILS, "Failed"), (FailedJobForm.ERROR, "NoContainer")],
    ids=lambda value: str(getattr(value, "value", value)),
)
async def test_a_failed_job_raises_from_result_with_the_reason(
    hsm: ManagedHsmEmulator, backup: KeyVaultBackupClient, form: FailedJobForm, code: str
) -> None:
    hsm.faults.add(faults.FailedJob(form, "NoContainer", "The container is gone."))

    poller = await begin(hsm, backup)
    with pytest.raises(HttpResponseError, match="The container is gone") as caught:
        await poller.result()

    assert f"the backup job {poller.details.job_id}" in str(caught.value)
    assert caught.value.error is not None
    assert caught.value.error.code == code
    assert (poller.done(), poller.status()) == (True, "Failed")


async def test_a_poll_with_400_raises_with_code_message_and_job(
    hsm: ManagedHsmEmulator, backup: KeyVaultBackupClient
) -> None:
    hsm.faults.add(faults.FailedJob(FailedJobForm.POLL_REFUSED, "BadRequest", "The SAS token is malformed."))

    poller = await begin(hsm, backup)
    with pytest.raises(HttpResponseError) as caught:
        await poller.result()

    assert caught.value.error is not None
    assert (caught.value.status_code, caught.value.error.code) == (400, "BadRequest")
    assert "The SAS token is malformed" in str(caught.value)
    assert f"the backup job {poller.details.job_id}" in str(caught.value)
    assert caught.value.continuation_token == poller.continuation_token()


async def test_a_start_that_is_refused_raises_from_begin(hsm: ManagedHsmEmulator, backup: KeyVaultBackupClient) -> None:
    hsm.faults.add(faults.FailedJob(FailedJobForm.START_REFUSED, "BadRequest", "The SAS token is malformed."))

    with pytest.raises(HttpResponseError, match="The SAS token is malformed") as caught:
        await begin(hsm, backup)

    assert "may have started" not in str(caught.value)


async def test_a_lost_probe_of_a_start_is_retried(hsm: ManagedHsmEmulator, backup: KeyVaultBackupClient) -> None:
    hsm.faults.add(faults.Drop(), anonymous=True)

    await (await begin(hsm, backup)).result()

    assert seen(hsm) == [("POST", None, "drop"), ("POST", 401, None), ("POST", 202, None)]


# Polls.


async def test_a_challenged_poll_is_repeated_and_the_start_is_not(
    hsm: ManagedHsmEmulator, backup: KeyVaultBackupClient
) -> None:
    hsm.faults.add(faults.Challenge(), path=POLLS)

    await (await begin(hsm, backup)).result()

    assert seen(hsm) == [("POST", 401, None), ("POST", 202, None)]
    assert seen(hsm, polls=True)[2:4] == [("GET", 401, "challenge"), ("GET", 200, None)]


@pytest.mark.parametrize(
    "fault",
    [faults.Status(503), faults.Drop(), faults.Reset(after_work=True), faults.TruncatedBody(), faults.Throttle(0)],
    ids=lambda fault: fault.kind,
)
async def test_a_lost_poll_is_retried(hsm: ManagedHsmEmulator, backup: KeyVaultBackupClient, fault: Fault) -> None:
    hsm.faults.add(fault, path=POLLS)

    await (await begin(hsm, backup)).result()

    assert seen(hsm) == [("POST", 401, None), ("POST", 202, None)]
    assert Counter(entry.fault for entry in hsm.journal)[fault.kind] == 1


async def test_a_lost_page_is_retried(hsm: ManagedHsmEmulator, client: KeyVaultAccessControlClient) -> None:
    hsm.faults.add(faults.PageSize(5))
    hsm.faults.add(faults.TruncatedBody(), path=DEFINITIONS)

    names = [item.name async for item in client.list_role_definitions("/")]

    assert len(set(names)) == len(names) == 10
    assert Counter(entry.fault for entry in hsm.journal)["truncated body"] == 1


# Creates and deletes.


@pytest.mark.parametrize(("path", "fault"), [(DEFINITIONS, faults.Status(503)), (ASSIGNMENTS, faults.Reset())])
async def test_retries_keep_a_generated_name(
    hsm: ManagedHsmEmulator, client: KeyVaultAccessControlClient, path: str, fault: Fault
) -> None:
    hsm.faults.add(fault, method="PUT", times=2)

    if path == DEFINITIONS:
        made = (await client.set_role_definition("/")).name
    else:
        made = (await client.create_role_assignment("/", CRYPTO_USER, ALICE)).name

    assert {entry.path for entry in hsm.journal} == {f"{path}/{made}"}
    # A dropped connection may cost a request that the journal shows, and the retries do not count.
    assert [entry.status for entry in hsm.journal].count(201) == 1


@pytest.mark.parametrize(
    "lost",
    [faults.Drop(after_work=True), faults.TruncatedBody(), faults.Status(503, after_work=True)],
    ids=lambda fault: fault.kind,
)
async def test_an_assignment_whose_response_is_lost_is_read_back(
    hsm: ManagedHsmEmulator, client: KeyVaultAccessControlClient, lost: Fault
) -> None:
    hsm.faults.add(lost, method="PUT")

    created = await client.create_role_assignment("/keys", CRYPTO_USER, ALICE)

    assert created in [item async for item in client.list_role_assignments("/keys")]
    assert [entry.method for entry in hsm.journal][:4] == ["PUT", "PUT", "PUT", "GET"]
    # The emulator says RoleAssignmentExists to the same name, as the service does.
    assert [entry.status for entry in hsm.journal][2:4] == [400, 200]
    assert len({entry.path for entry in hsm.journal[:4]}) == 1


async def test_an_assignment_of_the_same_name_at_another_scope_is_not_ours(
    hsm: ManagedHsmEmulator, client: KeyVaultAccessControlClient
) -> None:
    await client.create_role_assignment("/keys", CRYPTO_USER, ALICE, name=NAME)
    hsm.faults.add(faults.Drop(), method="PUT")

    with pytest.raises(HttpResponseError) as caught:
        await client.create_role_assignment("/", CRYPTO_USER, ALICE, name=NAME)

    assert caught.value.error is not None
    assert caught.value.error.code == "RoleAssignmentExists"


async def test_a_role_whose_response_is_lost_exists_once(
    hsm: ManagedHsmEmulator, client: KeyVaultAccessControlClient
) -> None:
    hsm.faults.add(faults.Drop(after_work=True), method="PUT")

    created = await client.set_role_definition("/", role_name="mine")

    assert [item async for item in client.list_role_definitions("/") if item.role_name == "mine"] == [created]


async def test_a_lost_probe_is_not_an_earlier_create(hsm: ManagedHsmEmulator) -> None:
    async with KeyVaultAccessControlClient(hsm.vault_url, hsm.credential, **hsm.client_kwargs) as other:
        await other.create_role_assignment("/", CRYPTO_USER, ALICE)
    hsm.journal.clear()
    CHALLENGES.clear()
    hsm.faults.add(faults.Status(503), anonymous=True)

    async with KeyVaultAccessControlClient(hsm.vault_url, hsm.credential, **hsm.client_kwargs, **QUICK) as client:
        with pytest.raises(HttpResponseError, match="MatchingRoleAssignmentExists"):
            await client.create_role_assignment("/", CRYPTO_USER, ALICE)

    assert seen(hsm) == [("PUT", 503, "status"), ("PUT", 401, None), ("PUT", 400, None)]


async def test_a_delete_whose_response_is_lost_succeeds(
    hsm: ManagedHsmEmulator, client: KeyVaultAccessControlClient
) -> None:
    await client.set_role_definition("/", name=NAME)
    await client.create_role_assignment("/", CRYPTO_USER, ALICE, name=NAME)
    hsm.journal.clear()

    hsm.faults.add(faults.Drop(after_work=True), method="DELETE")
    await client.delete_role_definition("/", NAME)
    hsm.faults.add(faults.Status(503, after_work=True), method="DELETE")
    await client.delete_role_assignment("/", NAME)

    assert seen(hsm) == [
        *(("DELETE", None, "drop"), ("DELETE", 404, None)),
        *(("DELETE", 503, "status"), ("DELETE", 404, None)),
    ]


# Challenges.


async def test_each_of_many_challenged_requests_is_repeated_once(
    hsm: ManagedHsmEmulator, client: KeyVaultAccessControlClient
) -> None:
    names = [f"00000000-0000-4000-8000-{number:012}" for number in range(40)]
    for name in names:
        hsm.faults.add(faults.ClaimsChallenge(), path=f"{DEFINITIONS}/{name}")

    await asyncio.gather(*(client.set_role_definition("/", name=name, role_name=f"role {name}") for name in names))

    roles = {role.name: role.role_name async for role in client.list_role_definitions("/")}
    assert [roles[name] for name in names] == [f"role {name}" for name in names]
    answers = Counter((entry.path.rpartition("/")[2], entry.status, entry.fault) for entry in hsm.journal)
    assert [answers[name, 401, "claims challenge"] for name in names] == [1] * 40
    assert [answers[name, 201, None] for name in names] == [1] * 40
