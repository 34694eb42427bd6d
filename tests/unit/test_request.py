"""The operations' request answers as azure-core's own does, whatever azure-core or a user's policy does to it."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from azure.core.rest import HttpRequest

from azure.keyvault.administration._runtime.request import JsonRequest

_URL = "https://contoso.managedhsm.azure.net/restore?api-version=7.6"
_BODIES = [pytest.param(None, id="no body"), pytest.param({"folder": "ä"}, id="body")]

Change = Callable[[Any], Any]


def _assign(name: str, value: Any) -> Change:
    def change(request: Any) -> None:
        setattr(request, name, value)

    return change


def _parts(request: Any) -> int:
    part = HttpRequest("GET", "/roles")
    request.set_multipart_mixed(part, part, boundary="line")
    return int(request.prepare_multipart_body(3))


_CHANGES: dict[str, Change] = {
    "nothing": lambda _: None,
    "files assigned": _assign("files", {"name": b"content"}),
    "data assigned": _assign("data", b"other"),
    "data emptied": _assign("data", ""),
    "data of a form": _assign("data", {"field": "value"}),
    "body assigned": _assign("body", "other"),
    "content assigned": _assign("content", b"other"),
    "method assigned": _assign("method", "POST"),
    "url assigned": _assign("url", f"{_URL}&a=b"),
    "headers assigned": _assign("headers", {"A": "b"}),
    "parts assigned": _assign("multipart_mixed_info", ((), [], None, {})),
    "attribute of one's own": _assign("mine", 1),
    "header added": lambda request: request.headers.update({"x-mine": "1"}),
    "parameters": lambda request: request.format_parameters({"a": "b"}),
    "text": lambda request: request.set_text_body("other"),
    "json": lambda request: request.set_json_body([1]),
    "bytes": lambda request: request.set_bytes_body(b"other"),
    "xml": lambda request: request.set_xml_body(ET.Element("other")),
    "stream": lambda request: request.set_streamed_data_body([b"a", b"b"]),
    "form": lambda request: request.set_formdata_body({"name": b"content"}),
    "form after files": lambda request: (_assign("files", {"a": b"b"})(request), request.set_text_body("other")),
    "files and data": lambda request: (_assign("files", {"a": b"b"})(request), _assign("data", {"c": "d"})(request)),
    "parts": _parts,
    "no parts": lambda request: request.prepare_multipart_body(3),
}


def _outcome(request: HttpRequest, change: Change) -> dict[str, Any]:
    """Return all that a request says of itself after a change, and what the change returned or raised."""
    outcome: dict[str, Any] = {}
    try:
        outcome["returned"] = change(request)
    except Exception as error:  # noqa: BLE001 - whatever azure-core raises
        outcome["raised"] = type(error)
    return {**outcome, **_said(request)}


def _said(request: Any) -> dict[str, Any]:
    names = ("method", "url", "headers", "content", "body", "data", "files", "query")
    said = {name: getattr(request, name) for name in names}
    parts = request.multipart_mixed_info
    return {**said, "headers": dict(said["headers"]), "parts": parts and parts[1:], "repr": repr(request)}


def _pair(json: Any) -> tuple[HttpRequest, HttpRequest]:
    headers = {"Accept": "application/json"}
    return JsonRequest("PUT", _URL, headers=headers, json=json), HttpRequest("PUT", _URL, headers=headers, json=json)


@pytest.mark.parametrize("json", _BODIES)
@pytest.mark.parametrize("change", _CHANGES.values(), ids=_CHANGES)
def test_a_change_does_what_it_does_to_a_request_of_azure_core(change: Change, json: Any) -> None:
    ours, theirs = _pair(json)

    assert _outcome(ours, change) == _outcome(theirs, change)


@pytest.mark.parametrize(
    "duplicate",
    [
        pytest.param(copy.copy, id="copy"),
        pytest.param(copy.deepcopy, id="deepcopy"),
        pytest.param(lambda request: pickle.loads(pickle.dumps(request)), id="pickle"),
    ],
)
@pytest.mark.parametrize("change", _CHANGES.values(), ids=_CHANGES)
def test_a_copy_says_what_a_copy_of_azure_core_s_says(change: Change, duplicate: Change) -> None:
    ours, theirs = _pair({"folder": "ä"})
    _outcome(ours, change)
    _outcome(theirs, change)

    assert _said(duplicate(ours)) == _said(duplicate(theirs))


def test_a_copy_goes_its_own_way() -> None:
    request, _ = _pair({"folder": "f"})
    other: Any = copy.deepcopy(request)

    other.files = {"name": b"content"}
    other.set_text_body("other")

    assert request.content == '{"folder": "f"}'


def test_what_neither_has_is_an_attribute_error() -> None:
    ours, theirs = _pair(None)

    for request in (ours, theirs):
        with pytest.raises(AttributeError):
            _ = request.parts
