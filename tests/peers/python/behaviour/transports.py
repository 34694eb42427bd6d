"""Real transports, over loopback or with a session that needs none; and what is logged."""

import asyncio
import contextlib
import gzip
import io
import json
import logging
import os
import ssl
import tempfile
from datetime import datetime, timedelta, timezone
from pathlib import Path

import aiohttp
import requests
import trio
from azure.core.pipeline.transport import AioHttpTransport, AsyncioRequestsTransport, TrioRequestsTransport
from azure.core.rest import HttpRequest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from requests.adapters import BaseAdapter

from .bench import CONTAINER, FAILURE, NAME, ROLE, SAS, Hsm, attempt, behaviour, collect, plain


# Transports of requests: the session's adapter is the HSM.
class Adapter(BaseAdapter):
    def __init__(self, hsm):
        super().__init__()
        self.hsm = hsm

    def send(self, request, **_):
        self.hsm.seen.append(f"{request.method} {'token' if 'Authorization' in request.headers else 'no token'}")
        status, body, headers = (*self.hsm.reply(request), {})[:3]
        response = requests.Response()
        response.status_code, response.url, response.request = status, request.url, request
        response.headers.update({"Content-Type": "application/json", **headers})
        response.raw = io.BytesIO(json.dumps(body).encode() if body else b"")
        return response

    def close(self):
        pass


def session(hsm):
    made = requests.Session()
    made.mount("https://", Adapter(hsm))
    return made


async def some_calls(hsm, transport):
    async with hsm.access(transport=transport) as access, hsm.backup(transport=transport) as backup:
        role = await access.get_role_definition("/", NAME)
        roles = await collect(access.list_role_definitions("/"))
        poller = await backup.begin_backup(CONTAINER, SAS)
        return [role.name, len(roles), await poller.result(), hsm.seen]


@behaviour("requests-on-asyncio")
async def requests_on_asyncio():
    hsm = Hsm()
    return await some_calls(hsm, AsyncioRequestsTransport(session=session(hsm), session_owner=False))


@behaviour("requests-on-trio")
async def requests_on_trio():
    hsm = Hsm()
    transport = TrioRequestsTransport(session=session(hsm), session_owner=False)
    return await asyncio.to_thread(trio.run, some_calls, hsm, transport)


@behaviour("requests-on-trio-several-at-once")
async def several_on_trio():
    hsm = Hsm()
    names = []

    async def call(client):
        names.append((await client.get_role_definition("/", NAME)).name)

    async def all_calls():
        async with (
            hsm.access(transport=TrioRequestsTransport(session=session(hsm))) as client,
            trio.open_nursery() as nursery,
        ):
            for _ in range(5):
                nursery.start_soon(call, client)

    await asyncio.to_thread(trio.run, all_calls)
    return plain(names)


# aiohttp, over TLS on loopback.
class Server:
    """Notes what it is asked, and sends what a script says: JSON, raw bytes, or None to drop the connection."""

    def __init__(self, *script):
        self.script, self.seen = list(script), []

    async def serve(self, reader, writer):
        # The client is free to go at any time.
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
            await self.exchange(reader, writer)
        writer.close()

    async def exchange(self, reader, writer):
        while True:
            lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:])}
            await reader.readexactly(int(headers.get("content-length", 0)))
            method, target, _ = lines[0].split()
            self.seen.append([method, target.partition("?")[0], headers.get("authorization"), headers.get("x-mine")])
            reply = self.reply(headers)
            if reply is None:
                return
            writer.write(reply)
            await writer.drain()
            if b"Connection: close" in reply:
                return

    def reply(self, headers):
        if "authorization" not in headers:
            return http(401, {}, 'WWW-Authenticate: Bearer authorization="https://login/t", resource="https://x"')
        return self.script.pop(0) if self.script else http(200, ROLE)


def http(status, body, *headers):
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status} Reason", "Content-Type: application/json", f"Content-Length: {len(content)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + content


def certificate():
    """Return a certificate for localhost, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(timezone.utc)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    encoding = serialization.Encoding.PEM
    pem = key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return made.public_bytes(encoding) + pem


@contextlib.asynccontextmanager
async def serving(*script):
    """Serve on loopback, and give the server and its URL."""
    server = Server(*script)
    with tempfile.TemporaryDirectory() as folder:
        server.certificate = Path(folder) / "certificate.pem"
        server.certificate.write_bytes(certificate())
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(server.certificate)
        listening = await asyncio.start_server(server.serve, "127.0.0.1", 0, ssl=tls)
        async with listening:
            server.url = f"https://localhost:{listening.sockets[0].getsockname()[1]}"
            yield server


def client(server, kind="access", **options):
    options = {
        "connection_verify": False,
        "verify_challenge_resource": False,
        "retry_total": 0,
        "transport": None,
        **options,
    }
    return getattr(Hsm(), kind)(vault_url=server.url, **options)


SCRIPTS = {
    "get": (),
    "gzip": http(200, gzip.compress(json.dumps(ROLE).encode()), "Content-Encoding: gzip"),
    "half-a-body": http(200, ROLE, "Connection: close")[:-9],
    "no-http": b"nothing Connection: close\r\n\r\n",
    "403": http(403, FAILURE),
    "redirect": http(302, {}, "Location: /moved"),
}


async def get(server, options=None, **client_options):
    async with client(server, **client_options) as made:
        return await attempt(made.get_role_definition("/", NAME, **(options or {})))


@behaviour("aiohttp", SCRIPTS)
async def over_aiohttp(*script):
    async with serving(*script) as server:
        result = await get(server)
        return [plain(result).get("name", plain(result)), [each[:2] for each in server.seen]]


behaviour("sent-again-by-aiohttp")(lambda: over_aiohttp(None))
KEYWORDS = {"decompress": True, "response_encoding": "utf-8", "connection_timeout": 5, "read_timeout": 5}
behaviour("aiohttp-keyword", {name: (name, KEYWORDS[name]) for name in KEYWORDS})(
    lambda name, value: with_keyword(**{name: value})
)
behaviour("aiohttp-keyword/cls")(lambda: with_keyword(cls=lambda _response, made, _headers: made))
behaviour("more-keywords/content_type")(lambda: with_keyword(content_type="application/json"))
behaviour("unknown-keyword")(lambda: with_keyword(no_such_keyword=1))


async def with_keyword(**options):
    async with serving() as server:
        result = plain(await get(server, options))
        return [result.get("name", result.get("raised")), len(server.seen)]


@behaviour("aiohttp-verifies", {"with-the-certificate": True, "without": False})
async def verifies(given):
    async with serving() as server:
        result = plain(await get(server, connection_verify=str(server.certificate) if given else True))
        return [result.get("name", result.get("raised")), len(server.seen)]


@behaviour("aiohttp-session", {"own": "x-mine", "middlewares": "middlewares", "middlewares-of-call": "call"})
async def own_session(case):
    async def mark(request, handler):
        request.headers["x-mine"] = "middleware"
        return await handler(request)

    async with serving() as server:
        options = {"middlewares": (mark,)} if case == "middlewares" else {}
        connector = aiohttp.TCPConnector(ssl=False)
        async with aiohttp.ClientSession(connector=connector, headers={"x-mine": "session"}, **options) as given:
            transport = AioHttpTransport(session=given, session_owner=False)
            result = await get(server, {"middlewares": (mark,)} if case == "call" else {}, transport=transport)
            return [plain(result).get("name"), [each[3] for each in server.seen], given.closed]


@behaviour("start-sent-once/aiohttp")
async def dropped_restore():
    # On a connection that was used before, aiohttp sends a PUT again by itself.
    async with serving(http(200, {"value": []}), None) as server:
        async with client(server, "backup") as made:
            await made.send_request(HttpRequest("GET", "/x"))
            error = await attempt(made.begin_restore(f"{CONTAINER}/folder", SAS))
        return [plain(error)["raised"], sum(each[0] == "PUT" for each in server.seen)]


@behaviour("aiohttp-unreachable")
async def connection_refused():
    async with serving() as server:
        pass
    return await get(server)


@behaviour("two-event-loops")
async def two_event_loops():
    def use(made):
        loops = [asyncio.new_event_loop() for _ in range(2)]
        results = [loop.run_until_complete(attempt(made.get_role_definition("/", NAME))) for loop in loops]
        loops[0].run_until_complete(made.close())
        for loop in loops:
            loop.close()
        return [plain(each).get("raised", "ok") for each in results]

    async with serving() as server:
        return await asyncio.to_thread(use, client(server))


@behaviour("proxy-set-before-client")
async def proxy_before():
    return await proxied(before=True)


@behaviour("proxy-set-after-client")
async def proxy_after():
    return await proxied(before=False)


async def proxied(*, before):
    """Return what a proxy hears that is set in the environment before or after the client is made."""
    async with serving() as server:
        heard = []

        async def proxy(reader, writer):
            heard.append((await reader.readline()).split()[0].decode())
            writer.close()

        async with await asyncio.start_server(proxy, "127.0.0.1", 0) as listening:
            address = f"http://localhost:{listening.sockets[0].getsockname()[1]}"
            made = None if before else client(server)
            os.environ["HTTPS_PROXY"] = address
            try:
                made = made or client(server)
                async with made:
                    await attempt(made.get_role_definition("/", NAME))
            finally:
                del os.environ["HTTPS_PROXY"]
        return heard[:1]


@behaviour("netrc")
async def netrc():
    async with serving() as server:
        path = server.certificate.with_name("netrc")
        path.write_text("machine localhost login me password secret\n", encoding="utf-8")
        os.environ["NETRC"] = str(path)
        try:
            await get(server)
        finally:
            del os.environ["NETRC"]
        return [(each[2] or "none").split()[0] for each in server.seen]


# Logs.
class Records(logging.Handler):
    def __init__(self):
        super().__init__()
        self.text = ""

    def emit(self, record):
        self.text += f"{record.levelname} {record.getMessage()}\n"


@contextlib.asynccontextmanager
async def logged(level):
    logger, records = logging.getLogger("azure"), Records()
    logger.addHandler(records)
    logger.setLevel(level)
    yield records
    logger.removeHandler(records)
    logger.setLevel(logging.NOTSET)


@behaviour(
    "log-header", "x-ms-keyvault-region x-ms-keyvault-network-info x-ms-keyvault-service-version x-ms-request-id"
)
async def log_header(name):
    async with logged(logging.INFO) as records:
        await Hsm((200, ROLE, {name: "shown"})).access().get_role_definition("/", NAME)
    return f"'{name}': 'shown'" in records.text


@behaviour("log-at-info", {"request": "Request method: 'GET'", "status": "Response status: 200", "token": "token1"})
async def log_at_info(part):
    async with logged(logging.INFO) as records:
        await Hsm().access().get_role_definition("/", NAME)
    return part in records.text


@behaviour("log-secrets", {"token": "token1", "sas": "c2VjcmV0"})
async def log_secrets(secret):
    async with logged(logging.DEBUG) as records:
        await Hsm().backup(logging_enable=True, logging_body=True).begin_backup(CONTAINER, SAS)
    return secret in records.text


@behaviour("log-of-bodies")
async def log_of_bodies():
    async with logged(logging.DEBUG) as records:
        await Hsm().access(logging_enable=True).get_role_definition("/", NAME)
    return "Keeps keys" in records.text
