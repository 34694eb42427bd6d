"""Role definitions and role assignments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from ..._domain import errors, paging, rbac
from ..._domain.faults import PageSize
from ..._domain.records import Permission, RoleAssignment, RoleDefinition
from ..operation import Result

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..._hsm.hsm import Hsm
    from ..json_body import JsonBody
    from ..operation import Call


async def list_role_definitions(hsm: Hsm, call: Call) -> Result:
    # Roles exist at the root only, and apply to every scope below it.
    rbac.parse_scope(call.parameters["scope"])
    custom_roles, _ = hsm.access.in_effect()
    roles = rbac.select_roles(rbac.all_roles(custom_roles).values(), call.query.get("$filter"))
    return _page(call, [_role_definition(role) for role in roles])


async def get_role_definition(hsm: Hsm, call: Call) -> Result:
    _require_root(call)
    custom_roles, _ = hsm.access.in_effect()
    return Result(_role_definition(_find_role(custom_roles, call)))


async def set_role_definition(hsm: Hsm, call: Call) -> Result:
    _require_root(call)
    name = rbac.parse_role_definition_name(call.parameters["name"])
    rbac.check_role_is_custom(name)
    with call.body as body, body.required_object("properties") as properties:
        role = _read_role(name, properties)
    with hsm.store.transaction(), hsm.access.changing():
        rbac.check_new_role(role, hsm.store.role_definitions())
        hsm.store.save_role_definition(role)
    return Result(_role_definition(role), status=201)


async def delete_role_definition(hsm: Hsm, call: Call) -> Result:
    _require_root(call)
    with hsm.store.transaction(), hsm.access.changing():
        role = _find_role(hsm.store.role_definitions(), call)
        rbac.check_role_is_custom(role.name)
        _, in_effect = hsm.access.in_effect()
        rbac.check_role_is_free(role.name, hsm.store.role_assignments(), in_effect)
        hsm.store.delete_role_definition(role.name)
    return Result(_role_definition(role))


async def list_role_assignments(hsm: Hsm, call: Call) -> Result:
    _, assignments = hsm.access.in_effect()
    # Newest first, as mostly on the service; clients cannot rely on any order.
    shown = rbac.select_assignments(reversed(assignments), call.scope, call.query.get("$filter"))
    return _page(call, [_role_assignment(each) for each in shown])


async def get_role_assignment(hsm: Hsm, call: Call) -> Result:
    _, assignments = hsm.access.in_effect()
    return Result(_role_assignment(_find_assignment(assignments, call)))


async def create_role_assignment(hsm: Hsm, call: Call) -> Result:
    with call.body as body, body.required_object("properties") as properties:
        assignment = RoleAssignment(
            name=rbac.parse_guid(call.parameters["name"], "The name of a role assignment"),
            scope=call.scope,
            role=rbac.parse_role_definition_id(properties.required_text("roleDefinitionId")),
            principal=rbac.parse_guid(properties.required_text("principalId"), "principalId"),
        )
    with hsm.store.transaction(), hsm.access.changing():
        rbac.check_new_assignment(
            assignment, hsm.store.role_assignments(), rbac.all_roles(hsm.store.role_definitions())
        )
        hsm.store.save_role_assignment(assignment)
    return Result(_role_assignment(assignment), status=201)


async def delete_role_assignment(hsm: Hsm, call: Call) -> Result:
    with hsm.store.transaction(), hsm.access.changing():
        assignment = _find_assignment(hsm.store.role_assignments(), call)
        hsm.store.delete_role_assignment(assignment.name)
    return Result(_role_assignment(assignment))


def _require_root(call: Call) -> None:
    if rbac.parse_scope(call.parameters["scope"]) != rbac.ROOT:
        raise errors.bad_request(f"Role definitions exist only at the scope '{rbac.ROOT}'")


def _find_role(custom_roles: Iterable[RoleDefinition], call: Call) -> RoleDefinition:
    if not (role := rbac.all_roles(custom_roles).get(call.parameters["name"].lower())):
        raise errors.role_definition_not_found()
    return role


def _find_assignment(assignments: Iterable[RoleAssignment], call: Call) -> RoleAssignment:
    name = call.parameters["name"].lower()
    for each in assignments:
        if (each.name, each.scope) == (name, call.scope):
            return each
    raise errors.role_assignment_not_found()


def _read_role(name: str, properties: JsonBody) -> RoleDefinition:
    if properties.text("type") not in {None, "CustomRole"}:
        raise errors.bad_request("The type of a role definition can only be CustomRole")
    # As on the service, every valid list of scopes silently becomes ["/"].
    for scope in properties.texts("assignableScopes") or []:
        rbac.parse_scope(scope)
    return RoleDefinition(
        name=name,
        role_name=properties.text("roleName") or "",
        description=properties.text("description") or "",
        is_built_in=False,
        permissions=tuple(_read_permission(each) for each in properties.objects("permissions") or []),
    )


def _read_permission(members: JsonBody) -> Permission:
    with members:
        return Permission(
            actions=tuple(members.texts("actions") or ()),
            not_actions=tuple(members.texts("notActions") or ()),
            data_actions=tuple(members.texts("dataActions") or ()),
            not_data_actions=tuple(members.texts("notDataActions") or ()),
        )


def _page(call: Call, items: list[dict[str, Any]]) -> Result:
    """Return the whole list, as the service does, unless a fault splits it into pages."""
    token = call.query.get("$skiptoken")
    first, size = paging.parse_skip_token(token) if token else ("", len(items))
    if fault := call.fault_match.take(PageSize):
        size = fault.items
    part, following = paging.page([item["name"] for item in items], first, size)
    body: dict[str, Any] = {"value": items[part]}
    if following:
        token = str(paging.SkipToken(following, size))
        query = {**call.query, "api-version": call.api_version, "$skiptoken": token}
        body["nextLink"] = f"{call.base_url}{call.path}?{urlencode(query, safe='$')}"
    return Result(body)


def _role_definition(role: RoleDefinition) -> dict[str, Any]:
    return {
        "id": rbac.ROLE_DEFINITION_ID_PREFIX + role.name,
        "name": role.name,
        "properties": {
            "assignableScopes": ["/"],
            "description": role.description,
            "permissions": [_permission(each) for each in role.permissions],
            "roleName": role.role_name,
            "type": "AKVBuiltInRole" if role.is_built_in else "CustomRole",
        },
        "type": "Microsoft.Authorization/roleDefinitions",
    }


def _permission(permission: Permission) -> dict[str, Any]:
    return {
        "actions": permission.actions,
        "dataActions": permission.data_actions,
        "notActions": permission.not_actions,
        "notDataActions": permission.not_data_actions,
    }


def _role_assignment(assignment: RoleAssignment) -> dict[str, Any]:
    return {
        # The scope is not part of the id, not even for a single key.
        "id": f"/providers/Microsoft.Authorization/roleAssignments/{assignment.name}",
        "name": assignment.name,
        "properties": {
            "principalId": assignment.principal,
            "roleDefinitionId": rbac.ROLE_DEFINITION_ID_PREFIX + assignment.role,
            "scope": assignment.scope,
        },
        "type": "Microsoft.Authorization/roleAssignments",
    }
