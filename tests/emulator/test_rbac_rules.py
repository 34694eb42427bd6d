"""The rules of local RBAC, without a server."""

from __future__ import annotations

import pytest

from azure.keyvault.administration.emulator._domain import rbac
from azure.keyvault.administration.emulator._domain.errors import ServiceError
from azure.keyvault.administration.emulator._domain.records import Permission, RoleAssignment, RoleDefinition

READ = "Microsoft.KeyVault/managedHsm/keys/read/action"
WRITE = "Microsoft.KeyVault/managedHsm/keys/write/action"


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
def test_a_scope_covers_itself_and_what_is_below(outer: str, inner: str, expected: bool) -> None:
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
def test_a_role_grants_what_one_of_its_permissions_grants(permissions: list[Permission], expected: bool) -> None:
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
def test_what_is_no_scope_is_refused(text: str) -> None:
    with pytest.raises(ServiceError, match="Invalid key identifier"):
        rbac.parse_scope(text)
