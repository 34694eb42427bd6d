"""A second client process on the same HSM, which runs a part of the workload.

Run as a program, this module is that process. It tells each operation to the process that runs the test, as soon as it
has ended, and borrows that process's locks: so full restores pause both, and each start in the journal has one caller.
Each message is a line of JSON.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chaos import clients
from chaos.history import Operation
from chaos.inventory import Inventory
from chaos.jobs import JobStarter, KeyWorker
from chaos.operation_log import OperationLog
from chaos.workload import Worker
from emulator import application
from hsm_process import HsmProcess

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from types import TracebackType

    from typing_extensions import Self


_WORKERS = 4
# Apart from those of the first process.
_FIRST_NUMBER = 100
# The lock of all callers, which a full restore takes. Others bear the name of the path at which a job starts.
_SHARED = "shared"
_LONGEST_LINE = 1024 * 1024

Say = Callable[..., None]


class Lender:
    """Merges the operations of the second process into the log of the first, and lends it the first one's locks.

    :param log: The log.
    :param say: Sends a message to the second process.
    """

    def __init__(self, log: OperationLog, say: Say) -> None:
        self._log = log
        self._say = say
        self._released: dict[int, asyncio.Event] = {}
        self._loans: set[asyncio.Task[None]] = set()
        self.requests = 0

    def hear(self, message: dict[str, Any]) -> None:
        """Act on a message of the second process.

        :param message: The message.
        """
        if "operation" in message:
            self._log.append(message["operation"])
        elif "borrow" in message:
            number = message["loan"]
            self._released[number] = asyncio.Event()
            loan = asyncio.create_task(self._lend(message["borrow"], number))
            self._loans.add(loan)
            loan.add_done_callback(self._loans.discard)
        elif "release" in message:
            self._released.pop(message["release"]).set()
        else:
            self.requests = message["requests"]

    async def close(self) -> None:
        """Take all locks back."""
        for loan in self._loans:
            loan.cancel()
        await asyncio.gather(*self._loans, return_exceptions=True)

    async def _lend(self, name: str, number: int) -> None:
        released = self._released[number]
        async with self._log.shared() if name == _SHARED else self._log.start_lock(name):
            self._say(lent=number)
            await released.wait()


def decode(line: bytes) -> dict[str, Any]:
    """Return a message of the second process.

    :param line: The line.
    """
    message: dict[str, Any] = json.loads(line)
    if "operation" in message:
        message["operation"] = Operation.from_json(message["operation"])
    return message


class SecondProcess:
    """The second process, as the first one sees it.

    :param log: The log of the run.
    :param seed: The seed of its workload.
    :param hsm: The emulator.
    """

    def __init__(self, log: OperationLog, seed: int, hsm: HsmProcess) -> None:
        self._log = log
        self._seed = seed
        self._hsm = hsm
        self._lender = Lender(log, self._say)
        self._process: Process | None = None

    @property
    def requests(self) -> int:
        """How many requests it sent, once it has ended."""
        return self._lender.requests

    async def work(self) -> None:
        """Let it work until the log is full."""
        assert self._process
        assert self._process.stdout
        self._say(seed=self._seed, variables=dict(self._hsm.variables))
        telling = asyncio.create_task(self._tell_news())
        try:
            while line := await self._process.stdout.readline():
                self._lender.hear(decode(line))
        finally:
            telling.cancel()
        assert await self._process.wait() == 0, "the second process failed"

    async def _tell_news(self) -> None:
        told = True
        while not self._log.is_full:
            await asyncio.sleep(0.01)
            if self._hsm.is_serving is not told:
                told = self._hsm.is_serving
                # A restarted emulator has another identity endpoint.
                self._say(serving=told, variables=dict(self._hsm.variables))
        self._say(full=True)

    def _say(self, **message: Any) -> None:
        assert self._process
        assert self._process.stdin
        self._process.stdin.write(f"{json.dumps(message)}\n".encode())

    async def __aenter__(self) -> Self:
        path = [str(Path(__file__).parent.parent), os.environ.get("PYTHONPATH", "")]
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-W", "error::ResourceWarning", "-m", "chaos.second_process"),
            env=application.environment({"PYTHONPATH": os.pathsep.join(filter(None, path))}),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=_LONGEST_LINE,
        )
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        await self._lender.close()
        if self._process and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()


class BorrowingLog(OperationLog):
    """The log of the second process: tells the first each operation, and borrows its locks.

    :param hsm: The emulator.
    """

    def __init__(self, hsm: HsmProcess) -> None:
        super().__init__(0, lambda: hsm.is_serving)
        self._hsm = hsm
        self._numbers = count()
        self._lent: dict[int, asyncio.Event] = {}
        self._is_full = False

    @property
    def is_full(self) -> bool:
        return self._is_full

    def append(self, operation: Operation) -> None:
        _print(operation=replace(operation, process=1).as_json())

    def shared(self) -> Any:
        return self._borrow(_SHARED)

    def start_lock(self, resource: str) -> Any:
        return self._borrow(resource)

    def hear(self, message: dict[str, Any]) -> None:
        """Act on a message of the first process.

        :param message: The message.
        """
        if "lent" in message:
            self._lent.pop(message["lent"]).set()
        elif "serving" in message:
            self._hsm.is_serving, self._hsm.variables = message["serving"], message["variables"]
        else:
            self._is_full = True

    @asynccontextmanager
    async def _borrow(self, name: str) -> AsyncIterator[None]:
        number = next(self._numbers)
        lent = self._lent[number] = asyncio.Event()
        _print(borrow=name, loan=number)
        await lent.wait()
        try:
            yield
        finally:
            _print(release=number)


def _print(**message: Any) -> None:
    print(json.dumps(message), flush=True)  # noqa: T201 - how it tells


async def main() -> None:
    """Work as the first process says."""
    lines = asyncio.StreamReader(limit=_LONGEST_LINE)
    loop = asyncio.get_running_loop()
    transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    task = json.loads(await lines.readline())
    hsm = HsmProcess(Path())  # started by the first process
    hsm.is_serving, hsm.variables = True, task["variables"]
    log = BorrowingLog(hsm)

    async def listen() -> None:
        while line := await lines.readline():
            log.hear(json.loads(line))

    listening = asyncio.create_task(listen())
    async with clients.open_all(hsm) as (access, backup, attempts):
        inventory = Inventory(access, hsm.variables["EMULATOR_ADMIN_OBJECT_ID"])
        jobs = JobStarter(log, backup, clients.backup_place(hsm))
        await asyncio.gather(
            *(Worker(_FIRST_NUMBER + number, task["seed"], log, access).work() for number in range(_WORKERS)),
            KeyWorker(_FIRST_NUMBER, task["seed"], log, jobs, inventory).work(),
        )
    _print(requests=attempts.count)
    listening.cancel()
    transport.close()


if __name__ == "__main__":
    # Jobs that fail are part of the test.
    logging.getLogger("azure").addHandler(logging.NullHandler())
    asyncio.run(main())
