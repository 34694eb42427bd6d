"""The emulator against the contract: every operation is there, and the check of the answers is a check."""

from __future__ import annotations

import json

import pytest

from emulator.contract_check import violations
from emulator.raw import ROLE_DEFINITIONS, RawClient
from openapi_contract import operations

GUID = "2f5b1a7e-6c1d-4f7a-9b35-7f0c5c9d7f11"
HEADERS = {"x-ms-request-id": "x"}


@pytest.mark.parametrize("operation_id", sorted(operations()))
async def test_every_operation_of_the_contract_is_answered(raw: RawClient, operation_id: str) -> None:
    operation = operations()[operation_id]
    path = operation.path.format(keyName="k", roleDefinitionName=GUID, roleAssignmentName=GUID, jobId="0" * 32)

    reply = await raw.send(operation.method, path, {} if operation.body_schema else None)

    code = json.loads(reply.body).get("error", {}).get("code")
    assert reply.status in {200, 400, 404}
    assert code in {None, "BadRequest", "RoleDefinitionNotFound", "RoleAssignmentNotFound", "JobNotFound"}


@pytest.mark.parametrize(
    ("path", "status", "headers", "body", "expected"),
    [
        ("/unknown", 500, {}, b"", []),
        (ROLE_DEFINITIONS, 200, HEADERS, b'{"value":[]}', []),
        (
            "//keys/k" + ROLE_DEFINITIONS,
            200,
            HEADERS,
            b'{"value":1}',
            ["RoleDefinitions_ListAtKey 200: 1 is not of type 'array'"],
        ),
        (ROLE_DEFINITIONS, 200, HEADERS, b"OK", ["RoleDefinitions_List 200: b'OK' isn't JSON"]),
        (ROLE_DEFINITIONS, 401, HEADERS, b"OK", ["RoleDefinitions_List 401 lacks the header WWW-Authenticate"]),
        (
            ROLE_DEFINITIONS,
            418,
            HEADERS,
            b'{"error":1}',
            ["RoleDefinitions_List 418: 1 is not valid under any of the given schemas"],
        ),
    ],
)
def test_violation_of_the_contract_is_noticed(
    path: str, status: int, headers: dict[str, str], body: bytes, expected: list[str]
) -> None:
    assert violations("GET", path, status, headers, body) == expected
