"""Behaviours of a package, be it the published one or this: tables of short programs, each with a JSON value for what came of it."""
