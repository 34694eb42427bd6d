"""Each operation: what it puts on the wire, and what it makes of a response."""

import uuid
from urllib.parse import parse_qsl

from azure.keyvault.administration import KeyVaultDataAction, KeyVaultPermission, KeyVaultRoleScope

from .bench import (
    ASSIGNMENT, CONTAINER, DEFINITION_ID, FAILURE, FOLDER, NAME, ROLE, SAS, Hsm, attempt, behaviour, collect, job, member, plain,
)

UUID = uuid.UUID(NAME)
OPERATIONS = {
    "get-role": lambda c: c.get_role_definition("/", NAME),
    "set-role": lambda c: c.set_role_definition("/", name=NAME, role_name="r", permissions=[KeyVaultPermission(data_actions=["x"])]),
    "delete-role": lambda c: c.delete_role_definition("/", NAME),
    "list-roles": lambda c: collect(c.list_role_definitions("/")),
    "get-assignment": lambda c: c.get_role_assignment("/", NAME),
    "create-assignment": lambda c: c.create_role_assignment("/", DEFINITION_ID, "p", name=NAME),
    "delete-assignment": lambda c: c.delete_role_assignment("/", NAME),
    "list-assignments": lambda c: collect(c.list_role_assignments("/")),
}
HEADERS = ("Accept", "Content-Type", "Content-Length", "Authorization")


def sent(request):
    """Describe a request: where, which of the headers that matter, and its JSON."""
    url, _, query = request.url.partition("?")
    path = "/" + url.split("/", 3)[3]
    query = [f"{name}={value}" for name, value in parse_qsl(query, True) if name != "api-version"]
    return [request.method, path.replace(NAME, "NAME"), query, {name: request.headers.get(name) for name in HEADERS}, request.content]


async def wire(act, kind="access", script=(), **options):
    hsm = Hsm(*script)
    result = await attempt(act(getattr(hsm, kind)(**options)))
    return [hsm.seen, hsm.bodies, result]


behaviour("result", OPERATIONS)(lambda act: wire(act))


@behaviour("headers", OPERATIONS)
async def headers(act):
    hsm = Hsm()
    await act(hsm.access())
    return [sent(request)[3] for request in hsm.authorized_requests]


@behaviour("headers-names", OPERATIONS)
async def header_names(act):
    hsm = Hsm()
    await act(hsm.access())
    return sorted(name.lower() for name in hsm.requests[-1].headers)


@behaviour("body-text", {name: OPERATIONS[name] for name in ("set-role", "create-assignment")})
async def body_text(act):
    hsm = Hsm()
    await act(hsm.access())
    return hsm.requests[-1].content


@behaviour("probe", OPERATIONS)
async def probe(act):
    hsm = Hsm()
    await act(hsm.access())
    return [hsm.seen, hsm.requests[0].content, hsm.requests[0].method]


SCOPES = {
    "slash": "/", "member": KeyVaultRoleScope.GLOBAL, "keys": "/keys", "keys-member": KeyVaultRoleScope.KEYS, "key": "/keys/k",
    "no-slash": "keys/k", "end-slash": "/keys/", "double-slash": "//keys", "upper": "/KEYS", "three": "/keys/k/v",
}
ODD_SCOPES = {
    "empty": "", "none": None, "blank": " ", "query": "/keys?x=1", "fragment": "/keys#x", "percent": "/keys/%41", "blank-inside": "/keys/a b",
    "dots": "/keys/..", "url": "https://contoso.managedhsm.azure.net/keys", "number": 5, "newline": "/keys\n", "non-ascii": "/keys/ö",
}
for kind, table in (("scope", SCOPES), ("scope-odd", ODD_SCOPES)):
    behaviour(f"{kind}/get", table)(lambda scope: wire(lambda c: c.get_role_assignment(scope, NAME)))
    behaviour(f"{kind}/list", table)(lambda scope: wire(lambda c: collect(c.list_role_definitions(scope))))
behaviour("scope/create", SCOPES)(lambda scope: wire(lambda c: c.create_role_assignment(scope, DEFINITION_ID, "p", name=NAME)))

NAMES = {"text": NAME, "uuid": UUID, "upper": NAME.upper(), "no-uuid": "my-name", "slash": "a/b", "blank-inside": "a b", "percent": "a%41", "non-ascii": "ö"}
ODD_NAMES = {"empty": "", "blank": " ", "none": None, "number": 5, "blanks-around": f" {NAME} ", "dots": "..", "bytes": b"x"}
ALL = {"get-role": lambda c, n: c.get_role_definition("/", n), "delete-role": lambda c, n: c.delete_role_definition("/", n),
       "get-assignment": lambda c, n: c.get_role_assignment("/", n), "delete-assignment": lambda c, n: c.delete_role_assignment("/", n)}
for kind, table in (("name", NAMES), ("name-odd", ODD_NAMES)):
    for operation, act in ALL.items():
        behaviour(f"{kind}/{operation}", table)(lambda name, act=act: wire(lambda c: act(c, name)))


def without_made_up(requests):
    """Replace a name that was made up by what it is."""
    path = requests[-1].url.partition("?")[0].rpartition("/")[2]
    return str(uuid.UUID(path)) == path and uuid.UUID(path).version


MAKERS = {"assignment": lambda c, **o: c.create_role_assignment("/", DEFINITION_ID, "p", **o), "role": lambda c, **o: c.set_role_definition("/", **o)}


@behaviour("name-made-up", {f"{kind}-{form}": (act, options) for kind, act in MAKERS.items()
                            for form, options in {"left-out": {}, "none": {"name": None}, "empty": {"name": ""}}.items()})
async def made_up(act, options):
    hsm = Hsm()
    await act(hsm.access(), **options)
    return without_made_up(hsm.requests)


MADE_NAMES = {f"{kind}-{form}": (act, value) for kind, act in MAKERS.items() for form, value in {"text": NAME, "uuid": UUID, "no-uuid": "x"}.items()}
behaviour("name-given", MADE_NAMES)(lambda act, name: wire(lambda c: act(c, name=name)))
behaviour("name-given-odd", {f"{kind}-{form}": (act, value) for kind, act in MAKERS.items() for form, value in {"number": 5, "blank": " "}.items()})(
    lambda act, name: wire(lambda c: act(c, name=name)))

IDS = {"plain": (DEFINITION_ID, "p"), "upper": (DEFINITION_ID.upper(), "P"), "uuid-principal": (DEFINITION_ID, UUID), "leading-slash": (f"/{DEFINITION_ID}", "p")}
ODD_IDS = {"empty-definition": ("", "p"), "empty-principal": (DEFINITION_ID, ""), "blank-definition": (" ", "p"), "none-definition": (None, "p"), "none-principal": (DEFINITION_ID, None),
           "number-definition": (5, "p"), "number-principal": (DEFINITION_ID, 5), "uuid-definition": (UUID, "p")}
behaviour("assign", IDS)(lambda definition, principal: wire(lambda c: c.create_role_assignment("/", definition, principal, name=NAME)))
behaviour("assign-odd", ODD_IDS)(lambda definition, principal: wire(lambda c: c.create_role_assignment("/", definition, principal, name=NAME)))

P = KeyVaultPermission


class Duck:
    actions, not_actions, data_actions, not_data_actions = None, None, ["a"], []


ROLES = {
    "nothing": {}, "role-name": {"role_name": "r"}, "description": {"description": "d"}, "empty-texts": {"role_name": "", "description": ""},
    "nones": {"role_name": None, "description": None, "permissions": None, "assignable_scopes": None},
    "no-permissions": {"permissions": []}, "empty-permission": {"permissions": [P()]}, "two-permissions": {"permissions": [P(actions=["a"]), P(data_actions=["b"])]},
    "all-actions": {"permissions": [P(actions=["a"], not_actions=["b"], data_actions=["c"], not_data_actions=["d"])]},
    "empty-lists": {"permissions": [P(actions=[], not_actions=[], data_actions=[], not_data_actions=[])]},
    "member-action": {"permissions": [P(data_actions=[KeyVaultDataAction.READ_HSM_KEY, "own/action"])]},
    "scopes": {"assignable_scopes": ["/", "/keys"]}, "member-scope": {"assignable_scopes": [KeyVaultRoleScope.GLOBAL]}, "no-scopes": {"assignable_scopes": []},
    "duck-permission": {"permissions": [Duck()]}, "tuple-permissions": {"permissions": (P(),)}, "tuple-scopes": {"assignable_scopes": ("/",)},
    "generator": {"permissions": (P() for _ in range(1))}, "tuple-actions": {"permissions": [P(data_actions=("a",))]},
    "long-name": {"role_name": "x" * 300}, "non-ascii": {"role_name": "ö\U0001f511"}, "quotes": {"description": '"\\\n'},
}
ODD_ROLES = {
    "number-name": {"role_name": 5}, "number-description": {"description": 5}, "string-permissions": {"permissions": "x"}, "number-permissions": {"permissions": 5},
    "string-permission": {"permissions": ["x"]}, "none-permission": {"permissions": [None]}, "dict-permission": {"permissions": [{"dataActions": ["a"]}]},
    "one-permission": {"permissions": P()}, "string-scopes": {"assignable_scopes": "/"}, "number-scopes": {"assignable_scopes": [5]}, "none-scope": {"assignable_scopes": [None]},
    "none-action": {"permissions": [P(data_actions=[None])]}, "number-action": {"permissions": [P(data_actions=[5])]}, "string-actions": {"permissions": [type("D", (Duck,), {"data_actions": "abc"})()]},
}
behaviour("set-role", ROLES)(lambda options: wire(lambda c: c.set_role_definition("/", name=NAME, **options)))
behaviour("set-role-odd", ODD_ROLES)(lambda options: wire(lambda c: c.set_role_definition("/", name=NAME, **options)))

CALLS = {
    "role-needs-scope": lambda c: c.set_role_definition(), "role-name-positional": lambda c: c.set_role_definition("/", NAME),
    "assignment-name-positional": lambda c: c.create_role_assignment("/", "d", "p", NAME), "get-needs-name": lambda c: c.get_role_definition("/"),
    "keywords": lambda c: c.get_role_definition(scope="/", name=NAME), "wrong-keyword": lambda c: c.get_role_definition(role_scope="/", role_name=NAME),
    "list-keyword": lambda c: collect(c.list_role_assignments(scope="/")), "assignment-keywords": lambda c: c.create_role_assignment(scope="/", definition_id="d", principal_id="p", name=NAME),
    "old-assignment-keywords": lambda c: c.create_role_assignment(role_scope="/", role_definition_id="d", principal_id="p"), "list-positional": lambda c: collect(c.list_role_definitions("/", "x")),
}
behaviour("call", CALLS)(lambda act: wire(act))


# What a response makes.
def changed(base, **members):
    return {**base, "properties": {**base["properties"], **members}}


ROLE_BODIES = {
    "null-members": {"id": None, "name": None, "type": None, "properties": None}, "empty": {}, "only-name": {"name": "n"}, "extra": {**ROLE, "more": 1},
    "null-permissions": changed(ROLE, permissions=None), "no-permissions": changed(ROLE, permissions=[]), "no-scopes": changed(ROLE, assignableScopes=[]),
    "null-scopes": changed(ROLE, assignableScopes=None), "empty-properties": {**ROLE, "properties": {}}, "empty-permission": changed(ROLE, permissions=[{}]),
    "built-in": changed(ROLE, type="AKVBuiltInRole"), "custom": changed(ROLE, type="CustomRole"), "unknown-type": changed(ROLE, type="NewRole"), "null-type": changed(ROLE, type=None),
    "known-scopes": changed(ROLE, assignableScopes=["/", "/keys", "/keys/k"]), "upper-scope": changed(ROLE, assignableScopes=["/KEYS"]),
    "unknown-action": changed(ROLE, permissions=[{"dataActions": ["own/action"]}]), "upper-action": changed(ROLE, permissions=[{"dataActions": ["MICROSOFT.KEYVAULT/managedHsm/keys/create"]}]),
    "plain-actions": changed(ROLE, permissions=[{"actions": ["Microsoft.KeyVault/managedHsm/keys/create"]}]),
    "unknown-resource-type": {**ROLE, "type": "Microsoft.Authorization/other"}, "null-permission": changed(ROLE, permissions=[None]), "null-actions": changed(ROLE, permissions=[{"actions": None, "dataActions": None}]),
    "new-actions": changed(ROLE, permissions=[{"dataActions": ["Microsoft.KeyVault/managedHsm/keys/rotate/action", "Microsoft.KeyVault/managedHsm/settings/read/action"]}]),
}
ASSIGNMENT_BODIES = {
    "null-members": {"id": None, "name": None, "type": None, "properties": None}, "empty": {}, "extra": {**ASSIGNMENT, "more": 1}, "empty-properties": {**ASSIGNMENT, "properties": {}},
    "keys": changed(ASSIGNMENT, scope="/keys"), "key": changed(ASSIGNMENT, scope="/keys/k"), "null-scope": changed(ASSIGNMENT, scope=None), "unknown-type": {**ASSIGNMENT, "type": "other"},
    "null-principal": changed(ASSIGNMENT, principalId=None),
}
ODD_BODIES = {
    "number-name": {**ROLE, "name": 5}, "list": [], "null": None, "text": "text", "number": 5, "string-properties": {**ROLE, "properties": "x"}, "object-permissions": changed(ROLE, permissions={}),
    "string-permission": changed(ROLE, permissions=["x"]), "string-actions": changed(ROLE, permissions=[{"dataActions": "x"}]), "list-properties": {**ROLE, "properties": []},
}
TEXTS = {
    "empty": "", "html": ("<html>", {"Content-Type": "text/html"}), "half": '{"name": "n"', "bom": ('\ufeff{"name": "n"}', {"Content-Type": "application/json"}), "no-type": ('{"name": "n"}', {}),
    "text-type": ('{"name": "n"}', {"Content-Type": "text/plain"}), "charset": ('{"name": "n"}', {"Content-Type": "application/json; charset=utf-8"}), "odd-type": ('{"name": "n"}', {"Content-Type": "application/problem+json"}),
    "html-type": ('{"name": "n"}', {"Content-Type": "text/html"}), "bad-utf8": (b'{"name": "\xff"}', {"Content-Type": "application/json"}), "xml": ("<a/>", {"Content-Type": "application/xml"}),
}
behaviour("role-of", ROLE_BODIES)(lambda body: wire(lambda c: c.get_role_definition("/", NAME), script=[(200, body)]))
behaviour("role-of-list", ROLE_BODIES)(lambda body: wire(lambda c: collect(c.list_role_definitions("/")), script=[(200, {"value": [body]})]))
behaviour("role-set-of", {name: ROLE_BODIES[name] for name in ("custom", "empty", "known-scopes")})(lambda body: wire(lambda c: c.set_role_definition("/", name=NAME), script=[(201, body)]))
behaviour("assignment-of", ASSIGNMENT_BODIES)(lambda body: wire(lambda c: c.get_role_assignment("/", NAME), script=[(200, body)]))
behaviour("assignment-of-list", ASSIGNMENT_BODIES)(lambda body: wire(lambda c: collect(c.list_role_assignments("/")), script=[(200, {"value": [body]})]))
behaviour("assignment-created-of", {name: ASSIGNMENT_BODIES[name] for name in ("keys", "empty")})(lambda body: wire(lambda c: c.create_role_assignment("/", "d", "p", name=NAME), script=[(201, body)]))
behaviour("body-odd", ODD_BODIES)(lambda body: wire(lambda c: c.get_role_definition("/", NAME), script=[(200, body)]))
behaviour("body-text-of", TEXTS)(lambda given: wire(lambda c: c.get_role_definition("/", NAME), script=[(200, *(given if isinstance(given, tuple) and len(given) == 2 else (given, {})))]))
for name in ("delete-role", "delete-assignment"):
    behaviour(f"{name}-body", {"empty": (200, ""), "null": (200, None), "html": (200, "<html>", {"Content-Type": "text/html"}), "list": (200, []), "204": (204, "")})(
        lambda *reply, name=name: wire(OPERATIONS[name], script=[reply]))


# Pages.
def pages(*bodies):
    return [(200, body) for body in bodies]


LINK = "/providers/Microsoft.Authorization/roleDefinitions?$skiptoken=a%2Fb"
ONE, TWO = {"value": [ROLE]}, {"value": [ROLE, ROLE]}
LINKS = {
    "none": None, "empty": "", "relative": LINK, "relative-no-slash": LINK[1:], "no-query": LINK.partition("?")[0],
    "with-version": f"{LINK}&api-version=7.2", "plus": f"{LINK}+x", "twice": f"{LINK}&x=1&x=2", "blank-value": f"{LINK}&x=", "fragment": f"{LINK}#x",
}
behaviour("next-link", LINKS)(lambda link: listed(lambda _: link))
behaviour("next-link-absolute", {name: link for name, link in LINKS.items() if link and link.startswith("/")})(lambda link: listed(lambda hsm: hsm.url + link))
behaviour("next-link-other-origin", {"host": "https://evil.example/x", "port": ":8443/x", "http": "http"})(
    lambda link: listed(lambda hsm: link if "/" in link and link.startswith("https") else hsm.url + link if link[0] == ":" else hsm.url.replace("https", "http") + LINK))
behaviour("next-link-odd", {"number": 5, "list": [], "object": {}, "true": True})(lambda link: listed(lambda _: link))


async def listed(make_link):
    hsm = Hsm()
    hsm.script += [(200, {"value": [ROLE], "nextLink": make_link(hsm)}), (200, {"value": [ROLE]})]
    result = await attempt(collect(hsm.access().list_role_definitions("/")))
    return [[sent(request)[:3] for request in hsm.authorized_requests], len(result) if isinstance(result, list) else result]


PAGES = {
    "empty": ({"value": []},), "null": ({"value": None},), "no-value": ({},), "two": ({**ONE, "nextLink": LINK}, TWO), "empty-between": ({"value": [], "nextLink": LINK}, {"value": [], "nextLink": LINK}, ONE),
    "null-item": ({"value": [None]},), "number-item": ({"value": [5]},), "object-value": ({"value": {}},), "string-value": ({"value": "x"},), "null-page": (None,), "list-page": ([ROLE],), "upper-link": ({**ONE, "NextLink": LINK},),
}


@behaviour("pages", PAGES)
async def paged(*bodies):
    hsm = Hsm(*pages(*bodies))
    found = []
    error = None
    try:
        async for page in hsm.access().list_role_definitions("/").by_page():
            found.append(len([item async for item in page]))
    except Exception as raised:
        error = raised
    return [found, hsm.seen[1:], error]


@behaviour("page-error-second", {str(status): status for status in (401, 403, 404, 500)})
async def second_page(status):
    hsm = Hsm((200, {**ONE, "nextLink": LINK}), *[(status, FAILURE)] * 9)
    found = []
    try:
        async for item in hsm.access().list_role_definitions("/"):
            found.append(item.name)
    except Exception as raised:
        return [found, raised, len(hsm.seen)]


@behaviour("by-page-token")
async def by_page_token():
    hsm = Hsm((200, {**ONE, "nextLink": LINK}), (200, TWO))
    first = hsm.access().list_role_definitions("/").by_page()
    page = await first.__anext__()
    token = first.continuation_token
    hsm.script = [(200, TWO)]
    rest = [len([item async for item in page]) async for page in hsm.access().list_role_definitions("/").by_page(token)]
    return [len([item async for item in page]), token, rest, hsm.seen]


TOKENS = {"none": None, "empty": "", "link": LINK, "junk": "junk"}


@behaviour("by-page-from", TOKENS)
async def by_page_from(token):
    hsm = Hsm()
    paged = hsm.access().list_role_definitions("/").by_page(continuation_token=token)
    return [[len([item async for item in page]) async for page in paged], hsm.seen]


@behaviour("by-page-token-at-end")
async def token_at_end():
    hsm = Hsm()
    paged = hsm.access().list_role_definitions("/").by_page()
    before = paged.continuation_token
    async for page in paged:
        pass
    return [before, paged.continuation_token]


@behaviour("list-lazy")
async def lazy():
    hsm = Hsm()
    hsm.access().list_role_definitions("/")
    return hsm.seen


@behaviour("list-type")
async def list_type():
    paged = Hsm().access().list_role_definitions("/")
    page = [page async for page in Hsm().access().list_role_definitions("/").by_page()][0]
    return [[base.__name__ for base in type(paged).__mro__], hasattr(page, "__aiter__"), type(page).__name__]


@behaviour("list-iterated-twice")
async def iterated_twice():
    hsm = Hsm()
    paged = hsm.access().list_role_definitions("/")
    return [len(await collect(paged)), len(await collect(paged)), len(hsm.seen)]


@behaviour("list-after-end")
async def after_end():
    paged = Hsm().access().list_role_definitions("/")
    await collect(paged)
    return await attempt(paged.__anext__())


@behaviour("list-not-awaitable")
async def not_awaitable():
    return await Hsm().access().list_role_definitions("/")


FILTERS = {"text": "principalId eq 'p'", "none": None, "empty": ""}
behaviour("list-filter", FILTERS)(lambda text: wire(lambda c: collect(c.list_role_assignments("/", filter=text))))
behaviour("list-definitions-filter", FILTERS)(lambda text: wire(lambda c: collect(c.list_role_definitions("/", filter=text))))


@behaviour("list-filter-next-page")
async def filter_next():
    hsm = Hsm((200, {**ONE, "nextLink": LINK}))
    await collect(hsm.access().list_role_definitions("/", filter="x"))
    return hsm.seen


BUILT_IN = changed(ROLE, type="AKVBuiltInRole", assignableScopes=["/", "/keys", "/keys/k"], permissions=[{"actions": ["Microsoft.KeyVault/managedHsm/keys/create"], "dataActions": ["Microsoft.KeyVault/managedHsm/keys/create", "own/action"]}])
MEMBERS = {
    "role-type": lambda role: role.role_type, "type": lambda role: role.type, "scopes": lambda role: role.assignable_scopes,
    "data-actions": lambda role: role.permissions[0].data_actions, "actions": lambda role: role.permissions[0].actions,
}


@behaviour("member", {**MEMBERS})
async def members(read):
    return member(read(await Hsm((200, BUILT_IN)).access().get_role_definition("/", NAME)))


@behaviour("member-unknown", {"role-type": "role_type", "type": "type"})
async def unknown_member(name):
    body = {**changed(ROLE, type="New"), "type": "New"}
    return member(getattr(await Hsm((200, body)).access().get_role_definition("/", NAME), name))


@behaviour("member-other-case", {"role-type": "role_type", "type": "type"})
async def other_case(name):
    body = {**changed(ROLE, type="CUSTOMROLE"), "type": ROLE["type"].upper()}
    return member(getattr(await Hsm((200, body)).access().get_role_definition("/", NAME), name))


@behaviour("member-of-assignment", {"type": lambda one: one.type, "scope": lambda one: one.properties.scope})
async def assignment_member(read):
    return member(read(await Hsm().access().get_role_assignment("/", NAME)))
