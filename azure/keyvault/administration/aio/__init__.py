"""The async clients of Azure Managed HSM administration."""

import typing as _typing

from .._missing import missing_names as _missing_names
from .._runtime.polling import AsyncKeyVaultLROPoller
from ._access_control_client import KeyVaultAccessControlClient
from ._backup_client import KeyVaultBackupClient

__all__ = ["AsyncKeyVaultLROPoller", "KeyVaultAccessControlClient", "KeyVaultBackupClient"]

# Not for type checkers: to them, a module with this function has every name.
if not _typing.TYPE_CHECKING:
    __getattr__ = _missing_names(__name__)
