"""Conversion between public models and wire types. Responses are checked here, member by member."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, cast

from azure.core.exceptions import DecodeError

from ._enums import KeyVaultDataAction, KeyVaultRoleScope, RoleDefinitionType, RoleType
from ._identifiers import described, role_scope
from ._models import (
    KeyVaultBackupResult,
    KeyVaultJobDetails,
    KeyVaultPermission,
    KeyVaultRoleAssignment,
    KeyVaultRoleAssignmentProperties,
    KeyVaultRoleDefinition,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ._generated.types import (
        PermissionWire,
        PreBackupOperationParametersWire,
        PreRestoreOperationParametersWire,
        RestoreOperationParametersWire,
        RoleAssignmentCreateParametersWire,
        RoleAssignmentListResultWire,
        RoleAssignmentWire,
        RoleDefinitionCreateParametersWire,
        RoleDefinitionListResultWire,
        RoleDefinitionPropertiesWire,
        RoleDefinitionWire,
        SASTokenParameterWire,
        SelectiveKeyRestoreOperationParametersWire,
    )
    from ._storage import StorageAccess

# Known values: a look-up in a dict takes a fraction of the time that calling the enum takes.
_ACTIONS: dict[str, str] = {member.value: member for member in KeyVaultDataAction}
_SCOPES: dict[str, str] = {member.value: member for member in KeyVaultRoleScope}
_ROLE_TYPES: dict[str, str] = {member.value: member for member in RoleType}
_DEFINITION_TYPES: dict[str, str] = {member.value: member for member in RoleDefinitionType}


def role_definition(wire: RoleDefinitionWire) -> KeyVaultRoleDefinition:
    """Return the model of a role definition.

    :param wire: The JSON object from the service.
    :raises ~azure.core.exceptions.DecodeError: If it isn't a role definition.
    """
    members = _object(wire, "a role definition")
    properties = _object(members.get("properties"), "properties")
    return KeyVaultRoleDefinition(
        id=_text(members, "id"),
        name=_text(members, "name"),
        type=_known(members, "type", _DEFINITION_TYPES),
        role_name=_text(properties, "roleName"),
        description=_text(properties, "description"),
        role_type=_known(properties, "type", _ROLE_TYPES),
        permissions=[_permission(item) for item in _list(properties, "permissions")],
        assignable_scopes=_texts(properties, "assignableScopes", _SCOPES),
    )


def role_definitions(page: RoleDefinitionListResultWire) -> list[KeyVaultRoleDefinition]:
    """Return the models of a page of role definitions.

    :param page: The JSON object from the service.
    :raises ~azure.core.exceptions.DecodeError: If it isn't a page of role definitions.
    """
    return [role_definition(wire) for wire in _items(page)]


def role_assignment(wire: RoleAssignmentWire) -> KeyVaultRoleAssignment:
    """Return the model of a role assignment.

    :param wire: The JSON object from the service.
    :raises ~azure.core.exceptions.DecodeError: If it isn't a role assignment.
    """
    return _role_assignment(wire, {})


def _role_assignment(wire: RoleAssignmentWire, known: dict[str | None, str | None]) -> KeyVaultRoleAssignment:
    members = _object(wire, "a role assignment")
    properties = _object(members.get("properties"), "properties")
    # Assignments share roles, principals and scopes: a list holds each of these strings once.
    one = known.setdefault
    resource_type = _text(members, "type")
    principal_id = _text(properties, "principalId")
    role_definition_id = _text(properties, "roleDefinitionId")
    scope = _known(properties, "scope", _SCOPES)
    return KeyVaultRoleAssignment(
        role_assignment_id=_text(members, "id"),
        name=_text(members, "name"),
        assignment_type=one(resource_type, resource_type),
        properties=KeyVaultRoleAssignmentProperties(
            principal_id=one(principal_id, principal_id),
            role_definition_id=one(role_definition_id, role_definition_id),
            scope=one(scope, scope),
        ),
    )


def role_assignments(page: RoleAssignmentListResultWire) -> list[KeyVaultRoleAssignment]:
    """Return the models of a page of role assignments.

    :param page: The JSON object from the service.
    :raises ~azure.core.exceptions.DecodeError: If it isn't a page of role assignments.
    """
    known: dict[str | None, str | None] = {}
    return [_role_assignment(wire, known) for wire in _items(page)]


def role_definition_body(
    *,
    role_name: str | None,
    description: str | None,
    permissions: Iterable[KeyVaultPermission] | None,
    assignable_scopes: Iterable[str] | None,
) -> RoleDefinitionCreateParametersWire:
    """Return the body that creates or replaces a role definition.

    :keyword role_name: The display name; left out if None.
    :keyword description: The description; left out if None.
    :keyword permissions: The role's permissions; an empty list if None.
    :keyword assignable_scopes: The scopes at which it can be assigned; left out if None.
    :raises ValueError: If a permission or scope is invalid.
    """
    properties: RoleDefinitionPropertiesWire = {}
    if role_name is not None:
        properties["roleName"] = role_name
    if description is not None:
        properties["description"] = description
    properties["permissions"] = [_permission_body(item) for item in permissions or ()]
    if assignable_scopes is not None:
        if isinstance(assignable_scopes, str):
            raise ValueError(
                f"assignable_scopes must be a list of scopes, not a single string: {described(assignable_scopes)}"
            )
        properties["assignableScopes"] = [role_scope(scope) for scope in assignable_scopes]
    return {"properties": properties}


def role_assignment_body(*, role_definition_id: str, principal_id: str) -> RoleAssignmentCreateParametersWire:
    """Return the body that creates a role assignment.

    :keyword role_definition_id: Id of the role definition.
    :keyword principal_id: Object id of the principal.
    """
    return {"properties": {"roleDefinitionId": role_definition_id, "principalId": principal_id}}


def backup_body(place: StorageAccess) -> SASTokenParameterWire:
    """Return the body that starts a backup.

    :param place: The container and its credential.
    """
    body: SASTokenParameterWire = {"storageResourceUri": place.container_url}
    if place.sas_token is not None:
        body["token"] = place.sas_token
    if place.use_managed_identity:
        body["useManagedIdentity"] = True
    return body


def pre_backup_body(place: StorageAccess) -> PreBackupOperationParametersWire:
    """Return the body that starts the check before a backup.

    :param place: The container and its credential.
    """
    return {**backup_body(place)}


def restore_body(place: StorageAccess, folder: str) -> RestoreOperationParametersWire:
    """Return the body that starts a full restore.

    :param place: The container and its credential.
    :param folder: Name of the folder with the backup.
    """
    return {"sasTokenParameters": backup_body(place), "folderToRestore": folder}


def pre_restore_body(place: StorageAccess, folder: str) -> PreRestoreOperationParametersWire:
    """Return the body that starts the check before a full restore.

    :param place: The container and its credential.
    :param folder: Name of the folder with the backup.
    """
    return {**restore_body(place, folder)}


def key_restore_body(place: StorageAccess, folder: str) -> SelectiveKeyRestoreOperationParametersWire:
    """Return the body that starts the restore of a single key.

    :param place: The container and its credential.
    :param folder: Name of the folder with the backup.
    """
    return {"sasTokenParameters": backup_body(place), "folder": folder}


def job_details(kind: str, wire: dict[str, Any]) -> KeyVaultJobDetails:
    """Return the model of a job.

    :param kind: The kind of the job, in words.
    :param wire: The JSON object from the service.
    :raises ~azure.core.exceptions.DecodeError: If it isn't a job.
    """
    return KeyVaultJobDetails(
        kind=kind,
        job_id=_text(wire, "jobId"),
        status=_text(wire, "status"),
        status_details=_text(wire, "statusDetails"),
        start_time=_time(wire, "startTime"),
        end_time=_time(wire, "endTime"),
    )


def backup_result(wire: dict[str, Any]) -> KeyVaultBackupResult:
    """Return the result of a backup that succeeded.

    :param wire: The JSON object from the service.
    :raises ~azure.core.exceptions.DecodeError: If it isn't a backup.
    """
    return KeyVaultBackupResult(folder_url=_text(wire, "azureStorageBlobContainerUri"))


def no_result(wire: dict[str, Any]) -> None:
    """Return None: the job has no result.

    :param wire: The JSON object from the service.
    """


def _permission(wire: Any) -> KeyVaultPermission:
    members = _object(wire, "a permission")
    return KeyVaultPermission(
        actions=_texts(members, "actions"),
        not_actions=_texts(members, "notActions"),
        data_actions=_texts(members, "dataActions", _ACTIONS),
        not_data_actions=_texts(members, "notDataActions", _ACTIONS),
    )


def _permission_body(permission: Any) -> PermissionWire:
    try:
        # Any object with these attributes will do. Its members may be anything, so a new one checks them.
        given = KeyVaultPermission(
            actions=permission.actions,
            not_actions=permission.not_actions,
            data_actions=permission.data_actions,
            not_data_actions=permission.not_data_actions,
        )
    except AttributeError as error:
        raise ValueError(
            f"permissions must be KeyVaultPermission objects, got one {type(permission).__name__}"
        ) from error
    body: PermissionWire = {}
    if given.actions is not None:
        body["actions"] = given.actions
    if given.not_actions is not None:
        body["notActions"] = given.not_actions
    if given.data_actions is not None:
        body["dataActions"] = given.data_actions
    if given.not_data_actions is not None:
        body["notDataActions"] = given.not_data_actions
    return body


def _object(value: object, what: str) -> dict[str, Any]:
    """Return a JSON object. ``properties`` may be missing or null, which is an empty object."""
    if type(value) is dict:
        return cast("dict[str, Any]", value)
    if value is None and what == "properties":
        return {}
    raise DecodeError(message=f"The service sent {_kind(value)} where {what} was expected.")


def _text(members: dict[str, Any], name: str) -> str | None:
    value = members.get(name)
    if value is None or type(value) is str:
        return value
    raise DecodeError(message=f"The service sent {_kind(value)} as {name!r}, where a string was expected.")


def _list(members: Mapping[str, Any], name: str) -> list[Any]:
    value: object = members.get(name)
    if value is None:
        return []
    if type(value) is list:
        return cast("list[object]", value)
    raise DecodeError(message=f"The service sent {_kind(value)} as {name!r}, where a list was expected.")


def _items(page: Mapping[str, Any]) -> Iterator[Any]:
    """Return the items of a page, and release each, so that a page isn't in memory twice, as JSON and as models.

    That is faster, too: memory that is freed and reused immediately does not trigger the garbage collector.
    """
    values = _list(page, "value")
    values.reverse()
    while values:
        yield values.pop()


def _known(members: dict[str, Any], name: str, known: dict[str, str]) -> str | None:
    text = _text(members, name)
    return text if text is None else known.get(text, text)


def _texts(members: dict[str, Any], name: str, known: dict[str, str] | None = None) -> list[str]:
    values: list[str] = _list(members, name)
    for value in values:
        if type(value) is not str:
            raise DecodeError(message=f"The service sent {_kind(value)} in {name!r}, where strings were expected.")
    return [known.get(value, value) for value in values] if known else values


def _time(members: dict[str, Any], name: str) -> datetime | None:
    value = members.get(name)
    if value is None:
        return None
    if type(value) is int:
        try:
            return datetime.fromtimestamp(value, timezone.utc)
        except (OverflowError, OSError, ValueError) as error:
            raise DecodeError(message=f"The service sent a time out of range as {name!r}.") from error
    raise DecodeError(message=f"The service sent {_kind(value)} as {name!r}, where a time in seconds was expected.")


def _kind(value: object) -> str:
    kinds: dict[type, str] = {dict: "an object", list: "a list", str: "a string", bool: "a boolean", type(None): "null"}
    return kinds.get(type(value), "a number")
