"""The emulator's credential, which needs no identity service and never leaves the process."""

from __future__ import annotations

from abc import ABC, abstractmethod
from types import TracebackType
from typing import Any

from typing_extensions import Self

from azure.core.credentials import AccessToken, AccessTokenInfo, TokenRequestOptions

from ._domain.tokens import TokenAuthority
from ._state.clock import Clock

_DEFAULT_SCOPE = "/.default"


class EmulatorCredential(ABC):
    """A token credential for one principal of one emulator.

    Works where azure-core's ``AsyncTokenCredential`` or ``AsyncSupportsTokenInfo`` is asked for. Closing it is allowed
    and has no effect. :meth:`ManagedHsmEmulator.credential_for` returns one.
    """

    @property
    @abstractmethod
    def object_id(self) -> str:
        """Object id of the principal."""

    async def get_token(
        self,
        *scopes: str,
        claims: str | None = None,  # noqa: ARG002 - part of azure-core's protocol
        tenant_id: str | None = None,  # noqa: ARG002
        enable_cae: bool = False,  # noqa: ARG002
        **kwargs: Any,  # noqa: ARG002
    ) -> AccessToken:
        """Get a token.

        :param scopes: Exactly one scope, such as ``https://managedhsm.azure.net/.default``; it becomes the audience.
        :keyword claims: Accepted and not needed.
        :keyword tenant_id: Accepted and not needed.
        :keyword enable_cae: Accepted and not needed.
        :returns: The token and when it expires.
        :raises ValueError: if there is not exactly one scope.
        """
        token, expires = self._issue(scopes)
        return AccessToken(token, expires)

    async def get_token_info(
        self,
        *scopes: str,
        options: TokenRequestOptions | None = None,  # noqa: ARG002 - part of azure-core's protocol
    ) -> AccessTokenInfo:
        """Get a token.

        :param scopes: Exactly one scope, such as ``https://managedhsm.azure.net/.default``; it becomes the audience.
        :keyword options: Accepted and not needed.
        :returns: The token and when it expires.
        :raises ValueError: if there is not exactly one scope.
        """
        token, expires = self._issue(scopes)
        return AccessTokenInfo(token, expires)

    async def close(self) -> None:  # noqa: B027 - nothing to close, and nothing to override
        """Do nothing; there is nothing to close."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"EmulatorCredential(object_id={self.object_id!r})"

    @abstractmethod
    def _issue(self, scopes: tuple[str, ...]) -> tuple[str, int]: ...


class IssuingCredential(EmulatorCredential):
    """The credential that :meth:`ManagedHsmEmulator.credential_for` returns.

    :param object_id: Object id of the principal.
    :param authority: What signs the emulator's tokens.
    :param clock: The emulator's clock.
    """

    def __init__(self, object_id: str, authority: TokenAuthority, clock: Clock) -> None:
        self._object_id = object_id
        self._authority = authority
        self._clock = clock

    @property
    def object_id(self) -> str:
        return self._object_id

    def _issue(self, scopes: tuple[str, ...]) -> tuple[str, int]:
        if len(scopes) != 1:
            raise ValueError(f"scopes must be exactly one scope, got {scopes!r}")
        audience = scopes[0].removesuffix(_DEFAULT_SCOPE)
        return self._authority.issue(self._object_id, audience, int(self._clock.now()))
