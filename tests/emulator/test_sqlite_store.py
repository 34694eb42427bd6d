"""The store: what is written is there, whole, and in order."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from azure.keyvault.administration.emulator._domain import documents
from azure.keyvault.administration.emulator._domain.records import (
    Job,
    JobKind,
    JobStatus,
    Key,
    KeyVersion,
    Permission,
    RoleAssignment,
    RoleDefinition,
    Snapshot,
)
from azure.keyvault.administration.emulator._state.sqlite import SqliteStore, StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ROLE = RoleDefinition("r", "role", "text", is_built_in=False, permissions=(Permission(("a",), ("b",), ("c",), ("d",)),))
ASSIGNMENT = RoleAssignment("a", "/keys/k", "r", "alice")
VERSION = KeyVersion("v", "RSA-HSM", {"n": "1", "e": "AQAB"}, ("sign", "verify"), 1, 2, tags={"t": "1"}, expires=9)
JOB = Job("j", JobKind.BACKUP, JobStatus.IN_PROGRESS, 5)


@pytest.fixture(name="store")
def _store() -> Iterator[SqliteStore]:
    store = SqliteStore()
    yield store
    store.close()


def key(name: str, *, deleted: int | None = None) -> Key:
    return Key(name, (VERSION,), deleted)


def test_records_come_back_as_they_were(tmp_path: Path) -> None:
    path = tmp_path / "hsm.sqlite"
    with closing(SqliteStore(path)) as store:
        assert [store.key("k"), store.job("j"), store.running_job(), store.fact("f")] == [None] * 4
        store.save_role_definition(ROLE)
        store.save_role_assignment(ASSIGNMENT)
        store.save_key(key("k"))
        store.save_job(JOB)
        store.save_fact("f", "x")

    with closing(SqliteStore(path)) as store:
        assert store.role_definitions() == [ROLE]
        assert store.role_assignments() == [ASSIGNMENT]
        assert store.key("k") == key("k")
        assert store.job("j") == store.running_job() == JOB
        assert store.fact("f") == "x"


def test_a_failed_job_of_an_older_emulator_still_says_why() -> None:
    failed = Job("j", JobKind.BACKUP, JobStatus.FAILED, 5, 6, "Why", "Code", "Why")
    earlier = documents.document(failed)
    del earlier["error_message"]

    assert documents.job(earlier) == failed


def test_a_transaction_that_fails_leaves_nothing(store: SqliteStore) -> None:
    store.save_role_definition(ROLE)

    def half_done() -> None:
        with store.transaction():
            store.delete_role_definition("r")
            store.save_role_assignment(ASSIGNMENT)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        half_done()

    assert (store.role_definitions(), store.role_assignments()) == ([ROLE], [])


def test_a_failed_commit_leaves_nothing_and_no_open_transaction(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    execute = store._execute

    def fail_to_commit(statement: str, *values: str) -> list[Any]:
        if statement == "COMMIT":
            raise StoreError("full")
        return execute(statement, *values)

    with monkeypatch.context() as patch, pytest.raises(StoreError, match="full"):  # noqa: PT012
        patch.setattr(store, "_execute", fail_to_commit)
        with store.transaction():
            store.save_fact("f", "x")

    with store.transaction():
        assert store.fact("f") is None


def test_keys_are_listed_by_name_live_and_deleted_apart(store: SqliteStore) -> None:
    for each in (key("c"), key("a"), key("d", deleted=7), key("b")):
        store.save_key(each)

    assert [each.name for each in store.keys(deleted=False)] == ["a", "b", "c"]
    assert [each.name for each in store.keys(deleted=False, after="a", limit=1)] == ["b"]
    assert store.keys(deleted=True) == [key("d", deleted=7)]
    assert store.key_count() == 4


def test_deleted_keys_are_forgotten_at_their_time(store: SqliteStore) -> None:
    for each in (key("live"), key("old", deleted=7), key("new", deleted=8)):
        store.save_key(each)

    store.delete_keys_deleted_before(7)

    assert store.snapshot().keys == (key("live"), key("new", deleted=8))


def test_a_snapshot_replaces_everything_but_facts_and_jobs(store: SqliteStore) -> None:
    store.save_role_definition(ROLE)
    store.save_role_assignment(ASSIGNMENT)
    store.save_key(key("old"))
    store.save_job(JOB)
    store.save_fact("f", "x")
    other = Snapshot((), (RoleAssignment("b", "/", "r", "bob"), ASSIGNMENT), (key("z"), key("a", deleted=3)))

    with store.transaction():
        store.replace(other)

    assert store.snapshot() == other
    assert (store.job("j"), store.fact("f")) == (JOB, "x")


def test_a_file_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "hsm.sqlite"
    with closing(SqliteStore(path)) as store:
        store._execute("PRAGMA user_version = 99")

    with pytest.raises(StoreError, match="newer version of the emulator"):
        SqliteStore(path)
