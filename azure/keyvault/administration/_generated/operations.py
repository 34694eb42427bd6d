# Generated from eng/openapi/managedhsm-administration.yaml by eng/generate.py. Do not edit.
"""One method for each operation: build the request, send it, name the wire type of what comes back.

The client's `send` returns a JSON object; each `cast` names the type that the service promises for it, and whoever
reads it checks the members. A method that starts a job returns the whole answer, which the job is followed from.
"""
# ruff: noqa: A002 - parameters keep the names of the service

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from . import requests

if TYPE_CHECKING:
    from azure.core.pipeline import PipelineResponse
    from azure.core.rest import AsyncHttpResponse, HttpRequest

    from .._runtime.rest import RestClient
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


class RoleDefinitionsOperations:
    """The operations with the tag RoleDefinitions."""

    def __init__(self, client: RestClient) -> None:
        self._client = client

    async def list(self, scope: str, *, filter: str | None = None, **kwargs: Any) -> RoleDefinitionListResultWire:
        """List the role definitions that apply at a scope and above."""
        request = requests.role_definitions_list(self._client.endpoint, self._client.api_version, scope, filter=filter)
        return cast("RoleDefinitionListResultWire", await self._client.send(request, 200, **kwargs))

    async def get(self, scope: str, role_definition_name: str, **kwargs: Any) -> RoleDefinitionWire:
        """Get a role definition."""
        request = requests.role_definitions_get(
            self._client.endpoint, self._client.api_version, scope, role_definition_name
        )
        return cast("RoleDefinitionWire", await self._client.send(request, 200, **kwargs))

    async def create_or_update(
        self, scope: str, role_definition_name: str, body: RoleDefinitionCreateParametersWire, **kwargs: Any
    ) -> RoleDefinitionWire:
        """Create a custom role definition or replace it."""
        request = requests.role_definitions_create_or_update(
            self._client.endpoint, self._client.api_version, scope, role_definition_name, body
        )
        return cast("RoleDefinitionWire", await self._client.send(request, 201, **kwargs))

    async def delete(self, scope: str, role_definition_name: str, **kwargs: Any) -> RoleDefinitionWire:
        """Delete a custom role definition."""
        request = requests.role_definitions_delete(
            self._client.endpoint, self._client.api_version, scope, role_definition_name
        )
        return cast("RoleDefinitionWire", await self._client.send(request, 200, **kwargs))


class RoleAssignmentsOperations:
    """The operations with the tag RoleAssignments."""

    def __init__(self, client: RestClient) -> None:
        self._client = client

    async def list_for_scope(
        self, scope: str, *, filter: str | None = None, **kwargs: Any
    ) -> RoleAssignmentListResultWire:
        """List the role assignments of a scope."""
        request = requests.role_assignments_list_for_scope(
            self._client.endpoint, self._client.api_version, scope, filter=filter
        )
        return cast("RoleAssignmentListResultWire", await self._client.send(request, 200, **kwargs))

    async def get(self, scope: str, role_assignment_name: str, **kwargs: Any) -> RoleAssignmentWire:
        """Get a role assignment."""
        request = requests.role_assignments_get(
            self._client.endpoint, self._client.api_version, scope, role_assignment_name
        )
        return cast("RoleAssignmentWire", await self._client.send(request, 200, **kwargs))

    async def create(
        self, scope: str, role_assignment_name: str, body: RoleAssignmentCreateParametersWire, **kwargs: Any
    ) -> RoleAssignmentWire:
        """Assign a role to a principal."""
        request = requests.role_assignments_create(
            self._client.endpoint, self._client.api_version, scope, role_assignment_name, body
        )
        return cast("RoleAssignmentWire", await self._client.send(request, 201, **kwargs))

    async def delete(self, scope: str, role_assignment_name: str, **kwargs: Any) -> RoleAssignmentWire:
        """Delete a role assignment."""
        request = requests.role_assignments_delete(
            self._client.endpoint, self._client.api_version, scope, role_assignment_name
        )
        return cast("RoleAssignmentWire", await self._client.send(request, 200, **kwargs))


class BackupRestoreOperations:
    """The operations with the tag BackupRestore."""

    def __init__(self, client: RestClient) -> None:
        self._client = client

    async def full_backup(
        self, body: SASTokenParameterWire, **kwargs: Any
    ) -> PipelineResponse[HttpRequest, AsyncHttpResponse]:
        """Start a full backup of the HSM into a new folder of a blob container."""
        request = requests.backup_restore_full_backup(self._client.endpoint, self._client.api_version, body)
        return await self._client.start(request, 202, **kwargs)

    async def pre_full_backup(
        self, body: PreBackupOperationParametersWire, **kwargs: Any
    ) -> PipelineResponse[HttpRequest, AsyncHttpResponse]:
        """Start a check whether a full backup could be made."""
        request = requests.backup_restore_pre_full_backup(self._client.endpoint, self._client.api_version, body)
        return await self._client.start(request, 202, **kwargs)

    async def full_restore(
        self, body: RestoreOperationParametersWire, **kwargs: Any
    ) -> PipelineResponse[HttpRequest, AsyncHttpResponse]:
        """Start a full restore of the HSM from a folder of a blob container."""
        request = requests.backup_restore_full_restore(self._client.endpoint, self._client.api_version, body)
        return await self._client.start(request, 202, **kwargs)

    async def pre_full_restore(
        self, body: PreRestoreOperationParametersWire, **kwargs: Any
    ) -> PipelineResponse[HttpRequest, AsyncHttpResponse]:
        """Start a check whether a full restore could be made."""
        request = requests.backup_restore_pre_full_restore(self._client.endpoint, self._client.api_version, body)
        return await self._client.start(request, 202, **kwargs)

    async def selective_key_restore(
        self, key_name: str, body: SelectiveKeyRestoreOperationParametersWire, **kwargs: Any
    ) -> PipelineResponse[HttpRequest, AsyncHttpResponse]:
        """Start the restore of all versions of one key from a full backup."""
        request = requests.backup_restore_selective_key_restore(
            self._client.endpoint, self._client.api_version, key_name, body
        )
        return await self._client.start(request, 202, **kwargs)
