"""Where 4.x keeps what its generated code needs."""
