"""Keywords of a call and of a client, as azure-core and generated clients know them."""

import uuid

from azure.core.exceptions import HttpResponseError

from .bench import FAILURE, NAME, ROLE, Hsm, attempt, behaviour, chosen, collect
from .operations import LINK, OPERATIONS, TWO


class OwnError(HttpResponseError):
    pass


KEYWORDS = {
    "headers": {"headers": {"x-mine": "1"}},
    "params": {"params": {"x": "1"}},
    "params-none": {"params": None},
    "timeout": {"timeout": 5},
    "retry_total": {"retry_total": 0},
    "content_type": {"content_type": "application/json"},
    "response_encoding": {"response_encoding": "utf-8"},
    "logging_enable": {"logging_enable": True},
    "request_id": {"request_id": "mine"},
    "no-request_id": {"request_id": False},
    "user_agent": {"user_agent": "mine/1"},
    "connection_verify": {"connection_verify": False},
    "connection_timeout": {"connection_timeout": 7},
    "read_timeout": {"read_timeout": 7},
    "proxies": {"proxies": {"https": "http://proxy"}},
    "permit_redirects": {"permit_redirects": False},
    "tracing_attributes": {"tracing_attributes": {"a": 1}},
    "error_map": {"error_map": {404: OwnError}},
    "no-error_map": {"error_map": None},
    "no-hook": {"raw_response_hook": None},
    "enable_cae": {"enable_cae": False},
}
ACTS = chosen(OPERATIONS, "get-role set-role delete-role list-roles create-assignment")


@behaviour("keyword", ACTS, KEYWORDS)
async def keyword(act, options):
    hsm = Hsm()
    return [await attempt(act(hsm.access(), **options)), hsm.seen, hsm.bodies]


@behaviour("keyword-of-client", KEYWORDS)
async def keyword_of_client(options):
    hsm = Hsm()
    return [await attempt(OPERATIONS["get-role"](hsm.access(**options))), hsm.seen]


SENT = {name: KEYWORDS[name] for name in ("headers", "request_id", "no-request_id", "user_agent", "content_type")}
SENT["own-user-agent"] = {"user_agent": "mine/1", "user_agent_overwrite": True}


@behaviour("keyword-sends", SENT)
async def keyword_sends(options):
    hsm = Hsm()
    await hsm.access().set_role_definition("/", name=NAME, **options)
    headers = hsm.requests[-1].headers
    request_id, agent = headers.get("x-ms-client-request-id"), headers["User-Agent"]
    return [
        *(headers.get("x-mine"), headers.get("Content-Type"), headers.get("Accept")),
        *(request_id if request_id in {None, "mine"} else "made up", agent.startswith("mine/1"), "azsdk-" in agent),
    ]


HEADERS = {
    "own": {"x-mine": "1"},
    "accept": {"Accept": "text/plain"},
    "accept-in-lower-case": {"accept": "text/plain"},
    "content-type": {"Content-Type": "text/plain"},
    "authorization": {"Authorization": "OwnError"},
    "request-id": {"x-ms-client-request-id": "mine"},
    "user-agent": {"User-Agent": "mine"},
    "empty": {},
}


@behaviour("headers", HEADERS, "call client")
async def headers_of(headers, where):
    hsm = Hsm()
    given = dict(headers)
    on_client, on_call = ({"headers": given}, {}) if where == "client" else ({}, {"headers": given})
    await hsm.access(**on_client).set_role_definition("/", name=NAME, **on_call)
    sent = hsm.requests[-1].headers
    names = ("x-mine", "Accept", "Content-Type", "Authorization")
    return [
        *({name: sent.get(name) for name in names}, given == headers),
        *(sent["x-ms-client-request-id"] == "mine", sent["User-Agent"].startswith("mine")),
    ]


PARAMS = {
    "own": {"x": "1"},
    "list": {"x": ["1", "2"]},
    "number": {"x": 5},
    "true": {"x": True},
    "blank": {"x": "a b"},
    "slash": {"x": "a/b"},
    "non-ascii": {"x": "ö"},
    "filter": {"$filter": "x"},
    "empty": {"x": ""},
    "comma": {"x": "a,b"},
    "two": {"x": 1, "y": "2"},
    "none": {"x": None},
    "version": {"api-version": "7.2"},
}
ODD_PARAMS = {"reserved": {"x": "a&b=c#d+e%"}}
SOME_ACTS = chosen(ACTS, "get-role list-roles set-role")


@behaviour("params", PARAMS, SOME_ACTS)
@behaviour("odd-params", ODD_PARAMS, SOME_ACTS)
async def params_of(params, act):
    hsm = Hsm()
    given = dict(params)
    result = await attempt(act(hsm.access(), params=given))
    url = hsm.requests[-1].url if hsm.requests else ""
    return [hsm.seen[-1:], "api-version=7.2" in url, given == params, isinstance(result, Exception)]


async def two_pages(**options):
    hsm = Hsm((200, {"value": [ROLE], "nextLink": LINK}), (200, TWO))
    await collect(hsm.access().list_role_definitions("/", **options))
    return hsm


@behaviour("each-page/params")
async def params_of_pages():
    return (await two_pages(params={"x": "1"})).seen


@behaviour("each-page/headers")
async def headers_of_pages():
    return [request.headers.get("x-mine") for request in (await two_pages(headers={"x-mine": "1"})).authorized]


@behaviour("request-id-of-pages")
async def request_id_of_pages():
    return [
        request.headers["x-ms-client-request-id"] == "mine"
        for request in (await two_pages(request_id="mine")).authorized
    ]


@behaviour("call-options-stay")
async def options_stay():
    hsm = Hsm()
    options = {"headers": {"x": "1"}, "params": {"y": "1"}, "retry_total": 0}
    client = hsm.access()
    for _ in range(2):
        await client.get_role_definition("/", NAME, **options)
    return [options, hsm.seen]


@behaviour(
    "error_map",
    ACTS,
    "",
)
async def error_map(act, status):
    return isinstance(
        await attempt(act(Hsm(*[(status, FAILURE)] * 5).access(), error_map={status: OwnError})), OwnError
    )


@behaviour("error_map-404", ACTS)
async def error_map_404(act):
    return isinstance(await attempt(act(Hsm((404, FAILURE)).access(), error_map={404: OwnError})), OwnError)


@behaviour("error_map-of-success")
async def error_map_of_success():
    return (await OPERATIONS["get-role"](Hsm().access(), error_map={200: OwnError})).name


# What `cls` is called with.

CLS = {
    "status": lambda response, _made, _headers: response.http_response.status_code,
    "request": lambda response, _made, _headers: response.http_request.method,
    "json": lambda response, _made, _headers: response.http_response.json()["name"],
    "name": lambda _response, made, _headers: made.name,
    "headers": lambda _response, _made, headers: hasattr(headers, "items"),
}


@behaviour(
    "cls-gets",
    {
        f"{case}-{operation}": (CLS[case], ACTS[operation])
        for case in CLS
        for operation in ("get-role", "set-role", "delete-role")
    },
)
async def cls_gets(read, act):
    seen = []
    await attempt(act(Hsm().access(), cls=lambda *arguments: seen.append(read(*arguments)) or arguments[1]))
    return seen


behaviour("cls-raises", chosen(ACTS, "get-role set-role delete-role"))(
    lambda act: act(Hsm().access(), cls=lambda *_: 1 / 0)
)
behaviour("cls-result/get")(lambda: OPERATIONS["get-role"](Hsm().access(), cls=lambda *_: "mine"))
behaviour("cls-result/list")(
    lambda: OPERATIONS["list-roles"](Hsm().access(), cls=lambda _response, made, _headers: made)
)


@behaviour("cls-gets-role", {"name": lambda made: made.role_name})
async def cls_model(read):
    seen = []
    await attempt(
        OPERATIONS["get-role"](Hsm().access(), cls=lambda _response, made, _headers: seen.append(read(made)) or made)
    )
    return seen


HOOKS = "raw_request_hook raw_response_hook"


@behaviour(
    "hook",
    {
        f"{hook}-of-{where}-{operation}": (hook, where, ACTS[operation])
        for hook in HOOKS
        for where in ("call", "client")
        for operation in ("get-role", "list-roles", "delete-role")
        if where == "client" or "response" in hook
    },
)
async def hooked(hook, where, act):
    seen = []

    def record(given):
        response = getattr(given, "http_response", None)
        seen.append([type(given).__name__, given.http_request.method, response and response.status_code])

    await act(Hsm().access(**{hook: record} if where == "client" else {}), **{hook: record} if where == "call" else {})
    return seen


behaviour("hook-of-each-request", chosen(ACTS, "get-role list-roles delete-role"))(
    lambda act: hooked("raw_request_hook", "call", act)
)


@behaviour("hook-of-both")
async def hook_of_both():
    seen = []
    client = Hsm().access(raw_response_hook=lambda _: seen.append("client"))
    await client.get_role_definition("/", NAME, raw_response_hook=lambda _: seen.append("call"))
    await client.get_role_definition("/", NAME)
    return seen


@behaviour("hook-changes-request")
async def hook_changes():
    hsm = Hsm()
    hook = lambda given: given.http_request.headers.update({"x-mine": "1"})  # noqa: E731
    await hsm.access().get_role_definition("/", NAME, raw_request_hook=hook)
    return hsm.requests[-1].headers.get("x-mine")


@behaviour("hook-raises", HOOKS)
async def hook_raises(hook):
    return await OPERATIONS["get-role"](Hsm().access(), **{hook: lambda _: {}["mine"]})


@behaviour("hook-of-error")
async def hook_of_error():
    seen = []
    record = lambda given: seen.append([given.http_response.status_code, given.http_response.text()])  # noqa: E731
    await attempt(OPERATIONS["get-role"](Hsm((403, FAILURE)).access(), raw_response_hook=record))
    return seen


TRANSPORT = "connection_verify connection_timeout read_timeout proxies"


@behaviour(
    "transport-gets",
    {f"{case}-of-{where}": (case, where) for case in TRANSPORT.split() for where in ("call", "client")},
)
async def transport_gets(case, where):
    hsm = Hsm()
    options = KEYWORDS[case]
    await hsm.access(**options if where == "client" else {}).get_role_definition(
        "/", NAME, **options if where == "call" else {}
    )
    return str(hsm.options[-1].get(case))


@behaviour("request-id")
async def request_id():
    hsm = Hsm((503, FAILURE))
    client = hsm.access()
    for _ in range(2):
        await client.get_role_definition("/", NAME)
    ids = [request.headers["x-ms-client-request-id"] for request in hsm.requests]
    return [[ids.index(each) for each in ids], str(uuid.UUID(ids[0])) == ids[0]]


@behaviour("user-agent")
async def user_agent():
    hsm = Hsm()
    await hsm.access().get_role_definition("/", NAME)
    return hsm.requests[-1].headers["User-Agent"].partition("/")[0]
