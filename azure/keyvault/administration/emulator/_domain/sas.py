"""What a shared access signature says about itself; only the storage service can check the signature."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from urllib.parse import parse_qsl, quote, urlencode

from . import errors
from .jobs import JobFailure

BACKUP_PERMISSIONS = "crdw"
RESTORE_PERMISSIONS = "rl"
_STORAGE_VERSION = "2025-01-05"
_EARLIER = timedelta(minutes=15)
_LATER = timedelta(days=7)

# Storage takes a date, or a time in UTC with or without seconds and their fraction.
_MOMENT = re.compile(r"(?P<day>\d{4}-\d\d-\d\d)(T(?P<minute>\d\d:\d\d)(?P<second>:\d\d)?(\.\d{1,7})?Z)?", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
# Where a token is quoted, it need not be this one.
_QUOTED_SIGNATURE = re.compile(r"sig=[^&\s]+", re.IGNORECASE)
# Anything shorter is not a signature, and may be part of any word.
_SHORTEST_SIGNATURE = 8


@dataclass(frozen=True, slots=True, repr=False)
class Sas:
    """A SAS token that has at least an expiry."""

    token: str
    expiry: datetime
    start: datetime | None
    permissions: str
    signature: str

    def check(self, now: float, needed: str) -> None:
        """Fail the job if storage would refuse the token.

        :param now: The time in unix seconds.
        :param needed: The letters of the permissions that the job needs.
        """
        if not self.signature:
            raise JobFailure("AuthenticationFailed", "The SAS token has no signature")
        if now >= _seconds(self.expiry):
            raise JobFailure("AuthenticationFailed", f"The SAS token expired at {_text(self.expiry)}")
        if self.start is not None and now < _seconds(self.start):
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
        signature=fields.get("sig", ""),
    )


def issue(signature: str, now: float) -> str:
    """Return a token with every permission on a container, good for a week.

    :param signature: Anything: the emulator keeps the container itself, and believes what a token says.
    :param now: The time in unix seconds.
    """
    moment = _EPOCH + timedelta(seconds=now)
    fields = {
        "sv": _STORAGE_VERSION,
        "sr": "c",
        "sp": "rcwdl",
        "st": _text(moment - _EARLIER),
        "se": _text(moment + _LATER),
        "sig": signature,
    }
    return urlencode(fields)


def redact(text: str, sas: Sas | None) -> str:
    """Return a text without signatures: that of a token in whatever form it is quoted, and any that looks like one."""
    signature = sas.signature if sas else ""
    for form in (signature, quote(signature, safe=""), quote(signature)):
        if len(form) >= _SHORTEST_SIGNATURE:
            text = text.replace(form, "REDACTED")
    return _QUOTED_SIGNATURE.sub("sig=REDACTED", text)


def _text(moment: datetime) -> str:
    return moment.replace(tzinfo=None).isoformat(timespec="seconds") + "Z"


def _moment(text: str, field: str) -> datetime:
    malformed = errors.malformed_sas(f"The {field} field of the SAS token is not a date")
    if not (found := _MOMENT.fullmatch(text)):
        raise malformed
    try:
        return datetime.fromisoformat(f"{found['day']}T{found['minute'] or '00:00'}{found['second'] or ':00'}+00:00")
    except ValueError as error:
        raise malformed from error


def _seconds(moment: datetime) -> float:
    # Not timestamp(): every date has this, on every system.
    return (moment - _EPOCH).total_seconds()
