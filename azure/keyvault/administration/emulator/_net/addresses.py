"""The addresses of this machine, and the ports that there are."""

LOOPBACK = "127.0.0.1"
LOOPBACK_IPV6 = "::1"
EVERY_ADDRESS = "0.0.0.0"  # noqa: S104 - recognized, not bound
PORTS = range(1 << 16)
