"""What is raised for which status, and how often a request is sent."""

from azure.core.exceptions import ServiceRequestError, ServiceResponseError

from .bench import DEFINITION_ID, FAILURE, NAME, Hsm, attempt, behaviour, collect, raised
from .operations import OPERATIONS

JSON = {"Content-Type": "application/json"}
BODIES = {
    "json": (FAILURE, {}), "html": ("<html>the service's reason</html>", {"Content-Type": "text/html"}), "empty": ("", {}), "text": ("the service's reason", {"Content-Type": "text/plain"}),
    "half-json": ('{"error": {"code": "x", "message": "the service\'s reason"', JSON), "null": (None, {}), "list": ([], {}), "string": ("\"the service's reason\"", JSON), "null-error": ({"error": None}, {}), "string-error": ({"error": "the service's reason"}, {}),
    "no-code": ({"error": {"message": "the service's reason"}}, {}), "no-message": ({"error": {"code": "C"}}, {}), "other-shape": ({"code": "C", "message": "the service's reason"}, {}), "deep": ({"error": {"code": "C", "message": "the service's reason", "innererror": {"code": "D", "innererror": {"code": "E"}}}}, {}),
    "details": ({"error": {"code": "C", "message": "m", "details": [{"code": "x", "message": "the service's reason"}], "target": "t"}}, {}), "html-type-json": ('{"error": {"code": "C", "message": "the service\'s reason"}}', {"Content-Type": "text/html"}), "empty-object": ({}, {}),
    "number-code": ({"error": {"code": 5, "message": "the service's reason"}}, {}), "bad-utf8": (b'{"error": {"code": "C", "message": "the service\'s reason \xff"}}', JSON), "html-as-json": ("<html>the service's reason", JSON), "upper-error": ({"Error": {"Code": "C", "Message": "the service's reason"}}, {}),
}
STATUSES = (204, 206, 302, 304, 400, 401, 403, 404, 405, 408, 409, 410, 412, 413, 422, 429, 500, 501, 502, 503, 504)


async def refused(operation, status, body="", headers=None, kind="access", **options):
    hsm = Hsm(*[(status, body, headers or {})] * 20)
    error = await attempt(OPERATIONS[operation](getattr(hsm, kind)(**options)))
    return [error, len(hsm.seen)]


behaviour("status", {f"{name}-{status}": (name, status, FAILURE) for name in OPERATIONS for status in STATUSES})(refused)
for status in (400, 403, 404, 500):
    behaviour(f"error-body-{status}", {name: ("get-role", status, *given) for name, given in BODIES.items()})(refused)
behaviour("error-body-401", {name: ("get-role", 401, *BODIES[name]) for name in ("json", "html", "empty", "text")})(refused)
behaviour("error-body-304", {name: ("get-role", 304, *BODIES[name]) for name in ("json", "empty")})(refused)
behaviour("delete-404", {f"{name}-{body}": (name, 404, *BODIES[body]) for name in ("delete-role", "delete-assignment") for body in ("json", "html", "empty", "null", "text")})(refused)
CODES = ("RoleAssignmentNotFound", "RoleDefinitionNotFound", "NotFound", "KeyNotFound")
behaviour("delete-404-code", {f"{name}-{code}": (name, 404, {"error": {"code": code, "message": "m"}}) for name in ("delete-role", "delete-assignment") for code in CODES})(refused)


@behaviour("delete-404-without-token", {name: name for name in ("delete-role", "delete-assignment")})
async def unauthorized_404(name):
    hsm = Hsm(*[(404, "")] * 5, authorized=False)
    return [await attempt(OPERATIONS[name](hsm.access())), hsm.seen]


@behaviour("probe-status", {f"{name}-{status}": (name, status) for name in ("get-role", "set-role", "delete-role") for status in (200, 201, 400, 403, 404, 429, 500, 503)})
async def first_status(name, status):
    hsm = Hsm(*[(status, FAILURE)] * 20, authorized=False)
    return [await attempt(OPERATIONS[name](hsm.access())), hsm.seen, len(hsm.credential.asked)]


def error_attribute(name, read):
    async def act():
        hsm = Hsm((403, FAILURE, {"x-ms-request-id": "r"}))
        return read(await attempt(hsm.access().get_role_definition("/", NAME)))

    behaviour(f"error-attribute/{name}")(act)


for name, read in {
    "message": lambda e: e.message, "str": str, "reason": lambda e: e.reason, "status": lambda e: e.status_code, "code": lambda e: e.error.code, "error-message": lambda e: e.error.message,
    "inner": lambda e: e.error.innererror and plain_inner(e.error.innererror), "details": lambda e: e.error.details, "target": lambda e: e.error.target, "text": lambda e: e.response.text(), "json": lambda e: e.response.json(), "response-status": lambda e: e.response.status_code,
    "header": lambda e: e.response.headers["x-ms-request-id"], "args": lambda e: len(e.args), "token": lambda e: e.continuation_token, "inner-exception": lambda e: e.inner_exception and type(e.inner_exception).__name__, "cause": lambda e: [type(e.__cause__).__name__],
    "request": lambda e: [e.response.request.method, type(e.response.request).__name__], "exc-type": lambda e: e.exc_type and e.exc_type.__name__, "repr": lambda e: repr(e)[:30],
    "model": lambda e: e.model.error.message, "model-code": lambda e: e.model.error.code, "model-inner": lambda e: [e.model.error.inner_error.code, e.model.error.inner_error.message], "model-inner-none": lambda e: e.model.error.inner_error.inner_error,
    "model-type": lambda e: [type(e.model).__name__, type(e.model.error).__name__], "model-item": lambda e: e.model["error"]["code"], "model-dict": lambda e: e.model.as_dict(), "raise-for-status": lambda e: [type(attempt_sync(e.response.raise_for_status)).__name__],
}.items():
    error_attribute(name, read)


def plain_inner(inner):
    return inner if isinstance(inner, dict) else str(inner)


def attempt_sync(act):
    try:
        return act()
    except Exception as error:
        return error


@behaviour("error-model-of", {name: given for name, given in BODIES.items()})
async def model_of(body, headers):
    hsm = Hsm((403, body, headers))
    error = await attempt(hsm.access().get_role_definition("/", NAME))
    model = error.model
    if model is None or model.error is None:
        return [model is None]
    return [model.error.code, model.error.message, model.error.inner_error is None]


behaviour("lost", {f"{name}-{kind.__name__}": (name, kind) for name in OPERATIONS for kind in (ServiceRequestError, ServiceResponseError)})(
    lambda name, kind: lost(name, kind))


async def lost(name, kind, times=20):
    hsm = Hsm(*[kind("lost") for _ in range(times)])
    error = await attempt(OPERATIONS[name](hsm.access()))
    return [error, len(hsm.seen)]


behaviour("lost-once", {name: (name, ServiceResponseError, 1) for name in OPERATIONS})(lost)
behaviour("foreign-error", {name: (name, kind) for name, kind in {"os": OSError, "value": ValueError, "key": KeyError, "timeout": TimeoutError}.items()})(
    lambda _, kind: lost("get-role", kind))


# How long it waits before it sends a request again.
RETRY = {
    "503": (503, {}), "429": (429, {}), "500": (500, {}), "429-after-3": (429, {"Retry-After": "3"}), "503-after-3": (503, {"Retry-After": "3"}), "429-after-ms": (429, {"retry-after-ms": "1500"}), "429-x-ms": (429, {"x-ms-retry-after-ms": "2500"}),
    "429-after-0": (429, {"Retry-After": "0"}), "429-junk": (429, {"Retry-After": "soon"}), "429-negative": (429, {"Retry-After": "-5"}), "400-after-3": (400, {"Retry-After": "3"}), "429-float": (429, {"Retry-After": "0.5"}), "408": (408, {}), "409-after": (409, {"Retry-After": "1"}), "429-past-date": (429, {"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}),
}
RETRY_OPTIONS = {"none": {"retry_total": 0}, "one": {"retry_total": 1}, "status-0": {"retry_status": 0}, "backoff": {"retry_backoff_factor": 2}, "backoff-max": {"retry_backoff_factor": 10, "retry_backoff_max": 15}, "fixed": {"retry_mode": "fixed"}, "connect-0": {"retry_connect": 0}, "codes": {"retry_on_status_codes": [403]}, "timeout": {"timeout": 0.5}}


@behaviour("retry-after", RETRY)
async def retry_after(status, headers):
    hsm = Hsm((status, FAILURE, headers), (status, FAILURE, headers), 200 and (200, {}))
    await attempt(hsm.access().get_role_definition("/", NAME))
    return [len(hsm.seen), hsm.waits]


@behaviour("retry-option", {f"{name}-{where}": (options, where) for name, options in RETRY_OPTIONS.items() for where in ("client", "call")})
async def retry_option(options, where):
    hsm = Hsm(*[(503, FAILURE)] * 20)
    client = hsm.access(**options) if where == "client" else hsm.access()
    error = await attempt(client.get_role_definition("/", NAME, **(options if where == "call" else {})))
    return [error, len(hsm.seen), hsm.waits]


@behaviour("created-after-lost", {f"{lost}-{then}": (lost, then) for lost in ("error", "503") for then in ("MatchingRoleAssignmentExists", "RoleAssignmentExists", "409")})
async def create_lost(first, then):
    again = (409, {"error": {"code": "Conflict", "message": "x"}}) if then == "409" else (400, {"error": {"code": then, "message": "exists"}})
    hsm = Hsm((503, FAILURE) if first == "503" else ServiceResponseError("lost"), again)
    result = await attempt(hsm.access().create_role_assignment("/", DEFINITION_ID, "p", name=NAME))
    return [result, hsm.seen]


