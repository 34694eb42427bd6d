"""Makes, lists, deletes, recovers and purges keys with the published client, as somebody with the roles for it."""

import json
import os

from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.identity import DefaultAzureCredential
from azure.keyvault.keys import KeyClient

from azure.keyvault.administration import KeyVaultAccessControlClient, KeyVaultRoleScope

URL = os.environ["AZURE_MANAGEDHSM_URL"]
ALICE = "a11ce000-0000-4000-8000-000000000001"


def kept(client):
    said = {}
    for make in (client.create_rsa_key, client.create_ec_key, client.create_oct_key):
        key = make(make.__name__.split("_")[1], tags={"made": "here"})
        said[key.name] = (key.key_type, len(key.key_operations), key.properties.tags)
    client.create_rsa_key("rsa")
    said["keys"] = [key.name for key in client.list_properties_of_keys()]
    said["versions"] = len(list(client.list_properties_of_key_versions("rsa")))
    said["updated"] = client.update_key_properties("ec", enabled=False).properties.enabled
    said["deleted"] = client.begin_delete_key("rsa").result().name
    said["deleted keys"] = [key.name for key in client.list_deleted_keys()]
    said["recovered"] = client.begin_recover_deleted_key("rsa").result().name
    client.begin_delete_key("oct").wait()
    client.purge_deleted_key("oct")
    said["left"] = [key.name for key in client.list_properties_of_keys()]
    try:
        client.get_deleted_key("oct")
    except ResourceNotFoundError as error:
        said["purged"] = error.error.code
    return said


with (
    DefaultAzureCredential() as credential,
    KeyVaultAccessControlClient(URL, credential) as access,
    # A client id chooses the principal; nobody has given this one a role yet.
    DefaultAzureCredential(managed_identity_client_id=ALICE) as alice,
    KeyClient(URL, alice) as keys,
):
    try:
        keys.create_rsa_key("refused")
    except HttpResponseError as error:
        refused = (error.status_code, error.error.code, error.message.partition(" (Activity ID:")[0])
    roles = {role.role_name: role.id for role in access.list_role_definitions(KeyVaultRoleScope.GLOBAL)}
    for name in ("Managed HSM Crypto User", "Managed HSM Crypto Officer"):
        access.create_role_assignment(KeyVaultRoleScope.GLOBAL, roles[name], ALICE)
    print(json.dumps({"refused": refused, **kept(keys)}))
