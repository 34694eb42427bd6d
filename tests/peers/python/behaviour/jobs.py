"""Backups, restores, checks, and what follows them."""

import base64
import inspect

from azure.core.exceptions import ServiceResponseError

from .bench import CONTAINER, FAILURE, FOLDER, JOB, REASON, SAS, Hsm, attempt, behaviour, chosen, job, plain

BEGINS = {
    "backup": lambda c, **o: c.begin_backup(CONTAINER, SAS, **o),
    "restore": lambda c, **o: c.begin_restore(FOLDER, SAS, **o),
    "key-restore": lambda c, **o: c.begin_restore(FOLDER, SAS, key_name="k", **o),
    "pre-backup": lambda c, **o: c.begin_pre_backup(CONTAINER, sas_token=SAS, **o),
    "pre-restore": lambda c, **o: c.begin_pre_restore(FOLDER, sas_token=SAS, **o),
}
FAILED = (200, job("Failed", error={"code": "C", "message": REASON}))
POLLS = {
    "first": [],
    "third": [(200, job()), (200, job())],
    "lower-case": [(200, job("succeeded"))],
    "odd-status": [(200, job("Odd"))],
    "error-of-nulls": [(200, job(error={"code": None, "message": None}))],
    "error-meanwhile": [(200, job(error={"code": "C", "message": "m"}))],
    "error-and-success": [(200, job("Succeeded", error={"code": "C", "message": "m"}))],
    "503-once": [(503, FAILURE)],
    "429-once": [(429, FAILURE, {"Retry-After": "1"})],
    "lost-once": [ServiceResponseError("lost")],
    "lost": [ServiceResponseError("lost")] * 9,
    "other-status-url": [(200, job(), {"azure-asyncoperation": "https://evil.example/x"})],
}
FAILURES = {
    "error": [FAILED],
    "details": [(200, job("Failed", statusDetails=REASON))],
    "no-reason": [(200, job("Failed"))],
    "canceled": [(200, job("Canceled"))],
}
REFUSALS = {str(status): [(status, FAILURE)] * 9 for status in (400, 401, 403, 404, 409, 410)}
UNDECIDED = [(500, FAILURE)] * 9
ODD_POLLS = {
    "null": [(200, None)],
    "list": [(200, [])],
    "empty": [(200, "")],
    "204": [(204, "")],
    "no-status": [(200, {"jobId": JOB})],
    "null-status": [(200, job(None))],
    "number-status": [(200, job(5))],
}


async def begun(kind="backup", polls=(), options=None, **headers):
    """Return an HSM, a poller, and what the HSM has seen since the start."""
    hsm = Hsm()
    hsm.script = [hsm.started(kind, **{"Retry-After": "10", **headers}), *polls]
    poller = await BEGINS[kind](hsm.backup(), **(options or {}))
    return hsm, poller


def polls_of(hsm):
    return sum("pending" in each for each in hsm.seen)


@behaviour("job-begins", list(BEGINS))
async def begins(kind):
    hsm, poller = await begun(kind)
    return [poller, poller.status(), poller.done(), hsm.seen, hsm.bodies]


async def result_of(kind, polls):
    hsm, poller = await begun(kind, polls)
    result = await attempt(poller.result())
    return [result, poller.status(), await attempt(poller.wait()), polls_of(hsm)]


behaviour("job", ["backup"], POLLS)(result_of)
behaviour("job", [kind for kind in BEGINS if kind != "backup"], chosen(POLLS, "first third"))(result_of)
behaviour("job-fails", list(BEGINS), chosen(FAILURES, "error"))(result_of)
behaviour("job-refused", ["backup"], REFUSALS)(result_of)
behaviour("job-status-after-500")(lambda: result_of("backup", UNDECIDED))
behaviour("odd-poll", ["backup"], ODD_POLLS)(result_of)
behaviour("failure-has-a-code", {case: ("backup", FAILURES[case]) for case in ("details", "no-reason", "canceled")})(
    result_of
)
behaviour(
    "job-poll-of-other-success", {"201": ("backup", [(201, job("Succeeded"))]), "202": ("backup", [(202, job())])}
)(result_of)
behaviour("job-with-one-more-l")(lambda: result_of("backup", [(200, job("Cancelled"))]))


@behaviour("job-done", {"first": [], "third": POLLS["third"]})
async def done(polls):
    _, poller = await begun("backup", polls)
    before = poller.done()
    await poller.wait()
    return [before, poller.done()]


@behaviour("done-after-failure", {"failed": [FAILED], "canceled": FAILURES["canceled"], **chosen(REFUSALS, "400 404")})
async def done_after_failure(polls):
    _, poller = await begun("backup", polls)
    await attempt(poller.wait())
    return poller.done()


@behaviour("error-of-job", {"error": [FAILED], **chosen(REFUSALS, "400 404")})
async def error_of_job(polls):
    _, poller = await begun("backup", polls)
    error = await attempt(poller.result())
    return [error.status_code, error.reason, error.response.status_code, error.continuation_token is None]


# How long it waits between two polls.
async def waits(polls, options=None, **headers):
    hsm, poller = await begun("backup", polls, options, **headers)
    await poller.wait()
    return [hsm.waits, polls_of(hsm)]


INTERVALS = {"2": 2, "half": 0.5, "thousand": 1000}
behaviour("job-waits", {"first": [], "third": POLLS["third"]})(waits)
behaviour("private-polling-interval", {**INTERVALS, "zero": 0})(
    lambda value: waits(POLLS["third"], {"_polling_interval": value})
)
behaviour("polling-interval", {**INTERVALS, "zero": 0})(
    lambda value: waits(POLLS["third"], {"polling_interval": value})
)
ODD_INTERVALS = {"negative": -1, "text": "x", "not-a-number": float("nan")}
behaviour(
    "odd-polling-interval",
    {
        f"{name}-{case}": (name, value)
        for name in ("polling_interval", "_polling_interval")
        for case, value in ODD_INTERVALS.items()
    },
)(lambda name, value: waits(POLLS["third"], {name: value}))
AFTER = {"3": "3", "zero": "0", "negative": "-1", "date": "Wed, 21 Oct 2015 07:28:00 GMT"}
behaviour("retry-after-of-poll", AFTER)(lambda value: waits([(200, job(), {"Retry-After": value})] * 2))
behaviour("retry-after-of-start", chosen(AFTER, "3 zero negative"))(
    lambda value: waits([(200, job())], **{"Retry-After": value})
)
behaviour("odd-retry-after/poll")(lambda: waits([(200, job(), {"Retry-After": "soon"})]))
behaviour("odd-retry-after/start", {"float": "1.5", "word": "soon", "date": "Wed, 21 Oct 2015 07:28:00 GMT"})(
    lambda value: waits([(200, job())], **{"Retry-After": value})
)


# Responses to a start.
async def started(kind, *reply):
    hsm = Hsm(*[reply if len(reply) > 1 else reply[0]] * 9)
    return [await attempt(BEGINS[kind](hsm.backup())), len(hsm.seen)]


behaviour("start-refused", list(BEGINS), (200, 204, 400, 401, 403, 404, 409))(
    lambda kind, status: started(kind, status, FAILURE)
)
UNSURE = {"500": (500, FAILURE), "503": (503, FAILURE)}
behaviour("start-sent-once", list(BEGINS), UNSURE)(started)
behaviour("start-sent-once", [kind for kind in BEGINS if "restore" in kind], {"lost": ServiceResponseError("lost")})(
    started
)
behaviour("start-lost", {kind: (kind, ServiceResponseError("lost")) for kind in BEGINS if "restore" not in kind})(
    started
)


@behaviour("start-throttled", {"backup": "backup", "pre-backup": "pre-backup"})
async def throttled(kind):
    return plain(await attempt(BEGINS[kind](Hsm((429, FAILURE)).backup())))


@behaviour("start-throttled-restore", {"restore": "restore", "key-restore": "key-restore"})
async def throttled_restore(kind):
    return plain(await attempt(BEGINS[kind](Hsm((429, FAILURE)).backup())))


async def start_with(body, headers=None):
    hsm = Hsm()
    hsm.script = [(202, body, hsm.started()[2] if headers is None else headers)]
    poller = await BEGINS["backup"](hsm.backup())
    first = poller.status()
    return [first, await attempt(poller.result()), poller.status(), hsm.seen[2:]]


behaviour(
    "start-body",
    {"succeeded": (job("Succeeded"),), "failed": (FAILED[1],), "empty": ({},), "no-status": ({"jobId": JOB},)},
)(start_with)
behaviour("odd-start-body", {"null": (None,), "list": ([],)})(start_with)


@behaviour("ended-at-start/done")
async def done_at_start():
    hsm = Hsm()
    hsm.script = [(202, job("Succeeded"), hsm.started()[2])]
    return (await BEGINS["backup"](hsm.backup())).done()


async def status_url(make):
    hsm = Hsm()
    hsm.script = [(202, job(), make(hsm))]
    poller = await attempt(BEGINS["backup"](hsm.backup()))
    result = poller if isinstance(poller, Exception) else await attempt(poller.result())
    return [
        isinstance(poller, Exception),
        result,
        [each.replace("https://evil.example", "EVIL") for each in hsm.seen[2:]],
    ]


NAMES = {
    name: lambda hsm, name=name: {name: hsm.status_url()}
    for name in ("Azure-AsyncOperation", "azure-asyncoperation", "Operation-Location", "Location")
}
behaviour("status-url-in", {**NAMES, "none": lambda _: {}})(status_url)
URLS = {"upper-host": "https://{upper}/backup/x/pending", "other-path": "{url}/elsewhere"}
OTHER_URLS = {
    "host": "https://evil.example/backup/x/pending",
    "port": "{url}:8443/backup/x/pending",
    "http": "http://{host}/backup/x/pending",
}
ODD_URLS = {"empty": "", "relative": "/backup/x/pending", "word": "word"}


def named(url):
    return lambda hsm: {"azure-asyncoperation": url.format(url=hsm.url, host=hsm.host, upper=hsm.host.upper())}


behaviour("status-url", URLS)(lambda url: status_url(named(url)))
behaviour("status-url-query")(lambda: status_url(named("{url}/backup/x/pending?a=1")))
behaviour("other-origin/status-url", OTHER_URLS)(lambda url: status_url(named(url)))
behaviour("odd-status-url", ODD_URLS)(lambda url: status_url(named(url)))

# The poller and its method.
POLLER = {
    "class": lambda poller: "AsyncLROPoller" in [base.__name__ for base in type(poller).__mro__],
    "members": lambda poller: [
        name
        for name in ("result", "wait", "done", "status", "continuation_token", "polling_method", "add_done_callback")
        if hasattr(poller, name)
    ],
    "awaitable": inspect.isawaitable,
    "token": lambda poller: base64.b64decode(poller.continuation_token()).decode().partition(".net")[2],
}
METHOD = {
    "class": lambda method: "AsyncPollingMethod" in [base.__name__ for base in type(method).__mro__],
    "status": lambda method: method.status(),
    "finished": lambda method: method.finished(),
    "token": lambda method: base64.b64decode(method.get_continuation_token()).decode().partition(".net")[2],
}


@behaviour("poller", POLLER, "before after")
async def poller_of(read, when):
    _, poller = await begun()
    if when == "after":
        await poller.wait()
    return read(poller)


@behaviour("polling-method", METHOD, "before after")
async def method_of(read, when):
    _, poller = await begun()
    if when == "after":
        await poller.wait()
    return [read(poller.polling_method()), poller.polling_method() is poller.polling_method()]


@behaviour("job-details/poller", "details update_status")
async def has_attribute(name):
    _, poller = await begun()
    return hasattr(poller, name)


@behaviour("polling-method-resource")
async def resource():
    _, poller = await begun()
    await poller.wait()
    return poller.polling_method().resource()


@behaviour("polling-method-update-status", {"first": [], "third": POLLS["third"], "failed": [FAILED]})
async def method_update(polls):
    hsm, poller = await begun("backup", polls)
    return [await poller.polling_method().update_status(), poller.status(), polls_of(hsm)]


@behaviour("update-status-refused", chosen(REFUSALS, "400 404"))
async def update_refused(polls):
    _, poller = await begun("backup", polls)
    error = await attempt(poller.polling_method().update_status())
    return [isinstance(error, Exception), plain(error)["raised"], poller.status()]


@behaviour("polling-method-request-status", {"first": [], "404": REFUSALS["404"]})
async def method_request(polls):
    hsm, poller = await begun("backup", polls)
    response = await poller.polling_method().request_status(hsm.status_url())
    return [response.http_response.status_code, poller.status(), polls_of(hsm)]


@behaviour("poller-awaited")
async def awaited():
    hsm, poller = await begun()
    return [await poller, await poller.result(), await poller.wait(), polls_of(hsm)]


@behaviour("poller-fails-again", {"failed": [FAILED], **chosen(REFUSALS, "400 404")})
async def fails_again(polls):
    hsm, poller = await begun("backup", polls)
    return [*[await attempt(act()) for act in (poller.wait, poller.wait, poller.result)], polls_of(hsm)]


# Resuming.
async def resume(kind, polls, act):
    hsm = Hsm(*polls)
    token = hsm.token(kind)
    poller = await attempt(BEGINS[kind](hsm.backup(), continuation_token=token))
    if isinstance(poller, Exception):
        return [poller, hsm.seen]
    first = poller.status()
    return [first, await attempt(getattr(poller, act)()) if act else None, poller.status(), hsm.seen]


UNDER_WAY = chosen(POLLS, "third error-of-nulls")
behaviour("resume", list(BEGINS), {"succeeded": [], "failed": [FAILED], **UNDER_WAY}, {"": None})(resume)
behaviour(
    "resume",
    {
        f"backup-{case}": ("backup", polls, None)
        for case, polls in {
            **REFUSALS,
            "500": UNDECIDED,
            **chosen(POLLS, "503-once lost-once odd-status"),
            **FAILURES,
        }.items()
    },
)(resume)
behaviour("resume-and-wait", list(BEGINS), UNDER_WAY, ["result"])(resume)
behaviour("resume-ended/result", list(BEGINS), {"succeeded": [], "failed": [FAILED]}, ["result"])(resume)
behaviour("resume-ended/wait", {"failed": ("backup", [FAILED], "wait")})(resume)
behaviour("resume-and-wait-for-nothing", {"succeeded": ("backup", [], "wait")})(resume)


@behaviour("resume-ended/done")
async def done_after_resume():
    hsm = Hsm()
    return (await BEGINS["backup"](hsm.backup(), continuation_token=hsm.token())).done()


@behaviour("resume-own-token")
async def resume_own():
    hsm, poller = await begun("backup", POLLS["third"])
    again = await BEGINS["backup"](hsm.backup(), continuation_token=poller.continuation_token())
    return [again.status(), await again.result(), polls_of(hsm)]


async def resume_with(token):
    hsm = Hsm()
    poller = await attempt(BEGINS["backup"](hsm.backup(), continuation_token=token(hsm)))
    return [isinstance(poller, Exception), hsm.seen, poller]


def encoded(text):
    return lambda _: base64.b64encode(text.encode()).decode()


behaviour("resume-with", {"none": lambda _: None, "not-base64": lambda _: "%%%", "junk": encoded("junk")})(resume_with)
behaviour("resume-empty-token")(lambda: resume_with(lambda _: ""))
behaviour(
    "resume-foreign-token",
    {
        "other-hsm": encoded("https://evil.example/backup/x/pending"),
        "http": encoded("http://evil.example/backup/x/pending"),
        "path": encoded("/backup/x/pending"),
        "restore": lambda hsm: hsm.token("restore"),
    },
)(resume_with)
behaviour("wrong-type/token", {"number": lambda _: 5, "bytes": lambda _: b"x"})(resume_with)


@behaviour(
    "resume-ignores",
    {"no-url": ("", SAS), "no-sas": (CONTAINER, None), "expired-sas": (CONTAINER, "se=2020-01-01&sig=x")},
)
async def resume_without(url, sas):
    hsm = Hsm((200, job()))
    poller = await attempt(hsm.backup().begin_backup(url, sas, continuation_token=hsm.token()))
    return [await attempt(poller.result()), hsm.seen]


# Arguments of a start.
async def start(method, arguments, options=None, **client_options):
    hsm = Hsm()
    poller = await attempt(getattr(hsm.backup(**client_options), method)(*arguments, **(options or {})))
    return [hsm.seen, hsm.bodies, poller if isinstance(poller, Exception) else "begun"]


METHODS = {"backup": "begin_backup", "pre-backup": "begin_pre_backup"}
ARGUMENTS = {
    "sas": ((CONTAINER,), {"sas_token": SAS}),
    "identity": ((CONTAINER,), {"use_managed_identity": True}),
    "no-identity": ((CONTAINER,), {"sas_token": SAS, "use_managed_identity": False}),
    "both": ((CONTAINER,), {"sas_token": SAS, "use_managed_identity": True}),
    "sas-none-and-identity": ((CONTAINER,), {"sas_token": None, "use_managed_identity": True}),
    "keywords": ((), {"blob_storage_url": CONTAINER, "sas_token": SAS}),
    "account-in-path": (("https://127.0.0.1:10000/account/container",), {"sas_token": SAS}),
    "deeper": ((f"{CONTAINER}/a/b",), {"sas_token": SAS}),
    "http": ((CONTAINER.replace("https", "http"),), {"sas_token": SAS}),
    "url-by-keyword": ((), {"sas_token": SAS, "blob_storage_url": CONTAINER}),
}
TRIMMED = {
    "question-mark": ((CONTAINER,), {"sas_token": f"?{SAS}"}),
    "slash": ((f"{CONTAINER}/",), {"sas_token": SAS}),
    "blanks": ((f" {CONTAINER} ",), {"sas_token": SAS}),
    "sas-in-url": ((f"{CONTAINER}?{SAS}",), {"sas_token": SAS}),
}
NO_ACCESS = {
    "neither": ((CONTAINER,), {}),
    "empty": ((CONTAINER,), {"sas_token": ""}),
    "expired": ((CONTAINER,), {"sas_token": "se=2020-01-01T00:00:00Z&sig=x"}),
}
ODD_STORAGE = {
    "empty": "",
    "none": None,
    "word": "container",
    "no-container": "https://account.blob.core.windows.net",
    "userinfo": "https://me:s@account.blob.core.windows.net/c",
    "fragment": f"{CONTAINER}#x",
}
for code, table in {"start": ARGUMENTS, "storage-trimmed": TRIMMED, "no-storage-access": NO_ACCESS}.items():
    behaviour(code, METHODS, table)(start)
behaviour("odd-storage-url", ODD_STORAGE)(lambda url: start("begin_backup", (url, SAS)))
behaviour("wrong-type/storage", {"sas": ("begin_backup", (CONTAINER, 5)), "url": ("begin_backup", (5, SAS))})(start)
behaviour(
    "start",
    {"by-position": ("begin_backup", (CONTAINER, SAS)), "restore-by-position": ("begin_restore", (FOLDER, SAS))},
)(start)
behaviour(
    "third-argument",
    {"backup": ("begin_backup", (CONTAINER, SAS, True)), "restore": ("begin_restore", (FOLDER, SAS, True))},
)(start)
behaviour(
    "pre-check-by-position",
    {"backup": ("begin_pre_backup", (CONTAINER, SAS)), "restore": ("begin_pre_restore", (FOLDER, SAS))},
)(start)


FOLDERS = {
    "plain": FOLDER,
    "slash": f"{FOLDER}/",
    "deeper": f"{CONTAINER}/a/b",
    "percent": f"{CONTAINER}/a%20b",
    "none": None,
    "sas": f"{FOLDER}?{SAS}",
}
ODD_FOLDERS = {"none": CONTAINER, "empty": "", "word": "folder", "blank": " ", "two-slashes": f"{CONTAINER}//f"}
ACCOUNT_IN_PATH = {"": "https://127.0.0.1:10000/account/container/folder"}
RESTORES = {
    "restore": ("begin_restore", None),
    "key-restore": ("begin_restore", {"key_name": "k"}),
    "pre-restore": ("begin_pre_restore", None),
}


@behaviour("folder", RESTORES, FOLDERS)
@behaviour("odd-storage-url/folder", RESTORES, ODD_FOLDERS)
@behaviour("folder-with-account-in-path", RESTORES, ACCOUNT_IN_PATH)
async def start_restore(method, options, folder):
    return await start(method, (folder,), {"sas_token": SAS, **(options or {})})


KEYS = {"plain": "k", "none": None, "slash": "a/b", "blank-inside": "a b", "non-ascii": "ö"}
behaviour("key-name", {case: ("begin_restore", (FOLDER, SAS), {"key_name": name}) for case, name in KEYS.items()})(
    start
)
behaviour(
    "blank-argument/key-name",
    {case: ("begin_restore", (FOLDER, SAS), {"key_name": name}) for case, name in {"empty": "", "blank": " "}.items()},
)(start)
behaviour("odd-name/key", {"dots": ("begin_restore", (FOLDER, SAS), {"key_name": ".."})})(start)
behaviour("integer-name/key", {"number": ("begin_restore", (FOLDER, SAS), {"key_name": 5})})(start)


@behaviour("start-says-no-identity", {"7.2": "7.2", "7.5": "7.5"})
async def says_no_identity(version):
    hsm = Hsm()
    await BEGINS["backup"](hsm.backup(api_version=version))
    return "useManagedIdentity" in hsm.requests[-1].content


NEEDED = {"pre-backup": ("begin_pre_backup", CONTAINER), "pre-restore": ("begin_pre_restore", FOLDER)}
IDENTITY = {"use_managed_identity": True}


@behaviour("version-needed", NEEDED, "7.5 7.6")
async def version_needed(method, url, version):
    hsm = Hsm()
    started = await attempt(getattr(hsm.backup(api_version=version), method)(url, sas_token=SAS))
    return [plain(started), hsm.seen]


@behaviour("identity-needs-version", {"backup": ("begin_backup", CONTAINER), "restore": ("begin_restore", FOLDER)})
async def identity_version(method, url):
    return await start(method, (url,), IDENTITY, api_version="7.4")


# Keywords of a start.
KEYWORDS = {
    "headers": {"headers": {"x-mine": "1"}},
    "params": {"params": {"x": "1"}},
    "retry_total": {"retry_total": 0},
    "content_type": {"content_type": "application/json"},
    "hook": {"raw_response_hook": lambda _: None},
    "request_id": {"request_id": "mine"},
    "error_map": {"error_map": {}},
    "logging": {"logging_enable": True},
}


@behaviour("job-keyword", KEYWORDS, "backup restore")
async def job_keyword(options, kind):
    hsm, poller = await begun(kind, [], options)
    result = await poller.result()
    return [
        result,
        hsm.seen,
        [
            [request.headers.get("x-mine"), request.headers["x-ms-client-request-id"] == "mine"]
            for request in hsm.authorized
        ],
    ]


@behaviour("poll-headers")
async def poll_headers():
    hsm, poller = await begun()
    await poller.wait()
    return [hsm.requests[-1].headers.get("Content-Type"), hsm.requests[-1].url.partition("?")[2]]


TIMES = {"integers": {}, "nulls": {"startTime": None, "endTime": None}}
ODD_TIMES = {"float": {"startTime": 1.5}, "text": {"endTime": "1652132788"}, "word": {"startTime": "x"}}
FOLDER_URLS = {"null": {"azureStorageBlobContainerUri": None}, "empty": {"azureStorageBlobContainerUri": ""}}
ODD_FOLDER_URLS = {"number": {"azureStorageBlobContainerUri": 5}, "list": {"azureStorageBlobContainerUri": []}}


@behaviour("times", TIMES)
@behaviour("odd-times", ODD_TIMES)
@behaviour("folder-url", FOLDER_URLS)
@behaviour("odd-poll/folder-url", ODD_FOLDER_URLS)
async def ended(members):
    _, poller = await begun("backup", [(200, job("Succeeded", **members))])
    return await attempt(poller.result())
