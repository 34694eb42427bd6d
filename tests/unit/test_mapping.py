"""Between wire and models."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from enum import Enum
from types import SimpleNamespace
from typing import Any, ClassVar, cast

import pytest
from azure.core.exceptions import DecodeError
from hypothesis import given
from hypothesis import strategies as st

from azure.keyvault.administration import (
    KeyVaultBackupResult,
    KeyVaultDataAction,
    KeyVaultJobDetails,
    KeyVaultPermission,
    KeyVaultRoleAssignment,
    KeyVaultRoleAssignmentProperties,
    KeyVaultRoleDefinition,
    KeyVaultRoleScope,
)
from azure.keyvault.administration._generated.types import RoleAssignmentWire, RoleDefinitionWire
from azure.keyvault.administration._mapping import (
    backup_result,
    job_details,
    role_assignment,
    role_assignments,
    role_definition,
    role_definition_body,
    role_definitions,
)

ATTRIBUTES = ("actions", "not_actions", "data_actions", "not_data_actions")
WIRE_DEFINITION: RoleDefinitionWire = {
    "id": "i",
    "name": "n",
    "properties": {
        "assignableScopes": ["/"],
        "description": "d",
        "permissions": [{"actions": ["a"], "dataActions": ["b"], "notActions": ["c"], "notDataActions": ["e"]}],
        "roleName": "r",
        "type": "CustomRole",
    },
    "type": "t",
}
DEFINITION = KeyVaultRoleDefinition(
    id="i",
    name="n",
    type="t",
    role_name="r",
    role_type="CustomRole",
    description="d",
    permissions=[KeyVaultPermission(actions=["a"], data_actions=["b"], not_actions=["c"], not_data_actions=["e"])],
    assignable_scopes=["/"],
)
WIRE_ASSIGNMENT: RoleAssignmentWire = {
    "id": "i",
    "name": "n",
    "type": "t",
    "properties": {"principalId": "p", "roleDefinitionId": "r", "scope": "/"},
}
ASSIGNMENT = KeyVaultRoleAssignment(
    role_assignment_id="i",
    name="n",
    assignment_type="t",
    properties=KeyVaultRoleAssignmentProperties(principal_id="p", role_definition_id="r", scope="/"),
)
WIRE_JOB = {
    "jobId": "j",
    "status": "s",
    "statusDetails": "d",
    "startTime": 1,
    "endTime": 2,
    "azureStorageBlobContainerUri": "u",
}
JOB = KeyVaultJobDetails(
    kind="backup",
    job_id="j",
    status="s",
    status_details="d",
    start_time=datetime(1970, 1, 1, 0, 0, 1, tzinfo=timezone.utc),
    end_time=datetime(1970, 1, 1, 0, 0, 2, tzinfo=timezone.utc),
)

KNOWN: RoleDefinitionWire = {
    "id": "i",
    "name": "n",
    "type": "Microsoft.Authorization/roleDefinitions",
    "properties": {
        "type": "AKVBuiltInRole",
        "assignableScopes": ["/", "/keys", "/keys/k", "/Keys"],
        "permissions": [
            {
                "actions": ["Microsoft.KeyVault/managedHsm/keys/read/action"],
                "dataActions": ["Microsoft.KeyVault/managedHsm/keys/read/action", "new/action"],
                "notDataActions": ["Microsoft.KeyVault/managedHsm/rng/action"],
            }
        ],
    },
}

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda children: (
        st.lists(children)
        | st.dictionaries(
            st.sampled_from(
                ["id", "name", "type", "properties", "permissions", "actions", "assignableScopes", "scope"]
            ),
            children,
        )
    ),
    max_leaves=10,
)


def test_every_member_of_the_wire_has_its_attribute() -> None:
    assert role_definitions({"value": [WIRE_DEFINITION]}) == [DEFINITION]
    assert role_assignments({"value": [WIRE_ASSIGNMENT]}) == [ASSIGNMENT]
    assert job_details("backup", WIRE_JOB) == JOB
    assert backup_result(WIRE_JOB) == KeyVaultBackupResult(folder_url="u")


def test_known_values_become_enum_members() -> None:
    role = role_definition(KNOWN)
    custom = role_definition({**KNOWN, "type": "new", "properties": {"type": "CustomRole"}})
    (permission,) = role.permissions or []
    properties = role_assignment(WIRE_ASSIGNMENT).properties

    assert properties is not None
    assert properties.scope is KeyVaultRoleScope.GLOBAL
    assert _names(role.type, role.role_type) == ["MICROSOFT_AUTHORIZATION_ROLE_DEFINITIONS", "BUILT_IN_ROLE"]
    assert _names(custom.type, custom.role_type) == ["new", "CUSTOM_ROLE"]
    assert _names(*role.assignable_scopes or []) == ["GLOBAL", "KEYS", "/keys/k", "/Keys"]
    assert _names(*permission.data_actions or []) == ["READ_HSM_KEY", "new/action"]
    assert _names(*permission.not_data_actions or []) == ["RANDOM_NUMBERS_GENERATE"]
    # Management actions have no names.
    assert _names(*permission.actions or []) == ["Microsoft.KeyVault/managedHsm/keys/read/action"]
    assert f"{role.role_type} {custom.role_type}" == "AKVBuiltInRole CustomRole"
    assert role.role_type == "AKVBuiltInRole"


def _names(*values: Any) -> list[str]:
    return [value.name if isinstance(value, Enum) else value for value in values]


@given(json_values)
def test_any_json_becomes_a_model_or_a_decode_error(wire: Any) -> None:
    for convert in (role_definition, role_assignment):
        try:
            model = convert(wire)
        except DecodeError:
            continue
        assert isinstance(wire, dict)
        assert repr(model)


@pytest.mark.parametrize(
    ("value", "kind"), [({}, "an object"), ([], "a list"), (True, "a boolean"), (1, "a number"), (1.5, "a number")]
)
def test_the_error_names_the_member_and_its_type(value: Any, kind: str) -> None:
    with pytest.raises(DecodeError, match=f"sent {kind} as 'roleName', where a string was expected"):
        role_definition({**WIRE_DEFINITION, "properties": {"roleName": value}})


@pytest.mark.parametrize(
    "permissions", [{}, "x", [None], ["x"], [{"dataActions": "x"}], [{"notActions": {}}], [{"notDataActions": [[]]}]]
)
def test_malformed_permissions_are_a_decode_error(permissions: Any) -> None:
    with pytest.raises(DecodeError):
        role_definition({**WIRE_DEFINITION, "properties": {"permissions": permissions}})


def test_a_time_that_no_calendar_has_is_an_error() -> None:
    with pytest.raises(DecodeError, match="a time out of range as 'endTime'"):
        job_details("backup", {"endTime": 10**20})


def test_a_body_holds_the_given_members_only() -> None:
    empty = role_definition_body(role_name=None, description=None, permissions=None, assignable_scopes=None)
    full = role_definition_body(
        role_name="",
        description="d",
        permissions=[
            KeyVaultPermission(actions=[], not_actions=["n"], not_data_actions=["x"]),
            KeyVaultPermission(data_actions=[KeyVaultDataAction.READ_HSM_KEY]),
        ],
        assignable_scopes=["keys"],
    )

    assert empty == {"properties": {"permissions": []}}
    assert full == {
        "properties": {
            "roleName": "",
            "description": "d",
            "permissions": [
                {"actions": [], "notActions": ["n"], "notDataActions": ["x"]},
                {"dataActions": ["Microsoft.KeyVault/managedHsm/keys/read/action"]},
            ],
            "assignableScopes": ["/keys"],
        }
    }


def test_an_object_with_the_attributes_of_a_permission_is_accepted() -> None:
    class Permission:
        actions = None
        not_actions = ("a",)
        data_actions = property(lambda _: iter(["b"]))
        not_data_actions: ClassVar[list[str]] = []

    body = role_definition_body(
        role_name=None,
        description=None,
        permissions=iter([cast("KeyVaultPermission", Permission())]),
        assignable_scopes=None,
    )

    assert body["properties"].get("permissions") == [{"notActions": ["a"], "dataActions": ["b"], "notDataActions": []}]


@pytest.mark.parametrize(
    "permission",
    [
        {"dataActions": []},
        "x",
        None,
        SimpleNamespace(data_actions=[]),
        SimpleNamespace(**dict.fromkeys(ATTRIBUTES, "x")),
    ],
    ids=["dict", "text", "none", "without-all-attributes", "text-as-list"],
)
def test_any_other_object_is_not_a_permission(permission: Any) -> None:
    with pytest.raises(ValueError, match="must be"):
        role_definition_body(role_name=None, description=None, permissions=[permission], assignable_scopes=None)


def test_assignments_of_a_page_share_equal_strings() -> None:
    properties = {"principalId": "principal", "roleDefinitionId": "role", "scope": "/keys/key"}
    wire = {"id": "id", "name": "name", "type": "type", "properties": properties}
    # As the service sends it: each string of the text becomes a separate object.
    page: list[Any] = json.loads(json.dumps([wire, wire]))

    one, other = role_assignments({"value": page})

    assert one == other
    assert one.type is other.type
    assert one.properties is not None
    assert other.properties is not None
    for shared in ("principal_id", "role_definition_id", "scope"):
        assert getattr(one.properties, shared) is getattr(other.properties, shared)


def test_assignments_of_a_page_keep_what_they_do_not_share() -> None:
    wire: RoleAssignmentWire = {
        **WIRE_ASSIGNMENT,
        "type": "other",
        "properties": {"principalId": "other", "roleDefinitionId": "another", "scope": "/keys"},
    }

    assert role_assignments({"value": [WIRE_ASSIGNMENT, wire]}) == [ASSIGNMENT, role_assignment(wire)]
