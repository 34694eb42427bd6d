"""The data directory: damaged, full, read-only, open to others, in use. What was acknowledged is never lost."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import resource
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing, contextmanager
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from azure.keyvault.administration.emulator import ManagedHsmEmulator
from emulator.operator_client import ALICE, DURATION, Operator, failed
from emulator.raw import CRYPTO_USER, ROLE_DEFINITIONS

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = 4096
# Starts an emulator as somebody who is not root and prints what was in the way.
START = """
import asyncio, os, sys
from azure.keyvault.administration.emulator import ManagedHsmEmulator

async def start():
    async with ManagedHsmEmulator(data=sys.argv[1]):
        print("started", flush=True)
        sys.stdin.read()

if os.getuid() == 0 and "plain" in sys.argv:
    os.setgid(65534)
    os.setuid(65534)
try:
    asyncio.run(start())
except OSError as error:
    print(error)
"""


@pytest.fixture(name="data")
async def _data(tmp_path: Path) -> Path:
    """The directory of an HSM that has something of everything and was closed in peace."""
    async with ManagedHsmEmulator(data=tmp_path, job_duration=DURATION) as hsm:
        await Operator(hsm).furnish()
        await Operator(hsm).folder()
    return tmp_path


def listing(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


async def state(data: Path) -> dict[str, object]:
    async with ManagedHsmEmulator(data=data) as hsm:
        return await Operator(hsm).state()


# Damage.


async def test_a_database_is_refused_whichever_of_its_pages_is_damaged(data: Path) -> None:
    database = data / "hsm.sqlite"
    content = database.read_bytes()
    files = listing(data)
    before = await state(data)

    for start in range(0, len(content), PAGE):
        damaged = content[:start] + b"\xa5" * PAGE + content[start + PAGE :]
        database.write_bytes(damaged)
        with pytest.raises(OSError, match=r"hsm\.sqlite: .*; it is damaged; put a copy in its place, or use another"):
            await ManagedHsmEmulator(data=data).start()
        assert database.read_bytes() == damaged
        assert listing(data) == files

    assert len(content) // PAGE > 5
    database.write_bytes(content)
    assert await state(data) == before


@pytest.mark.parametrize("share", [0.001, 0.1, 0.5, 0.99])
async def test_a_database_that_was_cut_off_is_refused_and_left_as_it_is(data: Path, share: float) -> None:
    database = data / "hsm.sqlite"
    os.truncate(database, int(database.stat().st_size * share))
    damaged = database.read_bytes()

    with pytest.raises(OSError, match="damaged"):
        await ManagedHsmEmulator(data=data).start()

    assert database.read_bytes() == damaged


@pytest.fixture(name="copied")
async def _copied(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What somebody has copied of a directory in use: its newest changes are in the file beside the database."""
    copy = tmp_path_factory.mktemp("copies") / "copy"
    async with ManagedHsmEmulator(data=data) as hsm:
        await Operator(hsm).assign(ALICE, CRYPTO_USER)
        shutil.copytree(data, copy)
    return copy


async def test_a_copy_of_a_directory_in_use_is_whole(data: Path, copied: Path) -> None:
    assert await state(copied) == await state(data)


async def test_a_database_that_somebody_has_looked_at_after_a_crash_is_whole(data: Path, copied: Path) -> None:
    with closing(sqlite3.connect(copied / "hsm.sqlite")) as database:
        database.execute("SELECT * FROM facts").fetchall()

    assert await state(copied) == await state(data)


def test_a_program_that_ends_without_closing_its_emulator_can_be_run_again(tmp_path: Path) -> None:
    code = (
        "import asyncio, sys; from pathlib import Path;"
        "from azure.keyvault.administration.emulator import ManagedHsmEmulator;"
        "asyncio.run(ManagedHsmEmulator(data=Path(sys.argv[1])).start())"
    )

    for _ in range(2):
        done = subprocess.run([sys.executable, "-c", code, tmp_path], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


async def test_a_directory_that_was_closed_needs_nothing_but_the_database(data: Path) -> None:
    await state(data)

    assert [name for name in listing(data) if name.startswith("hsm.sqlite")] == ["hsm.sqlite"]
    assert await state(data) == await state(data)


async def test_an_hsm_that_is_removed_can_begin_anew_with_its_security_domain_and_its_backups(data: Path) -> None:
    before = await state(data)
    async with ManagedHsmEmulator(data=data, job_duration=DURATION) as hsm:
        folder = await Operator(hsm).folder()
    (data / "hsm.sqlite").unlink()

    async with ManagedHsmEmulator(data=data, job_duration=DURATION) as hsm:
        operator = Operator(hsm)
        assert len(await operator.role_assignments()) == 1
        await operator.finish(await operator.restore(folder))
        assert await operator.state() == before


async def test_the_database_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "hsm.sqlite") as database:
        database.execute("CREATE TABLE mine (x)")
    database.close()
    content = (tmp_path / "hsm.sqlite").read_bytes()

    with pytest.raises(OSError, match=r"hsm\.sqlite is the database of another program; use another data directory"):
        await ManagedHsmEmulator(data=tmp_path).start()

    assert (tmp_path / "hsm.sqlite").read_bytes() == content


async def test_an_hsm_that_has_lost_its_security_domain_gets_no_other(data: Path) -> None:
    before = await state(data)
    kept = bytes.fromhex((data / "security-domain").read_text())
    (data / "security-domain").unlink()

    with pytest.raises(ValueError, match=r"security-domain is missing: put a copy in its place, or pass its content"):
        await ManagedHsmEmulator(data=data).start()
    async with ManagedHsmEmulator(data=data, security_domain=kept) as hsm:
        assert await Operator(hsm).state() == before
        assert hsm.security_domain == kept


async def test_a_file_is_no_data_directory(tmp_path: Path) -> None:
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


async def test_on_a_full_disk_nothing_new_is_acknowledged_and_nothing_old_is_lost(data: Path) -> None:
    kept: list[str] = []
    refused: list[tuple[int, str, str]] = []
    async with ManagedHsmEmulator(data=data) as hsm:
        operator = Operator(hsm)
        before = await operator.state()
        with no_file_larger_than(150_000):
            for number in range(60):
                reply = await operator.send("POST", f"/keys/k{number}/create", {"kty": "oct"})
                if reply.status == 200:
                    kept.append(f"k{number}")
                else:
                    refused.append(reply.error)
            readable = await operator.send("GET", ROLE_DEFINITIONS)
        kept += [name for name in ("z",) if (await operator.send("POST", f"/keys/{name}/create", {"kty": "oct"})).json]

    async with ManagedHsmEmulator(data=data) as hsm:
        operator = Operator(hsm)
        names = {f"k{number}" for number in range(60)} | {"z"}
        found = {name for name in names if (await operator.send("GET", f"/keys/{name}")).status == 200}
        for name in found:
            await operator.send("DELETE", f"/keys/{name}")
            await operator.send("DELETE", f"/deletedkeys/{name}")
        assert await operator.state() == before

    assert found == set(kept)
    assert 1 < len(kept) < 61
    assert readable.status == 200
    assert {(status, code) for status, code, _ in refused} == {(503, "ServiceUnavailable")}
    expected = (
        f"The emulator cannot use its data directory: {data / 'hsm.sqlite'}: disk I/O error; see whether the disk"
    )
    assert all(message.startswith(expected) for _, _, message in refused)


async def test_on_a_full_disk_a_backup_fails_and_leaves_nothing(data: Path) -> None:
    async with ManagedHsmEmulator(data=data, job_duration=DURATION) as hsm:
        for number in range(60):
            await Operator(hsm).send("POST", f"/keys/k{number}/create", {"kty": "oct"})

    async with ManagedHsmEmulator(data=data, job_duration=DURATION) as hsm:
        operator = Operator(hsm)
        container = data / "storage" / hsm.container_url.removeprefix("https://")
        folders = list(container.iterdir())
        # There is room for the news of a job, and not for the keys.
        with no_file_larger_than(30_000):
            done = await operator.finish(await operator.back_up())

        assert failed(done) == ("StorageUnavailable", "The data folder cannot be written: File too large")
        assert list(container.iterdir()) == folders


@pytest.mark.parametrize("size", [0, 10, 5000])
async def test_a_disk_that_is_full_at_the_first_start_is_named(tmp_path: Path, size: int) -> None:
    with no_file_larger_than(size), pytest.raises(OSError, match=r"hsm\.sqlite|security-domain"):
        await ManagedHsmEmulator(data=tmp_path).start()

    async with ManagedHsmEmulator(data=tmp_path) as hsm:
        assert len(await Operator(hsm).role_assignments()) == 1


async def test_a_disk_that_has_no_room_for_the_security_domain_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_path: Path, _target: Path) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("pathlib.Path.replace", refuse)
        with pytest.raises(OSError, match=r"No space left on device: '.*security-domain'"):
            await ManagedHsmEmulator(data=tmp_path).start()

    async with ManagedHsmEmulator(data=tmp_path) as hsm:
        assert len(await Operator(hsm).role_assignments()) == 1


async def test_a_disk_that_is_full_at_a_later_start_is_named_and_costs_nothing(data: Path) -> None:
    async with ManagedHsmEmulator(data=data, job_duration=DURATION) as hsm:
        started = await Operator(hsm).back_up()
        before = await Operator(hsm).state()

    # The interrupted job has to be written down.
    with no_file_larger_than(2000), pytest.raises(OSError, match=r"hsm\.sqlite: disk I/O error; see whether the disk"):
        await ManagedHsmEmulator(data=data).start()

    async with ManagedHsmEmulator(data=data) as hsm:
        assert failed(await Operator(hsm).status(started))[0] == "Interrupted"
        assert await Operator(hsm).state() == before


async def test_a_disk_that_is_full_in_the_end_costs_nothing(data: Path) -> None:
    async with ManagedHsmEmulator(data=data) as hsm:
        operator = Operator(hsm)
        for number in range(30):
            await operator.send("POST", f"/keys/k{number}/create", {"kty": "oct"})
        before = await operator.state()
        # What is there can be moved into the database, and nothing new can be written.
        file, log = ((data / name).stat().st_size for name in ("hsm.sqlite", "hsm.sqlite-wal"))
        assert file < log
        with no_file_larger_than(log):
            await hsm.close()

    assert await state(data) == before


async def test_a_full_disk_is_one_line_in_the_log(data: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with ManagedHsmEmulator(data=data) as hsm:
        with no_file_larger_than(2000):
            reply = await Operator(hsm).send("POST", "/keys/k/create", {"kty": "oct"})

    message = reply.error[2].partition("directory: ")[2]
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == [
        f"POST /keys/k/create could not be stored: {message}"
    ]
    assert "Traceback" not in caplog.text


# Four files, and the folder's final name.
@pytest.mark.parametrize("first_failure", range(1, 6))
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

    async with ManagedHsmEmulator(data=data, job_duration=DURATION) as hsm:
        operator = Operator(hsm)
        container = data / "storage" / hsm.container_url.removeprefix("https://")
        folders = listing(container)
        monkeypatch.setattr("pathlib.Path.write_bytes", write)
        monkeypatch.setattr("pathlib.Path.rename", move)

        done = await operator.finish(await operator.back_up())

        assert failed(done) == ("StorageUnavailable", "The data folder cannot be written: No space left on device")
        assert listing(container) == folders


# Permissions.


def start(data: Path, *options: str) -> str:
    command = [sys.executable, "-c", START, str(data), *options]
    result = subprocess.run(command, capture_output=True, text=True, check=True, input="")
    return result.stdout.strip()


@pytest.fixture(name="public")
def _public() -> Iterator[Path]:
    """A directory that somebody who is not root can reach."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name)
        path.chmod(0o755)
        yield path


def test_a_directory_that_cannot_be_written_is_named(public: Path) -> None:
    public.chmod(0o555)

    said = start(public, "plain")

    assert said == f"{public} cannot be read and written; make it so, or use another data directory"
    assert list(public.iterdir()) == []


def test_a_database_that_cannot_be_written_is_named(public: Path) -> None:
    start(public)
    (public / "hsm.sqlite").chmod(0o444)
    if os.getuid() == 0:
        for path in [public, *public.rglob("*")]:
            os.chown(path, 65534, -1)

    said = start(public, "plain")

    assert said == f"{public / 'hsm.sqlite'} cannot be read and written; make it so, or use another data directory"


async def test_what_others_may_read_is_closed_to_them(data: Path) -> None:
    # The directory itself may serve for more than this.
    paths = [data / "hsm.sqlite", data / "security-domain", data / "storage", data]
    for path in paths:
        path.chmod(0o755)

    await state(data)

    assert [path.stat().st_mode & 0o777 for path in paths] == [0o700, 0o700, 0o700, 0o755]


async def test_what_cannot_be_closed_to_others_is_warned_of(
    data: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (data / "security-domain").chmod(0o644)

    def refuse(_path: Path, _mode: int) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr("pathlib.Path.chmod", refuse)
    with caplog.at_level(logging.WARNING):
        await state(data)

    warning = f"Cannot restrict access to {data / 'security-domain'} to its owner: Operation not permitted"
    assert warning in caplog.text


# Directories that another user may have prepared.

STRANGER = 12345
_NEEDS_ROOT = pytest.mark.skipif(os.getuid() != 0, reason="Only root can give a file to another user")
_ADVICE = "so its content may not be yours; {}, or use another data directory"


async def refusal(data: Path) -> str:
    with pytest.raises(PermissionError) as caught:
        await ManagedHsmEmulator(data=data).start()
    return str(caught.value)


@_NEEDS_ROOT
@pytest.mark.parametrize(
    "name",
    [
        "",
        "hsm.sqlite",
        "hsm.sqlite-wal",
        "security-domain",
        "certificates.pem",
        "ca.pem",
        "storage",
        "storage/emulatedhsmstore.blob.core.windows.net",
        "storage/emulatedhsmstore.blob.core.windows.net/backups",
    ],
)
async def test_what_another_user_owns_is_refused_and_left_as_it_is(data: Path, name: str) -> None:
    path = data / name
    if not path.exists():
        path.touch()
    path.chmod(0o755)
    os.chown(path, STRANGER, -1)

    said = await refusal(data)

    assert said == f"{path} belongs to another user (uid {STRANGER}), {_ADVICE.format('make it your own')}"
    assert (path.stat().st_uid, path.stat().st_mode & 0o777) == (STRANGER, 0o755)


@pytest.mark.parametrize("name", ["", "hsm.sqlite", "security-domain", "certificates.pem", "storage"])
@pytest.mark.parametrize("mode", [0o720, 0o702, 0o777])
async def test_what_other_users_may_write_is_refused(data: Path, name: str, mode: int) -> None:
    path = data / name
    path.chmod(mode)

    said = await refusal(data)

    everybody = f"{path} can be written by every user, {_ADVICE.format(f'run chmod o-w {path}')}"
    remedy = f"run chmod go-w {path} if its content is yours"
    assert said == f"{path} can be written by other users, {_ADVICE.format(remedy)}" or (
        said == everybody and not name and mode & 0o002
    )
    path.chmod(0o700)
    await state(data)


@pytest.mark.parametrize(
    "name",
    [
        "hsm.sqlite",
        "security-domain",
        "certificates.pem",
        "storage",
        "storage/emulatedhsmstore.blob.core.windows.net",
        "storage/emulatedhsmstore.blob.core.windows.net/backups",
    ],
)
async def test_link_in_the_directory_is_refused_and_not_followed(
    data: Path, name: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path, target = data / name, tmp_path_factory.mktemp("elsewhere") / "target"
    path.rename(target)
    target.chmod(0o755)
    path.symlink_to(target)

    said = await refusal(data)

    reason = "is a link, which may lead to anything"
    assert said == f"{path} {reason}, {_ADVICE.format('put what it leads to in its place')}"
    assert target.stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize("name", ["hsm.sqlite", "security-domain", "certificates.pem", "storage"])
async def test_link_that_leads_nowhere_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).symlink_to(tmp_path / "planted")

    assert f"{name} is a link" in await refusal(tmp_path)

    assert not (tmp_path / "planted").exists()


async def test_parent_that_every_user_may_write_is_refused_unless_it_is_sticky(tmp_path: Path) -> None:
    parent, data = tmp_path / "parent", tmp_path / "parent" / "new" / "data"
    parent.mkdir()
    parent.chmod(0o777)

    assert await refusal(data) == f"{parent} can be written by every user, {_ADVICE.format(f'run chmod o-w {parent}')}"
    assert list(parent.iterdir()) == []

    parent.chmod(0o1777)
    await state(data)


@_NEEDS_ROOT
async def test_parent_of_another_user_is_refused(tmp_path: Path) -> None:
    parent = tmp_path / "parent"
    parent.mkdir()
    os.chown(parent, STRANGER, -1)

    assert f"{parent} belongs to another user" in await refusal(parent / "data")

    assert list(parent.iterdir()) == []


@_NEEDS_ROOT
async def test_another_users_link_on_the_way_is_refused(tmp_path: Path) -> None:
    (tmp_path / "target").mkdir()
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "target")
    os.chown(link, STRANGER, -1, follow_symlinks=False)

    assert f"{link} belongs to another user" in await refusal(link / "data")
    assert f"{link} belongs to another user" in await refusal(link)

    assert list((tmp_path / "target").iterdir()) == []


async def test_own_link_leads_to_the_directory_if_the_way_there_is_safe(tmp_path: Path) -> None:
    target, link = tmp_path / "parent" / "target", tmp_path / "link"
    link.symlink_to("parent/target")
    target.mkdir(parents=True)
    await state(link)

    assert (target / "hsm.sqlite").exists()
    target.parent.chmod(0o777)
    assert f"{target.parent} can be written by every user" in await refusal(link)


async def test_links_that_lead_in_a_circle_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")

    with pytest.raises(OSError, match="symbolic links"):
        await ManagedHsmEmulator(data=tmp_path / "a" / "data").start()


# One emulator at a time.


def test_of_many_emulators_that_start_on_one_directory_one_serves(tmp_path: Path) -> None:
    command = [sys.executable, "-c", START, str(tmp_path)]
    racers = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    said = []
    for racer in racers:
        assert racer.stdout is not None
        said.append(racer.stdout.readline().strip())
    for racer in racers:
        racer.communicate("")

    assert said.count("started") == 1
    losers = {line for line in said if line != "started"}
    advice = "it is in use by another emulator; close that one, or use another data directory"
    assert losers == {f"{tmp_path / 'hsm.sqlite'}: database is locked; {advice}"}


async def test_an_emulator_that_is_refused_leaves_the_other_ones_state_alone(tmp_path: Path) -> None:
    async with ManagedHsmEmulator(data=tmp_path) as hsm:
        operator = Operator(hsm)
        await operator.furnish()
        before = await operator.state()

        said = await asyncio.to_thread(start, tmp_path)
        await operator.assign(ALICE, CRYPTO_USER, "/keys/b")
        after = await operator.role_assignments("/keys/b")

        assert "in use by another emulator" in said
        assert await operator.state() == before
    async with ManagedHsmEmulator(data=tmp_path) as hsm:
        assert await Operator(hsm).role_assignments("/keys/b") == after
        assert json.dumps(after).count(ALICE) == 1
