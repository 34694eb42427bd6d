"""Policies that are run as a group see and do what they would see and do alone."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from azure.core.pipeline import AsyncPipeline
from azure.core.pipeline.policies import AsyncHTTPPolicy, SansIOHTTPPolicy
from azure.core.rest import HttpRequest

from azure.keyvault.administration._runtime.grouping import grouped
from fakes import VAULT, Answer, ScriptedTransport, yield_to_loop


class _Hooks(SansIOHTTPPolicy[Any, Any]):
    """Writes down its hooks, and fails in one of them."""

    def __init__(self, name: str, log: list[str], fails_on: str = "") -> None:
        self._name = name
        self._log = log
        self._fails_on = fails_on

    def _note(self, hook: str) -> None:
        self._log.append(f"{self._name} {hook}")
        if hook == self._fails_on:
            raise RuntimeError(f"{self._name} failed")

    def on_request(self, *_: Any) -> None:
        self._note("request")

    def on_response(self, *_: Any) -> None:
        self._note("response")

    def on_exception(self, *_: Any) -> None:
        self._note("exception")


class _AsyncHooks(_Hooks):
    """The same with hooks that are coroutines, which azure-core allows although its types do not."""

    async def on_request(self, *_: Any) -> None:  # type: ignore[override]
        await yield_to_loop()
        self._note("request")

    async def on_response(self, *_: Any) -> None:  # type: ignore[override]
        await yield_to_loop()
        self._note("response")

    async def on_exception(self, *_: Any) -> None:  # type: ignore[override]
        await yield_to_loop()
        self._note("exception")


class _Around(AsyncHTTPPolicy[Any, Any]):
    """A policy that does I/O, or could."""

    def __init__(self, log: list[str]) -> None:
        super().__init__()
        self._log = log

    async def send(self, request: Any) -> Any:
        self._log.append("around request")
        response = await self.next.send(request)
        self._log.append("around response")
        return response


def _policies(log: list[str], *, fails: str = "", fails_on: str = "") -> Iterable[Any]:
    for name, kind in (("a", _Hooks), ("b", _AsyncHooks), ("c", _Hooks)):
        yield kind(name, log, fails_on if name == fails else "")
    yield _Around(log)
    for name, kind in (("d", _AsyncHooks), ("e", _Hooks)):
        yield kind(name, log, fails_on if name == fails else "")


async def _run(policies: Iterable[Any], answer: Answer | Exception) -> str | None:
    """Send a request through policies, and return what went wrong."""
    try:
        await AsyncPipeline(ScriptedTransport(answer), list(policies)).run(HttpRequest("GET", VAULT))
    except RuntimeError as error:
        return str(error)
    return None


@pytest.mark.parametrize("fails_on", ["", "request", "response", "exception"])
@pytest.mark.parametrize("fails", list("abce"))
@pytest.mark.parametrize("answer", [Answer(), RuntimeError("The transport failed")], ids=["answer", "error"])
async def test_a_group_behaves_like_its_policies_alone(answer: Answer | Exception, fails: str, fails_on: str) -> None:
    alone: list[str] = []
    together: list[str] = []

    expected = await _run(_policies(alone, fails=fails, fails_on=fails_on), answer)

    assert await _run(grouped(_policies(together, fails=fails, fails_on=fails_on)), answer) == expected
    assert together == alone


async def test_hook_that_is_replaced_later_runs() -> None:
    log: list[str] = []
    policy = _Hooks("a", log)
    steps = grouped([policy])

    policy.on_request = lambda *_: log.append("replaced")  # type: ignore[method-assign]
    await _run(steps, Answer())

    assert log == ["replaced", "a response"]


def test_only_neighbours_are_grouped() -> None:
    log: list[str] = []
    around = _Around(log)

    first, second, third = grouped([_Hooks("a", log), _Hooks("b", log), around, _Hooks("c", log)])

    assert second is around
    assert first is not third
