"""The addresses of this machine, and the valid ports and host names."""

import re

LOOPBACK = "127.0.0.1"
LOOPBACK_IPV6 = "::1"
EVERY_ADDRESS = "0.0.0.0"  # noqa: S104 - recognized, not bound
PORTS = range(1 << 16)

HOST_NAME = re.compile(r"[A-Za-z0-9._-]{1,253}")
