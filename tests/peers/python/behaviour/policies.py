"""Policies of one's own: besides azure-core's, and in their place."""

from azure.core.pipeline.policies import (
    AsyncHTTPPolicy,
    AsyncRedirectPolicy,
    AsyncRetryPolicy,
    CustomHookPolicy,
    HeadersPolicy,
    NetworkTraceLoggingPolicy,
    ProxyPolicy,
    RequestIdPolicy,
    SansIOHTTPPolicy,
    UserAgentPolicy,
)

from .bench import CONTAINER, FAILURE, NAME, SAS, Hsm, attempt, behaviour, chosen, plain
from .operations import OPERATIONS

PLACES = ("per_call_policies", "per_retry_policies")


class Watch(SansIOHTTPPolicy):
    """Notes what passes."""

    def __init__(self, seen, name="", look=None):
        self.seen, self.name, self.look = seen, name, look

    def on_request(self, request):
        token = "token" if request.http_request.headers.get("Authorization") else "no token"
        self.seen.append(self.look(request) if self.look else f"{self.name}> {request.http_request.method} {token}")

    def on_response(self, request, response):
        if not self.look:
            self.seen.append(f"{self.name}< {response.http_response.status_code}")

    def on_exception(self, request):
        self.seen.append(f"{self.name}!")


class Around(AsyncHTTPPolicy):
    """Sends what passes on, as policies of users do."""

    def __init__(self, seen):
        self.seen = seen

    async def send(self, request):
        self.seen.append(bool(request.http_request.content))
        response = await self.next.send(request)
        self.seen.append([response.http_response.status_code, response.context.get("mine")])
        return response


SCRIPTS = {
    "ok": [],
    "503-once": [(503, FAILURE)],
    "503": [(503, FAILURE)] * 9,
    "403": [(403, FAILURE)],
    "401": [(401, FAILURE)],
}
ACTS = chosen(OPERATIONS, "get-role set-role delete-role list-roles")


async def watched(place, *script, act=OPERATIONS["get-role"], make=lambda seen: [Watch(seen)], **options):
    """Return what policies see of an operation."""
    seen = []
    await attempt(act(Hsm(*script).access(**{place: make(seen)}), **options))
    return seen


behaviour("policy-sees", PLACES, SCRIPTS)(lambda place, script: watched(place, *script))
behaviour(
    "policy-sees-operation",
    PLACES,
    ACTS,
)(lambda place, act: watched(place, act=act))
behaviour("policy-around", PLACES, ACTS)(lambda place, act: watched(place, (503, FAILURE), act=act, make=Around))
FORMS = {
    "one": lambda seen: Watch(seen, "a"),
    "list": lambda seen: [Watch(seen, "a"), Watch(seen, "b")],
    "tuple": lambda seen: (Watch(seen, "a"), Watch(seen, "b")),
    "empty": lambda _: [],
    "none": lambda _: None,
}
behaviour("policy-form", PLACES, FORMS)(lambda place, make: watched(place, make=make))
EARLY = "User-Agent x-ms-client-request-id"


behaviour("early-headers", EARLY)(lambda name: sees_header("per_call_policies", name))


async def sees_header(place, name):
    return await watched(
        place,
        make=lambda seen: Watch(seen, look=lambda request: name in request.http_request.headers),
        headers={"x-mine": "1"},
    )


behaviour("policy-sees-header", PLACES, "x-mine Accept Authorization")(sees_header)
behaviour("policy-sees-header", ["per_retry_policies"], EARLY)(sees_header)
behaviour("policy-takes-option", PLACES)(
    lambda place: watched(
        place, make=lambda seen: Watch(seen, look=lambda request: request.context.options.pop("mine", None)), mine=1
    )
)


@behaviour("policy-order")
async def order():
    seen = []
    client = Hsm().access(per_call_policies=Watch(seen, "call"), per_retry_policies=Watch(seen, "retry"))
    for _ in range(2):
        await client.get_role_definition("/", NAME)
    return seen


@behaviour("policy-of-job", PLACES)
async def of_job(place):
    seen = []
    await (await Hsm().backup(**{place: Watch(seen)}).begin_backup(CONTAINER, SAS)).wait()
    return seen


@behaviour("policy-sets-header", PLACES, "x-mine Authorization")
async def sets_header(place, name):
    class Set(SansIOHTTPPolicy):
        def on_request(self, request):
            request.http_request.headers[name] = "mine"

    hsm = Hsm()
    result = await attempt(hsm.access(**{place: Set()}).get_role_definition("/", NAME))
    return [result, [request.headers.get(name) for request in hsm.requests]]


@behaviour("policy-raises", PLACES, {"key": KeyError, "value": ValueError})
async def raises(place, kind):
    class Raise(SansIOHTTPPolicy):
        def on_request(self, request):
            raise kind("mine")

    hsm = Hsm()
    return [await attempt(hsm.access(**{place: Raise()}).get_role_definition("/", NAME)), hsm.seen]


class Keep(SansIOHTTPPolicy):
    def __init__(self, seen, read):
        self.seen, self.read = seen, read

    def on_request(self, request):
        request.context["mine"] = 1

    def on_response(self, request, response):
        self.seen.append(self.read(response.context))


CONTEXT = {
    "own": lambda context: context.get("mine"),
    "transport": lambda context: type(context.transport).__name__,
    "history": lambda context: len(context.get("history", [])),
}
behaviour("policy-context", PLACES, CONTEXT)(
    lambda place, read: watched(place, (503, FAILURE), make=lambda seen: Keep(seen, read))
)
behaviour("context-data")(
    lambda: watched("per_call_policies", make=lambda seen: Keep(seen, lambda context: "deserialized_data" in context))
)

CUSTOM = {
    "retry_policy": lambda: AsyncRetryPolicy(retry_total=1),
    "redirect_policy": AsyncRedirectPolicy,
    "logging_policy": lambda: NetworkTraceLoggingPolicy(logging_enable=True),
    "headers_policy": lambda: HeadersPolicy({"x-mine": "1"}),
    "user_agent_policy": lambda: UserAgentPolicy("mine/1"),
    "proxy_policy": ProxyPolicy,
    "custom_hook_policy": CustomHookPolicy,
}


@behaviour(
    "policy-in-place-of",
    {name: (name, make) for name, make in CUSTOM.items()},
    chosen(SCRIPTS, "ok 503 403"),
)
async def custom(name, make, script):
    hsm = Hsm(*script)
    result = await attempt(hsm.access(**{name: make()}).get_role_definition("/", NAME))
    headers = hsm.requests[-1].headers
    return [result, hsm.seen, hsm.waits, headers.get("x-mine"), headers["User-Agent"].partition("/")[0]]


@behaviour("policy-none", list(CUSTOM))
async def no_policy(name):
    hsm = Hsm((503, FAILURE))
    return [await attempt(hsm.access(**{name: None}).get_role_definition("/", NAME)), len(hsm.seen)]


@behaviour("more-policies", {"http_logging_policy": None, "request_id_policy": RequestIdPolicy(request_id="mine")})
async def more(given):
    name = "request_id_policy" if given else "http_logging_policy"
    hsm = Hsm()
    await hsm.access(**{name: given}).get_role_definition("/", NAME)
    return hsm.requests[-1].headers["x-ms-client-request-id"] == "mine"


@behaviour("policy-redirect-none")
async def no_redirects():
    hsm = Hsm((302, FAILURE, {"Location": "/moved"}))
    policy = AsyncRedirectPolicy.no_redirects()
    return [await attempt(hsm.access(redirect_policy=policy).get_role_definition("/", NAME)), hsm.seen]


@behaviour("policy-retry-subclass")
async def retry_subclass():
    asked = []

    class Mine(AsyncRetryPolicy):
        def is_retry(self, settings, response):
            asked.append(response.http_response.status_code)
            return super().is_retry(settings, response)

    hsm = Hsm((503, FAILURE))
    result = await attempt(hsm.access(retry_policy=Mine()).get_role_definition("/", NAME))
    return [plain(result)["is"], asked, len(hsm.seen)]
