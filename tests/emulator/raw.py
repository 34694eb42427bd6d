"""A client that sends exactly what it is told, and keeps every response whole."""

from __future__ import annotations

import asyncio
import io
import json
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import NAMESPACE_URL, uuid5

from yarl import URL

from emulator.contract_check import violations

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiohttp import ClientSession

    from azure.keyvault.administration.emulator import ManagedHsmEmulator

VERSION = "7.6"
SCOPE = "https://managedhsm.azure.net/.default"

ROLE_DEFINITIONS = "/providers/Microsoft.Authorization/roleDefinitions"
ROLE_ASSIGNMENTS = "/providers/Microsoft.Authorization/roleAssignments"
ROLE_ID = "Microsoft.KeyVault" + ROLE_DEFINITIONS + "/"
ACTION = "Microsoft.KeyVault/managedHsm"

ADMINISTRATOR = "a290e904-7015-4bba-90c8-60543313cdb4"
CRYPTO_USER = "21dbd100-6940-42c2-9190-5d6cb909625b"
CRYPTO_OFFICER = "515eb02d-2335-4d2d-92f2-b1cbdf9c3778"
CRYPTO_AUDITOR = "2c18b078-7c48-4d3a-af88-5a3a1b3f82b3"
POLICY_ADMINISTRATOR = "4bd23610-cdcf-4971-bdee-bdc562cc28e4"
BACKUP_USER = "7b127d3c-77bd-4e3e-bbe0-dbb8971fa7f8"
RESTORE_USER = "6efe6056-5259-49d2-8b3d-d3d73544b20b"


@dataclass(frozen=True)
class Reply:
    """One response."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def activity(self) -> str:
        return f"(Activity ID: {self.headers['x-ms-request-id']})"

    @property
    def error(self) -> tuple[int, str, str]:
        """Status, code and message of an error in exactly the shape of the front end."""
        assert set(self.json) == {"error"}
        assert list(self.json["error"])[:2] == ["code", "message"]
        message: str = self.json["error"]["message"]
        assert message.endswith(" " + self.activity)
        return self.status, self.json["error"]["code"], message.removesuffix(" " + self.activity)

    @property
    def backup_error(self) -> tuple[int, str, str]:
        """Status, code and message of an error in exactly the shape of the backup service."""
        error = self.json["error"]
        assert self.json == {"error": {"code": error["code"], "innererror": None, "message": error["message"]}}
        return self.status, error["code"], error["message"]


class RawClient:
    """Talks to one emulator as its administrator, or as another principal."""

    def __init__(self, hsm: ManagedHsmEmulator, principal: str | None = None) -> None:
        self.hsm = hsm
        self.principal = principal or hsm.admin_object_id

    def as_(self, principal: str) -> RawClient:
        return RawClient(self.hsm, principal)

    async def token(self) -> str:
        return (await self.hsm.credential_for(self.principal).get_token(SCOPE)).token

    async def send(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        version: str | None = VERSION,
        query: str = "",
        token: str | None = "",
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """Send a request; a token of None means no Authorization header, an empty one means the principal's token."""
        sent = dict(headers or {})
        if token is not None:
            sent.setdefault("Authorization", f"Bearer {token or await self.token()}")
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        if data is not None:
            sent.setdefault("Content-Type", "application/json")
        parts = [part for part in (f"api-version={version}" if version else "", query) if part]
        url = URL(self.hsm.vault_url + path + ("?" + "&".join(parts) if parts else ""), encoded=True)
        # The session of the transport that clients get, with its TLS.
        session: ClientSession = self.hsm.client_kwargs["transport"].session
        stream = None if data is None else io.BytesIO(data)
        async with session.request(method, url, data=stream, headers=sent, skip_auto_headers=["Content-Type"]) as reply:
            answer = Reply(reply.status, dict(reply.headers), await reply.read())
        assert violations(method, path, answer.status, answer.headers, answer.body) == []
        return answer

    async def send_bytes(self, request: bytes) -> bytes:
        """Send bytes on a new connection, and return everything received until it closes."""
        context = ssl.create_default_context(cadata=self.hsm.ca_certificate.decode())
        reader, writer = await asyncio.open_connection("localhost", self.hsm.port, ssl=context)
        writer.write(request)
        answer = await reader.read()
        writer.close()
        return answer

    async def assign(self, principal: str, role: str, scope: str = "", name: str = "") -> Reply:
        name = name or str(uuid5(NAMESPACE_URL, principal + role + scope))
        properties = {"roleDefinitionId": ROLE_ID + role, "principalId": principal}
        return await self.send("PUT", f"{scope}{ROLE_ASSIGNMENTS}/{name}", {"properties": properties})

    async def grant_key_roles(self) -> None:
        """Let the principal use and manage keys."""
        for role in (CRYPTO_USER, CRYPTO_OFFICER):
            await self.assign(self.principal, role)

    async def role_definitions(self) -> list[dict[str, Any]]:
        value: list[dict[str, Any]] = (await self.send("GET", ROLE_DEFINITIONS)).json["value"]
        return value

    async def role_assignments(self, scope: str = "") -> list[dict[str, Any]]:
        value: list[dict[str, Any]] = (await self.send("GET", scope + ROLE_ASSIGNMENTS)).json["value"]
        return value
