"""Any sequence of changes to roles and assignments leaves the emulator where a few lines of Python say it should be."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import Any

import pytest

from emulator.raw import ACTION, CRYPTO_AUDITOR, RESTORE_USER, ROLE_ASSIGNMENTS, ROLE_DEFINITIONS, RawClient

PRINCIPALS = [f"a11ce000-0000-4000-8000-00000000000{number}" for number in range(2)]
CUSTOM_ROLES = [f"2f5b1a7e-6c1d-4f7a-9b35-7f0c5c9d7f1{number}" for number in range(2)]
NAMES = [f"ff388517-2e5c-4d0f-8a0b-0d6f5c3b7a0{number}" for number in range(4)]
SCOPES = ["/", "/keys", "/keys/a", "/keys/ab"]
READ_ROLES, READ_ASSIGNMENTS, READ_KEYS = (
    "/roleDefinitions/read/action",
    "/roleAssignments/read/action",
    "/keys/read/action",
)
ACTIONS = [READ_ROLES, READ_ASSIGNMENTS, READ_KEYS]
BUILT_IN_ROLES: dict[str, set[str]] = {CRYPTO_AUDITOR: set(ACTIONS), RESTORE_USER: set()}
# What a principal tries, the action that it takes, and where.
ATTEMPTS = [
    (ROLE_DEFINITIONS, READ_ROLES, "/"),
    (f"/keys/a{ROLE_DEFINITIONS}", READ_ROLES, "/"),
    *((f"{scope.rstrip('/')}{ROLE_ASSIGNMENTS}", READ_ASSIGNMENTS, scope) for scope in SCOPES),
    *((path, READ_KEYS, path) for path in SCOPES[1:]),
]


@dataclass
class Model:
    """What should be true."""

    roles: dict[str, set[str]] = field(default_factory=lambda: dict(BUILT_IN_ROLES))
    assignments: dict[str, tuple[str, str, str]] = field(default_factory=dict[str, tuple[str, str, str]])

    def set_role(self, name: str, actions: set[str], not_actions: set[str]) -> int:
        self.roles[name] = actions - not_actions
        return 201

    def delete_role(self, name: str) -> int:
        return 404 if self.roles.pop(name, None) is None else 200

    def assign(self, name: str, principal: str, role: str, scope: str) -> int:
        if role not in self.roles or name in self.assignments or (principal, role, scope) in self.assignments.values():
            return 400
        self.assignments[name] = (principal, role, scope)
        return 201

    def unassign(self, name: str, scope: str) -> int:
        if name not in self.assignments or self.assignments[name][2] != scope:
            return 404
        del self.assignments[name]
        return 200

    def allows(self, principal: str, action: str, scope: str) -> bool:
        return any(
            holder == principal
            and action in self.roles.get(role, set())
            and (where in {"/", scope} or scope.startswith(f"{where}/"))
            for holder, role, where in self.assignments.values()
        )


@dataclass
class Hsm:
    """The same, by way of HTTP."""

    raw: RawClient

    async def set_role(self, name: str, actions: set[str], not_actions: set[str]) -> int:
        permission = {"dataActions": written(actions), "notDataActions": written(not_actions)}
        body = {"properties": {"permissions": [permission]}}
        return (await self.raw.send("PUT", f"{ROLE_DEFINITIONS}/{name}", body)).status

    async def delete_role(self, name: str) -> int:
        return (await self.raw.send("DELETE", f"{ROLE_DEFINITIONS}/{name}")).status

    async def assign(self, name: str, principal: str, role: str, scope: str) -> int:
        return (await self.raw.assign(principal, role, scope.rstrip("/"), name)).status

    async def unassign(self, name: str, scope: str) -> int:
        return (await self.raw.send("DELETE", f"{scope.rstrip('/')}{ROLE_ASSIGNMENTS}/{name}")).status


def written(actions: set[str]) -> list[str]:
    return [ACTION + action for action in sorted(actions)]


def some_step(random: Random) -> tuple[str, tuple[Any, ...]]:
    """Return the name of a method of both sides, and what it is given."""
    choose = random.choice
    some_actions = {action for action in ACTIONS if choose((True, False))}
    other_actions = {action for action in ACTIONS if choose((True, False, False))}
    return choose(
        (
            ("set_role", (choose(CUSTOM_ROLES), some_actions, other_actions)),
            ("delete_role", (choose(CUSTOM_ROLES),)),
            ("assign", (choose(NAMES), choose(PRINCIPALS), choose([*CUSTOM_ROLES, *BUILT_IN_ROLES]), choose(SCOPES))),
            ("assign", (choose(NAMES), choose(PRINCIPALS), choose(CUSTOM_ROLES), choose(SCOPES))),
            ("unassign", (choose(NAMES), choose(SCOPES))),
        )
    )


@pytest.mark.parametrize("seed", range(2))
async def test_any_sequence_of_changes_ends_where_the_model_does(raw: RawClient, seed: int) -> None:
    random, model, hsm = Random(seed), Model(), Hsm(raw)
    (administrator,) = await raw.role_assignments()
    for _ in range(6):
        for step, arguments in [some_step(random) for _ in range(10)]:
            expected = getattr(model, step)(*arguments)
            assert await getattr(hsm, step)(*arguments) == expected, (step, arguments)

        for scope in SCOPES:
            listed = [each["name"] for each in await raw.role_assignments(scope.rstrip("/")) if each != administrator]
            # Newest first.
            assert listed[::-1] == [name for name, (*_, where) in model.assignments.items() if where == scope]
        for principal in PRINCIPALS:
            caller = raw.as_(principal)
            for path, action, scope in ATTEMPTS:
                allowed = (await caller.send("GET", path)).status != 403
                assert allowed == model.allows(principal, action, scope), (principal, path)
