"""The contract is a valid document, complete, and true to what the service was seen to send."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from openapi_contract import document, operations, schema_errors

VERSIONS = ["7.2", "7.3", "7.4", "7.5", "7.6", "2025-07-01", "2026-04-01"]
ROLES = "/providers/Microsoft.Authorization/roleDefinitions"
ASSIGNMENTS = "/providers/Microsoft.Authorization/roleAssignments"

OPERATIONS = {
    "RoleDefinitions_List": ("GET", ROLES, "7.2"),
    "RoleDefinitions_Get": ("GET", f"{ROLES}/{{roleDefinitionName}}", "7.2"),
    "RoleDefinitions_CreateOrUpdate": ("PUT", f"{ROLES}/{{roleDefinitionName}}", "7.2"),
    "RoleDefinitions_Delete": ("DELETE", f"{ROLES}/{{roleDefinitionName}}", "7.2"),
    "RoleAssignments_ListForScope": ("GET", ASSIGNMENTS, "7.2"),
    "RoleAssignments_Get": ("GET", f"{ASSIGNMENTS}/{{roleAssignmentName}}", "7.2"),
    "RoleAssignments_Create": ("PUT", f"{ASSIGNMENTS}/{{roleAssignmentName}}", "7.2"),
    "RoleAssignments_Delete": ("DELETE", f"{ASSIGNMENTS}/{{roleAssignmentName}}", "7.2"),
    "BackupRestore_FullBackup": ("POST", "/backup", "7.2"),
    "BackupRestore_PreFullBackup": ("POST", "/prebackup", "7.6"),
    "BackupRestore_FullBackupStatus": ("GET", "/backup/{jobId}/pending", "7.2"),
    "BackupRestore_FullRestore": ("PUT", "/restore", "7.2"),
    "BackupRestore_PreFullRestore": ("PUT", "/prerestore", "7.6"),
    "BackupRestore_SelectiveKeyRestore": ("PUT", "/keys/{keyName}/restore", "7.2"),
    "BackupRestore_RestoreStatus": ("GET", "/restore/{jobId}/pending", "7.2"),
}
SCOPED = [name for name, (_, path, _) in OPERATIONS.items() if path.startswith("/providers/")]
STARTS = [name for name, (method, _, _) in OPERATIONS.items() if "Restore_" in name and method != "GET"]

JOB = {"status": "InProgress", "statusDetails": None, "error": None, "startTime": 1652132780, "endTime": None}
JOB_ID = "719de6e18cc54d4f87be8645906d07f0"
NO_REASON = {"code": None, "message": None, "innererror": None}
PERMISSION = {"actions": [], "dataActions": ["a/new/action"], "notActions": [], "notDataActions": []}


def test_the_document_is_valid_openapi() -> None:
    assert [error.message for error in OpenAPIV31SpecValidator(document()).iter_errors()] == []


def test_the_document_holds_these_operations_and_no_others() -> None:
    in_document = {
        name: (operation.method, operation.path, operation.node["x-added-in"])
        for name, operation in operations().items()
        if not name.endswith(("AtKeys", "AtKey"))
    }

    assert in_document == OPERATIONS, "compare the document with the service, then extend OPERATIONS"


@pytest.mark.parametrize(("suffix", "scope"), [("AtKeys", "/keys"), ("AtKey", "/keys/{keyName}")])
def test_role_operations_stand_at_the_narrower_scopes_too(suffix: str, scope: str) -> None:
    narrower = {name: operation for name, operation in operations().items() if name.endswith(suffix)}

    assert {name: (operation.method, operation.path) for name, operation in narrower.items()} == {
        f"{name}{suffix}": (OPERATIONS[name][0], scope + OPERATIONS[name][1]) for name in SCOPED
    }


def test_every_operation_has_its_own_id() -> None:
    nodes = [node for item in document()["paths"].values() for node in item.values() if "operationId" in node]

    assert len({node["operationId"] for node in nodes}) == len(nodes)


def test_the_document_speaks_of_the_stable_versions() -> None:
    assert operations()["RoleDefinitions_List"].parameters["api-version"]["schema"]["enum"] == VERSIONS


def test_every_member_names_the_version_that_added_it_and_is_described() -> None:
    incomplete = [
        f"{schema}.{member}"
        for schema, member, node in _members()
        if node.get("x-added-in") not in VERSIONS or not node.get("description")
    ]

    assert incomplete == []


def test_members_that_came_later_are_marked_so() -> None:
    versions = {f"{schema}.{member}": node["x-added-in"] for schema, member, node in _members()}

    later = {name: version for name, version in versions.items() if version != "7.2"}
    assert later == {
        "SASTokenParameter.useManagedIdentity": "7.5",
        "PreBackupOperationParameters.storageResourceUri": "7.6",
        "PreBackupOperationParameters.token": "7.6",
        "PreBackupOperationParameters.useManagedIdentity": "7.6",
        "PreRestoreOperationParameters.sasTokenParameters": "7.6",
        "PreRestoreOperationParameters.folderToRestore": "7.6",
    }, "compare x-added-in with the service, then extend this list"


def test_no_value_of_the_service_is_a_closed_enumeration() -> None:
    assert '"enum":' not in json.dumps(document()["components"]["schemas"])


def test_every_operation_says_its_version_its_challenge_and_its_errors() -> None:
    errors = {"application/json": {"schema": {"$ref": "#/components/schemas/ErrorResponse"}}}
    for name, operation in operations().items():
        needed = {"401", "400", "403", "429", "default"}
        assert needed <= operation.responses.keys(), f"{name} needs these responses: see those of other operations"
        assert operation.node["x-added-in"] in VERSIONS, name
        assert operation.parameters["api-version"]["required"] is not operation.polled, name
        challenge = operation.responses["401"]
        assert "WWW-Authenticate" in challenge["headers"], name
        assert "content" not in challenge, name
        assert [operation.responses[status]["content"] for status in needed - {"401"}] == [errors] * 4, name


def test_jobs_and_nothing_else_answer_202_with_the_url_to_poll() -> None:
    polled = {
        name: sorted(operation.responses["202"]["headers"])
        for name, operation in operations().items()
        if "202" in operation.responses
    }

    headers = ["Retry-After", "azure-asyncoperation", "x-ms-keyvault-region", "x-ms-request-id"]
    assert polled == dict.fromkeys(STARTS, headers)


ROLE = {
    "id": "Microsoft.KeyVault/providers/Microsoft.Authorization/roleDefinitions/f",
    "name": "f",
    "properties": {
        "assignableScopes": ["/"],
        "description": "",
        "permissions": [PERMISSION],
        "roleName": "",
        "type": "CustomRole",
    },
    "type": "Microsoft.Authorization/roleDefinitions",
}
ASSIGNMENT = {
    "id": "/providers/Microsoft.Authorization/roleAssignments/a",
    "name": "a",
    "properties": {"principalId": "p", "roleDefinitionId": "d", "scope": "/keys/k"},
    "type": "Microsoft.Authorization/roleAssignments",
}
FOLDER = "https://a.blob.core.windows.net/c/mhsm-h-2022050921462014"
ENDED = {**JOB, "jobId": JOB_ID, "endTime": 1652132788}


@pytest.mark.parametrize(
    ("schema", "body"),
    [
        ("RoleDefinition", ROLE),
        ("RoleAssignmentListResult", {"value": [ASSIGNMENT]}),
        ("FullBackupOperation", {**JOB, "jobId": JOB_ID, "azureStorageBlobContainerUri": None}),
        ("FullBackupOperation", {**ENDED, "status": "Succeeded", "azureStorageBlobContainerUri": FOLDER}),
        ("RestoreOperation", {**ENDED, "status": "Failed", "statusDetails": "Invalid backup", "error": NO_REASON}),
        ("RestoreOperation", {**JOB, "status": "not known yet", "jobId": JOB_ID}),
        ("ErrorResponse", {"error": {"code": "AccessDenied", "message": "No."}}),
        ("ErrorResponse", {"error": {"code": "BadRequest", "innererror": None, "message": "No."}}),
    ],
)
def test_bodies_as_the_service_sends_them_are_accepted(schema: str, body: object) -> None:
    assert schema_errors(schema, body) == []


@pytest.mark.parametrize(
    ("schema", "body", "error"),
    [
        ("RestoreOperation", JOB, "'jobId' is a required property"),
        ("RestoreOperation", {**ENDED, "startTime": "today"}, "'today' is not of type 'integer'"),
        ("RoleDefinitionListResult", {"value": {}}, "{} is not of type 'array'"),
        (
            "SelectiveKeyRestoreOperationParameters",
            {"sasTokenParameters": {"storageResourceUri": "u"}, "folder": "f", "folderToRestore": "f"},
            "Additional properties are not allowed ('folderToRestore' was unexpected)",
        ),
    ],
)
def test_bodies_that_break_the_contract_are_refused(schema: str, body: object, error: str) -> None:
    assert schema_errors(schema, body) == [error]


def _members() -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    for name, schema in document()["components"]["schemas"].items():
        for member, node in schema.get("properties", {}).items():
            yield name, member, node
