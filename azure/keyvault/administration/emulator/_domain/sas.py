"""The fields of a shared access signature; only the storage service can check the signature itself."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, quote, urlencode

from . import errors
from .jobs import JobFailure

if TYPE_CHECKING:
    from collections.abc import Mapping

BACKUP_PERMISSIONS = "crdw"
RESTORE_PERMISSIONS = "rl"
_STORAGE_VERSION = "2025-01-05"
_EARLIER = timedelta(minutes=15)
_LATER = timedelta(days=7)

# Storage accepts a date, or a time in UTC with or without seconds and their fraction.
_MOMENT = re.compile(r"(?P<day>\d{4}-\d\d-\d\d)(T(?P<minute>\d\d:\d\d)(?P<second>:\d\d)?(\.\d{1,7})?Z)?", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
# Of shells, configuration files and word processors.
_QUOTATION_MARKS = "\"'\u2018\u2019\u201c\u201d"
# The protocols that a token can allow, in the only form that storage accepts.
_PROTOCOLS = {"https", "https,http"}
# An error can also quote other tokens.
_QUOTED_SIGNATURE = re.compile(r"sig=[^&\s]+", re.IGNORECASE)
# Anything shorter is not a signature, and could be part of any word.
_SHORTEST_SIGNATURE = 8


@dataclass(frozen=True, slots=True, repr=False)
class Sas:
    """A SAS token that has at least an expiry."""

    token: str
    expiry: datetime
    start: datetime | None
    fields: Mapping[str, str]

    @property
    def signature(self) -> str:
        return self.fields.get("sig", "")

    def check(self, now: float, needed: str) -> None:
        """Fail the job if storage would certainly refuse the token, or if it lacks permissions (their letters)."""
        if reason := self._invalidity(now):
            raise JobFailure("AuthenticationFailed", f"The SAS token {reason}")
        if not self._covers_container():
            raise JobFailure("AuthorizationResourceTypeMismatch", "The SAS token is not for a whole container")
        if missing := [letter for letter in needed if letter not in self.fields.get("sp", "")]:
            names = ", ".join(missing)
            raise JobFailure("AuthorizationPermissionMismatch", f"The SAS token lacks the permissions: {names}")

    def _invalidity(self, now: float) -> str:
        """Return the reason why the token is invalid for any purpose, or an empty text."""
        reasons = {
            "is in quotation marks": self.token.strip(_QUOTATION_MARKS) != self.token,
            "is a whole URL": "://" in self.token,
            "has no signature": not self.signature,
            f"expired at {_text(self.expiry)}": now >= _seconds(self.expiry),
            "is not valid yet": self.start is not None and now < _seconds(self.start),
            "has a version that is not a date": not _MOMENT.fullmatch(self.fields.get("sv", _STORAGE_VERSION)),
            "must allow HTTPS": self.fields.get("spr", "https") not in _PROTOCOLS,
        }
        return next((reason for reason, applies in reasons.items() if applies), self._key_invalidity(now))

    def _key_invalidity(self, now: float) -> str:
        """Return the reason why the key of a user delegation SAS is invalid; it has its own validity period."""
        moments: dict[str, datetime] = {}
        for field in ("skt", "ske"):
            if text := self.fields.get(field):
                moment = _read_moment(text)
                if moment is None:
                    return f"has a date that storage cannot read in {field}"
                moments[field] = moment
        if "ske" in moments and now >= _seconds(moments["ske"]):
            return f"is signed with a key that expired at {_text(moments['ske'])}"
        if "skt" in moments and now < _seconds(moments["skt"]):
            return "is signed with a key that is not valid yet"
        return ""

    def _covers_container(self) -> bool:
        """Return whether the token is for a container and its blobs; an account SAS names services and types."""
        types = self.fields.get("srt")
        if types is not None:
            return "b" in self.fields.get("ss", "") and {"c", "o"} <= set(types)
        return self.fields.get("sr", "c") == "c"


def parse(token: str) -> Sas:
    """Return the fields of a token, with or without its leading question mark."""
    token = token.removeprefix("?")
    fields = dict(parse_qsl(token.strip(_QUOTATION_MARKS), keep_blank_values=True))
    if not fields.get("se"):
        raise errors.malformed_sas("The SAS token does not contain the expiry field")
    return Sas(
        token=token,
        expiry=_moment(fields["se"], "expiry"),
        start=_moment(fields["st"], "start") if fields.get("st") else None,
        fields=fields,
    )


def issue(signature: str, now: float) -> str:
    """Return a token with all permissions on a container, valid for a week.

    :param signature: Any text: the emulator keeps the container itself, and does not check signatures.
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
    """Return a text without signatures: that of a token in any form, and everything that looks like one."""
    signature = sas.signature if sas else ""
    for form in (signature, quote(signature, safe=""), quote(signature)):
        if len(form) >= _SHORTEST_SIGNATURE:
            text = text.replace(form, "REDACTED")
    return _QUOTED_SIGNATURE.sub("sig=REDACTED", text)


def _text(moment: datetime) -> str:
    return moment.replace(tzinfo=None).isoformat(timespec="seconds") + "Z"


def _moment(text: str, field: str) -> datetime:
    moment = _read_moment(text)
    if moment is None:
        raise errors.malformed_sas(f"The {field} field of the SAS token is not a date")
    return moment


def _read_moment(text: str) -> datetime | None:
    if not (found := _MOMENT.fullmatch(text)):
        return None
    try:
        return datetime.fromisoformat(f"{found['day']}T{found['minute'] or '00:00'}{found['second'] or ':00'}+00:00")
    except ValueError:
        return None


def _seconds(moment: datetime) -> float:
    # timestamp() fails for some dates on some systems.
    return (moment - _EPOCH).total_seconds()
