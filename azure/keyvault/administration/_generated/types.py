# Generated from eng/openapi/managedhsm-administration.yaml by eng/generate.py. Do not edit.
"""The JSON objects of the wire: plain dicts at run time.

What they say of a response is what the service promises; whoever reads one checks the members it uses.
"""

from __future__ import annotations

from typing_extensions import NotRequired, TypedDict


class PermissionWire(TypedDict):
    """Actions granted by a role, and those taken out again."""

    actions: NotRequired[list[str]]
    notActions: NotRequired[list[str]]
    dataActions: NotRequired[list[str]]
    notDataActions: NotRequired[list[str]]


class RoleDefinitionPropertiesWire(TypedDict):
    """What a role is called and what it grants."""

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
    """Which role to assign to whom."""

    roleDefinitionId: str
    principalId: str


class RoleAssignmentCreateParametersWire(TypedDict):
    """The role assignment to write."""

    properties: RoleAssignmentPropertiesWire


class RoleAssignmentPropertiesWithScopeWire(TypedDict):
    """Which role is assigned to whom, and where."""

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
    """Where a backup is kept and how to get there."""

    storageResourceUri: str
    token: NotRequired[str]
    useManagedIdentity: NotRequired[bool]  # since 7.5


class PreBackupOperationParametersWire(TypedDict):
    """Where a backup would be kept and how to get there."""

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
