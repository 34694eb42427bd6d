"""The handlers: one function per operation of the service."""
