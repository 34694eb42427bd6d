"""What is done with the private half of a key; and random numbers, which need none."""

from __future__ import annotations

import asyncio
import secrets
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from ..._domain import algorithms, base64url, errors, key_material, keys
from ..operation import Answer
from .keys import find

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..._domain.key_material import PrivateKey
    from ..._hsm.hsm import Hsm
    from ..operation import Call, Handler

_T = TypeVar("_T")

# With a larger key or a longer value, an operation takes more than a millisecond.
_FAST_BITS = 2048
_FAST_BYTES = 2048
_MOST_RANDOM_BYTES = 128


def encrypting(operation: str) -> Handler:
    """Return the handler of an operation that encrypts, by its name in ``key_ops``."""

    async def handle(hsm: Hsm, call: Call) -> Answer:
        name, inputs = _read_inputs(call)
        use = _Use(hsm, call, operation)
        algorithm = algorithms.choose(algorithms.ENCRYPTIONS, name, operation, use.family, use.key)
        algorithm.check(inputs, name, encrypts=True)
        try:
            made = await use.run(inputs.value, partial(algorithm.encrypt, use.key, inputs))
        except ValueError as error:
            raise errors.bad_parameter(f"The value has a length that {name} cannot encrypt with this key") from error
        return use.answer(name, **{member: base64url.encode(content) for member, content in made.items()})

    return handle


def decrypting(operation: str) -> Handler:
    """Return the handler of an operation that decrypts, by its name in ``key_ops``."""

    async def handle(hsm: Hsm, call: Call) -> Answer:
        name, inputs = _read_inputs(call)
        use = _Use(hsm, call, operation)
        algorithm = algorithms.choose(algorithms.ENCRYPTIONS, name, operation, use.family, use.key)
        algorithm.check(inputs, name, encrypts=False)
        try:
            value = await use.run(inputs.value, partial(algorithm.decrypt, use.key, inputs))
        except algorithms.FAILURES:
            # Without the cause: a traceback would tell what failed.
            raise errors.decryption_failed() from None
        return use.answer(name, value=base64url.encode(value))

    return handle


async def sign(hsm: Hsm, call: Call) -> Answer:
    with call.body as body:
        name = body.required_text("alg")
        digest = body.required_binary("value")
    use = _Use(hsm, call, "sign")
    algorithm = algorithms.choose(algorithms.SIGNATURES, name, "sign", use.family, use.key)
    algorithm.check(digest, name)
    try:
        signature = await use.run(digest, partial(algorithm.sign, use.key, digest))
    except ValueError as error:
        raise errors.bad_parameter(f"The value has a length that {name} cannot sign with this key") from error
    return use.answer(name, value=base64url.encode(signature))


async def verify(hsm: Hsm, call: Call) -> Answer:
    with call.body as body:
        name = body.required_text("alg")
        digest = body.required_binary("digest")
        signature = body.required_binary("value")
    use = _Use(hsm, call, "verify")
    algorithm = algorithms.choose(algorithms.SIGNATURES, name, "verify", use.family, use.key)
    algorithm.check(digest, name)
    try:
        await use.run(digest, partial(algorithm.verify, use.key, digest, signature))
    except InvalidSignature:
        return use.answer(name, value=False)
    return use.answer(name, value=True)


async def random_bytes(_hsm: Hsm, call: Call) -> Answer:
    with call.body as body:
        count = body.integer("count")
    if count is None or not 1 <= count <= _MOST_RANDOM_BYTES:
        raise errors.bad_parameter(
            f"GetRandomBytesRequest: count cannot be greater than {_MOST_RANDOM_BYTES} or less than 1"
        )
    return Answer({"value": base64url.encode(secrets.token_bytes(count))})


class _Use:
    """One use of a key that is there, and may be used in this way."""

    def __init__(self, hsm: Hsm, call: Call, operation: str) -> None:
        key, version = find(hsm, call)
        keys.check_use(version, operation, call.now)
        if version.secret is None:
            raise errors.no_private_key()
        self.key: PrivateKey = key_material.load(version.secret, version.kty)
        self.family = version.kty.removesuffix("-HSM")
        self._call = call
        self._kid = f"{call.base_url}/keys/{key.name}/{version.version}"

    async def run(self, value: bytes, work: Callable[[], _T]) -> _T:
        """Return what the work returns, which is done in a thread if it takes long."""
        is_fast = len(value) <= _FAST_BYTES and not (
            isinstance(self.key, RSAPrivateKey) and self.key.key_size > _FAST_BITS
        )
        if is_fast:
            return work()
        done = await asyncio.to_thread(work)
        self._call.admit_again()
        return done

    def answer(self, algorithm: str, **members: str | bool) -> Answer:
        return Answer(dict(sorted({"alg": algorithm, "kid": self._kid, **members}.items())))


def _read_inputs(call: Call) -> tuple[str, algorithms.Inputs]:
    with call.body as body:
        return body.required_text("alg"), algorithms.Inputs(
            value=body.required_binary("value"),
            iv=body.binary("iv"),
            tag=body.binary("tag"),
            aad=body.binary("aad"),
        )
