"""The inventory of an HSM: all roles, assignments and keys that it did not have from the start."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NamedTuple

from azure.core.exceptions import AzureError, DecodeError
from azure.core.rest import HttpRequest

if TYPE_CHECKING:
    from azure.keyvault.administration.aio import KeyVaultAccessControlClient

_PATIENCE = 5
SCOPES = ("/", "/keys", "/keys/k0", "/keys/k1", "/keys/k2")


class Thing(NamedTuple):
    """A role, assignment or key."""

    mark: str
    delete: Callable[[], Awaitable[object]]


class Inventory:
    """Lists everything on an HSM.

    :param access: A client.
    :param administrator: The principal whose assignments were there from the start.
    """

    def __init__(self, access: KeyVaultAccessControlClient, administrator: str) -> None:
        self._access = access
        self._administrator = administrator
        self.keys = Keys(access)

    async def prepare(self) -> None:
        """Let the administrator use, delete and purge keys."""
        async for role in self._access.list_role_definitions("/"):
            if role.role_name in {"Managed HSM Crypto User", "Managed HSM Crypto Officer"}:
                await self._access.create_role_assignment("/", role.id or "", self._administrator)

    async def things(self) -> list[Thing]:
        return [
            *await _patiently(self._roles),
            *[thing for scope in SCOPES for thing in await _patiently(partial(self._assignments, scope))],
            *await _patiently(self._keys),
        ]

    async def _roles(self) -> list[Thing]:
        return [
            Thing(role.role_name or "", partial(self._access.delete_role_definition, "/", role.name or ""))
            async for role in self._access.list_role_definitions("/")
            if role.role_type == "CustomRole"
        ]

    async def _assignments(self, scope: str) -> list[Thing]:
        return [
            Thing(properties.principal_id or "", partial(self._access.delete_role_assignment, scope, item.name or ""))
            async for item in self._access.list_role_assignments(scope)
            if (properties := item.properties)
            and properties.scope == scope
            and properties.principal_id != self._administrator
        ]

    async def _keys(self) -> list[Thing]:
        names = await self.keys.names()
        return [
            Thing(mark, partial(self.keys.delete, name))
            for name in names
            if (mark := await self.keys.mark(name)) is not None
        ]


async def _patiently(part: Callable[[], Awaitable[list[Thing]]]) -> list[Thing]:
    """List a part again after an error: among so many requests, some always meet a fault."""
    for _ in range(_PATIENCE):
        with suppress(AzureError):
            return await part()
    return await part()


class Keys:
    """Keys, by ``send_request``: the clients have no methods for them."""

    def __init__(self, access: KeyVaultAccessControlClient) -> None:
        self._access = access

    async def create(self, name: str, mark: str) -> None:
        body = {"kty": "EC-HSM", "crv": "P-256", "tags": {"mark": mark}}
        # Each request creates a version, and azure-core retries a POST after 500, 503 and 504 even if it succeeded.
        await self._send("POST", f"/keys/{name}/create", body, retry_total=0)

    async def mark(self, name: str) -> str | None:
        """Return the marks of all versions; None if the key doesn't exist."""
        versions = await self._list(f"/keys/{name}/versions")
        # The versions of a key that doesn't exist are an empty list.
        return "+".join(version["tags"]["mark"] for version in versions or ()) or None

    async def names(self) -> list[str]:
        return [item["kid"].rpartition("/")[2] for item in await self._list("/keys") or []]

    async def delete(self, name: str) -> None:
        """Delete and purge a key, or purge one that an earlier attempt deleted."""
        await self._send("DELETE", f"/keys/{name}")
        await self._send("DELETE", f"/deletedkeys/{name}")

    async def _list(self, url: str) -> list[Any] | None:
        items: list[Any] = []
        while url:
            page = await self._send("GET", url)
            if page is None:
                return None
            items += page["value"]
            url = page.get("nextLink", "")
        return items

    async def _send(self, method: str, url: str, body: object = None, **options: Any) -> Any:
        """Return the JSON of the response; None if it is empty, or if the resource doesn't exist."""
        response = await self._access.send_request(HttpRequest(method, url, json=body), **options)
        if response.status_code == HTTPStatus.NOT_FOUND:
            return None
        response.raise_for_status()
        try:
            return response.json() if response.content else None
        except ValueError as error:
            raise DecodeError(message="The response isn't JSON", response=response, error=error) from error
