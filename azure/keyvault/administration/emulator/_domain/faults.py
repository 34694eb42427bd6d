"""What can go wrong with a request, and with which requests.

A fault says what happens; a rule says to which requests and how often.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, fields
from fnmatch import fnmatchcase
from http import HTTPStatus
from threading import Lock
from typing import Any, ClassVar, TypeAlias, TypeVar, cast

from .arguments import SECONDS, is_integer, is_seconds, require
from .records import FailedJobForm

_FaultT = TypeVar("_FaultT", bound="Fault")

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
# The server itself sets them.
_FRAMING = frozenset({"content-length", "transfer-encoding"})

# Patterns of methods and paths.
_Requests: TypeAlias = tuple[tuple[str, str], ...]
_LISTS: _Requests = (
    ("GET", "*/providers/Microsoft.Authorization/roleDefinitions"),
    ("GET", "*/providers/Microsoft.Authorization/roleAssignments"),
    ("GET", "/keys"),
    ("GET", "/keys/*/versions"),
    ("GET", "/deletedkeys"),
)
_JOB_STARTS: _Requests = (
    ("POST", "/backup"),
    ("POST", "/prebackup"),
    ("PUT", "/restore"),
    ("PUT", "/prerestore"),
    ("PUT", "/keys/*/restore"),
)


class Fault:
    """The base class of all faults. A fault with an invalid parameter raises :class:`ValueError` when it is created."""

    kind: ClassVar[str]
    """Its name in the journal and on the control path."""

    __slots__ = ()

    def __post_init__(self) -> None:
        _check(**_parameters(self))


@dataclass(frozen=True, slots=True)
class Status(Fault):
    """The request gets this response, and is not processed.

    :param status: The HTTP status, from 200 to 599.
    :param body: The body: text as it is, or an object to send as JSON. Defaults to the service's error shape.
    :param headers: Headers in addition to the usual ones.
    :param after_work: Whether the request is processed anyway, so that only its response is lost.
    """

    kind: ClassVar[str] = "status"

    status: int
    body: str | Mapping[str, Any] | None = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    after_work: bool = False

    def __post_init__(self) -> None:
        Fault.__post_init__(self)
        try:
            _ = self.content
        except (TypeError, ValueError, RecursionError) as error:
            raise ValueError(f"body cannot be sent: {error}") from error

    @property
    def content(self) -> bytes:
        """The body as it is sent."""
        if isinstance(self.body, str):
            return self.body.encode()
        name = HTTPStatus(self.status).phrase if self.status in set(HTTPStatus) else "Fault"
        body = {"error": {"code": name.replace(" ", ""), "message": name}} if self.body is None else self.body
        return json.dumps(body, separators=(",", ":")).encode()


@dataclass(frozen=True, slots=True)
class Throttle(Fault):
    """The response is 429, and the request is not processed.

    :param retry_after: Seconds that the client is told to wait.
    """

    kind: ClassVar[str] = "throttle"

    retry_after: int = 1


@dataclass(frozen=True, slots=True)
class Delay(Fault):
    """The request waits before it is processed, or its response before it is sent.

    :param seconds: How long, by the emulator's clock.
    :param after_work: Whether the response waits.
    """

    kind: ClassVar[str] = "delay"

    seconds: float
    after_work: bool = False


@dataclass(frozen=True, slots=True)
class Drop(Fault):
    """The connection is closed without a response.

    :param after_work: Whether the request is processed anyway.
    """

    kind: ClassVar[str] = "drop"

    after_work: bool = False


@dataclass(frozen=True, slots=True)
class Reset(Fault):
    """The connection is reset without a response.

    :param after_work: Whether the request is processed anyway.
    """

    kind: ClassVar[str] = "reset"

    after_work: bool = False


@dataclass(frozen=True, slots=True)
class TruncatedBody(Fault):
    """The request is processed, and the connection is closed in the middle of the response body."""

    kind: ClassVar[str] = "truncated body"


@dataclass(frozen=True, slots=True)
class MalformedBody(Fault):
    """The request is processed, and the response is valid HTTP with a body that is not valid JSON."""

    kind: ClassVar[str] = "malformed body"


@dataclass(frozen=True, slots=True)
class Challenge(Fault):
    """The response is the challenge to a request without a token, and the request is not processed."""

    kind: ClassVar[str] = "challenge"


@dataclass(frozen=True, slots=True)
class ClaimsChallenge(Fault):
    """The response is a claims challenge, as if the token had been revoked, and the request is not processed."""

    kind: ClassVar[str] = "claims challenge"


class OperationFault(Fault):
    """The base class of faults that only some operations can show; the fault waits for a request of that kind."""

    requests: ClassVar[_Requests]
    """The requests that can show it: patterns of their methods and paths."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class PageSize(OperationFault):
    """A list comes in pages, and the links to the next ones keep the size. Only the request for a list shows it.

    :param items: The number of items on a page.
    """

    kind: ClassVar[str] = "page size"
    requests: ClassVar[_Requests] = _LISTS

    items: int


class JobFault(OperationFault):
    """The base class of faults that only the start of a job can show."""

    requests: ClassVar[_Requests] = _JOB_STARTS

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class FailedJob(JobFault):
    """A job fails, and changes nothing.

    :param form: How the client learns of the failure.
    :param code: The error code.
    :param message: The reason, for people.
    """

    kind: ClassVar[str] = "failed job"

    form: FailedJobForm = FailedJobForm.ERROR
    code: str = "ResourceNotFound"
    message: str = "ResourceNotFound"

    def __post_init__(self) -> None:
        Fault.__post_init__(self)
        # The control path names the form in text.
        object.__setattr__(self, "form", FailedJobForm(self.form))


@dataclass(frozen=True, slots=True)
class SlowJob(JobFault):
    """A job takes its time.

    :param seconds: How long it is in progress, by the emulator's clock.
    """

    kind: ClassVar[str] = "slow job"

    seconds: float


_KINDS: Mapping[str, type[Fault]] = {
    each.kind: each
    for each in (
        Status,
        Throttle,
        Delay,
        Drop,
        Reset,
        TruncatedBody,
        MalformedBody,
        Challenge,
        ClaimsChallenge,
        PageSize,
        FailedJob,
        SlowJob,
    )
}


def parse(document: Mapping[str, Any]) -> Fault:
    """Return the fault that a JSON object describes: its kind, and its parameters by name.

    :raises ValueError: if the kind or a parameter is invalid.
    """
    parameters = dict(document)
    kind = parameters.pop("kind", None)
    cls = _KINDS.get(kind) if isinstance(kind, str) else None
    if cls is None:
        raise ValueError(f"kind must be one of {', '.join(_KINDS)}, got {kind!r}")
    try:
        return cls(**parameters)
    except TypeError as error:
        known = ", ".join(each.name for each in fields(cls)) or "none"  # type: ignore[arg-type] # a dataclass
        raise ValueError(f"The parameters of {kind!r} are: {known}; got {', '.join(parameters) or 'none'}") from error


def describe(fault: Fault) -> dict[str, Any]:
    """Return the JSON object that describes a fault."""
    return {"kind": fault.kind, **_parameters(fault)}


def _parameters(fault: Fault) -> dict[str, Any]:
    return {each.name: getattr(fault, each.name) for each in fields(fault)}  # type: ignore[arg-type] # a dataclass


@dataclass(slots=True, eq=False)
class FaultRule:
    """A fault, the requests to which it happens, and how often it has.

    Created by ``add`` of the emulator's ``faults``.
    """

    id: int
    """The unique number of the rule."""
    fault: Fault
    """What happens."""
    method: str
    """The method of the requests, as a pattern."""
    path: str
    """The path of the requests, as a pattern."""
    times: int | None
    """How often it happens; None means without end."""
    skip: int
    """How many more matching requests pass first."""
    anonymous: bool
    """Whether it happens to requests without a token, too."""
    delivered: int = 0
    """How often it has happened."""


class Faults(Collection[FaultRule]):
    """The faults that an emulator is going to show, in the order in which they were added.

    A request meets the first that fits it, and no other. Faults can be added and removed from any thread.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._rules: dict[int, FaultRule] = {}
        self._added = 0

    def add(
        self,
        fault: Fault,
        *,
        method: str = "*",
        path: str = "*",
        times: int | None = 1,
        skip: int = 0,
        anonymous: bool = False,
    ) -> FaultRule:
        """Add a fault.

        A rule that fits no request is never delivered: a test can tell by ``delivered`` of the result.

        :param fault: What happens.
        :keyword method: The method of the requests to which it happens, in upper or lower case: a pattern, in which
         ``*`` stands for any text and every other character for itself.
        :keyword path: The path of the requests to which it happens, without the query and with single slashes: a
         pattern as well. No slash is special.
        :keyword times: How often it happens, or None for until it is removed. Defaults to 1.
        :keyword skip: How many matching requests pass first. Defaults to 0.
        :keyword anonymous: Whether it happens to requests without a token, too. By default, a client's request for the
         challenge is left alone.
        :returns: The rule, which counts how often the fault has happened.
        :raises ValueError: if an argument is invalid.
        """
        _check(fault=fault, method=method, path=path, times=times, skip=skip, anonymous=anonymous)
        with self._lock:
            self._added += 1
            rule = FaultRule(self._added, fault, method.upper(), path, times, skip, anonymous)
            self._rules[rule.id] = rule
        return rule

    def remove(self, rule: FaultRule) -> None:
        """Remove a fault; removing one that is gone is allowed.

        :param rule: What ``add`` returned.
        """
        with self._lock:
            self._rules.pop(rule.id, None)

    def clear(self) -> None:
        """Remove all faults."""
        with self._lock:
            self._rules.clear()

    def __iter__(self) -> Iterator[FaultRule]:
        with self._lock:
            return iter(list(self._rules.values()))

    def __len__(self) -> int:
        return len(self._rules)

    def __contains__(self, rule: object) -> bool:
        return isinstance(rule, FaultRule) and self._rules.get(rule.id) is rule

    def __repr__(self) -> str:
        return f"Faults({list(self)!r})"


class FaultMatcher(Faults):
    """The faults as the emulator itself uses them: which one happens to a request, and whether it did."""

    def match(self, method: str, path: str, *, has_token: bool) -> FaultMatch:
        """Return the fault that may happen to a request; a match without a rule if there is none.

        Until a request shows its fault, another one can match the same rule. Whichever is first shows it.

        :param method: Its method.
        :param path: Its path, without the query and with single slashes.
        :keyword has_token: Whether it has a token.
        """
        with self._lock:
            for rule in self._rules.values():
                if not _fits(rule, method, path, has_token=has_token):
                    continue
                if not rule.skip:
                    return FaultMatch(rule, self._deliver)
                rule.skip -= 1
        return FaultMatch()

    def _deliver(self, rule: FaultRule) -> bool:
        """Count a fault as delivered, unless it is gone by now."""
        with self._lock:
            if rule.id not in self._rules:
                return False
            rule.delivered += 1
            if rule.delivered == rule.times:
                del self._rules[rule.id]
            return True


@dataclass(slots=True)
class FaultMatch:
    """The fault that may happen to a request: an operation can still fail before it gets to show its fault."""

    rule: FaultRule | None = None
    deliver: Callable[[FaultRule], bool] | None = None
    """Counts the fault as shown, unless its rule is gone."""
    shown: str | None = None
    """The kind of the fault, once it has been shown."""

    def take(self, kind: type[_FaultT]) -> _FaultT | None:
        """Return the fault if it is of a kind; the caller shows it.

        :param kind: The class of the fault.
        :returns: The fault, or None.
        """
        rule = self.rule
        if rule is None or self.deliver is None or not isinstance(rule.fault, kind) or not self.deliver(rule):
            return None
        self.shown = rule.fault.kind
        return rule.fault


def _fits(rule: FaultRule, method: str, path: str, *, has_token: bool) -> bool:
    if not (has_token or rule.anonymous) or not (_matches(rule.method, method) and _matches(rule.path, path)):
        return False
    fault = rule.fault
    return not isinstance(fault, OperationFault) or any(
        _matches(each, method) and _matches(where, path) for each, where in fault.requests
    )


def _matches(pattern: str, text: str) -> bool:
    return fnmatchcase(text, pattern.replace("[", "[[]").replace("?", "[?]"))


def _is_flag(value: object) -> bool:
    return isinstance(value, bool)


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_headers(value: object) -> bool:
    if not isinstance(value, Mapping):
        return False
    headers = cast("Mapping[object, object]", value)
    return all(
        isinstance(name, str)
        and _HEADER_NAME.fullmatch(name) is not None
        and name.lower() not in _FRAMING
        and isinstance(content, str)
        and (content.isprintable() or not content)
        for name, content in headers.items()
    )


_FORMS = [each.value for each in FailedJobForm]
_FLAG = (_is_flag, "true or false")
_TEXT = (_is_text, "text")
_SECONDS = (is_seconds, SECONDS)
# What each parameter of a fault or of a rule must be. The control path passes on whatever JSON holds.
_WANTED: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "status": (lambda value: is_integer(value) and 200 <= value < 600, "from 200 to 599"),  # noqa: PLR2004
    "body": (lambda value: value is None or isinstance(value, str | Mapping), "text or an object"),
    "headers": (_is_headers, "printable texts by name, without Content-Length and Transfer-Encoding"),
    "after_work": _FLAG,
    "retry_after": _SECONDS,
    "seconds": _SECONDS,
    "items": (lambda value: is_integer(value) and value > 0, "a whole number from 1"),
    "form": (lambda value: value in _FORMS, f"one of {', '.join(_FORMS)}"),
    "code": _TEXT,
    "message": _TEXT,
    "fault": (lambda value: isinstance(value, Fault), "a fault"),
    "method": _TEXT,
    "path": _TEXT,
    "times": (lambda value: value is None or (is_integer(value) and value > 0), "a whole number from 1, or None"),
    "skip": (lambda value: is_integer(value) and value >= 0, "a whole number from 0"),
    "anonymous": _FLAG,
}


def _check(**parameters: object) -> None:
    for name, value in parameters.items():
        is_valid, wanted = _WANTED[name]
        require(is_valid(value), name, value, wanted)
