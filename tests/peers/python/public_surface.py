"""Prints what a package offers, be it the published one or this: names, parameters, members and attributes."""

import inspect
import json
from enum import Enum

import azure.keyvault.administration
import azure.keyvault.administration.aio

CLIENTS = ("KeyVaultAccessControlClient", "KeyVaultBackupClient")


def parameters(function):
    """Return kind and whether there is a default, by name; what takes any name is not told."""
    collected = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    return {
        each.name: [each.kind.name, each.default is not each.empty]
        for each in inspect.signature(function).parameters.values()
        if each.kind not in collected
    }


def members(client):
    return {
        name: parameters(member) if callable(member) else "property"
        for name, member in inspect.getmembers(client)
        if not name.startswith("_")
    }


def attributes(model):
    made = model()
    return sorted(vars(made) if hasattr(made, "__dict__") else made.__slots__)


top = {name: getattr(azure.keyvault.administration, name) for name in azure.keyvault.administration.__all__}
enums = {name: value for name, value in top.items() if issubclass(value, Enum)}
models = ("Permission", "RoleDefinition", "RoleAssignment", "RoleAssignmentProperties", "BackupResult")
surface = {
    "names": sorted(top),
    "async names": sorted(azure.keyvault.administration.aio.__all__),
    "clients": {name: members(getattr(azure.keyvault.administration.aio, name)) for name in CLIENTS},
    "constructors": {name: parameters(getattr(azure.keyvault.administration.aio, name)) for name in CLIENTS},
    "enums": {name: {member.name: member.value for member in value} for name, value in enums.items()},
    "models": {name: attributes(top[f"KeyVault{name}"]) for name in models},
}
print(json.dumps(surface))
