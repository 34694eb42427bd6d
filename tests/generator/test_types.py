"""Schemas become TypedDicts."""

from __future__ import annotations

from typing import Any

import pytest

from generate import formatted
from generator import generate, read


@pytest.mark.parametrize(
    ("schema", "annotation"),
    [
        ({"type": "string"}, "str"),
        ({"type": "integer"}, "int"),
        ({"type": "number"}, "float"),
        ({"type": "boolean"}, "bool"),
        ({"type": ["integer", "null"]}, "int | None"),
        ({"type": "array", "items": {"type": "string"}}, "list[str]"),
        ({"$ref": "#/components/schemas/Soap"}, "SoapWire"),
        ({"$ref": "#/components/schemas/Status"}, "str"),
        ({"type": "array", "items": {"$ref": "#/components/schemas/Soap"}}, "list[SoapWire]"),
        ({"anyOf": [{"$ref": "#/components/schemas/Soap"}, {"type": "null"}]}, "SoapWire | None"),
        ({"type": "string", "format": "uuid", "pattern": "^x$", "readOnly": True, "x-known-values": ["x"]}, "str"),
    ],
)
def test_a_schema_becomes_a_python_type(small: dict[str, Any], schema: dict[str, Any], annotation: str) -> None:
    small["components"]["schemas"]["Page"]["properties"]["value"] = {**schema, "x-added-in": "1"}

    page = read(small).types[0]

    assert [member.type for member in page.members] == [annotation]


def test_types_of_bodies_and_results_tell_required_from_optional_and_old_from_new(small: dict[str, Any]) -> None:
    assert (
        formatted(generate(small, "pets.yaml")["types.py"]).partition("TypedDict\n\n\n")[2]
        == '''\
class PageWire(TypedDict):
    """A page of pets."""

    value: list[str]


class SoapWire(TypedDict):
    """What to wash with."""

    scent: NotRequired[str]  # since 2
'''
    )


def test_a_type_that_only_another_one_refers_to_is_written_too(small: dict[str, Any]) -> None:
    schemas = small["components"]["schemas"]
    schemas["Soap"]["properties"]["bath"] = {"$ref": "#/components/schemas/Bath", "x-added-in": "2"}

    assert [type_.name for type_ in read(small).types] == ["PageWire", "SoapWire", "BathWire"]
