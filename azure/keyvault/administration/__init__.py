"""Models and enums of Azure Managed HSM administration. The clients are in :mod:`azure.keyvault.administration.aio`."""

import typing as _typing

from ._enums import ApiVersion, KeyVaultDataAction, KeyVaultRoleScope
from ._missing import missing_names as _missing_names
from ._models import (
    KeyVaultBackupResult,
    KeyVaultJobDetails,
    KeyVaultPermission,
    KeyVaultRoleAssignment,
    KeyVaultRoleAssignmentProperties,
    KeyVaultRoleDefinition,
)
from ._version import VERSION as _VERSION

__all__ = [
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

__version__ = _VERSION

# Not for type checkers: to them, a module with this function has every name.
if not _typing.TYPE_CHECKING:
    __getattr__ = _missing_names(__name__)
