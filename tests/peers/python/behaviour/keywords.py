"""Keywords of a call and of a client, as azure-core and generated clients know them."""

import uuid

from azure.core.exceptions import HttpResponseError, ResourceNotFoundError

from .bench import CONTAINER, FAILURE, NAME, ROLE, SAS, Hsm, attempt, behaviour, collect
from .operations import LINK, OPERATIONS, sent


class Mine(HttpResponseError):
    pass


METHODS = {
    "get": lambda c, **o: c.get_role_definition("/", NAME, **o),
    "set": lambda c, **o: c.set_role_definition("/", name=NAME, **o),
    "delete": lambda c, **o: c.delete_role_definition("/", NAME, **o),
    "list": lambda c, **o: collect(c.list_role_definitions("/", **o)),
    "create": lambda c, **o: c.create_role_assignment("/", "d", "p", name=NAME, **o),
}
HARMLESS = {
    "headers": {"headers": {"x-mine": "1"}}, "params": {"params": {"x": "1"}}, "params-list": {"params": {"x": ["1", "2"]}}, "params-none": {"params": None}, "timeout": {"timeout": 5}, "retry_total": {"retry_total": 0}, "content_type": {"content_type": "application/json"},
    "decompress": {"decompress": True}, "no-decompress": {"decompress": False}, "response_encoding": {"response_encoding": "utf-8"}, "logging_enable": {"logging_enable": True}, "logging_body": {"logging_enable": True, "logging_body": True}, "request_id": {"request_id": "mine"}, "request_id-false": {"request_id": False},
    "user_agent": {"user_agent": "mine/1"}, "user_agent-overwrite": {"user_agent": "mine/1", "user_agent_overwrite": True}, "connection_verify": {"connection_verify": False}, "connection_timeout": {"connection_timeout": 7}, "read_timeout": {"read_timeout": 7}, "connection_cert": {"connection_cert": "x"}, "connection_data_block_size": {"connection_data_block_size": 1},
    "proxies": {"proxies": {"https": "http://proxy"}}, "redirect_max": {"redirect_max": 1}, "permit_redirects": {"permit_redirects": False}, "network_span_namer": {"network_span_namer": str}, "tracing_attributes": {"tracing_attributes": {"a": 1}}, "merge_span": {"merge_span": True}, "retry_policies": {"retry_on_methods": ["GET"]},
    "error_map": {"error_map": {404: Mine}}, "error_map-none": {"error_map": None}, "stream": {"stream": False}, "polling_interval": {"polling_interval": 1}, "if_match": {"if_match": "x"}, "unknown": {"unknown_keyword": 1}, "api_version": {"api_version": "7.5"}, "accept": {"accept": "text/x"}, "base_url": {"vault_base_url": "https://x"}, "enforce_https": {"enforce_https": False},
    "host": {"host": "x"}, "etag": {"etag": "x"}, "match_condition": {"match_condition": None}, "tenant_id": {"tenant_id": "t"}, "enable_cae": {"enable_cae": False}, "claims": {"claims": "x"}, "continuation_token": {"continuation_token": "x"}, "maxresults": {"maxresults": 5}, "raw_response_hook-none": {"raw_response_hook": None}, "data": {"data": b"x"}, "ssl": {"ssl": None}, "json": {"json": {}},
    "http_logging_policy": {"http_logging_policy": None}, "multipart": {"multipart_mixed": None}, "keep_alive": {"allow_redirects": False}, "auth": {"auth": None}, "raise_for_status": {"raise_for_status": True},
}


@behaviour("keyword", {f"{name}-{method}": (act, options) for name, options in HARMLESS.items() for method, act in METHODS.items()})
async def keyword(act, options):
    hsm = Hsm()
    result = await attempt(act(hsm.access(), **{name: dict(v) if isinstance(v, dict) else v for name, v in options.items()}))
    return [hsm.seen, getattr(result, "name", result), hsm.bodies]


UNKNOWN_TO_TRANSPORT = set("timeout decompress response_encoding stream".split())


@behaviour("keyword-sends", {name: HARMLESS[name] for name in ("headers", "request_id", "request_id-false", "user_agent", "user_agent-overwrite", "content_type", "accept", "if_match")})
async def keyword_sends(options):
    hsm = Hsm()
    await attempt(hsm.access().set_role_definition("/", name=NAME, **options))
    headers = hsm.requests[-1].headers
    made_up = headers.get("x-ms-client-request-id", "none")
    agent = headers.get("User-Agent") or ""
    return [headers.get("x-mine"), made_up if made_up in ("mine", "none") else "made up", agent.startswith("mine/1"), "azsdk-python" in agent, headers.get("Content-Type"), headers.get("Accept"), headers.get("If-Match")]


HEADERS = {"own": {"x-mine": "1"}, "accept": {"Accept": "text/plain"}, "lower-accept": {"accept": "text/plain"}, "content-type": {"Content-Type": "text/plain"}, "lower-content-type": {"content-type": "text/plain"}, "authorization": {"Authorization": "Mine"}, "client-request-id": {"x-ms-client-request-id": "mine"}, "user-agent": {"User-Agent": "mine"}, "number": {"x-mine": 5}, "none": {"x-mine": None}, "empty": {}}


@behaviour("headers-of", {f"{name}-{where}": (headers, where) for name, headers in HEADERS.items() for where in ("call", "client")})
async def headers_of(headers, where):
    hsm = Hsm()
    given = dict(headers)
    options = {"headers": given}
    error = await attempt(hsm.access(**options if where == "client" else {}).set_role_definition("/", name=NAME, **options if where == "call" else {}))
    sent_headers = hsm.requests[-1].headers if hsm.requests else {}
    return [{name: sent_headers.get(name) for name in ("x-mine", "Accept", "Content-Type", "Authorization")}, sent_headers.get("x-ms-client-request-id") == "mine", (sent_headers.get("User-Agent") or "").startswith("mine"), given == headers, error if isinstance(error, Exception) else None]


PARAMS = {"own": {"x": "1"}, "list": {"x": ["1", "2"]}, "number": {"x": 5}, "none": {"x": None}, "true": {"x": True}, "version": {"api-version": "7.2"}, "space": {"x": "a b"}, "reserved": {"x": "a/b&c=d?e#f+g%"}, "non-ascii": {"x": "ö"}, "filter": {"$filter": "x"}, "empty": {"x": ""}, "comma": {"x": "a,b"}}


@behaviour("params-of", {f"{name}-{method}": (params, METHODS[method]) for name, params in PARAMS.items() for method in ("get", "list", "set")})
async def params_of(params, act):
    hsm = Hsm()
    given = dict(params)
    error = await attempt(act(hsm.access(), params=given))
    version = [part for part in (hsm.requests or [None])[-1].url.partition("?")[2].split("&") if part == "api-version=7.2"] if hsm.requests else None
    return [hsm.seen[-1:], version, given == params, error if isinstance(error, Exception) else None]


@behaviour("list-keyword-each-page", {"params": {"params": {"x": "1"}}, "headers": {"headers": {"x-mine": "1"}}, "request_id": {"request_id": "mine"}, "hook": {"raw_request_hook": None}})
async def each_page(options):
    hsm = Hsm((200, {"value": [ROLE], "nextLink": LINK}), (200, {"value": [ROLE]}))
    options = dict(options)
    if "raw_request_hook" in options:
        calls = []
        options["raw_request_hook"] = calls.append
    await collect(hsm.access().list_role_definitions("/", **options))
    return [hsm.seen[1:], [request.headers.get("x-mine") for request in hsm.authorized_requests], [request.headers.get("x-ms-client-request-id") == "mine" for request in hsm.authorized_requests], len(calls) if "raw_request_hook" in options else None]


@behaviour("error_map", {f"{method}-{status}": (METHODS[method], status) for method in METHODS for status in (400, 401, 404, 409, 418, 200)})
async def error_map(act, status):
    hsm = Hsm(*[(status, FAILURE)] * 5)
    error = await attempt(act(hsm.access(), error_map={status: Mine}))
    return [isinstance(error, Mine), error if isinstance(error, Exception) else "result"]


@behaviour("error_map-on-client")
async def error_map_client():
    hsm = Hsm((418, FAILURE))
    return isinstance(await attempt(hsm.access(error_map={418: Mine}).get_role_definition("/", NAME)), Mine)


@behaviour("error_map-callable")
async def error_map_callable():
    hsm = Hsm((418, FAILURE))
    seen = []
    error = await attempt(hsm.access().get_role_definition("/", NAME, error_map={418: lambda **options: seen.append(sorted(options)) or Mine("x")}))
    return [isinstance(error, Mine), seen]


def show(value):
    return type(value).__name__


CLS = {
    "arguments": lambda response, deserialized, headers: ["made", show(response), isinstance(deserialized, object), isinstance(headers, dict), sorted(headers)],
    "status": lambda response, *_: response.http_response.status_code, "request": lambda response, *_: response.http_request.method, "json": lambda response, *_: response.http_response.json() if response.http_response.content else None,
    "context": lambda response, *_: "deserialized_data" in response.context, "none": lambda *_: None, "deserialized": lambda _, made, __: show(made) if made is None or isinstance(made, list) else [made.get("name") if hasattr(made, "get") else None, getattr(made, "name", None)],
    "role-name": lambda _, made, __: made.properties.role_name, "raises": lambda *_: 1 / 0,
}


@behaviour("cls", {f"{name}-{method}": (METHODS[method], cls) for name, cls in CLS.items() for method in ("get", "set", "delete", "list")})
async def cls_of(act, cls):
    seen = []

    def keep(*arguments):
        seen.append(cls(*arguments))
        return seen[-1]

    hsm = Hsm()
    result = await attempt(act(hsm.access(), cls=keep))
    return [seen, result if isinstance(result, Exception) else show(result)]


@behaviour("cls-result", {"get": "get", "list": "list", "delete": "delete"})
async def cls_result(method):
    hsm = Hsm()
    result = await attempt(METHODS[method](hsm.access(), cls=lambda _, made, __: made))
    return result if isinstance(result, Exception) else show(result)


HOOKS = ("raw_request_hook", "raw_response_hook")


@behaviour("hook", {f"{hook}-{where}-{method}": (hook, where, METHODS[method]) for hook in HOOKS for where in ("call", "client") for method in ("get", "list", "delete")})
async def hooked(hook, where, act):
    seen = []

    def record(it):
        response = getattr(it, "http_response", None)
        seen.append([show(it), it.http_request.method, bool(it.http_request.headers.get("Authorization")), response and response.status_code])

    hsm = Hsm()
    options = {hook: record}
    await act(hsm.access(**options if where == "client" else {}), **options if where == "call" else {})
    return [seen, hsm.seen]


@behaviour("hook-both")
async def hook_both():
    seen = []
    hsm = Hsm()
    await hsm.access(raw_response_hook=lambda _: seen.append("client")).get_role_definition("/", NAME, raw_response_hook=lambda _: seen.append("call"))
    return seen


@behaviour("hook-changes-request")
async def hook_changes():
    hsm = Hsm()
    await hsm.access().get_role_definition("/", NAME, raw_request_hook=lambda request: request.http_request.headers.update({"x-mine": "1"}))
    return hsm.requests[-1].headers.get("x-mine")


@behaviour("hook-raises", {hook: hook for hook in HOOKS})
async def hook_raises(hook):
    def fail(_):
        raise KeyError("mine")

    hsm = Hsm()
    return [await attempt(hsm.access().get_role_definition("/", NAME, **{hook: fail})), len(hsm.seen)]


@behaviour("hook-error-response")
async def hook_error():
    seen = []
    hsm = Hsm((403, FAILURE))
    await attempt(hsm.access().get_role_definition("/", NAME, raw_response_hook=lambda response: seen.append([response.http_response.status_code, response.http_response.text()])))
    return seen


@behaviour("hook-context-data")
async def hook_data():
    seen = []
    hsm = Hsm()
    await hsm.access().get_role_definition("/", NAME, raw_response_hook=lambda response: seen.append("deserialized_data" in response.context))
    return seen


TRANSPORT = {name: HARMLESS[name] for name in ("connection_verify", "connection_timeout", "read_timeout", "connection_cert", "proxies", "timeout", "stream")}


@behaviour("transport-gets", {f"{name}-{where}": (options, where) for name, options in TRANSPORT.items() for where in ("call", "client")})
async def transport_gets(options, where):
    hsm = Hsm()
    error = await attempt(hsm.access(**options if where == "client" else {}).get_role_definition("/", NAME, **options if where == "call" else {}))
    given = hsm.options[-1] if hsm.options else {}
    return [{name: str(given.get(name)) for name in ("connection_verify", "connection_timeout", "read_timeout", "connection_cert", "proxies", "stream")}, error if isinstance(error, Exception) else None]


@behaviour("client-keyword", {name: options for name, options in HARMLESS.items()})
async def client_keyword(options):
    hsm = Hsm()
    client = hsm.access(**options)
    result = await attempt(client.get_role_definition("/", NAME))
    return [hsm.seen, getattr(result, "name", result)]


@behaviour("request-id")
async def request_ids():
    hsm = Hsm((503, FAILURE))
    client = hsm.access()
    await client.get_role_definition("/", NAME)
    await client.get_role_definition("/", NAME)
    ids = [request.headers["x-ms-client-request-id"] for request in hsm.requests]
    return [len(set(ids)), len(ids), [ids.index(each) for each in ids], [str(uuid.UUID(each)) == each for each in ids[:1]], uuid.UUID(ids[0]).version]


@behaviour("user-agent")
async def user_agent():
    hsm = Hsm()
    await hsm.access().get_role_definition("/", NAME)
    return hsm.requests[-1].headers["User-Agent"].split("/")[0]


@behaviour("call-options-unchanged")
async def unchanged():
    hsm = Hsm()
    options = {"headers": {"x": "1"}, "params": {"y": "1"}, "retry_total": 0}
    client = hsm.access()
    await client.get_role_definition("/", NAME, **options)
    await client.get_role_definition("/", NAME, **options)
    return [options, hsm.seen]
