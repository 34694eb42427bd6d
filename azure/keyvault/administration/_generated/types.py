# Generated from eng/openapi/managedhsm-administration.yaml by eng/generate.py. Do not edit.
"""The JSON objects of the wire: plain dicts at run time.

The types of responses are the service's promise; code that reads them checks the members it uses.
"""

from __future__ import annotations

from typing_extensions import NotRequired, TypedDict


class PermissionWire(TypedDict):
    """Actions granted by a role, and those excluded from them."""

    actions: NotRequired[list[str]]
    notActions: NotRequired[list[str]]
    dataActions: NotRequired[list[str]]
    notDataActions: NotRequired[list[str]]


class RoleDefinitionPropertiesWire(TypedDict):
    """Name, description and permissions of a role."""

    roleName: NotRequired[str]
    description: NotRequired[str]
    type: NotRequired[str]
    permissions: NotRequired[list[PermissionWire]]
    assignableScopes: NotRequired[list[str]]


class RoleDefinitionCreateParametersWire(TypedDict):
    """The role definition to write."""

    properties: RoleDefinitionPropertiesWire


class RoleDefinitionWire(TypedDict):
    """A role definition."""

    id: str
    name: str
    type: str
    properties: RoleDefinitionPropertiesWire


class RoleDefinitionListResultWire(TypedDict):
    """A page of role definitions."""

    value: list[RoleDefinitionWire]
    nextLink: NotRequired[str]


class RoleAssignmentPropertiesWire(TypedDict):
    """The role and the principal of a new assignment."""

    roleDefinitionId: str
    principalId: str


class RoleAssignmentCreateParametersWire(TypedDict):
    """The role assignment to write."""

    properties: RoleAssignmentPropertiesWire


class RoleAssignmentPropertiesWithScopeWire(TypedDict):
    """Role, principal and scope of an assignment."""

    scope: str
    roleDefinitionId: str
    principalId: str


class RoleAssignmentWire(TypedDict):
    """A role assignment."""

    id: str
    name: str
    type: str
    properties: RoleAssignmentPropertiesWithScopeWire


class RoleAssignmentListResultWire(TypedDict):
    """A page of role assignments."""

    value: list[RoleAssignmentWire]
    nextLink: NotRequired[str]


class SASTokenParameterWire(TypedDict):
    """The container of a backup and the access to it."""

    storageResourceUri: str
    token: NotRequired[str]
    useManagedIdentity: NotRequired[bool]  # since 7.5


class PreBackupOperationParametersWire(TypedDict):
    """The container of a backup to check and the access to it."""

    storageResourceUri: NotRequired[str]  # since 7.6
    token: NotRequired[str]  # since 7.6
    useManagedIdentity: NotRequired[bool]  # since 7.6


class RestoreOperationParametersWire(TypedDict):
    """The backup to restore."""

    sasTokenParameters: SASTokenParameterWire
    folderToRestore: str


class PreRestoreOperationParametersWire(TypedDict):
    """The backup that would be restored."""

    sasTokenParameters: NotRequired[SASTokenParameterWire]  # since 7.6
    folderToRestore: NotRequired[str]  # since 7.6


class SelectiveKeyRestoreOperationParametersWire(TypedDict):
    """The backup to restore a key from."""

    sasTokenParameters: SASTokenParameterWire
    folder: str
