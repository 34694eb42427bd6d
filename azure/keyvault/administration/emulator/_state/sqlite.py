"""The store in SQLite: in memory, or in a file whose content survives ``kill -9``."""

from __future__ import annotations

import json
import sqlite3
from contextlib import contextmanager, suppress
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from .._domain import documents
from .._domain.records import Job, JobStatus, Key, RoleAssignment, RoleDefinition, Snapshot

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

# Since version 2, keys have their private halves. Nothing in a database of version 1 needs to be changed for that.
_SCHEMA_VERSION = 2

# Advice for an error, by a word of SQLite's own text.
_ADVICE = {
    # Only emulators write to this file.
    "locked": "it is in use by another emulator; close that one, or use another data directory",
    "not a database": "it is damaged; put a copy in its place, or use another data directory",
    "malformed": "it is damaged; put a copy in its place, or use another data directory",
    "readonly": "make it writable, or use another data directory",
    "full": "make room on the disk",
    "disk I/O": "see whether the disk is full or failing",
}


class StoreError(OSError):
    """The store's file cannot be read or written; names the file and the reason."""


class SqliteStore:
    """The state of one HSM in one SQLite database.

    A single call is atomic; what belongs together is written inside ``transaction()``, without awaiting in between.

    :param path: The database file; without one, the state is in memory.
    :raises StoreError: if the file is damaged, in use, not writable, or made by a newer version.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        if path is not None and not path.exists():
            # It holds the key that signs tokens. SQLite's other files get the same mode.
            with suppress(OSError):
                path.touch(mode=0o600)
        with self._translated():
            # Autocommit: a statement is its own transaction unless one is open.
            self._connection = sqlite3.connect(path or ":memory:", isolation_level=None, timeout=0)
        try:
            self._prepare()
        except BaseException:
            self._connection.close()
            raise

    def close(self) -> None:
        self._connection.close()

    @contextmanager
    def transaction(self) -> Generator[None]:
        """Make everything inside happen together or not at all; it is durable once the block has ended."""
        self._execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._connection.rollback()
            raise
        try:
            self._execute("COMMIT")
        except StoreError:
            self._connection.rollback()
            raise

    def fact(self, name: str) -> str | None:
        """Return a value of the HSM itself, such as its signing key."""
        rows = self._execute("SELECT value FROM facts WHERE name = ?", name)
        return rows[0][0] if rows else None

    def save_fact(self, name: str, value: str) -> None:
        self._execute(
            "INSERT INTO facts VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value", name, value
        )

    def role_definitions(self) -> list[RoleDefinition]:
        """Return the custom roles, oldest first."""
        rows = self._execute("SELECT document FROM role_definitions ORDER BY rowid")
        return [documents.role_definition(_load(row)) for row in rows]

    def save_role_definition(self, role: RoleDefinition) -> None:
        self._execute(
            "INSERT INTO role_definitions VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET document = excluded.document",
            role.name,
            _dump(role),
        )

    def delete_role_definition(self, name: str) -> None:
        self._execute("DELETE FROM role_definitions WHERE name = ?", name)

    def role_assignments(self) -> list[RoleAssignment]:
        """Return all assignments, oldest first."""
        rows = self._execute("SELECT document FROM role_assignments ORDER BY rowid")
        return [documents.role_assignment(_load(row)) for row in rows]

    def save_role_assignment(self, assignment: RoleAssignment) -> None:
        self._execute("INSERT INTO role_assignments VALUES (?, ?)", assignment.name, _dump(assignment))

    def delete_role_assignment(self, name: str) -> None:
        self._execute("DELETE FROM role_assignments WHERE name = ?", name)

    def keys(self, *, deleted: bool, after: str = "", limit: int = -1) -> list[Key]:
        """Return live or soft-deleted keys by name, those whose name comes after a given one."""
        rows = self._execute(
            "SELECT document FROM keys WHERE (deleted IS NOT NULL) = ? AND name > ? ORDER BY name LIMIT ?",
            deleted,
            after,
            limit,
        )
        return [documents.key(_load(row)) for row in rows]

    def key(self, name: str) -> Key | None:
        """Return a key, live or soft-deleted."""
        rows = self._execute("SELECT document FROM keys WHERE name = ?", name)
        return documents.key(_load(rows[0])) if rows else None

    def key_count(self) -> int:
        count: int = self._execute("SELECT count(*) FROM keys")[0][0]
        return count

    def save_key(self, key: Key) -> None:
        self._execute(
            "INSERT INTO keys VALUES (?, ?, ?) "
            "ON CONFLICT (name) DO UPDATE SET deleted = excluded.deleted, document = excluded.document",
            key.name,
            key.deleted,
            _dump(key),
        )

    def delete_key(self, name: str) -> None:
        self._execute("DELETE FROM keys WHERE name = ?", name)

    def delete_keys_deleted_before(self, time: int) -> None:
        """Delete the keys that were soft-deleted at a given time or earlier."""
        self._execute("DELETE FROM keys WHERE deleted <= ?", time)

    def job(self, job_id: str) -> Job | None:
        rows = self._execute("SELECT document FROM jobs WHERE id = ?", job_id)
        return documents.job(_load(rows[0])) if rows else None

    def running_job(self) -> Job | None:
        rows = self._execute("SELECT document FROM jobs WHERE status = ?", JobStatus.IN_PROGRESS.value)
        return documents.job(_load(rows[0])) if rows else None

    def save_job(self, job: Job) -> None:
        self._execute(
            "INSERT INTO jobs VALUES (?, ?, ?) "
            "ON CONFLICT (id) DO UPDATE SET status = excluded.status, document = excluded.document",
            job.id,
            job.status.value,
            _dump(job),
        )

    def forget_jobs(self, *, keep: int) -> None:
        """Delete all jobs but the newest, and those in progress."""
        self._execute(
            "DELETE FROM jobs WHERE status != ? AND rowid NOT IN (SELECT rowid FROM jobs ORDER BY rowid DESC LIMIT ?)",
            JobStatus.IN_PROGRESS.value,
            keep,
        )

    def snapshot(self) -> Snapshot:
        keys = self._execute("SELECT document FROM keys ORDER BY rowid")
        return Snapshot(
            role_definitions=tuple(self.role_definitions()),
            role_assignments=tuple(self.role_assignments()),
            keys=tuple(documents.key(_load(row)) for row in keys),
        )

    def replace(self, snapshot: Snapshot) -> None:
        """Replace everything that a backup holds; facts and jobs stay."""
        for table in ("role_definitions", "role_assignments", "keys"):
            self._execute(f"DELETE FROM {table}")  # noqa: S608 - fixed names
        for role in snapshot.role_definitions:
            self.save_role_definition(role)
        for assignment in snapshot.role_assignments:
            self.save_role_assignment(assignment)
        for key in snapshot.keys:
            self.save_key(key)

    def _prepare(self) -> None:
        # A second process fails immediately.
        self._execute("PRAGMA locking_mode = EXCLUSIVE")
        version: int = self._execute("PRAGMA user_version")[0][0]
        if version > _SCHEMA_VERSION:
            raise StoreError(f"{self._path} was made by a newer version of the emulator")
        if version == 0 and self._execute("SELECT 1 FROM sqlite_master"):
            raise StoreError(f"{self._path} is the database of another program; use another data directory")
        self._execute("PRAGMA journal_mode = WAL")
        if version == 0:
            self._create()
        else:
            self._check()
            # An older emulator would not understand what this one writes.
            self._execute(f"PRAGMA user_version = {_SCHEMA_VERSION}")

    def _create(self) -> None:
        schema = files(__name__.rpartition(".")[0]).joinpath("schema.sql").read_text("utf-8")
        with self._translated():
            self._connection.executescript(
                f"BEGIN IMMEDIATE; {schema} PRAGMA user_version = {_SCHEMA_VERSION}; COMMIT;"
            )

    def _check(self) -> None:
        """Find damage now, before anything is overwritten."""
        with self._translated():
            ((verdict,),) = self._execute("PRAGMA integrity_check(1)")
            if verdict != "ok":
                raise sqlite3.DatabaseError(f"malformed: {verdict.splitlines()[-1]}")

    def _execute(self, statement: str, *values: str | int | None) -> list[Any]:
        with self._translated():
            return self._connection.execute(statement, values).fetchall()

    @contextmanager
    def _translated(self) -> Generator[None]:
        try:
            yield
        except sqlite3.Error as error:
            text = str(error)
            advice = next((each for word, each in _ADVICE.items() if word in text), "")
            raise StoreError(f"{self._path or 'memory'}: {text}{advice and '; '}{advice}") from error


def _dump(record: documents.Record) -> str:
    return json.dumps(documents.document(record))


def _load(row: tuple[str]) -> documents.Document:
    document: documents.Document = json.loads(row[0])
    return document
