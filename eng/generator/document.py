"""The OpenAPI document: its references, its versions, and checks of its nodes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

Node = Mapping[str, Any]


class DocumentError(ValueError):
    """The document holds something that the generator doesn't know."""


class Document:
    """A document whose outermost levels have been checked."""

    def __init__(self, root: Node) -> None:
        check_keys("document", root, {"openapi", "info", "servers", "security", "tags", "paths", "components"})
        if not str(root.get("openapi")).startswith("3.1."):
            raise DocumentError(f"document: is OpenAPI {root.get('openapi')}, not 3.1")
        self.paths = child("document", root, "paths")
        self._components = child("document", root, "components")
        sections = {"parameters", "headers", "requestBodies", "responses", "schemas", "securitySchemes"}
        check_keys("components", self._components, sections)
        self.versions = self._versions()

    @property
    def schemas(self) -> Node:
        """The named schemas."""
        return child("components", self._components, "schemas")

    def resolve(self, at: str, node: Node, section: str) -> Node:
        """Follow a reference into a section of the components; a node that isn't a reference is its own target."""
        if "$ref" not in as_object(at, node):
            return node
        check_keys(at, node, {"$ref"})
        return self.named(at, node["$ref"], section)[1]

    def named(self, at: str, reference: object, section: str) -> tuple[str, Node]:
        """Return the name and the node that a reference points to."""
        name = str(reference).removeprefix(f"#/components/{section}/")
        components = child("components", self._components, section)
        if name not in components:
            raise DocumentError(f"{at}: {reference} is not among the {section} of this document")
        return name, child(section, components, name)

    def added_in(self, at: str, node: Node) -> str:
        """Return the version that brought an operation or a member."""
        version: object = node.get("x-added-in")
        if version not in self.versions:
            raise DocumentError(
                f"{at}: x-added-in must be one of the api-versions {', '.join(self.versions)}; got {version!r}"
            )
        return str(version)

    def _versions(self) -> Sequence[str]:
        _, parameter = self.named("document", "#/components/parameters/ApiVersion", "parameters")
        at = "parameter ApiVersion"
        versions = children(at, child(at, parameter, "schema"), "enum")
        if not versions:
            raise DocumentError(f"{at}: has no enum of the api-versions")
        return [str(version) for version in versions]


def check_keys(at: str, node: Node, known: set[str]) -> None:
    """Refuse a node with members that the generator doesn't know."""
    if unknown := sorted(map(str, as_object(at, node).keys() - known)):
        raise DocumentError(f"{at}: the generator doesn't know {', '.join(unknown)}")


def as_object(at: str, value: object) -> Node:
    """Return a value that must be an object."""
    if not isinstance(value, Mapping):
        raise DocumentError(f"{at}: must be an object; got {value!r}")
    return cast("Node", value)


def child(at: str, node: Node, key: str) -> Node:
    """Return the object at a key; an empty one if the key is missing."""
    return as_object(f"{at} {key}", node.get(key, {}))


def children(at: str, node: Node, key: str) -> Sequence[Any]:
    """Return the list at a key; an empty one if the key is missing."""
    value = node.get(key, [])
    if not isinstance(value, list):
        raise DocumentError(f"{at} {key}: must be a list; got {value!r}")
    return cast("Sequence[Any]", value)


def one_line(at: str, node: Node, key: str) -> str:
    """Return a text that becomes the first line of a docstring."""
    text: object = node.get(key)
    if not isinstance(text, str) or not text or "\n" in text or text.endswith("."):
        raise DocumentError(f"{at}: {key} must be one line without a full stop")
    return text
