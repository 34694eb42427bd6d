"""Operations with private keys, and random bytes."""

from __future__ import annotations

import asyncio
import secrets
from functools import partial
from typing import TYPE_CHECKING, Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from ..._domain import algorithms, base64url, errors, key_material, keys
from ..operation import Result
from .keys import find

if TYPE_CHECKING:
    from ..._domain.algorithms import Members
    from ..._domain.key_material import PrivateKey
    from ..._hsm.hsm import Hsm
    from ..operation import Call, Handler

# With a larger RSA key or a longer value, an operation takes more than a millisecond, so it runs in a thread.
_FAST_BITS = 2048
_FAST_BYTES = 2048
_MOST_RANDOM_BYTES = 128

# In addition to alg and value.
_PARAMETERS = {"sign": (), "verify": ("digest",)}
_PARAMETERS_OF_ENCRYPTIONS = ("aad", "iv", "tag")


def key_operation(operation: str) -> Handler:
    """Return the handler of an operation, by its name in ``key_ops``."""

    async def handle(hsm: Hsm, call: Call) -> Result:
        with call.body as body:
            name = body.required_text("alg")
            given = {"value": body.required_binary("value")}
            for parameter in _PARAMETERS.get(operation, _PARAMETERS_OF_ENCRYPTIONS):
                content = body.required_binary(parameter) if operation == "verify" else body.binary(parameter)
                if content is not None:
                    given[parameter] = content
        key, version = find(hsm, call)
        keys.check_use(version, operation, call.now)
        if version.secret is None:
            raise errors.no_private_key()
        private = key_material.load(version.secret, version.kty)
        algorithm = algorithms.choose(name, operation, version.kty.removesuffix("-HSM"), private)
        algorithm.check(operation, given)
        work = partial(_compute, operation, algorithm, private, given)
        if _is_fast(private, given):
            made = work()
        else:
            made = await asyncio.to_thread(work)
            call.admit_again()
        kid = f"{call.base_url}/keys/{key.name}/{version.version}"
        return Result(dict(sorted({"alg": name, "kid": kid, **made}.items())))

    return handle


async def random_bytes(_hsm: Hsm, call: Call) -> Result:
    with call.body as body:
        count = body.integer("count")
    if count is None or not 1 <= count <= _MOST_RANDOM_BYTES:
        raise errors.bad_parameter(
            f"GetRandomBytesRequest: count cannot be greater than {_MOST_RANDOM_BYTES} or less than 1"
        )
    return Result({"value": base64url.encode(secrets.token_bytes(count))})


def _compute(operation: str, algorithm: algorithms.Algorithm, key: PrivateKey, given: Members) -> dict[str, Any]:
    if operation in {"decrypt", "unwrapKey"}:
        try:
            return {"value": base64url.encode(algorithm.backward(key, given))}
        except algorithms.FAILURES:
            # Without the cause, so that a traceback does not show what failed.
            raise errors.decryption_failed() from None
    if operation == "verify":
        try:
            algorithm.backward(key, given)
        except InvalidSignature:
            return {"value": False}
        return {"value": True}
    try:
        made = algorithm.forward(key, given)
    except ValueError as error:
        raise errors.bad_parameter(f"The value has a length with which {operation} does not work here") from error
    return {member: base64url.encode(content) for member, content in made.items()}


def _is_fast(key: PrivateKey, given: Members) -> bool:
    is_large = isinstance(key, RSAPrivateKey) and key.key_size > _FAST_BITS
    return not is_large and max(map(len, given.values())) <= _FAST_BYTES
