"""The public names, signatures and attributes: what users' code depends on."""

from __future__ import annotations

import importlib
import inspect
import pickle
import subprocess
import sys
from collections.abc import Iterator
from enum import Enum
from typing import Any, get_type_hints

import pytest
from typing_extensions import get_overloads

import azure.keyvault.administration
import azure.keyvault.administration.aio
from azure.keyvault.administration import (
    KeyVaultBackupResult,
    KeyVaultJobDetails,
    KeyVaultPermission,
    KeyVaultRoleAssignment,
    KeyVaultRoleAssignmentProperties,
    KeyVaultRoleDefinition,
)
from azure.keyvault.administration.aio import KeyVaultAccessControlClient, KeyVaultBackupClient

PACKAGE = "azure.keyvault.administration"
PUBLIC_MODULES = [PACKAGE, f"{PACKAGE}.aio", f"{PACKAGE}.emulator"]

BOTH = {
    "close": "(self) -> 'None'",
    "send_request": (
        "(self, request: 'HttpRequest', *, stream: 'bool' = False, **kwargs: 'Any') -> 'AsyncHttpResponse'"
    ),
}
ACCESS_CONTROL = BOTH | {
    "create_role_assignment": (
        "(self, scope: 'str | KeyVaultRoleScope', definition_id: 'str', principal_id: 'str', *,"
        " name: 'str | uuid.UUID | None' = None, **kwargs: 'Any') -> 'KeyVaultRoleAssignment'"
    ),
    "delete_role_assignment": (
        "(self, scope: 'str | KeyVaultRoleScope', name: 'str | uuid.UUID', **kwargs: 'Any') -> 'None'"
    ),
    "delete_role_definition": (
        "(self, scope: 'str | KeyVaultRoleScope', name: 'str | uuid.UUID', **kwargs: 'Any') -> 'None'"
    ),
    "get_role_assignment": (
        "(self, scope: 'str | KeyVaultRoleScope', name: 'str | uuid.UUID', **kwargs: 'Any') -> 'KeyVaultRoleAssignment'"
    ),
    "get_role_definition": (
        "(self, scope: 'str | KeyVaultRoleScope', name: 'str | uuid.UUID', **kwargs: 'Any') -> 'KeyVaultRoleDefinition'"
    ),
    "list_role_assignments": (
        "(self, scope: 'str | KeyVaultRoleScope', **kwargs: 'Any') -> 'AsyncItemPaged[KeyVaultRoleAssignment]'"
    ),
    "list_role_definitions": (
        "(self, scope: 'str | KeyVaultRoleScope', **kwargs: 'Any') -> 'AsyncItemPaged[KeyVaultRoleDefinition]'"
    ),
    "set_role_definition": (
        "(self, scope: 'str | KeyVaultRoleScope', *, name: 'str | uuid.UUID | None' = None,"
        " role_name: 'str | None' = None, description: 'str | None' = None,"
        " permissions: 'Iterable[KeyVaultPermission] | None' = None,"
        " assignable_scopes: 'Iterable[str | KeyVaultRoleScope] | None' = None, **kwargs: 'Any')"
        " -> 'KeyVaultRoleDefinition'"
    ),
}
_IN = "sas_token: 'str | None' = None, *, use_managed_identity: 'bool' = False"
_OPTIONS = "continuation_token: 'str | None' = None, **kwargs: 'Any'"
BACKUP = BOTH | {
    "begin_backup": (
        f"(self, blob_storage_url: 'str', {_IN}, {_OPTIONS}) -> 'AsyncKeyVaultLROPoller[KeyVaultBackupResult]'"
    ),
    "begin_restore": (
        f"(self, folder_url: 'str', {_IN}, key_name: 'str | None' = None, {_OPTIONS}) -> 'AsyncKeyVaultLROPoller[None]'"
    ),
    "begin_pre_backup": f"(self, blob_storage_url: 'str', {_IN}, {_OPTIONS}) -> 'AsyncKeyVaultLROPoller[None]'",
    "begin_pre_restore": f"(self, folder_url: 'str', {_IN}, {_OPTIONS}) -> 'AsyncKeyVaultLROPoller[None]'",
}

# Constructor keyword to attribute.
MODELS: dict[type[Any], dict[str, str]] = {
    model: {name: {"assignment_type": "type"}.get(name, name) for name in names.split()}
    for model, names in {
        KeyVaultPermission: "actions not_actions data_actions not_data_actions",
        KeyVaultRoleDefinition: ("id name role_name description role_type type permissions assignable_scopes"),
        KeyVaultRoleAssignmentProperties: "principal_id role_definition_id scope",
        KeyVaultRoleAssignment: "name properties role_assignment_id assignment_type",
        KeyVaultBackupResult: "folder_url",
        KeyVaultJobDetails: "kind job_id status status_details start_time end_time",
    }.items()
}


@pytest.mark.parametrize("module_name", PUBLIC_MODULES)
def test_all_is_sorted_and_holds_exactly_the_public_names(module_name: str) -> None:
    module = importlib.import_module(module_name)

    public = {name for name, value in vars(module).items() if not name.startswith("_") and not inspect.ismodule(value)}

    assert module.__all__ == sorted(public)


def test_the_package_holds_the_published_names_and_those_of_this_library() -> None:
    assert azure.keyvault.administration.__all__ == [
        "ApiVersion",
        "KeyVaultBackupResult",
        "KeyVaultDataAction",
        "KeyVaultJobDetails",
        "KeyVaultPermission",
        "KeyVaultRoleAssignment",
        "KeyVaultRoleAssignmentProperties",
        "KeyVaultRoleDefinition",
        "KeyVaultRoleScope",
    ]
    clients = ["AsyncKeyVaultLROPoller", "KeyVaultAccessControlClient", "KeyVaultBackupClient"]
    assert azure.keyvault.administration.aio.__all__ == clients
    public = {getattr(azure.keyvault.administration, name) for name in azure.keyvault.administration.__all__}
    assert set(MODELS) == {value for value in public if not issubclass(value, Enum)}, "add the new model to MODELS"


@pytest.mark.parametrize(
    ("client", "signatures"), [(KeyVaultAccessControlClient, ACCESS_CONTROL), (KeyVaultBackupClient, BACKUP)]
)
def test_a_client_has_these_methods_with_these_signatures(client: type[Any], signatures: dict[str, str]) -> None:
    methods = {
        name: str(inspect.signature(member))
        for name, member in inspect.getmembers(client, inspect.isfunction)
        if not name.startswith("_")
    }

    assert methods == signatures
    assert isinstance(inspect.getattr_static(client, "vault_url"), property)


@pytest.mark.parametrize("client", [KeyVaultAccessControlClient, KeyVaultBackupClient])
def test_a_client_is_made_of_url_and_credential(client: type[Any]) -> None:
    signature = str(inspect.signature(client))

    assert signature == "(vault_url: 'str', credential: 'AsyncTokenCredential', **kwargs: 'Any') -> 'None'"


@pytest.mark.parametrize("model", MODELS, ids=lambda model: str(model.__name__))
def test_a_model_takes_keywords_only_and_shows_them_as_attributes(model: type[Any]) -> None:
    parameters = inspect.signature(model).parameters.values()
    keywords = {parameter.name for parameter in parameters if parameter.kind is not inspect.Parameter.VAR_KEYWORD}
    table = MODELS[model]

    instance = model(**{keyword: [keyword] for keyword in table})

    assert keywords == set(table)
    assert {parameter.kind for parameter in parameters} <= {
        inspect.Parameter.KEYWORD_ONLY,
        inspect.Parameter.VAR_KEYWORD,
    }
    assert {attribute: getattr(instance, attribute) for attribute in table.values()} == {
        attribute: [keyword] for keyword, attribute in table.items()
    }
    assert {name for name in dir(instance) if not name.startswith("_")} == set(table.values())
    if model is not KeyVaultJobDetails:
        assert [getattr(model(), attribute) for attribute in table.values()] == [None] * len(table)


def _functions(owner: type[Any]) -> Iterator[Any]:
    """Return what a user of a class may call or read, as functions, overloads included."""
    for base in owner.__mro__:
        if not base.__module__.startswith(PACKAGE):
            continue
        for name, member in vars(base).items():
            if name.startswith("_") and not name.endswith("__"):
                continue
            parts = (
                [member.fget, member.fset] if isinstance(member, property) else [getattr(member, "__func__", member)]
            )
            functions = [part for part in parts if inspect.isfunction(part)]
            yield from functions
            for function in functions:
                yield from get_overloads(function)


@pytest.mark.parametrize(
    "module_name", [*PUBLIC_MODULES, f"{PACKAGE}.emulator.faults", f"{PACKAGE}.emulator.pytest_plugin"]
)
def test_every_public_annotation_can_be_evaluated(module_name: str) -> None:
    module = importlib.import_module(module_name)
    public = [value for name, value in vars(module).items() if not name.startswith("_")]
    own = [value for value in public if getattr(value, "__module__", "").startswith(PACKAGE)]
    functions = [value for value in own if inspect.isfunction(value)]
    classes = [value for value in own if inspect.isclass(value)]

    hints = [get_type_hints(thing) for thing in [*functions, *classes]]
    hints += [get_type_hints(function) for owner in classes for function in _functions(owner)]

    assert any(hints)


# Forgets the package between two imports, so that each module is the first of it to be imported.
@pytest.mark.parametrize(
    "module", [PACKAGE, f"{PACKAGE}.emulator", f"{PACKAGE}.emulator.faults", f"{PACKAGE}.emulator.pytest_plugin"]
)
def test_a_public_module_can_be_imported_first_and_without_a_warning(module: str) -> None:
    _python(f"import {module}")


def test_importing_the_clients_does_not_import_transports_or_the_emulator() -> None:
    loaded = _python(f"import sys, {PACKAGE}.aio; print(*sys.modules)").split()

    unwanted = ("aiohttp", "azure.identity", f"{PACKAGE}.emulator", "isodate")
    assert f"{PACKAGE}.aio" in loaded
    assert [name for name in loaded if name.startswith(unwanted)] == []


def _python(code: str) -> str:
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.parametrize(
    ("module", "name", "advice"),
    [
        (PACKAGE, "KeyVaultAccessControlClient", f"import it from {PACKAGE}.aio"),
        (PACKAGE, "KeyVaultBackupClient", f"import it from {PACKAGE}.aio"),
        (PACKAGE, "KeyVaultSettingType", "send_request"),
        (f"{PACKAGE}.aio", "KeyVaultSettingsClient", "send_request"),
    ],
)
def test_importing_a_name_that_only_4x_has_says_what_to_do(module: str, name: str, advice: str) -> None:
    with pytest.raises(ImportError) as raised:
        exec(f"from {module} import {name}", {})

    assert f"cannot import name '{name}' from '{module}'. " in str(raised.value)
    assert advice in str(raised.value)
    assert 'pip install "azure-keyvault-administration<5"' in str(raised.value)


@pytest.mark.parametrize("module_name", [PACKAGE, f"{PACKAGE}.aio"])
def test_a_missing_name_is_an_attribute_error_to_everything_but_an_import(module_name: str) -> None:
    module = importlib.import_module(module_name)

    assert not hasattr(module, "KeyVaultSettingsClient")
    with pytest.raises(AttributeError, match="pip install"):
        _ = module.KeyVaultSettingsClient
    with pytest.raises(AttributeError, match=r"no attribute 'Misspelled'$"):
        _ = module.Misspelled
    with pytest.raises(AttributeError, match="KeyVaultSettingsClient"):
        pickle.loads(f"c{module_name}\nKeyVaultSettingsClient\n.".encode())
    with pytest.raises(ImportError, match="cannot import name 'Misspelled'"):
        exec(f"from {module_name} import Misspelled", {})
