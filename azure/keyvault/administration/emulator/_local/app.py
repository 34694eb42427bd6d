"""The local services: the managed identity and the control path, over plain HTTP, for programs with their keys."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from aiohttp import hdrs, web

from .._net.addresses import LOOPBACK, LOOPBACK_IPV6
from . import control, identity

if TYPE_CHECKING:
    from aiohttp.typedefs import Handler

    from .control import ControlTarget
    from .identity import ManagedIdentity

IDENTITY_PATH = "/identity/token"

CONTROL_PATH = "/control"

# Below the control path, and below the key that opens it.
_CONTROLS = (
    web.get("/{key}/faults", control.list_faults),
    web.post("/{key}/faults", control.add_fault),
    web.delete("/{key}/faults", control.clear_faults),
    web.delete("/{key}/faults/{id:[0-9]{1,18}}", control.remove_fault),
    web.get("/{key}/journal", control.read_journal),
    web.delete("/{key}/journal", control.clear_journal),
    web.get("/{key}/clock", control.read_clock),
    web.post("/{key}/clock", control.advance_clock),
    web.post("/{key}/revocations", control.revoke_tokens),
)

_OWN_HOSTS = web.AppKey("own_hosts", frozenset[str])


@web.middleware
async def refuse_web_pages(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse what a local browser sends for a web page.

    A page can reach loopback under its own name (DNS rebinding), which the Host header shows, or send requests whose
    responses it cannot read, which the Origin header shows.
    """
    host = re.sub(r":[0-9]+$", "", request.headers.get(hdrs.HOST, "")).lower()
    if host not in request.app[_OWN_HOSTS] or hdrs.ORIGIN in request.headers:
        raise web.HTTPForbidden(text="The emulator serves only programs on this machine.\n")
    return await handler(request)


def make_local_app(managed_identity: ManagedIdentity, control_target: ControlTarget, host: str) -> web.Application:
    """Return the application; ``host`` is its name in addition to those of loopback."""
    app = web.Application(middlewares=(refuse_web_pages,))
    app[_OWN_HOSTS] = frozenset({"localhost", LOOPBACK, f"[{LOOPBACK_IPV6}]", host.lower()})
    app[identity.MANAGED_IDENTITY] = managed_identity
    app.router.add_get(IDENTITY_PATH, identity.get_token)
    controls = web.Application(middlewares=(control.require_key,))
    controls[control.CONTROL_TARGET] = control_target
    controls.router.add_routes(_CONTROLS)
    app.add_subapp(CONTROL_PATH, controls)
    return app
