"""Backup, restore and single-key restore over HTTP: job bodies byte for byte, whole state before and after."""

from __future__ import annotations

import asyncio
import json
import re
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from azure.keyvault.administration.emulator import ManagedHsmEmulator
from emulator.operator_client import ALICE, BOB, Operator, failed, folder_of, operating
from emulator.raw import ACTION, BACKUP_USER, CRYPTO_USER, RESTORE_USER, ROLE_DEFINITIONS
from emulator.slow_key import SlowKey

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from emulator.raw import Reply

BASE = "https://emulated-hsm.managedhsm.azure.net"
RESTORING = (
    409,
    "Conflict",
    "User triggered Restore operation is in progress. Retry after the restore operation",
)
BUSY = (409, "Conflict", "Another backup operation is in progress")


@pytest_asyncio.fixture(name="operator")
async def _operator() -> AsyncIterator[Operator]:
    async with operating() as operator:
        yield operator


def text(reply: Reply) -> str:
    """The body with everything replaced that differs from run to run."""
    body = reply.body.decode()
    body = re.sub(r'"jobId":"[0-9a-f]{32}"', '"jobId":"<job>"', body)
    body = re.sub(r'Time":\d{10}', 'Time":<time>', body)
    return re.sub(r"-\d{16}\b", "-<folder>", body)


async def test_short_job_has_ended_at_its_first_poll() -> None:
    async with ManagedHsmEmulator() as hsm:
        operator = Operator(hsm)
        started = await operator.back_up()
        polled = await operator.status(started)

    assert json.loads(started.body)["status"] == "InProgress"
    assert json.loads(polled.body)["status"] == "Succeeded"


async def test_a_backup_is_accepted_then_in_progress_then_done(operator: Operator) -> None:
    started = await operator.back_up()
    running = await operator.status(started)
    done = await operator.finish(started)

    assert text(started) == (
        '{"status":"InProgress","statusDetails":null,"error":null,"startTime":<time>,"endTime":null,'
        '"jobId":"<job>","azureStorageBlobContainerUri":null}'
    )
    assert len(started.body) == 174
    assert (running.status, text(running)) == (
        200,
        (
            '{"azureStorageBlobContainerUri":null,"endTime":null,"error":null,"jobId":"<job>",'
            '"startTime":<time>,"status":"InProgress","statusDetails":null}'
        ),
    )
    assert (done.status, text(done)) == (
        200,
        (
            '{"azureStorageBlobContainerUri":"https://emulatedhsmstore.blob.core.windows.net/backups/'
            'mhsm-emulated-hsm-<folder>","endTime":<time>,"error":null,"jobId":"<job>","startTime":<time>,'
            '"status":"Succeeded","statusDetails":null}'
        ),
    )
    assert done.json["endTime"] - done.json["startTime"] in {3600, 3601}
    assert {reply.json["jobId"] for reply in (started, running, done)} == {started.json["jobId"]}


async def test_a_restore_is_accepted_then_in_progress_then_done(operator: Operator) -> None:
    folder = await operator.folder()

    started = await operator.restore(folder)
    running = await operator.status(started)
    done = await operator.finish(started)

    in_progress = (
        '{"endTime":null,"error":null,"jobId":"<job>","startTime":<time>,"status":"InProgress","statusDetails":null}'
    )
    assert started.status == 202
    assert [text(started), text(running)] == [in_progress, in_progress]
    assert text(done) == in_progress.replace("null", "<time>", 1).replace("InProgress", "Succeeded")


async def test_the_headers_of_a_start_lead_to_the_status(operator: Operator) -> None:
    started = await operator.back_up()

    variable = {"x-ms-request-id", "x-ms-server-latency", "Date", "mise-correlation-id"}
    assert variable < set(started.headers)
    assert {name: value for name, value in started.headers.items() if name not in variable} == {
        "azure-asyncoperation": f"{BASE}/backup/{started.json['jobId']}/pending",
        "Retry-After": "1",
        "Server": "Kestrel",
        "api-supported-versions": "20180927, 20211111",
        "Cache-Control": "no-cache",
        "Content-Length": "174",
        "Content-Security-Policy": "default-src 'self'",
        "Content-Type": "application/json; charset=utf-8",
        "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "SAMEORIGIN",
        "x-ms-keyvault-network-info": "conn_type=Ipv4;addr=127.0.0.1;act_addr_fam=Ipv4;",
        "x-ms-keyvault-region": "emulator",
    }


async def test_a_poll_has_neither_the_address_nor_the_time_to_wait(operator: Operator) -> None:
    running = await operator.status(await operator.back_up())

    assert not {"azure-asyncoperation", "Retry-After"} & set(running.headers)
    assert running.headers["Server"] == "Kestrel"


async def test_a_poll_may_name_a_version(operator: Operator) -> None:
    started = await operator.back_up()
    path = started.headers["azure-asyncoperation"].removeprefix(BASE)

    assert (await operator.send("GET", path, version="7.3")).status == 200
    assert (await operator.send("GET", path, version="1")).error[1] == "BadParameter"


async def test_the_time_to_wait_is_an_option() -> None:
    async with ManagedHsmEmulator(retry_after=10) as hsm:
        assert (await Operator(hsm).back_up()).headers["Retry-After"] == "10"


@pytest.mark.parametrize(
    ("host", "base"), [("localhost:8443", "https://localhost:8443"), ("a@b", BASE), ("evil example", BASE)]
)
async def test_status_url_has_the_host_of_the_request_if_it_is_valid(operator: Operator, host: str, base: str) -> None:
    started = await operator.send("POST", "/backup", operator.storage, headers={"Host": host})

    assert started.headers["azure-asyncoperation"] == f"{base}/backup/{started.json['jobId']}/pending"


async def test_a_backup_holds_the_state_of_the_moment_in_which_it_was_started(operator: Operator) -> None:
    await operator.furnish()
    before = await operator.state()

    started = await operator.back_up()
    await operator.wreck()
    assert await operator.state() != before
    done = await operator.finish(started)
    restored = await operator.finish(await operator.restore(folder_of(done)))

    assert restored.json["status"] == "Succeeded"
    assert await operator.state() == before


async def test_the_folder_is_named_for_the_hsm_and_the_moment_in_sixteen_digits(operator: Operator) -> None:
    one, two = await operator.folder(), await operator.folder()

    assert re.fullmatch(r"mhsm-emulated-hsm-20\d{14}", one)
    assert one < two


async def test_a_restored_key_has_all_its_versions_and_nothing_else_changes(operator: Operator) -> None:
    await operator.furnish()
    versions = (await operator.send("GET", "/keys/a/versions")).json
    folder = await operator.folder()
    await operator.wreck()
    await operator.send("DELETE", "/keys/a")
    await operator.send("DELETE", "/deletedkeys/a")
    before = await operator.state()

    started = await operator.restore(folder, "/keys/a/restore")
    done = await operator.finish(started)

    assert started.headers["azure-asyncoperation"] == f"{BASE}/restore/{started.json['jobId']}/pending"
    assert text(done) == (
        '{"endTime":<time>,"error":null,"jobId":"<job>","startTime":<time>,"status":"Succeeded","statusDetails":'
        # One more than there are versions.
        '"Number of successful key versions restored: 3, Number of key versions could not overwrite: 0"}'
    )
    after = await operator.state()
    assert after.pop("/keys/a/versions") == versions
    changed = {path for path, value in after.items() if value != before[path]}
    assert changed == {"/keys"}


async def test_restoring_over_an_existing_key_succeeds_and_changes_nothing(operator: Operator) -> None:
    await operator.furnish()
    folder = await operator.folder()
    await operator.wreck()
    await operator.send("POST", "/deletedkeys/b/recover")
    before = await operator.state()

    done = await operator.finish(await operator.restore(folder, "/keys/b/restore"))

    expected = "Number of successful key versions restored: 0, Number of key versions could not overwrite: 2"
    assert (done.json["status"], done.json["statusDetails"], done.json["error"]) == ("Succeeded", expected, None)
    assert await operator.state() == before


@pytest.mark.parametrize(
    ("path", "kind", "folder"),
    [("/prebackup", "backup", None), ("/prerestore", "restore", "folder")],
)
async def test_a_check_has_ended_at_the_first_poll_and_leaves_nothing(
    operator: Operator, path: str, kind: str, folder: str | None
) -> None:
    folder = folder and await operator.folder()
    before = await operator.state()

    started = await (operator.restore(folder, path) if folder else operator.send("POST", path, operator.storage))
    done = await operator.status(started)

    job = started.json["jobId"]
    assert (started.status, started.json["status"]) == (202, "InProgress")
    assert started.headers["azure-asyncoperation"] == f"{BASE}/{kind}/{job}/pending"
    uri = {"azureStorageBlobContainerUri": None} if kind == "backup" else {}
    start = started.json["startTime"]
    assert done.json == {
        **uri,
        "endTime": start,
        "error": None,
        "jobId": job,
        "startTime": start,
        "status": "Succeeded",
        "statusDetails": None,
    }
    assert await operator.state() == before


async def test_the_managed_identity_needs_no_token(operator: Operator) -> None:
    folder = await operator.folder()
    identity: dict[str, Any] = {"token": None, "useManagedIdentity": True}

    backed_up = await operator.finish(await operator.back_up(**identity))
    restored = await operator.finish(await operator.restore(folder, **identity))

    assert [backed_up.json["status"], restored.json["status"]] == ["Succeeded", "Succeeded"]


async def test_beside_the_managed_identity_a_token_is_not_used(operator: Operator) -> None:
    expired = {**operator.storage, "token": f"{SIGNED}&se=2022-05-09", "useManagedIdentity": True}

    done = await operator.finish(await operator.send("POST", "/backup", expired))

    assert done.json["status"] == "Succeeded"


async def test_container_of_another_account_is_created(operator: Operator) -> None:
    uri = "https://contoso.blob.core.windows.net/new-container/"

    done = await operator.finish(await operator.back_up(storageResourceUri=uri))
    folder = folder_of(done)
    restored = await operator.finish(await operator.restore(folder, storageResourceUri=uri))

    assert done.json["azureStorageBlobContainerUri"] == uri + folder
    assert restored.json["status"] == "Succeeded"


# One job at a time.


async def test_while_a_backup_runs_nothing_else_starts_and_everything_else_works(operator: Operator) -> None:
    await operator.furnish()
    folder = await operator.folder()
    started = await operator.back_up()

    refused = [
        await operator.back_up(),
        await operator.send("POST", "/prebackup", operator.storage),
        await operator.restore(folder),
        await operator.restore(folder, "/prerestore"),
        await operator.restore(folder, "/keys/a/restore"),
    ]
    created = await operator.send("POST", "/keys/c/create", {"kty": "oct"})

    assert [reply.backup_error for reply in refused] == [BUSY] * 5
    assert created.status == 200
    assert (await operator.finish(started)).json["status"] == "Succeeded"
    assert (await operator.back_up()).status == 202


@pytest.mark.parametrize("path", ["/restore", "/keys/b/restore"])
async def test_while_a_restore_runs_the_data_plane_is_disabled_but_for_its_status(
    operator: Operator, path: str
) -> None:
    await operator.furnish()
    folder = await operator.folder()
    started = await operator.restore(folder, path)

    refused = [
        await operator.send("GET", ROLE_DEFINITIONS),
        await operator.assign(ALICE, CRYPTO_USER),
        await operator.send("GET", "/keys"),
        await operator.send("DELETE", "/keys/a"),
        await operator.back_up(),
        await operator.restore(folder),
        await operator.send("GET", f"/backup/{started.json['jobId']}/pending"),
    ]
    status = await operator.status(started)

    assert [reply.error for reply in refused] == [RESTORING] * 7
    assert status.json["status"] == "InProgress"
    assert (await operator.finish(started)).json["status"] == "Succeeded"
    assert (await operator.send("GET", "/keys")).status == 200


async def test_a_key_that_is_being_made_while_a_restore_starts_is_refused(
    operator: Operator, slow_key: SlowKey
) -> None:
    await operator.furnish()
    folder = await operator.folder()
    before = await operator.state()

    creating = asyncio.create_task(operator.send("POST", "/keys/late/create", {"kty": "RSA"}))
    await slow_key.begun()
    started = await operator.restore(folder)
    slow_key.end()
    created = await creating
    await operator.finish(started)

    assert created.error == RESTORING
    assert await operator.state() == before


# Jobs that fail.


SIGNED = "sv=2025-01-05&sr=c&sig=x%3D"
READ_ONLY = {"token": f"{SIGNED}&sp=rl&se=2099-01-01"}
WRITE_ONLY = {"token": f"{SIGNED}&sp=cdw&se=2099-01-01"}
EXPIRED = {"token": f"{SIGNED}&sp=racwdl&se=2022-05-09"}
MISSING = {"storageResourceUri": "https://emulatedhsmstore.blob.core.windows.net/missing"}


async def _start(
    operator: Operator, path: str, storage: dict[str, Any], version: str = "7.6", folder: str = "f"
) -> Reply:
    if path.endswith("backup"):
        return await operator.send("POST", path, storage, version=version)
    member = "folder" if path.startswith("/keys") else "folderToRestore"
    return await operator.send("PUT", path, {"sasTokenParameters": storage, member: folder}, version=version)


@pytest.mark.parametrize(
    ("path", "changes", "code"),
    [
        ("/backup", EXPIRED, "AuthenticationFailed"),
        ("/backup", READ_ONLY, "AuthorizationPermissionMismatch"),
        ("/backup", MISSING, "ContainerNotFound"),
        ("/prebackup", READ_ONLY, "AuthorizationPermissionMismatch"),
        ("/restore", WRITE_ONLY, "AuthorizationPermissionMismatch"),
        ("/restore", MISSING, "ContainerNotFound"),
        ("/prerestore", WRITE_ONLY, "AuthorizationPermissionMismatch"),
        ("/keys/b/restore", MISSING, "ContainerNotFound"),
    ],
)
async def test_a_job_whose_storage_cannot_be_used_fails_and_changes_nothing(
    operator: Operator, path: str, changes: dict[str, str], code: str
) -> None:
    await operator.furnish()
    folder = await operator.folder()
    before = await operator.state()

    started = await _start(operator, path, {**operator.storage, **changes}, folder=folder)

    assert failed(await operator.finish(started))[0] == code
    assert await operator.state() == before
    assert (await operator.back_up()).status == 202


async def test_restore_from_a_missing_folder_fails_and_shows_only_a_plain_name(operator: Operator) -> None:
    plain = ["mhsm-other-2026042916082769", ".", "..", "../backups", "a/b"]
    hidden = ["", "x" * 5000, "\0", "ä", "mhsm-x-2026042916082769?se=2099&sig=secret"]
    before = await operator.state()

    reasons = [failed(await operator.finish(await operator.restore(each))) for each in plain + hidden]

    shown = [f"the folder '{each}'" for each in plain] + ["a folder of the name that was given"] * len(hidden)
    assert reasons == [("InvalidBackup", f"Invalid backup provided: {each} does not exist") for each in shown]
    assert await operator.state() == before


async def test_a_key_that_the_backup_does_not_hold_cannot_be_restored(operator: Operator) -> None:
    await operator.furnish()
    folder = await operator.folder()
    await operator.wreck()
    before = await operator.state()

    for name in ("new", "gone"):
        done = await operator.finish(await operator.restore(folder, f"/keys/{name}/restore"))

        assert failed(done) == ("KeyNotFound", f"The backup does not hold the key {name}")
    assert await operator.state() == before


async def test_a_key_that_is_soft_deleted_must_be_purged_before_it_can_be_restored(operator: Operator) -> None:
    await operator.furnish()
    folder = await operator.folder()
    await operator.send("DELETE", "/keys/b")
    before = await operator.state()

    done = await operator.finish(await operator.restore(folder, "/keys/b/restore"))

    expected = "The key b is soft-deleted; recover or purge it first"
    assert failed(done) == ("ObjectIsDeletedButRecoverable", expected)
    assert await operator.state() == before


@pytest.mark.parametrize("path", ["/restore", "/prerestore", "/keys/b/restore"])
async def test_damaged_backup_is_not_restored(tmp_path: Path, path: str) -> None:
    async with operating(data=tmp_path) as operator:
        await operator.furnish()
        folder = await operator.folder()
        await operator.wreck()
        before = await operator.state()
        (tmp_path / "storage/emulatedhsmstore.blob.core.windows.net/backups" / folder / "keys.json").write_text("[]")

        done = await operator.finish(await operator.restore(folder, path))

        assert failed(done) == ("InvalidBackup", "Invalid backup provided: keys.json is damaged")
        assert await operator.state() == before


async def test_another_hsm_of_the_same_security_domain_can_be_given_the_whole_state(tmp_path: Path) -> None:
    async with operating("source", data=tmp_path / "1") as source:
        await source.furnish()
        folder = await source.folder()
        # The keys' identifiers hold the name of the HSM.
        before = json.dumps(await source.state()).replace("source.", "target.")
        domain = source.hsm.security_domain

    move = tmp_path / "1/storage/sourcestore.blob.core.windows.net"
    async with operating("target", data=tmp_path / "2", security_domain=domain) as target:
        move.rename(tmp_path / "2/storage/sourcestore.blob.core.windows.net")
        uri = "https://sourcestore.blob.core.windows.net/backups"
        done = await target.finish(await target.restore(folder, storageResourceUri=uri))

        assert done.json["status"] == "Succeeded"
        assert json.dumps(await target.state()) == before


async def test_a_backup_of_another_security_domain_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    async with operating("source", data=tmp_path / "1") as source:
        folder = await source.folder()
    (tmp_path / "2").mkdir()
    (tmp_path / "1/storage").rename(tmp_path / "2/storage")

    async with operating("target", data=tmp_path / "2") as target:
        await target.furnish()
        before = await target.state()
        uri = "https://sourcestore.blob.core.windows.net/backups"
        done = await target.finish(await target.restore(folder, storageResourceUri=uri))

        expected = "Invalid backup provided: it was made with another security domain"
        assert failed(done) == ("InvalidBackup", expected)
        assert await target.state() == before


# Starts that are refused.


NO_EXPIRY = "The customer provided SAS token is malformed. The SAS token does not contain the expiry field"
MALFORMED: list[dict[str, Any]] = [
    {"token": "bad_token"},
    {"token": "bad_token", "useManagedIdentity": True},
    {"token": "bad_token", "storageResourceUri": "https://abc.blob.core.windows.net"},
]


@pytest.mark.parametrize(
    ("path", "changes"), [*(("/prebackup", each) for each in MALFORMED), ("/prerestore", MALFORMED[0])]
)
async def test_a_check_with_a_malformed_token_fails_at_its_first_poll(
    operator: Operator, path: str, changes: dict[str, Any]
) -> None:
    started = await _start(operator, path, {**operator.storage, **changes})
    polled = await operator.status(started)

    assert (started.status, started.json["status"], started.json["error"]) == (202, "InProgress", None)
    uri = '"azureStorageBlobContainerUri":null,' if path == "/prebackup" else ""
    assert (polled.status, text(polled)) == (
        200,
        (
            f'{{{uri}"endTime":<time>,"error":{{"code":"BadRequest","innererror":null,"message":"{NO_EXPIRY}"}},'
            '"jobId":"<job>","startTime":<time>,"status":"Failed","statusDetails":"Invalid Request"}'
        ),
    )
    assert (await operator.back_up()).status == 202


@pytest.mark.parametrize(
    ("path", "changes"),
    [*(("/backup", each) for each in MALFORMED), ("/restore", MALFORMED[0]), ("/keys/k/restore", MALFORMED[0])],
)
async def test_a_start_with_a_malformed_token_is_refused_at_once(
    operator: Operator, path: str, changes: dict[str, Any]
) -> None:
    reply = await _start(operator, path, {**operator.storage, **changes})

    # The start of a backup alone has its members in the order of declaration.
    inner, sentence = '"innererror":null', f'"message":"{NO_EXPIRY}"'
    members = [sentence, inner] if path == "/backup" else [inner, sentence]
    assert (reply.status, reply.body.decode()) == (400, f'{{"error":{{"code":"BadRequest",{",".join(members)}}}}}')
    assert {"x-ms-keyvault-region", "Date", "Server", "mise-correlation-id"} < set(reply.headers)
    assert (await operator.back_up()).status == 202


NO_CREDENTIAL = "Either a SAS token or the use of the managed identity is required"
BAD_URL = (
    {"storageResourceUri": "https://abc.blob.core.windows.net"},
    "storageResourceUri must be the https URL of a blob container",
)


@pytest.mark.parametrize(
    ("path", "refusal"),
    [
        ("/backup", ({"token": None}, NO_CREDENTIAL)),
        ("/restore", ({"token": None, "useManagedIdentity": False}, NO_CREDENTIAL)),
        *((path, BAD_URL) for path in ("/backup", "/prebackup", "/restore", "/prerestore", "/keys/k/restore")),
    ],
)
async def test_a_start_that_makes_no_sense_is_refused_at_once(
    operator: Operator, path: str, refusal: tuple[dict[str, Any], str]
) -> None:
    changes, message = refusal

    reply = await _start(operator, path, {**operator.storage, **changes})

    assert reply.backup_error == (400, "BadRequest", message)
    assert (await operator.back_up()).status == 202


async def test_a_restore_names_what_its_body_lacks(operator: Operator) -> None:
    storage = {"storageResourceUri": "x", "token": "x"}
    for path, body, lacking in [
        ("/restore", {}, "sasTokenParameters"),
        ("/restore", {"sasTokenParameters": {}}, "sasTokenParameters.storageResourceUri"),
        ("/restore", {"sasTokenParameters": storage}, "folderToRestore"),
        ("/keys/k/restore", {"sasTokenParameters": storage, "folderToRestore": "f"}, "folder"),
    ]:
        reply = await operator.send("PUT", path, body)

        assert reply.backup_error == (400, "BadRequest", f"The member {lacking} is required")


@pytest.mark.parametrize(
    ("path", "version", "uses_identity"),
    [
        ("/backup", "7.2-preview", False),
        ("/backup", "7.2", True),
        ("/restore", "7.3", False),
        ("/restore", "7.4", True),
        ("/keys/k/restore", "7.5", True),
    ],
)
async def test_every_version_takes_the_member_about_the_managed_identity(
    operator: Operator, path: str, version: str, uses_identity: bool
) -> None:
    storage = {**operator.storage, "useManagedIdentity": uses_identity}

    assert (await _start(operator, path, storage, version)).status == 202


@pytest.mark.parametrize(("path", "version"), [("/backup", "7.2"), ("/restore", "7.6"), ("/keys/k/restore", "7.6")])
async def test_a_member_that_no_version_knows_is_refused(operator: Operator, path: str, version: str) -> None:
    reply = await _start(operator, path, {**operator.storage, "useIdentity": False}, version)

    where = "" if path == "/backup" else "sasTokenParameters."
    message = f"The request body has unknown members: '{where}useIdentity'"
    assert reply.backup_error == (400, "BadRequest", message)


@pytest.mark.parametrize(("method", "path"), [("POST", "/prebackup"), ("PUT", "/prerestore")])
async def test_an_old_version_knows_no_checks(operator: Operator, method: str, path: str) -> None:
    reply = await operator.send(method, path, operator.storage, version="7.5")

    message = "This operation is not part of api-version 7.5; it came with 7.6-preview.1"
    assert reply.error == (400, "BadParameter", message)


async def test_a_job_is_found_under_its_own_kind_only(operator: Operator) -> None:
    started = await operator.back_up()
    job = started.json["jobId"]

    restore = await operator.send("GET", f"/restore/{job}/pending")
    unknown = await operator.send("GET", "/backup/none/pending")

    assert restore.backup_error == (404, "JobNotFound", f"No job with id {job} is known")
    assert unknown.backup_error == (404, "JobNotFound", "No job with id none is known")


async def test_somebody_without_a_role_is_refused_in_the_words_of_the_front_end(operator: Operator) -> None:
    for method, path, action in [
        ("POST", "/backup", "/backup/start/action"),
        ("POST", "/prebackup", "/backup/start/action"),
        ("GET", "/backup/x/pending", "/backup/status/action"),
        ("PUT", "/restore", "/restore/start/action"),
        ("PUT", "/prerestore", "/restore/start/action"),
        ("PUT", "/keys/k/restore", "/restore/start/action"),
        ("GET", "/restore/x/pending", "/restore/status/action"),
    ]:
        reply = await operator.as_(ALICE).send(method, path, None if method == "GET" else {})

        assert reply.error == (403, "AccessDenied", f"Not authorized to access {ACTION}{action} on /")
        assert not {"Date", "Server"} & set(reply.headers)


async def test_a_backup_user_backs_up_and_a_restore_user_restores(operator: Operator) -> None:
    await operator.assign(ALICE, BACKUP_USER)
    await operator.assign(BOB, RESTORE_USER)
    alice, bob = Operator(operator.hsm, ALICE), Operator(operator.hsm, BOB)

    folder = await alice.folder()
    restored = await bob.finish(await bob.restore(folder))

    assert restored.json["status"] == "Succeeded"
    assert [(await alice.restore(folder)).status, (await bob.back_up()).status] == [403, 403]


# Stopping while a job runs.


async def test_a_job_that_was_interrupted_is_reported_failed_and_changed_nothing(tmp_path: Path) -> None:
    async with operating(data=tmp_path) as operator:
        await operator.furnish()
        folder = await operator.folder()
        await operator.wreck()
        before = await operator.state()
        started = await operator.restore(folder)

    async with operating(data=tmp_path) as operator:
        done = await operator.status(started)

        assert failed(done) == ("Interrupted", "The HSM was stopped while the job was in progress")
        assert await operator.state() == before
        assert (await operator.back_up()).status == 202


async def test_offered_container_and_token_look_like_those_of_the_service(operator: Operator) -> None:
    fields = dict(part.split("=", 1) for part in operator.hsm.sas_token.split("&"))

    assert operator.hsm.container_url == "https://emulatedhsmstore.blob.core.windows.net/backups"
    assert {"sv", "sr", "sp", "se", "sig"} <= set(fields)
    assert (fields["sr"], fields["sp"]) == ("c", "rcwdl")
