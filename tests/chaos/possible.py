"""The states in which each resource may be, according to the operations that wrote, deleted and restored it. Pure.

A resource is in the state that the last acknowledged operation left, or in that of any later operation without a
response. A restore may bring back the states of a backup from its start on, until its outcome is known. As long as that
is unknown, either all resources are as they were before the restore or all are as in the backup.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from chaos.history import SUCCEEDED, Action, Contents, Operation, Outcome

States: TypeAlias = "set[str | None]"


class Possible:
    """Follows a run, one operation after the other. None is the state of a missing resource."""

    def __init__(self) -> None:
        self._states: dict[str, States] = {}
        # What each running restore brings back, and the states before it.
        self._restores: dict[str, tuple[Contents, dict[str, States]]] = {}
        # The states before and after a full restore of unknown outcome, until anything else is changed.
        self._undecided: tuple[dict[str, States], dict[str, States]] | None = None

    @property
    def resources(self) -> set[str]:
        """All resources that any operation was about."""
        return set(self._states)

    def of(self, resource: str) -> States:
        return self._states.get(resource, {None})

    def mixed(self, found: Mapping[str, str]) -> tuple[str, str] | None:
        """Return a resource that was not restored and one that was, if a look found both after one restore.

        :param found: The mark of each resource.
        """
        if not self._undecided:
            return None
        before, after = self._undecided
        old = [resource for resource, states in after.items() if found.get(resource) not in states]
        new = [resource for resource, states in before.items() if found.get(resource) not in states]
        return (min(old), min(new)) if old and new else None

    def follow(self, operation: Operation) -> None:
        """Take account of an operation that has ended."""
        # The service refused it, so it changed nothing.
        if operation.outcome is Outcome.THROTTLED:
            return
        is_done = operation.outcome is Outcome.DONE
        if operation.action in {Action.WRITE, Action.DELETE}:
            others: States = set() if is_done else self.of(operation.resource)
            self._states[operation.resource] = others | {operation.value}
            self._undecided = None
        elif operation.action is Action.READ and is_done:
            self._states[operation.resource] = {operation.value}
        elif operation.action is Action.LOOK and is_done:
            found = dict(operation.found)
            self._states = {resource: {found.get(resource)} for resource in {*self._states, *found}}
            self._undecided = None
        elif operation.action is Action.START and operation.brings:
            self._begin_restore(operation, operation.brings)
        elif operation.action is Action.FOLLOW and is_done and operation.resource in self._restores:
            self._end_restore(*self._restores.pop(operation.resource), succeeded=operation.value == SUCCEEDED)

    def _begin_restore(self, start: Operation, contents: Contents) -> None:
        extent = {*self._states, *contents.marks} if contents.only is None else {contents.only}
        before = {resource: self.of(resource) for resource in extent}
        after = {resource: _brought_back(contents, resource, states) for resource, states in before.items()}
        for resource, states in before.items():
            self._states[resource] = states | after[resource]
        # A second restore of unknown outcome leaves more than two possibilities.
        self._undecided = (before, after) if contents.only is None and not self._undecided else None
        if start.outcome is Outcome.DONE and start.value:
            self._restores[start.value] = contents, before

    def _end_restore(self, contents: Contents, before: dict[str, States], *, succeeded: bool) -> None:
        self._undecided = None
        for resource, states in before.items():
            self._states[resource] = _brought_back(contents, resource, states) if succeeded else states


def _brought_back(contents: Contents, resource: str, before: States) -> States:
    mark = contents.marks.get(resource)
    if contents.only is None:
        return {mark}
    # The restore of one key never overwrites an existing key.
    return {mark if state is None else state for state in before}
