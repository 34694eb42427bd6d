"""A client with a revoked token gets a new one and repeats the refused request only."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from azure.core.credentials import AccessTokenInfo, TokenRequestOptions

from azure.keyvault.administration.aio import KeyVaultAccessControlClient, KeyVaultBackupClient
from azure.keyvault.administration.emulator import ManagedHsmEmulator
from fakes import OpenCredential

if TYPE_CHECKING:
    from azure.keyvault.administration.emulator import EmulatorCredential


class CachingCredential(OpenCredential):
    """Keeps its token as real credentials do: only claims make it ask for another one."""

    def __init__(self, credential: EmulatorCredential) -> None:
        self._credential = credential
        self._token: AccessTokenInfo | None = None
        self.claims: list[str | None] = []

    async def get_token_info(self, *scopes: str, options: TokenRequestOptions | None = None) -> AccessTokenInfo:
        claims = (options or {}).get("claims")
        self.claims.append(claims)
        if self._token is None or claims:
            self._token = await self._credential.get_token_info(*scopes, options=options)
        return self._token


def seen(hsm: ManagedHsmEmulator) -> list[tuple[str, int | None]]:
    return [(entry.method, entry.status) for entry in hsm.journal]


async def test_a_call_with_a_revoked_token_costs_one_refusal_and_one_token(hsm: ManagedHsmEmulator) -> None:
    credential = CachingCredential(hsm.credential)
    async with KeyVaultAccessControlClient(hsm.vault_url, credential, **hsm.client_kwargs) as client:
        roles = [role.id async for role in client.list_role_definitions("/")]
        hsm.revoke_tokens()
        hsm.journal.clear()
        again = [role.id async for role in client.list_role_definitions("/")]
        once_more = [role.id async for role in client.list_role_definitions("/")]

    assert roles == again == once_more
    assert seen(hsm) == [("GET", 401), ("GET", 200), ("GET", 200)]
    first, second = credential.claims
    assert first is None
    assert list(json.loads(second or "")["access_token"]) == ["nbf"]


async def test_a_token_revoked_during_a_job_repeats_the_poll_only() -> None:
    async with ManagedHsmEmulator(job_duration=60, retry_after=0) as hsm:
        credential = CachingCredential(hsm.credential)
        async with KeyVaultBackupClient(hsm.vault_url, credential, **hsm.client_kwargs) as client:
            poller = await client.begin_backup(hsm.container_url, hsm.sas_token)
            await poller.update_status()
            hsm.revoke_tokens(hsm.admin_object_id)
            hsm.journal.clear()
            await poller.update_status()
            polled = seen(hsm)
            hsm.clock.advance(59)
            hsm.revoke_tokens()
            hsm.clock.advance(1)
            result = await poller.result()

        assert polled == [("GET", 401), ("GET", 200)]
        assert (result.folder_url or "").startswith(hsm.container_url)
        assert {method for method, _ in seen(hsm)} == {"GET"}
        assert [status for _, status in seen(hsm)].count(401) == 2
        assert len(credential.claims) == 3
