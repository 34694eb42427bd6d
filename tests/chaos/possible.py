"""In which states each resource may be, as far as those know who made, changed, deleted and restored it. Pure.

A resource is in the state of the last operation that was acknowledged, or in that of any later one without an answer. A
job that restores brings the states of a backup back: it may do so from its start on, and once its end is known, so is
whether it did.
"""

from __future__ import annotations

from typing import TypeAlias

from chaos.history import SUCCEEDED, Action, Contents, Operation, Outcome

States: TypeAlias = "set[str | None]"


class Possible:
    """Follows a run, one operation after the other. None is the state of what is not there."""

    def __init__(self) -> None:
        self._states: dict[str, States] = {}
        # What each restore under way brings back, and how things were before.
        self._restores: dict[str, tuple[Contents, dict[str, States]]] = {}

    @property
    def resources(self) -> set[str]:
        """All that anybody has ever been concerned with."""
        return set(self._states)

    def of(self, resource: str) -> States:
        return self._states.get(resource, {None})

    def follow(self, operation: Operation) -> None:
        """Take note of an operation that has ended."""
        is_done = operation.outcome is Outcome.DONE
        if operation.action in {Action.WRITE, Action.DELETE}:
            others: States = set() if is_done else self.of(operation.resource)
            self._states[operation.resource] = others | {operation.value}
        elif operation.action is Action.READ and is_done:
            self._states[operation.resource] = {operation.value}
        elif operation.action is Action.LOOK and is_done:
            found = dict(operation.found)
            self._states = {resource: {found.get(resource)} for resource in {*self._states, *found}}
        elif operation.action is Action.START and operation.brings:
            self._begin_restore(operation, operation.brings)
        elif operation.action is Action.FOLLOW and is_done and operation.resource in self._restores:
            self._end_restore(*self._restores.pop(operation.resource), succeeded=operation.value == SUCCEEDED)

    def _begin_restore(self, start: Operation, contents: Contents) -> None:
        extent = {*self._states, *contents.marks} if contents.only is None else {contents.only}
        before = {resource: self.of(resource) for resource in extent}
        for resource, states in before.items():
            self._states[resource] = states | _brought_back(contents, resource, states)
        if start.outcome is Outcome.DONE and start.value:
            self._restores[start.value] = contents, before

    def _end_restore(self, contents: Contents, before: dict[str, States], *, succeeded: bool) -> None:
        for resource, states in before.items():
            self._states[resource] = _brought_back(contents, resource, states) if succeeded else states


def _brought_back(contents: Contents, resource: str, before: States) -> States:
    mark = contents.marks.get(resource)
    if contents.only is None:
        return {mark}
    # What exists is never overwritten by the restore of one key.
    return {mark if state is None else state for state in before}
