"""``help()`` explains each public class, method, property, parameter and enum member."""

from __future__ import annotations

import ast
import dataclasses
import importlib
import inspect
import pkgutil
import re
import textwrap
from typing import Any, NamedTuple

import pytest

from azure.keyvault.administration.aio import KeyVaultAccessControlClient, KeyVaultBackupClient

_PACKAGE = "azure.keyvault.administration"
_CALLS = ("begin_", "create_", "delete_", "get_", "list_", "set_")
_COLLECTED = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


class Documented(NamedTuple):
    """Something public that a docstring must explain."""

    name: str
    value: Any


def _module_names() -> list[str]:
    package = importlib.import_module(_PACKAGE)
    names = [info.name for info in pkgutil.walk_packages(package.__path__, f"{_PACKAGE}.")]
    return [_PACKAGE, *(name for name in names if not name.endswith("__main__"))]


def _every_class() -> dict[str, type[Any]]:
    modules = [importlib.import_module(name) for name in _module_names()]
    classes = [value for module in modules for value in vars(module).values() if inspect.isclass(value)]
    return {value.__name__: value for value in classes if value.__module__.startswith(_PACKAGE)}


def _exported() -> list[str]:
    """Return the names that public modules export. A module is public if no part of its name is private."""
    public = [importlib.import_module(name) for name in _module_names() if "._" not in name]
    return [name for module in public for name in getattr(module, "__all__", ())]


def _members(owner: type[Any]) -> dict[str, Any]:
    """Return what a class has of this package, private names aside."""
    bases = [base for base in reversed(owner.__mro__) if base.__module__.startswith(_PACKAGE)]
    return {name: value for base in bases for name, value in vars(base).items() if not name.startswith("_")}


def _returned(member: Any) -> str:
    """Return what a method or property is annotated to return; nothing for anything else."""
    function = member.fget if isinstance(member, property) else member
    return str(getattr(function, "__annotations__", {}).get("return", ""))


def _public_classes() -> list[Documented]:
    """Return the exported classes, and those that their properties and methods lead to."""
    every = _every_class()
    todo = _exported()
    found: dict[str, type[Any]] = {}
    while todo:
        name = todo.pop()
        if name in every and name not in found:
            found[name] = every[name]
            for value in _members(every[name]).values():
                todo += re.findall(r"\w+", _returned(value))
    return [Documented(name, value) for name, value in sorted(found.items())]


_CLASSES = _public_classes()
_METHODS = [
    Documented(f"{name}.{member}", getattr(value, "__func__", value))
    for name, owner in _CLASSES
    for member, value in _members(owner).items()
    if inspect.isfunction(getattr(value, "__func__", value))
]
_PROPERTIES = [
    Documented(f"{name}.{member}", value)
    for name, owner in _CLASSES
    for member, value in _members(owner).items()
    if isinstance(value, property)
]


def _doc(value: Any) -> str:
    return inspect.getdoc(value) or ""


def _undocumented(function: Any, doc: str) -> list[str]:
    """Return the fields that a docstring lacks."""
    fields = {
        parameter.name: "keyword" if parameter.kind is inspect.Parameter.KEYWORD_ONLY else "param"
        for parameter in inspect.signature(function).parameters.values()
        if parameter.kind not in _COLLECTED and parameter.name not in {"self", "cls"}
    }
    return [
        f":{field} {name}:"
        for name, field in fields.items()
        if not re.search(rf"^:{field}(?: [\w.~]+)? {name}: \S", doc, re.MULTILINE)
    ]


def _explained_names(owner: type[Any]) -> set[str]:
    """Return the names in a class body that a string explains."""
    (tree,) = ast.parse(textwrap.dedent(inspect.getsource(owner))).body
    assert isinstance(tree, ast.ClassDef)
    found = set()
    for statement, following in zip(tree.body, tree.body[1:], strict=False):
        target: Any = statement.targets[0] if isinstance(statement, ast.Assign) else getattr(statement, "target", None)
        if (
            isinstance(target, ast.Name)
            and isinstance(following, ast.Expr)
            and isinstance(following.value, ast.Constant)
        ):
            found.add(target.id)
    return found


def test_every_public_name_is_described_by_a_sentence() -> None:
    unexplained = [
        item.name
        for item in (*_CLASSES, *_METHODS, *_PROPERTIES)
        if not re.match(r"[A-Z`].+?\.(\s|\Z)", _doc(item.value), re.DOTALL)
    ]

    assert unexplained == []


def test_a_method_documents_its_parameters_and_result() -> None:
    for item in _METHODS:
        doc = _doc(item.value)
        assert _undocumented(item.value, doc) == [], item.name
        returns = inspect.signature(item.value).return_annotation
        assert returns == "None" or re.search(r"^:(returns|rtype): \S|^(Return|Tell) ", doc, re.MULTILINE), item.name


def test_the_attributes_of_a_class_are_documented() -> None:
    for name, owner in _CLASSES:
        fields = re.findall(r"^:(?:ivar|param|keyword)(?: [\w.~]+)? (\w+):", _doc(owner), re.MULTILINE)
        explained = _explained_names(owner) | set(fields)
        assert set(getattr(owner, "__members__", ())) <= explained, name
        if dataclasses.is_dataclass(owner):
            assert {field.name for field in dataclasses.fields(owner)} <= explained, name
        assert set(getattr(owner, "__slots__", ())) <= explained, name
        if "__init__" in vars(owner) and not hasattr(owner, "__slots__"):
            assert _undocumented(owner, _doc(owner)) == [], name


@pytest.mark.parametrize("client", [KeyVaultAccessControlClient, KeyVaultBackupClient])
def test_a_call_documents_its_data_action_and_its_errors(client: Any) -> None:
    calls = {name: _doc(value) for name, value in _members(client).items() if name.startswith(_CALLS)}
    assert len(calls) >= 4

    for name, doc in calls.items():
        assert re.search(r"Needs\s+the\s+data\s+actions?\s+``Microsoft.KeyVault/managedHsm/\w+", doc), name
        assert ":raises ValueError: If" in doc, name
        assert ":raises ~azure.core.exceptions.HttpResponseError: " in doc, name


@pytest.mark.parametrize("name", ["begin_backup", "begin_restore", "begin_pre_backup", "begin_pre_restore"])
def test_a_later_feature_documents_its_service_version(name: str) -> None:
    assert re.search(r"Needs service version 7\.\d or newer", _doc(getattr(KeyVaultBackupClient, name)))


def test_every_result_has_a_type() -> None:
    returned = {item.name: _returned(item.value) for item in (*_METHODS, *_PROPERTIES)}

    # A client of any package takes these keywords: their values have no common type.
    assert {name for name, type_ in returned.items() if re.search(r"\bAny\b", type_)} == {
        "ManagedHsmEmulator.client_kwargs"
    }
    assert "" not in returned.values()


def test_the_types_of_results_can_be_imported() -> None:
    assert {item.name for item in _CLASSES} - set(_exported()) == set()


def test_the_walk_finds_public_names() -> None:
    names = {item.name for item in (*_CLASSES, *_METHODS, *_PROPERTIES)}

    assert names >= {"ApiVersion", "Clock.advance", "KeyVaultBackupClient.begin_backup", "ManagedHsmEmulator.vault_url"}
