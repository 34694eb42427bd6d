"""An embedded Managed HSM: administer, back up and restore an HSM on a laptop.

The emulator speaks the service's protocol over real TLS and knows nothing of the client library beside it.
"""

try:
    from ._credential import EmulatorCredential
    from ._journal import Journal, JournalEntry
    from ._server import ManagedHsmEmulator
except ModuleNotFoundError as error:
    raise ImportError('The emulator needs its extra: pip install "azure-keyvault-administration[emulator]"') from error

__all__ = ["EmulatorCredential", "Journal", "JournalEntry", "ManagedHsmEmulator"]
