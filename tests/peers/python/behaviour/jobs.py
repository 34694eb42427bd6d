"""Backups, restores, checks, and what follows them."""

import base64
import inspect

from azure.core.exceptions import ServiceResponseError
from azure.core.polling import AsyncNoPolling, async_poller

from .bench import CONTAINER, FAILURE, FOLDER, JOB, NAME, SAS, Hsm, attempt, behaviour, job, plain

BEGINS = {
    "backup": lambda c, **o: c.begin_backup(CONTAINER, SAS, **o),
    "restore": lambda c, **o: c.begin_restore(FOLDER, SAS, **o),
    "key": lambda c, **o: c.begin_restore(FOLDER, SAS, key_name="k", **o),
    "pre-backup": lambda c, **o: c.begin_pre_backup(CONTAINER, sas_token=SAS, **o),
    "pre-restore": lambda c, **o: c.begin_pre_restore(FOLDER, sas_token=SAS, **o),
}
POLLS = {
    "at-once": [], "third": [(200, job()), (200, job())], "failed": [(200, job("Failed", error={"code": "C", "message": "the service's reason"}))], "failed-details": [(200, job("Failed", statusDetails="the service's reason"))], "failed-bare": [(200, job("Failed"))], "canceled": [(200, job("Canceled"))],
    "cancelled": [(200, job("Cancelled"))], "lower": [(200, job("succeeded"))], "unknown": [(200, job("Odd"))], "nulls": [(200, job(error={"code": None, "message": None}))], "error-in-progress": [(200, job(error={"code": "C", "message": "m"}))], "error-succeeded": [(200, job("Succeeded", error={"code": "C", "message": "m"}))],
    "400": [(400, FAILURE)], "401": [(401, FAILURE)], "403": [(403, FAILURE)], "404": [(404, FAILURE)], "409": [(409, FAILURE)], "410": [(410, FAILURE)], "500": [(500, FAILURE)] * 9, "503-once": [(503, FAILURE)], "429-once": [(429, FAILURE, {"Retry-After": "1"})], "202": [(202, job())], "204": [(204, "")], "201": [(201, job("Succeeded"))], "empty": [(200, "")], "null": [(200, None)],
    "html": [(200, "<html>", {"Content-Type": "text/html"})], "list": [(200, [])], "no-status": [(200, {"jobId": JOB})], "null-status": [(200, job(None))], "number-status": [(200, job(5))], "lost": [ServiceResponseError("lost")] * 9, "lost-once": [ServiceResponseError("lost")], "no-folder": [(200, job("Succeeded", azureStorageBlobContainerUri=None))],
    "slow": [(200, job(), {"Retry-After": "7"})] * 2, "other-url": [(200, job(), {"azure-asyncoperation": "https://evil.example/x"})], "half": [(200, '{"status": "InPro', {"Content-Type": "application/json"})], "text-type": [(200, '{"status": "Succeeded"}', {"Content-Type": "text/plain"})],
}


def started(hsm, kind="backup", status=202, body=None, **headers):
    url = hsm.status_url if "backup" in kind else hsm.restore_url
    return status, body or job(), {"azure-asyncoperation": url, "Retry-After": "10", **headers}


async def begun(kind, polls=(), options=None, **client_options):
    hsm = Hsm()
    hsm.script = [started(hsm, kind), *polls]
    poller = await BEGINS[kind](hsm.backup(**client_options), **(options or {}))
    return hsm, poller


def followed(hsm):
    """What was sent after the start."""
    return [each for each in hsm.seen if "pending" in each]


@behaviour("job", {f"{kind}-{name}": (kind, polls) for name, polls in POLLS.items() for kind in (BEGINS if name in ("at-once", "third", "failed") else ("backup",))})
async def result_of(kind, polls):
    hsm, poller = await begun(kind, polls)
    result = await attempt(poller.result())
    return [result, poller.status(), poller.done(), len(followed(hsm))]


@behaviour("job-wait", {name: POLLS[name] for name in ("at-once", "third", "failed", "404", "400", "500")})
async def waited(polls):
    hsm, poller = await begun("backup", polls)
    return [await attempt(poller.wait()), poller.status(), poller.done(), len(followed(hsm))]


@behaviour("job-wait-again", {name: POLLS[name] for name in ("at-once", "failed", "404")})
async def waited_again(polls):
    hsm, poller = await begun("backup", polls)
    first = await attempt(poller.wait())
    return [type(first).__name__, await attempt(poller.wait()), await attempt(poller.result()), poller.status(), len(followed(hsm))]


@behaviour("job-just-begun", {kind: kind for kind in BEGINS})
async def just_begun(kind):
    hsm, poller = await begun(kind)
    return [poller.status(), poller.done(), hsm.seen, hsm.bodies]


@behaviour("job-sleeps", {name: POLLS[name] for name in ("at-once", "third", "slow")})
async def sleeps(polls):
    hsm, poller = await begun("backup", polls)
    await poller.wait()
    return hsm.waits


INTERVALS = {"2": 2, "half": 0.5, "zero": 0, "big": 1000, "none": None}
ODD_INTERVALS = {"negative": -1, "string": "x", "nan": float("nan")}


async def with_interval(name, value):
    hsm, poller = await begun("backup", POLLS["third"], {name: value})
    await poller.wait()
    return [hsm.waits, len(followed(hsm))]


behaviour("polling_interval", {f"{name}-{keyword}": (keyword, value) for keyword in ("polling_interval", "_polling_interval") for name, value in INTERVALS.items()})(with_interval)
behaviour("polling_interval-odd", {f"{name}-{keyword}": (keyword, value) for keyword in ("polling_interval", "_polling_interval") for name, value in ODD_INTERVALS.items()})(with_interval)


@behaviour("polling_interval-client")
async def client_interval():
    hsm, poller = await begun("backup", POLLS["third"], polling_interval=3)
    await poller.wait()
    return hsm.waits


RETRY_AFTERS = {"none": None, "3": "3", "zero": "0", "float": "1.5", "junk": "soon", "negative": "-1"}


@behaviour("job-retry-after", {f"{where}-{name}": (where, value) for where in ("start", "poll") for name, value in RETRY_AFTERS.items()})
async def retry_after(where, value):
    hsm = Hsm()
    headers = {} if value is None else {"Retry-After": value}
    status, body, first = started(hsm)
    del first["Retry-After"]
    hsm.script = [(status, body, {**first, **(headers if where == "start" else {})}), (200, job(), headers if where == "poll" else {})]
    poller = await hsm.backup().begin_backup(CONTAINER, SAS)
    await poller.wait()
    return hsm.waits


STARTS = {
    "200": (200, job(), {}), "201": (201, job(), {}), "204": (204, "", {}), "400": (400, FAILURE, {}), "401": (401, FAILURE, {}), "403": (403, FAILURE, {}), "404": (404, FAILURE, {}), "409": (409, FAILURE, {}), "429": (429, FAILURE, {}), "500": (500, FAILURE, {}), "503": (503, FAILURE, {}),
}


@behaviour("start-refused", {f"{kind}-{name}": (kind, reply) for kind in ("backup", "restore") for name, reply in STARTS.items() if name in ("200", "204", "400", "401", "403", "404", "409")})
async def refused(kind, reply):
    hsm = Hsm(*[reply] * 9)
    return [await attempt(BEGINS[kind](hsm.backup())), len(hsm.seen)]


@behaviour("start-unsure", {f"{kind}-{name}": (kind, reply) for kind in ("backup", "restore") for name, reply in {"500": STARTS["500"], "503": STARTS["503"], "lost": ServiceResponseError("lost")}.items()})
async def unsure(kind, reply):
    hsm = Hsm(*[reply] * 9)
    return [await attempt(BEGINS[kind](hsm.backup())), len(hsm.seen)]


@behaviour("start-throttled", {kind: kind for kind in ("backup", "restore")})
async def throttled(kind):
    hsm = Hsm(*[(429, FAILURE)] * 9)
    return [await attempt(BEGINS[kind](hsm.backup())), len(hsm.seen)]


@behaviour("start-throttled-once", {kind: kind for kind in ("backup", "restore")})
async def throttled_once(kind):
    hsm = Hsm((429, FAILURE))
    return [type(await attempt(BEGINS[kind](hsm.backup()))).__name__.replace("AsyncKeyVaultLROPoller", "AsyncLROPoller"), len(hsm.seen)]


BODIES = {"failed": job("Failed", error={"code": "C", "message": "the service's reason"}), "failed-details": job("Failed", statusDetails="the service's reason"), "succeeded": job("Succeeded"), "null": None, "empty": {}, "no-status": {"jobId": JOB}, "list": [], "canceled": job("Canceled")}


@behaviour("start-body", {name: (value,) for name, value in BODIES.items()})
async def start_body(body):
    hsm = Hsm()
    hsm.script = [(202, body, started(hsm)[2])]
    poller = await BEGINS["backup"](hsm.backup())
    begun_as = [poller.status(), poller.done()]
    return [begun_as, await attempt(poller.result()), poller.status(), len(followed(hsm))]


URLS = {"missing": None, "empty": "", "relative": "/backup/x/pending", "other-host": "https://evil.example/backup/x/pending", "http": "http://{host}/backup/x/pending", "other-port": "{url}:8443/backup/x/pending", "query": "{url}/backup/x/pending?a=1", "upper-host": "https://{upper}/backup/x/pending", "junk": "junk", "other-path": "{url}/elsewhere"}


@behaviour("status-url", URLS)
async def status_url(url):
    hsm = Hsm()
    headers = {} if url is None else {"azure-asyncoperation": url.format(url=hsm.url, host=hsm.host, upper=hsm.host.upper())}
    hsm.script = [(202, job(), headers), (200, job("Succeeded"))]
    poller = await attempt(hsm.backup().begin_backup(CONTAINER, SAS))
    if isinstance(poller, Exception):
        return [poller, len(hsm.seen)]
    result = await attempt(poller.result())
    return ["begun", result, [each.replace(hsm.url, "").replace(hsm.host, "") for each in hsm.seen[2:]]]


@behaviour("status-url-header", {name: name for name in ("Azure-AsyncOperation", "azure-asyncoperation", "Operation-Location", "Location")})
async def status_header(name):
    hsm = Hsm()
    hsm.script = [(202, job(), {name: hsm.status_url}), (200, job("Succeeded"))]
    poller = await attempt(hsm.backup().begin_backup(CONTAINER, SAS))
    return poller if isinstance(poller, Exception) else [await attempt(poller.result()), hsm.seen]


METHODS = {
    "status": lambda m: m.status(), "finished": lambda m: m.finished(), "resource": lambda m: m.resource(), "get_continuation_token": lambda m: len(m.get_continuation_token()), "has-run": lambda m: callable(m.run), "has-update_status": lambda m: callable(m.update_status), "has-request_status": lambda m: callable(m.request_status),
    "has-initialize": lambda m: callable(m.initialize), "has-from_continuation_token": lambda m: callable(m.from_continuation_token), "bases": lambda m: [base.__name__ for base in type(m).__mro__ if base.__name__ in ("AsyncPollingMethod", "PollingMethod")],
    "same": None,
}


@behaviour("polling-method", {f"{name}-{when}": (read, when) for name, read in METHODS.items() for when in ("before", "after") if not (name == "resource" and when == "before")})
async def polling_method(read, when):
    hsm, poller = await begun("backup")
    if when == "after":
        await poller.wait()
    method = poller.polling_method()
    return method is poller.polling_method() if read is None else read(method)


@behaviour("polling-method-update_status", {name: POLLS[name] for name in ("at-once", "third", "failed", "404", "400")})
async def method_update(polls):
    hsm, poller = await begun("backup", polls)
    error = await attempt(poller.polling_method().update_status())
    return [error, poller.status(), len(followed(hsm))]


@behaviour("polling-method-request_status", {name: POLLS[name] for name in ("at-once", "404")})
async def method_request(polls):
    hsm, poller = await begun("backup", polls)
    answered = await attempt(poller.polling_method().request_status(hsm.status_url))
    return [answered if isinstance(answered, Exception) else answered.http_response.status_code, poller.status(), len(followed(hsm))]


@behaviour("poller-done", {name: POLLS[name] for name in ("at-once", "failed", "404", "500", "empty")})
async def done_after(polls):
    hsm, poller = await begun("backup", polls)
    before = poller.done()
    await attempt(poller.wait())
    return [before, poller.done(), poller.status()]


@behaviour("poller-callbacks", {name: name for name in ("add_done_callback", "remove_done_callback")})
async def callbacks(name):
    _, poller = await begun("backup")
    return hasattr(poller, name)


POLLER = {
    "type": lambda p: "AsyncLROPoller" in [base.__name__ for base in type(p).__mro__], "members": lambda p: sorted({name for name in dir(p) if not name.startswith("_")} - {"details", "update_status"}), "awaitable": lambda p: inspect.isawaitable(p), "token-type": lambda p: type(p.continuation_token()).__name__,
    "token": lambda p: base64.b64decode(p.continuation_token()).decode().partition(".net")[2], "hash": lambda p: len({p}), "details": lambda p: hasattr(p, "details"),
}
behaviour("poller", POLLER)(lambda read: poller_of(read))


async def poller_of(read):
    _, poller = await begun("backup")
    return read(poller)


@behaviour("poller-awaited")
async def awaited():
    _, poller = await begun("backup")
    return await poller


@behaviour("poller-awaited-twice")
async def awaited_twice():
    hsm, poller = await begun("backup")
    return [await poller, await poller.result(), len(followed(hsm))]


@behaviour("poller-token-after-end")
async def token_after_end():
    hsm, poller = await begun("backup")
    await poller.wait()
    return base64.b64decode(poller.continuation_token()).decode().replace(hsm.url, "")


@behaviour("poller-token-on-error", {name: POLLS[name] for name in ("failed", "404", "400", "empty")})
async def token_on_error(polls):
    hsm, poller = await begun("backup", polls)
    error = await attempt(poller.result())
    return getattr(error, "continuation_token", None) is not None


@behaviour("error-of-job", {name: POLLS[name] for name in ("failed", "failed-details", "failed-bare", "canceled", "404", "400")})
async def error_of_job(polls):
    _, poller = await begun("backup", polls)
    error = await attempt(poller.result())
    return [error.status_code, error.reason, error.error and error.error.code, "the service's reason" in error.message, error.response and error.response.status_code]


RESUMES = {
    "backup": lambda c, token, **o: c.begin_backup(CONTAINER, SAS, continuation_token=token, **o), "restore": lambda c, token, **o: c.begin_restore(FOLDER, SAS, continuation_token=token, **o), "key": lambda c, token, **o: c.begin_restore(FOLDER, SAS, key_name="k", continuation_token=token, **o),
    "pre-backup": lambda c, token, **o: c.begin_pre_backup(CONTAINER, sas_token=SAS, continuation_token=token, **o), "pre-restore": lambda c, token, **o: c.begin_pre_restore(FOLDER, sas_token=SAS, continuation_token=token, **o),
}


@behaviour("resume", {f"{kind}-{name}": (kind, POLLS[name]) for name in POLLS for kind in (RESUMES if name in ("at-once", "third", "failed") else ("backup",))})
async def resumed(kind, polls):
    hsm = Hsm(*polls)
    token = hsm.token(hsm.status_url if "backup" in kind else hsm.restore_url)
    poller = await attempt(RESUMES[kind](hsm.backup(), token))
    if isinstance(poller, Exception):
        return [poller, hsm.seen]
    return [poller.status(), poller.done(), hsm.seen]


@behaviour("resume-result", {f"{kind}-{name}": (kind, POLLS[name]) for name in ("at-once", "third", "failed", "canceled", "nulls", "503-once") for kind in (RESUMES if name in ("at-once", "third", "failed") else ("backup",))})
async def resumed_result(kind, polls):
    hsm = Hsm(*polls)
    token = hsm.token(hsm.status_url if "backup" in kind else hsm.restore_url)
    poller = await RESUMES[kind](hsm.backup(), token)
    result = await attempt(poller.result())
    return [result, poller.status(), poller.done(), hsm.seen]


@behaviour("resume-wait", {name: POLLS[name] for name in ("at-once", "failed")})
async def resumed_wait(polls):
    hsm = Hsm(*polls)
    poller = await hsm.backup().begin_backup(CONTAINER, SAS, continuation_token=hsm.token())
    return [await attempt(poller.wait()), poller.status(), hsm.seen]


TOKENS = {"empty": "", "junk": "junk", "not-base64": "%%%", "other-host": "https://evil.example/backup/x/pending", "http": "http://evil.example/backup/x/pending", "not-a-url": "nothing", "number": 5, "bytes": b"x", "restore": None, "path": "/backup/x/pending"}


@behaviour("resume-token", {name: (name, token) for name, token in TOKENS.items()})
async def resume_token(name, token):
    hsm = Hsm()
    if name in ("other-host", "http", "not-a-url", "path"):
        token = base64.b64encode(token.encode()).decode()
    if name == "restore":
        token = hsm.token(hsm.restore_url)
    poller = await attempt(hsm.backup().begin_backup(CONTAINER, SAS, continuation_token=token))
    return [poller if isinstance(poller, Exception) else "begun", hsm.seen]


@behaviour("resume-token-none")
async def resume_none():
    hsm = Hsm()
    await hsm.backup().begin_backup(CONTAINER, SAS, continuation_token=None)
    return hsm.seen


@behaviour("resume-without", {"url": ("", SAS), "sas": (CONTAINER, None), "both": ("", None), "expired": (CONTAINER, "se=2020-01-01&sig=x")})
async def resume_without(url, sas):
    hsm = Hsm()
    poller = await attempt(hsm.backup().begin_backup(url, sas, continuation_token=hsm.token()))
    return poller if isinstance(poller, Exception) else await attempt(poller.result())


@behaviour("resume-own-token")
async def resume_own():
    hsm, poller = await begun("backup", POLLS["third"])
    again = await hsm.backup().begin_backup(CONTAINER, SAS, continuation_token=poller.continuation_token())
    return [again.status(), (await again.result()).folder_url == FOLDER, len(followed(hsm))]


# What is sent to start.
ARGUMENTS = {
    "sas": ((CONTAINER, SAS), {}), "sas-keyword": ((CONTAINER,), {"sas_token": SAS}), "question-mark": ((CONTAINER, f"?{SAS}"), {}), "identity": ((CONTAINER,), {"use_managed_identity": True}), "no-identity": ((CONTAINER, SAS), {"use_managed_identity": False}), "slash": ((f"{CONTAINER}/", SAS), {}), "keywords": ((), {"blob_storage_url": CONTAINER, "sas_token": SAS}),
    "none-sas-identity": ((CONTAINER, None), {"use_managed_identity": True}), "both": ((CONTAINER, SAS), {"use_managed_identity": True}), "port": (("https://127.0.0.1:10000/devstoreaccount1/container", SAS), {}), "deep": ((f"{CONTAINER}/a/b", SAS), {}), "non-ascii-sas": ((CONTAINER, "sig=ö"), {}),
}
ODD_ARGUMENTS = {
    "neither": ((CONTAINER,), {}), "empty-sas": ((CONTAINER, ""), {}), "expired": ((CONTAINER, "se=2020-01-01T00:00:00Z&sig=x"), {}), "empty-url": (("", SAS), {}), "none-url": ((None, SAS), {}), "http": (("http://account.blob.core.windows.net/c", SAS), {}), "no-container": (("https://account.blob.core.windows.net", SAS), {}), "query-url": ((f"{CONTAINER}?x=1", SAS), {}), "sas-url": ((f"{CONTAINER}?{SAS}", SAS), {}),
    "not-a-url": (("container", SAS), {}), "number-sas": ((CONTAINER, 5), {}), "number-url": ((5, SAS), {}), "three": ((CONTAINER, SAS, True), {}), "fragment": ((f"{CONTAINER}#x", SAS), {}), "blanks": ((f" {CONTAINER} ", SAS), {}), "userinfo": (("https://me:s@account.blob.core.windows.net/c", SAS), {}),
}
FOLDERS = {"plain": FOLDER, "slash": f"{FOLDER}/", "deep": f"{CONTAINER}/a/b", "port": "https://127.0.0.1:10000/devstoreaccount1/container/folder", "percent": f"{CONTAINER}/a%20b"}
ODD_FOLDERS = {"no-folder": CONTAINER, "empty": "", "none": None, "query": f"{FOLDER}?{SAS}", "not-a-url": "folder", "http": FOLDER.replace("https", "http"), "blank": " ", "number": 5, "non-ascii": f"{CONTAINER}/ö", "double-slash": f"{CONTAINER}//f"}
STARTERS = {"backup": "begin_backup", "pre-backup": "begin_pre_backup"}
for code, table in (("start", ARGUMENTS), ("start-odd", ODD_ARGUMENTS)):
    behaviour(code, {f"{kind}-{name}": (method, *given) for kind, method in STARTERS.items() for name, given in table.items()})(lambda method, given, options: start(method, given, options))
for code, table in (("start-folder", FOLDERS), ("start-folder-odd", ODD_FOLDERS)):
    behaviour(code, {f"{kind}-{name}": (kind, folder) for kind in ("restore", "key", "pre-restore") for name, folder in table.items()})(
        lambda kind, folder: start("begin_pre_restore" if kind == "pre-restore" else "begin_restore", (folder,), {"sas_token": SAS, **({"key_name": "k"} if kind == "key" else {})}))


async def start(method, given, options, **client_options):
    hsm = Hsm()
    poller = await attempt(getattr(hsm.backup(**client_options), method)(*given, **options))
    return [hsm.seen, hsm.bodies, poller if isinstance(poller, Exception) else "begun"]


KEYS = {"plain": "k", "non-ascii": "ö", "slash": "a/b", "none": None, "blank-inside": "a b"}
ODD_KEYS = {"empty": "", "blank": " ", "number": 5, "dots": ".."}
for code, table in (("key-name", KEYS), ("key-name-odd", ODD_KEYS)):
    behaviour(code, table)(lambda name: start("begin_restore", (FOLDER, SAS), {"key_name": name}))
VERSIONED = {"pre-backup-7.5": ("begin_pre_backup", CONTAINER, "7.5"), "pre-restore-7.5": ("begin_pre_restore", FOLDER, "7.5"), "identity-7.4": ("begin_backup", CONTAINER, "7.4"), "pre-backup-7.6": ("begin_pre_backup", CONTAINER, "7.6"), "identity-7.5": ("begin_backup", CONTAINER, "7.5"), "identity-restore-7.4": ("begin_restore", FOLDER, "7.4")}
behaviour("version-needed", VERSIONED)(lambda method, url, version: start(method, (url,), {"use_managed_identity": True} if "pre" not in method else {"sas_token": SAS}, api_version=version))
behaviour("start-version-7.2", {"backup": ("begin_backup", CONTAINER), "restore": ("begin_restore", FOLDER)})(lambda method, url: start(method, (url, SAS), {}, api_version="7.2"))

OPTIONS = {
    "headers": {"headers": {"x-mine": "1"}}, "polling": {"polling": False}, "polling-true": {"polling": True}, "no-polling": {"polling": AsyncNoPolling()}, "cls": {"cls": lambda response, made, headers: ["made", type(made).__name__, sorted(headers)]}, "params": {"params": {"x": "1"}}, "retry_total": {"retry_total": 0}, "content_type": {"content_type": "application/json"}, "hook": {"raw_response_hook": lambda _: None},
    "unknown": {"unknown_keyword": 1}, "timeout": {"timeout": 5}, "request_id": {"request_id": "mine"}, "error_map": {"error_map": {}}, "response_encoding": {"response_encoding": "utf-8"}, "logging": {"logging_enable": True}, "decompress": {"decompress": True}, "initial": {"_polling_interval": 1, "polling_interval": 2}, "blob": {"container_uri": "x"},
}


@behaviour("job-keyword", {f"{name}-{kind}": (options, kind) for name, options in OPTIONS.items() for kind in ("backup", "restore")})
async def job_keyword(options, kind):
    hsm = Hsm()
    poller = await attempt(BEGINS[kind](hsm.backup(), **options))
    if isinstance(poller, Exception):
        return [poller, hsm.seen]
    result = await attempt(poller.result())
    return [result, hsm.seen, [request.headers.get("x-mine") for request in hsm.authorized_requests], [request.headers["x-ms-client-request-id"] == "mine" for request in hsm.authorized_requests], hsm.waits]


@behaviour("result-of-times", {"integers": {}, "floats": {"startTime": 1.5, "endTime": 2.5}, "strings": {"startTime": "1652132780", "endTime": "1652132788"}, "nulls": {"startTime": None, "endTime": None}, "junk": {"startTime": "x"}})
async def times(members):
    hsm, poller = await begun("backup", [(200, job("Succeeded", **members))])
    return await attempt(poller.result())


@behaviour("backup-result-of", {"number": 5, "null": None, "empty": "", "list": []})
async def folder_of(value):
    hsm, poller = await begun("backup", [(200, job("Succeeded", azureStorageBlobContainerUri=value))])
    return await attempt(poller.result())


@behaviour("poller-cancel-wait")
async def cancel_wait():
    hsm, poller = await begun("backup", POLLS["third"])
    return [await attempt(poller.wait(1)), len(followed(hsm))]


@behaviour("two-jobs")
async def two_jobs():
    hsm = Hsm()
    client = hsm.backup()
    first, second = await client.begin_backup(CONTAINER, SAS), await client.begin_restore(FOLDER, SAS)
    return [await first.result(), await second.result(), hsm.seen]


@behaviour("poll-headers")
async def poll_headers():
    hsm, poller = await begun("backup", [], {"headers": {"x-mine": "1"}})
    await poller.wait()
    return [hsm.requests[-1].headers.get("x-mine"), hsm.requests[-1].url.partition("?")[2], hsm.requests[-1].headers.get("Accept"), hsm.requests[-1].headers.get("Content-Type")]
