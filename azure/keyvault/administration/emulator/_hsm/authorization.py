"""Permissions of principals, and what reads show: by the roles and assignments that are in effect."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeAlias

from .._domain import documents, rbac
from .._domain.records import RoleAssignment, RoleDefinition, Superseded

if TYPE_CHECKING:
    from collections.abc import Generator

    from .._state.clock import Clock
    from .._state.sqlite import SqliteStore

Roles: TypeAlias = tuple[RoleDefinition, ...]
Assignments: TypeAlias = tuple[RoleAssignment, ...]

_HISTORY = "superseded_access"


class Access:
    """Authorizes callers by the roles and assignments that are in effect, and shows these to reads.

    A change takes effect after the propagation delay in seconds; until then, the state that it replaced applies. Writes
    are checked against the stored state. The replaced state is stored together with the change, so a restart neither
    hastens nor undoes it.
    """

    def __init__(self, store: SqliteStore, clock: Clock, propagation_delay: float) -> None:
        self._store = store
        self._clock = clock
        self._delay = propagation_delay

    def authorize(self, principal: str, action: str, scope: str) -> None:
        """Refuse a principal that may not perform an action at a scope."""
        roles, assignments = self.in_effect()
        rbac.authorize(principal, action, scope, assignments=assignments, roles=rbac.all_roles(roles))

    def in_effect(self) -> tuple[Roles, Assignments]:
        """Return the custom roles and the assignments that are in effect now, oldest first."""
        for oldest in self._superseded():
            return oldest.role_definitions, oldest.role_assignments
        return self._stored()

    @contextmanager
    def changing(self) -> Generator[None]:
        """Allow changes of roles and assignments; to be used inside a transaction."""
        if self._delay:
            history = [*self._superseded(), Superseded(self._clock.now(), *self._stored())]
            self._store.save_fact(_HISTORY, json.dumps([documents.document(each) for each in history]))
        yield

    def _stored(self) -> tuple[Roles, Assignments]:
        return tuple(self._store.role_definitions()), tuple(self._store.role_assignments())

    def _superseded(self) -> list[Superseded]:
        """Return the states that recent changes replaced and that still apply, oldest first."""
        if not self._delay:
            return []
        history = map(documents.superseded, json.loads(self._store.fact(_HISTORY) or "[]"))
        now = self._clock.now()
        # A change in the future is from before a restart, which set an advanced clock back: it has taken effect.
        return [each for each in history if each.until <= now < each.until + self._delay]
