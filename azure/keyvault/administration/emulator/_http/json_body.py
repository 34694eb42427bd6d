"""Reading a request's JSON object: each member is type-checked, and unknown members are refused."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from .._domain import base64url, errors

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

_T = TypeVar("_T")
_T_co = TypeVar("_T_co", covariant=True)

_OBJECT: type[dict[str, Any]] = dict
_ARRAY: type[list[Any]] = list

# SQLite and dates can hold it, and in seconds it is far beyond the year 9999.
_LARGEST_INTEGER = 2**53


class _Reader(Protocol[_T_co]):
    """Checks and converts a JSON value; ``what`` names it in the error."""

    def __call__(self, value: object, what: str, /) -> _T_co: ...


class JsonBody:
    """A request's JSON object, or one inside it. Members are removed as they are read; one that is left is an error.

    A member that is ``null`` counts as absent.
    """

    def __init__(self, members: dict[str, Any], where: str = "") -> None:
        self._left = members
        self._where = where

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """Read a body that must be a JSON object in UTF-8."""
        try:
            # Deep nesting exhausts the stack, and integers of many thousand digits are a ValueError.
            value: object = json.loads(body.decode("utf-8"))
        except (ValueError, RecursionError) as error:
            raise errors.bad_request("The request body is not valid JSON") from error
        return cls(_object(value, "The request body"))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc_value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if exc_type is None:
            self.finish()

    def finish(self) -> None:
        """Refuse members that have not been read."""
        if self._left:
            names = ", ".join(ascii(self._where + name) for name in self._left)
            raise errors.bad_request(f"The request body has unknown members: {names}")

    def text(self, name: str) -> str | None:
        return self._take(name, _text)

    def required_text(self, name: str) -> str:
        return self._required(name, self.text(name))

    def binary(self, name: str) -> bytes | None:
        return self._take(name, _binary)

    def required_binary(self, name: str) -> bytes:
        return self._required(name, self.binary(name))

    def texts(self, name: str) -> list[str] | None:
        return self._take(name, lambda value, what: [_text(*each) for each in _elements(value, what)])

    def text_map(self, name: str) -> dict[str, str] | None:
        return self._take(
            name,
            lambda value, what: {
                _text(key, f"A name in {what}"): _text(each, f"{what}[{key!a}]")
                for key, each in _object(value, what).items()
            },
        )

    def flag(self, name: str) -> bool | None:
        return self._take(name, lambda value, what: _typed(value, bool, what, "true or false"))

    def integer(self, name: str) -> int | None:
        return self._take(name, _integer)

    def object(self, name: str) -> JsonBody | None:
        return self._take(name, lambda value, what: JsonBody(_object(value, what), f"{what}."))

    def required_object(self, name: str) -> JsonBody:
        return self._required(name, self.object(name))

    def objects(self, name: str) -> list[JsonBody] | None:
        return self._take(
            name, lambda value, what: [JsonBody(_object(*each), f"{each[1]}.") for each in _elements(value, what)]
        )

    def _take(self, name: str, read: _Reader[_T]) -> _T | None:
        value = self._left.pop(name, None)
        return None if value is None else read(value, self._where + name)

    def _required(self, name: str, value: _T | None) -> _T:
        if value is None:
            raise errors.bad_request(f"The member {self._where}{name} is required")
        return value


def _typed(value: object, type_: type[_T], what: str, name: str) -> _T:
    if not isinstance(value, type_):
        raise errors.bad_request(f"{what} must be {name}")
    return value


def _object(value: object, what: str) -> dict[str, Any]:
    return _typed(value, _OBJECT, what, "an object")


def _elements(value: object, what: str) -> list[tuple[Any, str]]:
    """Return the elements of an array, each with its name for errors."""
    return [(each, f"{what}[{index}]") for index, each in enumerate(_typed(value, _ARRAY, what, "an array"))]


def _text(value: object, what: str) -> str:
    text = _typed(value, str, what, "a string")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise errors.bad_request(f"{what} holds half a surrogate pair") from error
    return text


def _binary(value: object, what: str) -> bytes:
    try:
        return base64url.decode(_text(value, what))
    except ValueError as error:
        raise errors.bad_request(f"{what} must be base64url without padding") from error


def _integer(value: object, what: str) -> int:
    number = _typed(value, int, what, "an integer")
    if isinstance(value, bool) or abs(number) > _LARGEST_INTEGER:
        raise errors.bad_request(f"{what} must be an integer")
    return number
