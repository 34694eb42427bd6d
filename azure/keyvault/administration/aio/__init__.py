"""The async clients of Azure Managed HSM administration."""

from ._access_control_client import KeyVaultAccessControlClient

__all__ = ["KeyVaultAccessControlClient"]
