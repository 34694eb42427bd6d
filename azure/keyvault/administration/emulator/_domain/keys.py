"""The rules for keys: valid requests, and the lifetime of a key."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

from . import base64url, errors
from .key_material import CURVES, ED25519, LEAST_EXPONENT, RSA_SIZES
from .records import Key, KeyVersion

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_T = TypeVar("_T")

RECOVERABLE_DAYS = 7
RECOVERY_LEVEL = "CustomizedRecoverable+Purgeable"
MAX_KEYS = 5000
MAX_VERSIONS = 100
MAX_TAGS = 15
MAX_TAG_LENGTH = 256

_NAME = re.compile("[0-9a-zA-Z-]{1,127}")
_RETENTION = RECOVERABLE_DAYS * 86400

_HSM = "-HSM"
_RSA_EXPONENT = 65537
_OCT_SIZES = (256, 192, 128)

_PARAMETERS = {"RSA": {"key_size", "public_exponent"}, "EC": {"crv"}, "oct": {"key_size"}, "OKP": {"crv"}}
# In the service's order.
_DEFAULT_OPERATIONS = {
    "RSA": ("wrapKey", "decrypt", "encrypt", "unwrapKey", "sign", "verify"),
    "EC": ("verify", "deriveKey", "sign"),
    "oct": ("deriveKey", "wrapKey", "verify", "sign", "unwrapKey", "encrypt", "decrypt"),
    "OKP": ("sign", "verify"),
}
_SECURE_WRAPPING = {"secureWrapKey", "secureUnwrapKey"}
# Operations for which a key of any kind can be meant.
_TRANSFERS = {"import", "export"} | _SECURE_WRAPPING
# Data that was encrypted or signed while a key was valid can be decrypted and verified afterwards.
_TIMELESS = {"decrypt", "unwrapKey", "verify"}
_POLICY_TYPE = "application/json; charset=utf-8"


@dataclass(frozen=True, slots=True)
class KeySpec:
    """The kind of a new key; parameters that it does not have are zero or empty."""

    family: str
    size: int = 0
    exponent: int = 0
    curve: str = ""

    @property
    def kty(self) -> str:
        """The stored kind: an HSM has no software keys."""
        return f"{self.family}{_HSM}"


def parse_spec(kty: str, *, size: int | None, exponent: int | None, curve: str | None) -> KeySpec:
    """Return the kind of key in a request, with the service's defaults."""
    family = parse_family(kty)
    # Clients in some languages always send public_exponent, as 0 for other kinds.
    given = {"key_size": size, "public_exponent": exponent or None, "crv": curve}
    for name, value in given.items():
        if value is not None and name not in _PARAMETERS[family]:
            raise errors.bad_parameter(f"{name} has no meaning for the kty {kty}")
    if family == "RSA":
        return KeySpec(family, size=_choose("key_size", size, RSA_SIZES), exponent=_exponent(exponent))
    if family == "oct":
        if size is not None and size not in _OCT_SIZES:
            raise errors.bad_parameter(f"Invalid key size: '{size}'")
        return KeySpec(family, size=size or _OCT_SIZES[0])
    return KeySpec(family, curve=_choose("crv", curve, (ED25519,) if family == "OKP" else tuple(CURVES)))


def parse_family(kty: str) -> str:
    """Return the kind of key without its suffix, which some callers omit."""
    family = "oct" if kty == "AES" else kty.removesuffix(_HSM)
    if family not in _DEFAULT_OPERATIONS:
        raise errors.bad_parameter(f"The kty {kty!a} is not supported")
    return family


def same_spec(version: KeyVersion) -> KeySpec:
    """Return the kind of key of a version, for a new version like it."""
    family = version.kty.removesuffix(_HSM)
    public = version.public
    return KeySpec(
        family,
        size=_bits(public["n"]) if family == "RSA" else symmetric_size(version) or _OCT_SIZES[0],
        exponent=int.from_bytes(base64url.decode(public["e"]), "big") if family == "RSA" else 0,
        curve=public.get("crv", ""),
    )


def symmetric_size(version: KeyVersion) -> int | None:
    """Return the bits of a symmetric key; None for other kinds and without a private half."""
    return _bits(version.secret) if version.secret and version.kty == f"oct{_HSM}" else None


def _bits(text: str) -> int:
    return len(base64url.decode(text)) * 8


def _exponent(exponent: int | None) -> int:
    if not exponent:
        return _RSA_EXPONENT
    if exponent < LEAST_EXPONENT or exponent % 2 == 0:
        raise errors.bad_parameter(f"public_exponent must be an odd number, {LEAST_EXPONENT} or larger")
    return exponent


def parse_operations(operations: Sequence[str] | None, kty: str) -> tuple[str, ...]:
    """Return the operations that a key is meant for; all that its kind can do by default."""
    default = _DEFAULT_OPERATIONS[kty.removesuffix(_HSM)]
    if operations is None:
        return default
    for each in operations:
        if each not in default and each not in _TRANSFERS:
            raise errors.bad_parameter(f"A key of the kty {kty} cannot be used for the key operation {each!a}")
    return tuple(dict.fromkeys(operations))


def check_validity(not_before: int | None, expires: int | None) -> None:
    """Refuse an empty or negative validity period."""
    for name, moment in (("nbf", not_before), ("exp", expires)):
        if moment is not None and moment < 0:
            raise errors.bad_parameter(f"{name} must not be negative, got {moment}")
    if not_before is not None and expires is not None and expires <= not_before:
        raise errors.bad_parameter(f"exp must be later than nbf, got {expires} and {not_before}")


def check_tags(tags: Mapping[str, str]) -> None:
    """Refuse too many or too long tags."""
    if len(tags) > MAX_TAGS or any(len(part) > MAX_TAG_LENGTH for tag in tags.items() for part in tag):
        raise errors.bad_parameter(f"A key has up to {MAX_TAGS} tags of up to {MAX_TAG_LENGTH} characters")


def parse_release_policy(content_type: str | None, data: str | None, immutable: bool | None) -> dict[str, Any]:
    """Return a release policy in the service's form: compact, with defaults."""
    try:
        policy: object = json.loads(base64url.decode(data or ""))
    except (ValueError, RecursionError) as error:
        raise errors.bad_parameter("Key Release Policy: data is not a JSON object in base64url") from error
    if not isinstance(policy, dict):
        raise errors.bad_parameter("Key Release Policy: data is not a JSON object in base64url")
    if "version" not in policy:
        raise errors.bad_parameter("Key Release Policy: missing 'version' property")
    return {
        "contentType": content_type or _POLICY_TYPE,
        "data": base64url.encode(json.dumps(policy, separators=(",", ":")).encode()),
        "immutable": bool(immutable),
    }


def check_export(version: KeyVersion) -> None:
    """Refuse an exportable key without a release policy, and a release policy for any other key."""
    if version.exportable and version.release_policy is None:
        raise errors.bad_parameter("Exportable keys must have release policy")
    is_wrapped = not _SECURE_WRAPPING.isdisjoint(version.operations)
    if version.release_policy is not None and not (version.exportable or is_wrapped):
        raise errors.bad_parameter("Non-exportable keys must not have release policy")


def check_use(version: KeyVersion, operation: str, now: float) -> None:
    """Refuse an operation that a key does not allow, or not at this time."""
    if not version.enabled:
        raise errors.key_use_refused(operation, "not allowed on a disabled key", "KeyDisabled")
    if operation not in version.operations:
        raise errors.key_use_refused(operation, "not permitted on this key", "KeyOperationForbidden")
    is_early = version.not_before is not None and now < version.not_before
    if operation not in _TIMELESS and (is_early or (version.expires is not None and now >= version.expires)):
        state = "a key that is not yet valid" if is_early else "an expired key"
        raise errors.key_use_refused(operation, f"not allowed on {state}", "KeyNotYetValidOrExpired")


def _choose(name: str, value: _T | None, choices: tuple[_T, ...]) -> _T:
    """Return the value if it is one of the choices; the first one is the default."""
    if value is None:
        return choices[0]
    if value not in choices:
        raise errors.bad_parameter(f"{name} must be one of {', '.join(map(str, choices))}")
    return value


# A key over time.


def purge_time(now: float) -> int:
    """Return the time of deletion up to which deleted keys are purged by now."""
    return int(now) - _RETENTION


def scheduled_purge(deleted: int) -> int:
    return deleted + _RETENTION


def check_room(name: str, existing: Key | None, count: int) -> None:
    """Refuse a new key or version beyond the limits, or under the name of a deleted key."""
    if existing is None:
        if count >= MAX_KEYS:
            raise errors.key_limit(f"No more than {MAX_KEYS} keys are allowed")
        return
    if existing.deleted is not None:
        raise errors.key_is_deleted(name)
    if len(existing.versions) >= MAX_VERSIONS:
        raise errors.key_limit(f"No more than {MAX_VERSIONS} versions of a key are allowed")


def with_version(name: str, existing: Key | None, version: KeyVersion) -> Key:
    return replace(existing, versions=(*existing.versions, version)) if existing else Key(name, (version,))


def find_version(key: Key, version: str, url: str) -> KeyVersion:
    """Return a version of a key, by default the newest."""
    if not version:
        return key.versions[-1]
    for each in key.versions:
        if each.version == version:
            return each
    raise errors.key_not_found(url)


def with_changed_version(key: Key, changed: KeyVersion) -> Key:
    return replace(key, versions=tuple(changed if each.version == changed.version else each for each in key.versions))


def parse_name_token(token: str | None) -> str:
    """Return the name after which a list continues; that key may be gone."""
    if token is None:
        return ""
    if not _NAME.fullmatch(token):
        raise errors.bad_parameter("The $skiptoken is not one of this list")
    return token
