"""The rules of local RBAC, without a server."""

from __future__ import annotations

from dataclasses import replace

import pytest

from azure.keyvault.administration.emulator._domain import rbac
from azure.keyvault.administration.emulator._domain.errors import ServiceError
from azure.keyvault.administration.emulator._domain.records import Permission, RoleAssignment, RoleDefinition

READ = "Microsoft.KeyVault/managedHsm/keys/read/action"
WRITE = "Microsoft.KeyVault/managedHsm/keys/write/action"
GUID = "2f5b1a7e-6c1d-4f7a-9b35-7f0c5c9d7f11"


@pytest.mark.parametrize(
    ("outer", "inner", "expected"),
    [
        ("/", "/", True),
        ("/", "/keys", True),
        ("/", "/keys/a", True),
        ("/keys", "/", False),
        ("/keys", "/keys", True),
        ("/keys", "/keys/a", True),
        ("/keys/a", "/keys", False),
        ("/keys/a", "/keys/a", True),
        ("/keys/a", "/keys/ab", False),
        ("/keys/a", "/keys/b", False),
    ],
)
def test_scope_covers_itself_and_the_scopes_below(outer: str, inner: str, expected: bool) -> None:
    assert rbac.covers(outer, inner) is expected


@pytest.mark.parametrize(
    ("permissions", "expected"),
    [
        ([], False),
        ([Permission(data_actions=(READ,))], True),
        ([Permission(data_actions=(READ.replace("Hsm", "HSM"),))], True),
        ([Permission(data_actions=(WRITE,))], False),
        ([Permission(actions=(READ,))], False),
        ([Permission(data_actions=(READ,), not_data_actions=(READ,))], False),
        ([Permission(data_actions=(READ,), not_data_actions=(READ,)), Permission(data_actions=(READ,))], True),
        ([Permission(not_data_actions=(WRITE,))], False),
        ([Permission(data_actions=("Microsoft.KeyVault/managedHsm/*",))], False),
    ],
)
def test_role_grants_the_actions_of_each_permission(permissions: list[Permission], expected: bool) -> None:
    assert rbac.grants(permissions, READ) is expected


def role(name: str, *permissions: Permission) -> RoleDefinition:
    return RoleDefinition(name, "", "", is_built_in=False, permissions=permissions)


def test_one_of_several_assignments_is_enough() -> None:
    roles = {"none": role("none"), "reader": role("reader", Permission(data_actions=(READ,)))}
    assignments = [
        RoleAssignment("1", "/", "none", "alice"),
        RoleAssignment("2", "/keys/a", "reader", "alice"),
        RoleAssignment("3", "/", "gone", "alice"),
        RoleAssignment("4", "/", "reader", "bob"),
    ]

    rbac.authorize("alice", "/keys/read/action", "/keys/a", assignments=assignments, roles=roles)
    with pytest.raises(ServiceError, match="on /keys/b"):
        rbac.authorize("alice", "/keys/read/action", "/keys/b", assignments=assignments, roles=roles)


@pytest.mark.parametrize(
    ("text", "scope"), [("", "/"), ("/", "/"), ("keys/", "/keys"), ("/keys", "/keys"), ("keys/a-1/", "/keys/a-1")]
)
def test_a_scope_is_read_with_or_without_its_slashes(text: str, scope: str) -> None:
    assert rbac.parse_scope(text) == scope


@pytest.mark.parametrize("text", ["secrets", "Keys", "keys/a/b", "keys/a_b", "keys/ä", "keys/" + "a" * 128])
def test_invalid_scope_is_refused(text: str) -> None:
    with pytest.raises(ServiceError, match="Invalid key identifier"):
        rbac.parse_scope(text)


@pytest.mark.parametrize(
    "text",
    [GUID, f"/{rbac.ROLE_DEFINITION_ID_PREFIX}{GUID}", f"{rbac.ROLE_DEFINITION_ID_PREFIX}mine", "", f"{GUID}\n"],
)
def test_role_is_named_by_its_whole_id(text: str) -> None:
    with pytest.raises(ServiceError, match="Unkown role definition"):
        rbac.parse_role_definition_id(text)


def test_the_fifty_first_custom_role_is_refused_but_a_replacement_is_not() -> None:
    roles = [role(str(number)) for number in range(50)]

    rbac.check_new_role(role("50"), roles[:-1])
    rbac.check_new_role(role("7"), roles)
    with pytest.raises(ServiceError, match="No more than 50 custom role definitions are allowed") as caught:
        rbac.check_new_role(role("50"), roles)
    assert (caught.value.status, caught.value.code) == (400, "RoleDefinitionLimitExceeded")


def _assign(scope: str, assignments: list[RoleAssignment]) -> None:
    rbac.check_new_assignment(RoleAssignment("new", scope, "r", "alice"), assignments, {"r": role("r")})


def test_fifty_assignments_are_the_limit_for_the_hsm_and_its_keys_together() -> None:
    made = [RoleAssignment(str(number), ("/", "/keys")[number % 2], "r", str(number)) for number in range(50)]

    _assign("/keys/k", made)
    for scope in ("/", "/keys"):
        _assign(scope, made[:-1])
        with pytest.raises(ServiceError, match=f"50 role assignments are allowed in scope '{scope}'") as caught:
            _assign(scope, made)
        assert (caught.value.status, caught.value.code) == (400, "RoleAssignmentLimitExceeded")


def test_ten_assignments_are_the_limit_for_a_key() -> None:
    made = [RoleAssignment(str(number), "/keys/k", "r", str(number)) for number in range(10)]

    _assign("/keys/k", made[:-1])
    _assign("/keys/l", made)
    with pytest.raises(ServiceError, match="No more than 10 role assignments are allowed in scope '/keys/k'"):
        _assign("/keys/k", made)


@pytest.mark.parametrize(
    "filter_",
    [
        *("", "atScope", "atscope()", "principalId eq", "principalId eq 'x", "principalId eq 'x'", "principalId eq ''"),
        *(f"principalId eq {GUID} or true", f"principalId eq '{GUID}", f"principalId eq {GUID}'"),
        *(f"principalid eq '{GUID}'", f"principalId eq '{GUID}'\n", f"principalId eq '{GUID[:-1]}\u0664'"),
        "roleName eq 'x'",
    ],
)
def test_invalid_filter_of_assignments_is_refused(filter_: str) -> None:
    with pytest.raises(ServiceError, match=r"must be atScope\(\) or principalId eq '<object id>'"):
        rbac.select_assignments([], "/", filter_)


@pytest.mark.parametrize(
    "filter_",
    [
        *("", "roleName eq x", "roleName eq 'it's'", "roleName eq x y", "rolename eq 'x'", "principalId eq 'x'"),
        "atScope()",
    ],
)
def test_invalid_filter_of_roles_is_refused(filter_: str) -> None:
    with pytest.raises(ServiceError, match=r"must be atScopeAndBelow\(\) or roleName eq '<name>'"):
        rbac.select_roles([], filter_)


@pytest.mark.parametrize(
    ("filter_", "names"),
    [
        (None, ["a", "b"]),
        ("atScopeAndBelow", ["a", "b"]),
        ("atScopeAndBelow()", ["a", "b"]),
        ("roleName eq 'Alice''s ''own'' one'", ["b"]),
        ("roleName eq 'nothing'", []),
        ("roleName eq ''", ["a"]),
    ],
)
def test_a_filter_chooses_roles(filter_: str | None, names: list[str]) -> None:
    roles = [role("a"), replace(role("b"), role_name="Alice's 'own' one")]

    assert [each.name for each in rbac.select_roles(roles, filter_)] == names


def test_a_role_waits_for_the_deletion_of_its_own_last_assignment_only() -> None:
    mine, other = RoleAssignment("1", "/", "mine", "alice"), RoleAssignment("2", "/", "other", "alice")

    rbac.check_role_is_free("mine", [mine, other], [mine, other])
    rbac.check_role_is_free("mine", [other], [other])
    with pytest.raises(ServiceError):
        rbac.check_role_is_free("mine", [other], [mine, other])
