"""Requests of one's own."""

from azure.core.rest import HttpRequest

from .bench import AUTHORIZATION, FAILURE, NAME, Hsm, attempt, behaviour

URLS = {
    "slash": "/settings",
    "no-slash": "settings",
    "absolute": "{url}/settings",
    "absolute-with-port": "{url}:443/settings",
    "upper-host": "{upper}/settings",
    "query": "/settings?x=1&y=a%2Fb",
    "version": "/settings?api-version=7.4",
    "empty-version": "/settings?api-version=",
    "like-a-version": "/settings?my-api-version=1",
    "encoded": "/keys/a%2Fb",
    "dots": "/a/../settings",
    "root": "/",
    "two-slashes": "//settings",
}


async def send(url="/settings", *script, method="GET", options=None, **request_options):
    hsm = Hsm(*script)
    upper = hsm.url.upper().replace("HTTPS", "https")
    request = HttpRequest(method, url.format(url=hsm.url, host=hsm.host, upper=upper), **request_options)
    response = await attempt(hsm.access().send_request(request, **(options or {})))
    return hsm, request, response


def status(response):
    return response if isinstance(response, Exception) else response.status_code


@behaviour("send", URLS)
async def send_url(url):
    hsm, _, response = await send(url)
    versions = [part for part in hsm.requests[-1].url.partition("?")[2].split("&") if part.startswith("api-version=")]
    known = [each for each in versions if "-0" not in each]
    return [hsm.seen, len(versions), known, status(response)]


OTHER = {
    "host": "https://evil.example/settings",
    "http": "http://{host}/settings",
    "port": "{url}:8443/settings",
    "userinfo": "https://me:secret@{host}/settings",
    "longer-host": "{url}.evil.example/settings",
}


@behaviour("send-to-other-origin", OTHER)
async def other_origin(url):
    hsm, _, response = await send(url)
    return [status(response), len(hsm.seen)]


@behaviour("send-status", {str(code): code for code in (200, 201, 204, 302, 304, 400, 401, 403, 404, 409, 500, 503)})
async def send_status(code):
    hsm, _, response = await send("/settings", *[(code, FAILURE)] * 9)
    return [status(response), response.json()["error"]["code"], len(hsm.seen)]


HEADERS = {
    "none": {},
    "blank": {"WWW-Authenticate": ""},
    "basic": {"WWW-Authenticate": "Basic realm=x"},
    "bare": {"WWW-Authenticate": "Bearer"},
    "invalid-token": {"WWW-Authenticate": 'Bearer error="invalid_token"'},
}


@behaviour(
    "send-unauthorized",
    HEADERS,
    "first with-token",
)
async def unauthorized(headers, when):
    hsm = Hsm(*[(401, FAILURE, headers)] * 9)
    if when == "first":
        hsm.challenge = None
    response = await attempt(hsm.access().send_request(HttpRequest("GET", "/settings")))
    return [status(response), hsm.seen, len(hsm.credential.asked)]


READS = {
    "url": lambda request: request.url,
    "headers": lambda request: sorted(request.headers),
    "authorization": lambda request: request.headers.get("Authorization"),
    "content": lambda request: str(request.content),
    "method": lambda request: request.method,
}


@behaviour("send-leaves-request", READS)
async def leaves_request(read):
    return read((await send(method="PATCH", json={"a": 1}, headers={"x": "1"}))[1])


@behaviour("send-again", {"same-client": True, "other-client": False})
async def send_again(same):
    request = HttpRequest("GET", "/settings")
    first, second = Hsm(), Hsm()
    client = first.access()
    await client.send_request(request)
    response = await attempt((client if same else second.access()).send_request(request))
    return [first.seen, second.seen, status(response)]


RESPONSES = {
    "class": lambda response: "AsyncHttpResponse" in [base.__name__ for base in type(response).__mro__],
    "json": lambda response: response.json()["name"],
    "text": lambda response: len(response.text()) > len(NAME),
    "request": lambda response: [response.request.method, response.request.url.partition("?")[0][-9:]],
    "is-closed": lambda response: response.is_closed,
    "raise-for-status": lambda response: response.raise_for_status(),
}


@behaviour("send-gets", RESPONSES)
async def gets(read):
    return read((await send(f"{AUTHORIZATION}/roleDefinitions/{NAME}"))[2])


behaviour("send-method", "GET POST PUT PATCH DELETE HEAD OPTIONS get")(lambda method: send_with(method=method))
BODIES = {
    "json": {"json": {"a": 1}},
    "text": {"content": "text"},
    "form": {"data": {"a": "1"}},
    "params": {"params": {"x": "a b"}},
    "headers": {"headers": {"X-Mine": "1", "Accept": "text/plain"}},
    "own-token": {"headers": {"Authorization": "Mine"}},
}
behaviour("send-with", BODIES)(lambda options: send_with(method="POST", **options))
OPTIONS = {
    "headers": {"headers": {"x-mine": "1"}},
    "params": {"params": {"x": "1"}},
    "no-retry": {"retry_total": 0},
    "error_map": {"error_map": {}},
    "logging": {"logging_enable": True},
    "hook": {"raw_response_hook": lambda _: None},
    "stream": {"stream": True},
    "no-stream": {"stream": False},
}
behaviour("send-option", OPTIONS)(lambda options: send_with(options=options))


async def send_with(**options):
    hsm, _, response = await send(**options)
    request = hsm.requests[-1]
    names = ("Content-Type", "X-Mine", "Accept", "Authorization")
    sent = {name: request.headers.get(name) for name in names}
    return [hsm.seen, request.content, sent, bool(hsm.options[-1].get("stream")), status(response)]


@behaviour("send-stream")
async def stream():
    response = (await send("/settings", (200, "text"), options={"stream": True}))[2]
    before = response.is_stream_consumed
    return [before, [part.decode() async for part in response.iter_bytes()]]


@behaviour("send-by-position")
async def by_position():
    return await Hsm().access().send_request(HttpRequest("GET", "/settings"), True)
