"""Local RBAC: scopes, authorization, and the rules for roles and assignments.

An assignment grants its role's data actions at its scope and below. A scope is ``/`` (everything), ``/keys`` (all
keys) or ``/keys/<name>`` (one key with all its versions). ``notDataActions`` limit their own permission only: another
permission or assignment can still grant the action. There are no deny assignments.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from uuid import UUID

from . import errors
from .builtin_roles import BUILT_IN_ROLES, DATA_ACTIONS, PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from .records import Permission, RoleAssignment, RoleDefinition

ROOT = "/"
KEYS = "/keys"

MAX_ROLE_DEFINITIONS = 50
MAX_ASSIGNMENTS_OF_HSM = 50
MAX_ASSIGNMENTS_PER_KEY = 10

ROLE_DEFINITION_ID_PREFIX = "Microsoft.KeyVault/providers/Microsoft.Authorization/roleDefinitions/"

_SCOPE = re.compile(r"/|/keys|/keys/[0-9a-zA-Z-]{1,127}")
_GUID_PATTERN = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_GUID = re.compile(_GUID_PATTERN, re.IGNORECASE)
_ROLE_DEFINITION_ID = re.compile(rf"{re.escape(ROLE_DEFINITION_ID_PREFIX)}(?P<name>{_GUID_PATTERN})", re.IGNORECASE)
_PRINCIPAL_FILTER = re.compile(rf"principalId eq (?P<quote>'?)(?P<principal>(?i:{_GUID_PATTERN}))(?P=quote)")
# As in OData, a quote within a literal is doubled.
_ROLE_NAME_FILTER = re.compile(r"roleName eq '(?P<role_name>(?:[^']|'')*)'")

_BUILT_IN_NAMES = frozenset(role.name for role in BUILT_IN_ROLES)


# Parsing.


def parse_scope(text: str) -> str:
    """Return the scope in a path, with or without surrounding slashes."""
    scope = "/" + text.strip("/")
    if not _SCOPE.fullmatch(scope):
        raise errors.invalid_scope()
    return scope


def parse_guid(text: str, what: str) -> str:
    if not _GUID.fullmatch(text):
        raise errors.bad_request(f"{what} must be a GUID")
    return str(UUID(text))


def parse_role_definition_name(text: str) -> str:
    if not _GUID.fullmatch(text):
        raise errors.role_definition_name_not_a_guid()
    return text.lower()


def parse_role_definition_id(text: str) -> str:
    """Return the name in the id of a role, which has no leading slash."""
    if not (match := _ROLE_DEFINITION_ID.fullmatch(text)):
        raise errors.unknown_role_definition()
    return match["name"].lower()


# Authorization.


def all_roles(custom_roles: Iterable[RoleDefinition]) -> dict[str, RoleDefinition]:
    """Return the built-in roles and then the custom ones, by name."""
    return {role.name: role for role in (*BUILT_IN_ROLES, *custom_roles)}


def authorize(
    principal: str,
    action: str,
    scope: str,
    *,
    assignments: Iterable[RoleAssignment],
    roles: Mapping[str, RoleDefinition],
) -> None:
    """Refuse a principal to which no assignment grants the action at the scope.

    :param action: The data action without the service's prefix, such as ``/keys/create``.
    :param scope: Exactly the scope in the URL.
    :param assignments: All assignments; one without a role grants nothing.
    """
    wanted = PREFIX + action
    held = (roles.get(each.role) for each in assignments if each.principal == principal and covers(each.scope, scope))
    if not any(role and grants(role.permissions, wanted) for role in held):
        raise errors.access_denied(wanted, scope)


def covers(outer: str, inner: str) -> bool:
    """Return whether the inner scope is the outer one or below it."""
    return outer in {ROOT, inner} or inner.startswith(outer + "/")


def grants(permissions: Iterable[Permission], action: str) -> bool:
    """Return whether permissions grant a data action, in upper or lower case; there are no wildcards."""
    wanted = action.casefold()
    return any(
        wanted in map(str.casefold, each.data_actions) and wanted not in map(str.casefold, each.not_data_actions)
        for each in permissions
    )


# Writing.


def check_role_is_custom(name: str) -> None:
    if name in _BUILT_IN_NAMES:
        raise errors.built_in_role_name()


def check_new_role(role: RoleDefinition, custom_roles: Sequence[RoleDefinition]) -> None:
    """Refuse a role with unknown data actions, or a new one beyond the limit."""
    for action in (action for each in role.permissions for action in each.data_actions + each.not_data_actions):
        if action.casefold() not in DATA_ACTIONS:
            raise errors.bad_request(f"The data action {action!r} does not exist")
    if len(custom_roles) >= MAX_ROLE_DEFINITIONS and role.name not in {each.name for each in custom_roles}:
        raise errors.role_definition_limit(MAX_ROLE_DEFINITIONS)


def check_role_is_free(name: str, written: Iterable[RoleAssignment], in_effect: Iterable[RoleAssignment]) -> None:
    """Refuse to delete a role while the deletion of its last assignment has not taken effect.

    A role that is assigned can be deleted.
    """
    if any(each.role == name for each in in_effect) and not any(each.role == name for each in written):
        raise errors.role_definition_still_assigned()


def check_new_assignment(
    new: RoleAssignment, assignments: Sequence[RoleAssignment], roles: Mapping[str, RoleDefinition]
) -> None:
    """Refuse an assignment of an unknown role, one that repeats another or its name, or one beyond the limit."""
    if new.role not in roles:
        raise errors.unknown_role_definition()
    if any(each.name == new.name for each in assignments):
        raise errors.role_assignment_exists()
    for each in assignments:
        if (each.principal, each.role, each.scope) == (new.principal, new.role, new.scope):
            role_id = ROLE_DEFINITION_ID_PREFIX + new.role
            raise errors.matching_role_assignment_exists(each.name, role_id, new.principal, new.scope)
    _check_assignment_limit(new.scope, assignments)


def _check_assignment_limit(scope: str, assignments: Iterable[RoleAssignment]) -> None:
    if scope in {ROOT, KEYS}:
        scopes, limit = {ROOT, KEYS}, MAX_ASSIGNMENTS_OF_HSM
    else:
        scopes, limit = {scope}, MAX_ASSIGNMENTS_PER_KEY
    if sum(each.scope in scopes for each in assignments) >= limit:
        raise errors.role_assignment_limit(limit, scope)


# Listing.


def select_roles(roles: Iterable[RoleDefinition], filter_: str | None) -> list[RoleDefinition]:
    """Return the roles in a list; they exist at the root only, so the scope does not matter."""
    # The service's documentation writes this filter without parentheses, and atScope() with them.
    if filter_ in {None, "atScopeAndBelow", "atScopeAndBelow()"}:
        return list(roles)
    if match := _ROLE_NAME_FILTER.fullmatch(filter_ or ""):
        role_name = match["role_name"].replace("''", "'")
        return [role for role in roles if role.role_name == role_name]
    raise errors.bad_parameter("The $filter must be atScopeAndBelow() or roleName eq '<name>'")


def select_assignments(assignments: Iterable[RoleAssignment], scope: str, filter_: str | None) -> list[RoleAssignment]:
    """Return the assignments in a list at a scope, in the given order.

    Without a filter, these are the assignments at exactly this scope; ``atScope()`` adds those above it, and
    ``principalId eq`` selects one principal's at, above and below it.
    """
    if filter_ is None:
        return [each for each in assignments if each.scope == scope]
    if filter_ == "atScope()":
        return [each for each in assignments if covers(each.scope, scope)]
    if match := _PRINCIPAL_FILTER.fullmatch(filter_):
        principal = match["principal"].lower()
        related = [each for each in assignments if covers(each.scope, scope) or covers(scope, each.scope)]
        return [each for each in related if each.principal == principal]
    raise errors.bad_parameter("The $filter must be atScope() or principalId eq '<object id>'")
