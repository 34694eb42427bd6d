"""SAS tokens: malformed ones are refused, those that storage would refuse fail the job, all others are believed."""

from __future__ import annotations

import re

import pytest

from azure.keyvault.administration.emulator._domain import sas
from azure.keyvault.administration.emulator._domain.errors import ServiceError
from azure.keyvault.administration.emulator._domain.jobs import JobFailure

NOW = 1_777_777_777.0  # May 2026
SIGNED = "sv=2025-01-05&sr=c&sp=racwdl&sig=x%3D"
GOOD = f"{SIGNED}&se=2099-01-01"
EXPIRY, START = "The expiry field of the SAS token is not a date", "The start field of the SAS token is not a date"


def check(token: str, needed: str = sas.BACKUP_PERMISSIONS) -> None:
    sas.parse(token).check(NOW, needed)


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        ("bad_token", "The SAS token does not contain the expiry field"),
        ("se=&sig=x", "The SAS token does not contain the expiry field"),
        ("se=2099-01-01&st=1&sig=x", START),
        ("se=tomorrow&sig=x", EXPIRY),
        ("se=0001-01-01T00:00%2B14:00&sig=x", EXPIRY),
        ("se=2099-01-01T00:00:00&sig=x", EXPIRY),
        ("se=2099-W01-1&sig=x", EXPIRY),
        ("se=20990101&sig=x", EXPIRY),
        ("se=2099-13-01&sig=x", EXPIRY),
        ("se=2099-01-01T25:00Z&sig=x", EXPIRY),
        ("se=2099-01-01 00:00Z&sig=x", EXPIRY),
        ("se=2099-01-01%0A&sig=x", EXPIRY),
        ("se=2099-01-01T00:00:00.%D9%A2Z&sig=x", EXPIRY),
    ],
)
def test_malformed_token_is_refused(token: str, reason: str) -> None:
    message = f"400 BadRequest: The customer provided SAS token is malformed. {reason}"
    with pytest.raises(ServiceError, match=f"^{re.escape(message)}$"):
        sas.parse(token)


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        (f"{SIGNED}&se=2022-05-09T21:46:20Z", "expired at 2022-05-09T21:46:20Z"),
        (f"?{SIGNED}&se=2022-05-09", "expired at 2022-05-09T00:00:00Z"),
        (f"{SIGNED}&se=0001-01-01", "expired at 0001-01-01T00:00:00Z"),
        (f"{SIGNED}&se=1969-12-31T23:59Z", "expired at 1969-12-31T23:59:00Z"),
        (f"{SIGNED}&se=2022-05-09T21:46:20.0000000Z", "expired at 2022-05-09T21:46:20Z"),
        (f"{GOOD}&st=2098-01-01", "is not valid yet"),
        (GOOD.replace("&sig=x%3D", ""), "has no signature"),
        (f"'{GOOD}'", "is in quotation marks"),
        (f'"{GOOD}"', "is in quotation marks"),
        (f"\u201c{GOOD}\u201d", "is in quotation marks"),
        (f'{GOOD}"', "is in quotation marks"),
        (f"https://contoso.blob.core.windows.net/backups?{GOOD}", "is a whole URL"),
        (f"{GOOD}&skt=2022-05-01&ske=2022-05-08", "is signed with a key that expired at 2022-05-08T00:00:00Z"),
        (f"{GOOD}&skt=2098-01-01&ske=2098-01-08", "is signed with a key that is not valid yet"),
        (f"{GOOD}&skt=2022-05-01&ske=tomorrow", "has a date that storage cannot read in ske"),
        (f"{GOOD}&skt=1&ske=2098-01-08", "has a date that storage cannot read in skt"),
        (GOOD.replace("sv=2025-01-05", "sv=new"), "has a version that is not a date"),
        (f"{GOOD}&spr=http", "must allow HTTPS"),
        (f"{GOOD}&spr=", "must allow HTTPS"),
    ],
)
def test_invalid_token_fails_the_job(token: str, reason: str) -> None:
    with pytest.raises(JobFailure, match=f"^AuthenticationFailed: The SAS token {re.escape(reason)}$"):
        check(token)


@pytest.mark.parametrize(
    "scope", ["sr=b", "sr=d", "sr=bs", "ss=b&srt=s", "ss=b&srt=o", "ss=b&srt=sc", "ss=fqt&srt=sco"]
)
def test_token_for_less_than_the_container_fails_the_job(scope: str) -> None:
    with pytest.raises(JobFailure, match=r"AuthorizationResourceTypeMismatch: .* is not for a whole container"):
        check(GOOD.replace("sr=c", scope))


@pytest.mark.parametrize(("needed", "missing"), [(sas.BACKUP_PERMISSIONS, "c, d, w"), (sas.RESTORE_PERMISSIONS, "l")])
def test_token_without_a_permission_fails_the_job(needed: str, missing: str) -> None:
    with pytest.raises(JobFailure, match=f"^AuthorizationPermissionMismatch: .* lacks the permissions: {missing}$"):
        check(GOOD.replace("sp=racwdl", "sp=r"), needed)


@pytest.mark.parametrize(
    "token",
    [
        f"?se=2099-01-01&{SIGNED}",
        f"{GOOD}T00:00Z",
        GOOD.replace("sr=c", "ss=bf&srt=sco"),
        f"{GOOD}&skoid=a&sktid=b&skt=2022-05-01T00:00:00Z&ske=2098-01-08T00:00:00Z&sks=b&skv=2025-01-05",
        f"{GOOD}&spr=https",
        f"{GOOD}&spr=https,http",
        f"{GOOD}&sip=0.0.0.0-255.255.255.255",
    ],
)
def test_every_kind_of_token_that_covers_the_container_is_accepted(token: str) -> None:
    check(token)


def test_issued_token_is_valid_from_now_for_a_week() -> None:
    token = sas.issue("signature", NOW)

    sas.parse(token).check(NOW, sas.BACKUP_PERMISSIONS + sas.RESTORE_PERMISSIONS)
    for moment, reason in {NOW + 7 * 86400: "expired", NOW - 3600: "is not valid yet"}.items():
        with pytest.raises(JobFailure, match=f"AuthenticationFailed: The SAS token {reason}"):
            sas.parse(token).check(moment, "")


def test_redaction_hides_the_signature_in_every_form() -> None:
    token = sas.parse("se=2099-01-01&sig=CANARY/canary%2BCANARY%3D")
    quoted = "CANARY/canary+CANARY= CANARY%2Fcanary%2BCANARY%3D CANARY/canary%2BCANARY%3D SIG=other&sp=r"

    assert sas.redact(quoted, token) == "REDACTED REDACTED REDACTED sig=REDACTED&sp=r"
    assert sas.redact("x sig=", sas.parse("se=2099-01-01&sig=x")) == "x sig="
