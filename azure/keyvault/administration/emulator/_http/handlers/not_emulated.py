"""What the service has and the emulator has not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..._domain import errors

if TYPE_CHECKING:
    from ..._hsm.hsm import Hsm
    from ..operation import Call, Handler, Result


def not_emulated(what: str) -> Handler:
    """Return a handler for an operation that needs a private key, or that has no part in administering the HSM."""

    async def refuse(_hsm: Hsm, _call: Call) -> Result:
        raise errors.not_emulated(what)

    return refuse
