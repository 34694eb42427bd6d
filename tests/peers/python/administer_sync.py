"""Administers an HSM with the published sync clients; knows the environment and nothing else."""

import json
import os
import sys
from contextlib import ExitStack
from importlib.metadata import version

from azure.core.exceptions import HttpResponseError
from azure.identity import DefaultAzureCredential
from azure.keyvault.keys import KeyClient

from azure.keyvault.administration import (
    KeyVaultAccessControlClient,
    KeyVaultBackupClient,
    KeyVaultDataAction,
    KeyVaultPermission,
    KeyVaultRoleScope,
)

URL = os.environ["AZURE_MANAGEDHSM_URL"]
STORAGE = (os.environ["BLOB_CONTAINER_URL"], os.environ["BLOB_SAS_TOKEN"])
ME = os.environ["EMULATOR_ADMIN_OBJECT_ID"]
OFTEN = {"_polling_interval": 0.1}
ACTIONS = [KeyVaultDataAction.CREATE_HSM_KEY, KeyVaultDataAction.READ_HSM_KEY, KeyVaultDataAction.DELETE_HSM_KEY]
PURGE = [KeyVaultDataAction.PURGE_DELETED_HSM_KEY, KeyVaultDataAction.READ_DELETED_HSM_KEY]


def administer(access, backup, keys):
    said = {"package": version("azure-keyvault-administration")}
    root = KeyVaultRoleScope.GLOBAL
    said["built-in roles"] = len(list(access.list_role_definitions(root)))

    permission = KeyVaultPermission(data_actions=[*ACTIONS, *PURGE])
    role = access.set_role_definition(root, role_name="Key keeper", permissions=[permission])
    assignment = access.create_role_assignment(root, role.id, ME)
    read = access.get_role_assignment(root, assignment.name)
    said["role"] = (role.role_name, role.role_type, role.assignable_scopes, len(role.permissions[0].data_actions))
    said["assignment"] = (read.properties.scope, read.properties.principal_id == ME)
    said["assignments"] = len(list(access.list_role_assignments(root)))

    first = keys.create_rsa_key("kept").properties.version
    backup.begin_pre_backup(STORAGE[0], sas_token=STORAGE[1], **OFTEN).wait()
    made = backup.begin_backup(*STORAGE, **OFTEN).result()
    said["backed up to the container"] = made.folder_url.startswith(STORAGE[0] + "/mhsm-")
    backup.begin_pre_restore(made.folder_url, sas_token=STORAGE[1], **OFTEN).wait()
    missing = made.folder_url[:-16] + "1" * 16
    try:
        backup.begin_pre_restore(missing, sas_token=STORAGE[1], **OFTEN).wait()
    except HttpResponseError:
        said["missing folder"] = "refused"

    keys.begin_delete_key("kept").wait()
    keys.purge_deleted_key("kept")
    backup.begin_restore(made.folder_url, STORAGE[1], key_name="kept", **OFTEN).wait()
    said["key is back"] = keys.get_key("kept").properties.version == first

    access.delete_role_assignment(root, assignment.name)
    access.delete_role_definition(root, role.name)
    said["roles without mine"] = len(list(access.list_role_definitions(root)))
    backup.begin_restore(made.folder_url, STORAGE[1], **OFTEN).wait()
    said["role is back"] = access.get_role_definition(root, role.name).role_name
    said["assignment is back"] = access.get_role_assignment(root, assignment.name).name == assignment.name
    return said


def back_up(_access, backup, _keys):
    return {"folder": (backup.begin_backup(*STORAGE, **OFTEN).result()).folder_url}


def start(_access, backup, _keys):
    poller = backup.begin_backup(*STORAGE)
    return {"token": poller.continuation_token(), "done": poller.done(), "status": poller.status()}


def resume(_access, backup, _keys):
    poller = backup.begin_backup(*STORAGE, continuation_token=sys.argv[2], **OFTEN)
    return {"folder": poller.result().folder_url, "status": poller.status()}


COMMANDS = {"administer": administer, "back-up": back_up, "start": start, "resume": resume}

with ExitStack() as stack:
    credential = stack.enter_context(DefaultAzureCredential())
    kinds = (KeyVaultAccessControlClient, KeyVaultBackupClient, KeyClient)
    clients = [stack.enter_context(kind(URL, credential)) for kind in kinds]
    print(json.dumps(COMMANDS[sys.argv[1]](*clients)))
