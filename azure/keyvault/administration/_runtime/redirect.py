"""Redirects, as azure-core follows them. Whether the target may have the request is the auth policy's decision."""

from __future__ import annotations

from typing import Any, Literal
from urllib.parse import urlsplit

from azure.core.pipeline.policies import AsyncRedirectPolicy
from azure.core.rest import AsyncHttpResponse, HttpRequest


class ParsableRedirectPolicy(AsyncRedirectPolicy[HttpRequest, AsyncHttpResponse]):
    """azure-core's redirects, but a target that no parser takes is none: the answer is returned like any other."""

    def get_redirect_location(self, response: Any) -> str | Literal[False] | None:
        """Return where an answer leads to; nothing true if it leads nowhere.

        :param response: The answer.
        """
        location: str | Literal[False] | None = super().get_redirect_location(response)
        if not location:
            return None
        try:
            urlsplit(location)
        except ValueError:
            return None
        return location
