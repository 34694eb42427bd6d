"""Challenges, tokens and credentials."""

import base64
import json
import time

from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError

from .bench import FAILURE, NAME, Credential, Hsm, InfoCredential, attempt, behaviour

LOGIN = "https://login.microsoftonline.com/tenant"
RESOURCE = "https://managedhsm.azure.net"
CLAIMS = base64.b64encode(b'{"access_token":{"nbf":{"essential":true,"value":"1"}}}').decode()
GOOD = {
    "authorization": f'Bearer authorization="{LOGIN}", resource="{RESOURCE}"', "authorization_uri": f'Bearer authorization_uri="{LOGIN}", resource="{RESOURCE}"', "scope": f'Bearer authorization="{LOGIN}", scope="{RESOURCE}/.default"',
    "both": f'Bearer authorization="{LOGIN}", resource="{RESOURCE}", scope="{RESOURCE}/other"', "lower-bearer": f'bearer authorization="{LOGIN}", resource="{RESOURCE}"', "upper-bearer": f'BEARER authorization="{LOGIN}", resource="{RESOURCE}"', "no-quotes": f"Bearer authorization={LOGIN}, resource={RESOURCE}",
    "no-blank": f'Bearer authorization="{LOGIN}",resource="{RESOURCE}"', "other-order": f'Bearer resource="{RESOURCE}", authorization="{LOGIN}"', "more": f'Bearer realm="x", authorization="{LOGIN}", resource="{RESOURCE}", error="x"', "upper-names": f'Bearer Authorization="{LOGIN}", Resource="{RESOURCE}"',
    "tenant-slash": f'Bearer authorization="{LOGIN}/", resource="{RESOURCE}"', "tenant-oauth": f'Bearer authorization="{LOGIN}/oauth2/authorize", resource="{RESOURCE}"', "resource-slash": f'Bearer authorization="{LOGIN}", resource="{RESOURCE}/"', "upper-resource": f'Bearer authorization="{LOGIN}", resource="https://MANAGEDHSM.azure.net"',
    "adfs": f'Bearer authorization="https://adfs.contoso.com/adfs", resource="{RESOURCE}"', "dsts": f'Bearer authorization="https://dsts.core/dstsv2/tenant", resource="{RESOURCE}"', "common": f'Bearer authorization="https://login.microsoftonline.com/common", resource="{RESOURCE}"', "no-tenant": f'Bearer authorization="https://login.microsoftonline.com", resource="{RESOURCE}"',
    "no-tenant-slash": f'Bearer authorization="https://login.microsoftonline.com/", resource="{RESOURCE}"', "blanks": f'Bearer   authorization="{LOGIN}" ,  resource="{RESOURCE}"  ', "pop-first": f'PoP realm="", Bearer authorization="{LOGIN}", resource="{RESOURCE}"', "basic-after": f'Bearer authorization="{LOGIN}", resource="{RESOURCE}", Basic realm="x"', "tenant-guid": f'Bearer authorization="https://login.windows.net/{NAME}", resource="{RESOURCE}"',
    "quoted-comma": f'Bearer realm="a, b", authorization="{LOGIN}", resource="{RESOURCE}"', "port": f'Bearer authorization="{LOGIN}", resource="{RESOURCE}:443"', "http-login": f'Bearer authorization="http://login.microsoftonline.com/tenant", resource="{RESOURCE}"', "with-claims": f'Bearer authorization="{LOGIN}", resource="{RESOURCE}", claims="{CLAIMS}"',
    "parent": f'Bearer authorization="{LOGIN}", resource="https://azure.net"', "no-login": f'Bearer resource="{RESOURCE}"', "double-resource": f'Bearer authorization="{LOGIN}", resource="{RESOURCE}", resource="https://evil.example"', "login-path": f'Bearer authorization="{LOGIN}?x=1", resource="{RESOURCE}"', "resource-path": f'Bearer authorization="{LOGIN}", resource="{RESOURCE}/path"', "single-quotes": f"Bearer authorization='{LOGIN}', resource='{RESOURCE}'",
    "semicolon": f'Bearer authorization="{LOGIN}"; resource="{RESOURCE}"', "equals-blank": f'Bearer authorization = "{LOGIN}", resource = "{RESOURCE}"', "two-bearers": f'Bearer authorization="{LOGIN}", resource="{RESOURCE}", Bearer authorization="{LOGIN}2", resource="{RESOURCE}"',
}
BAD = {
    "empty": "", "blank": " ", "bearer": "Bearer", "bearer-blank": "Bearer ", "basic": "Basic realm=x", "junk": "junk", "no-resource": f'Bearer authorization="{LOGIN}"', "invalid-token": 'Bearer error="invalid_token"', "other-domain": f'Bearer authorization="{LOGIN}", resource="https://evil.example"', "vault": f'Bearer authorization="{LOGIN}", resource="https://vault.azure.net"',
    "suffix": f'Bearer authorization="{LOGIN}", resource="https://hsm.azure.net"', "guid": f'Bearer authorization="{LOGIN}", resource="{NAME}"', "invalid": f'Bearer authorization="{LOGIN}", resource="invalid"', "empty-resource": f'Bearer authorization="{LOGIN}", resource=""', "bad-url": f'Bearer authorization="{LOGIN}", resource="https://["', "itself": f'Bearer authorization="{LOGIN}", resource="https://HOST"',
    "bad-port": f'Bearer authorization="{LOGIN}", resource="https://managedhsm.azure.net:x"', "other-port": f'Bearer authorization="{LOGIN}", resource="https://managedhsm.azure.net:8443"', "empty-login": f'Bearer authorization="", resource="{RESOURCE}"', "bad-login": f'Bearer authorization="nothing", resource="{RESOURCE}"', "claims-only": f'Bearer authorization="{LOGIN}", error="insufficient_claims", claims="{CLAIMS}"',
    "bad-scope": f'Bearer authorization="{LOGIN}", scope="invalid"', "urn": f'Bearer authorization="{LOGIN}", resource="urn:x"', "http-resource": f'Bearer authorization="{LOGIN}", resource="http://managedhsm.azure.net"', "userinfo": f'Bearer authorization="{LOGIN}", resource="https://me@managedhsm.azure.net"', "blank-inside": f'Bearer authorization="{LOGIN}", resource="https://managed hsm.azure.net"', "tld": f'Bearer authorization="{LOGIN}", resource="https://net"', "unclosed": f'Bearer authorization="{LOGIN}, resource={RESOURCE}',
}


async def challenged(header, count=1, credential=None, **options):
    hsm = Hsm(challenge="x")
    hsm.challenge = header.replace("HOST", hsm.host)
    if credential:
        hsm.credential = credential()
    client = hsm.access(**options)
    results = [await attempt(client.get_role_definition("/", NAME)) for _ in range(count)]
    return [[each if isinstance(each, Exception) else "ok" for each in results], hsm.seen, hsm.credential.asked]


behaviour("challenge", GOOD)(challenged)
behaviour("challenge-bad", BAD)(challenged)
behaviour("challenge-bad-twice", {name: (header, 2) for name, header in BAD.items()})(challenged)
behaviour("challenge-unverified", {**BAD, "good": GOOD["authorization"]})(lambda header: challenged(header, verify_challenge_resource=False))
behaviour("challenge-info", {name: GOOD[name] for name in ("authorization", "with-claims", "adfs", "no-tenant")})(lambda header: challenged(header, credential=InfoCredential))


@behaviour("challenge-text", {name: BAD[name] for name in ("other-domain", "vault", "suffix", "guid", "invalid", "itself", "bad-url", "urn", "tld", "other-port", "userinfo", "bad-scope")})
async def challenge_text(header):
    hsm = Hsm()
    hsm.challenge = header.replace("HOST", hsm.host)
    error = str(await attempt(hsm.access().get_role_definition("/", NAME)))
    return ["does not match the requested domain" in error, "verify_challenge_resource" in error, "aka.ms" in error]


@behaviour("challenge-none")
async def no_challenge():
    hsm = Hsm(*[(401, FAILURE)] * 3, authorized=False)
    client = hsm.access()
    return [await attempt(client.get_role_definition("/", NAME)), await attempt(client.get_role_definition("/", NAME)), hsm.seen, hsm.credential.asked]


LATER = {**{name: {"WWW-Authenticate": header} for name, header in BAD.items()}, "no-header": {}, "same": {"WWW-Authenticate": GOOD["authorization"]}, "other-tenant": {"WWW-Authenticate": GOOD["authorization"].replace("tenant", "moved")}, "claims": {"WWW-Authenticate": GOOD["with-claims"]},
         "bad-claims": {"WWW-Authenticate": f'Bearer authorization="{LOGIN}", error="insufficient_claims", claims="%%%"'}, "claims-no-padding": {"WWW-Authenticate": BAD["claims-only"].replace("=\"", "\"") if False else f'Bearer authorization="{LOGIN}", error="insufficient_claims", claims="{CLAIMS.rstrip("=")}"'}, "claims-no-error": {"WWW-Authenticate": f'Bearer authorization="{LOGIN}", claims="{CLAIMS}"'},
         "claims-twice-error": {"WWW-Authenticate": f'Bearer authorization="{LOGIN}", resource="{RESOURCE}", error="insufficient_claims", claims="{CLAIMS}"'}}


@behaviour("rejected-once", LATER)
async def rejected_once(headers):
    hsm = Hsm((401, FAILURE, headers))
    client = hsm.access()
    first = await attempt(client.get_role_definition("/", NAME))
    second = await attempt(client.get_role_definition("/", NAME))
    return [[each if isinstance(each, Exception) else "ok" for each in (first, second)], hsm.seen, hsm.credential.asked]


@behaviour("rejected-later", LATER)
async def rejected_later(headers):
    hsm = Hsm((200, {}), (401, FAILURE, headers))
    client = hsm.access()
    results = [await attempt(client.get_role_definition("/", NAME)) for _ in range(3)]
    return [[each if isinstance(each, Exception) else "ok" for each in results], hsm.seen, hsm.credential.asked]


@behaviour("rejected-always", LATER)
async def rejected_always(headers):
    hsm = Hsm(*[(401, FAILURE, headers)] * 20)
    client = hsm.access()
    results = [await attempt(client.get_role_definition("/", NAME)) for _ in range(2)]
    return [[each if isinstance(each, Exception) else "ok" for each in results], hsm.seen, len(hsm.credential.asked)]


@behaviour("rejected-put", {name: LATER[name] for name in ("same", "claims", "invalid-token", "no-header")})
async def rejected_put(headers):
    hsm = Hsm((401, FAILURE, headers))
    result = await attempt(hsm.access().set_role_definition("/", name=NAME, role_name="r"))
    return [result if isinstance(result, Exception) else "ok", hsm.seen, hsm.bodies]


class Sync(Credential):
    def get_token(self, *scopes, **options):
        self.asked.append([list(scopes), options])
        return AccessToken("token", int(time.time()) + self.lifetime)


class SyncInfo(Credential):
    get_token = None

    def get_token_info(self, *scopes, options=None):
        from azure.core.credentials import AccessTokenInfo

        self.asked.append([list(scopes), options])
        return AccessTokenInfo("token", int(time.time()) + self.lifetime)


class NoKeywords(Credential):
    async def get_token(self, *scopes):
        self.asked.append(list(scopes))
        return AccessToken("token", int(time.time()) + self.lifetime)


class Tenant(Credential):
    async def get_token(self, *scopes, tenant_id=None, claims=None, **_):
        self.asked.append([list(scopes), tenant_id, claims])
        return AccessToken("token", int(time.time()) + self.lifetime)


class NoneToken(Credential):
    async def get_token(self, *scopes, **options):
        self.asked.append(list(scopes))


class TupleToken(Credential):
    async def get_token(self, *scopes, **options):
        return ("token", int(time.time()) + 3600)


class DuckToken(Credential):
    async def get_token(self, *scopes, **options):
        class Token:
            token, expires_on = "token", int(time.time()) + 3600

        return Token()


class FloatToken(Credential):
    async def get_token(self, *scopes, **options):
        return AccessToken("token", time.time() + 3600.5)


class EmptyToken(Credential):
    async def get_token(self, *scopes, **options):
        return AccessToken("", int(time.time()) + 3600)


CREDENTIALS = {
    "async": Credential, "info": InfoCredential, "sync": Sync, "sync-info": SyncInfo, "no-keywords": NoKeywords, "tenant": Tenant, "none": NoneToken, "tuple": TupleToken, "duck": DuckToken, "float": FloatToken, "empty": EmptyToken,
    "raises-auth": lambda: Credential(error=ClientAuthenticationError("no")), "raises-value": lambda: Credential(error=ValueError("no")), "raises-http": lambda: Credential(error=HttpResponseError("no")), "raises-timeout": lambda: Credential(error=TimeoutError("no")), "raises-key": lambda: Credential(error=KeyError("no")),
}


@behaviour("credential", {f"{name}-{count}": (make, count) for name, make in CREDENTIALS.items() for count in (1, 3)})
async def with_credential(make, count):
    hsm = Hsm()
    hsm.credential = make()
    client = hsm.access()
    results = [await attempt(client.get_role_definition("/", NAME)) for _ in range(count)]
    return [[each if isinstance(each, Exception) else "ok" for each in results], hsm.seen, hsm.credential.asked]


@behaviour("token-lifetime", {f"{name}-{lifetime}": (make, lifetime) for name, make in {"async": Credential, "info": InfoCredential, "sync": Sync}.items() for lifetime in (-5, 0, 30, 200, 290, 310, 400, 3600)})
async def lifetime_of(make, lifetime):
    hsm = Hsm()
    hsm.credential = make()
    hsm.credential.lifetime = lifetime
    client = hsm.access()
    results = [await attempt(client.get_role_definition("/", NAME)) for _ in range(3)]
    return [[each if isinstance(each, Exception) else "ok" for each in results], len(hsm.seen), len(hsm.credential.asked)]


@behaviour("token-refresh-fails", {"valid": 200, "expired": -5})
async def refresh_fails(lifetime):
    hsm = Hsm()
    hsm.credential.lifetime = lifetime
    client = hsm.access()
    first = await attempt(client.get_role_definition("/", NAME))
    hsm.credential.error = ClientAuthenticationError("no")
    second = await attempt(client.get_role_definition("/", NAME))
    return [[each if isinstance(each, Exception) else "ok" for each in (first, second)], len(hsm.seen)]


@behaviour("refresh_on", {"past": -10, "future": 3000})
async def refresh_on(when):
    from azure.core.credentials import AccessTokenInfo

    class Refreshing(Credential):
        async def get_token_info(self, *scopes, options=None):
            self.asked.append(1)
            return AccessTokenInfo("token", int(time.time()) + 3600, refresh_on=int(time.time()) + when)

    hsm = Hsm()
    hsm.credential = Refreshing()
    client = hsm.access()
    for _ in range(3):
        await client.get_role_definition("/", NAME)
    return len(hsm.credential.asked)


@behaviour("token-type", {name: name for name in ("Bearer", "pop", "mtls")})
async def token_type(kind):
    from azure.core.credentials import AccessTokenInfo

    class Typed(Credential):
        async def get_token_info(self, *scopes, options=None):
            return AccessTokenInfo("token", int(time.time()) + 3600, token_type=kind)

    hsm = Hsm()
    hsm.credential = Typed()
    result = await attempt(hsm.access().get_role_definition("/", NAME))
    return [result if isinstance(result, Exception) else "ok", hsm.requests[-1].headers.get("Authorization")]


@behaviour("cold-calls", {str(count): count for count in (1, 2, 10)})
async def cold(count):
    import asyncio

    hsm = Hsm()
    client = hsm.access()
    await asyncio.gather(*(client.get_role_definition("/", NAME) for _ in range(count)))
    return [sum("no token" in each for each in hsm.seen), len(hsm.seen), len(hsm.credential.asked)]


@behaviour("error-of-credential-in-result")
async def error_of_credential():
    hsm = Hsm()
    hsm.credential = Credential(error=ClientAuthenticationError("the very error"))
    return [str(await attempt(hsm.access().get_role_definition("/", NAME))), len(hsm.seen)]


@behaviour("authorization-scheme")
async def scheme():
    hsm = Hsm()
    await hsm.access().get_role_definition("/", NAME)
    return hsm.requests[-1].headers["Authorization"]


@behaviour("verify-challenge", {name: value for name, value in {"true": True, "false": False, "none": None, "zero": 0}.items()})
async def verify(value):
    return await challenged(BAD["other-domain"], verify_challenge_resource=value)


@behaviour("ip-host", {"verified": True, "unverified": False})
async def ip_host(value):
    hsm = Hsm()
    hsm.url = "https://127.0.0.1:8443"
    hsm.challenge = f'Bearer authorization="{LOGIN}", resource="{RESOURCE}"'
    result = await attempt(hsm.access(verify_challenge_resource=value).get_role_definition("/", NAME))
    return [result if isinstance(result, Exception) else "ok", hsm.seen]


@behaviour("redirect", {f"{status}-{where}": (status, where) for status in (301, 302, 303, 307, 308) for where in ("same", "other", "none", "http")})
async def redirected(status, where):
    hsm = Hsm()
    target = {"same": f"{hsm.url}/moved", "other": "https://evil.example/moved", "none": None, "http": hsm.url.replace("https", "http") + "/moved"}[where]
    hsm.script = [(status, "", {"Location": target} if target else {})]
    result = await attempt(hsm.access().get_role_definition("/", NAME))
    return [result if isinstance(result, Exception) else "ok", [each.replace("https://evil.example", "EVIL").replace(hsm.url.replace("https", "http"), "HTTP") for each in hsm.seen]]
