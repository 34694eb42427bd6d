"""The client refuses for a version exactly what the contract says that the version lacks."""

from __future__ import annotations

from typing import Any

import pytest

from azure.keyvault.administration import ApiVersion
from azure.keyvault.administration.aio import KeyVaultBackupClient
from fakes import CHALLENGE, VAULT, Answer, FakeCredential, ScriptedTransport
from openapi_contract import document

_VERSIONS: list[str] = document()["components"]["parameters"]["ApiVersion"]["schema"]["enum"]
_CONTAINER = "https://account.blob.core.windows.net/backups"


def test_the_enum_and_the_contract_know_the_same_versions() -> None:
    assert sorted(version.value for version in ApiVersion) == sorted(_VERSIONS)


def _added_in(feature: str) -> str:
    if feature == "managed identity":
        added: str = document()["components"]["schemas"]["SASTokenParameter"]["properties"]["useManagedIdentity"][
            "x-added-in"
        ]
    else:
        added = document()["paths"]["/prebackup"]["post"]["x-added-in"]
    return added


@pytest.mark.parametrize("version", _VERSIONS)
@pytest.mark.parametrize(
    ("feature", "method", "options"),
    [
        ("managed identity", "begin_backup", {"use_managed_identity": True}),
        ("pre-checks", "begin_pre_backup", {"sas_token": "se=2999-01-01&sig=c2VjcmV0"}),
    ],
    ids=["managed identity", "pre-checks"],
)
async def test_a_feature_is_refused_for_the_versions_before_it(
    version: str, feature: str, method: str, options: dict[str, Any]
) -> None:
    started = Answer(202, {"status": "InProgress"}, {"azure-asyncoperation": f"{VAULT}/backup/5f/pending"})
    transport = ScriptedTransport(CHALLENGE, started)
    client = KeyVaultBackupClient(VAULT, FakeCredential(), transport=transport, api_version=version)

    if _VERSIONS.index(version) < _VERSIONS.index(_added_in(feature)):
        with pytest.raises(ValueError, match=_added_in(feature)):
            await getattr(client, method)(_CONTAINER, **options)
        assert transport.requests == []
    else:
        await getattr(client, method)(_CONTAINER, **options)
        assert len(transport.requests) == 2
