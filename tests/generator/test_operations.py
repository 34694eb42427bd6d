"""Operations become request builders, and methods that send what these build."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from azure.keyvault.administration._runtime.request import RestRequest
from azure.keyvault.administration._runtime.rest import Operation
from generate import formatted
from generator import generate, read


def test_every_file_says_where_it_comes_from(small: dict[str, Any]) -> None:
    first_lines = {name: text.partition("\n")[0] for name, text in generate(small, "pets.yaml").items()}

    header = "# Generated from pets.yaml by eng/generate.py. Do not edit."
    assert first_lines == dict.fromkeys(["__init__.py", "types.py", "operations.py"], header)


def test_scoped_paths_become_one_operation_and_polled_ones_none(small: dict[str, Any]) -> None:
    assert [operation.builder for operation in read(small).operations] == ["pets_list", "baths_start"]


def test_an_operation_without_scope_and_filter_takes_neither(small: dict[str, Any]) -> None:
    (start,) = [operation for operation in read(small).operations if operation.tag == "Baths"]

    assert (start.scoped, start.arguments, start.optional_query) == (False, ("pet_name",), ())


def test_a_builder_places_scope_path_query_and_body_and_tells_a_job_apart(small: dict[str, Any]) -> None:
    assert (
        formatted(generate(small, "pets.yaml")["operations.py"]).partition('json"}\n\n\n')[2]
        == '''\
def pets_list(scope: str, *, filter: str | None = None) -> Operation[PageWire]:
    """List the pets of a house."""
    url = f"{_prefix(scope)}/pets"
    if filter is not None:
        url += f"?$filter={quote(filter, safe='')}"
    request = RestRequest("GET", url, headers=_HEADERS)
    return Operation(request, 200)


def baths_start(pet_name: str, body: SoapWire) -> JobStart:
    """Start to wash a pet."""
    url = f"/baths/{quote(pet_name, safe='')}"
    request = RestRequest("POST", url, headers=_HEADERS, json=body)
    return JobStart(request, 202)


def _prefix(scope: str) -> str:
    """Return the path prefix of a scope; the HSM's own scope has none."""
    return "" if scope == "/" else quote(scope)
'''
    )


def test_a_second_optional_query_parameter_follows_the_first(small: dict[str, Any]) -> None:
    top = {"name": "top", "in": "query", "schema": {"type": "string"}}
    for path in ("/pets", "/rooms/{roomName}/pets"):
        small["paths"][path]["get"]["parameters"].append(top)
    namespace: dict[str, Any] = {"RestRequest": RestRequest, "Operation": Operation, "quote": quote}
    code = generate(small, "pets.yaml")["operations.py"].partition("_HEADERS")
    exec(f"from __future__ import annotations\n{code[1]}{code[2]}", namespace)

    urls = [namespace["pets_list"]("/", **query).request.url for query in ({"top": "1"}, {"filter": "a", "top": "1"})]

    assert urls == ["/pets?top=1", "/pets?$filter=a&top=1"]


def test_builders_without_scope_need_no_prefix(small: dict[str, Any]) -> None:
    del small["paths"]["/rooms/{roomName}/pets"]
    del small["paths"]["/pets"]["x-scope"]

    assert "_prefix" not in generate(small, "pets.yaml")["operations.py"]
