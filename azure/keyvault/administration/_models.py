"""The public model classes, without JSON and I/O."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, ClassVar, SupportsIndex

from ._enums import KeyVaultRoleScope
from ._identifiers import described

_LONGEST_REPR = 1024


class _Model:
    """Equality by value, a short repr and pickling, over the fields that a subclass has."""

    __slots__: ClassVar[tuple[str, ...]] = ("__weakref__",)

    _compared: ClassVar[tuple[str, ...]] = ()
    """The fields that equality compares. Not ``__slots__`` itself: a user's subclass may have its own slots."""
    _shown: ClassVar[tuple[str, ...]] = ()
    """The fields that its repr shows."""
    _identity: ClassVar[tuple[str, ...]] = ()
    """The fields that the hash is made of: never a list, because lists change."""

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in self._compared)

    def __hash__(self) -> int:
        return hash(tuple(getattr(self, name) for name in self._identity))

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={getattr(self, name)!r}" for name in self._shown)
        text = f"{type(self).__name__}({fields})"
        return text if len(text) <= _LONGEST_REPR else f"{text[: _LONGEST_REPR - 4]}...)"

    def __reduce_ex__(self, protocol: SupportsIndex) -> str | tuple[Any, ...]:
        # Protocols 0 and 1 reject slots, but can hold protocol 2's form of them.
        return super().__reduce_ex__(max(protocol.__index__(), 2))

    def __setstate__(self, state: dict[str, Any] | tuple[dict[str, Any] | None, dict[str, Any]]) -> None:
        # A model of 4.x has a `__dict__`. With slots, the state is the `__dict__` of a subclass, and the slots.
        added, slots = (None, state) if isinstance(state, dict) else state
        for name, value in {**(added or {}), **slots}.items():
            setattr(self, name, value)


class KeyVaultPermission(_Model):
    """The actions that a role permits.

    :keyword actions: Management actions that are granted. No data-plane operation reads them.
    :paramtype actions: ~collections.abc.Iterable[str] or None
    :keyword not_actions: Management actions that are excluded from ``actions``, but not denied.
    :paramtype not_actions: ~collections.abc.Iterable[str] or None
    :keyword data_actions: Data actions that are granted.
    :paramtype data_actions: ~collections.abc.Iterable[str or ~azure.keyvault.administration.KeyVaultDataAction] or None
    :keyword not_data_actions: Data actions that are excluded from ``data_actions``, but not denied: another role of the
        same principal may still grant them.
    :paramtype not_data_actions: ~collections.abc.Iterable[str or ~azure.keyvault.administration.KeyVaultDataAction] or
        None

    :ivar actions: Management actions that are granted.
    :vartype actions: list[str] or None
    :ivar not_actions: Management actions that are excluded.
    :vartype not_actions: list[str] or None
    :ivar data_actions: Data actions that are granted.
    :vartype data_actions: list[str or ~azure.keyvault.administration.KeyVaultDataAction] or None
    :ivar not_data_actions: Data actions that are excluded.
    :vartype not_data_actions: list[str or ~azure.keyvault.administration.KeyVaultDataAction] or None
    """

    __slots__ = ("actions", "data_actions", "not_actions", "not_data_actions")
    _compared = __slots__
    _shown = ("actions", "not_actions", "data_actions", "not_data_actions")

    actions: list[str] | None
    not_actions: list[str] | None
    data_actions: list[str] | None
    not_data_actions: list[str] | None

    def __init__(
        self,
        *,
        actions: Iterable[str] | None = None,
        not_actions: Iterable[str] | None = None,
        data_actions: Iterable[str] | None = None,
        not_data_actions: Iterable[str] | None = None,
        **kwargs: Any,  # noqa: ARG002 - the published constructor ignores unknown keywords
    ) -> None:
        self.actions = _strings(actions, "actions")
        self.not_actions = _strings(not_actions, "not_actions")
        self.data_actions = _strings(data_actions, "data_actions")
        self.not_data_actions = _strings(not_data_actions, "not_data_actions")


class KeyVaultRoleDefinition(_Model):
    """The definition of a role: what it permits, and where it can be assigned.

    :ivar id: The definition's id: the ``definition_id`` of ``create_role_assignment``.
    :vartype id: str or None
    :ivar name: The definition's name, a UUID.
    :vartype name: str or None
    :ivar role_name: The role's display name.
    :vartype role_name: str or None
    :ivar description: A description of the role.
    :vartype description: str or None
    :ivar role_type: ``AKVBuiltInRole`` or ``CustomRole``.
    :vartype role_type: str or None
    :ivar type: The type of the resource: ``Microsoft.Authorization/roleDefinitions``.
    :vartype type: str or None
    :ivar permissions: The role's permissions.
    :vartype permissions: list[~azure.keyvault.administration.KeyVaultPermission] or None
    :ivar assignable_scopes: The scopes at which the role can be assigned.
    :vartype assignable_scopes: list[str or ~azure.keyvault.administration.KeyVaultRoleScope] or None
    """

    __slots__ = ("assignable_scopes", "description", "id", "name", "permissions", "role_name", "role_type", "type")
    _compared = __slots__
    _shown = ("id", "name", "role_name", "role_type")
    _identity = ("id",)

    id: str | None
    name: str | None
    role_name: str | None
    description: str | None
    role_type: str | None
    type: str | None
    permissions: list[KeyVaultPermission] | None
    assignable_scopes: list[str | KeyVaultRoleScope] | None

    def __init__(
        self,
        *,
        id: str | None = None,  # noqa: A002 - the published name
        name: str | None = None,
        role_name: str | None = None,
        description: str | None = None,
        role_type: str | None = None,
        type: str | None = None,  # noqa: A002 - the published name
        permissions: list[KeyVaultPermission] | None = None,
        assignable_scopes: list[str | KeyVaultRoleScope] | None = None,
        **kwargs: Any,  # noqa: ARG002 - the published constructor ignores unknown keywords
    ) -> None:
        self.id = id
        self.name = name
        self.role_name = role_name
        self.description = description
        self.role_type = role_type
        self.type = type
        self.permissions = permissions
        self.assignable_scopes = assignable_scopes


class KeyVaultRoleAssignmentProperties(_Model):
    """Principal, role and scope of a role assignment.

    :ivar principal_id: Object id of the principal: a user, group, service principal or managed identity.
    :vartype principal_id: str or None
    :ivar role_definition_id: Id of the role definition.
    :vartype role_definition_id: str or None
    :ivar scope: The scope at which the role is granted.
    :vartype scope: str or None
    """

    __slots__ = ("principal_id", "role_definition_id", "scope")
    _compared = __slots__
    _shown = __slots__
    _identity = __slots__

    principal_id: str | None
    role_definition_id: str | None
    scope: str | None

    def __init__(
        self,
        *,
        principal_id: str | None = None,
        role_definition_id: str | None = None,
        scope: str | None = None,
        **kwargs: Any,  # noqa: ARG002 - the published constructor ignores unknown keywords
    ) -> None:
        self.principal_id = principal_id
        self.role_definition_id = role_definition_id
        self.scope = scope


class KeyVaultRoleAssignment(_Model):
    """A role, granted to a principal at a scope.

    :keyword assignment_type: The value of the attribute ``type``.
    :paramtype assignment_type: str or None

    :ivar name: The assignment's name, a UUID.
    :vartype name: str or None
    :ivar role_assignment_id: The assignment's id.
    :vartype role_assignment_id: str or None
    :ivar type: The type of the resource: ``Microsoft.Authorization/roleAssignments``.
    :vartype type: str or None
    :ivar properties: Principal, role and scope.
    :vartype properties: ~azure.keyvault.administration.KeyVaultRoleAssignmentProperties or None
    """

    __slots__ = ("name", "properties", "role_assignment_id", "type")
    _compared = __slots__
    _shown = ("role_assignment_id", "properties")
    _identity = ("role_assignment_id",)

    name: str | None
    properties: KeyVaultRoleAssignmentProperties | None
    role_assignment_id: str | None
    type: str | None

    def __init__(
        self,
        *,
        name: str | None = None,
        properties: KeyVaultRoleAssignmentProperties | None = None,
        role_assignment_id: str | None = None,
        assignment_type: str | None = None,
        **kwargs: Any,  # noqa: ARG002 - the published constructor ignores unknown keywords
    ) -> None:
        self.name = name
        self.properties = properties
        self.role_assignment_id = role_assignment_id
        self.type = assignment_type


class KeyVaultBackupResult(_Model):
    """A finished backup.

    :ivar folder_url: URL of the folder that holds the backup, for ``begin_restore``.
    :vartype folder_url: str or None
    """

    __slots__ = ("folder_url",)
    _compared = __slots__
    _shown = __slots__
    _identity = __slots__

    folder_url: str | None

    def __init__(
        self,
        *,
        folder_url: str | None = None,
        **kwargs: Any,  # noqa: ARG002 - the published constructor ignores unknown keywords
    ) -> None:
        self.folder_url = folder_url


class KeyVaultJobDetails(_Model):
    """The latest status of a backup, restore or pre-check. Values that the service has not sent are None.

    :ivar job_id: The job's id.
    :vartype job_id: str or None
    :ivar kind: ``backup``, ``restore``, ``key restore``, ``pre-backup`` or ``pre-restore``.
    :vartype kind: str
    :ivar status: ``InProgress``, ``Succeeded``, ``Failed``, ``Canceled``, or another status of a newer service.
    :vartype status: str or None
    :ivar status_details: The service's text about the status, for example why a job failed or how many key versions it
        restored.
    :vartype status_details: str or None
    :ivar start_time: When the job started, in UTC.
    :vartype start_time: ~datetime.datetime or None
    :ivar end_time: When the job ended, in UTC; None while it runs.
    :vartype end_time: ~datetime.datetime or None
    """

    __slots__ = ("end_time", "job_id", "kind", "start_time", "status", "status_details")
    _compared = __slots__
    _shown = ("kind", "job_id", "status", "status_details", "start_time", "end_time")
    _identity = ("kind", "job_id")

    kind: str
    job_id: str | None
    status: str | None
    status_details: str | None
    start_time: datetime | None
    end_time: datetime | None

    def __init__(
        self,
        *,
        kind: str,
        job_id: str | None = None,
        status: str | None = None,
        status_details: str | None = None,
        start_time: datetime | None = None,
        end_time: datetime | None = None,
    ) -> None:
        self.kind = kind
        self.job_id = job_id
        self.status = status
        self.status_details = status_details
        self.start_time = start_time
        self.end_time = end_time


def _strings(values: Iterable[str] | None, parameter: str) -> list[str] | None:
    """Return a list unchanged, and any other iterable as a list: a generator can be read only once."""
    if values is None or isinstance(values, list):
        return values
    # A string is an iterable of its letters.
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise ValueError(f"{parameter} must be several strings, got {described(values)}")  # noqa: TRY004
    return list(values)
