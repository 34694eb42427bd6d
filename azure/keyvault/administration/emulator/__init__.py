"""An embedded Managed HSM: administer, back up and restore an HSM on a laptop.

The emulator speaks the service's protocol over real TLS, and shares no code with the client library.
"""

import importlib.util

try:
    # The storage library is rarely needed and so imported late; whether it is installed is checked now.
    if importlib.util.find_spec("azure.storage.blob") is None:
        raise ModuleNotFoundError("azure.storage.blob")  # noqa: TRY301 - missing, too
    from ._credential import EmulatorCredential
    from ._domain.rate_limits import RateLimits
    from ._emulator import ManagedHsmEmulator
    from ._hsm.journal import Journal, JournalEntry
    from ._state.clock import Clock
except ModuleNotFoundError as _missing:
    raise ImportError(
        'The emulator needs its extra: pip install "azure-keyvault-administration[emulator]"'
    ) from _missing

__all__ = ["Clock", "EmulatorCredential", "Journal", "JournalEntry", "ManagedHsmEmulator", "RateLimits"]
