"""What the emulator asks of its store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from .._domain.records import Job, Key, RoleAssignment, RoleDefinition, Snapshot


class Store(Protocol):
    """The state of one HSM.

    A single call is atomic; what belongs together is written inside ``transaction()``, without awaiting in between.
    """

    def transaction(self) -> AbstractContextManager[None]:
        """Make everything inside happen together or not at all; it is durable once the block has ended."""
        ...

    def fact(self, name: str) -> str | None:
        """Return what the HSM remembers of itself, such as its signing key."""
        ...

    def save_fact(self, name: str, value: str) -> None: ...

    def role_definitions(self) -> list[RoleDefinition]:
        """Return the custom roles, oldest first."""
        ...

    def save_role_definition(self, role: RoleDefinition) -> None: ...

    def delete_role_definition(self, name: str) -> None: ...

    def role_assignments(self) -> list[RoleAssignment]:
        """Return all assignments, oldest first."""
        ...

    def save_role_assignment(self, assignment: RoleAssignment) -> None: ...

    def delete_role_assignment(self, name: str) -> None: ...

    def keys(self, *, deleted: bool, after: str = "", limit: int = -1) -> list[Key]:
        """Return live or soft-deleted keys by name, those whose name comes after a given one."""
        ...

    def key(self, name: str) -> Key | None:
        """Return a key, live or soft-deleted."""
        ...

    def key_count(self) -> int: ...

    def save_key(self, key: Key) -> None: ...

    def delete_key(self, name: str) -> None: ...

    def delete_keys_deleted_before(self, time: int) -> None:
        """Forget the keys that were soft-deleted at a given time or earlier."""
        ...

    def job(self, job_id: str) -> Job | None: ...

    def running_job(self) -> Job | None: ...

    def save_job(self, job: Job) -> None: ...

    def forget_jobs(self, *, keep: int) -> None:
        """Forget all jobs but the newest, and those in progress."""
        ...

    def snapshot(self) -> Snapshot: ...

    def replace(self, snapshot: Snapshot) -> None:
        """Replace everything that a backup holds; facts and jobs stay."""
        ...

    def close(self) -> None: ...
