"""``HttpResponseError.model`` is the service's error, as in 4.x."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError

from azure.keyvault.administration.aio import KeyVaultAccessControlClient, KeyVaultBackupClient
from fakes import CHALLENGE, VAULT, Answer, FakeCredential, ScriptedTransport, error

_INNER = {"code": "Inner", "innererror": {"code": "Innermost", "message": "why"}}
_BODY = {"error": {"code": "Outer", "message": "what", "innererror": _INNER, "target": "t"}, "more": 1}


async def _error(answer: Answer) -> HttpResponseError:
    transport = ScriptedTransport(server=lambda sent: answer if sent.token else CHALLENGE)
    client = KeyVaultAccessControlClient(VAULT, FakeCredential(), transport=transport, retry_total=0)
    with pytest.raises(HttpResponseError) as caught:
        await client.get_role_assignment("/", "name")
    return caught.value


@pytest.mark.parametrize("status", [401, 403, 503])
async def test_model_holds_the_error_of_the_service(status: int) -> None:
    model: Any = (await _error(Answer(status, _BODY))).model

    assert (model.error.code, model.error.message) == ("Outer", "what")
    assert (model.error.inner_error.code, model.error.inner_error.message) == ("Inner", None)
    assert model.error.inner_error.inner_error.inner_error is None
    assert model == model.as_dict() == dict(model) == _BODY
    assert model["error"]["target"] == model.error["target"] == "t"
    assert isinstance(model, Mapping)


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b"null", b"[1]", b'"text"', b"\xff", b"[" * 60_000],
    ids=["empty", "HTML", "null", "list", "text", "broken", "deep"],
)
async def test_model_is_none_if_the_body_is_not_an_object(body: bytes) -> None:
    assert (await _error(Answer(500, body=body))).model is None


@pytest.mark.parametrize("member", [{}, {"error": None}, {"error": "text"}])
async def test_error_of_the_model_is_none_if_it_is_missing(member: dict[str, Any]) -> None:
    model: Any = (await _error(Answer(500, member))).model

    assert (model.error, model) == (None, member)


async def test_model_of_a_refused_poll_shows_no_secret() -> None:
    sas = "sv=1&sig=canary%2Bsignature"
    started = Answer(202, {"status": "InProgress"}, {"azure-asyncoperation": f"{VAULT}/backup/5f/pending"})
    refused = Answer(403, error("canary+signature", json.dumps({"token": sas})))
    client = KeyVaultBackupClient(
        VAULT, FakeCredential(), transport=ScriptedTransport(CHALLENGE, started, refused), retry_total=0
    )

    with pytest.raises(HttpResponseError) as caught:
        await (await client.begin_backup("https://account.blob.core.windows.net/backups", sas)).result()

    assert caught.value.model == error("REDACTED", json.dumps({"token": "REDACTED"}))
