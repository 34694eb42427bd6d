"""What live tests of the Azure SDK use of its test tools, for runs against an emulator: nothing is recorded."""

from __future__ import annotations

import os
import zlib
from typing import TYPE_CHECKING, Any

import azure.identity
import azure.identity.aio

if TYPE_CHECKING:
    from collections.abc import Callable


def is_live() -> bool:
    """Return whether requests reach a service."""
    return True


class AzureRecordedTestCase:
    """The base of test classes and of the decorators that make clients for them."""

    @property
    def is_live(self) -> bool:
        return is_live()

    def get_resource_name(self, name: str) -> str:
        """Return the same name for every call in one test, and another one in each other test."""
        return f"{name}{zlib.crc32(os.environ['PYTEST_CURRENT_TEST'].split()[0].encode()):08x}"

    def get_credential(self, _client_class: type, **kwargs: Any) -> Any:
        """Return a credential for the principal whom the emulator's environment names."""
        identity = azure.identity.aio if kwargs.get("is_async") else azure.identity
        return identity.ManagedIdentityCredential()

    def create_client_from_credential(self, client_class: Callable[..., Any], credential: Any, **kwargs: Any) -> Any:
        """Return a client that logs, as those of live tests do unless a test decides otherwise."""
        return client_class(credential=credential, **{"logging_enable": True, **kwargs})


class AzureMgmtPreparer:
    """The base of decorators that would create vaults; they are imported, and not used."""


def recorded_by_proxy(test: Callable[..., Any]) -> Callable[..., Any]:
    """Return the test itself: there is no proxy that records."""
    return test


def _not_recorded(*_: Any, **__: Any) -> None:
    """Set up nothing of a recording."""


add_general_regex_sanitizer = _not_recorded
add_general_string_sanitizer = _not_recorded
add_oauth_response_sanitizer = _not_recorded
add_uri_regex_sanitizer = _not_recorded
remove_batch_sanitizers = _not_recorded
set_bodiless_matcher = _not_recorded
set_custom_default_matcher = _not_recorded
