"""The part of the Azure SDK's test tools that live tests use, without recordings."""

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
        """Return a name that is the same throughout one test, and different in every other test."""
        return f"{name}{zlib.crc32(os.environ['PYTEST_CURRENT_TEST'].split()[0].encode()):08x}"

    def get_credential(self, _client_class: type, **kwargs: Any) -> Any:
        """Return the managed identity that the emulator offers."""
        identity = azure.identity.aio if kwargs.get("is_async") else azure.identity
        return identity.ManagedIdentityCredential()

    def create_client_from_credential(self, client_class: Callable[..., Any], credential: Any, **kwargs: Any) -> Any:
        """Return a client that logs, unless a test decides otherwise."""
        return client_class(credential=credential, **{"logging_enable": True, **kwargs})


class AzureMgmtPreparer:
    """The base of decorators that create vaults; tests import them without using them."""


def recorded_by_proxy(test: Callable[..., Any]) -> Callable[..., Any]:
    """Return the test unchanged."""
    return test


def _not_recorded(*_: Any, **__: Any) -> None:
    """Do nothing, because nothing is recorded."""


add_general_regex_sanitizer = _not_recorded
add_general_string_sanitizer = _not_recorded
add_oauth_response_sanitizer = _not_recorded
add_uri_regex_sanitizer = _not_recorded
remove_batch_sanitizers = _not_recorded
set_bodiless_matcher = _not_recorded
set_custom_default_matcher = _not_recorded
