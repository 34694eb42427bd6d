"""The command ``managed-hsm-emulator``. It stands outside the emulator, so that it can say what that lacks."""

from __future__ import annotations

import sys


def main() -> int:
    """Run the command with the arguments of the process, and return its exit code."""
    try:
        from .emulator import _command_line  # noqa: PLC0415 - only now is there somebody to say what is missing
    except ImportError as error:
        if "[emulator]" not in str(error):
            raise
        print(f"managed-hsm-emulator: error: {error}", file=sys.stderr)  # noqa: T201
        # Any other status would be taken for that of the command after it.
        return 125 if "--" in sys.argv else 1
    return _command_line.main()
