"""The service contract for tests: its operations, and a check of JSON against its schemas."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from openapi_schema_validator import OAS31Validator

PATH = Path(__file__).parents[1] / "eng" / "openapi" / "managedhsm-administration.yaml"

_METHODS = ("get", "put", "post", "patch", "delete")


@dataclass(frozen=True)
class ContractOperation:
    """An operation of the document, its references followed."""

    id: str
    method: str
    path: str
    node: Mapping[str, Any]
    parameters: Mapping[str, Mapping[str, Any]]
    responses: Mapping[str, Mapping[str, Any]]
    body_schema: str | None

    @property
    def polled(self) -> bool:
        return bool(self.node.get("x-polled", False))


@cache
def document() -> Mapping[str, Any]:
    loaded: Mapping[str, Any] = yaml.safe_load(PATH.read_text(encoding="utf-8"))
    return loaded


@cache
def operations() -> Mapping[str, ContractOperation]:
    return {operation.id: operation for operation in _operations()}


def schema_errors(schema_name: str, instance: object) -> list[str]:
    """What is wrong with a piece of JSON, by the schema of that name."""
    root = {"$ref": f"#/components/schemas/{schema_name}", "components": document()["components"]}
    return [error.message for error in OAS31Validator(root).iter_errors(instance)]


def _operations() -> Iterator[ContractOperation]:
    for path, item in document()["paths"].items():
        for method in (key for key in item if key in _METHODS):
            node = item[method]
            parameters = [_target(parameter) for parameter in (*item["parameters"], *node.get("parameters", ()))]
            yield ContractOperation(
                id=node["operationId"],
                method=method.upper(),
                path=path,
                node=node,
                parameters={parameter["name"]: parameter for parameter in parameters},
                responses={status: _target(response) for status, response in node["responses"].items()},
                body_schema=_body_schema(node),
            )


def _body_schema(node: Mapping[str, Any]) -> str | None:
    if "requestBody" not in node:
        return None
    reference: str = _target(node["requestBody"])["content"]["application/json"]["schema"]["$ref"]
    return reference.rpartition("/")[2]


def _target(node: Mapping[str, Any]) -> Mapping[str, Any]:
    target: Any = node
    if "$ref" in node:
        target = document()
        for step in node["$ref"].removeprefix("#/").split("/"):
            target = target[step]
    return {**target}
