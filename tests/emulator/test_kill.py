"""kill -9, again and again: acknowledged writes are there, all others are there whole or not at all."""

from __future__ import annotations

import asyncio
import json
import random
import ssl
import sys
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias
from uuid import NAMESPACE_URL, uuid5

import aiohttp
import pytest

from emulator.raw import ACTION, CRYPTO_OFFICER, CRYPTO_USER, ROLE_ASSIGNMENTS, ROLE_DEFINITIONS, ROLE_ID, VERSION

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

HOST = "emulated-hsm.managedhsm.azure.net"
# A job of this duration is always interrupted; one of none may end before the kill, or not.
LONG, SHORT = 600.0, 0.0

View: TypeAlias = "tuple[tuple[int, Any], ...]"


def kills(few: int, many: int) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("kills", [few, pytest.param(many, marks=pytest.mark.soak)])


class Mortal:
    """An HSM on one data directory, as its administrator sees it, which is started as often as it is killed.

    :param process: Starts and kills it.
    :param data: The directory.
    """

    def __init__(self, process: asyncio.subprocess.Process, data: Path) -> None:
        self._process = process
        self.data = data
        self._url = ""
        self._session: aiohttp.ClientSession | None = None
        self.administrator = ""
        self.storage: dict[str, str] = {}

    async def start(self, duration: float = LONG) -> None:
        await self.close()
        self._say(f"start {duration} {self.data}")
        born = await self._hear()
        self._url = f"https://localhost:{born['port']}"
        self._session = aiohttp.ClientSession(
            # The HSM keeps its name, whatever its port is; identifiers hold it.
            headers={"Authorization": f"Bearer {born['token']}", "Host": HOST},
            connector=aiohttp.TCPConnector(ssl=ssl.create_default_context(cadata=born["authority"])),
        )
        self.administrator = born["administrator"]
        self.storage = {"storageResourceUri": born["container"], "token": born["sas"]}

    async def kill(self) -> None:
        self._say("kill")
        await self._hear()

    async def kill_while_it_starts(self, after: float) -> None:
        self._say(f"start {LONG} {self.data}")
        await asyncio.sleep(after)
        self._say("kill")
        # It may have started before.
        while await self._hear():
            pass

    async def close(self) -> None:
        if self._session:
            await self._session.close()

    async def send(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        assert self._session
        url = f"{self._url}{path}?api-version={VERSION}"
        async with self._session.request(method, url, json=body) as reply:
            content = await reply.read()
            return reply.status, json.loads(content) if content else None

    async def view(self, *paths: str) -> View:
        """Return what can be read at some paths, without the words about what cannot."""
        replies = [await self.send("GET", path) for path in paths]
        return tuple((status, body if status == 200 else None) for status, body in replies)

    async def start_job(self, method: str, path: str, body: object) -> str:
        """Start a job, and return where its status is."""
        status, job = await self.send(method, path, body)
        assert status == 202, job
        return f"/{'backup' if path == '/backup' else 'restore'}/{job['jobId']}/pending"

    async def ended(self, job: str) -> dict[str, Any]:
        while (body := (await self.send("GET", job))[1])["status"] == "InProgress":
            pass
        return dict(body)

    def _say(self, line: str) -> None:
        assert self._process.stdin
        self._process.stdin.write(f"{line}\n".encode())

    async def _hear(self) -> dict[str, Any]:
        assert self._process.stdout
        answer: dict[str, Any] = json.loads(await self._process.stdout.readline())
        assert "error" not in answer, answer
        return answer


@asynccontextmanager
async def mortal_on(data: Path) -> AsyncGenerator[Mortal]:
    script = str(Path(__file__).with_name("mortal.py"))
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(sys.executable, script, stdin=pipe, stdout=pipe)
    hsm = Mortal(process, data)
    try:
        yield hsm
    finally:
        await hsm.close()
        # The end of its input ends the process.
        await process.communicate(b"")


@dataclass(frozen=True)
class Write:
    """A write, the status that acknowledges it, and how to tell that it happened, as a whole."""

    method: str
    path: str
    body: object
    success: int
    happened: Callable[[View], bool]


@dataclass
class Thing:
    """A resource that is written again and again, and what was acknowledged of it."""

    paths: tuple[str, ...]
    next_write: Callable[[View, random.Random], Write]
    known: View = ()
    """What was read after the last write that is not in doubt."""
    write: Write | None = None
    """The write after that, while it is in doubt."""
    is_acknowledged: bool = False
    """Whether that one was answered."""

    def check(self, seen: View) -> None:
        """Compare with what is there after a kill, which is known from then on."""
        if self.write and self.is_acknowledged:
            assert self.write.happened(seen), ("lost", self, seen)
        elif self.write:
            assert seen == self.known or self.write.happened(seen), ("half there", self, seen)
        else:
            assert seen == self.known, ("changed", self, seen)
        self.know(seen)

    def know(self, seen: View) -> None:
        self.known, self.write, self.is_acknowledged = seen, None, False


def statuses(view: View) -> tuple[int, ...]:
    return tuple(status for status, _ in view)


def role(name: str) -> Thing:
    path = f"{ROLE_DEFINITIONS}/{uuid5(NAMESPACE_URL, name)}"

    def next_write(view: View, rng: random.Random) -> Write:
        if view[0][0] == 200 and rng.random() < 0.3:
            return Write("DELETE", path, None, 200, lambda seen: statuses(seen) == (404,))
        text = f"{rng.getrandbits(64):x}"
        properties = {"roleName": text, "permissions": [{"dataActions": [f"{ACTION}/keys/read/action"]}]}

        def happened(seen: View) -> bool:
            return statuses(seen) == (200,) and seen[0][1]["properties"]["roleName"] == text

        return Write("PUT", path, {"properties": properties}, 201, happened)

    return Thing((path,), next_write)


def assignment(name: str) -> Thing:
    guid = str(uuid5(NAMESPACE_URL, name))
    path = f"{ROLE_ASSIGNMENTS}/{guid}"

    def next_write(view: View, _rng: random.Random) -> Write:
        if view[0][0] == 200:
            return Write("DELETE", path, None, 200, lambda seen: statuses(seen) == (404,))
        properties = {"roleDefinitionId": ROLE_ID + CRYPTO_USER, "principalId": guid}
        return Write("PUT", path, {"properties": properties}, 201, lambda seen: statuses(seen) == (200,))

    return Thing((path,), next_write)


LIVE, DELETED, GONE = (200, 404, 200), (404, 200, 200), (404, 404, 200)


def key(name: str) -> Thing:
    live, deleted = f"/keys/{name}", f"/deletedkeys/{name}"

    def next_write(view: View, rng: random.Random) -> Write:
        now = statuses(view)
        kept = [body["key"] for _, body in view[:2] if body]

        def is_kept(seen: View, state: tuple[int, ...]) -> bool:
            return statuses(seen) == state and [body["key"] for _, body in seen[:2] if body] == kept

        if now == DELETED and rng.random() < 0.5:
            return Write("POST", f"{deleted}/recover", None, 200, lambda seen: is_kept(seen, LIVE))
        if now == DELETED:
            return Write("DELETE", deleted, None, 204, lambda seen: statuses(seen) == GONE)
        if now == LIVE and rng.random() < 0.3:
            return Write("DELETE", live, None, 200, lambda seen: is_kept(seen, DELETED))
        tags = {"text": f"{rng.getrandbits(64):x}"}
        count = len(view[2][1]["value"]) if now == LIVE else 0

        def happened(seen: View) -> bool:
            versions = seen[2][1]["value"]
            return statuses(seen) == LIVE and (len(versions), versions[-1]["tags"]) == (count + 1, tags)

        return Write("POST", f"{live}/create", {"kty": rng.choice(["oct", "EC"]), "tags": tags}, 200, happened)

    return Thing((live, deleted, f"{live}/versions"), next_write)


class Writer:
    """Writes a few resources of its own, one after another."""

    def __init__(self, name: str) -> None:
        self.things = [role(name), assignment(name), key(name)]
        self.acknowledged = 0

    async def look(self, hsm: Mortal) -> list[View]:
        return [await hsm.view(*thing.paths) for thing in self.things]

    async def learn(self, hsm: Mortal) -> None:
        for thing, seen in zip(self.things, await self.look(hsm), strict=True):
            thing.know(seen)

    async def check(self, hsm: Mortal) -> None:
        for thing, seen in zip(self.things, await self.look(hsm), strict=True):
            thing.check(seen)

    async def write(self, hsm: Mortal, rng: random.Random) -> None:
        thing = rng.choice(self.things)
        thing.write = write = thing.next_write(thing.known, rng)
        status, answer = await hsm.send(write.method, write.path, write.body)
        assert status == write.success, (write, answer)
        thing.is_acknowledged = True
        self.acknowledged += 1
        thing.know(await hsm.view(*thing.paths))

    async def write_until_killed(self, hsm: Mortal, rng: random.Random) -> None:
        with suppress(aiohttp.ClientError):
            while True:
                await self.write(hsm, rng)


async def furnish(hsm: Mortal, writers: list[Writer]) -> set[str]:
    """Let the administrator use keys, and every writer write something; return every name that there may be."""
    await hsm.start()
    for each in (CRYPTO_USER, CRYPTO_OFFICER):
        properties = {"roleDefinitionId": ROLE_ID + each, "principalId": hsm.administrator}
        path = f"{ROLE_ASSIGNMENTS}/{uuid5(NAMESPACE_URL, each)}"
        assert (await hsm.send("PUT", path, {"properties": properties}))[0] == 201
    known = await names(hsm)
    for number, writer in enumerate(writers):
        await writer.learn(hsm)
        for seed in range(10):
            await writer.write(hsm, random.Random(100 * number + seed))
    await hsm.kill()
    return known | {path.rpartition("/")[2] for writer in writers for thing in writer.things for path in thing.paths}


async def names(hsm: Mortal) -> set[str]:
    """Return the names of everything that there is."""
    lists = await hsm.view(ROLE_DEFINITIONS, ROLE_ASSIGNMENTS, "/keys", "/deletedkeys")
    return {str(item.get("name") or item["kid"]).rpartition("/")[2] for _, body in lists for item in body["value"]}


@kills(6, 40)
async def test_acknowledged_writes_survive_every_kill(tmp_path: Path, kills: int) -> None:
    writers = [Writer(f"w{number}") for number in range(4)]
    job, interrupted = "", 0
    async with mortal_on(tmp_path) as hsm:
        known = await furnish(hsm, writers)
        for number in range(kills + 1):
            rng, was_long, duration = random.Random(number), number % 2, (LONG, SHORT)[number % 2]
            await hsm.start(duration)
            for writer in writers:
                await writer.check(hsm)
            assert await names(hsm) <= known
            if job:
                body = await hsm.ended(job)
                interrupted += body["statusDetails"] == "The HSM was stopped while the job was in progress"
                assert not was_long or body["status"] == "Failed"
                if body["status"] == "Succeeded":
                    folder = body["azureStorageBlobContainerUri"].rpartition("/")[2]
                    backup = {"sasTokenParameters": hsm.storage, "folderToRestore": folder}
                    check = await hsm.start_job("PUT", "/prerestore", backup)
                    assert (await hsm.ended(check))["status"] == "Succeeded"
            job = await hsm.start_job("POST", "/backup", hsm.storage)
            writing = [writer.write_until_killed(hsm, random.Random(rng.random())) for writer in writers]
            tasks = [asyncio.create_task(each) for each in writing]
            await asyncio.sleep(rng.uniform(0, 0.1))
            await hsm.kill()
            await asyncio.gather(*tasks)

    assert sum(writer.acknowledged for writer in writers) > kills
    assert interrupted >= kills // 2


@kills(5, 20)
async def test_a_restore_happens_as_a_whole_or_not_at_all_and_its_job_says_which(tmp_path: Path, kills: int) -> None:
    writers, lost = [Writer("w0"), Writer("w1")], key("lost")

    async def everything() -> list[View]:
        return [each for writer in writers for each in await writer.look(hsm)] + [await hsm.view(*lost.paths)]

    async with mortal_on(tmp_path) as hsm:
        await furnish(hsm, writers)
        await hsm.start(SHORT)
        assert (await hsm.send("POST", "/keys/lost/create", {"kty": "EC"}))[0] == 200
        backed_up = await everything()
        body = await hsm.ended(await hsm.start_job("POST", "/backup", hsm.storage))
        folder = body["azureStorageBlobContainerUri"].rpartition("/")[2]
        await hsm.kill()

        for number in range(kills):
            rng, duration, is_whole = random.Random(number), (SHORT, LONG)[number % 4 == 3], number % 2 == 0
            await hsm.start(duration)
            # Everything is changed, and one key is gone.
            for writer in writers:
                await writer.learn(hsm)
                for _ in range(3):
                    await writer.write(hsm, rng)
            for path in ("/keys/lost", "/deletedkeys/lost"):
                await hsm.send("DELETE", path)
            before = await everything()
            path, member = ("/restore", "folderToRestore") if is_whole else ("/keys/lost/restore", "folder")
            job = await hsm.start_job("PUT", path, {"sasTokenParameters": hsm.storage, member: folder})
            await asyncio.sleep(rng.uniform(0, 0.02))
            await hsm.kill()
            await hsm.start()
            outcome = (await hsm.ended(job))["status"]
            after = await everything()
            await hsm.kill()

            restored = backed_up if is_whole else [*before[:-1], backed_up[-1]]
            assert after == {"Succeeded": restored, "Failed": before}[outcome]
            assert (outcome, duration) != ("Succeeded", LONG)


@kills(4, 30)
async def test_an_emulator_killed_while_it_starts_starts_the_next_time(tmp_path: Path, kills: int) -> None:
    async with mortal_on(tmp_path) as hsm:
        for number in range(kills):
            hsm.data = tmp_path / str(number)
            for _ in range(2):
                await hsm.kill_while_it_starts(0.05 * number / kills)
            await hsm.start()
            _, assignments = await hsm.send("GET", ROLE_ASSIGNMENTS)
            await hsm.kill()

            assert [each["properties"]["principalId"] for each in assignments["value"]] == [hsm.administrator]
