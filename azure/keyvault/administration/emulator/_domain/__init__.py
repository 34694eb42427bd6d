"""The rules of the service: pure, without I/O; the time comes in as a number."""
