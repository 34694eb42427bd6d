"""Which data action each operation needs, where, and what the built-in roles grant."""

from __future__ import annotations

import pytest

from emulator.operator_client import ALICE
from emulator.raw import ACTION, ROLE_ASSIGNMENTS, ROLE_DEFINITIONS, ROLE_ID, RawClient

NAME = "ff388517-2e5c-4d0f-8a0b-0d6f5c3b7a01"
CUSTOM_ROLE = "2f5b1a7e-6c1d-4f7a-9b35-7f0c5c9d7f11"

# Name, what it is called, and its data actions without the prefix, in the order of the service.
ROLES = (
    (
        "abdd7ec4-a273-4265-bf38-e001014e2d8e",
        "Managed HSM EKM Administrator",
        "/ekm/read/action /ekm/write/action /ekm/delete/action",
    ),
    (
        "6efe6056-5259-49d2-8b3d-d3d73544b20b",
        "Managed HSM Restore User",
        "/restore/start/action /restore/status/action /keys/restore/action",
    ),
    (
        "7b127d3c-77bd-4e3e-bbe0-dbb8971fa7f8",
        "Managed HSM Backup User",
        "/backup/start/action /backup/status/action /keys/backup/action",
    ),
    (
        "33413926-3206-4cdd-b39a-83574fe37a17",
        "Managed HSM Crypto Service Encryption User",
        "/keys/read/action /keys/wrap/action /keys/unwrap/action",
    ),
    (
        "21dbd100-6940-42c2-9190-5d6cb909625c",
        "Managed HSM Crypto Service Release User",
        "/keys/release/action",
    ),
    (
        "2c18b078-7c48-4d3a-af88-5a3a1b3f82b3",
        "Managed HSM Crypto Auditor",
        "/roleAssignments/read/action /roleDefinitions/read/action /keys/read/action /keys/deletedKeys/read/action",
    ),
    (
        "4bd23610-cdcf-4971-bdee-bdc562cc28e4",
        "Managed HSM Policy Administrator",
        (
            "/roleDefinitions/read/action /roleDefinitions/write/action /roleDefinitions/delete/action "
            "/roleAssignments/read/action /roleAssignments/write/action /roleAssignments/delete/action"
        ),
    ),
    (
        "21dbd100-6940-42c2-9190-5d6cb909625b",
        "Managed HSM Crypto User",
        (
            "/roleDefinitions/read/action /roleAssignments/read/action /keys/read/action /keys/write/action "
            "/keys/delete /keys/create /keys/rotate/action /keys/import/action /keys/release/action "
            "/keys/backup/action /keys/restore/action /keys/encrypt/action /keys/decrypt/action /keys/wrap/action "
            "/keys/unwrap/action /keys/sign/action /keys/verify/action /keys/derive/action /rng/action"
        ),
    ),
    (
        "515eb02d-2335-4d2d-92f2-b1cbdf9c3778",
        "Managed HSM Crypto Officer",
        (
            "/roleAssignments/delete/action /roleAssignments/read/action /roleAssignments/write/action "
            "/roleDefinitions/read/action /roleDefinitions/write/action /roleDefinitions/delete/action "
            "/keys/deletedKeys/read/action /keys/deletedKeys/delete /keys/deletedKeys/recover/action "
            "/keys/export/action"
        ),
    ),
    (
        "a290e904-7015-4bba-90c8-60543313cdb4",
        "Managed HSM Administrator",
        (
            "/roleAssignments/delete/action /roleAssignments/read/action /roleAssignments/write/action "
            "/roleDefinitions/read/action /roleDefinitions/write/action /roleDefinitions/delete/action "
            "/securitydomain/download/action /securitydomain/download/read /securitydomain/upload/action "
            "/securitydomain/upload/read /securitydomain/transferkey/read /backup/start/action /restore/start/action "
            "/backup/status/action /restore/status/action /settings/read/action /settings/write/action"
        ),
    ),
)

# Every action that something can be asked to do with, what is asked, and the scope that must be covered.
REQUESTS = (
    ("GET", ROLE_DEFINITIONS, "/roleDefinitions/read/action", "/"),
    ("GET", f"/keys/k{ROLE_DEFINITIONS}", "/roleDefinitions/read/action", "/"),
    ("GET", f"{ROLE_DEFINITIONS}/{NAME}", "/roleDefinitions/read/action", "/"),
    ("PUT", f"{ROLE_DEFINITIONS}/{NAME}", "/roleDefinitions/write/action", "/"),
    ("DELETE", f"{ROLE_DEFINITIONS}/{NAME}", "/roleDefinitions/delete/action", "/"),
    ("GET", ROLE_ASSIGNMENTS, "/roleAssignments/read/action", "/"),
    ("GET", f"//keys/k{ROLE_ASSIGNMENTS}/{NAME}", "/roleAssignments/read/action", "/keys/k"),
    ("GET", f"/keys{ROLE_ASSIGNMENTS}", "/roleAssignments/read/action", "/keys"),
    ("PUT", f"{ROLE_ASSIGNMENTS}/{NAME}", "/roleAssignments/write/action", "/"),
    ("PUT", f"/keys/k{ROLE_ASSIGNMENTS}/{NAME}", "/roleAssignments/write/action", "/keys/k"),
    ("DELETE", f"{ROLE_ASSIGNMENTS}/{NAME}", "/roleAssignments/delete/action", "/"),
    ("POST", "/backup", "/backup/start/action", "/"),
    ("POST", "/prebackup", "/backup/start/action", "/"),
    ("GET", "/backup/0/pending", "/backup/status/action", "/"),
    ("PUT", "/restore", "/restore/start/action", "/"),
    ("PUT", "/prerestore", "/restore/start/action", "/"),
    ("PUT", "/keys/k/restore", "/restore/start/action", "/"),
    ("GET", "/restore/0/pending", "/restore/status/action", "/"),
    ("POST", "/keys/k/create", "/keys/create", "/keys"),
    ("GET", "/keys/k", "/keys/read/action", "/keys/k"),
    ("GET", "/keys/k/v/attestation", "/keys/read/action", "/keys/k"),
    ("GET", "/keys/k/rotationpolicy", "/keys/read/action", "/keys/k"),
    ("GET", "/keys", "/keys/read/action", "/keys"),
    ("GET", "/keys/k/versions", "/keys/read/action", "/keys/k"),
    ("GET", "/keys/k/v", "/keys/read/action", "/keys/k"),
    ("GET", "/keys/k//attestation", "/keys/read/action", "/keys/k"),
    ("PATCH", "/keys/k", "/keys/write/action", "/keys/k"),
    ("PUT", "/keys/k/rotationpolicy", "/keys/write/action", "/keys/k"),
    ("PATCH", "/keys/k/v", "/keys/write/action", "/keys/k"),
    ("DELETE", "/keys/k", "/keys/delete", "/keys/k"),
    ("GET", "/deletedkeys", "/keys/deletedKeys/read/action", "/keys"),
    ("GET", "/deletedkeys/k", "/keys/deletedKeys/read/action", "/keys/k"),
    ("POST", "/deletedkeys/k/recover", "/keys/deletedKeys/recover/action", "/keys/k"),
    ("DELETE", "/deletedkeys/k", "/keys/deletedKeys/delete", "/keys/k"),
    ("PUT", "/keys/k", "/keys/import/action", "/keys"),
    ("POST", "/keys/k/backup", "/keys/backup/action", "/keys/k"),
    ("POST", "/keys/restore", "/keys/restore/action", "/keys"),
    ("POST", "/keys/k/rotate", "/keys/rotate/action", "/keys/k"),
    ("POST", "/keys/k/v/encrypt", "/keys/encrypt/action", "/keys/k"),
    ("POST", "/keys/k/encrypt", "/keys/encrypt/action", "/keys/k"),
    ("POST", "/keys/k/v/decrypt", "/keys/decrypt/action", "/keys/k"),
    ("POST", "/keys/k/v/wrapkey", "/keys/wrap/action", "/keys/k"),
    ("POST", "/keys/k/v/securewrapkey", "/keys/wrap/action", "/keys/k"),
    ("POST", "/keys/k/v/unwrapkey", "/keys/unwrap/action", "/keys/k"),
    ("POST", "/keys/k/v/secureunwrapkey", "/keys/unwrap/action", "/keys/k"),
    ("POST", "/keys/k/v/sign", "/keys/sign/action", "/keys/k"),
    ("POST", "/keys/k/v/verify", "/keys/verify/action", "/keys/k"),
    ("POST", "/keys/k/v/release", "/keys/release/action", "/keys/k"),
    ("POST", "/keys/k//release", "/keys/release/action", "/keys/k"),
    ("POST", "/rng", "/rng/action", "/"),
    ("GET", "/settings", "/settings/read/action", "/"),
    ("GET", "/settings/s", "/settings/read/action", "/"),
    ("PATCH", "/settings/s", "/settings/write/action", "/"),
    ("GET", "/ekm", "/ekm/read/action", "/"),
    ("POST", "/ekm/create", "/ekm/write/action", "/"),
    ("PATCH", "/ekm", "/ekm/write/action", "/"),
    ("DELETE", "/ekm", "/ekm/delete/action", "/"),
    ("POST", "/securitydomain/download", "/securitydomain/download/action", "/"),
    ("GET", "/securitydomain/download/pending", "/securitydomain/download/read", "/"),
    ("GET", "/securitydomain/upload", "/securitydomain/transferkey/read", "/"),
    ("POST", "/securitydomain/upload", "/securitydomain/upload/action", "/"),
    ("GET", "/securitydomain/upload/pending", "/securitydomain/upload/read", "/"),
)


async def attempt(caller: RawClient, method: str, path: str) -> int:
    """Return the status of a request with an invalid body, so that nothing changes where it is allowed."""
    reply = await caller.send(method, path, None if method in {"GET", "DELETE"} else b"x")
    return reply.status


async def test_the_built_in_roles_are_those_of_the_service(raw: RawClient) -> None:
    assert await raw.role_definitions() == [
        {
            "id": ROLE_ID + name,
            "name": name,
            "properties": {
                "assignableScopes": ["/"],
                "description": "",
                "permissions": [
                    {
                        "actions": [],
                        "dataActions": [ACTION + action for action in actions.split()],
                        "notActions": [],
                        "notDataActions": [],
                    }
                ],
                "roleName": role_name,
                "type": "AKVBuiltInRole",
            },
            "type": "Microsoft.Authorization/roleDefinitions",
        }
        for name, role_name, actions in ROLES
    ]


@pytest.mark.parametrize(("method", "path", "action", "scope"), REQUESTS)
async def test_somebody_without_a_role_is_told_which_action_is_missing_and_where(
    raw: RawClient, method: str, path: str, action: str, scope: str
) -> None:
    reply = await raw.as_(ALICE).send(method, path, None if method in {"GET", "DELETE"} else b"this is not looked at")

    assert reply.error == (403, "AccessDenied", f"Not authorized to access {ACTION}{action} on {scope}")


@pytest.mark.parametrize(("name", "role_name", "actions"), ROLES)
async def test_a_built_in_role_allows_its_actions_and_no_others(
    raw: RawClient, name: str, role_name: str, actions: str
) -> None:
    assert role_name
    await raw.assign(ALICE, name)

    statuses = {request: await attempt(raw.as_(ALICE), *request[:2]) for request in REQUESTS}

    allowed = {request for request, status in statuses.items() if status != 403}
    assert allowed == {request for request in REQUESTS if request[2] in actions.split()}


@pytest.mark.parametrize(
    ("assigned_at", "covered"),
    [("", {"/", "/keys", "/keys/k"}), ("/keys", {"/keys", "/keys/k"}), ("/keys/k", {"/keys/k"}), ("/keys/kk", set())],
)
async def test_role_grants_its_actions_at_its_scope_and_below_only(
    raw: RawClient, assigned_at: str, covered: set[str]
) -> None:
    permissions = [{"dataActions": sorted({ACTION + action for _, _, action, _ in REQUESTS})}]
    await raw.send("PUT", f"{ROLE_DEFINITIONS}/{CUSTOM_ROLE}", {"properties": {"permissions": permissions}})
    await raw.assign(ALICE, CUSTOM_ROLE, assigned_at)

    statuses = {request: await attempt(raw.as_(ALICE), *request[:2]) for request in REQUESTS}

    allowed = {request for request, status in statuses.items() if status != 403}
    assert allowed == {request for request in REQUESTS if request[3] in covered}
