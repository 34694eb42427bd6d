"""Every request builder makes the request that the contract describes."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import pytest
from azure.core.rest import HttpRequest

from azure.keyvault.administration._generated import operations as built
from azure.keyvault.administration._runtime.rest import JobStart, Operation
from openapi_contract import ContractOperation, operations, schema_errors

NAME = "7b127d3c-77bd-4e3e-bbe0-dbb8971fa7f8"
PROVIDERS = "/providers/Microsoft.Authorization"

ROLE = {"properties": {"roleName": "Reader", "permissions": [{"dataActions": ["Microsoft.KeyVault/managedHsm/a"]}]}}
ASSIGNMENT = {"properties": {"roleDefinitionId": "d", "principalId": "p"}}
STORAGE = {"storageResourceUri": "https://a.blob.core.windows.net/c", "token": "se=2030"}
IDENTITY = {"storageResourceUri": "https://a.blob.core.windows.net/c", "useManagedIdentity": True}
RESTORE = {"sasTokenParameters": STORAGE, "folderToRestore": "mhsm-contoso-2022050921462014"}
KEY_RESTORE = {"sasTokenParameters": STORAGE, "folder": "mhsm-contoso-2022050921462014"}


class Sample(NamedTuple):
    """A call of a builder: the operation it is for, and the arguments by the contract's names."""

    operation_id: str
    build: Callable[..., Operation[Any] | JobStart]
    path_values: Mapping[str, str] = {}
    body: Mapping[str, Any] | None = None
    scoped: bool = False

    def request(self, scope: str = "/") -> HttpRequest:
        return self._built(scope).request

    @property
    def expected_status(self) -> int:
        return self._built("/").expected_status

    def _built(self, scope: str) -> Operation[Any] | JobStart:
        arguments = [*([scope] if self.scoped else []), *self.path_values.values()]
        return self.build(*arguments, *([self.body] if self.body is not None else []))

    @property
    def operation(self) -> ContractOperation:
        return operations()[self.operation_id]


ROLE_NAME = {"roleDefinitionName": NAME}
ASSIGNMENT_NAME = {"roleAssignmentName": NAME}

SAMPLES = [
    Sample("RoleDefinitions_List", built.role_definitions_list, scoped=True),
    Sample("RoleDefinitions_Get", built.role_definitions_get, ROLE_NAME, scoped=True),
    Sample("RoleDefinitions_CreateOrUpdate", built.role_definitions_create_or_update, ROLE_NAME, ROLE, scoped=True),
    Sample("RoleDefinitions_Delete", built.role_definitions_delete, ROLE_NAME, scoped=True),
    Sample("RoleAssignments_ListForScope", built.role_assignments_list_for_scope, scoped=True),
    Sample("RoleAssignments_Get", built.role_assignments_get, ASSIGNMENT_NAME, scoped=True),
    Sample("RoleAssignments_Create", built.role_assignments_create, ASSIGNMENT_NAME, ASSIGNMENT, scoped=True),
    Sample("RoleAssignments_Delete", built.role_assignments_delete, ASSIGNMENT_NAME, scoped=True),
    Sample("BackupRestore_FullBackup", built.backup_restore_full_backup, body=STORAGE),
    Sample("BackupRestore_PreFullBackup", built.backup_restore_pre_full_backup, body=IDENTITY),
    Sample("BackupRestore_FullRestore", built.backup_restore_full_restore, body=RESTORE),
    Sample("BackupRestore_PreFullRestore", built.backup_restore_pre_full_restore, body=RESTORE),
    Sample(
        "BackupRestore_SelectiveKeyRestore", built.backup_restore_selective_key_restore, {"keyName": "foo"}, KEY_RESTORE
    ),
]


def test_each_operation_that_a_client_starts_has_one_builder() -> None:
    functions = [value for value in vars(built).values() if inspect.isfunction(value)]
    builders = [function for function in functions if function.__module__ == built.__name__]
    started = {
        name
        for name, operation in operations().items()
        if not operation.polled and not name.endswith(("AtKeys", "AtKey"))
    }

    public = [builder for builder in builders if builder.__name__[0] != "_"]
    assert [sample.build for sample in SAMPLES] == public, "add a Sample of the new builder to SAMPLES, in its order"
    assert {sample.operation_id for sample in SAMPLES} == started


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: str(sample.operation_id))
def test_a_builder_makes_the_request_of_the_contract(sample: Sample) -> None:
    request, operation = sample.request(), sample.operation
    query = [node["name"] for node in operation.parameters.values() if node["in"] == "query" and node["required"]]

    assert request.method == operation.method
    # The client adds the version.
    assert query == ["api-version"]
    assert request.url == _expand(operation.path, sample.path_values)
    assert [status for status in operation.responses if status[0] == "2"] == [str(sample.expected_status)]
    assert request.headers["Accept"] == "application/json"
    assert (operation.body_schema is None) == (request.content is None)
    if operation.body_schema is not None:
        assert request.headers["Content-Type"] == "application/json"
        assert json.loads(str(request.content)) == sample.body
        assert schema_errors(operation.body_schema, sample.body) == []


@pytest.mark.parametrize("sample", [sample for sample in SAMPLES if sample.scoped], ids=lambda it: it.operation_id)
@pytest.mark.parametrize(("scope", "suffix", "key"), [("/keys", "AtKeys", None), ("/keys/foo", "AtKey", "foo")])
def test_the_scope_precedes_the_path(sample: Sample, scope: str, suffix: str, key: str | None) -> None:
    at_scope = operations()[f"{sample.operation_id}{suffix}"]
    values = {**sample.path_values, **({"keyName": key} if key else {})}

    assert sample.request(scope).url == _expand(at_scope.path, values)


@pytest.mark.parametrize(
    ("operation", "url"),
    [
        (built.role_definitions_get("/", "a/b?c#d e%é"), f"{PROVIDERS}/roleDefinitions/a%2Fb%3Fc%23d%20e%25%C3%A9"),
        (
            built.backup_restore_selective_key_restore(
                "a/restore?", {"sasTokenParameters": {"storageResourceUri": "u"}, "folder": "f"}
            ),
            "/keys/a%2Frestore%3F/restore",
        ),
        (built.role_assignments_list_for_scope("/keys/a?b#c d"), f"/keys/a%3Fb%23c%20d{PROVIDERS}/roleAssignments"),
        (
            built.role_assignments_list_for_scope("/", filter="principalId eq 'a&b'"),
            f"{PROVIDERS}/roleAssignments?$filter=principalId%20eq%20%27a%26b%27",
        ),
        (built.role_definitions_list("/keys", filter=""), f"/keys{PROVIDERS}/roleDefinitions?$filter="),
    ],
    ids=["name", "key", "scope", "filter", "empty filter"],
)
def test_an_argument_cannot_leave_its_place_in_the_url(operation: Operation[Any] | JobStart, url: str) -> None:
    assert operation.request.url == url


def test_requests_do_not_share_their_headers() -> None:
    first = built.role_definitions_list("/")
    second = built.role_definitions_list("/")

    first.request.headers["Authorization"] = "Bearer of one request"

    assert "Authorization" not in second.request.headers


def _expand(template: str, values: Mapping[str, str]) -> str:
    return re.sub(r"\{(\w+)\}", lambda match: values[match[1]], template)
