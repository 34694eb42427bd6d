"""Access tokens: issued for a principal, checked on every request."""

from __future__ import annotations

import json
from base64 import b64encode
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

if TYPE_CHECKING:
    from collections.abc import Mapping

RESOURCE = "https://managedhsm.azure.net"
LIFETIME = 3600

_ALGORITHM = "ES256"
_ALL_PRINCIPALS = ""
# Checked here instead: the library would compare the times with the wall clock, and not tell which audience it found.
_OPTIONS: Any = dict.fromkeys(("verify_aud", "verify_exp", "verify_iat", "verify_nbf"), False)


class InvalidTokenError(Exception):
    """A token that the HSM does not accept; says why, and never repeats the token.

    :param reason: The sentence for people.
    :param challenge: The ``WWW-Authenticate`` value that tells how to get a valid token.
    """

    def __init__(self, reason: str, challenge: str) -> None:
        super().__init__(reason)
        self.challenge = challenge


@dataclass(frozen=True, slots=True)
class Revocation:
    """Makes the tokens of earlier generations invalid."""

    generation: int
    """The first generation of tokens that is valid again."""
    at: int
    """When, in unix seconds; a claims challenge asks for newer tokens."""


def new_signing_key() -> str:
    """Return a new key for signing tokens, as PEM text."""
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


class TokenAuthority:
    """Issues and checks the tokens of one tenant.

    Every token names its generation, and each revocation begins a new one. Times alone would not do: they are whole
    seconds, and a token that is issued in the second of the revocation, but after it, is valid.

    :param signing_key: The key that signs tokens, as PEM text.
    :param tenant_id: Id of the tenant.
    :param revocations: The newest revocation for each object id, and for all principals under the empty one.
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
    def challenge(self) -> str:
        """The ``WWW-Authenticate`` value that tells a client where to get a token, and its audience."""
        return f'Bearer authorization="https://login.microsoftonline.com/{self.tenant_id}", resource="{RESOURCE}"'

    def claims_challenge(self, now: float) -> str:
        """Return the ``WWW-Authenticate`` value that asks for a token issued from now on."""
        return _claims_challenge(int(now))

    def revoke(self, principal: str | None, now: float) -> None:
        """Revoke the tokens that a principal has so far, or that all principals have."""
        # Replaced, not changed: another thread may be issuing a token.
        revocation = Revocation(self._generation + 1, int(now))
        self._revocations = {**self._revocations, principal or _ALL_PRINCIPALS: revocation}

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
            "generation": self._generation,
        }
        return jwt.encode(claims, self._private_key, algorithm=_ALGORITHM), expires

    def principal(self, token: str, now: float) -> str:
        """Return the object id of a token's holder.

        :raises InvalidTokenError: if the token is another authority's or another service's, not valid now, or revoked.
        """
        claims = self._decode(token)
        if (audience := claims["aud"]) != RESOURCE:
            raise self._invalid(f"Found token with aud={audience}, but expected aud={RESOURCE}")
        if now < claims["nbf"]:
            raise self._invalid("The token is not valid yet.")
        if now >= claims["exp"]:
            raise self._invalid("The token has expired.")
        oid: str = claims["oid"]
        for revocation in (self._revocations.get(oid), self._revocations.get(_ALL_PRINCIPALS)):
            if revocation and claims["generation"] < revocation.generation:
                raise InvalidTokenError("The token has been revoked.", _claims_challenge(revocation.at))
        return oid

    @property
    def _generation(self) -> int:
        return max((each.generation for each in self._revocations.values()), default=0)

    def _decode(self, token: str) -> dict[str, Any]:
        try:
            return jwt.decode(token, self._public_key, algorithms=[_ALGORITHM], options=_OPTIONS)
        except (jwt.InvalidTokenError, UnicodeError) as error:
            raise self._invalid("The token is not signed by the authority of the challenge.") from error

    def _invalid(self, reason: str) -> InvalidTokenError:
        return InvalidTokenError(reason, self.challenge)


def _claims_challenge(since: int) -> str:
    """Ask for a newer token; the tenant is that of the previous challenge."""
    wanted = {"access_token": {"nbf": {"essential": True, "value": str(since)}}}
    claims = b64encode(json.dumps(wanted, separators=(",", ":")).encode()).decode()
    authorization = "https://login.microsoftonline.com/common/oauth2/authorize"
    return f'Bearer authorization_uri="{authorization}", error="insufficient_claims", claims="{claims}"'
