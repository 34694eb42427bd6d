"""The operations' request answers whoever asks it as azure-core's own does."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from azure.core.rest import HttpRequest

from azure.keyvault.administration._runtime.request import JsonRequest

_URL = "https://contoso.managedhsm.azure.net/restore?api-version=7.6"


@pytest.mark.parametrize("json", [None, {"folder": "ä"}], ids=["no body", "body"])
@pytest.mark.parametrize(
    "name", ["method", "url", "headers", "content", "body", "data", "files", "multipart_mixed_info", "query"]
)
def test_an_attribute_is_that_of_azure_core(name: str, json: Any) -> None:
    ours = JsonRequest("PUT", _URL, headers={"Accept": "application/json"}, json=json)
    theirs = HttpRequest("PUT", _URL, headers={"Accept": "application/json"}, json=json)

    assert getattr(ours, name) == getattr(theirs, name)


def test_it_has_no_parts_to_prepare() -> None:
    request = JsonRequest("PUT", _URL, json={"folder": "f"})

    assert request.prepare_multipart_body(3) == HttpRequest("PUT", _URL).prepare_multipart_body(3)
    assert request.content == '{"folder": "f"}'


def test_a_policy_can_replace_its_body() -> None:
    request = JsonRequest("PUT", _URL, json={"folder": "f"})

    request.set_text_body("other")

    assert (request.body, request.data, request.content) == ("other", "other", "other")


def test_a_copy_has_the_same_body() -> None:
    request = JsonRequest("PUT", _URL, json={"folder": "f"})

    assert copy.deepcopy(request).content == request.content
