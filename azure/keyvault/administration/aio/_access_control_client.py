"""The client for an HSM's local role-based access control."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar, cast

from azure.core.async_paging import AsyncItemPaged
from azure.core.exceptions import AzureError, DecodeError, HttpResponseError, ResourceExistsError, ResourceNotFoundError

from .. import _mapping
from .._enums import KeyVaultRoleScope
from .._generated import operations
from .._identifiers import path_name, required_text, role_scope
from .._models import KeyVaultPermission, KeyVaultRoleAssignment, KeyVaultRoleDefinition
from .._runtime.paging import item_paged
from .._runtime.rest import Operation, decode_object
from .._runtime.retry import carries_token
from .._runtime.tracing import traced
from ._client_base import KeyVaultClientBase

if TYPE_CHECKING:
    from azure.core.pipeline import PipelineResponse
    from azure.core.rest import AsyncHttpResponse, HttpRequest

    from .._generated.types import RoleAssignmentPropertiesWire, RoleAssignmentWire, RoleDefinitionWire

WireT = TypeVar("WireT")

# Codes for a retried create that had succeeded: the first is Managed HSM's; the other names another assignment.
_EXISTS = frozenset({"RoleAssignmentExists", "MatchingRoleAssignmentExists"})

_LOGGER = logging.getLogger(__name__)


class KeyVaultAccessControlClient(KeyVaultClientBase):
    """Manages the role definitions and role assignments of an Azure Managed HSM.

    Use it as an async context manager, or call :meth:`close`. One client serves any number of concurrent calls.

    Other keywords are those of azure-core's clients, such as ``transport``, ``proxies``, ``connection_verify``,
    ``retry_total`` and ``logging_enable``. A method takes ``headers``, ``timeout``, ``retry_total``, ``logging_enable``
    and the like for one call, and ``cls``: a function of the pipeline's response, the result and the response headers,
    whose value is returned instead of the result.

    :param str vault_url: URL of the HSM, for example ``https://<name>.managedhsm.azure.net``: its "DNS name".
    :param credential: An async credential, such as one of :mod:`azure.identity.aio`. The client does not close it.
    :type credential: ~azure.core.credentials_async.AsyncTokenCredential
    :keyword api_version: Version of the service API to use. Defaults to the newest one that is known.
    :paramtype api_version: ~azure.keyvault.administration.ApiVersion or str
    :keyword bool verify_challenge_resource: Whether to verify that the service asks only for tokens that are meant for
        its own domain. Defaults to True.
    :keyword challenge_resource_domains: Hosts of further resources to accept, so that verification can stay on where
        the HSM's host is not below the resource's.
    :paramtype challenge_resource_domains: ~collections.abc.Iterable[str]
    :raises ValueError: If ``vault_url`` is not the https URL of an HSM, ``credential`` has no token method, or a
        keyword would replace the policies as a whole.
    """

    @traced
    async def create_role_assignment(
        self,
        scope: str | KeyVaultRoleScope,
        definition_id: str,
        principal_id: str,
        *,
        name: str | uuid.UUID | None = None,
        **kwargs: Any,
    ) -> KeyVaultRoleAssignment:
        """Grant a role to a principal at a scope.

        Needs the data action ``Microsoft.KeyVault/managedHsm/roleAssignments/write/action`` at the scope. If a
        response is lost and the retry finds the assignment in place, that assignment is returned.

        :param scope: Where the role is granted: ``/``, ``/keys`` or ``/keys/<key name>``.
        :type scope: str or ~azure.keyvault.administration.KeyVaultRoleScope
        :param str definition_id: Id of the role definition: the ``id`` of a
            :class:`~azure.keyvault.administration.KeyVaultRoleDefinition`.
        :param str principal_id: Object id, not application id, of the user, group, service principal or managed
            identity.
        :keyword name: The assignment's name, a UUID. Generated if omitted.
        :paramtype name: str or ~uuid.UUID or None
        :rtype: ~azure.keyvault.administration.KeyVaultRoleAssignment
        :raises ValueError: If an argument is blank or the scope malformed. Nothing is sent.
        :raises ~azure.core.exceptions.HttpResponseError: If the service refuses: with code ``RoleAssignmentExists`` if
            this assignment exists, with ``MatchingRoleAssignmentExists`` if the principal has the role at the scope
            under another name.
        """
        scope = role_scope(scope)
        name = _name_or_new(name)
        body = _mapping.role_assignment_body(
            role_definition_id=required_text(definition_id, "definition_id"),
            principal_id=required_text(principal_id, "principal_id"),
        )
        operation = operations.role_assignments_create(scope, name, body)
        recover = partial(self._own_assignment, scope, name, body["properties"], kwargs)
        return await self._client.send(operation, _mapping.role_assignment, recover=recover, **kwargs)

    async def _own_assignment(
        self,
        scope: str,
        name: str,
        wanted: RoleAssignmentPropertiesWire,
        options: dict[str, Any],
        error: HttpResponseError,
    ) -> PipelineResponse[HttpRequest, AsyncHttpResponse] | None:
        """Return a response with the assignment that this call created, or None if another one is in place."""
        code = error.error.code if error.error else None
        if not isinstance(error, ResourceExistsError) and code not in _EXISTS:
            return None
        # The call's own `cls` is for the result.
        options = {key: value for key, value in options.items() if key != "cls"}
        try:
            response = await self._client.fetch(operations.role_assignments_get(scope, name), **options)
            found = cast("RoleAssignmentWire", decode_object(response.http_response))
            properties = _mapping.role_assignment(found).properties
        except AzureError:
            return None
        same = properties is not None and (
            _same(properties.principal_id, wanted["principalId"])
            and _same(properties.role_definition_id, wanted["roleDefinitionId"])
            and _same(properties.scope, scope)
        )
        return response if same else None

    async def _delete(
        self, operation: Operation[WireT], convert: Callable[[WireT], object], options: dict[str, Any]
    ) -> None:
        """Delete a resource; a 404 from the service isn't an error.

        A 404 without the service's error says nothing about the resource: a gateway or a proxy sent it. The same holds
        for one to a request without a token.
        """
        try:
            await self._client.send(operation, convert, **options)
        except ResourceNotFoundError as error:
            if not (_is_service_error(error) and carries_token(operation.request)):
                raise

    @traced
    async def delete_role_assignment(
        self, scope: str | KeyVaultRoleScope, name: str | uuid.UUID, **kwargs: Any
    ) -> None:
        """Delete a role assignment. If there is none, nothing happens.

        Needs the data action ``Microsoft.KeyVault/managedHsm/roleAssignments/delete/action`` at the scope.

        :param scope: The assignment's scope: ``/``, ``/keys`` or ``/keys/<key name>``.
        :type scope: str or ~azure.keyvault.administration.KeyVaultRoleScope
        :param name: The assignment's name.
        :type name: str or ~uuid.UUID
        :raises ValueError: If an argument is blank or the scope malformed. Nothing is sent.
        :raises ~azure.core.exceptions.ResourceNotFoundError: If a 404 came from something other than the service, such
            as a gateway.
        :raises ~azure.core.exceptions.HttpResponseError: If the service refuses.
        """
        operation = operations.role_assignments_delete(role_scope(scope), path_name(name, "name"))
        await self._delete(operation, _mapping.role_assignment, kwargs)

    @traced
    async def get_role_assignment(
        self, scope: str | KeyVaultRoleScope, name: str | uuid.UUID, **kwargs: Any
    ) -> KeyVaultRoleAssignment:
        """Get a role assignment.

        Needs the data action ``Microsoft.KeyVault/managedHsm/roleAssignments/read/action`` at the scope.

        :param scope: The assignment's scope: ``/``, ``/keys`` or ``/keys/<key name>``.
        :type scope: str or ~azure.keyvault.administration.KeyVaultRoleScope
        :param name: The assignment's name.
        :type name: str or ~uuid.UUID
        :rtype: ~azure.keyvault.administration.KeyVaultRoleAssignment
        :raises ValueError: If an argument is blank or the scope malformed. Nothing is sent.
        :raises ~azure.core.exceptions.ResourceNotFoundError: If there is no such assignment.
        :raises ~azure.core.exceptions.HttpResponseError: If the service refuses.
        """
        operation = operations.role_assignments_get(role_scope(scope), path_name(name, "name"))
        return await self._client.send(operation, _mapping.role_assignment, **kwargs)

    @traced
    def list_role_assignments(
        self, scope: str | KeyVaultRoleScope, **kwargs: Any
    ) -> AsyncItemPaged[KeyVaultRoleAssignment]:
        """List the role assignments at a scope. Pages are fetched while you iterate.

        Each scope has its own list: the assignments at single keys appear neither at ``/`` nor at ``/keys``.
        Needs the data action ``Microsoft.KeyVault/managedHsm/roleAssignments/read/action`` at the scope.

        :param scope: The scope: ``/``, ``/keys`` or ``/keys/<key name>``.
        :type scope: str or ~azure.keyvault.administration.KeyVaultRoleScope
        :rtype: ~azure.core.async_paging.AsyncItemPaged[~azure.keyvault.administration.KeyVaultRoleAssignment]
        :raises ValueError: If the scope is blank or malformed. Nothing is sent.
        :raises ~azure.core.exceptions.HttpResponseError: While iterating, if the service refuses.
        """
        first_page = partial(
            operations.role_assignments_list_for_scope, role_scope(scope), filter=kwargs.pop("filter", None)
        )
        return item_paged(self._client, first_page, _mapping.role_assignments, **kwargs)

    @traced
    async def set_role_definition(
        self,
        scope: str | KeyVaultRoleScope,
        *,
        name: str | uuid.UUID | None = None,
        role_name: str | None = None,
        description: str | None = None,
        permissions: Iterable[KeyVaultPermission] | None = None,
        assignable_scopes: Iterable[str | KeyVaultRoleScope] | None = None,
        **kwargs: Any,
    ) -> KeyVaultRoleDefinition:
        """Create a custom role definition, or replace the one with the given name.

        The whole definition is replaced: omitted parts become empty. Needs the data action
        ``Microsoft.KeyVault/managedHsm/roleDefinitions/write/action`` at ``/``.

        :param scope: The definition's scope. Managed HSM supports only ``/``, or ``KeyVaultRoleScope.GLOBAL``.
        :type scope: str or ~azure.keyvault.administration.KeyVaultRoleScope
        :keyword name: The definition's name, a UUID. Generated if omitted, which makes a new definition.
        :paramtype name: str or ~uuid.UUID or None
        :keyword role_name: The role's display name. Empty if omitted.
        :paramtype role_name: str or None
        :keyword description: A description of the role. Empty if omitted.
        :paramtype description: str or None
        :keyword permissions: The role's permissions. None if omitted.
        :paramtype permissions: ~collections.abc.Iterable[~azure.keyvault.administration.KeyVaultPermission] or None
        :keyword assignable_scopes: The scopes at which the role can be assigned. The service has been seen to store
            ``/`` whatever is given; a warning is logged if it stored other scopes than those given.
        :paramtype assignable_scopes: ~collections.abc.Iterable[str or
            ~azure.keyvault.administration.KeyVaultRoleScope] or None
        :returns: The definition as the service stored it.
        :rtype: ~azure.keyvault.administration.KeyVaultRoleDefinition
        :raises ValueError: If an argument is blank or malformed. Nothing is sent.
        :raises ~azure.core.exceptions.HttpResponseError: If the service refuses.
        """
        body = _mapping.role_definition_body(
            role_name=role_name,
            description=description,
            permissions=permissions,
            assignable_scopes=assignable_scopes,
        )
        operation = operations.role_definitions_create_or_update(role_scope(scope), _name_or_new(name), body)
        wanted = body["properties"].get("assignableScopes")
        return await self._client.send(operation, partial(_stored_definition, wanted), **kwargs)

    @traced
    async def delete_role_definition(
        self, scope: str | KeyVaultRoleScope, name: str | uuid.UUID, **kwargs: Any
    ) -> None:
        """Delete a custom role definition. If there is none, nothing happens.

        Its assignments stay, and grant nothing. Needs the data action
        ``Microsoft.KeyVault/managedHsm/roleDefinitions/delete/action`` at ``/``.

        :param scope: The definition's scope. Managed HSM supports only ``/``, or ``KeyVaultRoleScope.GLOBAL``.
        :type scope: str or ~azure.keyvault.administration.KeyVaultRoleScope
        :param name: The definition's name.
        :type name: str or ~uuid.UUID
        :raises ValueError: If an argument is blank or the scope malformed. Nothing is sent.
        :raises ~azure.core.exceptions.ResourceNotFoundError: If a 404 came from something other than the service, such
            as a gateway.
        :raises ~azure.core.exceptions.HttpResponseError: If the service refuses.
        """
        operation = operations.role_definitions_delete(role_scope(scope), path_name(name, "name"))
        await self._delete(operation, _mapping.role_definition, kwargs)

    @traced
    async def get_role_definition(
        self, scope: str | KeyVaultRoleScope, name: str | uuid.UUID, **kwargs: Any
    ) -> KeyVaultRoleDefinition:
        """Get a role definition.

        Needs the data action ``Microsoft.KeyVault/managedHsm/roleDefinitions/read/action`` at ``/``.

        :param scope: The definition's scope. Managed HSM supports only ``/``, or ``KeyVaultRoleScope.GLOBAL``.
        :type scope: str or ~azure.keyvault.administration.KeyVaultRoleScope
        :param name: The definition's name.
        :type name: str or ~uuid.UUID
        :rtype: ~azure.keyvault.administration.KeyVaultRoleDefinition
        :raises ValueError: If an argument is blank or the scope malformed. Nothing is sent.
        :raises ~azure.core.exceptions.ResourceNotFoundError: If there is no such definition.
        :raises ~azure.core.exceptions.HttpResponseError: If the service refuses.
        """
        operation = operations.role_definitions_get(role_scope(scope), path_name(name, "name"))
        return await self._client.send(operation, _mapping.role_definition, **kwargs)

    @traced
    def list_role_definitions(
        self, scope: str | KeyVaultRoleScope, **kwargs: Any
    ) -> AsyncItemPaged[KeyVaultRoleDefinition]:
        """List the role definitions that apply at and above a scope. Pages are fetched while you iterate.

        Needs the data action ``Microsoft.KeyVault/managedHsm/roleDefinitions/read/action`` at ``/``.

        :param scope: The scope: ``/``, ``/keys`` or ``/keys/<key name>``.
        :type scope: str or ~azure.keyvault.administration.KeyVaultRoleScope
        :rtype: ~azure.core.async_paging.AsyncItemPaged[~azure.keyvault.administration.KeyVaultRoleDefinition]
        :raises ValueError: If the scope is blank or malformed. Nothing is sent.
        :raises ~azure.core.exceptions.HttpResponseError: While iterating, if the service refuses.
        """
        first_page = partial(operations.role_definitions_list, role_scope(scope), filter=kwargs.pop("filter", None))
        return item_paged(self._client, first_page, _mapping.role_definitions, **kwargs)


def _name_or_new(name: str | uuid.UUID | None) -> str:
    """Return the given name, or a new one: made once per call, so that every attempt addresses the same resource."""
    return str(uuid.uuid4()) if name is None else path_name(name, "name")


def _stored_definition(wanted: list[str] | None, wire: RoleDefinitionWire) -> KeyVaultRoleDefinition:
    """Return the model of a stored definition, and log if the service changed its assignable scopes."""
    definition = _mapping.role_definition(wire)
    if wanted and set(definition.assignable_scopes or ()) != set(wanted):
        _LOGGER.warning(
            "The role definition %s can be assigned at %s: the service did not take %s.",
            definition.name,
            [str(scope) for scope in definition.assignable_scopes or ()],
            wanted,
        )
    return definition


def _is_service_error(error: HttpResponseError) -> bool:
    """Return whether an error has the service's body: ``{"error": {"code": ...}}``."""
    try:
        body = decode_object(cast("AsyncHttpResponse", error.response))
    except DecodeError:
        return False
    detail: object = body.get("error")
    return isinstance(detail, dict) and bool(cast("dict[str, object]", detail).get("code"))


def _same(one: str | None, other: str) -> bool:
    """Return whether two ids are equal: the service ignores their case."""
    return one is not None and one.lower() == other.lower()
