"""Policies of one's own, and in place of azure-core's."""

from azure.core.pipeline.policies import (
    AsyncHTTPPolicy, AsyncRedirectPolicy, AsyncRetryPolicy, CustomHookPolicy, HeadersPolicy, HttpLoggingPolicy, NetworkTraceLoggingPolicy, ProxyPolicy, RequestIdPolicy, SansIOHTTPPolicy, UserAgentPolicy,
)

from .bench import FAILURE, FOLDER, CONTAINER, NAME, SAS, Hsm, attempt, behaviour, collect


class Watch(SansIOHTTPPolicy):
    def __init__(self, seen, name=""):
        self.seen, self.name = seen, name

    def on_request(self, request):
        self.seen.append(f"{self.name}> {request.http_request.method} {'token' if request.http_request.headers.get('Authorization') else 'none'}")

    def on_response(self, request, response):
        self.seen.append(f"{self.name}< {response.http_response.status_code}")

    def on_exception(self, request):
        self.seen.append(f"{self.name}! error")


class Around(AsyncHTTPPolicy):
    def __init__(self, seen):
        self.seen = seen

    async def send(self, request):
        self.seen.append(f"> {request.http_request.method} {'token' if request.http_request.headers.get('Authorization') else 'none'} {bool(request.http_request.content)}")
        response = await self.next.send(request)
        self.seen.append(f"< {response.http_response.status_code}")
        return response


PLACES = ("per_call_policies", "per_retry_policies")
SCRIPTS = {"ok": [], "503-once": [(503, FAILURE)], "503-always": [(503, FAILURE)] * 20, "403": [(403, FAILURE)], "401-again": [(401, FAILURE)], "404": [(404, FAILURE)]}
ACTS = {"get": lambda c: c.get_role_definition("/", NAME), "set": lambda c: c.set_role_definition("/", name=NAME), "delete": lambda c: c.delete_role_definition("/", NAME), "list": lambda c: collect(c.list_role_definitions("/"))}


@behaviour("policy-sees", {f"{place}-{script}-{act}": (place, SCRIPTS[script], ACTS[act]) for place in PLACES for script in SCRIPTS for act in ACTS})
async def policy_sees(place, script, act):
    seen = []
    await attempt(act(Hsm(*script).access(**{place: [Watch(seen)]})))
    return seen


@behaviour("policy-around", {f"{place}-{act}": (place, ACTS[act]) for place in PLACES for act in ACTS})
async def policy_around(place, act):
    seen = []
    await attempt(act(Hsm((503, FAILURE)).access(**{place: Around(seen)})))
    return seen


@behaviour("policy-second-call", {place: place for place in PLACES})
async def second_call(place):
    seen = []
    client = Hsm().access(**{place: [Watch(seen)]})
    await client.get_role_definition("/", NAME)
    seen.append("--")
    await client.get_role_definition("/", NAME)
    return seen


FORMS = {"one": lambda w: w("a"), "list": lambda w: [w("a"), w("b")], "tuple": lambda w: (w("a"), w("b")), "empty": lambda w: [], "none": lambda w: None, "generator": lambda w: (w(each) for each in "ab")}


@behaviour("policy-form", {f"{place}-{form}": (place, make) for place in PLACES for form, make in FORMS.items()})
async def policy_form(place, make):
    seen = []
    await Hsm().access(**{place: make(lambda name: Watch(seen, name))}).get_role_definition("/", NAME)
    return seen


@behaviour("policy-order")
async def policy_order():
    seen = []
    await Hsm().access(per_call_policies=Watch(seen, "call"), per_retry_policies=Watch(seen, "retry")).get_role_definition("/", NAME)
    return seen


@behaviour("policy-of-backup", {place: place for place in PLACES})
async def of_backup(place):
    seen = []
    hsm = Hsm((202, {"status": "InProgress"}, {}))
    hsm.script = []
    await (await hsm.backup(**{place: Watch(seen)}).begin_backup(CONTAINER, SAS)).wait()
    return seen


@behaviour("policy-sees-header", {f"{place}-{name}": (place, name) for place in PLACES for name in ("User-Agent", "x-ms-client-request-id", "x-mine", "Accept", "traceparent")})
async def sees_header(place, name):
    seen = []

    class Look(SansIOHTTPPolicy):
        def on_request(self, request):
            seen.append(name in request.http_request.headers)

    await Hsm().access(**{place: Look()}).get_role_definition("/", NAME, headers={"x-mine": "1"})
    return seen


@behaviour("policy-sets-header", {place: place for place in PLACES})
async def sets_header(place):
    class Set(SansIOHTTPPolicy):
        def on_request(self, request):
            request.http_request.headers["x-mine"] = "1"

    hsm = Hsm()
    await hsm.access(**{place: Set()}).get_role_definition("/", NAME)
    return [request.headers.get("x-mine") for request in hsm.requests]


@behaviour("policy-sets-authorization", {place: place for place in PLACES})
async def sets_authorization(place):
    class Set(SansIOHTTPPolicy):
        def on_request(self, request):
            request.http_request.headers["Authorization"] = "Mine"

    hsm = Hsm()
    result = await attempt(hsm.access(**{place: Set()}).get_role_definition("/", NAME))
    return [[request.headers.get("Authorization") for request in hsm.requests], result if isinstance(result, Exception) else "ok"]


@behaviour("policy-raises", {f"{place}-{kind.__name__}": (place, kind) for place in PLACES for kind in (KeyError, ValueError)})
async def policy_raises(place, kind):
    class Raise(SansIOHTTPPolicy):
        def on_request(self, request):
            raise kind("mine")

    hsm = Hsm()
    return [await attempt(hsm.access(**{place: Raise()}).get_role_definition("/", NAME)), hsm.seen]


@behaviour("policy-options", {f"{place}-{where}": (place, where) for place in PLACES for where in ("call", "client")})
async def policy_options(place, where):
    seen = []

    class Look(SansIOHTTPPolicy):
        def on_request(self, request):
            seen.append(request.context.options.pop("my_option", None))

    hsm = Hsm()
    result = await attempt(hsm.access(**{place: Look()}, **({"my_option": 1} if where == "client" else {})).get_role_definition("/", NAME, **({"my_option": 1} if where == "call" else {})))
    return [seen, result if isinstance(result, Exception) else "ok"]


@behaviour("policy-context", {place: place for place in PLACES})
async def policy_context(place):
    seen = []

    class Look(SansIOHTTPPolicy):
        def on_request(self, request):
            request.context["mine"] = 1

        def on_response(self, request, response):
            seen.append([response.context.get("mine"), type(response.context.transport).__name__, "deserialized_data" in response.context])

    await Hsm().access(**{place: Look()}).get_role_definition("/", NAME)
    return seen


@behaviour("policy-not-one", {f"{place}-{name}": (place, value) for place in PLACES for name, value in {"number": 5, "string": "x", "object": object()}.items()})
async def not_a_policy(place, value):
    return type(Hsm().access(**{place: value})).__name__


class MyRetry(AsyncRetryPolicy):
    asked = 0

    def is_retry(self, settings, response):
        MyRetry.asked += 1
        return super().is_retry(settings, response)


CUSTOM = {
    "retry_policy": lambda: AsyncRetryPolicy(retry_total=1), "retry_policy-no": lambda: AsyncRetryPolicy.no_retries(), "redirect_policy": AsyncRedirectPolicy, "redirect_policy-no": AsyncRedirectPolicy.no_redirects, "logging_policy": lambda: NetworkTraceLoggingPolicy(logging_enable=True),
    "http_logging_policy": HttpLoggingPolicy, "headers_policy": lambda: HeadersPolicy({"x-mine": "1"}), "user_agent_policy": lambda: UserAgentPolicy("mine/1"), "proxy_policy": ProxyPolicy, "custom_hook_policy": CustomHookPolicy, "request_id_policy": lambda: RequestIdPolicy(request_id="mine"),
}


@behaviour("custom", {f"{name}-{script}": (name, make, SCRIPTS[script]) for name, make in CUSTOM.items() for script in ("ok", "503-always", "403")})
async def custom(name, make, script):
    hsm = Hsm(*script)
    client = hsm.access(**{name.partition("-")[0]: make()})
    result = await attempt(client.get_role_definition("/", NAME))
    headers = hsm.requests[-1].headers
    return [result if isinstance(result, Exception) else "ok", hsm.seen, hsm.waits, headers.get("x-mine"), headers.get("User-Agent", "").split("/")[0], headers.get("x-ms-client-request-id") == "mine"]


@behaviour("custom-none", {name: name for name in ("retry_policy", "redirect_policy", "logging_policy", "http_logging_policy", "headers_policy", "user_agent_policy", "proxy_policy", "custom_hook_policy")})
async def custom_none(name):
    hsm = Hsm((503, FAILURE))
    result = await attempt(hsm.access(**{name: None}).get_role_definition("/", NAME))
    return [result if isinstance(result, Exception) else "ok", len(hsm.seen)]


@behaviour("custom-retry-subclass")
async def retry_subclass():
    MyRetry.asked = 0
    hsm = Hsm((503, FAILURE))
    await hsm.access(retry_policy=MyRetry()).get_role_definition("/", NAME)
    return [MyRetry.asked > 0, len(hsm.seen)]


@behaviour("custom-hook-with-hooks")
async def hook_with_policy():
    seen = []
    hsm = Hsm()
    await hsm.access(custom_hook_policy=CustomHookPolicy(raw_request_hook=lambda _: seen.append("policy"))).get_role_definition("/", NAME, raw_response_hook=lambda _: seen.append("call"))
    return seen


@behaviour("retry-history", {place: place for place in PLACES})
async def history(place):
    seen = []

    class Look(SansIOHTTPPolicy):
        def on_response(self, request, response):
            seen.append(len(response.context.get("history", [])))

    await Hsm((503, FAILURE), (503, FAILURE)).access(**{place: Look()}).get_role_definition("/", NAME)
    return seen


@behaviour("call-policies", {place: place for place in PLACES})
async def call_policies(place):
    seen = []
    hsm = Hsm()
    result = await attempt(hsm.access().get_role_definition("/", NAME, **{place: [Watch(seen)]}))
    return [seen, result if isinstance(result, Exception) else "ok"]
