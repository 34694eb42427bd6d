"""Is an answer one that the contract allows? Every answer in the tests of the emulator is asked this."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import TYPE_CHECKING, Any

from openapi_contract import ContractOperation, document, operations, schema_errors

if TYPE_CHECKING:
    from collections.abc import Mapping


def violations(method: str, path: str, status: int, headers: Mapping[str, str], body: bytes) -> list[str]:
    """Say what is wrong with an answer; an answer to something that is not in the contract is never wrong."""
    operation = _find(method, re.sub("//+", "/", path))
    if operation is None:
        return []
    response = operation.responses.get(str(status)) or operation.responses["default"]
    return [
        *(f"{operation.id} {status} lacks the header {name}" for name in _required(response) if name not in headers),
        *(f"{operation.id} {status}: {error}" for error in _body_errors(response, body)),
    ]


def _find(method: str, path: str) -> ContractOperation | None:
    for pattern, operation in _patterns():
        if operation.method == method and pattern.fullmatch(path):
            return operation
    return None


@cache
def _patterns() -> list[tuple[re.Pattern[str], ContractOperation]]:
    return [(re.compile(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(each.path))), each) for each in operations().values()]


def _required(response: Mapping[str, Any]) -> list[str]:
    return [name for name, header in _headers(response).items() if header.get("required")]


def _headers(response: Mapping[str, Any]) -> Mapping[str, Any]:
    known = document()["components"]["headers"]
    return {
        name: known[header["$ref"].rpartition("/")[2]] if "$ref" in header else header
        for name, header in response["headers"].items()
    }


def _body_errors(response: Mapping[str, Any], body: bytes) -> list[str]:
    if "content" not in response:
        return []
    schema = response["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
    try:
        return schema_errors(schema, json.loads(body))
    except ValueError:
        return [f"{body!r} isn't JSON"]
