"""The async part of the test tools."""

from . import recorded_by_proxy

__all__ = ["recorded_by_proxy_async"]

recorded_by_proxy_async = recorded_by_proxy
