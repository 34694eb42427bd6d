"""From the OpenAPI document to the `Contract`.

The generator understands the part of OpenAPI that the document uses. Each node is checked against the keys known for
it, so a construct that would change the generated code can't be overlooked: it is refused until it is taught here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from .contract import Contract, DocumentError, Member, Operation, WireType, placeholders, snake_case

Node = Mapping[str, Any]

_METHODS = ("get", "put", "post", "patch", "delete")
_SCALARS = {"string": "str", "integer": "int", "number": "float", "boolean": "bool"}

# Keys that say nothing about the Python type.
_NOTES = {"title", "description", "x-added-in", "x-known-values", "format", "pattern", "minimum", "readOnly"}


class _Place(NamedTuple):
    """An operation as written: its path behind the scope, and the parameters that the path's node declares for it."""

    at: str
    method: str
    path: str
    scope: str | None
    parameters: Sequence[Node]
    node: Node

    def contents(self) -> tuple[Sequence[Node], Node]:
        """Return what must be the same at every scope."""
        own = {"operationId", "summary", "description"}
        return self.parameters, {key: value for key, value in self.node.items() if key not in own}


def read(document: Node) -> Contract:
    """Read a document; raise `DocumentError` when it holds something unknown."""
    return _Reader(document).contract()


class _Reader:
    def __init__(self, document: Node) -> None:
        _check_keys("document", document, {"openapi", "info", "servers", "security", "tags", "paths", "components"})
        self._document = document
        self._schemas: Node = document["components"].get("schemas", {})

    def contract(self) -> Contract:
        versions = self._versions()
        return Contract(
            first_version=versions[0],
            types=tuple(self._wire_types(versions)),
            operations=tuple(self._operations(versions)),
        )

    def _versions(self) -> Sequence[str]:
        schema = self._document["components"]["parameters"]["ApiVersion"]["schema"]
        _check_keys("parameter api-version", schema, {"type", "enum"})
        versions: Sequence[str] = schema["enum"]
        return versions

    # Types

    def _wire_types(self, versions: Sequence[str]) -> Iterator[WireType]:
        for name, schema in self._schemas.items():
            if schema.get("type") == "object":
                yield self._wire_type(name, schema, versions)
            else:
                self._type(f"schema {name}", schema)

    def _wire_type(self, name: str, schema: Node, versions: Sequence[str]) -> WireType:
        at = f"schema {name}"
        _check_keys(at, schema, _NOTES | {"type", "properties", "required", "additionalProperties"})
        if schema.get("additionalProperties", False) is not False:
            raise DocumentError(f"{at}: additionalProperties can only be false")
        properties: Node = schema["properties"]
        required = set(schema.get("required", ()))
        if missing := sorted(required - properties.keys()):
            raise DocumentError(f"{at}: required, but not among the properties: {', '.join(missing)}")
        members = tuple(
            Member(
                name=member,
                type=self._type(f"{at}.{member}", property_),
                required=member in required,
                added_in=_added_in(f"{at}.{member}", property_, versions),
            )
            for member, property_ in properties.items()
        )
        return WireType(f"{name}Wire", _text(at, schema, "title"), members)

    def _type(self, at: str, schema: Node) -> str:
        """Write a schema as a Python type."""
        if "$ref" in schema:
            _check_keys(at, schema, _NOTES | {"$ref"})
            return self._referenced_type(at, schema)
        if "anyOf" in schema:
            _check_keys(at, schema, _NOTES | {"anyOf"})
            return self._nullable_type(at, schema["anyOf"])
        match schema.get("type"):
            case "array":
                _check_keys(at, schema, _NOTES | {"type", "items"})
                return f"list[{self._type(f'{at} items', schema['items'])}]"
            case str(scalar) if scalar in _SCALARS:
                _check_keys(at, schema, _NOTES | {"type"})
                return _SCALARS[scalar]
            case [str(scalar), "null"] if scalar in _SCALARS:
                _check_keys(at, schema, _NOTES | {"type"})
                return f"{_SCALARS[scalar]} | None"
            case "object":
                raise DocumentError(f"{at}: an object needs a name of its own under components/schemas")
            case unknown:
                raise DocumentError(f"{at}: unknown type {unknown!r}")

    def _referenced_type(self, at: str, schema: Node) -> str:
        name, target = self._resolve(at, schema, "schemas")
        return f"{name}Wire" if target.get("type") == "object" else self._type(at, target)

    def _nullable_type(self, at: str, choices: Sequence[Node]) -> str:
        match choices:
            case [choice, {"type": "null", **rest}] if not rest:
                return f"{self._type(at, choice)} | None"
            case _:
                raise DocumentError(f"{at}: anyOf can only be one schema or null")

    # Operations

    def _operations(self, versions: Sequence[str]) -> Iterator[Operation]:
        places = list(self._places())
        originals = {(place.method, place.path): place for place in places if place.scope == "/"}
        for place in places:
            operation = self._operation(place, versions)
            if place.scope not in (None, "/"):
                original = originals.get((place.method, place.path))
                if original is None or original.contents() != place.contents():
                    raise DocumentError(f"{place.at}: differs from the operation at the scope /")
            elif not place.node.get("x-polled"):
                yield operation

    def _places(self) -> Iterator[_Place]:
        for path, item in self._document["paths"].items():
            _check_keys(path, item, {"x-scope", "parameters", *_METHODS})
            scope: str | None = item.get("x-scope")
            prefix = "" if scope in (None, "/") else str(scope)
            if not path.startswith(f"{prefix}/"):
                raise DocumentError(f"{path}: doesn't begin with its x-scope {scope}")
            parameters = [self._parameter(path, node) for node in item.get("parameters", ())]
            behind_scope = [node for node in parameters if node["name"] not in placeholders(prefix)]
            for method in [key for key in item if key in _METHODS]:
                at = f"{method.upper()} {path}"
                yield _Place(at, method.upper(), path.removeprefix(prefix), scope, behind_scope, item[method])

    def _operation(self, place: _Place, versions: Sequence[str]) -> Operation:
        at, node = place.at, place.node
        keys = {"operationId", "tags", "summary", "description", "parameters", "requestBody", "responses"}
        _check_keys(at, node, keys | {"x-added-in", "x-polled"})
        _added_in(at, node, versions)
        tag, name = self._names(at, node)
        parameters = [*place.parameters, *(self._parameter(at, parameter) for parameter in node.get("parameters", ()))]
        status, success = self._success(at, node["responses"])
        return Operation(
            tag=tag,
            name=name,
            summary=_text(at, node, "summary"),
            method=place.method,
            path=place.path,
            scoped=place.scope is not None,
            optional_query=_optional_query(place, parameters),
            body=self._body(at, node),
            status=status,
            result=self._json_type(at, success),
            starts_job="azure-asyncoperation" in success.get("headers", {}),
        )

    def _names(self, at: str, node: Node) -> tuple[str, str]:
        match node.get("operationId", "").split("_"), node.get("tags"):
            case [str(tag), str(name)], [str(only)] if tag == only:
                return tag, snake_case(name)
            case _:
                raise DocumentError(f"{at}: needs one tag and an operationId of the form Tag_Name")

    def _parameter(self, at: str, node: Node) -> Node:
        _, parameter = self._resolve(at, node, "parameters")
        _check_keys(at, parameter, {"name", "in", "required", "description", "schema"})
        if parameter["schema"].get("type") != "string" or parameter["in"] not in ("path", "query"):
            raise DocumentError(f"{at}: parameter {parameter['name']} is no string in path or query")
        return parameter

    def _body(self, at: str, node: Node) -> str | None:
        if "requestBody" not in node:
            return None
        _, body = self._resolve(at, node["requestBody"], "requestBodies")
        _check_keys(f"{at} requestBody", body, {"description", "required", "content"})
        if body.get("required") is not True:
            raise DocumentError(f"{at}: a body can't be optional")
        return self._json_type(at, body)

    def _success(self, at: str, responses: Node) -> tuple[int, Node]:
        """Find the one success among the responses; a client knows no other way to succeed."""
        resolved = {status: self._resolve(at, response, "responses")[1] for status, response in responses.items()}
        for status, response in resolved.items():
            _check_keys(f"{at} {status}", response, {"description", "headers", "content", "links"})
        successes = [(int(status), response) for status, response in resolved.items() if status.startswith("2")]
        if len(successes) != 1:
            raise DocumentError(f"{at}: needs one success, has {len(successes)}")
        return successes[0]

    def _json_type(self, at: str, node: Node) -> str:
        match node.get("content"):
            case {"application/json": {"schema": {"$ref": str(_)} as schema}, **others} if not others:
                return self._referenced_type(at, schema)
            case _:
                raise DocumentError(f"{at}: a body can only be application/json with a named schema")

    def _resolve(self, at: str, node: Node, section: str) -> tuple[str, Node]:
        """Follow a reference into a section of the components; a node that is none is its own target."""
        if "$ref" not in node:
            return "", node
        reference: str = node["$ref"]
        name = reference.removeprefix(f"#/components/{section}/")
        components: Node = self._document["components"].get(section, {})
        if name not in components:
            raise DocumentError(f"{at}: {reference} isn't among the {section} of this document")
        return name, components[name]


def _optional_query(place: _Place, parameters: Sequence[Node]) -> tuple[str, ...]:
    """Names of the optional query parameters, when all the others are where every request has them."""
    if {node["name"] for node in parameters if node["in"] == "path"} != set(placeholders(place.path)):
        raise DocumentError(f"{place.at}: path parameters don't match the path")
    query = {node["name"]: node.get("required", False) for node in parameters if node["in"] == "query"}
    if query.pop("api-version", None) is None:
        raise DocumentError(f"{place.at}: has no api-version")
    if any(query.values()):
        raise DocumentError(f"{place.at}: only api-version can be a required query parameter")
    return tuple(query)


def _added_in(at: str, node: Node, versions: Sequence[str]) -> str:
    version: object = node.get("x-added-in")
    if version not in versions:
        raise DocumentError(f"{at}: x-added-in is {version!r}, none of the api-versions")
    return str(version)


def _text(at: str, node: Node, key: str) -> str:
    """Get a text that becomes the first line of a docstring."""
    text: object = node.get(key)
    if not isinstance(text, str) or not text or "\n" in text or text.endswith("."):
        raise DocumentError(f"{at}: {key} must be one line without a full stop")
    return text


def _check_keys(at: str, node: Node, known: set[str]) -> None:
    if unknown := sorted(node.keys() - known):
        raise DocumentError(f"{at}: the generator doesn't know {', '.join(unknown)}")
