"""A client that backs up and restores, and puts the clock forward instead of waiting."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from azure.keyvault.administration.emulator import ManagedHsmEmulator
from emulator.raw import ACTION, BACKUP_USER, CRYPTO_USER, ROLE_DEFINITIONS, RawClient

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from emulator.raw import Reply

DURATION = 3600.0
ALICE = "a11ce000-0000-4000-8000-000000000001"
BOB = "b0b00000-0000-4000-8000-000000000002"
ROLE = "2f5b1a7e-6c1d-4f7a-9b35-7f0c5c9d7f11"


class Operator(RawClient):
    """Backs up and restores; the clock is put forward until the job is due."""

    @property
    def storage(self) -> dict[str, Any]:
        return {"storageResourceUri": self.hsm.container_url, "token": self.hsm.sas_token}

    async def back_up(self, **changes: object) -> Reply:
        return await self.send("POST", "/backup", {**self.storage, **changes})

    async def restore(self, folder: str, path: str = "/restore", **changes: object) -> Reply:
        name = "folder" if path.startswith("/keys/") else "folderToRestore"
        return await self.send("PUT", path, {"sasTokenParameters": {**self.storage, **changes}, name: folder})

    async def status(self, started: Reply) -> Reply:
        url = started.headers["azure-asyncoperation"]
        assert url.startswith(f"{self.hsm.vault_url}/")
        return await self.send("GET", url.removeprefix(self.hsm.vault_url), version=None)

    async def finish(self, started: Reply) -> Reply:
        assert started.status == 202, started.body
        self.hsm.clock.advance(DURATION)
        while (reply := await self.status(started)).json["status"] == "InProgress":
            pass
        return reply

    async def folder(self) -> str:
        """Back up, and return the name of the folder."""
        return folder_of(await self.finish(await self.back_up()))

    async def state(self) -> dict[str, object]:
        """Return everything that a client can see."""
        paths = [
            ROLE_DEFINITIONS,
            *(f"{scope}/providers/Microsoft.Authorization/roleAssignments" for scope in ("", "/keys", "/keys/a")),
            "/keys",
            "/deletedkeys",
            "/keys/a/versions",
            "/keys/b/versions",
        ]
        replies = {path: await self.send("GET", path) for path in paths}
        return {path: reply.json if reply.status == 200 else reply.status for path, reply in replies.items()}

    async def furnish(self) -> None:
        """Create keys, a role and assignments."""
        await self.grant_key_roles()
        await self.assign(ALICE, BACKUP_USER, "/keys/a")
        permissions = [{"dataActions": [f"{ACTION}/keys/read/action"]}]
        await self.send(
            "PUT", f"{ROLE_DEFINITIONS}/{ROLE}", {"properties": {"roleName": "mine", "permissions": permissions}}
        )
        for name in ("a", "a", "b", "gone"):
            await self.send("POST", f"/keys/{name}/create", {"kty": "EC", "tags": {"n": name}})
        await self.send("DELETE", "/keys/gone")

    async def wreck(self) -> None:
        """Change everything that can be changed."""
        await self.send("DELETE", f"{ROLE_DEFINITIONS}/{ROLE}")
        await self.assign(ALICE, CRYPTO_USER)
        await self.send("POST", "/keys/a/create", {"kty": "EC"})
        await self.send("DELETE", "/keys/b")
        await self.send("POST", "/keys/new/create", {"kty": "oct"})
        await self.send("DELETE", "/deletedkeys/gone")


@asynccontextmanager
async def operating(name: str = "emulated-hsm", **options: Any) -> AsyncGenerator[Operator]:
    """Start an emulator whose jobs are in progress until the clock is put forward."""
    async with ManagedHsmEmulator(name, job_duration=DURATION, **options) as hsm:
        yield Operator(hsm)


def folder_of(done: Reply) -> str:
    """Return the name of the folder that a backup has written."""
    assert done.json["status"] == "Succeeded", done.body
    return str(done.json["azureStorageBlobContainerUri"]).rpartition("/")[2]


def failed(reply: Reply) -> tuple[str, str]:
    """Check the status of a failed job, and return its code and message."""
    body = reply.json
    assert reply.status == 200
    assert body["status"] == "Failed"
    assert body["error"] == {"code": body["error"]["code"], "innererror": None, "message": body["statusDetails"]}
    assert body["endTime"] >= body["startTime"]
    assert body.get("azureStorageBlobContainerUri") is None
    return body["error"]["code"], body["statusDetails"]
