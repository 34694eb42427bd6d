"""Requests of one's own."""

from azure.core.rest import HttpRequest

from .bench import FAILURE, NAME, Hsm, attempt, behaviour
from .operations import sent

URLS = {
    "slash": "/settings", "no-slash": "settings", "absolute": "{url}/settings", "query": "/settings?x=1", "version": "/settings?api-version=7.4", "other-version-name": "/settings?my-api-version=1", "upper-version": "/settings?API-VERSION=1",
    "encoded": "/keys/a%2Fb", "dots": "/a/../settings", "root": "/", "double": "//settings", "empty-query": "/settings?", "fragment": "/settings#x", "upper-host": "{upper}/settings", "port": "{url}:443/settings", "blank-version": "/settings?api-version=", "empty": "",
}


async def send(url, kind="access", script=(), method="GET", options=None, **request_options):
    hsm = Hsm(*script)
    request = HttpRequest(method, url.format(url=hsm.url, upper=hsm.url.upper().replace("HTTPS", "https")), **request_options)
    result = await attempt(getattr(hsm, kind)().send_request(request, **(options or {})))
    return hsm, request, result


@behaviour("send-url", URLS)
async def send_url(url):
    hsm, _, result = await send(url)
    where = [each.url.replace(hsm.url, "").replace("2025-07-01", "VERSION").replace("2026-04-01", "VERSION") for each in hsm.requests]
    return [where, result if isinstance(result, Exception) else result.status_code]


@behaviour("send-url-twice-slash-client")
async def slash_client():
    hsm = Hsm()
    await hsm.access(vault_url=hsm.url + "/").send_request(HttpRequest("GET", "/settings"))
    return hsm.seen


OTHER = {"host": "https://evil.example/settings", "http": "http://hsm.managedhsm.azure.net/", "port": "{url}:8443/settings", "userinfo": "https://me:secret@{bare}/x", "sub": "{url}.evil.example/x"}


@behaviour("send-other-origin", OTHER)
async def other_origin(url):
    hsm = Hsm()
    request = HttpRequest("GET", url.format(url=hsm.url, bare=hsm.host))
    result = await attempt(hsm.access().send_request(request))
    return [result if isinstance(result, Exception) else result.status_code, len(hsm.seen)]


@behaviour("send-status", {str(status): status for status in (200, 201, 204, 302, 304, 400, 401, 403, 404, 409, 429, 500, 503)})
async def send_status(status):
    hsm, _, result = await send("/settings", script=[(status, FAILURE)] * 9)
    return [result if isinstance(result, Exception) else [result.status_code, result.json()["error"]["code"]], len(hsm.seen)]


@behaviour("send-request-unchanged", {"url": lambda r: r.url, "headers": lambda r: sorted(r.headers), "authorization": lambda r: r.headers.get("Authorization"), "content": lambda r: r.content and str(r.content), "method": lambda r: r.method})
async def request_unchanged(read):
    hsm, request, _ = await send("/settings", method="PATCH", json={"a": 1}, headers={"x": "1"})
    return read(request)


@behaviour("send-request-again", {"same-client": True, "other-client": False})
async def send_again(same):
    request = HttpRequest("GET", "/settings")
    first, second = Hsm(), Hsm()
    client = first.access()
    await client.send_request(request)
    result = await attempt((client if same else second.access()).send_request(request))
    return [first.seen, second.seen, result if isinstance(result, Exception) else result.status_code]


@behaviour("send-response", {"type": lambda r: "AsyncHttpResponse" in [base.__name__ for base in type(r).__mro__], "json": lambda r: r.json()["name"], "request-method": lambda r: r.request.method, "request-url": lambda r: r.request.url.partition("?")[0].rpartition("/")[2], "same-request": None, "closed": lambda r: r.is_closed, "text": lambda r: len(r.text()) > 9})
async def response_of(read):
    hsm, request, response = await send(f"/providers/Microsoft.Authorization/roleDefinitions/{NAME}")
    return response.request is request if read is None else read(response)


METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "get")
BODIES = {"json": {"json": {"a": 1}}, "text": {"content": "text"}, "bytes": {"content": b"bytes"}, "data": {"data": {"a": "1"}}, "none": {}, "params": {"params": {"x": "a b"}}, "headers": {"headers": {"X-Mine": "1"}}, "own-token": {"headers": {"Authorization": "Mine"}}, "accept": {"headers": {"Accept": "text/plain"}}}


@behaviour("send-method", {name: name for name in METHODS})
async def send_method(method):
    hsm, _, result = await send("/settings", method=method)
    return [hsm.seen, result if isinstance(result, Exception) else result.status_code]


@behaviour("send-body", BODIES)
async def send_body(options):
    hsm, _, result = await send("/settings", method="POST", **options)
    if not hsm.requests:
        return result
    headers = hsm.requests[-1].headers
    return [hsm.seen, hsm.requests[-1].content, {name: headers.get(name) for name in ("Content-Type", "Content-Length", "X-Mine", "Accept", "Authorization")}]


STREAMS = {"default": {}, "true": {"stream": True}, "false": {"stream": False}}


@behaviour("send-stream", STREAMS)
async def send_stream(options):
    hsm, _, response = await send("/settings", options=options)
    return [response.is_stream_consumed, hsm.options[-1].get("stream"), hsm.options[0].get("stream")]


OPTIONS = {"headers": {"headers": {"x-mine": "1"}}, "params": {"params": {"x": "1"}}, "retry_total": {"retry_total": 0}, "error_map": {"error_map": {}}, "unknown": {"unknown": 1}, "logging": {"logging_enable": True}, "hook": {"raw_response_hook": lambda _: None}, "cls": {"cls": lambda *_: 1}, "content_type": {"content_type": "x"}, "api_version": {"api_version": "7.2"}, "positional-stream": None}


@behaviour("send-option", OPTIONS)
async def send_option(options):
    hsm = Hsm()
    request = HttpRequest("GET", "/settings")
    client = hsm.access()
    result = await attempt(client.send_request(request, True) if options is None else client.send_request(request, **options)) if True else None
    return [hsm.seen, result if isinstance(result, Exception) else result.status_code, hsm.requests[-1].headers.get("x-mine") if hsm.requests else None]


CHALLENGES = {"none": {}, "blank": {"WWW-Authenticate": ""}, "basic": {"WWW-Authenticate": "Basic realm=x"}, "bearer": {"WWW-Authenticate": "Bearer"}, "invalid-token": {"WWW-Authenticate": 'Bearer error="invalid_token"'}, "no-resource": {"WWW-Authenticate": 'Bearer authorization="https://login/t"'}}


@behaviour("send-401-first", CHALLENGES)
async def first_401(headers):
    hsm = Hsm(*[(401, FAILURE, headers)] * 5, authorized=False)
    result = await attempt(hsm.access().send_request(HttpRequest("GET", "/settings")))
    return [result if isinstance(result, Exception) else result.status_code, hsm.seen, len(hsm.credential.asked)]


@behaviour("send-401-with-token", CHALLENGES)
async def later_401(headers):
    hsm = Hsm(*[(401, FAILURE, headers)] * 5)
    result = await attempt(hsm.access().send_request(HttpRequest("GET", "/settings")))
    return [result if isinstance(result, Exception) else result.status_code, hsm.seen, len(hsm.credential.asked)]


@behaviour("send-not-a-request", {"none": None, "string": "/settings", "number": 5})
async def not_a_request(value):
    return await Hsm().access().send_request(value)


@behaviour("send-with-backup-client")
async def with_backup():
    hsm, _, result = await send("/backup", kind="backup", method="POST", json={})
    return [hsm.seen, result.status_code]


@behaviour("send-old-request")
async def old_request():
    from azure.core.pipeline.transport import HttpRequest as Old

    hsm = Hsm()
    result = await attempt(hsm.access().send_request(Old("GET", "/settings")))
    return [hsm.seen, result if isinstance(result, Exception) else result.status_code]
