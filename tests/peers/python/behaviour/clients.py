"""Making, sharing and closing a client."""

import copy
import pickle

from azure.core.credentials import AccessToken
from azure.core.rest import HttpRequest
from azure.keyvault.administration import ApiVersion
from azure.keyvault.administration.aio import KeyVaultAccessControlClient, KeyVaultBackupClient

from .bench import Credential, Hsm, InfoCredential, NAME, attempt, behaviour, collect, raised

CLIENTS = {"access": KeyVaultAccessControlClient, "backup": KeyVaultBackupClient}
URLS = {
    "plain": "https://contoso.managedhsm.azure.net",
    "slash": "https://contoso.managedhsm.azure.net/",
    "slashes": "https://contoso.managedhsm.azure.net//",
    "upper-host": "https://CONTOSO.managedhsm.azure.net",
    "upper-scheme": "HTTPS://contoso.managedhsm.azure.net",
    "port": "https://contoso.managedhsm.azure.net:8443",
    "default-port": "https://contoso.managedhsm.azure.net:443",
    "blanks-around": "  https://contoso.managedhsm.azure.net  ",
    "ip": "https://127.0.0.1:8443",
    "ipv6": "https://[::1]:8443",
    "localhost": "https://localhost",
    "vault": "https://contoso.vault.azure.net",
    "trailing-dot": "https://contoso.managedhsm.azure.net.",
    "fragment": "https://contoso.managedhsm.azure.net#x",
}
# What this library refuses, and 4.7.2 takes.
ODD_URLS = {
    "path": "https://contoso.managedhsm.azure.net/path",
    "query": "https://contoso.managedhsm.azure.net?x=1",
    "userinfo": "https://me:secret@contoso.managedhsm.azure.net",
    "non-ascii": "https://contosö.managedhsm.azure.net",
    "http": "http://contoso.managedhsm.azure.net",
    "no-scheme": "contoso.managedhsm.azure.net",
    "other-scheme": "ftp://contoso.managedhsm.azure.net",
    "backslash": "https://contoso.managedhsm.azure.net\\x",
    "blank-inside": "https://contoso managedhsm.azure.net",
    "blank": "   ",
    "bad-port": "https://contoso.managedhsm.azure.net:abc",
    "no-host": "https://",
}
BAD_URLS = {"none": None, "empty": "", "number": 5, "bytes": b"https://contoso.managedhsm.azure.net"}
MAKES = {**URLS, **BAD_URLS}
behaviour("vault-url", MAKES)(lambda url: KeyVaultAccessControlClient(url, Credential()).vault_url)
behaviour("vault-url-odd", ODD_URLS)(lambda url: KeyVaultAccessControlClient(url, Credential()).vault_url)
behaviour("vault-url-backup", {"none": None, "empty": "", "slash": URLS["slash"]})(lambda url: KeyVaultBackupClient(url, Credential()).vault_url)


class Sync:
    def get_token(self, *scopes, **options):
        return AccessToken("token", 2**40)


CREDENTIALS = {"async": Credential, "info": InfoCredential, "sync": Sync, "none": lambda: None, "zero": lambda: 0, "empty": lambda: ""}
PLACEHOLDERS = {"object": object, "string": lambda: "secret"}
behaviour("credential-form", CREDENTIALS)(lambda make: KeyVaultAccessControlClient(URLS["plain"], make()).vault_url)
behaviour("credential-placeholder", PLACEHOLDERS)(lambda make: KeyVaultAccessControlClient(URLS["plain"], make()).vault_url)

FORMS = {
    "no-arguments": lambda kind: kind(),
    "one-argument": lambda kind: kind(URLS["plain"]),
    "three-arguments": lambda kind: kind(URLS["plain"], Credential(), "7.5"),
    "keywords": lambda kind: kind(vault_url=URLS["plain"], credential=Credential()),
    "unknown-keyword": lambda kind: kind(URLS["plain"], Credential(), unknown=1, container_uri="x", is_async=True),
    "empty-headers": lambda kind: kind(URLS["plain"], Credential(), headers={}),
}
behaviour("constructor", {f"{client}-{form}": (CLIENTS[client], act) for client in CLIENTS for form, act in FORMS.items()})(
    lambda kind, act: type(act(kind)).__name__
)
VERSIONS = {"member": ApiVersion.V7_5, "text": "7.5", "unknown": "9.9", "none": None, "preview": "7.6-preview.2"}
behaviour("version-form", {name: value for name, value in VERSIONS.items()})(
    lambda version: KeyVaultAccessControlClient(URLS["plain"], Credential(), api_version=version).vault_url
)
behaviour("version-odd", {"number": 7.5, "empty": "", "blank": " "})(
    lambda version: KeyVaultAccessControlClient(URLS["plain"], Credential(), api_version=version).vault_url
)
behaviour("version-attribute", {name: value for name, value in VERSIONS.items() if value})(
    lambda version: (lambda value: [value == version, isinstance(value, str)])(Hsm().access(api_version=version).api_version)
)
behaviour("version-attribute-default")(lambda: isinstance(Hsm().access().api_version, str))
behaviour("version-attribute-of-default")(lambda: str(Hsm().access().api_version))


@behaviour("version-sent", {name: value for name, value in VERSIONS.items() if value})
async def version_sent(version):
    hsm = Hsm()
    await hsm.access(api_version=version).get_role_definition("/", NAME)
    return hsm.requests[-1].url.partition("?")[2]


@behaviour("version-sent-by-default")
async def version_sent_by_default():
    hsm = Hsm()
    await hsm.access().get_role_definition("/", NAME)
    return hsm.requests[-1].url.partition("?")[2]


behaviour("read-only", {"vault_url": "vault_url", "api_version": "api_version"})(lambda name: setattr(Hsm().access(), name, "x"))
behaviour("client-new-attribute")(lambda: setattr(Hsm().access(), "mine", 1))
behaviour("client-hashable")(lambda: len({Hsm().access()}))
behaviour("client-members", CLIENTS)(lambda kind: sorted(name for name in dir(kind) if not name.startswith("_")))
behaviour("client-pickle")(lambda: pickle.dumps(Hsm().access()) and None)
behaviour("client-copy")(lambda: type(copy.copy(Hsm().access())).__name__)


@behaviour("client-enters-itself")
async def enters():
    hsm = Hsm()
    client = hsm.access()
    async with client as entered:
        same = entered is client
        await client.get_role_definition("/", NAME)
    return [same, hsm.closed]


@behaviour("client-closed-twice")
async def closed_twice():
    client = Hsm().access()
    return [await client.close(), await client.close()]


@behaviour("client-call-after-close")
async def call_after_close():
    hsm = Hsm()
    client = hsm.access()
    await client.close()
    return [(await client.get_role_definition("/", NAME)).name, hsm.closed]


@behaviour("client-enter-after-close")
async def enter_after_close():
    hsm = Hsm()
    client = hsm.access()
    await client.close()
    async with client:
        await client.get_role_definition("/", NAME)
    return hsm.closed


@behaviour("client-entered-twice")
async def entered_twice():
    hsm = Hsm()
    client = hsm.access()
    async with client, client:
        await client.get_role_definition("/", NAME)
    return hsm.closed


@behaviour("client-does-not-close-credential")
async def credential_stays():
    hsm = Hsm()
    async with hsm.access() as client:
        await client.get_role_definition("/", NAME)
    return hsm.credential.closed


@behaviour("client-error-leaves-block")
async def error_leaves():
    hsm = Hsm()
    try:
        async with hsm.access():
            raise KeyError("mine")
    except KeyError:
        return hsm.closed


@behaviour("client-no-sync-block")
def no_sync_block():
    with Hsm().access():
        pass


@behaviour("default-transport-closes", CLIENTS)
async def default_transport(kind):
    async with kind(URLS["plain"], Credential()) as client:
        return type(client).__name__


REPLACING = {"pipeline": object(), "policies": [], "authentication_policy": object()}
behaviour("keyword-replaces-policies", {name: (name, value) for name, value in REPLACING.items()})(
    lambda name, value: type(KeyVaultAccessControlClient(URLS["plain"], Credential(), transport=Hsm(), **{name: value})).__name__
)


@behaviour("two-clients-one-transport")
async def shared_transport():
    hsm = Hsm()
    first, second = hsm.access(), hsm.backup()
    await first.get_role_definition("/", NAME)
    await (await second.begin_backup("https://a.blob.core.windows.net/c", "sig=1")).wait()
    return hsm.seen


@behaviour("two-clients-of-one-hsm")
async def second_client():
    hsm = Hsm()
    for _ in range(3):
        await hsm.access().get_role_definition("/", NAME)
    return [hsm.seen, len(hsm.credential.asked)]
