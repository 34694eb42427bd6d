"""What may go wrong with a request, and with which requests.

A fault says what happens; a rule says to which requests and how often. Both are plain values: the server delivers them.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, fields
from http import HTTPStatus
from threading import Lock
from typing import Any, ClassVar, TypeAlias, TypeVar

from . import patterns
from .records import FailedJobForm

_FaultT = TypeVar("_FaultT", bound="Fault")

_STATUSES = range(200, 600)
_FRAMING = frozenset({"content-length", "transfer-encoding", "connection"})
# Some thirty years: more would lead the clock beyond the years that dates know.
MAX_SECONDS = 1e9
_HEADER_NAME = re.compile("[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_METHODS = ("GET", "PUT", "POST", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE")
# A path as it is sent, or a pattern of one: no blank, no query, single slashes.
_PATH = re.compile('(?!.*//)[/*][!"$->@-~]*')

# Patterns of methods and paths.
Requests: TypeAlias = tuple[tuple[str, str], ...]
_LISTS: Requests = (
    ("GET", "*/providers/Microsoft.Authorization/roleDefinitions"),
    ("GET", "*/providers/Microsoft.Authorization/roleAssignments"),
    ("GET", "/keys"),
    ("GET", "/keys/*/versions"),
    ("GET", "/deletedkeys"),
)
_STARTS: Requests = (
    ("POST", "/backup"),
    ("POST", "/prebackup"),
    ("PUT", "/restore"),
    ("PUT", "/prerestore"),
    ("PUT", "/keys/*/restore"),
)


class Fault:
    """The base class of all faults. One whose parameters make no sense raises :class:`ValueError` when it is made."""

    kind: ClassVar[str]
    """How the journal and the control path call it."""
    requests: ClassVar[Requests] = (("*", "*"),)
    """The requests that it can happen to at all: patterns of their methods and paths."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Status(Fault):
    """The request is answered with a status, and not done.

    :param status: The HTTP status, from 200 to 599.
    :param body: The body: text as it is, or what is sent as JSON. Defaults to the service's error shape.
    :param headers: Headers beyond the usual ones.
    :param after_work: Whether the request is done anyway, so that only its response is lost.
    """

    kind: ClassVar[str] = "status"

    status: int
    body: str | Mapping[str, Any] | None = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    after_work: bool = False

    def __post_init__(self) -> None:
        _require(_is_integer(self.status) and self.status in _STATUSES, "status", self.status, "from 200 to 599")
        _require(self.body is None or isinstance(self.body, (str, Mapping)), "body", self.body, "text or an object")
        _require(
            isinstance(self.headers, Mapping) and all(map(_is_header, self.headers.items())),
            "headers",
            self.headers,
            "names and values of one line",
        )
        _require(_FRAMING.isdisjoint(map(str.lower, self.headers)), "headers", self.headers, "none of HTTP's framing")
        _require_flag("after_work", self.after_work)
        try:
            self.content  # noqa: B018 - what cannot be sent is refused now
        except (ValueError, TypeError, RecursionError) as error:
            raise ValueError(f"body must be what can be sent as UTF-8 or JSON; {error}") from error

    @property
    def content(self) -> bytes:
        """The body as it is sent."""
        if isinstance(self.body, str):
            return self.body.encode()
        name = _phrase(self.status)
        body = {"error": {"code": name.replace(" ", ""), "message": name}} if self.body is None else self.body
        return json.dumps(body, separators=(",", ":")).encode()


@dataclass(frozen=True, slots=True)
class Throttle(Fault):
    """The request is answered 429, and not done.

    :param retry_after: How many seconds the client is told to wait.
    """

    kind: ClassVar[str] = "throttle"

    retry_after: int = 1

    def __post_init__(self) -> None:
        _require_number("retry_after", self.retry_after)


@dataclass(frozen=True, slots=True)
class Delay(Fault):
    """The request waits before anything is done with it, or its answer does before it is sent.

    :param seconds: How long, by the emulator's clock.
    :param after_work: Whether it is the answer that waits.
    """

    kind: ClassVar[str] = "delay"

    seconds: float
    after_work: bool = False

    def __post_init__(self) -> None:
        _require_number("seconds", self.seconds)
        _require_flag("after_work", self.after_work)


@dataclass(frozen=True, slots=True)
class Drop(Fault):
    """The connection is closed instead of an answer.

    :param after_work: Whether the request is done anyway.
    """

    kind: ClassVar[str] = "drop"

    after_work: bool = False

    def __post_init__(self) -> None:
        _require_flag("after_work", self.after_work)


@dataclass(frozen=True, slots=True)
class Reset(Fault):
    """The connection is reset instead of an answer.

    :param after_work: Whether the request is done anyway.
    """

    kind: ClassVar[str] = "reset"

    after_work: bool = False

    def __post_init__(self) -> None:
        _require_flag("after_work", self.after_work)


@dataclass(frozen=True, slots=True)
class TruncatedBody(Fault):
    """The request is done, and the connection is closed in the middle of the body of its answer."""

    kind: ClassVar[str] = "truncated body"


@dataclass(frozen=True, slots=True)
class MalformedBody(Fault):
    """The request is done, and the body of its response is not valid JSON, though it is valid HTTP."""

    kind: ClassVar[str] = "malformed body"


@dataclass(frozen=True, slots=True)
class Challenge(Fault):
    """The request is answered with the challenge of one that bears no token, and not done."""

    kind: ClassVar[str] = "challenge"


@dataclass(frozen=True, slots=True)
class ClaimsChallenge(Fault):
    """The request is answered with a claims challenge, as if its token had been revoked, and not done."""

    kind: ClassVar[str] = "claims challenge"


@dataclass(frozen=True, slots=True)
class PageSize(Fault):
    """A list comes in pages; it happens to the request for a list, and to nothing else.

    The links to the next pages keep the size.

    :param items: How many items a page has.
    """

    kind: ClassVar[str] = "page size"
    requests: ClassVar[Requests] = _LISTS

    items: int

    def __post_init__(self) -> None:
        _require(_is_integer(self.items) and self.items > 0, "items", self.items, "a whole number from 1")


class JobFault(Fault):
    """The base class of what happens to the start of a job, and to nothing else."""

    requests: ClassVar[Requests] = _STARTS

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class FailedJob(JobFault):
    """A job fails, and changes nothing.

    :param form: How the client learns of it.
    :param code: The code of the failure.
    :param message: The reason, for people.
    """

    kind: ClassVar[str] = "failed job"

    form: FailedJobForm = FailedJobForm.ERROR
    code: str = "ResourceNotFound"
    message: str = "ResourceNotFound"

    def __post_init__(self) -> None:
        forms = [each.value for each in FailedJobForm]
        _require(self.form in forms, "form", self.form, f"one of {', '.join(forms)}")
        # The control path names the form in text.
        object.__setattr__(self, "form", FailedJobForm(self.form))
        _require(isinstance(self.code, str), "code", self.code, "text")
        _require(isinstance(self.message, str), "message", self.message, "text")


@dataclass(frozen=True, slots=True)
class SlowJob(JobFault):
    """A job takes its time.

    :param seconds: How long it is in progress, by the emulator's clock.
    """

    kind: ClassVar[str] = "slow job"

    seconds: float

    def __post_init__(self) -> None:
        _require_number("seconds", self.seconds)


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

    :raises ValueError: if it describes none.
    """
    parameters = dict(document)
    kind = parameters.pop("kind", None)
    cls = _KINDS.get(kind) if isinstance(kind, str) else None
    if cls is None:
        raise ValueError(f"kind must be one of {', '.join(_KINDS)}; got {kind!r}")
    try:
        return cls(**parameters)
    except TypeError as error:
        known = ", ".join(parameter_names(cls)) or "none"
        raise ValueError(f"The parameters of {kind!r} are: {known}; got {', '.join(parameters) or 'none'}") from error


def describe(fault: Fault) -> dict[str, Any]:
    """Return the JSON object that describes a fault."""
    return {"kind": fault.kind, **{name: getattr(fault, name) for name in parameter_names(type(fault))}}


def parameter_names(kind: type[Fault]) -> tuple[str, ...]:
    return tuple(each.name for each in fields(kind))  # type: ignore[arg-type] # every kind is a dataclass


@dataclass(slots=True, eq=False)
class FaultRule:
    """A fault, the requests to which it happens, and how often it has.

    Made by ``add`` of the emulator's ``faults``.
    """

    id: int
    """A number that no other rule has."""
    fault: Fault
    """What happens."""
    method: str
    """The method of the requests, as a pattern."""
    path: str
    """The path of the requests, as a pattern."""
    times: int | None
    """How often it happens; None if it has no end."""
    skip: int
    """How many more requests it lets pass first."""
    anonymous: bool
    """Whether it happens to requests without a token, too."""
    delivered: int = 0
    """How often it has happened."""


@dataclass(slots=True)
class FaultMatch:
    """The fault that happens to a request. One that only a list or a job can show waits here until it is taken."""

    rule: FaultRule | None = None
    """The rule that fits the request, if any."""
    is_taken: bool = False
    """Whether the fault has been shown."""

    @property
    def shown(self) -> str | None:
        """The kind of the fault that has been shown."""
        return self.rule.fault.kind if self.rule and self.is_taken else None

    def take(self, kind: type[_FaultT]) -> _FaultT | None:
        """Return the fault if it is of a kind; the caller shows it.

        :param kind: The class of the fault.
        :returns: The fault, or None.
        """
        if self.rule is None or not isinstance(self.rule.fault, kind):
            return None
        self.is_taken = True
        return self.rule.fault


class Faults(Collection[FaultRule]):
    """The faults that an emulator is going to show, in the order in which they were added.

    A request meets the first that fits it, and only that one. Any thread may add and remove.
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
        """Let a fault happen.

        :param fault: What happens.
        :keyword method: The method of the requests to which it happens, in whatever case: a pattern, in which ``*``
         stands for any text and every other character for itself.
        :keyword path: The path of the requests to which it happens, without the query and with single slashes: a
         pattern as well. No slash is special, and it begins with ``/`` or ``*``.
        :keyword times: How often it happens, or None for until it is removed. Defaults to 1.
        :keyword skip: How many matching requests pass first. Defaults to 0.
        :keyword anonymous: Whether it happens to requests without a token, too. Unless told so, the round in which a
         client asks for the challenge is left alone.
        :returns: The rule, which knows how often the fault has happened.
        :raises ValueError: if a value is invalid, or if the fault could never happen to any request.
        """
        _require(isinstance(fault, Fault), "fault", fault, "a fault")
        _require(isinstance(method, str), "method", method, "text")
        method = method.upper()
        is_method = any(patterns.matches(method, each) for each in _METHODS)
        _require(is_method, "method", method, f"a pattern of one of {', '.join(_METHODS)}")
        _require(isinstance(path, str) and path[:1] in {"/", "*"}, "path", path, "a pattern that begins with / or *")
        _require(_PATH.fullmatch(path) is not None, "path", path, "as it is sent: no blanks, single slashes, no query")
        _require(times is None or (_is_integer(times) and times > 0), "times", times, "a whole number from 1, or None")
        _require(_is_integer(skip) and skip >= 0, "skip", skip, "a whole number from 0")
        _require_flag("anonymous", anonymous)
        if not any(patterns.overlap(method, each) and patterns.overlap(path, where) for each, where in fault.requests):
            possible = ", ".join(f"{each} {where}" for each, where in fault.requests)
            raise ValueError(f"The fault {fault.kind!r} can only happen to {possible}; got {method} {path}")
        with self._lock:
            self._added += 1
            rule = FaultRule(self._added, fault, method, path, times, skip, anonymous)
            self._rules[rule.id] = rule
        return rule

    def remove(self, rule: FaultRule) -> None:
        """Take a fault back; one that is gone may be removed again.

        :param rule: What ``add`` returned.
        """
        with self._lock:
            self._rules.pop(rule.id, None)

    def clear(self) -> None:
        """Take all faults back."""
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

    def __init__(self) -> None:
        super().__init__()
        # By rule: how many requests match it that have not shown the fault yet, and may turn out not to.
        self._undecided = Counter[int]()

    def match(self, method: str, path: str, *, has_token: bool) -> FaultMatch:
        """Return the fault that happens to a request; the caller has to :meth:`release` it.

        :param method: Its method.
        :param path: Its path, without the query and with single slashes.
        :keyword has_token: Whether it bears a token.
        :returns: The match; without a rule if nothing happens.
        """
        with self._lock:
            for rule in self._rules.values():
                is_spent = rule.times is not None and rule.delivered + self._undecided[rule.id] >= rule.times
                if is_spent or not _fits(rule, method, path, has_token=has_token):
                    continue
                if rule.skip:
                    rule.skip -= 1
                    continue
                self._undecided[rule.id] += 1
                return FaultMatch(rule)
        return FaultMatch()

    def release(self, match: FaultMatch) -> None:
        """Count the fault as delivered if it has been shown; otherwise it waits for another request.

        :param match: What :meth:`match` returned.
        """
        if not (rule := match.rule):
            return
        with self._lock:
            self._undecided[rule.id] -= 1
            rule.delivered += match.is_taken
            if rule.delivered == rule.times:
                self._rules.pop(rule.id, None)


def _fits(rule: FaultRule, method: str, path: str, *, has_token: bool) -> bool:
    wanted = [(rule.method, rule.path)]
    return (has_token or rule.anonymous) and all(
        any(patterns.matches(each, method) and patterns.matches(where, path) for each, where in requests)
        for requests in (wanted, rule.fault.requests)
    )


def _require(condition: bool, name: str, value: object, wanted: str) -> None:
    if not condition:
        raise ValueError(f"{name} must be {wanted}; got {value!r}")


def _require_flag(name: str, value: object) -> None:
    _require(isinstance(value, bool), name, value, "true or false")


def _require_number(name: str, value: float) -> None:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    _require(is_number and 0 <= value <= MAX_SECONDS, name, value, f"a number from 0 to {MAX_SECONDS:.0f}")


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_header(item: tuple[object, object]) -> bool:
    name, value = item
    is_name = isinstance(name, str) and _HEADER_NAME.fullmatch(name) is not None
    return is_name and isinstance(value, str) and value.isprintable()


def _phrase(status: int) -> str:
    return HTTPStatus(status).phrase if status in set(HTTPStatus) else "Fault"
