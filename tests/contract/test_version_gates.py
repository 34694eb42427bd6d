"""The client refuses for a version exactly what the contract says that the version lacks."""

from __future__ import annotations

from typing import Any

import pytest

from azure.keyvault.administration import ApiVersion
from azure.keyvault.administration.aio import KeyVaultBackupClient
from fakes import CHALLENGE, CONTAINER, VAULT, Answer, FakeCredential, ScriptedTransport
from openapi_contract import document

_VERSIONS: list[str] = document()["components"]["parameters"]["ApiVersion"]["schema"]["enum"]


def test_the_enum_and_the_contract_know_the_same_versions() -> None:
    assert sorted(version.value for version in ApiVersion) == sorted(_VERSIONS)


def _feature(name: str) -> tuple[str, str, dict[str, Any]]:
    """Return the version that added a feature, and a call that needs it."""
    contract = document()
    if name == "managed identity":
        node = contract["components"]["schemas"]["SASTokenParameter"]["properties"]["useManagedIdentity"]
        return node["x-added-in"], "begin_backup", {"use_managed_identity": True}
    return contract["paths"]["/prebackup"]["post"]["x-added-in"], "begin_pre_backup", {"sas_token": "sig=c2VjcmV0"}


@pytest.mark.parametrize("version", _VERSIONS)
@pytest.mark.parametrize("feature", ["managed identity", "pre-checks"])
async def test_a_feature_is_refused_for_the_versions_before_it(version: str, feature: str) -> None:
    added_in, method, options = _feature(feature)
    started = Answer(202, {"status": "InProgress"}, {"azure-asyncoperation": f"{VAULT}/backup/5f/pending"})
    transport = ScriptedTransport(CHALLENGE, started)
    client = KeyVaultBackupClient(VAULT, FakeCredential(), transport=transport, api_version=version)

    if _VERSIONS.index(version) < _VERSIONS.index(added_in):
        with pytest.raises(ValueError, match=f"api_version {added_in} or newer"):
            await getattr(client, method)(CONTAINER, **options)
        assert transport.requests == []
    else:
        await getattr(client, method)(CONTAINER, **options)
        assert len(transport.requests) == 2
