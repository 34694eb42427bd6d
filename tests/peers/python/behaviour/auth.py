"""Challenges, tokens and credentials."""

import asyncio
import base64
import time

from azure.core.credentials import AccessToken, AccessTokenInfo
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError

from .bench import (
    FAILURE,
    LOGIN,
    NAME,
    RESOURCE,
    Credential,
    Hsm,
    InfoCredential,
    SyncCredential,
    attempt,
    behaviour,
    chosen,
)

CLAIMS = base64.b64encode(b'{"access_token":{"nbf":{"essential":true,"value":"1"}}}').decode()


def bearer(login=LOGIN, resource=RESOURCE, more=""):
    return f'Bearer authorization="{login}", resource="{resource}"{more}'


GOOD = {
    "usual": bearer(),
    "authorization-uri": f'Bearer authorization_uri="{LOGIN}", resource="{RESOURCE}"',
    "scope": f'Bearer authorization="{LOGIN}", scope="{RESOURCE}/.default"',
    "scope-and-resource": bearer(more=f', scope="{RESOURCE}/other"'),
    "lower-scheme": bearer().replace("Bearer", "bearer"),
    "upper-scheme": bearer().replace("Bearer", "BEARER"),
    "no-quotes": bearer().replace('"', ""),
    "no-blanks": bearer().replace(", ", ","),
    "more-blanks": bearer().replace(", ", " ,  ").replace("Bearer", "Bearer  "),
    "other-order": f'Bearer resource="{RESOURCE}", authorization="{LOGIN}"',
    "other-parameters": bearer(more=', realm="x", error="y"'),
    "basic-after": bearer(more=', Basic realm="x"'),
    "slash-after-tenant": bearer(f"{LOGIN}/"),
    "path-after-tenant": bearer(f"{LOGIN}/oauth2/authorize"),
    "guid-tenant": bearer(f"https://login.windows.net/{NAME}"),
    "ad-fs": bearer("https://adfs.contoso.com/adfs"),
    "no-tenant": bearer("https://login.microsoftonline.com"),
    "no-tenant-slash": bearer("https://login.microsoftonline.com/"),
    "http-login": bearer(LOGIN.replace("https", "http")),
    "slash-after-resource": bearer(resource=f"{RESOURCE}/"),
    "path-after-resource": bearer(resource=f"{RESOURCE}/path"),
    "port": bearer(resource=f"{RESOURCE}:443"),
    "upper-resource": bearer(resource="https://MANAGEDHSM.azure.net"),
    "http-resource": bearer(resource=RESOURCE.replace("https", "http")),
    "parent-domain": bearer(resource="https://azure.net"),
    "top-domain": bearer(resource="https://net"),
    "claims": bearer(more=f', claims="{CLAIMS}"'),
}
MORE = {
    "upper-names": f'Bearer Authorization="{LOGIN}", Resource="{RESOURCE}"',
    "other-scheme-first": f'PoP realm="", {bearer()}',
    "query-after-tenant": bearer(f"{LOGIN}?x=1"),
    "dsts": bearer("https://dsts.core/dstsv2/tenant"),
    "common": bearer("https://login.microsoftonline.com/common"),
}
BAD = {
    "blank": " ",
    "bare": "Bearer",
    "basic": "Basic realm=x",
    "junk": "junk",
    "invalid-token": 'Bearer error="invalid_token"',
    "no-resource": f'Bearer authorization="{LOGIN}"',
    "empty-resource": bearer(resource=""),
    "no-login": f'Bearer resource="{RESOURCE}"',
    "other-domain": bearer(resource="https://evil.example"),
    "vault": bearer(resource="https://vault.azure.net"),
    "suffix": bearer(resource="https://hsm.azure.net"),
    "itself": bearer(resource="https://HOST"),
    "other-port": bearer(resource=f"{RESOURCE}:8443"),
    "bad-port": bearer(resource=f"{RESOURCE}:x"),
    "guid": bearer(resource=NAME),
    "word": bearer(resource="invalid"),
    "urn": bearer(resource="urn:x"),
    "bracket": bearer(resource="https://["),
    "userinfo": bearer(resource="https://me@managedhsm.azure.net"),
    "blank-inside": bearer(resource="https://managed hsm.azure.net"),
    "bad-scope": f'Bearer authorization="{LOGIN}", scope="invalid"',
    "single-quotes": bearer().replace('"', "'"),
}


async def calls(hsm, count=1, **options):
    """Return what came of some calls, what they asked for, and what the credential was asked for."""
    client = hsm.access(**options)
    results = [await attempt(client.get_role_definition("/", NAME)) for _ in range(count)]
    told = [result if isinstance(result, Exception) else "ok" for result in results]
    return [told, hsm.seen, getattr(hsm.credential, "asked", None)]


async def challenged(header, count=1, credential=Credential, **options):
    hsm = Hsm()
    hsm.challenge = header.replace("HOST", hsm.host)
    hsm.credential = credential()
    return await calls(hsm, count, **options)


behaviour("challenge", {**GOOD, **BAD})(challenged)
behaviour("more-challenges", MORE)(challenged)
behaviour("more-challenges/claims-alone")(
    lambda: challenged(f'Bearer authorization="{LOGIN}", error="insufficient_claims", claims="{CLAIMS}"')
)
behaviour("challenge-twice", {case: (header, 2) for case, header in BAD.items()})(challenged)
UNVERIFIED = {case: header for case, header in BAD.items() if case != "single-quotes"}
behaviour("challenge-unverified", {**UNVERIFIED, "usual": bearer()})(
    lambda header: challenged(header, verify_challenge_resource=False)
)
behaviour("challenge-with-info", chosen(GOOD, "usual claims ad-fs no-tenant"))(
    lambda header: challenged(header, credential=InfoCredential)
)
behaviour("verify-challenge-resource", {"true": True, "false": False, "none": None, "zero": 0})(
    lambda value: challenged(BAD["other-domain"], verify_challenge_resource=value)
)


@behaviour("challenge-text", chosen(BAD, "other-domain vault suffix itself other-port userinfo"))
async def challenge_text(header):
    hsm = Hsm()
    hsm.challenge = header.replace("HOST", hsm.host)
    text = str(await attempt(hsm.access().get_role_definition("/", NAME)))
    return [part in text for part in ("does not match the requested domain", "verify_challenge_resource", "aka.ms")]


@behaviour("unauthorized-without-challenge")
async def without_challenge():
    return await calls(Hsm(*[(401, FAILURE)] * 2, challenge=None), 2)


@behaviour("ip-host", {"verified": (8443, True), "unverified": (8444, False)})
async def ip_host(port, verify):
    hsm = Hsm()
    hsm.url = f"https://127.0.0.1:{port}"
    return await calls(hsm, verify_challenge_resource=verify)


# A 401 to a request that had a token.
REJECTIONS = {
    "no-header": None,
    **chosen(BAD, "blank bare basic junk invalid-token no-resource other-domain guid word bracket"),
    "same": bearer(),
    "other-tenant": bearer(f"{LOGIN}2"),
}
CLAIMS_WANTED = {
    "alone": f'Bearer authorization="{LOGIN}", error="insufficient_claims", claims="{CLAIMS}"',
    "with-resource": bearer(more=f', error="insufficient_claims", claims="{CLAIMS}"'),
    "no-padding": f'Bearer authorization="{LOGIN}", error="insufficient_claims", claims="{CLAIMS.rstrip("=")}"',
    "no-error": f'Bearer authorization="{LOGIN}", claims="{CLAIMS}"',
}


def rejection(header):
    return 401, FAILURE, {} if header is None else {"WWW-Authenticate": header}


for code, table in {"rejected": REJECTIONS, "claims-wanted": CLAIMS_WANTED}.items():
    behaviour(f"{code}-first", table)(lambda header: calls(Hsm(rejection(header)), 2))
    behaviour(f"{code}-later", table)(lambda header: calls(Hsm((200, {}), rejection(header)), 3))
    behaviour(f"{code}-always", table)(lambda header: calls(Hsm(*[rejection(header)] * 9), 2))
behaviour("odd-claims")(
    lambda: calls(Hsm(rejection(f'Bearer authorization="{LOGIN}", error="insufficient_claims", claims="%%%"')), 2)
)


@behaviour("rejected-write", {**chosen(REJECTIONS, "same no-header invalid-token"), **chosen(CLAIMS_WANTED, "alone")})
async def rejected_write(header):
    hsm = Hsm(rejection(header))
    result = await attempt(hsm.access().set_role_definition("/", name=NAME, role_name="r"))
    return [result, hsm.seen, hsm.bodies]


# Credentials.
class Giving(Credential):
    """Gives whatever it was made with."""

    def __init__(self, given):
        super().__init__()
        self.given = given

    async def get_token(self, *scopes, **options):
        return self.given


class Plain(Credential):
    async def get_token(self, *scopes):
        return self.give(AccessToken, scopes, {})


class SyncInfo(Credential):
    get_token = None

    def get_token_info(self, *scopes, options=None):
        return self.give(AccessTokenInfo, scopes, options or {})


class Like:
    token, expires_on = "token", time.time() + 3600.5


def failing(error):
    return lambda: Credential(error=error)


CREDENTIALS = {
    "usual": Credential,
    "info": InfoCredential,
    "sync": SyncCredential,
    "sync-info": SyncInfo,
    "like-a-token": lambda: Giving(Like),
    "fails": failing(ClientAuthenticationError("no")),
    "fails-with-http": failing(HttpResponseError("no")),
    "fails-with-value": failing(ValueError("no")),
    "fails-with-key": failing(KeyError("no")),
}
behaviour("credential", CREDENTIALS, {"once": 1, "thrice": 3})(lambda make, count: challenged(bearer(), count, make))
behaviour("plain-credential")(lambda: challenged(bearer(), 3, Plain))
behaviour("odd-token", {"none": None, "text": "token", "empty": (AccessToken("", 2**40),)})(
    lambda given: challenged(bearer(), 1, lambda: Giving(given))
)
LIFETIMES = {"expired": -5, "30-seconds": 30, "200-seconds": 200, "310-seconds": 310, "hour": 3600}
behaviour("token-lifetime", {"token": Credential, "info": InfoCredential}, LIFETIMES)(
    lambda make, lifetime: challenged(bearer(), 3, lambda: make(lifetime))
)
behaviour("sync-credential-renewal", chosen(LIFETIMES, "expired 200-seconds"))(
    lambda lifetime: challenged(bearer(), 3, lambda: SyncCredential(lifetime))
)


@behaviour("token-renewal-fails", {"valid": 200, "expired": -5})
async def renewal_fails(lifetime):
    hsm = Hsm()
    hsm.credential.lifetime = lifetime
    client = hsm.access()
    await client.get_role_definition("/", NAME)
    hsm.credential.error = ClientAuthenticationError("no")
    return [await attempt(client.get_role_definition("/", NAME)), len(hsm.seen)]


@behaviour("refresh_on", {"past": -10, "future": 3000})
async def refresh_on(seconds):
    class Refreshing(Credential):
        async def get_token_info(self, *scopes, options=None):
            self.asked.append(1)
            return AccessTokenInfo("token", int(time.time()) + 3600, refresh_on=int(time.time()) + seconds)

    hsm = Hsm()
    hsm.credential = Refreshing()
    return len((await calls(hsm, 3))[2])


@behaviour("token-type", "Bearer pop")
async def token_type(kind):
    class Typed(Credential):
        async def get_token_info(self, *scopes, options=None):
            return AccessTokenInfo("token", 2**40, token_type=kind)

    hsm = Hsm()
    hsm.credential = Typed()
    await calls(hsm)
    return hsm.requests[-1].headers.get("Authorization")


@behaviour("credential-error-is-raised-as-it-is")
async def credential_error():
    error = ClientAuthenticationError("no")
    hsm = Hsm()
    hsm.credential.error = error
    return await attempt(hsm.access().get_role_definition("/", NAME)) is error


@behaviour("cold-calls", {str(count): count for count in (2, 10)})
async def cold_calls(count):
    hsm = Hsm()
    client = hsm.access()
    await asyncio.gather(*(client.get_role_definition("/", NAME) for _ in range(count)))
    return [len(hsm.seen), len(hsm.credential.asked)]


# Redirects.
TARGETS = {"same": lambda url: f"{url}/moved", "relative": lambda _: "/moved", "none": lambda _: None}

behaviour(
    "other-origin/redirect",
    {"host": lambda _: "https://evil.example/x", "http": lambda url: url.replace("https", "http")},
)(lambda target: redirected(307, target))


async def redirected(status, target):
    hsm = Hsm()
    location = target(hsm.url)
    hsm.script = [(status, "", {"Location": location} if location else {})]
    told, seen, _ = await calls(hsm)
    return [told, [each.replace("https://evil.example", "EVIL") for each in seen]]


behaviour("redirect", (301, 302, 303, 307, 308), TARGETS)(redirected)
