"""Key operations for the samples. Real code uses ``azure-keyvault-keys``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from azure.core.exceptions import HttpResponseError
from azure.core.rest import HttpRequest

if TYPE_CHECKING:
    from azure.keyvault.administration.aio import KeyVaultAccessControlClient


async def call(client: KeyVaultAccessControlClient, method: str, url: str, body: Any = None) -> Any:
    """Send a request through the client's pipeline, and return the JSON of its response."""
    response = await client.send_request(HttpRequest(method, url, json=body))
    response.raise_for_status()
    return response.json() if response.content else None


async def key_names(client: KeyVaultAccessControlClient) -> list[str]:
    """Return the names of all keys. Needs the data action ``keys/read/action``."""
    names: list[str] = []
    url = "/keys"
    while url:
        page = await call(client, "GET", url)
        names += [item["kid"].rpartition("/")[2] for item in page["value"]]
        url = page.get("nextLink") or ""
    return sorted(names)


async def key_versions(client: KeyVaultAccessControlClient, name: str) -> list[str]:
    """Return the ids of all versions of a key."""
    page = await call(client, "GET", f"/keys/{name}/versions")
    return sorted(item["kid"] for item in page["value"])


async def create_key(client: KeyVaultAccessControlClient, name: str) -> None:
    """Create an elliptic curve key, or a new version of it."""
    await call(client, "POST", f"/keys/{name}/create", {"kty": "EC-HSM"})


async def purge_key(client: KeyVaultAccessControlClient, name: str) -> None:
    """Delete a key for good."""
    await call(client, "DELETE", f"/keys/{name}")
    await call(client, "DELETE", f"/deletedkeys/{name}")


async def allow_key_management(client: KeyVaultAccessControlClient, principal_id: str) -> None:
    """Assign the built-in roles for creating, reading and purging keys, unless they are already assigned."""
    async for role in client.list_role_definitions("/"):
        if role.role_name in {"Managed HSM Crypto User", "Managed HSM Crypto Officer"} and role.id:
            try:
                await client.create_role_assignment("/", role.id, principal_id)
            except HttpResponseError as error:
                if not error.error or error.error.code != "MatchingRoleAssignmentExists":
                    raise
