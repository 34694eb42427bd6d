"""Annotations that programs evaluate: dependency injection, validators, checkers at run time."""

import inspect
import typing

import azure.keyvault.administration as package
import azure.keyvault.administration.aio as aio

from .bench import ATTRIBUTES, behaviour

CLIENTS = ("KeyVaultAccessControlClient", "KeyVaultBackupClient")
METHODS = {f"{client[8:]}.{name}": (client, name) for client in CLIENTS for name in (
    ("create_role_assignment", "delete_role_assignment", "get_role_assignment", "list_role_assignments", "set_role_definition", "get_role_definition", "delete_role_definition", "list_role_definitions", "send_request", "close", "__init__", "__aenter__", "__aexit__")
    if "Access" in client else ("begin_backup", "begin_restore", "begin_pre_backup", "begin_pre_restore", "send_request", "close", "__init__"))}
behaviour("hints-of-method", METHODS)(lambda client, name: isinstance(typing.get_type_hints(getattr(getattr(aio, client), name)), dict))
behaviour("hints-names", METHODS)(lambda client, name: sorted(set(typing.get_type_hints(getattr(getattr(aio, client), name))) - {"kwargs", "args"}))
behaviour("hints-of-property", {"vault_url": "vault_url"})(lambda name: str(typing.get_type_hints(getattr(aio.KeyVaultBackupClient, name).fget)["return"]))
behaviour("hints-of-class", {name: name for name in [*ATTRIBUTES, "KeyVaultRoleScope", "KeyVaultDataAction", "ApiVersion"]})(lambda name: isinstance(typing.get_type_hints(getattr(package, name)), dict))
behaviour("hints-of-model", {name: name for name in ATTRIBUTES})(lambda name: isinstance(typing.get_type_hints(getattr(package, name).__init__), dict))
behaviour("hints-of-client", {name: name for name in CLIENTS})(lambda name: isinstance(typing.get_type_hints(getattr(aio, name)), dict))


def shape(function):
    return [f"{each.kind.name} {each.name}" for each in inspect.signature(function).parameters.values()]


behaviour("signature", METHODS)(lambda client, name: shape(getattr(getattr(aio, client), name)))
behaviour("is-coroutine", METHODS)(lambda client, name: [inspect.iscoroutinefunction(getattr(getattr(aio, client), name))])
behaviour("signature-of-client", {name: name for name in CLIENTS})(lambda name: shape(getattr(aio, name)))
behaviour("signature-evaluated", METHODS)(lambda client, name: bool(inspect.signature(getattr(getattr(aio, client), name), eval_str=True)))
behaviour("documented", METHODS)(lambda client, name: bool(getattr(getattr(aio, client), name).__doc__))
behaviour("return-hint", METHODS)(lambda client, name: str(typing.get_type_hints(getattr(getattr(aio, client), name)).get("return")).replace("typing.", "").split("[")[0].rpartition(".")[2])
