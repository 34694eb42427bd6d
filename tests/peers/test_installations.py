"""The peers are there, and are what they claim to be."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from azure.core.exceptions import HttpResponseError
from azure.storage.blob import ContainerClient

if TYPE_CHECKING:
    from peers.azurite import Azurite


def test_azurite_keeps_what_a_sas_allows_to_write(azurite: Azurite) -> None:
    url = azurite.create_container("kept")

    with ContainerClient.from_container_url(url, credential=azurite.sas("kept")) as client:
        client.upload_blob("folder/name", b"content")

    assert azurite.blobs("kept") == {"folder/name": b"content"}


@pytest.mark.parametrize(
    ("sas", "code"),
    [
        pytest.param({"expires_in": timedelta(hours=-1)}, "AuthorizationFailure", id="expired"),
        pytest.param({"permission": "rl"}, "AuthorizationPermissionMismatch", id="reading"),
    ],
)
def test_azurite_keeps_nothing_else(azurite: Azurite, sas: dict[str, Any], code: str) -> None:
    url = azurite.container_url("refused")

    with (
        ContainerClient.from_container_url(url, credential=azurite.sas("refused", **sas)) as client,
        pytest.raises(HttpResponseError, match=f"ErrorCode:{code}"),
    ):
        client.upload_blob("folder/name", b"content")
