"""Run an emulator from the command line: ``python -m azure.keyvault.administration.emulator --help``."""

import sys

from ._command_line import main

sys.exit(main())
