"""The public class of the emulator."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import AsyncExitStack
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import Any

from typing_extensions import Self

from . import _environment
from ._assembly import CONTAINER, Running, Settings, assemble
from ._credential import EmulatorCredential, IssuingCredential
from ._domain.arguments import parse_guid
from ._domain.faults import FaultMatcher, Faults
from ._domain.rate_limits import RateLimits
from ._hsm.journal import Journal, Recorder
from ._local.app import CONTROL_PATH, IDENTITY_PATH
from ._loop_thread import LoopThread
from ._net.addresses import LOOPBACK
from ._net.connect import parse_authority
from ._state.clock import Clock, WakingClock

DEFAULT_NAME = "emulated-hsm"
DEFAULT_ADMIN_OBJECT_ID = "4d5e3e6b-7a0c-4b8f-9a53-0d9c1f6a2b10"


class ManagedHsmEmulator:
    """A Managed HSM that runs inside this process and serves real TLS connections.

    .. code-block:: python

        async with ManagedHsmEmulator() as hsm:
            client = KeyVaultAccessControlClient(hsm.vault_url, hsm.credential, **hsm.client_kwargs)

    With ``async with``, it runs on the event loop of the block, as do the clients that use ``client_kwargs``. With a
    plain ``with``, it runs in a thread with its own loop: clients can run on any loop, and the block can make blocking
    calls. ``faults``, ``journal`` and ``clock`` can be used from any thread.

    Properties that are known only after the start, such as ``port`` and ``credential``, raise :class:`RuntimeError`
    while it is not running.

    :param name: The HSM's name, part of its URL and of its backup folders: 3 to 24 letters, digits and single dashes.
    :keyword data: Directory that keeps the state. Defaults to None: the state is lost when the emulator closes.
    :keyword host: Address to listen on. Defaults to loopback.
    :keyword port: Port to listen on; 0, the default, takes any free one.
    :keyword admin_object_id: Object id of the initial administrator. Defaults to a fixed one. With a data directory, it
     matters at the first start only.
    :keyword security_domain: The ``security_domain`` of another emulator, whose backups can then be restored here.
     Defaults to a new one.
    :keyword job_duration: Seconds that a backup or restore is in progress, at least. Defaults to 0.05. Advancing the
     clock ends it early. A poll waits for a job that is due within a quarter of a second, so that a test sees its end
     immediately.
    :keyword retry_after: ``Retry-After`` of the start of a job, in seconds. The service says 10; the default is 1, the
     shortest time that the header allows.
    :keyword propagation_delay: Seconds of the emulator's clock until a change of role definitions or assignments takes
     effect and reads show it. Defaults to 0.
    :keyword rate_limits: Whether the HSM responds 429 to requests beyond the documented limits, 5 RBAC operations and 1
     start of a job in a second of the emulator's clock; or custom limits. Defaults to False.
    :keyword identity_object_id: Object id of the managed identity of ``environment()``. Defaults to the initial
     administrator.
    :keyword allow_hosts: Hosts that the proxy tunnels to besides the HSM, as ``host`` or ``host:port``; the port
     defaults to 443. Only with these, the emulator opens connections that leave the machine.
    :keyword advertise: Host name under which other machines, such as containers of one network, reach this one. With
     it, the proxy, the managed identity and the control path listen on ``host``, and ``environment()`` names them by
     it: every machine that has the keys to them can use them. Without it, they are on loopback.
    :raises ValueError: if the name cannot be that of an HSM, an object id is not a GUID, a number is out of range, or a
     host name is invalid.
    """

    def __init__(
        self,
        name: str = DEFAULT_NAME,
        *,
        data: str | PathLike[str] | None = None,
        host: str = LOOPBACK,
        port: int = 0,
        admin_object_id: str = DEFAULT_ADMIN_OBJECT_ID,
        security_domain: bytes | None = None,
        job_duration: float = 0.05,
        retry_after: int = 1,
        propagation_delay: float = 0,
        identity_object_id: str | None = None,
        allow_hosts: Iterable[str] = (),
        advertise: str | None = None,
        rate_limits: bool | RateLimits = False,
    ) -> None:
        self._settings = Settings(
            name=name,
            data=None if data is None else Path(data),
            host=host,
            port=port,
            admin_object_id=admin_object_id,
            security_domain=security_domain,
            job_duration=job_duration,
            retry_after=retry_after,
            propagation_delay=propagation_delay,
            identity_object_id=identity_object_id,
            allow_hosts=tuple(parse_authority(each) for each in allow_hosts),
            advertise=advertise,
            rate_limits=RateLimits() if rate_limits is True else rate_limits or None,
        )
        self._clock = WakingClock()
        self._journal = Recorder()
        self._faults = FaultMatcher()
        self._running: Running | None = None
        self._starting: asyncio.Event | None = None
        self._thread: LoopThread | None = None

    async def start(self) -> None:
        """Start serving; the emulator is ready when this returns.

        :raises RuntimeError: if the emulator runs already.
        :raises OSError: if the address, the port or the data directory cannot be used, or the data is damaged.
        :raises ValueError: if the data directory holds another HSM, or its security domain is lost or damaged.
        """
        if self._running or self._starting:
            raise RuntimeError("The emulator runs already")
        starting = self._starting = asyncio.Event()
        try:
            async with AsyncExitStack() as resources:
                self._running = await assemble(self._settings, self._clock, self._journal, self._faults, resources)
        finally:
            self._starting = None
            starting.set()

    async def close(self) -> None:
        """Stop serving and release everything; closing twice or during the start is allowed.

        :raises RuntimeError: if the emulator runs in its own thread.
        """
        if self._thread:
            raise RuntimeError("The emulator runs in its own thread; it is closed by leaving its 'with' block")
        if self._starting:
            await self._starting.wait()
        running, self._running = self._running, None
        if running:
            await running.resources.aclose()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        await self.close()

    def __enter__(self) -> Self:
        thread = LoopThread(self, name=self._settings.name)
        thread.start()
        self._thread = thread
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        thread, self._thread = self._thread, None
        if thread:
            thread.stop()

    @property
    def vault_url(self) -> str:
        """URL of the HSM; looks real, and the transport of ``client_kwargs`` resolves it to this process."""
        return f"https://{self._settings.hsm_host}"

    @property
    def localhost_url(self) -> str:
        """URL of the HSM for clients on this machine that resolve names themselves.

        It works whatever ``host`` is; unless that is 127.0.0.1 or every IPv4 address, it has another port.
        """
        return f"https://localhost:{self._run.addresses.localhost_port}"

    @property
    def port(self) -> int:
        """Port of the HSM."""
        return self._run.addresses.port

    @property
    def ca_certificate(self) -> bytes:
        """Certificate authority that clients must trust, as PEM; ``client_kwargs`` includes it."""
        return self._run.hsm.certificate

    @property
    def client_kwargs(self) -> dict[str, Any]:
        """Keyword arguments for any client. Clients can share them: closing one does not affect the others."""
        run = self._run
        if self._thread:
            # Connections belong to a loop, so each client opens its own in the loop that it is used on.
            return {
                "proxies": {"https": _environment.proxy_url(self._settings.local_host, run.addresses.proxy_port)},
                "connection_verify": str(_environment.authority_file(run.directory, run.hsm.certificate)),
            }
        return {"transport": run.transport}

    @property
    def admin_object_id(self) -> str:
        """Object id of the initial administrator."""
        return self._run.administrator

    @property
    def credential(self) -> EmulatorCredential:
        """Credential of the initial administrator."""
        return self.credential_for(self.admin_object_id)

    def credential_for(self, object_id: str) -> EmulatorCredential:
        """Return the credential of any principal; role assignments determine its permissions.

        :param object_id: Object id of the principal.
        :returns: A credential for this emulator only.
        :raises ValueError: if the object id is not a GUID.
        """
        return IssuingCredential(parse_guid("object_id", object_id), self._run.hsm.authority, self._clock)

    def revoke_tokens(self, object_id: str | None = None) -> None:
        """Revoke the access tokens that were issued so far, as Continuous Access Evaluation does.

        A request with such a token gets 401 and a claims challenge. Tokens issued from now on are valid.

        :param object_id: Object id of the principal whose tokens are revoked. Defaults to all principals.
        :raises ValueError: if the object id is not a GUID.
        """
        hsm = self._run.hsm
        principal = None if object_id is None else parse_guid("object_id", object_id)
        if self._thread:
            # The store belongs to the thread.
            self._thread.call(hsm.revoke_tokens, principal)
        else:
            hsm.revoke_tokens(principal)

    @property
    def security_domain(self) -> bytes:
        """The secret that another emulator needs to restore this one's backups."""
        return self._run.hsm.security_domain

    @property
    def container_url(self) -> str:
        """URL of a container for backups, which exists and is kept on this machine.

        Only the HSM itself can use it: there is no blob service behind the URL.
        """
        return f"https://{self._settings.storage_host}/{CONTAINER}"

    @property
    def sas_token(self) -> str:
        """SAS token for ``container_url``, valid for a week of the emulator's clock."""
        return self._run.sas_token

    def environment(self) -> dict[str, str]:
        """Return the environment variables that point programs in any language to the emulator.

        They name the HSM, a proxy that resolves its name, a managed identity (the administrator by default), trusted CA
        certificates, and a container for backups. This call writes the files of certificates. Everything but the HSM is
        on loopback whatever ``host`` is, unless ``advertise`` is given. The variables hold secrets: the keys to the
        managed identity and to the control path, and a SAS token.

        A program also needs ``PATH`` and others:

        .. code-block:: python

            subprocess.run(["node", "app.js"], env={**os.environ, **hsm.environment()}, check=True)

        :returns: The variables by name.
        :raises OSError: if the certificates cannot be written.
        """
        run = self._run
        host, proxy_port = self._settings.local_host, run.addresses.proxy_port
        authority = run.hsm.certificate
        return {
            "AZURE_MANAGEDHSM_URL": self.vault_url,
            "EMULATOR_LOCALHOST_URL": self.localhost_url,
            "EMULATOR_ADMIN_OBJECT_ID": run.administrator,
            "EMULATOR_CONTROL_URL": self.control_url,
            "IDENTITY_ENDPOINT": f"{self._local_url}{IDENTITY_PATH}",
            "IDENTITY_HEADER": run.identity_secret,
            # DefaultAzureCredential tries other identities first, and finds some on a developer's machine.
            "AZURE_TOKEN_CREDENTIALS": "ManagedIdentityCredential",
            "BLOB_CONTAINER_URL": self.container_url,
            "BLOB_SAS_TOKEN": run.sas_token,
            **_environment.proxy_variables(host, proxy_port),
            **_environment.trust_variables(run.directory, authority),
            **_environment.java_variables(host, proxy_port, run.directory, authority),
        }

    @property
    def control_url(self) -> str:
        """URL at which other processes can set faults, read the journal, advance the clock and revoke tokens.

        Its last part is a secret key.
        """
        return f"{self._local_url}{CONTROL_PATH}/{self._run.control_key}"

    @property
    def clock(self) -> Clock:
        """The emulator's clock, which can be advanced."""
        return self._clock

    @property
    def journal(self) -> Journal:
        """The requests so far, oldest first; can also be read after closing."""
        return self._journal

    @property
    def faults(self) -> Faults:
        """The faults to show; none at first."""
        return self._faults

    def __repr__(self) -> str:
        state = f"port={self._running.addresses.port}" if self._running else "not running"
        return f"<ManagedHsmEmulator {self._settings.name} {state}>"

    @property
    def _local_url(self) -> str:
        return f"http://{self._settings.local_host}:{self._run.addresses.local_port}"

    @property
    def _run(self) -> Running:
        if not self._running:
            raise RuntimeError("The emulator is not running; use it inside 'async with' or after 'await start()'")
        return self._running
