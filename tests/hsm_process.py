"""An emulator in its own process, as the command line starts it; it can be killed and started again."""

from __future__ import annotations

import asyncio
import ssl
import sys
import time
from typing import TYPE_CHECKING, Any

import aiohttp
from azure.core.credentials import AccessTokenInfo
from azure.core.exceptions import ClientAuthenticationError
from azure.core.pipeline.transport import AioHttpTransport

from emulator import application
from emulator.command import parse
from fakes import OpenCredential

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import Mapping
    from pathlib import Path
    from types import TracebackType

    from azure.core.credentials import TokenRequestOptions
    from typing_extensions import Self


_PATIENCE = 60.0
# As a test that drops connections is told in conftest: Python 3.10's TLS transport warns of itself then.
_WARNINGS = ("-W", "error::ResourceWarning") + (
    ("-W", "ignore:unclosed transport <asyncio.sslproto:ResourceWarning") if sys.version_info < (3, 11) else ()
)


class HsmProcess:
    """Serves until the block ends, and then must end well, without having written an error.

    :param folder: Where the state is kept.
    :param arguments: More arguments for the command line.
    """

    def __init__(self, folder: Path, *arguments: str) -> None:
        self._folder = folder
        self._arguments = arguments
        self._process: Process | None = None
        self._errors = folder / "hsm.errors"
        self.variables: Mapping[str, str] = {}
        self.is_serving = False

    async def start(self, *arguments: str) -> None:
        """Start it, or start it again where it was before, and wait until it serves.

        :param arguments: More arguments for the command line, until it ends.
        """
        port = self.variables["EMULATOR_LOCALHOST_URL"].rpartition(":")[2] if self.variables else "0"
        env_file = self._folder / "hsm.env"
        env_file.unlink(missing_ok=True)
        with self._errors.open("ab") as errors:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, *_WARNINGS, "-m", "azure.keyvault.administration.emulator"),
                *("--quiet", "--data", str(self._folder / "data"), "--env-file", str(env_file), "--port", port),
                *self._arguments,
                *arguments,
                env=application.environment({}),
                stdout=asyncio.subprocess.DEVNULL,
                stderr=errors,
            )
        ended = asyncio.ensure_future(self._process.wait())
        while not env_file.exists():
            await asyncio.wait([ended], timeout=0.01)
            assert not ended.done(), f"the emulator did not start: {self._errors.read_text()}"
        ended.cancel()
        self.variables = parse(env_file.read_text())
        self.is_serving = True

    async def kill(self) -> None:
        """End it as ``kill -9`` does."""
        assert self._process
        self.is_serving = False
        self._process.kill()
        await self._process.wait()
        self._process = None

    async def control(self, method: str, path: str, body: object = None) -> Any:
        """Use it as an instrument: its faults, its journal, revocations."""
        url = f"{self.variables['EMULATOR_CONTROL_URL']}/{path}"
        async with aiohttp.ClientSession() as session, session.request(method, url, json=body) as answer:
            assert answer.status < 300, await answer.text()
            return None if answer.status == 204 else await answer.json()

    @property
    def url(self) -> str:
        return self.variables["EMULATOR_LOCALHOST_URL"]

    def session(self, *, trace: aiohttp.TraceConfig | None = None, **options: Any) -> aiohttp.ClientSession:
        """Return a session that trusts it.

        :keyword trace: What is told of its requests.
        :param options: Options of the connector.
        """
        context = ssl.create_default_context(cafile=self.variables["NODE_EXTRA_CA_CERTS"])
        connector = aiohttp.TCPConnector(ssl=context, **options)
        return aiohttp.ClientSession(
            connector=connector,
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            trace_configs=[trace] if trace else None,
        )

    def client_options(self, *, read_timeout: float = 300, **options: Any) -> dict[str, Any]:
        """Return the options of a client with its own session.

        :keyword read_timeout: How long to wait for an answer.
        :param options: Options of the session.
        """
        transport = AioHttpTransport(session=self.session(**options), read_timeout=read_timeout)
        # No resource of a challenge is a parent domain of localhost, so the one that is wanted is named.
        return {"transport": transport, "challenge_resource_domains": ["managedhsm.azure.net"]}

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        ended = await self._end()
        how = f"the emulator ended with {ended} and wrote: {self._errors.read_text()}"
        if exc_value:
            sys.stderr.write(f"{how}\n")
        else:
            assert (ended, self._errors.stat().st_size) == (0, 0), how

    async def _end(self) -> int:
        """Return its exit code; it has ended well if it was killed on purpose."""
        if not self._process:
            return 0
        if self._process.returncode is None:
            self._process.terminate()
        try:
            return await asyncio.wait_for(self._process.wait(), _PATIENCE)
        finally:
            if self._process.returncode is None:
                self._process.kill()


class ProcessCredential(OpenCredential):
    """The managed identity of an emulator in another process: its administrator."""

    def __init__(self, hsm: HsmProcess) -> None:
        self._hsm = hsm
        self.requests = 0

    async def get_token_info(self, *scopes: str, options: TokenRequestOptions | None = None) -> AccessTokenInfo:
        assert scopes == ("https://managedhsm.azure.net/.default",)
        del options
        self.requests += 1
        try:
            token = await application.get_token(self._hsm.variables)
        except aiohttp.ClientError as error:
            raise ClientAuthenticationError(message=f"The managed identity does not answer: {error}") from error
        return AccessTokenInfo(token, int(time.time()) + 3600)
