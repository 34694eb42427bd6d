"""The data directory: damaged, full, read-only, open to others, in use. Acknowledged writes are never lost."""

from __future__ import annotations

import asyncio
import logging
import os
import resource
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing, contextmanager
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from azure.keyvault.administration.emulator import ManagedHsmEmulator
from azure.keyvault.administration.emulator._state.data_directory import prepare
from emulator.operator_client import ALICE, failed, operating
from emulator.raw import CRYPTO_USER, ROLE_DEFINITIONS

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = 4096
# Starts an emulator and tells what was in the way.
START = """
import asyncio, sys
from azure.keyvault.administration.emulator import ManagedHsmEmulator

async def start():
    async with ManagedHsmEmulator(data=sys.argv[1]):
        print("started", flush=True)
        sys.stdin.read()

try:
    asyncio.run(start())
except OSError as error:
    print(error)
"""


@pytest.fixture(name="data")
async def _data(tmp_path: Path) -> Path:
    """The directory of a closed HSM that has keys, roles, assignments and a backup."""
    async with operating(data=tmp_path) as operator:
        await operator.furnish()
        await operator.folder()
    return tmp_path


def listing(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


async def state(data: Path) -> dict[str, object]:
    async with operating(data=data) as operator:
        return await operator.state()


# Damage.


async def test_a_damaged_database_is_refused_and_left_as_it_is(data: Path) -> None:
    database = data / "hsm.sqlite"
    content = database.read_bytes()
    files = listing(data)
    before = await state(data)
    pages = range(0, len(content), PAGE)
    assert len(pages) > 5

    for damaged in (
        *(content[:start] + b"\xa5" * PAGE + content[start + PAGE :] for start in pages),
        *(content[: int(len(content) * share)] for share in (0.001, 0.1, 0.5, 0.99)),
    ):
        database.write_bytes(damaged)
        with pytest.raises(OSError, match=r"hsm\.sqlite: .*; it is damaged; put a copy in its place, or use another"):
            await ManagedHsmEmulator(data=data).start()
        assert database.read_bytes() == damaged
        assert listing(data) == files

    database.write_bytes(content)
    assert await state(data) == before


async def test_a_copy_without_the_newest_changes_is_not_a_new_hsm(tmp_path: Path) -> None:
    data, copy = tmp_path / "data", tmp_path / "copy"
    async with operating(data=data) as operator:
        await operator.assign(ALICE, CRYPTO_USER)
        shutil.copytree(data, copy, ignore=shutil.ignore_patterns("*-wal", "*-shm"))

    for _ in range(2):
        with pytest.raises(
            OSError, match=r"hsm\.sqlite is damaged: it is empty\. Put a copy in its place, or remove it"
        ):
            await ManagedHsmEmulator(data=copy).start()


@pytest.mark.parametrize("is_opened", [False, True])
async def test_a_copy_of_a_directory_in_use_is_whole(
    data: Path, tmp_path_factory: pytest.TempPathFactory, *, is_opened: bool
) -> None:
    copy = tmp_path_factory.mktemp("copies") / "copy"
    async with operating(data=data) as operator:
        await operator.assign(ALICE, CRYPTO_USER)
        # The newest changes are in the file beside the database.
        shutil.copytree(data, copy)
    if is_opened:
        # Another program that opens the copy changes it, as it would after a crash.
        with closing(sqlite3.connect(copy / "hsm.sqlite")) as database:
            database.execute("SELECT * FROM facts").fetchall()

    assert await state(copy) == await state(data)


def test_a_program_may_end_without_closing_its_emulator(tmp_path: Path) -> None:
    code = (
        "import asyncio, sys; from pathlib import Path;"
        "from azure.keyvault.administration.emulator import ManagedHsmEmulator;"
        "asyncio.run(ManagedHsmEmulator(data=Path(sys.argv[1])).start())"
    )

    done = subprocess.run([sys.executable, "-c", code, tmp_path], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    asyncio.run(state(tmp_path))


async def test_a_closed_directory_needs_nothing_but_the_database(data: Path) -> None:
    assert [name for name in listing(data) if name.startswith("hsm.sqlite")] == ["hsm.sqlite"]


async def test_backups_are_for_their_owner_only(data: Path) -> None:
    assert (data / "storage").stat().st_mode & 0o777 == 0o700


async def test_without_its_database_an_hsm_begins_anew_and_keeps_its_security_domain_and_backups(data: Path) -> None:
    before = await state(data)
    async with operating(data=data) as operator:
        folder = await operator.folder()
    (data / "hsm.sqlite").unlink()

    async with operating(data=data) as operator:
        assert len(await operator.role_assignments()) == 1
        await operator.finish(await operator.restore(folder))
        assert await operator.state() == before


async def test_a_database_of_another_program_is_left_alone(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "hsm.sqlite")) as database, database:
        database.execute("CREATE TABLE mine (x)")
    content = (tmp_path / "hsm.sqlite").read_bytes()

    with pytest.raises(OSError, match=r"hsm\.sqlite is .*; use another data directory"):
        await ManagedHsmEmulator(data=tmp_path).start()

    assert (tmp_path / "hsm.sqlite").read_bytes() == content


async def test_an_hsm_that_has_lost_its_security_domain_gets_no_other(data: Path) -> None:
    before = await state(data)
    kept = bytes.fromhex((data / "security-domain").read_text())
    (data / "security-domain").unlink()

    with pytest.raises(ValueError, match=r"security-domain is missing: put a copy in its place, or pass its content"):
        await ManagedHsmEmulator(data=data).start()
    async with operating(data=data, security_domain=kept) as operator:
        assert await operator.state() == before
        assert operator.hsm.security_domain == kept


async def test_a_file_is_not_a_data_directory(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(OSError, match="file"):
        await ManagedHsmEmulator(data=tmp_path / "file").start()


# A full disk.


@contextmanager
def no_file_larger_than(size: int) -> Iterator[None]:
    """Behave as a disk does that has no room."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


async def test_on_a_full_disk_nothing_new_is_acknowledged_and_nothing_old_is_lost(
    data: Path, caplog: pytest.LogCaptureFixture
) -> None:
    names, kept, refused = [f"k{number}" for number in range(12)], set(), []
    async with operating(data=data) as operator:
        before = await operator.state()
        with no_file_larger_than(60_000):
            for name in names:
                reply = await operator.send("POST", f"/keys/{name}/create", {"kty": "oct"})
                if reply.status == 200:
                    kept.add(name)
                else:
                    refused.append(reply.error)
            readable = await operator.send("GET", ROLE_DEFINITIONS)
        assert (await operator.send("POST", "/keys/z/create", {"kty": "oct"})).status == 200

    async with operating(data=data) as operator:
        found = {name for name in [*names, "z"] if (await operator.send("GET", f"/keys/{name}")).status == 200}
        for name in found:
            await operator.send("DELETE", f"/keys/{name}")
            await operator.send("DELETE", f"/deletedkeys/{name}")
        assert await operator.state() == before

    assert found == {*kept, "z"}
    assert 0 < len(kept) < len(names)
    assert readable.status == 200
    reason = f"{data / 'hsm.sqlite'}: disk I/O error; see whether the disk is full or failing"
    message = f"The emulator cannot use its data directory: {reason}"
    assert set(refused) == {(503, "ServiceUnavailable", message)}
    assert {record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING} == {
        f"POST /keys/{name}/create could not be stored: {reason}" for name in set(names) - kept
    }
    assert "Traceback" not in caplog.text


@pytest.mark.parametrize("size", [0, 5000])
async def test_a_disk_that_is_full_at_the_first_start_is_named(tmp_path: Path, size: int) -> None:
    with no_file_larger_than(size), pytest.raises(OSError, match=r"hsm\.sqlite|security-domain"):
        await ManagedHsmEmulator(data=tmp_path).start()

    async with operating(data=tmp_path) as operator:
        assert len(await operator.role_assignments()) == 1


async def test_a_disk_that_has_no_room_for_the_security_domain_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_path: Path, _target: Path) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("pathlib.Path.replace", refuse)
        with pytest.raises(OSError, match=r"No space left on device: '.*security-domain'"):
            await ManagedHsmEmulator(data=tmp_path).start()

    async with operating(data=tmp_path) as operator:
        assert len(await operator.role_assignments()) == 1


async def test_a_disk_that_is_full_at_a_later_start_is_named_and_costs_nothing(data: Path) -> None:
    async with operating(data=data) as operator:
        started = await operator.back_up()
        before = await operator.state()

    # The interrupted job has to be written down.
    with no_file_larger_than(2000), pytest.raises(OSError, match=r"hsm\.sqlite: disk I/O error; see whether the disk"):
        await ManagedHsmEmulator(data=data).start()

    async with operating(data=data) as operator:
        assert failed(await operator.status(started))[0] == "Interrupted"
        assert await operator.state() == before


async def test_a_disk_that_is_full_in_the_end_costs_nothing(data: Path) -> None:
    async with operating(data=data) as operator:
        for number in range(30):
            await operator.send("POST", f"/keys/k{number}/create", {"kty": "oct"})
        before = await operator.state()
        # What is there can be moved into the database, and nothing new can be written.
        file, log = ((data / name).stat().st_size for name in ("hsm.sqlite", "hsm.sqlite-wal"))
        assert file < log
        with no_file_larger_than(log):
            await operator.hsm.close()

    assert await state(data) == before


# The first file, the last, and the folder's final name.
@pytest.mark.parametrize("first_failure", [1, 4, 5])
async def test_disk_that_fills_up_during_a_backup_fails_the_job(
    data: Path, monkeypatch: pytest.MonkeyPatch, first_failure: int
) -> None:
    calls = count(1)
    write_bytes, rename = Path.write_bytes, Path.rename

    def room() -> None:
        if next(calls) >= first_failure:
            raise OSError(28, "No space left on device")

    def write(path: Path, content: bytes) -> int:
        room()
        return write_bytes(path, content)

    def move(path: Path, target: Path) -> Path:
        room()
        return rename(path, target)

    async with operating(data=data) as operator:
        container = data / "storage" / operator.hsm.container_url.removeprefix("https://")
        folders = listing(container)
        monkeypatch.setattr("pathlib.Path.write_bytes", write)
        monkeypatch.setattr("pathlib.Path.rename", move)

        done = await operator.finish(await operator.back_up())

        assert failed(done) == ("StorageUnavailable", "The data folder cannot be written: No space left on device")
        assert listing(container) == folders


# Permissions.


@pytest.fixture(name="stored")
def _stored(tmp_path: Path) -> Path:
    """A directory with everything that an emulator leaves there, though empty."""
    (tmp_path / "storage" / "host" / "backups").mkdir(parents=True)
    for name in ("hsm.sqlite", "hsm.sqlite-wal", "security-domain", "certificates.pem", "ca.pem"):
        (tmp_path / name).touch()
    for path in tmp_path.rglob("*"):
        path.chmod(0o700)
    return tmp_path


def refusal(path: Path) -> str:
    with pytest.raises(PermissionError) as caught:
        prepare(path)
    return str(caught.value)


@pytest.mark.parametrize("name", ["", "hsm.sqlite"])
def test_what_cannot_be_written_is_named(stored: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    path = stored / name
    # Root may write everywhere.
    monkeypatch.setattr(os, "access", lambda each, mode: each != path or not mode & os.W_OK)

    assert refusal(stored) == f"{path} cannot be read and written; make it so, or use another data directory"


def test_what_others_may_read_is_closed_to_them(stored: Path) -> None:
    # The directory itself may serve for more than this.
    paths = [stored / "hsm.sqlite", stored / "hsm.sqlite-wal", stored / "security-domain", stored / "storage", stored]
    for path in paths:
        path.chmod(0o755)

    prepare(stored)

    assert [path.stat().st_mode & 0o777 for path in paths] == [0o700] * 4 + [0o755]


def test_what_cannot_be_closed_to_others_is_warned_of(
    stored: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (stored / "security-domain").chmod(0o644)
    (stored / "certificates.pem").unlink()

    def refuse(_path: Path, _mode: int) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr("pathlib.Path.chmod", refuse)
    prepare(stored)

    (warning,) = (record.getMessage() for record in caplog.records)
    assert str(stored / "security-domain") in warning
    assert warning.endswith(": Operation not permitted")


# Directories that another user may have prepared.

STRANGER = 12345
_NEEDS_ROOT = pytest.mark.skipif(os.getuid() != 0, reason="Only root can give a file to another user")
_ADVICE = "so its content may not be yours; {}, or use another data directory"
_FILES = ["hsm.sqlite", "security-domain", "certificates.pem", "storage"]
_CONTAINERS = ["storage/host", "storage/host/backups"]


@_NEEDS_ROOT
@pytest.mark.parametrize("name", ["", *_FILES, "hsm.sqlite-wal", "ca.pem", *_CONTAINERS])
def test_what_another_user_owns_is_refused_and_left_as_it_is(stored: Path, name: str) -> None:
    path = stored / name
    path.chmod(0o755)
    os.chown(path, STRANGER, -1)

    said = refusal(stored)

    assert said == f"{path} belongs to another user (uid {STRANGER}), {_ADVICE.format('make it your own')}"
    assert (path.stat().st_uid, path.stat().st_mode & 0o777) == (STRANGER, 0o755)


@pytest.mark.parametrize("name", ["", *_FILES])
def test_what_other_users_may_write_is_refused(stored: Path, name: str) -> None:
    path = stored / name
    remedy = f"run chmod go-w {path} if its content is yours"
    for mode in (0o720, 0o702):
        path.chmod(mode)

        said = refusal(stored)

        if mode == 0o702 and not name:
            assert said == f"{path} can be written by every user, {_ADVICE.format(f'run chmod o-w {path}')}"
        else:
            assert said == f"{path} can be written by other users, {_ADVICE.format(remedy)}"
    path.chmod(0o700)
    prepare(stored)


@pytest.mark.parametrize("name", [*_FILES, *_CONTAINERS])
def test_link_in_the_directory_is_refused_and_not_followed(
    stored: Path, name: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path, target = stored / name, tmp_path_factory.mktemp("elsewhere") / "target"
    path.rename(target)
    target.chmod(0o755)
    path.symlink_to(target)

    said = refusal(stored)

    reason = "is a link, which may lead to anything"
    assert said == f"{path} {reason}, {_ADVICE.format('put what it leads to in its place')}"
    assert target.stat().st_mode & 0o777 == 0o755


async def test_link_that_leads_nowhere_is_refused(tmp_path: Path) -> None:
    (tmp_path / "certificates.pem").symlink_to(tmp_path / "planted")

    with pytest.raises(PermissionError, match=r"certificates\.pem is a link"):
        await ManagedHsmEmulator(data=tmp_path).start()

    assert not (tmp_path / "planted").exists()


def test_parent_that_every_user_may_write_is_refused_unless_it_is_sticky(tmp_path: Path) -> None:
    parent, data = tmp_path / "parent", tmp_path / "parent" / "new" / "data"
    parent.mkdir()
    parent.chmod(0o777)

    assert refusal(data) == f"{parent} can be written by every user, {_ADVICE.format(f'run chmod o-w {parent}')}"
    assert list(parent.iterdir()) == []

    parent.chmod(0o1777)
    prepare(data)


def test_path_is_checked_again_once_the_directory_is_created(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parent, mkdir = tmp_path / "parent", Path.mkdir

    def create(path: Path, *_arguments: object, **_options: object) -> None:
        mkdir(path, parents=True)
        parent.chmod(0o777)

    monkeypatch.setattr("pathlib.Path.mkdir", create)

    assert f"{parent} can be written by every user" in refusal(parent / "data")


@_NEEDS_ROOT
def test_parent_or_link_of_another_user_is_refused(tmp_path: Path) -> None:
    parent, link = tmp_path / "parent", tmp_path / "link"
    parent.mkdir()
    link.symlink_to(parent)
    os.chown(link, STRANGER, -1, follow_symlinks=False)
    for path in (link, link / "data"):
        assert f"{link} belongs to another user" in refusal(path)
    os.chown(parent, STRANGER, -1)
    assert f"{parent} belongs to another user" in refusal(parent / "data")

    assert list(parent.iterdir()) == []


def test_own_link_leads_to_the_directory_if_the_way_there_is_safe(tmp_path: Path) -> None:
    target, link = tmp_path / "parent" / "target", tmp_path / "link"
    link.symlink_to("parent/target")
    target.mkdir(parents=True)
    prepare(link)

    target.parent.chmod(0o777)
    assert f"{target.parent} can be written by every user" in refusal(link)


def test_links_that_lead_in_a_circle_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")

    with pytest.raises(OSError, match="symbolic links"):
        prepare(tmp_path / "a" / "data")


# One emulator at a time.


async def test_one_of_many_emulators_that_start_on_one_directory_serves(tmp_path: Path) -> None:
    pipe = asyncio.subprocess.PIPE
    racers = [
        await asyncio.create_subprocess_exec(sys.executable, "-c", START, tmp_path, stdin=pipe, stdout=pipe)
        for _ in range(2)
    ]
    said = []
    for racer in racers:
        assert racer.stdout
        said.append((await racer.stdout.readline()).decode().strip())
    for racer in racers:
        await racer.communicate(b"")

    advice = "it is in use by another emulator; close that one, or use another data directory"
    assert sorted(said) == sorted(["started", f"{tmp_path / 'hsm.sqlite'}: database is locked; {advice}"])


async def test_an_emulator_that_is_refused_leaves_the_state_of_the_other_alone(tmp_path: Path) -> None:
    async with operating(data=tmp_path) as operator:
        await operator.furnish()
        before = await operator.state()

        with pytest.raises(OSError, match="in use by another emulator"):
            await ManagedHsmEmulator(data=tmp_path).start()

        assert await operator.state() == before
        await operator.assign(ALICE, CRYPTO_USER, "/keys/b")
        after = await operator.state()
    assert await state(tmp_path) == after
