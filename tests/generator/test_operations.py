"""Operations become request builders, and methods that send what these build."""

from __future__ import annotations

from typing import Any

from generate import formatted
from generator import generate, read


def test_every_file_says_where_it_comes_from(small: dict[str, Any]) -> None:
    first_lines = {name: text.partition("\n")[0] for name, text in generate(small, "pets.yaml").items()}

    header = "# Generated from pets.yaml by eng/generate.py. Do not edit."
    assert first_lines == dict.fromkeys(["__init__.py", "types.py", "requests.py", "operations.py"], header)


def test_an_operation_at_several_scopes_is_one_and_a_polled_one_is_none(small: dict[str, Any]) -> None:
    assert [operation.builder for operation in read(small).operations] == ["pets_list", "baths_start"]


def test_an_operation_without_scope_and_filter_takes_neither(small: dict[str, Any]) -> None:
    (start,) = [operation for operation in read(small).operations if operation.tag == "Baths"]

    assert (start.scoped, start.arguments, start.optional_query) == (False, ("pet_name",), ())


def test_a_builder_places_scope_path_query_and_body(small: dict[str, Any]) -> None:
    assert (
        formatted(generate(small, "pets.yaml")["requests.py"]).partition('json"}\n\n\n')[2]
        == '''\
def pets_list(endpoint: str, api_version: str, scope: str, *, filter: str | None = None) -> JsonRequest:
    """List the pets of a house."""
    path = f"{_prefix(scope)}/pets"
    url = f"{endpoint}{path}?api-version={quote(api_version, safe='')}"
    if filter is not None:
        url += f"&$filter={quote(filter, safe='')}"
    return JsonRequest("GET", url, headers=_HEADERS)


def baths_start(endpoint: str, api_version: str, pet_name: str, body: SoapWire) -> JsonRequest:
    """Start to wash a pet."""
    path = f"/baths/{quote(pet_name, safe='')}"
    url = f"{endpoint}{path}?api-version={quote(api_version, safe='')}"
    return JsonRequest("POST", url, headers=_HEADERS, json=body)


def _prefix(scope: str) -> str:
    """Place the scope in front of a path; the HSM's own scope is no segment."""
    return "" if scope == "/" else quote(scope)
'''
    )


def test_a_method_sends_the_request_or_starts_the_job(small: dict[str, Any]) -> None:
    assert (
        formatted(generate(small, "pets.yaml")["operations.py"]).partition("SoapWire\n\n\n")[2]
        == '''\
class PetsOperations:
    """The operations with the tag Pets."""

    def __init__(self, client: RestClient) -> None:
        self._client = client

    async def list(self, scope: str, *, filter: str | None = None, **kwargs: Any) -> PageWire:
        """List the pets of a house."""
        request = requests.pets_list(self._client.endpoint, self._client.api_version, scope, filter=filter)
        return cast("PageWire", await self._client.send(request, 200, **kwargs))


class BathsOperations:
    """The operations with the tag Baths."""

    def __init__(self, client: RestClient) -> None:
        self._client = client

    async def start(
        self, pet_name: str, body: SoapWire, **kwargs: Any
    ) -> PipelineResponse[HttpRequest, AsyncHttpResponse]:
        """Start to wash a pet."""
        request = requests.baths_start(self._client.endpoint, self._client.api_version, pet_name, body)
        return await self._client.start(request, 202, **kwargs)
'''
    )


def test_builders_without_scope_need_no_prefix(small: dict[str, Any]) -> None:
    del small["paths"]["/rooms/{roomName}/pets"]
    del small["paths"]["/pets"]["x-scope"]

    assert "_prefix" not in generate(small, "pets.yaml")["requests.py"]
