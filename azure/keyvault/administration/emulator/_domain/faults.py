"""What may go wrong with a request, and whom it happens to.

A fault says what happens; a rule says to which requests and how often. Both are plain values: the server delivers them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, fields
from fnmatch import fnmatchcase
from http import HTTPStatus
from threading import Lock
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from .records import FailedJobForm

if TYPE_CHECKING:
    from collections.abc import Iterator

_FaultT = TypeVar("_FaultT", bound="Fault")

_STATUSES = range(200, 600)
_FRAMING = frozenset({"content-length", "transfer-encoding", "connection"})
# Some thirty years: more would lead the clock beyond the years that dates know.
_LONGEST = 1e9
_HEADER_NAME = re.compile("[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_LISTS = re.compile(
    r"/keys|/deletedkeys|/keys/[^/]+/versions"
    r"|(/.+)?/providers/Microsoft\.Authorization/role(Definition|Assignment)s",
    re.DOTALL,
)
_STARTS = re.compile(r"POST /(pre)?backup|PUT /(pre)?restore|PUT /keys/[^/]+/restore")


class Fault:
    """The base class of all faults. One whose parameters make no sense raises :class:`ValueError` when it is made."""

    kind: ClassVar[str]
    """How the journal and the control path call it."""

    __slots__ = ()

    def can_happen_to(self, method: str, path: str) -> bool:  # noqa: ARG002 - most can happen to any request
        """Return whether the fault can happen to a request at all.

        :param method: Its method.
        :param path: Its path, without the query and with single slashes.
        :returns: Whether it can.
        """
        return True


@dataclass(frozen=True, slots=True)
class Status(Fault):
    """The request is answered with a status, and not done.

    :param status: The HTTP status, from 200 to 599.
    :param body: The body: text as it is, or what is sent as JSON; the service's error shape unless given.
    :param headers: Headers beyond the usual ones.
    :param after_work: Whether the request is done all the same, so that only its answer is lost.
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

    :param after_work: Whether the request is done all the same.
    """

    kind: ClassVar[str] = "drop"

    after_work: bool = False

    def __post_init__(self) -> None:
        _require_flag("after_work", self.after_work)


@dataclass(frozen=True, slots=True)
class Reset(Fault):
    """The connection is reset instead of an answer.

    :param after_work: Whether the request is done all the same.
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
    """The request is done, and the body of its answer is no JSON, though HTTP finds nothing wrong with it."""

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

    items: int

    def __post_init__(self) -> None:
        _require(_is_integer(self.items) and self.items > 0, "items", self.items, "a whole number from 1")

    def can_happen_to(self, method: str, path: str) -> bool:
        return method == "GET" and _LISTS.fullmatch(path) is not None


class JobFault(Fault):
    """The base class of what happens to the start of a job, and to nothing else."""

    __slots__ = ()

    def can_happen_to(self, method: str, path: str) -> bool:
        return _STARTS.fullmatch(f"{method} {path}") is not None


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
    """A number of its own."""
    fault: Fault
    """What happens."""
    method: str
    """The method of the requests, as a pattern."""
    path: str
    """The path of the requests, as a pattern."""
    times: int | None
    """How often it happens; None if there is no end to it."""
    skip: int
    """How many more requests it lets pass first."""
    anonymous: bool
    """Whether it happens to requests without a token, too."""
    delivered: int = 0
    """How often it has happened."""
    is_removed: bool = False
    """Whether it was taken back."""

    def matches(self, method: str, path: str, *, has_token: bool) -> bool:
        """Return whether a request is one to which the fault happens.

        :param method: Its method.
        :param path: Its path, without the query and with single slashes.
        :keyword has_token: Whether it bears a token.
        :returns: Whether it fits.
        """
        is_meant = fnmatchcase(method, self.method) and fnmatchcase(path, self.path)
        return is_meant and (has_token or self.anonymous) and self.fault.can_happen_to(method, path)


@dataclass(slots=True)
class Encounter:
    """A request has met a fault. What only lists or jobs can show waits here until one of them takes it."""

    rule: FaultRule | None = None
    """The rule that fits the request, if any."""
    is_taken: bool = False
    """Whether the fault has been shown."""

    @property
    def shown(self) -> str | None:
        """The kind of the fault that has been shown."""
        return self.rule.fault.kind if self.rule and self.is_taken else None

    def take(self, kind: type[_FaultT]) -> _FaultT | None:
        """Return the fault if it is of a kind; who asks shows it.

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
        self._cleared = 0

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
        :keyword method: The method of the requests to which it happens: a pattern as of ``fnmatch``, in which ``*``
         stands for any text, ``?`` for any character and ``[...]`` for one of those in it.
        :keyword path: The path of the requests to which it happens, without the query and with single slashes: a
         pattern as well. No slash is special, and it begins with ``/`` or ``*``.
        :keyword times: How often it happens, 1 unless given; None if until it is removed.
        :keyword skip: How many requests that fit are let pass first; 0 unless given.
        :keyword anonymous: Whether it happens to requests without a token, too. Unless told so, the round in which a
         client asks for the challenge is left alone.
        :returns: The rule, which knows how often the fault has happened.
        :raises ValueError: if a value is none that is wanted.
        """
        _require(isinstance(fault, Fault), "fault", fault, "a fault")
        _require(isinstance(method, str) and bool(method), "method", method, "the pattern of a method")
        _require(isinstance(path, str) and path[:1] in {"/", "*"}, "path", path, "a pattern that begins with / or *")
        _require(times is None or (_is_integer(times) and times > 0), "times", times, "a whole number from 1, or None")
        _require(_is_integer(skip) and skip >= 0, "skip", skip, "a whole number from 0")
        _require_flag("anonymous", anonymous)
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
            rule.is_removed = True
            self._rules.pop(rule.id, None)

    def clear(self) -> None:
        """Take all faults back."""
        with self._lock:
            self._cleared = self._added
            self._rules.clear()

    def meet(self, method: str, path: str, *, has_token: bool) -> Encounter | None:
        """Return what happens to a request, and count it as delivered.

        :param method: Its method.
        :param path: Its path, without the query and with single slashes.
        :keyword has_token: Whether it bears a token.
        :returns: The encounter; None if nothing happens.
        """
        with self._lock:
            for rule in self._rules.values():
                if not rule.matches(method, path, has_token=has_token):
                    continue
                if rule.skip:
                    rule.skip -= 1
                    continue
                rule.delivered += 1
                if rule.delivered == rule.times:
                    del self._rules[rule.id]
                return Encounter(rule)
        return None

    def give_back(self, rule: FaultRule) -> None:
        """Count a delivery out again, since the request was none that the fault can happen to.

        :param rule: The rule that the request had met.
        """
        with self._lock:
            is_wanted = not rule.is_removed and rule.id > self._cleared
            if rule.delivered == rule.times and is_wanted:
                self._rules = dict(sorted({**self._rules, rule.id: rule}.items()))
            rule.delivered -= 1

    def __iter__(self) -> Iterator[FaultRule]:
        with self._lock:
            return iter(list(self._rules.values()))

    def __len__(self) -> int:
        return len(self._rules)

    def __contains__(self, rule: object) -> bool:
        return isinstance(rule, FaultRule) and self._rules.get(rule.id) is rule

    def __repr__(self) -> str:
        return f"Faults({list(self)!r})"


def _require(condition: bool, name: str, value: object, wanted: str) -> None:
    if not condition:
        raise ValueError(f"{name} must be {wanted}; got {value!r}")


def _require_flag(name: str, value: object) -> None:
    _require(isinstance(value, bool), name, value, "true or false")


def _require_number(name: str, value: float) -> None:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    _require(is_number and 0 <= value <= _LONGEST, name, value, f"a number from 0 to {_LONGEST:.0f}")


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_header(item: tuple[object, object]) -> bool:
    name, value = item
    is_name = isinstance(name, str) and _HEADER_NAME.fullmatch(name) is not None
    return is_name and isinstance(value, str) and value.isprintable()


def _phrase(status: int) -> str:
    return HTTPStatus(status).phrase if status in set(HTTPStatus) else "Fault"
