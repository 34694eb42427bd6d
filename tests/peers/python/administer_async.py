"""Administers an HSM with the published async clients; knows the environment and nothing else."""

import asyncio
import json
import os
import sys
from contextlib import AsyncExitStack
from importlib.metadata import version

from azure.core.exceptions import HttpResponseError
from azure.identity.aio import DefaultAzureCredential
from azure.keyvault.keys.aio import KeyClient

from azure.keyvault.administration import KeyVaultDataAction, KeyVaultPermission, KeyVaultRoleScope
from azure.keyvault.administration.aio import KeyVaultAccessControlClient, KeyVaultBackupClient

URL = os.environ["AZURE_MANAGEDHSM_URL"]
STORAGE = (os.environ["BLOB_CONTAINER_URL"], os.environ["BLOB_SAS_TOKEN"])
ME = os.environ["EMULATOR_ADMIN_OBJECT_ID"]
OFTEN = {"_polling_interval": 0.1}
ACTIONS = [KeyVaultDataAction.CREATE_HSM_KEY, KeyVaultDataAction.READ_HSM_KEY, KeyVaultDataAction.DELETE_HSM_KEY]
PURGE = [KeyVaultDataAction.PURGE_DELETED_HSM_KEY, KeyVaultDataAction.READ_DELETED_HSM_KEY]


async def administer(access, backup, keys):
    said = {"package": version("azure-keyvault-administration")}
    root = KeyVaultRoleScope.GLOBAL
    said["built-in roles"] = len([role async for role in access.list_role_definitions(root)])

    permission = KeyVaultPermission(data_actions=[*ACTIONS, *PURGE])
    role = await access.set_role_definition(root, role_name="Key keeper", permissions=[permission])
    assignment = await access.create_role_assignment(root, role.id, ME)
    read = await access.get_role_assignment(root, assignment.name)
    said["role"] = (role.role_name, role.role_type, role.assignable_scopes, len(role.permissions[0].data_actions))
    said["assignment"] = (read.properties.scope, read.properties.principal_id == ME)
    said["assignments"] = len([each async for each in access.list_role_assignments(root)])

    first = (await keys.create_rsa_key("kept")).properties.version
    await (await backup.begin_pre_backup(STORAGE[0], sas_token=STORAGE[1], **OFTEN)).wait()
    made = await (await backup.begin_backup(*STORAGE, **OFTEN)).result()
    said["backed up to the container"] = made.folder_url.startswith(STORAGE[0] + "/mhsm-")
    await (await backup.begin_pre_restore(made.folder_url, sas_token=STORAGE[1], **OFTEN)).wait()
    missing = made.folder_url[:-16] + "1" * 16
    try:
        await (await backup.begin_pre_restore(missing, sas_token=STORAGE[1], **OFTEN)).wait()
    except HttpResponseError:
        said["missing folder"] = "refused"

    await keys.delete_key("kept")
    await keys.purge_deleted_key("kept")
    await (await backup.begin_restore(made.folder_url, STORAGE[1], key_name="kept", **OFTEN)).wait()
    said["key is back"] = (await keys.get_key("kept")).properties.version == first

    await access.delete_role_assignment(root, assignment.name)
    await access.delete_role_definition(root, role.name)
    said["roles without mine"] = len([each async for each in access.list_role_definitions(root)])
    await (await backup.begin_restore(made.folder_url, STORAGE[1], **OFTEN)).wait()
    said["role is back"] = (await access.get_role_definition(root, role.name)).role_name
    said["assignment is back"] = (await access.get_role_assignment(root, assignment.name)).name == assignment.name
    return said


async def back_up(_access, backup, _keys):
    return {"folder": (await (await backup.begin_backup(*STORAGE, **OFTEN)).result()).folder_url}


async def start(_access, backup, _keys):
    poller = await backup.begin_backup(*STORAGE)
    return {"token": poller.continuation_token(), "done": poller.done(), "status": poller.status()}


async def resume(_access, backup, _keys):
    poller = await backup.begin_backup(*STORAGE, continuation_token=sys.argv[2], **OFTEN)
    return {"folder": (await poller.result()).folder_url, "status": poller.status()}


COMMANDS = {"administer": administer, "back-up": back_up, "start": start, "resume": resume}


async def main():
    async with AsyncExitStack() as stack:
        credential = await stack.enter_async_context(DefaultAzureCredential())
        kinds = (KeyVaultAccessControlClient, KeyVaultBackupClient, KeyClient)
        clients = [await stack.enter_async_context(kind(URL, credential)) for kind in kinds]
        print(json.dumps(await COMMANDS[sys.argv[1]](*clients)))


asyncio.run(main())
