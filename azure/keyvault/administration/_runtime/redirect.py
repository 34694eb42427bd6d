"""Redirects, as azure-core follows them. Whether the target may have the request is the auth policy's decision."""

from __future__ import annotations

from typing import Any, Literal
from urllib.parse import urlsplit

from azure.core.pipeline.policies import AsyncRedirectPolicy, RequestHistory
from azure.core.rest import AsyncHttpResponse, HttpRequest

from .redaction import redacted_request, redacted_response, secrets_of


class ParsableRedirectPolicy(AsyncRedirectPolicy[HttpRequest, AsyncHttpResponse]):
    """azure-core's redirects, but a response with an invalid target is returned like any other response."""

    def get_redirect_location(self, response: Any) -> str | Literal[False] | None:
        """Return the redirect target of a response, or a false value if it has none.

        :param response: The response.
        """
        location: str | Literal[False] | None = super().get_redirect_location(response)
        if not location:
            return None
        try:
            urlsplit(location)
        except ValueError:
            return None
        return location

    def increment(self, settings: dict[str, Any], response: Any, redirect_location: str) -> bool:
        """Prepare the request for a redirect, and return whether it may be followed.

        :param settings: The settings of the request.
        :param response: The response.
        :param redirect_location: The redirect target.
        """
        is_allowed = super().increment(settings, response, redirect_location)
        # The error of too many redirects holds the history.
        last = settings["history"].pop()
        shown = redacted_response(last.http_response, secrets_of(last.http_request))
        settings["history"].append(RequestHistory(redacted_request(last.http_request), http_response=shown))
        return is_allowed
