"""The generator refuses constructs that it doesn't know, and names their place."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from copy import deepcopy
from typing import Any

import pytest

from generator import DocumentError, read

LIST = ("paths", "/pets", "get")
LIST_IN_ROOM = ("paths", "/rooms/{roomName}/pets", "get")
START = ("paths", "/baths/{petName}", "post")
SCHEMAS = ("components", "schemas")
STATUS = (*SCHEMAS, "Bath", "properties", "status")
TEXT = {"type": "string"}
OBJECT = {"application/json": {"schema": {"$ref": "#/components/schemas/Soap"}}}


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (("webhooks",), {}, "document: the generator doesn't know webhooks"),
        (("openapi",), "3.0.3", "document: is OpenAPI 3.0.3, not 3.1"),
        (("components", "pathItems"), {}, "components: the generator doesn't know pathItems"),
        (
            ("components", "parameters"),
            {},
            "#/components/parameters/ApiVersion is not among the parameters of this document",
        ),
        (("components", "parameters", "ApiVersion", "schema"), TEXT, "has no enum of the api-versions"),
        (("paths", "/pets", "head"), {}, "/pets: the generator doesn't know head"),
        (("paths", "/pets", "x-scope"), "/rooms", "/pets: doesn't begin with its x-scope /rooms"),
        ((*LIST, "callbacks"), {}, "GET /pets: the generator doesn't know callbacks"),
        ((*LIST, "x-added-in"), "3", "GET /pets: x-added-in must be one of the api-versions 1, 2; got '3'"),
        ((*LIST, "operationId"), "listPets", "GET /pets: needs one tag and an operationId"),
        ((*LIST, "tags"), ["Pets", "Homes"], "GET /pets: needs one tag and an operationId"),
        ((*LIST, "summary"), "List.", "GET /pets: summary must be one line without a full stop"),
        (
            (*LIST_IN_ROOM, "x-added-in"),
            "2",
            "GET /rooms/{roomName}/pets: isn't the same as the operation at the scope /",
        ),
        (
            ("paths", "/rooms/{roomName}/pets", "put"),
            {
                "operationId": "Pets_Write",
                "tags": ["Pets"],
                "x-added-in": "1",
                "summary": "Write a pet",
                "responses": {"200": {"description": "So.", "content": OBJECT}},
            },
            "PUT /rooms/{roomName}/pets: isn't the same as the operation at the scope /",
        ),
        (
            (*LIST, "parameters"),
            [{"name": "top", "in": "query", "required": True, "schema": TEXT}],
            "GET /pets: no query parameter but api-version can be required",
        ),
        (
            (*LIST, "parameters"),
            [{"name": "top", "in": "query", "schema": {"type": "integer"}}],
            "GET /pets top: a parameter can only be a named string in the path or the query",
        ),
        (
            (*LIST, "parameters"),
            [{"name": "If-Match", "in": "header", "schema": TEXT}],
            "GET /pets If-Match: a parameter can only be a named string in the path or the query",
        ),
        (
            (*LIST, "parameters"),
            [{"name": "sort", "in": "query", "schema": {"type": "string", "enum": ["up"]}}],
            "GET /pets sort: the generator doesn't know enum",
        ),
        (
            (*LIST, "parameters"),
            [{"name": "tag", "in": "query", "schema": TEXT, "explode": True}],
            "GET /pets: the generator doesn't know explode",
        ),
        (
            (*START, "parameters"),
            [{"name": "tub", "in": "path", "required": True, "schema": TEXT}],
            "POST /baths/{petName}: path parameters don't match the path",
        ),
        (("paths", "/pets", "parameters"), [], "GET /pets: has no api-version"),
        ((*START, "requestBody", "required"), False, "POST /baths/{petName}: a body can't be optional"),
        (
            (*START, "requestBody", "content"),
            {**OBJECT, "text/xml": {}},
            "POST /baths/{petName}: the generator doesn't know text/xml",
        ),
        (
            (*START, "requestBody", "content", "application/json", "schema"),
            {"$ref": "#/components/schemas/Status"},
            "POST /baths/{petName}: a body can only be JSON, a named object",
        ),
        (
            (*START, "requestBody"),
            {"$ref": "elsewhere.yaml#/Soap"},
            "elsewhere.yaml#/Soap is not among the requestBodies of this document",
        ),
        ((*LIST, "responses", "204"), {"description": "None."}, "GET /pets: needs one success, has 200, 204"),
        ((*START, "responses"), {}, "POST /baths/{petName}: needs one success, has none"),
        (
            (*START, "responses"),
            {"2XX": {"description": "So.", "content": OBJECT}},
            "POST /baths/{petName}: needs one success, has 2XX",
        ),
        ((*SCHEMAS, "Status", "enum"), ["Filling"], "schema Status: the generator doesn't know enum"),
        ((*SCHEMAS, "Status", "type"), "tuple", "schema Status: the generator doesn't know type 'tuple'"),
        ((*SCHEMAS, "Bath", "allOf"), [], "schema Bath: the generator doesn't know allOf"),
        ((*SCHEMAS, "Bath", "additionalProperties"), TEXT, "schema Bath: additionalProperties can only be false"),
        ((*SCHEMAS, "Bath", "required"), ["status", "size"], "schema Bath: requires size, which it doesn't declare"),
        ((*SCHEMAS, "Bath", "title"), None, "schema Bath: title must be one line"),
        (STATUS, TEXT, "schema Bath.status: x-added-in must be one of the api-versions"),
        (
            STATUS,
            {"type": "object", "x-added-in": "1"},
            "schema Bath.status: an object must be a named schema of its own",
        ),
        (
            STATUS,
            {"anyOf": [TEXT, {"type": "integer"}], "x-added-in": "1"},
            "schema Bath.status: anyOf can only be one schema and null",
        ),
    ],
)
def test_an_unknown_construct_is_refused(
    small: dict[str, Any], place: tuple[str, ...], value: object, message: str
) -> None:
    _put(small, place, value)

    with pytest.raises(DocumentError, match=re.escape(message)):
        read(small)


def test_a_malformed_document_is_refused_without_a_traceback(small: dict[str, Any]) -> None:
    values: list[object] = [None, True, 5, "text", [], {}]
    for place in _places(small):
        for value in values:
            document = deepcopy(small)
            _put(document, place, value)
            with suppress(DocumentError):
                read(document)


def _places(node: object, *place: str | int) -> Iterator[tuple[Any, ...]]:
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in items:
        yield (*place, key)
        yield from _places(value, *place, key)


def _put(document: dict[str, Any], place: tuple[str, ...], value: object) -> None:
    *outer, last = place
    node = document
    for key in outer:
        node = node[key]
    node[last] = value
