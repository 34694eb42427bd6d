"""Schemas: named objects become wire types, everything else is written as a Python type where it is used."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from .contract import Member, WireType
from .document import Document, DocumentError, Node, as_object, check_keys, child, children, one_line

_SCALARS = {"string": "str", "integer": "int", "number": "float", "boolean": "bool"}

# Keys without effect on the Python type.
_NOTES = {"title", "description", "x-added-in", "x-known-values", "format", "pattern", "minimum", "readOnly"}


def read_wire_types(document: Document) -> Iterator[WireType]:
    """Read the named objects."""
    for name in document.schemas:
        schema = child("schemas", document.schemas, name)
        if is_object(schema):
            yield _wire_type(document, name, schema)
        else:
            python_type(document, f"schema {name}", schema)


def reachable(names: set[str], types: Sequence[WireType]) -> Iterator[WireType]:
    """Return the types with these names and those that their members refer to, in the document's order."""
    found = set(names)
    while (
        more := {
            word
            for type_ in types
            if type_.name in found
            for member in type_.members
            for word in re.findall(r"\w+Wire", member.type)
        }
        - found
    ):
        found |= more
    return (type_ for type_ in types if type_.name in found)


def python_type(document: Document, at: str, schema: Node) -> str:
    """Write a schema as a Python type."""
    if "$ref" in as_object(at, schema):
        check_keys(at, schema, _NOTES | {"$ref"})
        name, target = document.named(at, schema["$ref"], "schemas")
        return f"{name}Wire" if is_object(target) else python_type(document, f"schema {name}", target)
    if "anyOf" in schema:
        check_keys(at, schema, _NOTES | {"anyOf"})
        return _nullable_type(document, at, children(at, schema, "anyOf"))
    match schema.get("type"):
        case "array":
            check_keys(at, schema, _NOTES | {"type", "items"})
            return f"list[{python_type(document, f'{at} items', child(at, schema, 'items'))}]"
        case str(scalar) if scalar in _SCALARS:
            check_keys(at, schema, _NOTES | {"type"})
            return _SCALARS[scalar]
        case [str(scalar), "null"] if scalar in _SCALARS:
            check_keys(at, schema, _NOTES | {"type"})
            return f"{_SCALARS[scalar]} | None"
        case "object":
            raise DocumentError(f"{at}: an object must be a named schema of its own")
        case unknown:
            raise DocumentError(f"{at}: the generator doesn't know type {unknown!r}")


def is_object(schema: Node) -> bool:
    """Return whether a schema is an object: a named one becomes a type."""
    return schema.get("type") == "object"


def _nullable_type(document: Document, at: str, choices: Sequence[Node]) -> str:
    match choices:
        case [choice, {"type": "null", **rest}] if not rest:
            return f"{python_type(document, at, choice)} | None"
        case _:
            raise DocumentError(f"{at}: anyOf can only be one schema and null")


def _wire_type(document: Document, name: str, schema: Node) -> WireType:
    at = f"schema {name}"
    check_keys(at, schema, _NOTES | {"type", "properties", "required", "additionalProperties"})
    if schema.get("additionalProperties", False) is not False:
        raise DocumentError(f"{at}: additionalProperties can only be false")
    properties = child(at, schema, "properties")
    required = set(map(str, children(at, schema, "required")))
    if undeclared := sorted(required - properties.keys()):
        raise DocumentError(f"{at}: requires {', '.join(undeclared)}, which it doesn't declare")
    members = tuple(
        Member(
            name=member,
            type=python_type(document, f"{at}.{member}", property_),
            required=member in required,
            added_in=document.added_in(f"{at}.{member}", property_),
        )
        for member, property_ in properties.items()
    )
    return WireType(f"{name}Wire", one_line(at, schema, "title"), members)
