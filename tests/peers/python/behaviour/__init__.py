"""What a package does, in tables: a behaviour is a short program with a small JSON value for its outcome.

It runs with the published async clients and with this library, and knows neither's private names.
"""
