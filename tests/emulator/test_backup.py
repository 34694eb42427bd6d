"""Backup, restore and single-key restore over HTTP: job bodies byte for byte, whole state before and after."""

from __future__ import annotations

import asyncio
import json
import os
import re
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from azure.keyvault.administration.emulator import ManagedHsmEmulator
from emulator.operator_client import ALICE, DURATION, Operator, failed
from emulator.raw import ACTION, BACKUP_USER, CRYPTO_OFFICER, CRYPTO_USER, RESTORE_USER, ROLE_DEFINITIONS
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


@pytest_asyncio.fixture(name="hsm")
async def _hsm() -> AsyncIterator[ManagedHsmEmulator]:
    async with ManagedHsmEmulator(job_duration=DURATION) as hsm:
        yield hsm


@pytest.fixture(name="operator")
def _operator(hsm: ManagedHsmEmulator) -> Operator:
    return Operator(hsm)


def text(reply: Reply) -> str:
    """The body with everything replaced that differs from run to run."""
    body = reply.body.decode()
    body = re.sub(r'"jobId":"[0-9a-f]{32}"', '"jobId":"<job>"', body)
    body = re.sub(r'Time":\d{10}', 'Time":<time>', body)
    return re.sub(r"-\d{16}\b", "-<folder>", body)


async def test_nobody_waits_for_the_poll_after_next_to_hear_that_a_short_job_is_done() -> None:
    async with ManagedHsmEmulator() as hsm:
        operator = Operator(hsm)
        started = await operator.back_up()
        polled = await operator.status(started)

    assert json.loads(started.body)["status"] == "InProgress"
    assert json.loads(polled.body)["status"] == "Succeeded"


# The road that everybody hopes for.


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
    started = await operator.back_up()

    running = await operator.status(started)

    assert not {"azure-asyncoperation", "Retry-After"} & set(running.headers)
    assert running.headers["Server"] == "Kestrel"


async def test_a_poll_may_name_a_version(operator: Operator) -> None:
    started = await operator.back_up()
    path = started.headers["azure-asyncoperation"].removeprefix(BASE)

    assert (await operator.send("GET", path, version="7.3")).status == 200
    assert (await operator.send("GET", path, version="1")).error[1] == "BadParameter"


async def test_the_time_to_wait_is_an_option() -> None:
    async with ManagedHsmEmulator(retry_after=10) as hsm:
        started = await Operator(hsm).back_up()

    assert started.headers["Retry-After"] == "10"


async def test_a_client_on_localhost_is_led_back_to_localhost(operator: Operator) -> None:
    started = await operator.send("POST", "/backup", operator.storage, headers={"Host": "localhost:8443"})

    assert started.headers["azure-asyncoperation"] == f"https://localhost:8443/backup/{started.json['jobId']}/pending"


@pytest.mark.parametrize("host", ["evil example", "a/b", "a@b", ""])
async def test_a_host_that_is_none_is_not_repeated(operator: Operator, host: str) -> None:
    started = await operator.send("POST", "/backup", operator.storage, headers={"Host": host})

    if started.status == 202:
        assert started.headers["azure-asyncoperation"].startswith(f"{BASE}/backup/")
    else:
        assert started.status == 400


async def test_a_restore_brings_back_exactly_the_state_of_the_backup(operator: Operator) -> None:
    await operator.furnish()
    before = await operator.state()
    folder = await operator.folder()
    await operator.wreck()
    assert await operator.state() != before

    done = await operator.finish(await operator.restore(folder))

    assert done.json["status"] == "Succeeded"
    assert await operator.state() == before


async def test_a_backup_holds_the_state_of_the_moment_in_which_it_was_started(operator: Operator) -> None:
    await operator.furnish()
    before = await operator.state()

    started = await operator.back_up()
    await operator.wreck()
    done = await operator.finish(started)
    folder = done.json["azureStorageBlobContainerUri"].rpartition("/")[2]
    await operator.finish(await operator.restore(folder))

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


async def test_a_restored_key_with_one_version_counts_two(operator: Operator) -> None:
    await operator.furnish()
    folder = await operator.folder()
    await operator.send("DELETE", "/keys/b")
    await operator.send("DELETE", "/deletedkeys/b")

    done = await operator.finish(await operator.restore(folder, "/keys/b/restore"))

    expected = "Number of successful key versions restored: 2, Number of key versions could not overwrite: 0"
    assert (done.json["status"], done.json["statusDetails"]) == ("Succeeded", expected)
    assert len((await operator.send("GET", "/keys/b/versions")).json["value"]) == 1


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
    await operator.furnish()
    before = await operator.state()
    storage = {"storageResourceUri": operator.hsm.container_url, "useManagedIdentity": True}

    backed_up = await operator.finish(await operator.send("POST", "/backup", storage))
    await operator.wreck()
    folder = backed_up.json["azureStorageBlobContainerUri"].rpartition("/")[2]
    body = {"sasTokenParameters": storage, "folderToRestore": folder}
    restored = await operator.finish(await operator.send("PUT", "/restore", body))

    assert [backed_up.json["status"], restored.json["status"]] == ["Succeeded", "Succeeded"]
    assert await operator.state() == before


async def test_beside_the_managed_identity_a_token_is_not_used(operator: Operator) -> None:
    expired = {**operator.storage, "token": f"{SIGNED}&se=2022-05-09", "useManagedIdentity": True}

    done = await operator.finish(await operator.send("POST", "/backup", expired))

    assert done.json["status"] == "Succeeded"


async def test_any_other_account_works_and_its_container_comes_into_being(operator: Operator) -> None:
    uri = "https://contoso.blob.core.windows.net/new-container/"

    done = await operator.finish(await operator.back_up(storageResourceUri=uri))
    folder = done.json["azureStorageBlobContainerUri"].rpartition("/")[2]
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
GOOD = f"{SIGNED}&sp=racwdl&se=2099-01-01"
BAD_STORAGE = [
    pytest.param(
        {"token": f"{SIGNED}&sp=racwdl&se=2022-05-09T21:46:20Z"},
        ("AuthenticationFailed", "The SAS token expired at 2022-05-09T21:46:20Z"),
        id="expired",
    ),
    pytest.param(
        {"token": f"?{SIGNED}&sp=racwdl&se=2022-05-09"},
        ("AuthenticationFailed", "The SAS token expired at 2022-05-09T00:00:00Z"),
        id="expired-date",
    ),
    *(
        pytest.param(
            {"token": f"{SIGNED}&sp=racwdl&se={expiry}"},
            ("AuthenticationFailed", f"The SAS token expired at {shown}"),
            id=f"expired-{expiry}",
        )
        for expiry, shown in {
            "0001-01-01": "0001-01-01T00:00:00Z",
            "1969-12-31T23:59Z": "1969-12-31T23:59:00Z",
            "2022-05-09T21:46:20.0000000Z": "2022-05-09T21:46:20Z",
        }.items()
    ),
    pytest.param(
        {"token": f"{SIGNED}&sp=racwdl&st=2098-01-01&se=2099-01-01"},
        ("AuthenticationFailed", "The SAS token is not valid yet"),
        id="too-early",
    ),
    pytest.param(
        {"token": "sv=2025-01-05&sp=racwdl&se=2099-01-01"},
        ("AuthenticationFailed", "The SAS token has no signature"),
        id="unsigned",
    ),
]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        *BAD_STORAGE,
        pytest.param(
            {"token": f"{SIGNED}&sp=rl&se=2099-01-01T00:00Z"},
            ("AuthorizationPermissionMismatch", "The SAS token lacks the permissions: c, d, w"),
            id="read-only",
        ),
        pytest.param(
            {"storageResourceUri": "https://emulatedhsmstore.blob.core.windows.net/missing"},
            ("ContainerNotFound", "The specified container does not exist."),
            id="no-container",
        ),
    ],
)
@pytest.mark.parametrize("path", ["/backup", "/prebackup"])
async def test_a_backup_that_cannot_be_written_fails(
    operator: Operator, path: str, changes: dict[str, str], expected: tuple[str, str]
) -> None:
    started = await operator.send("POST", path, {**operator.storage, **changes})
    done = await operator.finish(started)

    assert failed(done) == expected
    assert (await operator.back_up()).status == 202


@pytest.mark.parametrize(
    ("token", "expected"),
    [
        *(
            pytest.param(token, ("AuthenticationFailed", f"The SAS token {reason}"), id=token[:40] + token[-20:])
            for token, reason in {
                f"'{GOOD}'": "is in quotation marks",
                f'"{GOOD}"': "is in quotation marks",
                f"\u201c{GOOD}\u201d": "is in quotation marks",
                f'{GOOD}"': "is in quotation marks",
                f"https://contoso.blob.core.windows.net/backups?{GOOD}": "is a whole URL",
                f"{GOOD}&skt=2022-05-01&ske=2022-05-08": "is signed with a key that expired at 2022-05-08T00:00:00Z",
                f"{GOOD}&skt=2098-01-01&ske=2098-01-08": "is signed with a key that is not valid yet",
                f"{GOOD}&skt=2022-05-01&ske=tomorrow": "has a date that storage cannot read in ske",
                f"{GOOD}&skt=1&ske=2098-01-08": "has a date that storage cannot read in skt",
                GOOD.replace("sv=2025-01-05", "sv=new"): "has a version that is not a date",
                f"{GOOD}&spr=http": "must allow HTTPS",
                f"{GOOD}&spr=": "must allow HTTPS",
            }.items()
        ),
        *(
            pytest.param(
                token,
                ("AuthorizationResourceTypeMismatch", "The SAS token is not for a whole container"),
                id=f"resource-{token[:24]}{token[-7:]}",
            )
            for token in (
                GOOD.replace("sr=c", "sr=b"),
                GOOD.replace("sr=c", "sr=d"),
                GOOD.replace("sr=c", "sr=bs"),
                GOOD.replace("sr=c", "ss=b&srt=s"),
                GOOD.replace("sr=c", "ss=b&srt=o"),
                GOOD.replace("sr=c", "ss=b&srt=sc"),
                GOOD.replace("sr=c", "ss=fqt&srt=sco"),
            )
        ),
    ],
)
async def test_token_that_storage_certainly_refuses_fails_the_job(
    operator: Operator, token: str, expected: tuple[str, str]
) -> None:
    assert failed(await operator.finish(await operator.back_up(token=token))) == expected


@pytest.mark.parametrize(
    "token",
    [
        GOOD.replace("sr=c", "ss=bf&srt=sco"),
        f"{GOOD}&skoid=a&sktid=b&skt=2022-05-01T00:00:00Z&ske=2098-01-08T00:00:00Z&sks=b&skv=2025-01-05",
        f"{GOOD}&spr=https",
        f"{GOOD}&spr=https,http",
        f"{GOOD}&sip=0.0.0.0-255.255.255.255",
    ],
    ids=["account", "user-delegation", "https", "https-and-http", "address"],
)
async def test_backup_takes_every_kind_of_sas_token_that_covers_the_container(operator: Operator, token: str) -> None:
    done = await operator.finish(await operator.back_up(token=token))

    assert done.json["status"] == "Succeeded"


@pytest.mark.parametrize(
    ("changes", "folder", "expected"),
    [
        *(pytest.param(*each.values[:1], None, *each.values[1:], id=each.id) for each in BAD_STORAGE),
        pytest.param(
            {"token": f"{SIGNED}&sp=cdw&se=2099-01-01"},
            None,
            ("AuthorizationPermissionMismatch", "The SAS token lacks the permissions: r, l"),
            id="write-only",
        ),
        pytest.param(
            {"storageResourceUri": "https://nobody.blob.core.windows.net/backups"},
            None,
            ("ContainerNotFound", "The specified container does not exist."),
            id="no-container",
        ),
        *(
            pytest.param(
                {},
                folder,
                ("InvalidBackup", f"Invalid backup provided: the folder {folder!a} does not exist"),
                id=f"folder-{number}",
            )
            for number, folder in enumerate(["mhsm-other-2026042916082769", ".", "..", "../backups", "a/b"])
        ),
        *(
            pytest.param(
                {},
                folder,
                ("InvalidBackup", "Invalid backup provided: a folder of the name that was given does not exist"),
                id=f"no-folder-{number}",
            )
            for number, folder in enumerate(["", "x" * 5000, "\0", "ä", "mhsm-x-2026042916082769?se=2099&sig=secret"])
        ),
    ],
)
@pytest.mark.parametrize("path", ["/restore", "/prerestore", "/keys/b/restore"])
async def test_a_restore_that_cannot_be_read_fails_and_changes_nothing(
    operator: Operator, path: str, changes: dict[str, str], folder: str | None, expected: tuple[str, str]
) -> None:
    await operator.assign(operator.principal, CRYPTO_USER)
    await operator.assign(operator.principal, CRYPTO_OFFICER)
    backed_up = await operator.folder()
    before = await operator.state()

    started = await operator.restore(backed_up if folder is None else folder, path, **changes)

    assert failed(await operator.finish(started)) == expected
    assert await operator.state() == before


@pytest.mark.parametrize("name", ["new", "gone"])
async def test_a_key_that_the_backup_does_not_hold_cannot_be_restored(operator: Operator, name: str) -> None:
    await operator.furnish()
    folder = await operator.folder()
    await operator.wreck()
    before = await operator.state()

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


def crowd(folder: Path) -> None:
    for number in range(20):
        (folder / str(number)).touch()


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        pytest.param(lambda folder: (folder / "manifest.json").unlink(), "it has no manifest", id="no-manifest"),
        pytest.param(
            lambda folder: (folder / "manifest.json").write_text("{"), "its manifest is damaged", id="broken-manifest"
        ),
        pytest.param(
            lambda folder: (folder / "manifest.json").write_text("[]"), "its manifest is damaged", id="list-manifest"
        ),
        pytest.param(
            lambda folder: (folder / "manifest.json").write_text("{}"),
            "it was made with another security domain",
            id="empty-manifest",
        ),
        pytest.param(lambda folder: edit(folder, "created", 0), "its manifest was changed", id="changed-manifest"),
        pytest.param(lambda folder: edit(folder, "hmac", "0" * 64), "its manifest was changed", id="forged-seal"),
        pytest.param(lambda folder: edit(folder, "hmac", "ä"), "its manifest was changed", id="odd-seal"),
        pytest.param(lambda folder: edit(folder, "format", 2), "its manifest was changed", id="newer-format"),
        pytest.param(
            lambda folder: edit(folder, "securityDomain", "0"), "it was made with another security domain", id="foreign"
        ),
        pytest.param(lambda folder: (folder / "keys.json").unlink(), "keys.json is missing", id="lost-file"),
        pytest.param(lambda folder: truncate(folder / "keys.json"), "keys.json is damaged", id="truncated-file"),
        pytest.param(lambda folder: (folder / "notes.txt").touch(), "'notes.txt' does not belong to it", id="stranger"),
        pytest.param(lambda folder: (folder / "x").mkdir(), "'x' is not a file", id="folder-in-it"),
        pytest.param(
            lambda folder: (folder / "x").symlink_to(folder / "keys.json"), "'x' is not a file", id="link-in-it"
        ),
        pytest.param(crowd, "it has more than 16 files", id="crowd"),
        pytest.param(
            lambda folder: os.truncate(folder / "keys.json", 2**40), "it is larger than 67108864 bytes", id="huge"
        ),
        pytest.param(
            lambda folder: edit(folder, "x", json.loads("[" * 900 + "]" * 900)),
            "its manifest was changed",
            id="deep-manifest",
        ),
        pytest.param(
            lambda folder: (folder / "role-assignments.json").write_text("[]"),
            "role-assignments.json is damaged",
            id="changed-file",
        ),
    ],
)
@pytest.mark.parametrize("path", ["/restore", "/prerestore", "/keys/b/restore"])
async def test_a_damaged_backup_is_noticed_and_changes_nothing(
    tmp_path: Path, path: str, damage: Any, reason: str
) -> None:
    async with ManagedHsmEmulator(data=tmp_path, job_duration=DURATION) as hsm:
        operator = Operator(hsm)
        await operator.furnish()
        folder = await operator.folder()
        await operator.wreck()
        before = await operator.state()
        damage(tmp_path / "storage" / "emulatedhsmstore.blob.core.windows.net" / "backups" / folder)

        done = await operator.finish(await operator.restore(folder, path))

        assert failed(done) == ("InvalidBackup", f"Invalid backup provided: {reason}")
        assert await operator.state() == before


def edit(folder: Path, member: str, value: object) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**manifest, member: value}))


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


async def test_another_hsm_of_the_same_security_domain_can_be_given_the_whole_state(tmp_path: Path) -> None:
    async with ManagedHsmEmulator("source", data=tmp_path / "1", job_duration=DURATION) as source:
        await Operator(source).furnish()
        folder = await Operator(source).folder()
        # The keys' identifiers hold the name of the HSM.
        before = json.dumps(await Operator(source).state()).replace("source.", "target.")
        domain = source.security_domain

    move = tmp_path / "1/storage/sourcestore.blob.core.windows.net"
    async with ManagedHsmEmulator("target", data=tmp_path / "2", security_domain=domain, job_duration=DURATION) as hsm:
        target = Operator(hsm)
        move.rename(tmp_path / "2/storage/sourcestore.blob.core.windows.net")
        uri = "https://sourcestore.blob.core.windows.net/backups"
        done = await target.finish(await target.restore(folder, storageResourceUri=uri))

        assert done.json["status"] == "Succeeded"
        assert json.dumps(await target.state()) == before


async def test_a_backup_of_another_security_domain_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    async with ManagedHsmEmulator("source", data=tmp_path / "1", job_duration=DURATION) as source:
        folder = await Operator(source).folder()
    (tmp_path / "1" / "storage").rename(tmp_path / "storage")

    (tmp_path / "2").mkdir()
    (tmp_path / "storage").rename(tmp_path / "2" / "storage")
    async with ManagedHsmEmulator("target", data=tmp_path / "2", job_duration=DURATION) as hsm:
        target = Operator(hsm)
        await target.furnish()
        before = await target.state()
        uri = "https://sourcestore.blob.core.windows.net/backups"
        done = await target.finish(await target.restore(folder, storageResourceUri=uri))

        expected = "Invalid backup provided: it was made with another security domain"
        assert failed(done) == ("InvalidBackup", expected)
        assert await target.state() == before


# Starts that are refused.


NO_EXPIRY = "The customer provided SAS token is malformed. The SAS token does not contain the expiry field"
MALFORMED_TOKENS = [
    pytest.param(
        {"token": "bad_token"},
        NO_EXPIRY,
        id="malformed",
    ),
    pytest.param(
        {"token": "se=tomorrow&sig=x"},
        "The customer provided SAS token is malformed. The expiry field of the SAS token is not a date",
        id="expiry-no-date",
    ),
    pytest.param(
        {"token": "se=2099-01-01&st=1&sig=x"},
        "The customer provided SAS token is malformed. The start field of the SAS token is not a date",
        id="start-no-date",
    ),
    *(
        pytest.param(
            {"token": f"se={expiry}&sig=x"},
            "The customer provided SAS token is malformed. The expiry field of the SAS token is not a date",
            id=f"expiry-{number}",
        )
        for number, expiry in enumerate(
            [
                "0001-01-01T00:00%2B14:00",
                "2099-01-01T00:00:00",
                "2099-W01-1",
                "20990101",
                "2099-13-01",
                "2099-01-01T25:00Z",
                "2099-01-01 00:00Z",
                "2099-01-01%0A",
                "%D9%A2%D9%A0%D9%A9%D9%A9-01-01",
            ]
        )
    ),
    pytest.param(
        {"token": "bad_token", "useManagedIdentity": True},
        NO_EXPIRY,
        id="malformed-beside-the-identity",
    ),
    pytest.param(
        {"token": "bad_token", "storageResourceUri": "https://abc.blob.core.windows.net"},
        NO_EXPIRY,
        id="malformed-beside-a-url-without-container",
    ),
]


async def _start(operator: Operator, path: str, storage: dict[str, Any], version: str = "7.6") -> Reply:
    if path.endswith("backup"):
        return await operator.send("POST", path, storage, version=version)
    folder = "folder" if path.startswith("/keys") else "folderToRestore"
    return await operator.send("PUT", path, {"sasTokenParameters": storage, folder: "f"}, version=version)


@pytest.mark.parametrize("path", ["/prebackup", "/prerestore"])
@pytest.mark.parametrize(("changes", "message"), MALFORMED_TOKENS)
async def test_a_check_with_a_malformed_token_fails_at_its_first_poll(
    operator: Operator, path: str, changes: dict[str, Any], message: str
) -> None:
    started = await _start(operator, path, {**operator.storage, **changes})
    polled = await operator.status(started)

    assert (started.status, started.json["status"], started.json["error"]) == (202, "InProgress", None)
    uri = '"azureStorageBlobContainerUri":null,' if path == "/prebackup" else ""
    assert (polled.status, text(polled)) == (
        200,
        (
            f'{{{uri}"endTime":<time>,"error":{{"code":"BadRequest","innererror":null,"message":"{message}"}},'
            '"jobId":"<job>","startTime":<time>,"status":"Failed","statusDetails":"Invalid Request"}'
        ),
    )
    assert (await operator.back_up()).status == 202


@pytest.mark.parametrize(("changes", "message"), MALFORMED_TOKENS)
@pytest.mark.parametrize("path", ["/backup", "/restore", "/keys/k/restore"])
async def test_a_start_with_a_malformed_token_is_refused_at_once(
    operator: Operator, path: str, changes: dict[str, Any], message: str
) -> None:
    reply = await _start(operator, path, {**operator.storage, **changes})

    # The start of a backup alone has its members in the order of declaration.
    inner, sentence = '"innererror":null', f'"message":"{message}"'
    members = [sentence, inner] if path == "/backup" else [inner, sentence]
    assert (reply.status, reply.body.decode()) == (400, f'{{"error":{{"code":"BadRequest",{",".join(members)}}}}}')
    assert {"x-ms-keyvault-region", "Date", "Server", "mise-correlation-id"} < set(reply.headers)
    assert (await operator.back_up()).status == 202


@pytest.mark.parametrize("path", ["/backup", "/prebackup", "/restore", "/prerestore", "/keys/k/restore"])
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param(
            {"token": None}, "Either a SAS token or the use of the managed identity is required", id="no-token"
        ),
        pytest.param(
            {"token": None, "useManagedIdentity": False},
            "Either a SAS token or the use of the managed identity is required",
            id="no-identity",
        ),
        *(
            pytest.param(
                {"storageResourceUri": uri},
                "storageResourceUri must be the https URL of a blob container",
                id=f"uri-{number}",
            )
            for number, uri in enumerate(
                [
                    "",
                    "backups",
                    "https://a.blob.core.windows.net",
                    "https://abc.blob.core.windows.net/",
                    "https://abc.blob.core.windows.net/a/b/c",
                    "https://abc.blob.core.windows.net/..",
                    "https://abc.blob.core.windows.net/container?sig=x",
                    "https://abc.blob.core.windows.net/container#x",
                    "https://user@abc.blob.core.windows.net/container",
                    "http://abc.blob.core.windows.net/container",
                    "https://abc.file.core.windows.net/container",
                    "https://ABC!.blob.core.windows.net/container",
                    "https://a:b:c/container",
                    "https://[/container",
                    "file:///etc/passwd",
                    "https://abc.blob.core.windows.net/Container",
                    "http://127.0.0.1:10000/",
                    "http://127.0.0.1:10000/devstoreaccount1",
                    "http://localhost:10000/devstoreaccount1/a/b",
                ]
            )
        ),
    ],
)
async def test_a_start_that_makes_no_sense_is_refused_at_once(
    operator: Operator, path: str, changes: dict[str, Any], message: str
) -> None:
    reply = await _start(operator, path, {**operator.storage, **changes})

    assert reply.backup_error == (400, "BadRequest", message)
    assert (await operator.back_up()).status == 202


@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        ("/restore", {}, "The member sasTokenParameters is required"),
        ("/restore", {"sasTokenParameters": {}}, "The member sasTokenParameters.storageResourceUri is required"),
        (
            "/restore",
            {"sasTokenParameters": {"storageResourceUri": "x", "token": "x"}},
            "The member folderToRestore is required",
        ),
        (
            "/keys/k/restore",
            {"sasTokenParameters": {"storageResourceUri": "x", "token": "x"}, "folderToRestore": "f"},
            "The member folder is required",
        ),
        (
            "/restore",
            {"sasTokenParameters": {"storageResourceUri": "x", "token": "x", "x": 1}, "folderToRestore": "f"},
            "The request body has unknown members: 'sasTokenParameters.x'",
        ),
    ],
)
async def test_a_restore_names_what_its_body_lacks(
    operator: Operator, path: str, body: dict[str, Any], message: str
) -> None:
    assert (await operator.send("PUT", path, body)).backup_error == (400, "BadRequest", message)


@pytest.mark.parametrize("version", ["7.2-preview", "7.2", "7.3", "7.4", "7.5"])
@pytest.mark.parametrize("uses_identity", [False, True])
@pytest.mark.parametrize("path", ["/backup", "/restore", "/keys/k/restore"])
async def test_every_version_takes_the_member_about_the_managed_identity(
    operator: Operator, path: str, uses_identity: bool, version: str
) -> None:
    storage = {**operator.storage, "useManagedIdentity": uses_identity}

    assert (await _start(operator, path, storage, version)).status == 202


@pytest.mark.parametrize("path", ["/backup", "/restore", "/keys/k/restore"])
@pytest.mark.parametrize("version", ["7.2", "7.6"])
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


@pytest.mark.parametrize(
    ("method", "path", "action"),
    [
        ("POST", "/backup", "/backup/start/action"),
        ("POST", "/prebackup", "/backup/start/action"),
        ("GET", "/backup/x/pending", "/backup/status/action"),
        ("PUT", "/restore", "/restore/start/action"),
        ("PUT", "/prerestore", "/restore/start/action"),
        ("PUT", "/keys/k/restore", "/restore/start/action"),
        ("GET", "/restore/x/pending", "/restore/status/action"),
    ],
)
async def test_somebody_without_a_role_is_refused_in_the_words_of_the_front_end(
    operator: Operator, method: str, path: str, action: str
) -> None:
    reply = await operator.as_(ALICE).send(method, path, None if method == "GET" else {})

    assert reply.error == (403, "AccessDenied", f"Not authorized to access {ACTION}{action} on /")
    assert not {"Date", "Server"} & set(reply.headers)


async def test_a_backup_user_backs_up_and_a_restore_user_restores(operator: Operator) -> None:
    bob = "b0b00000-0000-4000-8000-000000000002"
    await operator.assign(ALICE, BACKUP_USER)
    await operator.assign(bob, RESTORE_USER)
    alice, robert = Operator(operator.hsm, ALICE), Operator(operator.hsm, bob)

    folder = await alice.folder()
    restored = await robert.finish(await robert.restore(folder))

    assert restored.json["status"] == "Succeeded"
    assert [(await alice.restore(folder)).status, (await robert.back_up()).status] == [403, 403]


# Stopping while a job runs.


async def test_a_job_that_was_interrupted_is_reported_failed_and_changed_nothing(tmp_path: Path) -> None:
    async with ManagedHsmEmulator(data=tmp_path, job_duration=DURATION) as hsm:
        operator = Operator(hsm)
        await operator.furnish()
        folder = await operator.folder()
        await operator.wreck()
        before = await operator.state()
        started = await operator.restore(folder)

    async with ManagedHsmEmulator(data=tmp_path, job_duration=DURATION) as hsm:
        operator = Operator(hsm)
        done = await operator.status(started)

        assert failed(done) == ("Interrupted", "The HSM was stopped while the job was in progress")
        assert await operator.state() == before
        assert (await operator.back_up()).status == 202


async def test_a_backup_outlives_the_emulator_that_made_it(tmp_path: Path) -> None:
    async with ManagedHsmEmulator(data=tmp_path, job_duration=DURATION) as hsm:
        await Operator(hsm).furnish()
        before = await Operator(hsm).state()
        folder = await Operator(hsm).folder()
        await Operator(hsm).wreck()

    async with ManagedHsmEmulator(data=tmp_path, job_duration=DURATION) as hsm:
        operator = Operator(hsm)
        done = await operator.finish(await operator.restore(folder))

        assert done.json["status"] == "Succeeded"
        assert await operator.state() == before


async def test_the_offered_token_expires_after_a_week_of_the_clock(operator: Operator) -> None:
    operator.hsm.clock.advance(8 * 86400)

    done = await operator.finish(await operator.back_up())

    code, message = failed(done)
    assert code == "AuthenticationFailed"
    assert message.startswith("The SAS token expired at ")


async def test_the_offered_token_looks_like_one_of_the_service(hsm: ManagedHsmEmulator) -> None:
    fields = dict(part.split("=", 1) for part in hsm.sas_token.split("&"))

    assert hsm.container_url == "https://emulatedhsmstore.blob.core.windows.net/backups"
    assert {"sv", "sr", "sp", "se", "sig"} <= set(fields)
    assert (fields["sr"], fields["sp"]) == ("c", "rcwdl")
