"""The ten built-in roles in the service's order, and all data actions."""

from __future__ import annotations

from .records import Permission, RoleDefinition

PREFIX = "Microsoft.KeyVault/managedHsm"


def _role(name: str, role_name: str, *data_actions: str) -> RoleDefinition:
    return RoleDefinition(
        name=name,
        role_name=f"Managed HSM {role_name}",
        description="",
        is_built_in=True,
        permissions=(Permission(data_actions=tuple(PREFIX + action for action in data_actions)),),
    )


ADMINISTRATOR = _role(
    "a290e904-7015-4bba-90c8-60543313cdb4",
    "Administrator",
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
)

BUILT_IN_ROLES = (
    _role(
        "abdd7ec4-a273-4265-bf38-e001014e2d8e",
        "EKM Administrator",
        "/ekm/read/action",
        "/ekm/write/action",
        "/ekm/delete/action",
    ),
    _role(
        "6efe6056-5259-49d2-8b3d-d3d73544b20b",
        "Restore User",
        "/restore/start/action",
        "/restore/status/action",
        "/keys/restore/action",
    ),
    _role(
        "7b127d3c-77bd-4e3e-bbe0-dbb8971fa7f8",
        "Backup User",
        "/backup/start/action",
        "/backup/status/action",
        "/keys/backup/action",
    ),
    _role(
        "33413926-3206-4cdd-b39a-83574fe37a17",
        "Crypto Service Encryption User",
        "/keys/read/action",
        "/keys/wrap/action",
        "/keys/unwrap/action",
    ),
    _role("21dbd100-6940-42c2-9190-5d6cb909625c", "Crypto Service Release User", "/keys/release/action"),
    _role(
        "2c18b078-7c48-4d3a-af88-5a3a1b3f82b3",
        "Crypto Auditor",
        "/roleAssignments/read/action",
        "/roleDefinitions/read/action",
        "/keys/read/action",
        "/keys/deletedKeys/read/action",
    ),
    _role(
        "4bd23610-cdcf-4971-bdee-bdc562cc28e4",
        "Policy Administrator",
        "/roleDefinitions/read/action",
        "/roleDefinitions/write/action",
        "/roleDefinitions/delete/action",
        "/roleAssignments/read/action",
        "/roleAssignments/write/action",
        "/roleAssignments/delete/action",
    ),
    _role(
        "21dbd100-6940-42c2-9190-5d6cb909625b",
        "Crypto User",
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
    ),
    _role(
        "515eb02d-2335-4d2d-92f2-b1cbdf9c3778",
        "Crypto Officer",
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
    ),
    ADMINISTRATOR,
)

# Only in roles of the past.
_RETIRED = ("/keys/createIfNotExists",)

# The built-in roles use all other data actions of the service.
DATA_ACTIONS = frozenset(
    action.casefold()
    for action in (
        *(action for role in BUILT_IN_ROLES for entry in role.permissions for action in entry.data_actions),
        *(PREFIX + action for action in _RETIRED),
    )
)
