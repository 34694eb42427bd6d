"""The parts of Azure that the Azure CLI needs besides the HSM: a list of no subscriptions, and a closed directory."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING
from uuid import uuid4

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Mapping

_RESOURCE_MANAGER = "management.azure.com"
_GRAPH = "graph.microsoft.com"

HOSTS = (_RESOURCE_MANAGER, _GRAPH)


def make_apps() -> Mapping[str, web.Application]:
    """Return the application of each host."""
    resource_manager, graph = web.Application(), web.Application()
    resource_manager.router.add_get("/subscriptions", _list_subscriptions)
    resource_manager.router.add_route("*", "/{path:.*}", _refuse_resource)
    graph.router.add_route("*", "/{path:.*}", _refuse_lookup)
    return {_RESOURCE_MANAGER: resource_manager, _GRAPH: graph}


async def _list_subscriptions(request: web.Request) -> web.Response:  # noqa: ARG001 - a handler
    return web.json_response({"value": []})


async def _refuse_resource(request: web.Request) -> web.Response:
    message = f"The Managed HSM emulator has no resource manager, and so not {request.method} {request.path}."
    return web.json_response({"error": {"code": "NotFound", "message": message}}, status=404)


async def _refuse_lookup(request: web.Request) -> web.Response:
    """Respond as Graph does to a caller without permissions: clients then go on without the names of principals."""
    request_id = str(uuid4())
    error = {
        "code": "Authorization_RequestDenied",
        "message": "Insufficient privileges to complete the operation.",
        "innerError": {
            "date": datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S"),
            "request-id": request_id,
            "client-request-id": request.headers.get("client-request-id", request_id),
        },
    }
    return web.json_response({"error": error}, status=403)
