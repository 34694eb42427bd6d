"""The OpenAPI document: its references, its versions, and what may stand in a node."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Node = Mapping[str, Any]


class DocumentError(ValueError):
    """The document holds something that the generator doesn't know."""


class Document:
    """A document whose outermost levels are known."""

    def __init__(self, root: Node) -> None:
        check_keys("document", root, {"openapi", "info", "servers", "security", "tags", "paths", "components"})
        if not str(root.get("openapi")).startswith("3.1."):
            raise DocumentError(f"document: is OpenAPI {root.get('openapi')}, not 3.1")
        self.paths: Node = root.get("paths", {})
        self._components: Node = root.get("components", {})
        sections = {"parameters", "headers", "requestBodies", "responses", "schemas", "securitySchemes"}
        check_keys("components", self._components, sections)
        self.versions = self._versions()

    @property
    def schemas(self) -> Node:
        """The named schemas."""
        schemas: Node = self._components.get("schemas", {})
        return schemas

    def resolve(self, at: str, node: Node, section: str) -> Node:
        """Follow a reference into a section of the components; a node that is none is its own target."""
        if "$ref" not in node:
            return node
        check_keys(at, node, {"$ref"})
        return self.named(at, node["$ref"], section)[1]

    def named(self, at: str, reference: str, section: str) -> tuple[str, Node]:
        """Return the name and the node that a reference points to."""
        name = reference.removeprefix(f"#/components/{section}/")
        components: Node = self._components.get(section, {})
        if name not in components:
            raise DocumentError(f"{at}: {reference} is none of the {section} of this document")
        return name, components[name]

    def added_in(self, at: str, node: Node) -> str:
        """Return the version that brought an operation or a member."""
        version: object = node.get("x-added-in")
        if version not in self.versions:
            raise DocumentError(f"{at}: x-added-in is {version!r}, none of the api-versions")
        return str(version)

    def _versions(self) -> Sequence[str]:
        _, parameter = self.named("document", "#/components/parameters/ApiVersion", "parameters")
        versions: Sequence[str] = parameter.get("schema", {}).get("enum", ())
        if not versions:
            raise DocumentError("parameter ApiVersion: has no enum of the api-versions")
        return versions


def check_keys(at: str, node: Node, known: set[str]) -> None:
    """Refuse a node that says more than is understood."""
    if unknown := sorted(node.keys() - known):
        raise DocumentError(f"{at}: the generator doesn't know {', '.join(unknown)}")


def one_line(at: str, node: Node, key: str) -> str:
    """Return a text that becomes the first line of a docstring."""
    text: object = node.get(key)
    if not isinstance(text, str) or not text or "\n" in text or text.endswith("."):
        raise DocumentError(f"{at}: {key} must be one line without a full stop")
    return text
