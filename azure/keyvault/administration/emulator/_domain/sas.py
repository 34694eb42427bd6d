"""What a shared access signature says about itself; only the storage service can check the signature."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone
from urllib.parse import parse_qsl, urlencode

from . import errors
from .jobs import JobFailure

BACKUP_PERMISSIONS = "crdw"
RESTORE_PERMISSIONS = "rl"
_STORAGE_VERSION = "2025-01-05"
_EARLIER = 15 * 60
_LATER = 7 * 24 * 60 * 60


@dataclass(frozen=True, slots=True, repr=False)
class Sas:
    """A SAS token that has at least an expiry."""

    token: str
    expiry: float
    start: float | None
    permissions: str
    is_signed: bool

    def check(self, now: float, needed: str) -> None:
        """Fail the job if storage would refuse the token.

        :param now: The time in unix seconds.
        :param needed: The letters of the permissions that the job needs.
        """
        if not self.is_signed:
            raise JobFailure("AuthenticationFailed", "The SAS token has no signature")
        if now >= self.expiry:
            raise JobFailure("AuthenticationFailed", f"The SAS token expired at {_text(self.expiry)}")
        if self.start is not None and now < self.start:
            raise JobFailure("AuthenticationFailed", "The SAS token is not valid yet")
        if missing := [letter for letter in needed if letter not in self.permissions]:
            names = ", ".join(missing)
            raise JobFailure("AuthorizationPermissionMismatch", f"The SAS token lacks the permissions: {names}")


def parse(token: str) -> Sas:
    """Read a token, with or without its leading question mark."""
    token = token.removeprefix("?")
    fields = dict(parse_qsl(token))
    if "se" not in fields:
        raise errors.malformed_sas("The SAS token does not contain the expiry field")
    return Sas(
        token=token,
        expiry=_moment(fields["se"], "expiry"),
        start=_moment(fields["st"], "start") if "st" in fields else None,
        permissions=fields.get("sp", ""),
        is_signed="sig" in fields,
    )


def issue(signature: str, now: float) -> str:
    """Return a token with every permission on a container, good for a week.

    :param signature: Anything: the emulator keeps the container itself, and believes what a token says.
    :param now: The time in unix seconds.
    """
    fields = {
        "sv": _STORAGE_VERSION,
        "sr": "c",
        "sp": "rcwdl",
        "st": _text(now - _EARLIER),
        "se": _text(now + _LATER),
        "sig": signature,
    }
    return urlencode(fields)


def _text(moment: float) -> str:
    return f"{datetime.fromtimestamp(moment, timezone.utc):%Y-%m-%dT%H:%M:%SZ}"


def _moment(text: str, field: str) -> float:
    # Storage takes a date, or a time in UTC that ends with Z.
    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
        return (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).timestamp()
    except (ValueError, OverflowError) as error:
        raise errors.malformed_sas(f"The {field} field of the SAS token is not a date") from error
