"""The built-in roles: what the service says they grant, and that each grants that and nothing else."""

from __future__ import annotations

import pytest

from emulator.raw import ACTION, CRYPTO_USER, ROLE_ASSIGNMENTS, ROLE_DEFINITIONS, ROLE_ID, RawClient

ALICE = "a11ce000-0000-4000-8000-000000000001"
NAME = "ff388517-2e5c-4d0f-8a0b-0d6f5c3b7a01"

# Name, what it is called, and its data actions without the prefix, in the order of the service.
ROLES = (
    (
        "abdd7ec4-a273-4265-bf38-e001014e2d8e",
        "Managed HSM EKM Administrator",
        ["/ekm/read/action", "/ekm/write/action", "/ekm/delete/action"],
    ),
    (
        "6efe6056-5259-49d2-8b3d-d3d73544b20b",
        "Managed HSM Restore User",
        ["/restore/start/action", "/restore/status/action", "/keys/restore/action"],
    ),
    (
        "7b127d3c-77bd-4e3e-bbe0-dbb8971fa7f8",
        "Managed HSM Backup User",
        ["/backup/start/action", "/backup/status/action", "/keys/backup/action"],
    ),
    (
        "33413926-3206-4cdd-b39a-83574fe37a17",
        "Managed HSM Crypto Service Encryption User",
        ["/keys/read/action", "/keys/wrap/action", "/keys/unwrap/action"],
    ),
    ("21dbd100-6940-42c2-9190-5d6cb909625c", "Managed HSM Crypto Service Release User", ["/keys/release/action"]),
    (
        "2c18b078-7c48-4d3a-af88-5a3a1b3f82b3",
        "Managed HSM Crypto Auditor",
        [
            "/roleAssignments/read/action",
            "/roleDefinitions/read/action",
            "/keys/read/action",
            "/keys/deletedKeys/read/action",
        ],
    ),
    (
        "4bd23610-cdcf-4971-bdee-bdc562cc28e4",
        "Managed HSM Policy Administrator",
        [
            "/roleDefinitions/read/action",
            "/roleDefinitions/write/action",
            "/roleDefinitions/delete/action",
            "/roleAssignments/read/action",
            "/roleAssignments/write/action",
            "/roleAssignments/delete/action",
        ],
    ),
    (
        "21dbd100-6940-42c2-9190-5d6cb909625b",
        "Managed HSM Crypto User",
        [
            "/roleDefinitions/read/action",
            "/roleAssignments/read/action",
            "/keys/read/action",
            "/keys/write/action",
            "/keys/delete",
            "/keys/create",
            "/keys/rotate/action",
            "/keys/import/action",
            "/keys/release/action",
            "/keys/backup/action",
            "/keys/restore/action",
            "/keys/encrypt/action",
            "/keys/decrypt/action",
            "/keys/wrap/action",
            "/keys/unwrap/action",
            "/keys/sign/action",
            "/keys/verify/action",
            "/keys/derive/action",
            "/rng/action",
        ],
    ),
    (
        "515eb02d-2335-4d2d-92f2-b1cbdf9c3778",
        "Managed HSM Crypto Officer",
        [
            "/roleAssignments/delete/action",
            "/roleAssignments/read/action",
            "/roleAssignments/write/action",
            "/roleDefinitions/read/action",
            "/roleDefinitions/write/action",
            "/roleDefinitions/delete/action",
            "/keys/deletedKeys/read/action",
            "/keys/deletedKeys/delete",
            "/keys/deletedKeys/recover/action",
            "/keys/export/action",
        ],
    ),
    (
        "a290e904-7015-4bba-90c8-60543313cdb4",
        "Managed HSM Administrator",
        [
            "/roleAssignments/delete/action",
            "/roleAssignments/read/action",
            "/roleAssignments/write/action",
            "/roleDefinitions/read/action",
            "/roleDefinitions/write/action",
            "/roleDefinitions/delete/action",
            "/securitydomain/download/action",
            "/securitydomain/download/read",
            "/securitydomain/upload/action",
            "/securitydomain/upload/read",
            "/securitydomain/transferkey/read",
            "/backup/start/action",
            "/restore/start/action",
            "/backup/status/action",
            "/restore/status/action",
            "/settings/read/action",
            "/settings/write/action",
        ],
    ),
)

# Every action that something can be asked to do with, and what is asked.
REQUESTS = (
    ("/roleDefinitions/read/action", "GET", ROLE_DEFINITIONS),
    ("/roleDefinitions/write/action", "PUT", f"{ROLE_DEFINITIONS}/{NAME}"),
    ("/roleDefinitions/delete/action", "DELETE", f"{ROLE_DEFINITIONS}/{NAME}"),
    ("/roleAssignments/read/action", "GET", ROLE_ASSIGNMENTS),
    ("/roleAssignments/write/action", "PUT", f"{ROLE_ASSIGNMENTS}/{NAME}"),
    ("/roleAssignments/delete/action", "DELETE", f"{ROLE_ASSIGNMENTS}/{NAME}"),
    ("/backup/start/action", "POST", "/backup"),
    ("/backup/start/action", "POST", "/prebackup"),
    ("/backup/status/action", "GET", "/backup/0/pending"),
    ("/restore/start/action", "PUT", "/restore"),
    ("/restore/start/action", "PUT", "/prerestore"),
    ("/restore/start/action", "PUT", "/keys/k/restore"),
    ("/restore/status/action", "GET", "/restore/0/pending"),
    ("/keys/create", "POST", "/keys/k/create"),
    ("/keys/read/action", "GET", "/keys/k"),
    ("/keys/write/action", "PATCH", "/keys/k"),
    ("/keys/delete", "DELETE", "/keys/k"),
    ("/keys/deletedKeys/read/action", "GET", "/deletedkeys"),
    ("/keys/deletedKeys/recover/action", "POST", "/deletedkeys/k/recover"),
    ("/keys/deletedKeys/delete", "DELETE", "/deletedkeys/k"),
    ("/keys/import/action", "PUT", "/keys/k"),
    ("/keys/backup/action", "POST", "/keys/k/backup"),
    ("/keys/restore/action", "POST", "/keys/restore"),
    ("/keys/rotate/action", "POST", "/keys/k/rotate"),
    ("/keys/encrypt/action", "POST", "/keys/k/v/encrypt"),
    ("/keys/decrypt/action", "POST", "/keys/k/v/decrypt"),
    ("/keys/wrap/action", "POST", "/keys/k/v/wrapkey"),
    ("/keys/unwrap/action", "POST", "/keys/k/v/unwrapkey"),
    ("/keys/sign/action", "POST", "/keys/k/v/sign"),
    ("/keys/verify/action", "POST", "/keys/k/v/verify"),
    ("/keys/release/action", "POST", "/keys/k/v/release"),
    ("/keys/wrap/action", "POST", "/keys/k/v/securewrapkey"),
    ("/keys/unwrap/action", "POST", "/keys/k/v/secureunwrapkey"),
    ("/keys/read/action", "GET", "/keys/k/v/attestation"),
    ("/keys/read/action", "GET", "/keys/k/rotationpolicy"),
    ("/keys/write/action", "PUT", "/keys/k/rotationpolicy"),
    ("/rng/action", "POST", "/rng"),
    ("/settings/read/action", "GET", "/settings"),
    ("/settings/read/action", "GET", "/settings/s"),
    ("/settings/write/action", "PATCH", "/settings/s"),
    ("/ekm/read/action", "GET", "/ekm"),
    ("/ekm/write/action", "POST", "/ekm/create"),
    ("/ekm/write/action", "PATCH", "/ekm"),
    ("/ekm/delete/action", "DELETE", "/ekm"),
    ("/securitydomain/download/action", "POST", "/securitydomain/download"),
    ("/securitydomain/download/read", "GET", "/securitydomain/download/pending"),
    ("/securitydomain/transferkey/read", "GET", "/securitydomain/upload"),
    ("/securitydomain/upload/action", "POST", "/securitydomain/upload"),
    ("/securitydomain/upload/read", "GET", "/securitydomain/upload/pending"),
)


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
                        "dataActions": [ACTION + action for action in actions],
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


@pytest.mark.parametrize(("name", "actions"), [(role[0], role[2]) for role in ROLES])
async def test_a_built_in_role_allows_its_actions_and_no_others(raw: RawClient, name: str, actions: list[str]) -> None:
    await raw.assign(ALICE, name)
    alice = raw.as_(ALICE)

    # None of the bodies makes sense, so that what is allowed fails later, and changes nothing.
    statuses = {
        (action, method, path): (await alice.send(method, path, None if method in {"GET", "DELETE"} else b"x")).status
        for action, method, path in REQUESTS
    }

    assert {request for request, status in statuses.items() if status != 403} == {
        request for request in statuses if request[0] in actions
    }


async def test_a_role_for_all_keys_is_none_for_the_hsm(raw: RawClient) -> None:
    await raw.assign(ALICE, CRYPTO_USER, "/keys")
    alice = raw.as_(ALICE)

    created = await alice.send("POST", "/keys/k/create", {"kty": "oct"})
    refused = [await alice.send("GET", ROLE_DEFINITIONS), await alice.send("POST", "/rng", {"count": 1})]

    assert created.status == 200
    assert [reply.error[2].rpartition(" on ")[2] for reply in refused] == ["/", "/"]


async def test_a_role_for_one_key_is_none_for_another_or_for_all(raw: RawClient) -> None:
    await raw.assign(raw.principal, CRYPTO_USER)
    for key in ("mine", "other"):
        await raw.send("POST", f"/keys/{key}/create", {"kty": "oct"})
    await raw.assign(ALICE, CRYPTO_USER, "/keys/mine")
    alice = raw.as_(ALICE)

    statuses = [
        (await alice.send(method, path, {"kty": "oct"} if method == "POST" else None)).status
        for method, path in (
            ("GET", "/keys/mine"),
            ("GET", "/keys/mine/versions"),
            ("GET", "/keys/other"),
            ("GET", "/keys"),
            # Making a version of one's own key, too, is making a key.
            ("POST", "/keys/mine/create"),
        )
    ]

    assert statuses == [200, 200, 403, 403, 403]
