"""The work that is measured. The same source runs with both packages, so it uses the public API that both have."""

from __future__ import annotations

import asyncio
import gc
import json
import statistics
import subprocess
import sys
import time
import tracemalloc
from contextlib import AsyncExitStack
from itertools import count
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import aiohttp
import psutil
from azure.core import AsyncPipelineClient
from azure.core.rest import HttpRequest

from azure.keyvault.administration import KeyVaultRoleAssignment
from azure.keyvault.administration.aio import KeyVaultAccessControlClient, KeyVaultBackupClient
from benchmarks.service import DEFINITION, PRINCIPAL, GivenToken, Service, name, page_bodies
from fakes import VAULT, FakeCredential

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from typing_extensions import Self

Result = dict[str, float]
Address = dict[str, str]

_SAS = "sv=2024-11-04&se=2999-01-01&sp=crdw&sig=c2lnbmF0dXJl"


class Stopwatch:
    """Measures the CPU time of this process, for which other programs on the machine hardly matter."""

    def __enter__(self) -> Self:
        gc.collect()
        self.wall = time.perf_counter()
        self.cpu = time.process_time()
        return self

    def __exit__(self, *_: object) -> None:
        self.cpu = time.process_time() - self.cpu
        self.wall = time.perf_counter() - self.wall

    def per(self, units: int, **more: float) -> Result:
        """Return the CPU time of each unit of work in microseconds, and other results."""
        return {"us": self.cpu / units * 1e6, **more}


# In process: the cost of the client alone.


async def get(calls: int) -> Result:
    """Get an assignment, repeatedly."""
    service = Service()
    async with _access_control(service) as client:
        await client.get_role_assignment("/", name(0))
        service.count = 0
        with Stopwatch() as watch:
            for _ in range(calls):
                await client.get_role_assignment("/", name(0))
    return watch.per(calls, authorized=service.count)


async def create(calls: int) -> Result:
    """Create assignments."""
    service = Service()
    async with _access_control(service) as client:
        await client.get_role_assignment("/", name(0))
        service.count = 0
        with Stopwatch() as watch:
            for _ in range(calls):
                await client.create_role_assignment("/", DEFINITION, PRINCIPAL)
    return watch.per(calls, authorized=service.count)


async def list_assignments(items: int, pages: int = 1) -> Result:
    """List assignments with one client, short lists often enough to be measurable."""
    return await _list(lambda client: client.list_role_assignments("/"), items, pages)


async def list_definitions(items: int, pages: int = 1) -> Result:
    """List definitions."""
    return await _list(lambda client: client.list_role_definitions("/"), items, pages)


async def _list(start: Callable[[KeyVaultAccessControlClient], Any], items: int, pages: int) -> Result:
    service = Service(items=items, pages=pages)
    passes = max(1, 1_000 // items)
    async with _access_control(service) as client:
        await client.get_role_assignment("/", name(0))
        service.count = 0
        listed = 0
        with Stopwatch() as watch:
            for _ in range(passes):
                async for _item in start(client):
                    listed += 1
    _require(listed == items * passes, f"{listed} items were listed instead of {items * passes}")
    return watch.per(listed, authorized=service.count)


async def poll(polls: int) -> Result:
    """Follow a backup that is in progress for a while. The pauses take no time."""
    service = Service(polls=polls)
    async with KeyVaultBackupClient(VAULT, FakeCredential(), transport=service) as client:
        poller = await client.begin_backup("https://a.blob.core.windows.net/b", _SAS, polling_interval=1)
        service.count = 0
        with Stopwatch() as watch:
            await poller.result()
    return watch.per(service.count, authorized=service.count)


async def cold_burst(calls: int) -> Result:
    """Start calls at once with a client that has no token yet."""
    service = Service()
    credential = FakeCredential()
    async with KeyVaultAccessControlClient(VAULT, credential, transport=service) as client:
        with Stopwatch() as watch:
            await asyncio.gather(*(client.get_role_assignment("/", name(0)) for _ in range(calls)))
    return watch.per(calls, requests=service.count, tokens=len(credential.requests))


def _access_control(service: Service) -> KeyVaultAccessControlClient:
    return KeyVaultAccessControlClient(VAULT, FakeCredential(), transport=service)


# Over loopback TLS, to an emulator in another process. SSL_CERT_FILE names the CA to trust.


async def tls_get(hsm: Address, calls: int, concurrency: int) -> Result:
    """Get an assignment with the default transport."""
    async with _tls_client(hsm) as client:
        return await _concurrently(lambda: client.get_role_assignment("/", hsm["assignment"]), calls, concurrency)


async def tls_create(hsm: Address, calls: int, concurrency: int) -> Result:
    """Create assignments."""
    async with _tls_client(hsm) as client:
        # The HSM allows 50 at a scope, so each is for another key.
        return await _concurrently(
            lambda: client.create_role_assignment(f"/keys/{uuid4()}", DEFINITION, PRINCIPAL), calls, concurrency
        )


async def tls_list_definitions(hsm: Address, calls: int, concurrency: int) -> Result:
    """List the built-in roles."""
    async with _tls_client(hsm) as client:

        async def list_all() -> None:
            async for _ in client.list_role_definitions("/"):
                pass

        return await _concurrently(list_all, calls, concurrency)


async def tls_sign(hsm: Address, algorithm: str, calls: int, concurrency: int) -> Result:
    """Sign a digest with a key of the emulator."""
    async with _tls_client(hsm) as client:
        body = {"alg": algorithm, "value": "A" * 43}

        async def sign() -> None:
            request = HttpRequest("POST", f"/keys/{algorithm}/sign", params={"api-version": "7.6"}, json=body)
            (await client.send_request(request)).raise_for_status()

        return await _concurrently(sign, calls, concurrency)


async def tls_against_aiohttp(hsm: Address, slices: int, calls: int) -> Result:
    """Get an assignment with the client and with aiohttp alone, in turn, so that both meet the same load."""
    headers = {"Authorization": f"Bearer {hsm['token']}"}
    async with _tls_client(hsm) as client, aiohttp.ClientSession(headers=headers) as session:

        async def measure(call: Callable[[], Awaitable[object]]) -> float:
            with Stopwatch() as watch:
                for _ in range(calls):
                    await call()
            return watch.cpu / calls * 1e6

        pairs = [
            (
                await measure(lambda: client.get_role_assignment("/", hsm["assignment"])),
                await measure(lambda: _get_assignment(session, hsm)),
            )
            for _ in range(slices + 1)
        ][1:]
    return {
        "us": statistics.median(ours for ours, _ in pairs),
        "aiohttp_us": statistics.median(floor for _, floor in pairs),
        "ratio": statistics.median(ours / floor for ours, floor in pairs),
    }


async def tls_cold_burst(hsm: Address, calls: int) -> Result:
    """Start calls at once with a client that has neither token nor connection."""
    credential = GivenToken(hsm["token"])
    async with _tls_client(hsm, credential) as client:
        with Stopwatch() as watch:
            await asyncio.gather(*(client.get_role_assignment("/", hsm["assignment"]) for _ in range(calls)))
    return watch.per(calls, tokens=len(credential.requests))


async def tls_clients(hsm: Address, clients: int, at_once: bool) -> Result:
    """Make a call with each of several clients of one HSM, which share a credential."""
    credential = GivenToken(hsm["token"])
    async with AsyncExitStack() as stack:
        opened = [await stack.enter_async_context(_tls_client(hsm, credential)) for _ in range(clients)]
        with Stopwatch() as watch:
            calls = [client.get_role_assignment("/", hsm["assignment"]) for client in opened]
            if at_once:
                await asyncio.gather(*calls)
            else:
                for call in calls:
                    await call
    return watch.per(clients, tokens=len(credential.requests))


async def tls_crowd(hsm: Address, calls: int) -> Result:
    """Start calls at once at an HSM with rate limits, and count those that fail."""
    async with _tls_client(hsm) as client:

        async def read() -> None:
            async for _ in client.list_role_assignments("/"):
                pass

        started = time.perf_counter()
        outcomes = await asyncio.gather(*(read() for _ in range(calls)), return_exceptions=True)
        seconds = time.perf_counter() - started
    failures = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
    unexpected = [failure for failure in failures if getattr(failure, "status_code", None) != 429]
    _require(not unexpected, f"calls failed for other reasons than the limit: {unexpected[:1]}")
    return {"failed": len(failures), "seconds": seconds}


def _tls_client(hsm: Address, credential: GivenToken | None = None) -> KeyVaultAccessControlClient:
    # No resource can fit a bare localhost.
    return KeyVaultAccessControlClient(
        hsm["url"], credential or GivenToken(hsm["token"]), verify_challenge_resource=False
    )


async def _concurrently(call: Callable[[], Awaitable[object]], calls: int, concurrency: int) -> Result:
    """Make calls, so many at a time, once every connection is made."""
    await asyncio.gather(*(call() for _ in range(concurrency)))
    latencies: list[float] = []
    numbers = count()

    async def go_on_calling() -> None:
        while next(numbers) < calls:
            started = time.perf_counter()
            await call()
            latencies.append(time.perf_counter() - started)

    with Stopwatch() as watch:
        await asyncio.gather(*(go_on_calling() for _ in range(concurrency)))
    percentiles = statistics.quantiles(latencies, n=100)
    return watch.per(calls, per_second=calls / watch.wall, p50_ms=percentiles[49] * 1e3, p99_ms=percentiles[98] * 1e3)


# In a fresh process: the import, and the memory of a long list.


def import_time() -> Result:
    """Import the clients in a new process that has asyncio and the parts of azure-core which they need already."""
    module = "azure.keyvault.administration.aio"
    listing = f"import sys, {module}; print(*(m for m in sys.modules if m.startswith('azure.core')))"
    needed = subprocess.run([sys.executable, "-c", listing], check=True, capture_output=True, text=True).stdout.split()
    timing = f"""
import asyncio, importlib, sys, time
for name in {needed!r}:
    importlib.import_module(name)
started = time.process_time()
import {module}
print(time.process_time() - started)
"""
    seconds = subprocess.run([sys.executable, "-c", timing], check=True, capture_output=True, text=True).stdout
    return {"us": float(seconds) * 1e6}


async def memory(items: int, pages: int) -> Result:
    """List assignments and keep them; return the bytes allocated for each, at the end and at the peak."""
    service = Service(items=items, pages=pages)
    async with _access_control(service) as client:
        await client.get_role_assignment("/", name(0))
        gc.collect()
        tracemalloc.start()
        kept: list[KeyVaultRoleAssignment] = [item async for item in client.list_role_assignments("/")]
        gc.collect()
        held, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    _require(len(kept) == items, f"{len(kept)} items were listed instead of {items}")
    return {"held": held / items, "peak": peak / items}


async def resident_memory(items: int, pages: int) -> Result:
    """List assignments and keep them; return the growth of the process."""
    service = Service(items=items, pages=pages)
    process = psutil.Process()
    async with _access_control(service) as client:
        await client.get_role_assignment("/", name(0))
        gc.collect()
        before = process.memory_info().rss
        kept: list[KeyVaultRoleAssignment] = [item async for item in client.list_role_assignments("/")]
        after = process.memory_info().rss
    _require(len(kept) == items, f"{len(kept)} items were listed instead of {items}")
    return {"resident_mb": (after - before) / 1e6}


# Floors: the least that a client takes that is built on azure-core, JSON and aiohttp.


async def floor_pipeline(calls: int) -> Result:
    """Send requests through azure-core's default pipeline, without authentication."""
    service = Service()
    client: AsyncPipelineClient[HttpRequest, Any] = AsyncPipelineClient(VAULT, transport=service)
    async with client:
        with Stopwatch() as watch:
            for _ in range(calls):
                request = HttpRequest("GET", f"{VAULT}/{name(0)}", headers={"Authorization": "Bearer token"})
                await client.send_request(request)
    return watch.per(calls, authorized=service.count)


def floor_json(collection: str, items: int) -> Result:
    """Parse a page."""
    (body,) = page_bodies(collection, items, 1)
    with Stopwatch() as watch:
        parsed = json.loads(body)
    return watch.per(len(parsed["value"]))


def floor_memory(items: int, pages: int) -> Result:
    """Parse a list of assignments and keep what was parsed."""
    bodies = page_bodies("roleAssignments", items, pages)
    gc.collect()
    tracemalloc.start()
    kept = [json.loads(body) for body in bodies]
    held, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    _require(len(kept) == pages, "a page is missing")
    return {"held": held / items, "peak": peak / items}


async def floor_aiohttp(hsm: Address, calls: int, concurrency: int) -> Result:
    """Get an assignment with aiohttp itself, parsed."""
    headers = {"Authorization": f"Bearer {hsm['token']}"}
    async with aiohttp.ClientSession(headers=headers) as session:
        return await _concurrently(lambda: _get_assignment(session, hsm), calls, concurrency)


async def _get_assignment(session: aiohttp.ClientSession, hsm: Address) -> None:
    target = (
        f"{hsm['url']}/providers/Microsoft.Authorization/roleAssignments/{hsm['assignment']}?api-version=2025-07-01"
    )
    async with session.get(target) as response:
        _require(response.status == 200, f"the emulator answered {response.status}")
        json.loads(await response.read())


def _require(condition: bool, otherwise: str) -> None:
    if not condition:
        raise RuntimeError(otherwise)
