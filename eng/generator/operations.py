"""Paths: each method on a path is an operation, except that an operation at several scopes is one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from .contract import Operation, placeholders, snake_case
from .document import Document, DocumentError, Node, check_keys, child, children, one_line
from .schemas import is_object, python_type

_METHODS = ("get", "put", "post", "patch", "delete")
_NAMES = {"operationId", "summary", "description"}


@dataclass(frozen=True)
class _Place:
    """An operation in the document: the path after the scope, and the parameters that the path declares."""

    at: str
    method: str
    path: str
    scope: str | None
    parameters: Sequence[Node]
    node: Node

    def repeats(self, other: _Place) -> bool:
        """Return whether only the names differ."""
        return self.parameters == other.parameters and self._contents() == other._contents()

    def _contents(self) -> Node:
        return {key: value for key, value in self.node.items() if key not in _NAMES}


def read_operations(document: Document) -> Iterator[Operation]:
    """Read the operations that a client sends by itself."""
    places = list(_places(document))
    originals = {(place.method, place.path): place for place in places if place.scope == "/"}
    for place in places:
        operation = _operation(document, place)
        if place.scope not in (None, "/"):
            original = originals.get((place.method, place.path))
            if original is None or not place.repeats(original):
                raise DocumentError(f"{place.at}: isn't the same as the operation at the scope /")
        elif not place.node.get("x-polled", False):
            yield operation


def _places(document: Document) -> Iterator[_Place]:
    for path, item in document.paths.items():
        check_keys(path, item, {"x-scope", "parameters", *_METHODS})
        scope: str | None = item.get("x-scope")
        prefix = "" if scope in (None, "/") else str(scope)
        if not path.startswith(f"{prefix}/"):
            raise DocumentError(f"{path}: doesn't begin with its x-scope {scope}")
        parameters = [_parameter(document, path, node) for node in children(path, item, "parameters")]
        behind_scope = [node for node in parameters if node["name"] not in placeholders(prefix)]
        for method in (key for key in item if key in _METHODS):
            at = f"{method.upper()} {path}"
            yield _Place(at, method.upper(), path.removeprefix(prefix), scope, behind_scope, child(path, item, method))


def _operation(document: Document, place: _Place) -> Operation:
    at, node = place.at, place.node
    keys = {"tags", "parameters", "requestBody", "responses", "x-added-in", "x-polled"}
    check_keys(at, node, _NAMES | keys)
    document.added_in(at, node)
    tag, name = _tag_and_name(at, node)
    own = [_parameter(document, at, parameter) for parameter in children(at, node, "parameters")]
    status, success = _success(document, at, child(at, node, "responses"))
    return Operation(
        tag=tag,
        name=name,
        summary=one_line(at, node, "summary"),
        method=place.method,
        path=place.path,
        scoped=place.scope is not None,
        optional_query=_optional_query(place, [*place.parameters, *own]),
        body=_body(document, at, node),
        status=status,
        result=_json_type(document, at, success),
        starts_job="azure-asyncoperation" in child(at, success, "headers"),
    )


def _tag_and_name(at: str, node: Node) -> tuple[str, str]:
    match str(node.get("operationId")).split("_"), node.get("tags"):
        case [str(tag), str(name)], [str(only)] if tag == only:
            return tag, snake_case(name)
        case _:
            raise DocumentError(f"{at}: needs one tag and an operationId of the form Tag_Name")


def _parameter(document: Document, at: str, node: Node) -> Node:
    parameter = document.resolve(at, node, "parameters")
    check_keys(at, parameter, {"name", "in", "required", "description", "schema", "example"})
    name, schema = parameter.get("name"), child(at, parameter, "schema")
    check_keys(f"{at} {name}", schema, {"type", "format", "pattern"} | ({"enum"} if name == "api-version" else set()))
    place = parameter.get("in")
    if not isinstance(name, str) or schema.get("type") != "string" or place not in ("path", "query"):
        raise DocumentError(f"{at} {name}: a parameter can only be a named string in the path or the query")
    return parameter


def _optional_query(place: _Place, parameters: Sequence[Node]) -> tuple[str, ...]:
    """Return the optional query parameters, after a check of all parameters."""
    if {node["name"] for node in parameters if node["in"] == "path"} != set(placeholders(place.path)):
        raise DocumentError(f"{place.at}: path parameters don't match the path")
    query = {node["name"]: node.get("required", False) for node in parameters if node["in"] == "query"}
    if query.pop("api-version", None) is None:
        raise DocumentError(f"{place.at}: has no api-version")
    if any(query.values()):
        raise DocumentError(f"{place.at}: no query parameter but api-version can be required")
    return tuple(query)


def _body(document: Document, at: str, node: Node) -> str | None:
    if "requestBody" not in node:
        return None
    body = document.resolve(at, node["requestBody"], "requestBodies")
    check_keys(f"{at} requestBody", body, {"description", "required", "content"})
    if body.get("required") is not True:
        raise DocumentError(f"{at}: a body can't be optional")
    return _json_type(document, at, body)


def _success(document: Document, at: str, responses: Node) -> tuple[int, Node]:
    """Return the one success among the responses: a client expects exactly one status code."""
    resolved = {str(status): document.resolve(at, response, "responses") for status, response in responses.items()}
    for status, response in resolved.items():
        check_keys(f"{at} {status}", response, {"description", "headers", "content", "links"})
    match [status for status in resolved if status.startswith("2")]:
        case [status] if status.isdecimal():
            return int(status), resolved[status]
        case statuses:
            raise DocumentError(f"{at}: needs one success, has {', '.join(statuses) or 'none'}")


def _json_type(document: Document, at: str, node: Node) -> str:
    content = child(at, node, "content")
    check_keys(at, content, {"application/json"})
    media_type = child(at, content, "application/json")
    check_keys(at, media_type, {"schema", "examples"})
    schema = child(at, media_type, "schema")
    if "$ref" not in schema or not is_object(document.named(at, schema["$ref"], "schemas")[1]):
        raise DocumentError(f"{at}: a body can only be JSON, a named object")
    return python_type(document, at, schema)
