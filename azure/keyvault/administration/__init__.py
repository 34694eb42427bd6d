"""Models and enums of Azure Managed HSM administration. The clients are in :mod:`azure.keyvault.administration.aio`."""

from ._enums import ApiVersion, KeyVaultDataAction, KeyVaultRoleScope
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
