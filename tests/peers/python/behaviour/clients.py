"""Making, sharing and closing clients; their annotations."""

import copy
import inspect
import typing

from azure.keyvault.administration import ApiVersion
from azure.keyvault.administration.aio import KeyVaultAccessControlClient, KeyVaultBackupClient

from .bench import NAME, Credential, Hsm, InfoCredential, SyncCredential, behaviour

URL = "https://contoso.managedhsm.azure.net"
CLIENTS = {"access": KeyVaultAccessControlClient, "backup": KeyVaultBackupClient}


def vault_url(url, credential=None, **options):
    return KeyVaultAccessControlClient(url, credential or Credential(), **options).vault_url


URLS = {
    "plain": URL,
    "slash": f"{URL}/",
    "two-slashes": f"{URL}//",
    "blanks-around": f"  {URL}  ",
    "upper-host": "https://CONTOSO.managedhsm.azure.net",
    "upper-scheme": "HTTPS://contoso.managedhsm.azure.net",
    "port": f"{URL}:8443",
    "default-port": f"{URL}:443",
    "trailing-dot": f"{URL}.",
    "ip": "https://127.0.0.1:8443",
    "ipv6": "https://[::1]:8443",
    "localhost": "https://localhost",
    "vault": "https://contoso.vault.azure.net",
    "none": None,
    "empty": "",
}
ODD_URLS = {
    "path": f"{URL}/path",
    "query": f"{URL}?x=1",
    "fragment": f"{URL}#x",
    "userinfo": "https://me:secret@contoso.managedhsm.azure.net",
    "non-ascii": "https://contosö.managedhsm.azure.net",
    "http": "http://contoso.managedhsm.azure.net",
    "no-scheme": "contoso.managedhsm.azure.net",
    "no-host": "https://",
    "backslash": f"{URL}\\x",
    "blank-inside": "https://contoso managedhsm.azure.net",
    "blank": "   ",
    "bad-port": f"{URL}:abc",
}
behaviour("vault-url", URLS)(vault_url)
behaviour("odd-vault-url", ODD_URLS)(vault_url)
behaviour("wrong-type/vault-url", {"number": 5, "bytes": URL.encode()})(vault_url)

CREDENTIALS = {"async": Credential(), "info": InfoCredential(), "sync": SyncCredential(), "none": None, "zero": 0}
behaviour("credential-of-client", CREDENTIALS)(lambda credential: KeyVaultBackupClient(URL, credential).vault_url)
behaviour("placeholder-credential", {"object": object(), "text": "secret"})(
    lambda credential: KeyVaultBackupClient(URL, credential).vault_url
)

CONSTRUCTIONS = {
    "no-arguments": ((), {}),
    "no-credential": ((URL,), {}),
    "keywords": ((), {"vault_url": URL, "credential": Credential()}),
    "three-arguments": ((URL, Credential(), "7.5"), {}),
    "unknown-keyword": ((URL, Credential()), {"unknown": 1, "container_uri": "x", "is_async": True}),
}
behaviour(
    "construction",
    CLIENTS,
    CONSTRUCTIONS,
)(lambda kind, arguments, options: kind(*arguments, **options).vault_url)

VERSIONS = {"member": ApiVersion.V7_5, "text": "7.5", "unknown": "9.9", "preview": "7.6-preview.2"}
behaviour("wrong-type/version", {"number": 7.5, "blank": " "})(lambda given: vault_url(URL, api_version=given))
behaviour("version-none", {"none": None, "empty": ""})(lambda given: vault_url(URL, api_version=given))


@behaviour("version-attribute", VERSIONS)
def version_attribute(given):
    version = Hsm().access(api_version=given).api_version
    return [version == given, isinstance(version, str)]


@behaviour("version-sent", VERSIONS)
async def version_sent(given):
    hsm = Hsm()
    await hsm.access(api_version=given).get_role_definition("/", NAME)
    return hsm.requests[-1].url.partition("?")[2]


@behaviour("default-version/sent")
async def default_version_sent():
    hsm = Hsm()
    client = hsm.access()
    await client.get_role_definition("/", NAME)
    return [hsm.requests[-1].url.partition("?")[2], str(client.api_version)]


behaviour("read-only", "vault_url api_version")(lambda name: setattr(Hsm().access(), name, "x"))
behaviour("client-new-attribute")(lambda: setattr(Hsm().access(), "mine", 1))
behaviour("client-copy")(lambda: copy.copy(Hsm().access()).vault_url.startswith("https://hsm"))
behaviour("client-members", CLIENTS)(lambda kind: [name for name in dir(kind) if not name.startswith("_")])


@behaviour("client-context")
async def context():
    hsm = Hsm()
    client = hsm.access()
    async with client as entered:
        await client.get_role_definition("/", NAME)
    return [entered is client, hsm.closed, hsm.credential.closed]


@behaviour("client-context-twice")
async def context_twice():
    hsm = Hsm()
    client = hsm.access()
    async with client, client:
        await client.get_role_definition("/", NAME)
    return hsm.closed


@behaviour("client-context-error")
async def context_error():
    hsm = Hsm()
    try:
        async with hsm.access():
            {}["mine"]
    except KeyError:
        return hsm.closed


@behaviour("client-sync-context")
def sync_context():
    with Hsm().access():
        pass


@behaviour("client-close", CLIENTS)
async def close(kind):
    async with kind(URL, Credential()) as client:
        return [await client.close(), await client.close()]


@behaviour("client-after-close")
async def after_close():
    hsm = Hsm()
    client = hsm.access()
    await client.close()
    role = await client.get_role_definition("/", NAME)
    async with client:
        again = await client.get_role_definition("/", NAME)
    return [role.name, again.name, hsm.closed]


REPLACED = {"pipeline": object(), "policies": [], "authentication_policy": object()}
behaviour("replaced-policies", {name: (name, REPLACED[name]) for name in REPLACED})(
    lambda name, value: Hsm().access(**{name: value}).vault_url.startswith("https://hsm")
)


@behaviour("two-clients-of-one-hsm")
async def two_clients():
    hsm = Hsm()
    for _ in range(3):
        await hsm.access().get_role_definition("/", NAME)
        await hsm.backup().begin_backup("https://account.blob.core.windows.net/c", "sig=1")
    return [hsm.seen, len(hsm.credential.asked)]


# Annotations: dependency injection and validators evaluate them.
SHARED = "send_request close __init__ __aenter__"
METHODS = {
    f"{kind}-{name}": getattr(CLIENTS[kind], name)
    for kind, names in {
        "access": "create_role_assignment delete_role_assignment get_role_assignment list_role_assignments"
        f" set_role_definition delete_role_definition get_role_definition list_role_definitions {SHARED}",
        "backup": f"begin_backup begin_restore begin_pre_backup begin_pre_restore {SHARED}",
    }.items()
    for name in names.split()
}
behaviour("annotations-of-method", METHODS)(lambda method: isinstance(typing.get_type_hints(method), dict))
behaviour("annotations-of-client", CLIENTS)(lambda kind: isinstance(typing.get_type_hints(kind), dict))
behaviour("signature-evaluated", METHODS)(lambda method: bool(inspect.signature(method, eval_str=True)))
behaviour("method-documented", METHODS)(lambda method: bool(method.__doc__))
behaviour("method-bound", {name: METHODS[name] for name in METHODS if "begin" not in name})(
    lambda method: [each.name for each in inspect.signature(method).parameters.values() if each.kind.name[0] == "P"]
)
