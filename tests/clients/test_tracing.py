"""With tracing there is one span per public method and one per request below it; without it there are none."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError
from azure.core.rest import HttpRequest
from azure.core.settings import settings
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from azure.keyvault.administration.aio import KeyVaultAccessControlClient, KeyVaultBackupClient
from fakes import CHALLENGE, CONTAINER, FOLDER, SAS, VAULT, Answer, FakeCredential, ScriptedTransport, Sent, error


def _answer(sent: Sent) -> Answer:
    if sent.token is None:
        return CHALLENGE
    starts = any(part in sent.url for part in ("backup?", "restore?"))
    status = 202 if starts else {"PUT": 201}.get(sent.method, 200)
    family = "backup" if "backup" in sent.url else "restore"
    job = {"status": "Succeeded", "jobId": "5f", "startTime": 1, "endTime": 2}
    return Answer(status, {"value": [], **job}, {"azure-asyncoperation": f"{VAULT}/{family}/5f/pending"})


async def _items(paged: Any) -> list[Any]:
    return [item async for item in paged]


_CALLS: dict[str, Callable[[KeyVaultAccessControlClient, KeyVaultBackupClient], Any]] = {
    "KeyVaultAccessControlClient.create_role_assignment": lambda access, _: access.create_role_assignment(
        "/", "r", "p"
    ),
    "KeyVaultAccessControlClient.delete_role_assignment": lambda access, _: access.delete_role_assignment("/", "a"),
    "KeyVaultAccessControlClient.get_role_assignment": lambda access, _: access.get_role_assignment("/", "a"),
    "KeyVaultAccessControlClient.list_role_assignments": lambda access, _: _items(access.list_role_assignments("/")),
    "KeyVaultAccessControlClient.set_role_definition": lambda access, _: access.set_role_definition("/"),
    "KeyVaultAccessControlClient.delete_role_definition": lambda access, _: access.delete_role_definition("/", "r"),
    "KeyVaultAccessControlClient.get_role_definition": lambda access, _: access.get_role_definition("/", "r"),
    "KeyVaultAccessControlClient.list_role_definitions": lambda access, _: _items(access.list_role_definitions("/")),
    "KeyVaultBackupClient.begin_backup": lambda _, backup: backup.begin_backup(CONTAINER, SAS),
    "KeyVaultBackupClient.begin_restore": lambda _, backup: backup.begin_restore(FOLDER, SAS),
    "KeyVaultBackupClient.begin_pre_backup": lambda _, backup: backup.begin_pre_backup(CONTAINER, SAS),
    "KeyVaultBackupClient.begin_pre_restore": lambda _, backup: backup.begin_pre_restore(FOLDER, SAS),
    "KeyVaultClientBase.send_request": lambda access, _: access.send_request(HttpRequest("GET", "/settings")),
}


@pytest.fixture(name="tracing")
def _tracing() -> Iterator[None]:
    settings.tracing_enabled = True
    yield
    settings.tracing_enabled = None


def _clients(**options: Any) -> tuple[KeyVaultAccessControlClient, KeyVaultBackupClient]:
    transport = ScriptedTransport(server=_answer)
    return (
        KeyVaultAccessControlClient(VAULT, FakeCredential(), transport=transport, **options),
        KeyVaultBackupClient(VAULT, FakeCredential(), transport=transport, **options),
    )


def _kinds(spans: InMemorySpanExporter) -> tuple[list[ReadableSpan], list[ReadableSpan]]:
    finished = spans.get_finished_spans()
    requests = [span for span in finished if span.kind is trace.SpanKind.CLIENT]
    return [span for span in finished if span not in requests], requests


def test_every_public_method_that_talks_to_the_service_is_traced_here() -> None:
    methods = {
        member.__qualname__
        for client in (KeyVaultAccessControlClient, KeyVaultBackupClient)
        for name, member in inspect.getmembers(client, inspect.isfunction)
        if not name.startswith("_") and name != "close"
    }

    assert methods == set(_CALLS)


@pytest.mark.parametrize("name", _CALLS)
@pytest.mark.usefixtures("tracing")
async def test_a_call_is_one_span_and_each_of_its_requests_another(name: str, spans: InMemorySpanExporter) -> None:
    await _CALLS[name](*_clients())

    (method,), requests = _kinds(spans)
    assert method.name == name
    # The challenge, and the request itself.
    assert [(span.attributes or {})["http.response.status_code"] for span in requests] == [
        401,
        pytest.approx(201, abs=1),
    ]
    assert method.context is not None
    # The span of a list ends before its pages are read.
    parents = set() if ".list_" in name else {method.context.span_id}
    assert {span.parent.span_id for span in requests if span.parent} == parents
    assert method.instrumentation_scope is not None
    assert {span.instrumentation_scope for span in requests} == {method.instrumentation_scope}
    assert method.instrumentation_scope.name == "azure-keyvault-administration"
    assert method.instrumentation_scope.version == "5.0.0b1"


@pytest.mark.usefixtures("tracing")
async def test_a_call_that_fails_is_a_span_that_says_so(spans: InMemorySpanExporter) -> None:
    refusal = Answer(403, error("AccessDenied", "No."))
    client = KeyVaultAccessControlClient(
        VAULT, FakeCredential(), transport=ScriptedTransport(server=lambda sent: refusal if sent.token else CHALLENGE)
    )

    with pytest.raises(HttpResponseError):
        await client.get_role_definition("/", "r")

    (method,), requests = _kinds(spans)
    assert method.status.status_code is trace.StatusCode.ERROR
    assert (requests[-1].attributes or {})["error.type"] == "403"


@pytest.mark.usefixtures("tracing")
async def test_each_poll_is_a_span(spans: InMemorySpanExporter) -> None:
    _, backup = _clients()
    poller = await backup.begin_backup(
        "", continuation_token=(await backup.begin_backup(CONTAINER, SAS)).continuation_token()
    )
    spans.clear()

    await poller.update_status()

    (request,) = spans.get_finished_spans()
    assert (request.attributes or {})["url.full"] == f"{VAULT}/backup/5f/pending"


async def test_without_tracing_there_are_no_spans(spans: InMemorySpanExporter) -> None:
    for call in _CALLS.values():
        await call(*_clients())

    assert spans.get_finished_spans() == ()


async def test_one_call_can_be_traced_alone(spans: InMemorySpanExporter) -> None:
    access, _ = _clients()

    await access.get_role_definition("/", "r", tracing_options={"enabled": True, "attributes": {"why": "audit"}})
    await access.get_role_definition("/", "r")

    (method,), requests = _kinds(spans)
    assert (method.attributes or {})["why"] == "audit"
    assert len(requests) == 2
