"""What the documentation of the published async clients shows, in our own words; runs with them and with this library.

It prints what came of each use. Ids that differ between two runs are left out; everything else must be the same,
whichever package it runs with.
"""

import asyncio
import json
import os
import uuid

from azure.core.async_paging import AsyncItemPaged
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError, ResourceNotFoundError
from azure.core.polling import AsyncLROPoller
from azure.core.rest import HttpRequest
from azure.identity.aio import DefaultAzureCredential

from azure.keyvault.administration import (
    ApiVersion,
    KeyVaultBackupResult,
    KeyVaultDataAction,
    KeyVaultPermission,
    KeyVaultRoleAssignment,
    KeyVaultRoleAssignmentProperties,
    KeyVaultRoleDefinition,
    KeyVaultRoleScope,
)
from azure.keyvault.administration.aio import KeyVaultAccessControlClient, KeyVaultBackupClient

MANAGED_HSM_URL = os.environ["AZURE_MANAGEDHSM_URL"]
CONTAINER = os.environ["BLOB_CONTAINER_URL"]
SAS = os.environ["BLOB_SAS_TOKEN"]
PRINCIPAL = "5f0a2f3c-3b8e-4f3e-9d43-0b9b5c2b6d11"
OFTEN = {"_polling_interval": 0.1}


async def role_definitions(client, said):
    # List the role definitions available for assignment.
    listed = client.list_role_definitions(KeyVaultRoleScope.GLOBAL)
    said["list is paged"] = isinstance(listed, AsyncItemPaged)
    said["roles"] = sorted([role.role_name async for role in listed])
    said["pages"] = []
    async for page in client.list_role_definitions("/").by_page():
        said["pages"].append(len([role async for role in page]))

    # Create a custom one; replace it by its name; get it; delete it, twice.
    unique = uuid.uuid4()
    permissions = [KeyVaultPermission(data_actions=[KeyVaultDataAction.CREATE_HSM_KEY])]
    created = await client.set_role_definition(
        scope=KeyVaultRoleScope.GLOBAL, name=unique, role_name="Custom", description="First", permissions=permissions
    )
    said["created"] = [type(created).__name__, created.name == str(unique), created.role_type, created.type]
    said["created as"] = [created.role_name, created.description, created.assignable_scopes]
    permissions = [
        KeyVaultPermission(
            data_actions=[KeyVaultDataAction.CREATE_HSM_KEY, "Microsoft.KeyVault/managedHsm/keys/read/action"],
            not_data_actions=[KeyVaultDataAction.READ_HSM_KEY],
        )
    ]
    await client.set_role_definition(KeyVaultRoleScope.GLOBAL, permissions=permissions, role_name="New", name=unique)
    got = await client.get_role_definition(scope=KeyVaultRoleScope.GLOBAL, name=unique)
    said["replaced by"] = [got.role_name, got.description, got.id == created.id]
    said["permissions"] = [
        [permission.actions, permission.not_actions, permission.data_actions, permission.not_data_actions]
        for permission in got.permissions
    ]
    await client.delete_role_definition(scope=KeyVaultRoleScope.GLOBAL, name=str(unique))
    said["deleted again"] = await client.delete_role_definition(KeyVaultRoleScope.GLOBAL, unique)
    try:
        await client.get_role_definition(KeyVaultRoleScope.GLOBAL, unique)
    except ResourceNotFoundError as error:
        said["gone"] = [error.status_code, error.error.code, isinstance(error, HttpResponseError)]


async def role_assignments(client, said):
    roles = [role async for role in client.list_role_definitions(KeyVaultRoleScope.GLOBAL)]
    (role,) = (role for role in roles if role.role_name == "Managed HSM Crypto User")
    name = uuid.uuid4()
    created = await client.create_role_assignment(KeyVaultRoleScope.KEYS, role.id, PRINCIPAL, name=name)
    said["assigned"] = [type(created).__name__, created.name == str(name), created.type]
    said["assigned what"] = [
        type(created.properties).__name__,
        created.properties.principal_id,
        created.properties.scope,
        created.properties.role_definition_id == role.id,
    ]
    got = await client.get_role_assignment(KeyVaultRoleScope.KEYS, created.name)
    said["same assignment"] = [got.role_assignment_id == created.role_assignment_id, got.role_assignment_id[:11]]
    unnamed = await client.create_role_assignment(scope="/keys/a-key", definition_id=role.id, principal_id=PRINCIPAL)
    said["name is made up"] = str(uuid.UUID(unnamed.name)) == unnamed.name
    said["assignments"] = []
    for scope in (KeyVaultRoleScope.GLOBAL, KeyVaultRoleScope.KEYS, "/keys/a-key"):
        assignments = [assignment async for assignment in client.list_role_assignments(scope)]
        said["assignments"].append([assignment.properties.scope for assignment in assignments])
    try:
        await client.create_role_assignment(KeyVaultRoleScope.KEYS, role.id, PRINCIPAL)
    except HttpResponseError as error:
        said["assigned already"] = [type(error).__name__, error.status_code, error.error.code]
    said["deleted"] = await client.delete_role_assignment(KeyVaultRoleScope.KEYS, created.name)
    await client.delete_role_assignment(KeyVaultRoleScope.KEYS, created.name)
    try:
        await client.get_role_assignment(KeyVaultRoleScope.KEYS, created.name)
    except ResourceNotFoundError as error:
        said["assignment is gone"] = error.error.code


async def backup_and_restore(client, said):
    # Begin a backup, look whether it is done, wait for it.
    poller = await client.begin_backup(CONTAINER, SAS, **OFTEN)
    said["poller"] = isinstance(poller, AsyncLROPoller)
    # Go on with a saved state, while the job is under way.
    resumed = await client.begin_backup(CONTAINER, SAS, continuation_token=poller.continuation_token(), **OFTEN)
    backup = await poller.result()
    said["done"] = [poller.done(), poller.status()]
    said["backup"] = [type(backup).__name__, backup.folder_url.startswith(f"{CONTAINER}/mhsm-")]

    said["resumed"] = (await resumed.result()).folder_url == backup.folder_url

    # Restore it, and one key of it.
    restore = await client.begin_restore(backup.folder_url, SAS, **OFTEN)
    said["restored"] = [await restore.wait(), restore.done(), restore.status(), await restore.result()]
    one = await client.begin_restore(folder_url=backup.folder_url, sas_token=SAS, key_name="a-key", **OFTEN)
    try:
        await one.wait()
    except HttpResponseError as error:
        said["no such key"] = [one.status(), error.status_code]

    # The checks.
    check = await client.begin_pre_backup(CONTAINER, sas_token=SAS, **OFTEN)
    said["check of a backup"] = [await check.result(), check.status()]
    check = await client.begin_pre_restore(backup.folder_url, sas_token=SAS, **OFTEN)
    said["check of a restore"] = [await check.result(), check.status()]

    # With the HSM's own identity.
    poller = await client.begin_backup(CONTAINER, use_managed_identity=True, **OFTEN)
    said["managed identity"] = (await poller.result()).folder_url.startswith(CONTAINER)

    # A job that fails raises when it is waited for.
    poller = await client.begin_backup(f"{CONTAINER}-missing", SAS, **OFTEN)
    try:
        await poller.result()
    except HttpResponseError as error:
        said["failed"] = [poller.status(), error.error.code, bool(error.continuation_token)]


def models(said):
    permission = KeyVaultPermission(actions=["a"], not_actions=["b"], data_actions=["c"], not_data_actions=["d"])
    said["permission"] = [
        permission.actions,
        permission.not_actions,
        permission.data_actions,
        permission.not_data_actions,
    ]
    definition = KeyVaultRoleDefinition(id="i", name="n", role_name="r", permissions=[permission], unknown=1)
    said["definition"] = [definition.id, definition.name, definition.role_name, definition.description]
    properties = KeyVaultRoleAssignmentProperties(principal_id="p", role_definition_id="d", scope="/")
    assignment = KeyVaultRoleAssignment(name="n", properties=properties, assignment_type="t", role_assignment_id="i")
    said["assignment"] = [assignment.name, assignment.type, assignment.properties.scope, assignment.role_assignment_id]
    definition.role_name = "changed"
    said["can be changed"] = definition.role_name
    said["result"] = [KeyVaultBackupResult(folder_url="u").folder_url, KeyVaultBackupResult().folder_url]
    said["enums"] = [
        KeyVaultDataAction.READ_HSM_KEY == "Microsoft.KeyVault/managedHsm/keys/read/action",
        KeyVaultRoleScope.KEYS.value,
        ApiVersion.V7_6.value,
        KeyVaultRoleScope("/keys") is KeyVaultRoleScope.KEYS,
    ]


async def clients(credential, said):
    # Without a context manager; with a version, as member and as text; with options of azure-core.
    client = KeyVaultAccessControlClient(vault_url=f"{MANAGED_HSM_URL}/", credential=credential)
    said["vault url"] = client.vault_url == MANAGED_HSM_URL
    await client.close()
    for version in (ApiVersion.V7_5, "7.4"):
        async with KeyVaultAccessControlClient(MANAGED_HSM_URL, credential, api_version=version) as client:
            said[f"version {version[:3]}"] = len([role async for role in client.list_role_definitions("/")])
    seen = []
    async with KeyVaultBackupClient(MANAGED_HSM_URL, credential, retry_total=1, user_agent="mine") as client:
        response = await client.send_request(
            HttpRequest("GET", "/keys"),
            raw_response_hook=lambda answer: seen.append(answer.http_request.headers["User-Agent"].split()[0]),
        )
        said["send_request"] = [response.status_code, response.json()["error"]["code"], seen[-1]]
        response = await client.send_request(HttpRequest("GET", f"{MANAGED_HSM_URL}/backup/none/pending"))
        said["absolute"] = response.status_code

    class Refuses:
        async def get_token(self, *_, **__):
            raise ClientAuthenticationError("no")

        async def close(self):
            pass

    async with KeyVaultAccessControlClient(MANAGED_HSM_URL, Refuses()) as client:
        try:
            await client.get_role_definition("/", "name")
        except ClientAuthenticationError as error:
            said["credential refuses"] = error.message


async def main():
    said = {}
    models(said)
    async with DefaultAzureCredential() as credential:
        async with KeyVaultAccessControlClient(MANAGED_HSM_URL, credential) as client:
            await role_definitions(client, said)
            await role_assignments(client, said)
        async with KeyVaultBackupClient(vault_url=MANAGED_HSM_URL, credential=credential) as client:
            await backup_and_restore(client, said)
        await clients(credential, said)
    print(json.dumps(said))


asyncio.run(main())
