"""Log messages of the library: jobs at INFO, and at WARNING what needs an action."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError

from azure.keyvault.administration.aio import KeyVaultAccessControlClient, KeyVaultBackupClient
from azure.keyvault.administration.emulator import ManagedHsmEmulator
from fakes import CHALLENGE, CONTAINER, SAS, VAULT, Answer, FakeCredential, ScriptedTransport, resource_challenge

_PACKAGE = "azure.keyvault.administration"
_STATUS_URL = f"{VAULT}/backup/5f/pending"


@pytest.fixture(name="log")
def _log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO, logger=_PACKAGE)
    return caplog


def _said(log: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    """Return level and text of what the client said: neither azure-core nor the emulator."""
    return [
        (record.levelname, record.getMessage())
        for record in log.records
        if record.name.startswith(_PACKAGE) and ".emulator" not in record.name
    ]


def _job(status: str, **members: Any) -> dict[str, Any]:
    return {"status": status, "jobId": "5f", "error": None, "statusDetails": None, **members}


def _backup_client(*answers: Answer) -> KeyVaultBackupClient:
    return KeyVaultBackupClient(VAULT, FakeCredential(), transport=ScriptedTransport(CHALLENGE, *answers))


def _started(status: str = "InProgress", **members: Any) -> Answer:
    return Answer(202, _job(status, **members), {"azure-asyncoperation": _STATUS_URL})


async def test_a_job_tells_its_start_and_its_end_once_with_id_and_duration(log: pytest.LogCaptureFixture) -> None:
    client = _backup_client(
        _started(), Answer(200, _job("InProgress")), *[Answer(200, _job("Succeeded", startTime=100, endTime=172))] * 2
    )

    poller = await client.begin_backup(CONTAINER, SAS)
    await poller.result()
    await poller.update_status()

    assert _said(log) == [("INFO", "Started the backup job 5f."), ("INFO", "The backup job 5f succeeded after 72 s.")]


async def test_a_job_that_has_ended_when_it_is_started_tells_both(log: pytest.LogCaptureFixture) -> None:
    await _backup_client(_started("Succeeded")).begin_backup(CONTAINER, SAS)

    assert _said(log) == [("INFO", "Started the backup job 5f."), ("INFO", "The backup job 5f succeeded.")]


async def test_a_failed_job_is_a_warning_with_its_reason_and_no_secret(log: pytest.LogCaptureFixture) -> None:
    details = f"Cannot write with {SAS}"
    client = _backup_client(
        _started(), Answer(200, _job("Failed", startTime=1, endTime=3, error={"code": "Denied", "message": details}))
    )

    poller = await client.begin_backup(CONTAINER, SAS)
    await poller.update_status()

    assert _said(log)[1:] == [
        ("WARNING", "The backup job 5f did not succeed after 2 s: (Denied) Cannot write with REDACTED")
    ]


async def test_a_job_that_is_resumed_says_so(log: pytest.LogCaptureFixture) -> None:
    client = _backup_client(_started(), Answer(200, _job("Succeeded")))
    token = (await client.begin_backup(CONTAINER, SAS)).continuation_token()
    log.clear()

    await client.begin_backup("", continuation_token=token)

    assert _said(log) == [("INFO", "Following the backup job 5f."), ("INFO", "The backup job 5f succeeded.")]


@pytest.mark.parametrize("method", ["begin_pre_backup", "begin_pre_restore"])
async def test_a_failed_pre_check_is_not_a_warning(method: str, log: pytest.LogCaptureFixture) -> None:
    poller = await getattr(_backup_client(_started("Failed", statusDetails="Denied")), method)(f"{CONTAINER}/f", SAS)

    with pytest.raises(HttpResponseError, match="Denied"):
        await poller.result()

    kind = poller.details.kind
    assert _said(log) == [
        ("INFO", f"Started the {kind} job 5f."),
        ("INFO", f"The {kind} job 5f did not succeed: (Failed) Denied"),
    ]


async def test_scopes_that_the_service_did_not_take_are_a_warning(
    client: KeyVaultAccessControlClient, log: pytest.LogCaptureFixture
) -> None:
    role = await client.set_role_definition("/", role_name="Reader", assignable_scopes=["/keys"])
    await client.set_role_definition("/", role_name="Writer", assignable_scopes=["/", "/"])

    assert _said(log) == [
        ("WARNING", f"The role definition {role.name} can be assigned at ['/']: the service did not take ['/keys'].")
    ]


async def test_two_ways_into_a_container_are_a_warning(log: pytest.LogCaptureFixture) -> None:
    client: Any = _backup_client(_started())

    await client.begin_backup(CONTAINER, SAS, use_managed_identity=True)

    assert _said(log)[0] == (
        "WARNING",
        "Both sas_token and use_managed_identity are given: the service decides between them.",
    )


def test_a_key_vault_is_a_warning(log: pytest.LogCaptureFixture) -> None:
    KeyVaultAccessControlClient("https://contoso.vault.azure.net", FakeCredential())

    assert _said(log) == [
        ("WARNING", "https://contoso.vault.azure.net is a Key Vault: this API serves Managed HSMs only.")
    ]


async def test_a_success_logs_no_warning(hsm: ManagedHsmEmulator, log: pytest.LogCaptureFixture) -> None:
    async with KeyVaultBackupClient(hsm.vault_url, hsm.credential, **hsm.client_kwargs) as client:
        await (await client.begin_backup(hsm.container_url, hsm.sas_token, polling_interval=0.05)).result()
        with pytest.raises(HttpResponseError):
            await client.begin_restore("https://a.blob.core.windows.net/no/folder", "sv=1")

    assert {level for level, _ in _said(log)} == {"INFO"}


async def test_requests_are_logged_with_support_headers_and_no_secret(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="azure.core")
    headers = {"X-Ms-Keyvault-Region": "westus", "x-ms-keyvault-network-info": "addr=10.0.0.1", "x-other": "other"}
    headers |= {"x-ms-keyvault-service-version": "1.2.3", "x-ms-error-code": "token-1 is not allowed"}
    transport = ScriptedTransport(CHALLENGE, Answer(200, {"value": []}, headers))
    client = KeyVaultAccessControlClient(VAULT, FakeCredential(), transport=transport)

    _ = [item async for item in client.list_role_assignments("/")]

    assert caplog.messages[-1].splitlines() == [
        "Response status: 200",
        "Response headers:",
        "    'Content-Type': 'application/json; charset=utf-8'",
        "    'X-Ms-Keyvault-Region': 'westus'",
        "    'x-ms-keyvault-network-info': 'addr=10.0.0.1'",
        "    'x-other': 'REDACTED'",
        "    'x-ms-keyvault-service-version': '1.2.3'",
        "    'x-ms-error-code': 'REDACTED is not allowed'",
    ]
    # A challenge is not a secret.
    assert resource_challenge() in caplog.text


async def test_loggers_are_named_after_modules(log: pytest.LogCaptureFixture) -> None:
    await _backup_client(_started()).begin_backup(CONTAINER, SAS)

    names = {record.name for record in log.records if record.name.startswith(_PACKAGE)}
    assert names == {f"{_PACKAGE}._runtime.polling"}
