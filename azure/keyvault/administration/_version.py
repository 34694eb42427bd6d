"""The version of the distribution."""

VERSION = "5.0.0b1"
