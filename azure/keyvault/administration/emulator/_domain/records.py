"""The state of an HSM: immutable records that compare by value."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Any


@dataclass(frozen=True, slots=True)
class Permission:
    """One entry of a role."""

    actions: tuple[str, ...] = ()
    not_actions: tuple[str, ...] = ()
    data_actions: tuple[str, ...] = ()
    not_data_actions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RoleDefinition:
    """A built-in or custom role."""

    name: str
    role_name: str
    description: str
    is_built_in: bool
    permissions: tuple[Permission, ...]


@dataclass(frozen=True, slots=True)
class RoleAssignment:
    """A role of a principal at a scope; the role may no longer exist."""

    name: str
    scope: str
    role: str
    principal: str


@dataclass(frozen=True, slots=True)
class Superseded:
    """The roles and assignments that a change replaced at a time in unix seconds."""

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
    """The private half in base64url: PKCS #8, or the bytes of a symmetric key. Older emulators kept none."""


@dataclass(frozen=True, slots=True)
class RotationPolicy:
    """The rotation policy of a key, with durations as they were given."""

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
    """The kinds of jobs."""

    BACKUP = "backup"
    PRE_BACKUP = "prebackup"
    RESTORE = "restore"
    PRE_RESTORE = "prerestore"
    KEY_RESTORE = "keyrestore"


class JobStatus(str, Enum):
    """The status of a job, in the service's words."""

    IN_PROGRESS = "InProgress"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"


class FailedJobForm(str, Enum):
    """The forms of a job's failure; the service has used all of them."""

    ERROR = "error"
    """The status is Failed, with the reason in ``statusDetails`` and in ``error``."""
    STATUS_DETAILS = "status details"
    """The status is Failed, with the reason in ``statusDetails``; all members of ``error`` are always null."""
    AT_ONCE = "at once"
    """As ``STATUS_DETAILS``, and already in the response to the start."""
    POLL_REFUSED = "poll refused"
    """The start is accepted, and later the response to a poll is 400."""
    START_REFUSED = "start refused"
    """The response to the start is 400, and there is no job."""


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
    """Everything that a backup holds and a restore replaces."""

    role_definitions: tuple[RoleDefinition, ...] = ()
    role_assignments: tuple[RoleAssignment, ...] = ()
    keys: tuple[Key, ...] = ()
