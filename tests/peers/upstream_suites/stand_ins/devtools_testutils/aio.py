"""The same for async tests."""

from devtools_testutils import recorded_by_proxy

__all__ = ["recorded_by_proxy_async"]

recorded_by_proxy_async = recorded_by_proxy
