"""kill -9, again and again: what was acknowledged is there, what was not is there whole or not at all."""

from __future__ import annotations

import asyncio
import json
import random
import signal
import ssl
import sys
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias
from uuid import NAMESPACE_URL, uuid5

import aiohttp

from emulator import command
from emulator.raw import ACTION, CRYPTO_OFFICER, CRYPTO_USER, ROLE_ASSIGNMENTS, ROLE_DEFINITIONS, ROLE_ID, VERSION

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

HOST = "emulated-hsm.managedhsm.azure.net"
WRITE_KILLS = 40
RESTORE_KILLS = 20
START_KILLS = 15
WRITERS = 4
# A job of this duration is always interrupted; one of none may end before the kill, or not.
LONG, SHORT = 600.0, 0.0

View: TypeAlias = "tuple[tuple[int, Any], ...]"


class Life:
    """One life of the emulator, as its administrator sees it."""

    def __init__(self, mortal_hsm: Mortal, born: dict[str, Any]) -> None:
        self._mortal_hsm = mortal_hsm
        self._url = f"https://localhost:{born['port']}"
        self._session = aiohttp.ClientSession(
            # The name that the HSM has in every life, whatever its port is; identifiers hold it.
            headers={"Authorization": f"Bearer {born['token']}", "Host": HOST},
            connector=aiohttp.TCPConnector(ssl=ssl.create_default_context(cadata=born["authority"])),
        )
        self.administrator: str = born["administrator"]
        self.storage = {"storageResourceUri": born["container"], "token": born["sas"]}

    async def send(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        url = f"{self._url}{path}?api-version={VERSION}"
        async with self._session.request(method, url, json=body) as reply:
            content = await reply.read()
            return reply.status, json.loads(content) if content else None

    async def view(self, *paths: str) -> View:
        """What can be read at some paths; that something is not there is the same whatever is said about it."""
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

    async def kill(self) -> None:
        await self._mortal_hsm.kill()

    async def close(self) -> None:
        await self._session.close()


class Mortal:
    """An HSM that lives on one data directory, as often as it is killed."""

    def __init__(self, process: asyncio.subprocess.Process, data: Path) -> None:
        self._process = process
        self._data = data

    def on(self, data: Path) -> Mortal:
        """Another HSM, which must not live at the same time."""
        return Mortal(self._process, data)

    async def kill_while_it_starts(self, after: float) -> None:
        self._say(f"start {LONG} {self._data}")
        await asyncio.sleep(after)
        self._say("kill")
        # It may have been faster.
        while await self._hear():
            pass

    async def kill(self) -> None:
        self._say("kill")
        await self._hear()

    @asynccontextmanager
    async def life(self, duration: float) -> AsyncGenerator[Life]:
        """Start it. Whoever does so has to kill it."""
        self._say(f"start {duration} {self._data}")
        life = Life(self, await self._hear())
        try:
            yield life
        finally:
            await life.close()

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
    try:
        yield Mortal(process, data)
    finally:
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
    """Something that is written again and again, and what was acknowledged of it."""

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
        return Write(
            "PUT",
            path,
            {"properties": properties},
            201,
            lambda seen: statuses(seen) == (200,) and seen[0][1]["properties"]["roleName"] == text,
        )

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
        if now == DELETED:
            kept = view[1][1]["key"]
            recover = Write(
                "POST",
                f"{deleted}/recover",
                None,
                200,
                lambda seen: statuses(seen) == LIVE and seen[0][1]["key"] == kept,
            )
            purge = Write("DELETE", deleted, None, 204, lambda seen: statuses(seen) == GONE)
            return rng.choice([recover, purge])
        if now == LIVE and rng.random() < 0.3:
            kept = view[0][1]["key"]
            return Write(
                "DELETE", live, None, 200, lambda seen: statuses(seen) == DELETED and seen[1][1]["key"] == kept
            )
        tags = {"text": f"{rng.getrandbits(64):x}"}
        count = len(view[2][1]["value"]) if now == LIVE else 0
        is_new = not count or (count < 20 and rng.random() < 0.5)

        def happened(seen: View) -> bool:
            return (
                statuses(seen) == LIVE
                and seen[0][1]["tags"] == tags
                and len(seen[2][1]["value"]) == count + is_new
                and seen[2][1]["value"][-1]["tags"] == tags
            )

        if is_new:
            body = {"kty": rng.choice(["oct", "EC"]), "tags": tags}
            return Write("POST", f"{live}/create", body, 200, happened)
        return Write("PATCH", f"{live}/", {"tags": tags}, 200, happened)

    return Thing((live, deleted, f"{live}/versions"), next_write)


class Writer:
    """Somebody who writes a few things of their own, one after another."""

    def __init__(self, name: str) -> None:
        self.things = [role(name), assignment(name), key(name), key(f"{name}-2")]
        self.cut = 0
        self.acknowledged = 0

    async def look(self, life: Life) -> list[View]:
        return [await life.view(*thing.paths) for thing in self.things]

    async def learn(self, life: Life) -> None:
        for thing, seen in zip(self.things, await self.look(life), strict=True):
            thing.know(seen)

    async def check(self, life: Life) -> None:
        for thing, seen in zip(self.things, await self.look(life), strict=True):
            thing.check(seen)

    async def write(self, life: Life, rng: random.Random) -> None:
        thing = rng.choice(self.things)
        thing.write = write = thing.next_write(thing.known, rng)
        status, answer = await life.send(write.method, write.path, write.body)
        assert status == write.success, (write, answer)
        thing.is_acknowledged = True
        self.acknowledged += 1
        thing.know(await life.view(*thing.paths))

    async def write_until_killed(self, life: Life, rng: random.Random) -> None:
        try:
            while True:
                await self.write(life, rng)
        except aiohttp.ClientError:
            self.cut += 1


async def furnish(mortal_hsm: Mortal, writers: list[Writer]) -> set[str]:
    """Let the administrator use keys, and every writer write something; return every name that there may be."""
    async with mortal_hsm.life(LONG) as life:
        for each in (CRYPTO_USER, CRYPTO_OFFICER):
            properties = {"roleDefinitionId": ROLE_ID + each, "principalId": life.administrator}
            path = f"{ROLE_ASSIGNMENTS}/{uuid5(NAMESPACE_URL, each)}"
            assert (await life.send("PUT", path, {"properties": properties}))[0] == 201
        known = await names(life)
        for number, writer in enumerate(writers):
            await writer.learn(life)
            for _ in range(20):
                await writer.write(life, random.Random(number))
        await life.kill()
    return known | {path.rpartition("/")[2] for writer in writers for thing in writer.things for path in thing.paths}


async def names(life: Life) -> set[str]:
    """Whatever there is, by name."""
    lists = await life.view(ROLE_DEFINITIONS, ROLE_ASSIGNMENTS, "/keys", "/deletedkeys")
    return {str(item.get("name") or item["kid"]).rpartition("/")[2] for _, body in lists for item in body["value"]}


async def test_what_was_acknowledged_outlives_every_kill(tmp_path: Path) -> None:
    writers = [Writer(f"w{number}") for number in range(WRITERS)]
    job, duration, interrupted = "", LONG, 0
    async with mortal_on(tmp_path) as mortal_hsm:
        known = await furnish(mortal_hsm, writers)
        for seed in range(WRITE_KILLS + 1):
            rng = random.Random(seed)
            interrupts, duration = duration == LONG, rng.choice([SHORT, LONG])
            async with mortal_hsm.life(duration) as life:
                for writer in writers:
                    await writer.check(life)
                assert await names(life) <= known
                if job:
                    body = await life.ended(job)
                    assert (
                        not interrupts or body["statusDetails"] == "The HSM was stopped while the job was in progress"
                    )
                    interrupted += body["status"] == "Failed"
                    if body["status"] == "Succeeded":
                        folder = body["azureStorageBlobContainerUri"].rpartition("/")[2]
                        backup = {"sasTokenParameters": life.storage, "folderToRestore": folder}
                        check = await life.start_job("PUT", "/prerestore", backup)
                        assert (await life.ended(check))["status"] == "Succeeded"
                job = await life.start_job("POST", "/backup", life.storage) if rng.random() < 0.7 else ""
                writing = [writer.write_until_killed(life, random.Random(rng.random())) for writer in writers]
                tasks = [asyncio.create_task(each) for each in writing]
                await asyncio.sleep(rng.uniform(0, 0.1))
                await life.kill()
                await asyncio.gather(*tasks)

    assert sum(writer.cut for writer in writers) == (WRITE_KILLS + 1) * WRITERS
    assert sum(writer.acknowledged for writer in writers) > WRITE_KILLS
    assert interrupted > 5


async def test_a_restore_happens_as_a_whole_or_not_at_all_and_its_job_says_which(tmp_path: Path) -> None:
    writers = [Writer("w0"), Writer("w1")]
    lost = key("lost")
    outcomes: list[str] = []

    async def everything(life: Life) -> list[View]:
        return [each for writer in writers for each in await writer.look(life)] + [await life.view(*lost.paths)]

    async with mortal_on(tmp_path) as mortal_hsm:
        await furnish(mortal_hsm, writers)
        async with mortal_hsm.life(SHORT) as life:
            assert (await life.send("POST", "/keys/lost/create", {"kty": "EC"}))[0] == 200
            backed_up = await everything(life)
            body = await life.ended(await life.start_job("POST", "/backup", life.storage))
            folder = body["azureStorageBlobContainerUri"].rpartition("/")[2]
            await life.kill()

        for seed in range(RESTORE_KILLS):
            rng = random.Random(seed)
            duration, is_whole = rng.choice([SHORT, LONG]), rng.random() < 0.6
            async with mortal_hsm.life(duration) as life:
                # Everything is changed, and one key is gone.
                for writer in writers:
                    await writer.learn(life)
                    for _ in range(3):
                        await writer.write(life, rng)
                for path in ("/keys/lost", "/deletedkeys/lost"):
                    await life.send("DELETE", path)
                before = await everything(life)
                if is_whole:
                    body = {"sasTokenParameters": life.storage, "folderToRestore": folder}
                    job = await life.start_job("PUT", "/restore", body)
                else:
                    body = {"sasTokenParameters": life.storage, "folder": folder}
                    job = await life.start_job("PUT", "/keys/lost/restore", body)
                await asyncio.sleep(rng.uniform(0, 0.02))
                await life.kill()
            async with mortal_hsm.life(LONG) as life:
                outcome = (await life.ended(job))["status"]
                after = await everything(life)
                await life.kill()

            restored = backed_up if is_whole else [*before[:-1], backed_up[-1]]
            assert after == {"Succeeded": restored, "Failed": before}[outcome]
            assert (outcome, duration) != ("Succeeded", LONG)
            outcomes.append(outcome)

    assert outcomes.count("Failed") > 5


async def test_an_emulator_that_is_killed_while_it_starts_starts_the_next_time(tmp_path: Path) -> None:
    async with mortal_on(tmp_path) as mortal_hsm:
        for seed in range(START_KILLS):
            rng = random.Random(seed)
            hsm = mortal_hsm.on(tmp_path / str(seed))
            for _ in range(2):
                await hsm.kill_while_it_starts(rng.uniform(0, 0.05))
            async with hsm.life(LONG) as life:
                _, assignments = await life.send("GET", ROLE_ASSIGNMENTS)
                await life.kill()

            assert [each["properties"]["principalId"] for each in assignments["value"]] == [life.administrator]


@asynccontextmanager
async def administrator(variables: dict[str, str], data: Path) -> AsyncGenerator[aiohttp.ClientSession]:
    """A session for somebody who has nothing but the variables that the command printed."""
    async with aiohttp.ClientSession(headers={"X-IDENTITY-HEADER": variables["IDENTITY_HEADER"]}) as identity:
        query = {"resource": "https://managedhsm.azure.net", "api-version": "2019-08-01"}
        async with identity.get(variables["IDENTITY_ENDPOINT"], params=query) as reply:
            token = (await reply.json())["access_token"]
    connector = aiohttp.TCPConnector(ssl=ssl.create_default_context(cafile=data / "ca.pem"))
    async with aiohttp.ClientSession(
        variables["EMULATOR_LOCALHOST_URL"], connector=connector, headers={"Authorization": f"Bearer {token}"}
    ) as session:
        yield session


async def test_the_command_too_keeps_what_it_acknowledged_when_it_is_killed(tmp_path: Path) -> None:
    path = f"{ROLE_ASSIGNMENTS}?api-version={VERSION}"
    guid = str(uuid5(NAMESPACE_URL, "command"))
    body = {"properties": {"roleDefinitionId": ROLE_ID + CRYPTO_USER, "principalId": guid}}

    async with command.started("--data", tmp_path) as first:
        async with administrator(first.variables, tmp_path) as session:
            async with session.put(path.replace("?", f"/{guid}?"), json=body) as reply:
                assert reply.status == 201
            before = await (await session.get(path)).json()
        code, said = await first.stop(signal.SIGKILL)
    async with command.started("--data", tmp_path) as second, administrator(second.variables, tmp_path) as session:
        after = await (await session.get(path)).json()

    assert (code, said) == (-signal.SIGKILL, "")
    assert after == before
    assert guid in json.dumps(after)
