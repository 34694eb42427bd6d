"""What only programs on this machine may ask: the managed identity and the control path."""
