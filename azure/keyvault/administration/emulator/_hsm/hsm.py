"""One emulated HSM, as the handlers see it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .._domain.faults import FaultMatcher
    from .._domain.rate_limits import RateLimiter
    from .._domain.tokens import TokenAuthority
    from .._state.clock import WakingClock
    from .._state.sqlite import SqliteStore
    from .authorization import Access
    from .jobs import Jobs
    from .journal import Recorder


@dataclass(frozen=True, slots=True)
class Hsm:
    """Everything that handlers and middlewares need."""

    host: str
    """The public host name."""
    store: SqliteStore
    clock: WakingClock
    access: Access
    authority: TokenAuthority
    jobs: Jobs
    journal: Recorder
    faults: FaultMatcher
    retry_after: int
    security_domain: bytes = field(repr=False)
    certificate: bytes
    """The certificate authority, as PEM."""
    rate_limiter: RateLimiter | None

    def revoke_tokens(self, principal: str | None) -> None:
        """Revoke the tokens that a principal has so far, or that all principals have, for good."""
        self.authority.revoke(principal, self.clock.now())
        revocations = {each: asdict(revocation) for each, revocation in self.authority.revocations.items()}
        self.store.save_fact("revocations", json.dumps(revocations))
