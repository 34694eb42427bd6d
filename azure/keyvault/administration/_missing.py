"""Names of 4.x that this package lacks: the error of importing one says what to do instead."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import NoReturn

_STAY = 'stay on 4.x with: pip install "azure-keyvault-administration<5"'
_SYNC = f"This package is for async programs: import it from azure.keyvault.administration.aio, or {_STAY}"
_SETTINGS = (
    "This package has no client for settings: use send_request of any of its clients, as in"
    f' client.send_request(HttpRequest("GET", "/settings")), or {_STAY}'
)
_REASONS = {
    "KeyVaultAccessControlClient": _SYNC,
    "KeyVaultBackupClient": _SYNC,
    "KeyVaultSetting": _SETTINGS,
    "KeyVaultSettingType": _SETTINGS,
    "KeyVaultSettingsClient": _SETTINGS,
}


def missing_names(module: str) -> Callable[[str], NoReturn]:
    """Return the ``__getattr__`` of a module.

    :param module: The module's name.
    :returns: A function that raises for each name that the module lacks.
    """

    def missing_name(name: str) -> NoReturn:
        reason = _REASONS.get(name)
        # "from ... import" would replace an AttributeError's text. Anything else, such as hasattr, needs that type.
        frame = inspect.currentframe()
        caller = frame.f_back if frame else None
        if reason and caller and caller.f_globals.get("__name__") == "importlib._bootstrap":
            raise ImportError(f"cannot import name {name!r} from {module!r}. {reason}", name=name)
        raise AttributeError(f"module {module!r} has no attribute {name!r}. {reason or ''}".removesuffix(". "))

    return missing_name
