# Generated from eng/openapi/managedhsm-administration.yaml by eng/generate.py. Do not edit.
"""One pure function for each operation: the request, and the status code that means success.

The URLs are relative to the HSM and name no service version: the client adds both. A *scope* starts with a slash and
doesn't end with one, unless it is `/`.
"""
# ruff: noqa: A002 - parameters keep the names of the service

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from .._runtime.request import RestRequest
from .._runtime.rest import JobStart, Operation

if TYPE_CHECKING:
    from .types import (
        PreBackupOperationParametersWire,
        PreRestoreOperationParametersWire,
        RestoreOperationParametersWire,
        RoleAssignmentCreateParametersWire,
        RoleAssignmentListResultWire,
        RoleAssignmentWire,
        RoleDefinitionCreateParametersWire,
        RoleDefinitionListResultWire,
        RoleDefinitionWire,
        SASTokenParameterWire,
        SelectiveKeyRestoreOperationParametersWire,
    )

_HEADERS = {"Accept": "application/json"}


def role_definitions_list(scope: str, *, filter: str | None = None) -> Operation[RoleDefinitionListResultWire]:
    """List the role definitions that apply at a scope and above."""
    url = f"{_prefix(scope)}/providers/Microsoft.Authorization/roleDefinitions"
    if filter is not None:
        url += f"?$filter={quote(filter, safe='')}"
    request = RestRequest("GET", url, headers=_HEADERS)
    return Operation(request, 200)


def role_definitions_get(scope: str, role_definition_name: str) -> Operation[RoleDefinitionWire]:
    """Get a role definition."""
    url = f"{_prefix(scope)}/providers/Microsoft.Authorization/roleDefinitions/{quote(role_definition_name, safe='')}"
    request = RestRequest("GET", url, headers=_HEADERS)
    return Operation(request, 200)


def role_definitions_create_or_update(
    scope: str, role_definition_name: str, body: RoleDefinitionCreateParametersWire
) -> Operation[RoleDefinitionWire]:
    """Create a custom role definition or replace it."""
    url = f"{_prefix(scope)}/providers/Microsoft.Authorization/roleDefinitions/{quote(role_definition_name, safe='')}"
    request = RestRequest("PUT", url, headers=_HEADERS, json=body)
    return Operation(request, 201)


def role_definitions_delete(scope: str, role_definition_name: str) -> Operation[RoleDefinitionWire]:
    """Delete a custom role definition."""
    url = f"{_prefix(scope)}/providers/Microsoft.Authorization/roleDefinitions/{quote(role_definition_name, safe='')}"
    request = RestRequest("DELETE", url, headers=_HEADERS)
    return Operation(request, 200)


def role_assignments_list_for_scope(
    scope: str, *, filter: str | None = None
) -> Operation[RoleAssignmentListResultWire]:
    """List the role assignments of a scope."""
    url = f"{_prefix(scope)}/providers/Microsoft.Authorization/roleAssignments"
    if filter is not None:
        url += f"?$filter={quote(filter, safe='')}"
    request = RestRequest("GET", url, headers=_HEADERS)
    return Operation(request, 200)


def role_assignments_get(scope: str, role_assignment_name: str) -> Operation[RoleAssignmentWire]:
    """Get a role assignment."""
    url = f"{_prefix(scope)}/providers/Microsoft.Authorization/roleAssignments/{quote(role_assignment_name, safe='')}"
    request = RestRequest("GET", url, headers=_HEADERS)
    return Operation(request, 200)


def role_assignments_create(
    scope: str, role_assignment_name: str, body: RoleAssignmentCreateParametersWire
) -> Operation[RoleAssignmentWire]:
    """Assign a role to a principal."""
    url = f"{_prefix(scope)}/providers/Microsoft.Authorization/roleAssignments/{quote(role_assignment_name, safe='')}"
    request = RestRequest("PUT", url, headers=_HEADERS, json=body)
    return Operation(request, 201)


def role_assignments_delete(scope: str, role_assignment_name: str) -> Operation[RoleAssignmentWire]:
    """Delete a role assignment."""
    url = f"{_prefix(scope)}/providers/Microsoft.Authorization/roleAssignments/{quote(role_assignment_name, safe='')}"
    request = RestRequest("DELETE", url, headers=_HEADERS)
    return Operation(request, 200)


def backup_restore_full_backup(body: SASTokenParameterWire) -> JobStart:
    """Start a full backup of the HSM into a new folder of a blob container."""
    url = "/backup"
    request = RestRequest("POST", url, headers=_HEADERS, json=body)
    return JobStart(request, 202)


def backup_restore_pre_full_backup(body: PreBackupOperationParametersWire) -> JobStart:
    """Start a check whether a full backup could be made."""
    url = "/prebackup"
    request = RestRequest("POST", url, headers=_HEADERS, json=body)
    return JobStart(request, 202)


def backup_restore_full_restore(body: RestoreOperationParametersWire) -> JobStart:
    """Start a full restore of the HSM from a folder of a blob container."""
    url = "/restore"
    request = RestRequest("PUT", url, headers=_HEADERS, json=body)
    return JobStart(request, 202)


def backup_restore_pre_full_restore(body: PreRestoreOperationParametersWire) -> JobStart:
    """Start a check whether a full restore could be made."""
    url = "/prerestore"
    request = RestRequest("PUT", url, headers=_HEADERS, json=body)
    return JobStart(request, 202)


def backup_restore_selective_key_restore(key_name: str, body: SelectiveKeyRestoreOperationParametersWire) -> JobStart:
    """Start the restore of all versions of one key from a full backup."""
    url = f"/keys/{quote(key_name, safe='')}/restore"
    request = RestRequest("PUT", url, headers=_HEADERS, json=body)
    return JobStart(request, 202)


def _prefix(scope: str) -> str:
    """Return the path prefix of a scope; the HSM's own scope has none."""
    return "" if scope == "/" else quote(scope)
