"""Sockets: listening with TLS, the CONNECT proxy, the loopback transport."""
