"""Records as JSON documents and back, for the store and for backups."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, TypeAlias

from .records import (
    FailedJobForm,
    Job,
    JobKind,
    JobStatus,
    Key,
    KeyVersion,
    Permission,
    RoleAssignment,
    RoleDefinition,
    RotationPolicy,
    Superseded,
)

Record: TypeAlias = RoleDefinition | RoleAssignment | Superseded | Key | Job
Document: TypeAlias = dict[str, Any]


def document(record: Record) -> Document:
    return asdict(record)


def role_definition(document: Document) -> RoleDefinition:
    return RoleDefinition(**_changed(document, permissions=tuple(map(_permission, document["permissions"]))))


def role_assignment(document: Document) -> RoleAssignment:
    return RoleAssignment(**document)


def superseded(document: Document) -> Superseded:
    return Superseded(
        until=document["until"],
        role_definitions=tuple(map(role_definition, document["role_definitions"])),
        role_assignments=tuple(map(role_assignment, document["role_assignments"])),
    )


def key(document: Document) -> Key:
    changed = _changed(document, versions=tuple(map(_key_version, document["versions"])))
    # Older documents have no rotation policy.
    policy = changed.pop("rotation_policy", None)
    return Key(**changed, rotation_policy=policy and _rotation_policy(policy))


def job(document: Document) -> Job:
    return Job(
        **_changed(
            document,
            # In older documents, the details hold the error message.
            error_message=document.get("error_message", document["details"] if document["error_code"] else None),
            kind=JobKind(document["kind"]),
            status=JobStatus(document["status"]),
            failed_form=FailedJobForm(document["failed_form"]),
        )
    )


def _permission(document: Document) -> Permission:
    return Permission(**{name: tuple(actions) for name, actions in document.items()})


def _key_version(document: Document) -> KeyVersion:
    return KeyVersion(**_changed(document, operations=tuple(document["operations"])))


def _rotation_policy(document: Document) -> RotationPolicy:
    return RotationPolicy(**_changed(document, triggers=tuple((name, after) for name, after in document["triggers"])))


def _changed(document: Document, **members: Any) -> Document:
    return {**document, **members}
