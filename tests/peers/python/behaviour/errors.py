"""What is raised for which response, and how often a request is sent."""

from azure.core.exceptions import ServiceRequestError, ServiceResponseError

from .bench import (
    DEFINITION_ID,
    FAILURE,
    NAME,
    REASON,
    Hsm,
    attempt,
    behaviour,
    chosen,
    plain,
)
from .operations import HTML, JSON, OPERATIONS

TEXT = {"Content-Type": "text/plain"}
BODIES = {
    "json": (FAILURE,),
    "html": (f"<html>{REASON}</html>", HTML),
    "empty": ("",),
    "text": (REASON, TEXT),
    "json-as-html": (f'{{"error": {{"code": "C", "message": "{REASON}"}}}}', HTML),
    "null-error": ({"error": None},),
    "no-code": ({"error": {"message": REASON}},),
    "no-message": ({"error": {"code": "C"}},),
    "other-shape": ({"code": "C", "message": REASON},),
    "details": ({"error": {"code": "C", "message": "m", "details": [{"code": "D", "message": REASON}]}},),
    "empty-object": ({},),
    "not-utf-8": (b'{"error": {"code": "C", "message": "the service\'s reason \xff"}}', JSON),
    "other-case": ({"Error": {"Code": "C", "Message": REASON}},),
}
# What says that it is JSON, and is not.
BROKEN_BODIES = {"half": (f'{{"error": {{"code": "C", "message": "{REASON}"', JSON), "html": (f"<html>{REASON}", JSON)}
ODD_BODIES = {
    "null": (None,),
    "list": ([],),
    "string": (f'"{REASON}"', JSON),
    "error-text": ({"error": REASON},),
    "code-number": ({"error": {"code": 5, "message": REASON}},),
}
STATUSES = (204, 206, 302, 304, 400, 401, 403, 405, 408, 409, 410, 412, 422, 500, 502, 503, 504)


async def refused(operation, *reply, times=20, **options):
    """Return the error of an operation that always gets the same reply, and the number of requests."""
    hsm = Hsm(*[reply if len(reply) > 1 else reply[0]] * times)
    error = await attempt(OPERATIONS[operation](hsm.access(), **options))
    return [error, len(hsm.seen)]


behaviour("status", list(OPERATIONS), STATUSES)(lambda operation, status: refused(operation, status, FAILURE))
behaviour("status-404", [name for name in OPERATIONS if "delete" not in name])(
    lambda operation: refused(operation, 404, FAILURE)
)
behaviour("error-body", ["get-role"], (400, 401, 404, 500), BODIES)(refused)
behaviour("broken-error-body", ["get-role"], (400, 404, 500), BROKEN_BODIES)(refused)
behaviour("odd-error-body", ["get-role"], [403], ODD_BODIES)(refused)
DELETES = {"delete-role": "RoleDefinitionNotFound", "delete-assignment": "RoleAssignmentNotFound"}
behaviour(
    "delete-of-missing",
    {name: (name, 404, {"error": {"code": code, "message": "m"}}) for name, code in DELETES.items()},
)(refused)
behaviour("delete-of-missing-with-other-code", list(DELETES))(lambda name: refused(name, 404, FAILURE))
behaviour(
    "foreign-404",
    list(DELETES),
    [404],
    chosen(BODIES, "html empty text"),
)(refused)


@behaviour("foreign-404/without-token", list(DELETES))
async def unauthorized_404(name):
    hsm = Hsm(404, 404, challenge=None)
    return [await attempt(OPERATIONS[name](hsm.access())), hsm.seen]


@behaviour("status-of-probe", "get-role set-role", (200, 201, 400, 403, 404, 500, 503))
async def status_of_probe(name, status):
    body = FAILURE if status > 299 else {"properties": {"permissions": [], "assignableScopes": []}}
    hsm = Hsm(*[(status, body)] * 9, challenge=None)
    return [await attempt(OPERATIONS[name](hsm.access())), hsm.seen, len(hsm.credential.asked)]


ATTRIBUTES = {
    "message": lambda error: error.message,
    "text": str,
    "reason": lambda error: error.reason,
    "status": lambda error: error.status_code,
    "code": lambda error: [error.error.code, error.error.message, error.error.target],
    "inner": lambda error: error.error.innererror,
    "details": lambda error: error.error.details,
    "body": lambda error: [error.response.text(), error.response.json(), error.response.status_code],
    "header": lambda error: error.response.headers["x-ms-request-id"],
    "request": lambda error: [error.response.request.method, error.response.request.url.partition("?")[0][-9:]],
    "continuation-token": lambda error: error.continuation_token,
    "inner-exception": lambda error: type(error.inner_exception).__name__,
    "cause": lambda error: type(error.__cause__).__name__,
    "arguments": lambda error: [len(error.args), error.args[0] == error.message],
    "raise-for-status": lambda error: error.response.raise_for_status(),
}


@behaviour("error-attribute", ATTRIBUTES)
async def error_attribute(read):
    hsm = Hsm((403, FAILURE, {"x-ms-request-id": "r"}))
    return read(await attempt(hsm.access().get_role_definition("/", NAME)))


async def model(*reply):
    """Return what the model of an error says."""
    error = await attempt(Hsm(*[reply] * 9).access().get_role_definition("/", NAME))
    said = getattr(error.model, "error", None)
    inner = getattr(said, "inner_error", None)
    return said and [said.code, said.message, inner and [inner.code, inner.message, inner.inner_error]]


behaviour("error-model", {case: (403, *body) for case, body in BODIES.items() if case != "not-utf-8"})(model)
behaviour("error-model-of-status", {str(status): (status, FAILURE) for status in (302, 400, 412, 500, 503)})(model)
behaviour("more-error-models", {str(status): (status, FAILURE) for status in (401, 404, 409)})(model)
deep = {
    "error": {"code": "C", "message": "m", "innererror": {"code": "D", "message": "n", "innererror": {"code": "E"}}}
}
behaviour("error-model-inner")(lambda: inner_code(403, deep))


async def inner_code(*reply):
    error = await attempt(Hsm(reply).access().get_role_definition("/", NAME))
    return error.model.error.inner_error.inner_error.code


# Requests that are sent again.
async def lost(operation, kind, times):
    hsm = Hsm(*[kind("lost") for _ in range(times)])
    return [await attempt(OPERATIONS[operation](hsm.access())), len(hsm.seen)]


for case, (kind, times) in {
    "not-sent": (ServiceRequestError, 20),
    "lost": (ServiceResponseError, 20),
    "lost-once": (ServiceResponseError, 1),
}.items():
    behaviour(case, {operation: (operation, kind, times) for operation in OPERATIONS})(lost)
behaviour("error-of-transport", {"value": ("get-role", ValueError, 1), "key": ("get-role", KeyError, 1)})(lost)

RETRIES = {
    "503": (503, None),
    "500": (500, None),
    "408": (408, None),
    "503-after-3": (503, {"Retry-After": "3"}),
    "400-after-3": (400, {"Retry-After": "3"}),
    "409-after-3": (409, {"Retry-After": "3"}),
    "503-after-ms": (503, {"retry-after-ms": "1500"}),
    "503-x-ms": (503, {"x-ms-retry-after-ms": "2500"}),
    "503-after-0": (503, {"Retry-After": "0"}),
    "503-after-past": (503, {"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}),
}


@behaviour("retry", RETRIES)
async def retry(status, headers):
    hsm = Hsm(*[(status, FAILURE, headers)] * 2)
    result = await attempt(hsm.access().get_role_definition("/", NAME))
    return [plain(result).get("is", "refused"), len(hsm.seen), hsm.waits]


behaviour("odd-retry-after/of-refusal")(lambda: retry(503, {"Retry-After": "soon"}))
# How long it waits is up to the client; what matters is what the caller gets.


@behaviour("throttled", "get-role set-role")
async def throttled(operation):
    hsm = Hsm(*[(429, FAILURE)] * 8)
    result = await attempt(OPERATIONS[operation](hsm.access()))
    return plain(result).get("is", "refused")


OPTIONS = {
    "no-retry": {"retry_total": 0},
    "one": {"retry_total": 1},
    "no-status": {"retry_status": 0},
    "backoff": {"retry_backoff_factor": 2},
    "backoff-max": {"retry_backoff_factor": 10, "retry_backoff_max": 15},
    "fixed": {"retry_mode": "fixed"},
    "status": {"retry_on_status_codes": [403]},
}


@behaviour("retry-option", OPTIONS, "client call")
async def retry_option(options, where):
    hsm = Hsm(*[(403 if "retry_on_status_codes" in options else 503, FAILURE)] * 9)
    error = await attempt(
        hsm.access(**options if where == "client" else {}).get_role_definition(
            "/", NAME, **options if where == "call" else {}
        )
    )
    return [error, len(hsm.seen), hsm.waits]


EXISTS = {
    "same-name": (400, {"error": {"code": "RoleAssignmentExists", "message": "The role assignment already exists."}}),
    "conflict": (409, {"error": {"code": "Conflict", "message": "x"}}),
    "same-content": (
        400,
        {"error": {"code": "MatchingRoleAssignmentExists", "message": f"The role assignment '{NAME}' already exists."}},
    ),
}


@behaviour(
    "lost-create",
    {"503": ((503, FAILURE),), "lost": ServiceResponseError("lost")},
    {case: (EXISTS[case],) for case in ("same-name", "conflict")},
)
async def lost_create(*replies):
    hsm = Hsm(*replies)

    result = await attempt(hsm.access().create_role_assignment("/", DEFINITION_ID, "p", name=NAME))
    return [result, hsm.seen]


@behaviour("create-of-existing", EXISTS)
async def create_of_existing(*reply):
    return await attempt(Hsm(reply).access().create_role_assignment("/", DEFINITION_ID, "p", name=NAME))
