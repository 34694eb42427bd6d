"""One function per operation of the service; no module here knows another."""
