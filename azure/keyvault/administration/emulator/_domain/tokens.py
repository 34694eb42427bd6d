"""Access tokens: issued for a principal, checked on every request."""

from __future__ import annotations

import json
from base64 import b64encode
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

RESOURCE = "https://managedhsm.azure.net"
LIFETIME = 3600

_ALGORITHM = "ES256"
_EVERYBODY = ""
_REQUIRED = ["aud", "iss", "nbf", "exp", "oid", "generation"]
# The library would compare the times with the wall clock, where ours is the emulator's, and not tell which audience it
# found. So both are checked here.
_OPTIONS: Any = {
    "require": _REQUIRED,
    "verify_aud": False,
    "verify_exp": False,
    "verify_iat": False,
    "verify_nbf": False,
}


class InvalidTokenError(Exception):
    """A token that the HSM does not accept; says why, and never repeats the token.

    :param reason: The sentence for people.
    :param challenge: The ``WWW-Authenticate`` value that tells how to get a better token.
    """

    def __init__(self, reason: str, challenge: str) -> None:
        super().__init__(reason)
        self.challenge = challenge


@dataclass(frozen=True, slots=True)
class Revocation:
    """The tokens of earlier generations no longer count."""

    generation: int
    """The generation of tokens that the revocation began."""
    at: int
    """When, in unix seconds; what a claims challenge asks for."""


def new_signing_key() -> str:
    """Return a new key for signing tokens, as PEM text."""
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


class TokenAuthority:
    """Issues the tokens of one tenant, and knows its own again.

    Every token names its generation, and each revocation begins a new one. Times would not do: they are whole seconds,
    and a token that is issued in the second of the revocation is good if it came after it.

    :param signing_key: The key that signs tokens, as PEM text.
    :param tenant_id: Id of the tenant.
    :param revocations: The newest revocation for each object id, and for everybody under the empty one.
    """

    def __init__(self, signing_key: str, tenant_id: str, revocations: Mapping[str, Revocation] | None = None) -> None:
        private_key = load_pem_private_key(signing_key.encode(), password=None)
        if not isinstance(private_key, ec.EllipticCurvePrivateKey):
            raise TypeError("signing_key must be an EC private key")
        self._private_key = private_key
        self._public_key = private_key.public_key()
        self.tenant_id = tenant_id
        self._revocations = dict(revocations or {})

    @property
    def revocations(self) -> Mapping[str, Revocation]:
        return self._revocations

    @property
    def issuer(self) -> str:
        return f"https://sts.windows.net/{self.tenant_id}/"

    @property
    def challenge(self) -> str:
        """The ``WWW-Authenticate`` value that tells a client where to get a token and for what."""
        return f'Bearer authorization="https://login.microsoftonline.com/{self.tenant_id}", resource="{RESOURCE}"'

    def claims_challenge(self, now: float) -> str:
        """Return the ``WWW-Authenticate`` value that asks for a token issued from now on."""
        return _claims_challenge(int(now))

    def revoke(self, principal: str | None, now: float) -> None:
        """Take back the tokens that a principal has got so far, or that everybody has."""
        # Replaced, not changed: a token may be issued in another thread meanwhile.
        revocation = Revocation(self._generation + 1, int(now))
        self._revocations = {**self._revocations, principal or _EVERYBODY: revocation}

    def issue(self, principal: str, audience: str, now: int) -> tuple[str, int]:
        """Return a token for a principal, and when it expires."""
        expires = now + LIFETIME
        claims = {
            "aud": audience,
            "iss": self.issuer,
            "iat": now,
            "nbf": now,
            "exp": expires,
            "oid": principal,
            "sub": principal,
            "tid": self.tenant_id,
            "generation": self._generation,
        }
        return jwt.encode(claims, self._private_key, algorithm=_ALGORITHM), expires

    def principal(self, token: str, now: float) -> str:
        """Return the object id of a token's holder.

        :raises InvalidTokenError: if the token is not ours, not for this service, not valid now, or revoked.
        """
        claims = self._decode(token)
        if (audience := claims["aud"]) != RESOURCE:
            raise self._invalid(f"Found token with aud={audience}, but expected aud={RESOURCE}")
        if claims["iss"] != self.issuer:
            raise self._invalid(f"AKV10032: Invalid issuer. Expected {self.issuer}.")
        begins, expires, oid = claims["nbf"], claims["exp"], claims["oid"]
        if not isinstance(begins, int) or now < begins:
            raise self._invalid("The token is not valid yet.")
        if not isinstance(expires, int) or now >= expires:
            raise self._invalid("The token has expired.")
        if not isinstance(oid, str):
            raise self._invalid("The token names no principal.")
        for revocation in (self._revocations.get(oid), self._revocations.get(_EVERYBODY)):
            if revocation and claims["generation"] < revocation.generation:
                raise InvalidTokenError("The token has been revoked.", _claims_challenge(revocation.at))
        return oid

    @property
    def _generation(self) -> int:
        return max((each.generation for each in self._revocations.values()), default=0)

    def _decode(self, token: str) -> dict[str, Any]:
        if not token.isascii():
            raise self._invalid("The token is no JSON Web Token.")
        try:
            return jwt.decode(token, self._public_key, algorithms=[_ALGORITHM], options=_OPTIONS)
        except jwt.MissingRequiredClaimError as error:
            raise self._invalid(f"The token lacks the claim {error.claim}.") from error
        except jwt.InvalidTokenError as error:
            raise self._invalid("The token is not signed by the authority of the challenge.") from error

    def _invalid(self, reason: str) -> InvalidTokenError:
        return InvalidTokenError(reason, self.challenge)


def _claims_challenge(since: int) -> str:
    """Ask for a token that is newer; the tenant is the one of the challenge before."""
    wanted = {"access_token": {"nbf": {"essential": True, "value": str(since)}}}
    claims = b64encode(json.dumps(wanted, separators=(",", ":")).encode()).decode()
    authorization = "https://login.microsoftonline.com/common/oauth2/authorize"
    return f'Bearer authorization_uri="{authorization}", error="insufficient_claims", claims="{claims}"'
