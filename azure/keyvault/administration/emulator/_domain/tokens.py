"""Access tokens: issued for a principal, checked on every request."""

from __future__ import annotations

from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

RESOURCE = "https://managedhsm.azure.net"
LIFETIME = 3600

_ALGORITHM = "ES256"


class InvalidTokenError(Exception):
    """A token that the HSM does not accept; says why, and never repeats the token."""


def new_signing_key() -> str:
    """Return a new key for signing tokens, as PEM text."""
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


class TokenAuthority:
    """Issues the tokens of one tenant, and knows its own again."""

    def __init__(self, signing_key: str, tenant_id: str) -> None:
        private_key = load_pem_private_key(signing_key.encode(), password=None)
        if not isinstance(private_key, ec.EllipticCurvePrivateKey):
            raise TypeError("signing_key must be an EC private key")
        self._private_key = private_key
        self._public_key = private_key.public_key()
        self.tenant_id = tenant_id

    @property
    def challenge(self) -> str:
        """The ``WWW-Authenticate`` value that tells a client where to get a token and for what."""
        return f'Bearer authorization="https://login.microsoftonline.com/{self.tenant_id}", resource="{RESOURCE}"'

    def issue(self, principal: str, audience: str, now: int) -> tuple[str, int]:
        """Return a token for a principal, and when it expires."""
        expires = now + LIFETIME
        claims = {
            "aud": audience,
            "iss": f"https://sts.windows.net/{self.tenant_id}/",
            "iat": now,
            "nbf": now,
            "exp": expires,
            "oid": principal,
            "sub": principal,
            "tid": self.tenant_id,
        }
        return jwt.encode(claims, self._private_key, algorithm=_ALGORITHM), expires

    def principal(self, token: str, now: float) -> str:
        """Return the object id of a token's holder.

        :raises InvalidTokenError: if the token is not ours, not for this service, or not valid now.
        """
        claims = self._decode(token)
        expires, oid = claims["exp"], claims["oid"]
        if not isinstance(expires, int) or now >= expires:
            raise InvalidTokenError("The token has expired.")
        if not isinstance(oid, str):
            raise InvalidTokenError("The token names no principal.")
        return oid

    def _decode(self, token: str) -> dict[str, Any]:
        if not token.isascii():
            raise InvalidTokenError("The token is no JSON Web Token.")
        # The library would compare the times with the wall clock; ours is the emulator's, so exp is checked above.
        options: Any = {"require": ["aud", "exp", "oid"], "verify_exp": False, "verify_iat": False, "verify_nbf": False}
        try:
            return jwt.decode(token, self._public_key, algorithms=[_ALGORITHM], audience=RESOURCE, options=options)
        except jwt.InvalidAudienceError as error:
            raise InvalidTokenError(f"AKV10022: Invalid audience. Expected {RESOURCE}.") from error
        except jwt.MissingRequiredClaimError as error:
            raise InvalidTokenError(f"The token lacks the claim {error.claim}.") from error
        except jwt.InvalidTokenError as error:
            raise InvalidTokenError("The token is not signed by the authority of the challenge.") from error
