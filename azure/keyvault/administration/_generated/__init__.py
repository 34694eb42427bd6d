# Generated from eng/openapi/managedhsm-administration.yaml by eng/generate.py. Do not edit.
"""The service's operations and wire types."""
