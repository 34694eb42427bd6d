"""Keys: what may be asked for, and what becomes of a key over time."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from . import errors
from .records import Key, KeyVersion

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_T = TypeVar("_T")

RECOVERABLE_DAYS = 7
RECOVERY_LEVEL = "CustomizedRecoverable+Purgeable"
MAX_KEYS = 5000
MAX_VERSIONS = 100

_NAME = re.compile("[0-9a-zA-Z-]{1,127}")
_RETENTION = RECOVERABLE_DAYS * 86400

_HSM = "-HSM"
_RSA_SIZES = (2048, 3072, 4096)
_RSA_EXPONENTS = (65537, 3)
_OCT_SIZES = (256, 192, 128)
_CURVES = ("P-256", "P-384", "P-521", "P-256K")

# In the order in which the service has shown them.
_DEFAULT_OPERATIONS = {
    "RSA": ("wrapKey", "decrypt", "encrypt", "unwrapKey", "sign", "verify"),
    "EC": ("verify", "deriveKey", "sign"),
    "oct": ("deriveKey", "wrapKey", "verify", "sign", "unwrapKey", "encrypt", "decrypt"),
}
# What any key may be meant for, as well as what its kind can do.
_TRANSFERS = ("import", "export")


@dataclass(frozen=True, slots=True)
class KeySpec:
    """What kind of key to make; what does not belong to the kind is zero or empty."""

    family: str
    size: int = 0
    exponent: int = 0
    curve: str = ""

    @property
    def kty(self) -> str:
        """The kind as it is stored: an HSM knows no soft keys."""
        return f"{self.family}{_HSM}"


def parse_spec(kty: str, *, size: int | None, exponent: int | None, curve: str | None) -> KeySpec:
    """Return what a caller asks for, with the service's defaults."""
    family = kty.removesuffix(_HSM)
    given = {"key_size": size, "public_exponent": exponent, "crv": curve}
    if family == "RSA":
        _refuse(given, "crv", kty)
        return KeySpec(
            family,
            size=_choose("key_size", size, _RSA_SIZES),
            exponent=_choose("public_exponent", exponent, _RSA_EXPONENTS),
        )
    if family == "EC":
        _refuse(given, "key_size", kty)
        _refuse(given, "public_exponent", kty)
        return KeySpec(family, curve=_choose("crv", curve, _CURVES))
    if family == "oct":
        _refuse(given, "crv", kty)
        _refuse(given, "public_exponent", kty)
        return KeySpec(family, size=_choose("key_size", size, _OCT_SIZES))
    raise errors.bad_parameter(f"The kty {kty!a} is not supported")


def parse_operations(operations: Sequence[str] | None, kty: str) -> tuple[str, ...]:
    """Return what a key may be used for: what is asked for, as far as its kind can do it, or else everything."""
    default = _DEFAULT_OPERATIONS[kty.removesuffix(_HSM)]
    if operations is None:
        return default
    for each in operations:
        if each not in default and each not in _TRANSFERS:
            raise errors.bad_parameter(f"A key of the kty {kty} cannot be used for the key operation {each!a}")
    return tuple(dict.fromkeys(operations))


def check_validity(not_before: int | None, expires: int | None) -> None:
    """Refuse a time in which no key can be used.

    :param not_before: From when on, in unix seconds.
    :param expires: Until when.
    """
    for name, moment in (("nbf", not_before), ("exp", expires)):
        if moment is not None and moment < 0:
            raise errors.bad_parameter(f"{name} must not be negative, got {moment}")
    if not_before is not None and expires is not None and expires <= not_before:
        raise errors.bad_parameter(f"exp must be later than nbf, got {expires} and {not_before}")


def _refuse(given: Mapping[str, object], name: str, kty: str) -> None:
    if given[name] is not None:
        raise errors.bad_parameter(f"{name} has no meaning for the kty {kty}")


def _choose(name: str, value: _T | None, choices: tuple[_T, ...]) -> _T:
    """Return the value, which must be one of the choices; the first choice is the default."""
    if value is None:
        return choices[0]
    if value not in choices:
        raise errors.bad_parameter(f"{name} must be one of {', '.join(map(str, choices))}")
    return value


# A key over time.


def purge_time(now: float) -> int:
    """Return the time at or before which a key must have been deleted to be gone by now."""
    return int(now) - _RETENTION


def scheduled_purge(deleted: int) -> int:
    return deleted + _RETENTION


def check_room(name: str, existing: Key | None, count: int) -> None:
    """Refuse a new version of a key, or a new key, where there is no room for it."""
    if existing is None:
        if count >= MAX_KEYS:
            raise errors.key_limit(f"No more than {MAX_KEYS} keys are allowed")
        return
    if existing.deleted is not None:
        raise errors.key_is_deleted(name)
    if len(existing.versions) >= MAX_VERSIONS:
        raise errors.key_limit(f"No more than {MAX_VERSIONS} versions of a key are allowed")


def with_version(name: str, existing: Key | None, version: KeyVersion) -> Key:
    return Key(name, ((*existing.versions, version) if existing else (version,)))


def find_version(key: Key, version: str, url: str) -> KeyVersion:
    """Return a version of a key, the newest where none is named."""
    if not version:
        return key.versions[-1]
    for each in key.versions:
        if each.version == version:
            return each
    raise errors.key_not_found(url)


def with_changed_version(key: Key, changed: KeyVersion) -> Key:
    return replace(key, versions=tuple(changed if each.version == changed.version else each for each in key.versions))


def parse_last_listed(token: str | None) -> str:
    """Return the key after which a list continues; the key itself may be gone by now."""
    if token is None:
        return ""
    if not _NAME.fullmatch(token):
        raise errors.bad_parameter("The $skiptoken is not one of this list")
    return token
