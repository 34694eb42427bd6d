"""The base class of the clients."""

from __future__ import annotations

import logging
from copy import copy
from types import TracebackType
from typing import Any

from typing_extensions import Self

from azure.core.credentials_async import AsyncTokenCredential
from azure.core.rest import AsyncHttpResponse, HttpRequest
from azure.core.utils import case_insensitive_dict

from .. import _identifiers
from .._enums import DEFAULT_API_VERSION
from .._runtime.rest import RestClient
from .._runtime.tracing import INSTRUMENTATION, traced

_LOGGER = logging.getLogger(__name__)


class KeyVaultClientBase:
    """The base of the clients.

    :param vault_url: URL of the HSM.
    :param credential: An async credential.

    :ivar api_version: The version of the service API that the client uses.
    :vartype api_version: str
    """

    _instrumentation_config = INSTRUMENTATION

    def __init__(self, vault_url: str, credential: AsyncTokenCredential, **kwargs: Any) -> None:
        self._vault_url = _identifiers.vault_url(vault_url)
        if not callable(getattr(credential, "get_token_info", None) or getattr(credential, "get_token", None)):
            raise ValueError(  # noqa: TRY004 - the error of every bad argument
                "credential must be an async token credential such as azure.identity.aio.DefaultAzureCredential,"
                f" got {type(credential).__name__}"
            )
        # Imported with the first client: the policies import aiohttp.
        from .._runtime.pipeline import build_pipeline  # noqa: PLC0415

        if _identifiers.is_key_vault(self._vault_url):
            _LOGGER.warning("%s is a Key Vault: this API serves Managed HSMs only.", self._vault_url)
        api_version = kwargs.pop("api_version", None) or DEFAULT_API_VERSION
        self.api_version: str = _identifiers.required_text(api_version, "api_version")
        pipeline = build_pipeline(self._vault_url, credential, **kwargs)
        self._client = RestClient(self._vault_url, self.api_version, pipeline)

    @property
    def vault_url(self) -> str:
        """URL of the HSM, without a trailing slash.

        :rtype: str
        """
        return self._vault_url

    @traced
    async def send_request(self, request: HttpRequest, *, stream: bool = False, **kwargs: Any) -> AsyncHttpResponse:
        """Send a custom request through the client's pipeline: authenticated, retried, logged.

        The service may execute it twice: azure-core retries even a POST after a 500, 503 or 504. Pass
        ``retry_total=0`` with a request that must not be repeated, such as the start of a job.

        :param request: The request; it is not changed. A relative URL is resolved against :attr:`vault_url`, and
            ``api-version`` is added when it is absent.
        :type request: ~azure.core.rest.HttpRequest
        :keyword bool stream: Whether to leave the body unread, to be streamed. Defaults to False.
        :returns: The response, whatever its status code: no error is raised for it.
        :rtype: ~azure.core.rest.AsyncHttpResponse
        :raises ValueError: If the URL is of another origin.
        :raises ~azure.core.exceptions.AzureError: If there is no response.
        """
        # A shallow copy: a stream as body can be read only once anyway.
        sent = copy(request)
        sent.headers = case_insensitive_dict(request.headers)
        url = request.url.removeprefix("{vaultBaseUrl}")
        sent.url = _identifiers.absolute(url, self._vault_url)
        if _identifiers.origin(sent.url) != _identifiers.origin(self._vault_url):
            raise ValueError(
                f"the request is for {_identifiers.origin(sent.url)}, but this client's vault is"
                f" {_identifiers.origin(self._vault_url)}"
            )
        if not _identifiers.has_query_parameter(sent.url, "api-version"):
            sent.url = _identifiers.with_query(sent.url, {"api-version": self.api_version})
        response = await self._client.pipeline.run(sent, stream=stream, **kwargs)
        return response.http_response

    async def close(self) -> None:
        """Close the connections that the client opened. It can be called more than once.

        Calls that are in flight end in an azure-core error, and so do later ones. Unnecessary when the client is used
        as a context manager. A transport that you passed is closed only if its own settings say so.
        """
        await self._client.pipeline.__aexit__()

    async def __aenter__(self) -> Self:
        await self._client.pipeline.__aenter__()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        await self._client.pipeline.__aexit__(exc_type, exc_value, traceback)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(vault_url={self._vault_url!r})"
