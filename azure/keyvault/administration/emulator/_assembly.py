"""Builds everything that exists between the start and the end of an emulator."""

from __future__ import annotations

import json
import re
import secrets
from base64 import b64encode
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING
from uuid import uuid4

from ._domain import rbac, sas
from ._domain.arguments import SECONDS, is_seconds, parse_guid, require
from ._domain.builtin_roles import ADMINISTRATOR
from ._domain.hosts import is_loopback
from ._domain.rate_limits import RateLimiter, RateLimits
from ._domain.records import RoleAssignment
from ._domain.tokens import Revocation, TokenAuthority, new_signing_key
from ._hsm.authorization import Access
from ._hsm.hsm import Hsm
from ._hsm.jobs import Jobs
from ._http.app import make_app
from ._local import cloud
from ._local.app import make_local_app
from ._local.control import ControlTarget
from ._local.identity import ManagedIdentity
from ._net.addresses import HOST_NAME, LOOPBACK, PORTS
from ._net.listen import BoundAddresses, listen
from ._net.loopback import LoopbackResolver, loopback_session, shared_transport
from ._state import certificates, data_directory, security_domain
from ._state.backup_storage import Storage
from ._state.sqlite import SqliteStore

if TYPE_CHECKING:
    from contextlib import AsyncExitStack

    from azure.core.pipeline.transport import AsyncHttpTransport
    from azure.core.rest import AsyncHttpResponse, HttpRequest

    from ._domain.faults import FaultMatcher
    from ._hsm.journal import Recorder
    from ._state.clock import WakingClock

CONTAINER = "backups"

_TENANT_ID = "9b1f0c52-3c8e-4f0d-8f6e-51f2f4c7d6aa"
_NAME = re.compile(r"[A-Za-z](?:-?[A-Za-z0-9])+")
_NAME_LENGTH = range(3, 25)
_ACCOUNT_LENGTH = 24 - len("store")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The checked arguments of :class:`ManagedHsmEmulator`, which documents them."""

    name: str
    data: Path | None
    host: str
    port: int
    admin_object_id: str
    security_domain: bytes | None = field(repr=False)
    job_duration: float
    retry_after: int
    propagation_delay: float
    identity_object_id: str | None
    allow_hosts: tuple[str, ...]
    advertise: str | None
    rate_limits: RateLimits | None

    def __post_init__(self) -> None:
        is_name = _NAME.fullmatch(self.name) is not None and len(self.name) in _NAME_LENGTH
        require(is_name, "name", self.name, "3 to 24 letters, digits and single dashes")
        object.__setattr__(self, "name", self.name.lower())
        for number in ("job_duration", "retry_after", "propagation_delay"):
            value = getattr(self, number)
            require(is_seconds(value), number, value, SECONDS)
        if not self.host:
            raise ValueError("host must be an address to listen on: an empty one would be every address")
        require(self.port in PORTS, "port", self.port, f"a number from 0 to {PORTS[-1]}")
        object.__setattr__(self, "admin_object_id", parse_guid("admin_object_id", self.admin_object_id))
        if self.identity_object_id is not None:
            object.__setattr__(self, "identity_object_id", parse_guid("identity_object_id", self.identity_object_id))
        if self.advertise is not None:
            is_host = HOST_NAME.fullmatch(self.advertise) is not None
            require(is_host, "advertise", self.advertise, "a host name or an IPv4 address")
            if is_loopback(self.host):
                raise ValueError(f"advertise needs a host that other machines can reach, not {self.host!r}")

    @property
    def hsm_host(self) -> str:
        """The public host name of the HSM."""
        return f"{self.name}.managedhsm.azure.net"

    @property
    def local_host(self) -> str:
        """The host name of the proxy, the managed identity and the control path."""
        return self.advertise or LOOPBACK

    @property
    def storage_host(self) -> str:
        """The host name of the emulator's storage account for backups."""
        account = re.sub("[^a-z0-9]", "", self.name)[:_ACCOUNT_LENGTH] + "store"
        return f"{account}.blob.core.windows.net"


@dataclass(frozen=True, slots=True)
class Running:
    """A started emulator."""

    hsm: Hsm
    administrator: str
    directory: Path
    """For files that other programs need."""
    addresses: BoundAddresses
    identity_secret: str = field(repr=False)
    control_key: str = field(repr=False)
    sas_token: str = field(repr=False)
    transport: AsyncHttpTransport[HttpRequest, AsyncHttpResponse]
    resources: AsyncExitStack


async def assemble(
    settings: Settings, clock: WakingClock, journal: Recorder, faults: FaultMatcher, resources: AsyncExitStack
) -> Running:
    """Build everything from the state on the disk to the sockets, and start serving.

    :param resources: Gets everything that must be closed, and passes it to the result.
    :raises OSError: if the address, the port or the data directory cannot be used, or the data is damaged.
    :raises ValueError: if the data directory holds another HSM, or its security domain is lost or damaged.
    """
    # Absolute, because other programs get paths in it.
    directory = settings.data.absolute() if settings.data else _temporary_directory(resources)
    data = data_directory.prepare(directory, is_own=settings.data is None)
    # Storage is created only after the database has its first content.
    was_used = data.database.exists() and data.storage.exists()
    store = _open_store(data.database if settings.data else None, resources)
    is_new = store.fact("administrator") is None
    if is_new and was_used:
        # Copied without the file beside it, for example, which holds the newest changes.
        problem = f"{data.database} is damaged: it is empty"
        raise OSError(f"{problem}. Put a copy in its place, or remove it to start with a new HSM")
    # First, so that there is no state without a security domain.
    domain = security_domain.load_or_create(data.security_domain, settings.security_domain, is_new=is_new)
    administrator = _load_or_create_administrator(store, settings.name, settings.admin_object_id)
    tls = certificates.load_or_create(data.certificates, settings.hsm_host, *cloud.HOSTS)
    access = Access(store, clock, settings.propagation_delay)
    jobs = Jobs(
        hsm_name=settings.name,
        store=store,
        access=access,
        clock=clock,
        storage=_open_storage(data.storage, settings.storage_host, clock),
        security_domain=domain,
        duration=settings.job_duration,
    )
    jobs.fail_interrupted()
    resources.push_async_callback(jobs.close)
    authority = TokenAuthority(store.fact("signing_key") or "", _TENANT_ID, _load_revocations(store))
    hsm = Hsm(
        host=settings.hsm_host,
        store=store,
        clock=clock,
        access=access,
        authority=authority,
        jobs=jobs,
        journal=journal,
        faults=faults,
        retry_after=settings.retry_after,
        security_domain=domain,
        certificate=tls.authority,
        rate_limiter=RateLimiter(settings.rate_limits, clock.now()) if settings.rate_limits else None,
    )
    principal = settings.identity_object_id or administrator
    managed_identity = ManagedIdentity(authority, clock, principal, secrets.token_hex())
    control_target = ControlTarget(hsm, secrets.token_hex())
    addresses = await listen(
        make_app(hsm),
        make_local_app(managed_identity, control_target, settings.local_host),
        cloud.make_apps(),
        name=settings.hsm_host,
        host=settings.host,
        port=settings.port,
        local_address=settings.host if settings.advertise else LOOPBACK,
        allowed=settings.allow_hosts,
        context=tls.server_context(),
        resources=resources,
    )
    resolver = LoopbackResolver(settings.hsm_host, addresses.address, addresses.port)
    session = loopback_session(resolver, tls.client_context())
    resources.push_async_callback(session.close)
    return Running(
        hsm=hsm,
        administrator=administrator,
        directory=directory,
        addresses=addresses,
        identity_secret=managed_identity.secret,
        control_key=control_target.key,
        sas_token=sas.issue(b64encode(secrets.token_bytes(32)).decode(), clock.now()),
        transport=shared_transport(session),
        resources=resources.pop_all(),
    )


def _temporary_directory(resources: AsyncExitStack) -> Path:
    directory = Path(resources.enter_context(TemporaryDirectory(ignore_cleanup_errors=True)))
    # Programs of other users can open the certificates that they trust, by name, and list nothing.
    directory.chmod(0o711)
    return directory


def _open_store(path: Path | None, resources: AsyncExitStack) -> SqliteStore:
    store = SqliteStore(path)
    resources.callback(store.close)
    return store


def _open_storage(path: Path, host: str, clock: WakingClock) -> Storage:
    storage = Storage(path, host, clock)
    storage.remove_partial_folders()
    storage.create_container(CONTAINER)
    return storage


def _load_or_create_administrator(store: SqliteStore, name: str, object_id: str) -> str:
    """Return the initial administrator; a new HSM gets its name, a signing key and the first role assignment, too."""
    if administrator := store.fact("administrator"):
        if store.fact("name") != name:
            raise ValueError(f"The data directory holds the HSM {store.fact('name')!r}, not {name!r}")
        return administrator
    with store.transaction():
        store.save_fact("name", name)
        store.save_fact("administrator", object_id)
        store.save_fact("signing_key", new_signing_key())
        store.save_role_assignment(RoleAssignment(str(uuid4()), rbac.ROOT, ADMINISTRATOR.name, object_id))
    return object_id


def _load_revocations(store: SqliteStore) -> dict[str, Revocation]:
    """Return the revocations of earlier runs, whose tokens are signed with the same key."""
    revocations: dict[str, dict[str, int]] = json.loads(store.fact("revocations") or "{}")
    return {each: Revocation(**revocation) for each, revocation in revocations.items()}
