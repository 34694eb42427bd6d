"""What principals may do, and what reads show: by the stored roles, or by those before a change on its way."""

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
    """Authorizes callers by the roles and assignments that are in force, and shows these to reads.

    A change is in force once the propagation delay is over; until then what it replaced is. Writes are checked against
    what is written. What a change replaced is written together with the change, so that a restart neither hurries nor
    undoes it.

    :param store: The roles and assignments as they are written.
    :param clock: Tells when a change comes into force.
    :param propagation_delay: How many seconds a change needs.
    """

    def __init__(self, store: SqliteStore, clock: Clock, propagation_delay: float) -> None:
        self._store = store
        self._clock = clock
        self._delay = propagation_delay

    def authorize(self, principal: str, action: str, scope: str) -> None:
        """Refuse a principal that may not perform an action at a scope."""
        roles, assignments = self.in_force()
        rbac.authorize(principal, action, scope, assignments=assignments, roles=rbac.all_roles(roles))

    def in_force(self) -> tuple[Roles, Assignments]:
        """Return the custom roles and the assignments as they count now, oldest first."""
        for oldest in self._under_way():
            return oldest.role_definitions, oldest.role_assignments
        return self._written()

    @contextmanager
    def changing(self) -> Generator[None]:
        """Change roles or assignments inside; to be used in a transaction."""
        if self._delay:
            history = [*self._under_way(), Superseded(self._clock.now(), *self._written())]
            self._store.save_fact(_HISTORY, json.dumps([documents.document(each) for each in history]))
        yield

    def _written(self) -> tuple[Roles, Assignments]:
        return tuple(self._store.role_definitions()), tuple(self._store.role_assignments())

    def _under_way(self) -> list[Superseded]:
        """Return what each change replaced that is not in force yet, oldest first."""
        if not self._delay:
            return []
        history = map(documents.superseded, json.loads(self._store.fact(_HISTORY) or "[]"))
        now = self._clock.now()
        # A change in the future was made before a restart, when the clock had been put forward: it is long past.
        return [each for each in history if each.until <= now < each.until + self._delay]
