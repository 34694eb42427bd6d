# Generated from eng/openapi/managedhsm-administration.yaml by eng/generate.py. Do not edit.
"""One pure function for each operation that builds its request.

*endpoint* is the origin of the HSM. A *scope* starts with a slash and doesn't end with one, unless it is `/`.
"""
# ruff: noqa: A002 - parameters keep the names of the service

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from .._runtime.request import JsonRequest

if TYPE_CHECKING:
    from .types import (
        PreBackupOperationParametersWire,
        PreRestoreOperationParametersWire,
        RestoreOperationParametersWire,
        RoleAssignmentCreateParametersWire,
        RoleDefinitionCreateParametersWire,
        SASTokenParameterWire,
        SelectiveKeyRestoreOperationParametersWire,
    )

_HEADERS = {"Accept": "application/json"}


def role_definitions_list(endpoint: str, api_version: str, scope: str, *, filter: str | None = None) -> JsonRequest:
    """List the role definitions that apply at a scope and above."""
    path = f"{_prefix(scope)}/providers/Microsoft.Authorization/roleDefinitions"
    url = f"{endpoint}{path}?api-version={quote(api_version, safe='')}"
    if filter is not None:
        url += f"&$filter={quote(filter, safe='')}"
    return JsonRequest("GET", url, headers=_HEADERS)


def role_definitions_get(endpoint: str, api_version: str, scope: str, role_definition_name: str) -> JsonRequest:
    """Get a role definition."""
    path = f"{_prefix(scope)}/providers/Microsoft.Authorization/roleDefinitions/{quote(role_definition_name, safe='')}"
    url = f"{endpoint}{path}?api-version={quote(api_version, safe='')}"
    return JsonRequest("GET", url, headers=_HEADERS)


def role_definitions_create_or_update(
    endpoint: str, api_version: str, scope: str, role_definition_name: str, body: RoleDefinitionCreateParametersWire
) -> JsonRequest:
    """Create a custom role definition or replace it."""
    path = f"{_prefix(scope)}/providers/Microsoft.Authorization/roleDefinitions/{quote(role_definition_name, safe='')}"
    url = f"{endpoint}{path}?api-version={quote(api_version, safe='')}"
    return JsonRequest("PUT", url, headers=_HEADERS, json=body)


def role_definitions_delete(endpoint: str, api_version: str, scope: str, role_definition_name: str) -> JsonRequest:
    """Delete a custom role definition."""
    path = f"{_prefix(scope)}/providers/Microsoft.Authorization/roleDefinitions/{quote(role_definition_name, safe='')}"
    url = f"{endpoint}{path}?api-version={quote(api_version, safe='')}"
    return JsonRequest("DELETE", url, headers=_HEADERS)


def role_assignments_list_for_scope(
    endpoint: str, api_version: str, scope: str, *, filter: str | None = None
) -> JsonRequest:
    """List the role assignments of a scope."""
    path = f"{_prefix(scope)}/providers/Microsoft.Authorization/roleAssignments"
    url = f"{endpoint}{path}?api-version={quote(api_version, safe='')}"
    if filter is not None:
        url += f"&$filter={quote(filter, safe='')}"
    return JsonRequest("GET", url, headers=_HEADERS)


def role_assignments_get(endpoint: str, api_version: str, scope: str, role_assignment_name: str) -> JsonRequest:
    """Get a role assignment."""
    path = f"{_prefix(scope)}/providers/Microsoft.Authorization/roleAssignments/{quote(role_assignment_name, safe='')}"
    url = f"{endpoint}{path}?api-version={quote(api_version, safe='')}"
    return JsonRequest("GET", url, headers=_HEADERS)


def role_assignments_create(
    endpoint: str, api_version: str, scope: str, role_assignment_name: str, body: RoleAssignmentCreateParametersWire
) -> JsonRequest:
    """Assign a role to a principal."""
    path = f"{_prefix(scope)}/providers/Microsoft.Authorization/roleAssignments/{quote(role_assignment_name, safe='')}"
    url = f"{endpoint}{path}?api-version={quote(api_version, safe='')}"
    return JsonRequest("PUT", url, headers=_HEADERS, json=body)


def role_assignments_delete(endpoint: str, api_version: str, scope: str, role_assignment_name: str) -> JsonRequest:
    """Delete a role assignment."""
    path = f"{_prefix(scope)}/providers/Microsoft.Authorization/roleAssignments/{quote(role_assignment_name, safe='')}"
    url = f"{endpoint}{path}?api-version={quote(api_version, safe='')}"
    return JsonRequest("DELETE", url, headers=_HEADERS)


def backup_restore_full_backup(endpoint: str, api_version: str, body: SASTokenParameterWire) -> JsonRequest:
    """Start a full backup of the HSM into a new folder of a blob container."""
    path = "/backup"
    url = f"{endpoint}{path}?api-version={quote(api_version, safe='')}"
    return JsonRequest("POST", url, headers=_HEADERS, json=body)


def backup_restore_pre_full_backup(
    endpoint: str, api_version: str, body: PreBackupOperationParametersWire
) -> JsonRequest:
    """Start a check whether a full backup could be made."""
    path = "/prebackup"
    url = f"{endpoint}{path}?api-version={quote(api_version, safe='')}"
    return JsonRequest("POST", url, headers=_HEADERS, json=body)


def backup_restore_full_restore(endpoint: str, api_version: str, body: RestoreOperationParametersWire) -> JsonRequest:
    """Start a full restore of the HSM from a folder of a blob container."""
    path = "/restore"
    url = f"{endpoint}{path}?api-version={quote(api_version, safe='')}"
    return JsonRequest("PUT", url, headers=_HEADERS, json=body)


def backup_restore_pre_full_restore(
    endpoint: str, api_version: str, body: PreRestoreOperationParametersWire
) -> JsonRequest:
    """Start a check whether a full restore could be made."""
    path = "/prerestore"
    url = f"{endpoint}{path}?api-version={quote(api_version, safe='')}"
    return JsonRequest("PUT", url, headers=_HEADERS, json=body)


def backup_restore_selective_key_restore(
    endpoint: str, api_version: str, key_name: str, body: SelectiveKeyRestoreOperationParametersWire
) -> JsonRequest:
    """Start the restore of all versions of one key from a full backup."""
    path = f"/keys/{quote(key_name, safe='')}/restore"
    url = f"{endpoint}{path}?api-version={quote(api_version, safe='')}"
    return JsonRequest("PUT", url, headers=_HEADERS, json=body)


def _prefix(scope: str) -> str:
    """Place the scope in front of a path; the HSM's own scope is no segment."""
    return "" if scope == "/" else quote(scope)
