"""The async clients of Azure Managed HSM administration."""

from .._runtime.polling import AsyncKeyVaultLROPoller
from ._access_control_client import KeyVaultAccessControlClient
from ._backup_client import KeyVaultBackupClient

__all__ = ["AsyncKeyVaultLROPoller", "KeyVaultAccessControlClient", "KeyVaultBackupClient"]
