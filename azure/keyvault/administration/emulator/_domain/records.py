"""What an HSM holds: immutable records, equal by value."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Any


@dataclass(frozen=True, slots=True)
class Permission:
    """What one entry of a role allows."""

    actions: tuple[str, ...] = ()
    not_actions: tuple[str, ...] = ()
    data_actions: tuple[str, ...] = ()
    not_data_actions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RoleDefinition:
    """A role: built in, or made by a user."""

    name: str
    role_name: str
    description: str
    is_built_in: bool
    permissions: tuple[Permission, ...]


@dataclass(frozen=True, slots=True)
class RoleAssignment:
    """One principal holds one role at one scope; the role may be gone by now."""

    name: str
    scope: str
    role: str
    principal: str


@dataclass(frozen=True, slots=True)
class Superseded:
    """The roles and assignments that a change replaced; time is unix seconds."""

    until: float
    role_definitions: tuple[RoleDefinition, ...]
    role_assignments: tuple[RoleAssignment, ...]


@dataclass(frozen=True, slots=True)
class KeyVersion:
    """One version of a key: both halves and its attributes."""

    version: str
    kty: str
    public: dict[str, str]
    operations: tuple[str, ...]
    created: int
    updated: int
    enabled: bool = True
    exportable: bool = False
    not_before: int | None = None
    expires: int | None = None
    tags: dict[str, str] = field(default_factory=dict[str, str])
    release_policy: dict[str, Any] | None = None
    secret: str | None = field(default=None, repr=False)
    """The private half in base64url: PKCS #8, or the bytes of a symmetric key. Emulators before 5.0.0b1 kept none."""


@dataclass(frozen=True, slots=True)
class RotationPolicy:
    """How often a key is to be rotated, with durations as they were given."""

    created: int
    updated: int
    expiry_time: str
    triggers: tuple[tuple[str, str], ...]
    """Name and duration of each trigger; every action is a rotation."""


@dataclass(frozen=True, slots=True)
class Key:
    """A key with all its versions, oldest first; soft-deleted if it has a deletion date."""

    name: str
    versions: tuple[KeyVersion, ...]
    deleted: int | None = None
    rotation_policy: RotationPolicy | None = None


class JobKind(str, Enum):
    """What a job does."""

    BACKUP = "backup"
    PRE_BACKUP = "prebackup"
    RESTORE = "restore"
    PRE_RESTORE = "prerestore"
    KEY_RESTORE = "keyrestore"


class JobStatus(str, Enum):
    """How far a job is, in the service's words."""

    IN_PROGRESS = "InProgress"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"


class FailedJobForm(str, Enum):
    """How a client learns that a job has failed; the service has used all but the first."""

    ERROR = "error"
    """The status says Failed, with the reason in ``statusDetails`` and in ``error``."""
    STATUS_DETAILS = "status details"
    """The status says Failed, with the reason in ``statusDetails``; ``error`` is an object of nulls all the time."""
    AT_ONCE = "at once"
    """As the form before, and already in the answer to the start."""
    POLL_REFUSED = "poll refused"
    """The job is accepted, and later the request for its status is answered 400."""
    START_REFUSED = "start refused"
    """The start is answered 400, and there is no job."""


@dataclass(frozen=True, slots=True)
class Job:
    """A backup, a restore or a check of one; times are unix seconds."""

    id: str
    kind: JobKind
    status: JobStatus
    started: int
    ended: int | None = None
    details: str | None = None
    error_code: str | None = None
    error_message: str | None = None
    folder_url: str | None = None
    failed_form: FailedJobForm = FailedJobForm.ERROR


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything that a backup holds and a restore brings back."""

    role_definitions: tuple[RoleDefinition, ...] = ()
    role_assignments: tuple[RoleAssignment, ...] = ()
    keys: tuple[Key, ...] = ()
