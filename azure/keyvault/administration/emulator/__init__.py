"""An embedded Managed HSM: administer, back up and restore an HSM on a laptop.

The emulator speaks the service's protocol over real TLS and knows nothing of the client library.
"""

import importlib.util
import sys

try:
    # The storage library is imported only when it is needed, which is rare; whether it is installed is checked now.
    if importlib.util.find_spec("azure.storage.blob") is None:
        raise ModuleNotFoundError("azure.storage.blob")  # noqa: TRY301 - missing in one way or the other
    from ._credential import EmulatorCredential
    from ._domain.rate_limits import RateLimits
    from ._emulator import ManagedHsmEmulator
    from ._hsm.journal import Journal, JournalEntry
    from ._state.clock import Clock
except ModuleNotFoundError as _missing:
    _WANTED = 'The emulator needs its extra: pip install "azure-keyvault-administration[emulator]"'
    # While Python looks for the module that "python -m" names, it puts "-m" there. If that is this package, the command
    # cannot begin, and its user has no use for a traceback.
    if sys.argv[:1] == ["-m"] and __name__ in sys.orig_argv:
        sys.exit(f"managed-hsm-emulator: error: {_WANTED}")
    raise ImportError(_WANTED) from _missing

__all__ = ["Clock", "EmulatorCredential", "Journal", "JournalEntry", "ManagedHsmEmulator", "RateLimits"]
