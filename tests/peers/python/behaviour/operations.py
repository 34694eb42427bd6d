"""Each operation of access control: what it puts on the wire, and what it makes of a response."""

import uuid
from enum import Enum

from azure.keyvault.administration import KeyVaultDataAction, KeyVaultPermission, KeyVaultRoleScope

from .bench import (
    ASSIGNMENT,
    DEFINITION_ID,
    FAILURE,
    NAME,
    ROLE,
    Hsm,
    attempt,
    behaviour,
    changed,
    chosen,
    collect,
    plain,
)

P = KeyVaultPermission
OPERATIONS = {
    "get-role": lambda c, scope="/", name=NAME, **o: c.get_role_definition(scope, name, **o),
    "set-role": lambda c, scope="/", name=NAME, **o: c.set_role_definition(scope, name=name, role_name="r", **o),
    "delete-role": lambda c, scope="/", name=NAME, **o: c.delete_role_definition(scope, name, **o),
    "list-roles": lambda c, scope="/", **o: collect(c.list_role_definitions(scope, **o)),
    "get-assignment": lambda c, scope="/", name=NAME, **o: c.get_role_assignment(scope, name, **o),
    "create-assignment": lambda c, scope="/", name=NAME, **o: c.create_role_assignment(
        scope, DEFINITION_ID, "p", name=name, **o
    ),
    "delete-assignment": lambda c, scope="/", name=NAME, **o: c.delete_role_assignment(scope, name, **o),
    "list-assignments": lambda c, scope="/", **o: collect(c.list_role_assignments(scope, **o)),
}
NAMED = {name: act for name, act in OPERATIONS.items() if "list" not in name}


async def wire(act, *script, **options):
    """Return what an operation sent with a token, and its result."""
    hsm = Hsm(*script)
    result = await attempt(act(hsm.access(), **options))
    return [[each for each in hsm.seen if "(no token)" not in each], hsm.bodies, result]


async def got(body, operation="get-role", status=200, headers=None):
    """Return what an operation makes of a response."""
    return (await wire(OPERATIONS[operation], (status, body, headers)))[2]


behaviour("operation", OPERATIONS)(wire)


@behaviour("operation-headers", OPERATIONS)
async def headers(act):
    hsm = Hsm()
    await act(hsm.access())
    names = ("Accept", "Content-Type", "Authorization")
    return [{name: request.headers.get(name) for name in names} for request in hsm.authorized]


@behaviour("operation-probe", OPERATIONS)
async def probe(act):
    hsm = Hsm()
    await act(hsm.access())
    return [hsm.seen, hsm.requests[0].content]


SCOPES = {
    "global": "/",
    "global-member": KeyVaultRoleScope.GLOBAL,
    "keys": "/keys",
    "keys-member": KeyVaultRoleScope.KEYS,
    "key": "/keys/k",
    "no-slash": "keys/k",
    "two-slashes": "//keys",
    "upper": "/KEYS",
}
ODD_SCOPES = {
    "slash-at-the-end": "/keys/",
    "query": "/keys?x=1",
    "fragment": "/keys#x",
    "percent": "/keys/%41",
    "blank-inside": "/keys/a b",
    "newline": "/keys\n",
    "dots": "/keys/..",
    "url": "https://contoso.managedhsm.azure.net/keys",
}
for operation in ("get-role", "set-role", "create-assignment", "list-assignments"):
    behaviour("scope", {operation: OPERATIONS[operation]}, SCOPES)(lambda act, scope: wire(act, scope=scope))
behaviour("odd-scope", ODD_SCOPES)(lambda scope: wire(OPERATIONS["get-assignment"], scope=scope))
behaviour("scope-none")(lambda: wire(OPERATIONS["get-assignment"], scope=None))

NAMES = {
    "text": NAME,
    "uuid": uuid.UUID(NAME),
    "upper": NAME.upper(),
    "plain": "my-name",
    "slash": "a/b",
    "blank-inside": "a b",
    "percent": "a%41",
    "non-ascii": "ö",
}
behaviour("name", NAMED, NAMES)(lambda act, name: wire(act, name=name))
READ_OR_DELETE = chosen(NAMED, "get-role delete-role get-assignment delete-assignment")
for code, names in {
    "blank-argument": {"empty": "", "blank": " ", "none": None},
    "odd-name": {"dots": ".."},
    "integer-name": {"number": 5},
    "wrong-type": {"bytes": b"x"},
}.items():
    behaviour(
        code,
        {
            f"{operation}-name-{case}": (READ_OR_DELETE[operation], names[case])
            for operation in READ_OR_DELETE
            for case in names
        },
    )(lambda act, name: wire(act, name=name))
MAKERS = chosen(NAMED, "set-role create-assignment")
behaviour("integer-name", {f"{operation}-name": act for operation, act in MAKERS.items()})(
    lambda act: wire(act, name=5)
)
behaviour("blank-argument", {f"{operation}-name-empty": act for operation, act in MAKERS.items()})(
    lambda act: made_name(act, "")
)
behaviour("name-of-blanks", {f"{operation}": act for operation, act in READ_OR_DELETE.items()})(
    lambda act: wire(act, name=f" {NAME} ")
)
behaviour("name-made-up", MAKERS)(lambda act: made_name(act, None))


async def made_name(act, given):
    """Return what kind of a UUID an operation makes up."""
    hsm = Hsm()
    await act(hsm.access(), name=given)
    name = hsm.requests[-1].url.partition("?")[0].rpartition("/")[2]
    return uuid.UUID(name).version if str(uuid.UUID(name)) == name else name


behaviour("blank-argument/scope", {"empty": "", "blank": " "})(lambda scope: wire(OPERATIONS["get-role"], scope=scope))


async def assign(definition, principal):
    return await wire(lambda client: client.create_role_assignment("/", definition, principal, name=NAME))


behaviour(
    "assign",
    {"plain": (DEFINITION_ID, "p"), "upper": (DEFINITION_ID.upper(), "P"), "slash": (f"/{DEFINITION_ID}", "p")},
)(assign)
behaviour(
    "blank-argument/assign",
    {
        "no-definition": ("", "p"),
        "no-principal": (DEFINITION_ID, ""),
        "definition-blank": (" ", "p"),
        "definition-none": (None, "p"),
        "principal-none": (DEFINITION_ID, None),
    },
)(assign)
behaviour("wrong-type/assign", {"definition": (5, "p"), "principal": (DEFINITION_ID, 5)})(assign)
behaviour("uuid-principal")(lambda: assign(DEFINITION_ID, uuid.UUID(NAME)))

DUCK = type("Duck", (), {"actions": None, "not_actions": None, "data_actions": ["a"], "not_data_actions": []})
ROLES = {
    "nothing": {},
    "role-name": {"role_name": "r"},
    "description": {"description": "d"},
    "empty-texts": {"role_name": "", "description": ""},
    "nones": {"role_name": None, "description": None, "permissions": None, "assignable_scopes": None},
    "no-permissions": {"permissions": []},
    "empty-permission": {"permissions": [P()]},
    "two-permissions": {"permissions": [P(actions=["a"]), P(data_actions=["b"])]},
    "all-actions": {"permissions": [P(actions=["a"], not_actions=["b"], data_actions=["c"], not_data_actions=["d"])]},
    "empty-lists": {"permissions": [P(actions=[], not_actions=[], data_actions=[], not_data_actions=[])]},
    "member": {"permissions": [P(data_actions=[KeyVaultDataAction.READ_HSM_KEY, "own/action"])]},
    "scopes": {"assignable_scopes": ["/", "/keys"]},
    "scope-member": {"assignable_scopes": [KeyVaultRoleScope.GLOBAL]},
    "no-scopes": {"assignable_scopes": []},
    "like-a-permission": {"permissions": [DUCK()]},
    "tuples": {"permissions": (P(),), "assignable_scopes": ("/",)},
    "tuple-of-actions": {"permissions": [P(data_actions=("a",))]},
    "generator": {"permissions": iter([P()])},
    "non-ascii": {"role_name": "ö\U0001f511"},
    "quotes": {"description": '"\\\n'},
    "long": {"role_name": "x" * 300},
    "number": {"role_name": 5, "description": 5},
    "none-action": {"permissions": [P(data_actions=[None])]},
    "number-action": {"permissions": [P(data_actions=[5])]},
}
WRONG_ROLES = {
    "permissions-text": {"permissions": "x"},
    "permission-text": {"permissions": ["x"]},
    "permission-none": {"permissions": [None]},
    "permission-dict": {"permissions": [{"dataActions": ["a"]}]},
    "scopes-text": {"assignable_scopes": "/"},
    "scopes-number": {"assignable_scopes": [5]},
    "scopes-none": {"assignable_scopes": [None]},
    "actions-text": {"permissions": [type("Text", (DUCK,), {"data_actions": "abc"})()]},
}
for code, table in {"set-role": ROLES, "wrong-type": WRONG_ROLES}.items():
    behaviour(code, table)(lambda options: wire(lambda client: client.set_role_definition("/", name=NAME, **options)))

CALLS = {
    "set-role-without-scope": lambda c: c.set_role_definition(),
    "set-role-name-by-position": lambda c: c.set_role_definition("/", NAME),
    "create-name-by-position": lambda c: c.create_role_assignment("/", "d", "p", NAME),
    "get-without-name": lambda c: c.get_role_definition("/"),
    "get-by-keywords": lambda c: c.get_role_definition(scope="/", name=NAME),
    "get-by-wrong-keywords": lambda c: c.get_role_definition(role_scope="/", role_name=NAME),
    "create-by-keywords": lambda c: c.create_role_assignment(scope="/", definition_id="d", principal_id="p", name=NAME),
    "list-by-keyword": lambda c: collect(c.list_role_assignments(scope="/")),
    "list-by-two-positions": lambda c: collect(c.list_role_definitions("/", "x")),
}
behaviour("call", CALLS)(wire)

ROLE_BODIES = {
    "only-lists": {"properties": {"permissions": [], "assignableScopes": []}},
    "more": {**ROLE, "more": 1},
    "no-permissions": changed(ROLE, permissions=[]),
    "no-scopes": changed(ROLE, assignableScopes=[]),
    "built-in": changed(ROLE, type="AKVBuiltInRole"),
    "unknown-type": changed(ROLE, type="New"),
    "null-texts": changed(ROLE, roleName=None, description=None, type=None),
    "scopes": changed(ROLE, assignableScopes=["/", "/keys", "/keys/k"]),
    "null-permissions": changed(ROLE, permissions=None),
    "unknown-resource-type": {**ROLE, "type": "other"},
}
MISSING_LISTS = {
    "nothing": {},
    "nulls": {"id": None, "name": None, "type": None, "properties": None},
    "no-properties": {"name": "n"},
    "empty-properties": {**ROLE, "properties": {}},
    "null-scopes": changed(ROLE, assignableScopes=None),
    "empty-permission": changed(ROLE, permissions=[{}]),
    "null-actions": changed(ROLE, permissions=[{"actions": None, "dataActions": None}]),
}
behaviour("role-of", ROLE_BODIES)(got)
behaviour("role-of-list", ROLE_BODIES)(lambda body: got({"value": [body]}, "list-roles"))
behaviour("missing-lists", MISSING_LISTS)(got)
behaviour("missing-lists/list", MISSING_LISTS)(lambda body: got({"value": [body]}, "list-roles"))
ASSIGNMENT_BODIES = {
    "nothing": {},
    "nulls": {"id": None, "name": None, "type": None, "properties": None},
    "more": {**ASSIGNMENT, "more": 1},
    "empty-properties": {**ASSIGNMENT, "properties": {}},
    "keys": changed(ASSIGNMENT, scope="/keys"),
    "key": changed(ASSIGNMENT, scope="/keys/k"),
    "null-members": changed(ASSIGNMENT, scope=None, principalId=None),
    "unknown-type": {**ASSIGNMENT, "type": "other"},
}
behaviour("assignment-of", ASSIGNMENT_BODIES)(lambda body: got(body, "get-assignment"))
behaviour("assignment-of-list", ASSIGNMENT_BODIES)(lambda body: got({"value": [body]}, "list-assignments"))
behaviour("assignment-of-created", chosen(ASSIGNMENT_BODIES, "nothing keys"))(
    lambda body: got(body, "create-assignment", 201)
)
JSON, HTML = {"Content-Type": "application/json"}, {"Content-Type": "text/html"}
TEXT = '{"properties": {"permissions": [], "assignableScopes": []}}'
TYPED = {
    "none": {},
    "text": {"Content-Type": "text/plain"},
    "charset": {"Content-Type": "application/json; charset=utf-8"},
    "problem": {"Content-Type": "application/problem+json"},
}
behaviour("content-type", TYPED)(lambda headers: got(TEXT, headers=headers))
behaviour("byte-order-mark")(lambda: got(f"\ufeff{TEXT}", headers=JSON))
ODD_BODIES = {
    "empty": "",
    "null": None,
    "list": [],
    "number": 5,
    "text": '"text"',
    "properties-text": {**ROLE, "properties": "x"},
    "permissions-object": changed(ROLE, permissions={}),
    "permission-text": changed(ROLE, permissions=["x"]),
    "permission-null": changed(ROLE, permissions=[None]),
    "name-number": {**ROLE, "name": 5},
}
behaviour("odd-body", ODD_BODIES)(got)
NOT_JSON = {"html": ("<html>", JSON), "half": ('{"name":', JSON)}
NOT_TEXT = {"html": ("<html>", HTML), "not-utf-8": (b'{"name": "\xff"}', JSON)}


@behaviour("body-that-is-not-json", NOT_JSON)
@behaviour("broken-body", NOT_TEXT)
async def broken(body, headers):
    return await got(body, headers=headers)


DELETED = {"empty": ("", None), "null": (None, None), "list": ([], None), "html": ("<html>", HTML)}
behaviour(
    "deleted-body",
    {
        f"{operation}-{case}": (*DELETED[case], operation)
        for operation in ("delete-role", "delete-assignment")
        for case in DELETED
    },
)(lambda body, headers, operation: got(body, operation, headers=headers))


def member(value):
    """Tell whether strings are members, and of what."""
    if isinstance(value, list):
        return [member(each) for each in value]
    return ["member" if isinstance(value, Enum) else "text", plain(value)]


KNOWN = changed(
    ROLE,
    type="AKVBuiltInRole",
    assignableScopes=["/", "/keys", "/keys/k"],
    permissions=[
        {
            "actions": ["Microsoft.KeyVault/managedHsm/keys/create"],
            "dataActions": ["Microsoft.KeyVault/managedHsm/keys/create", "own"],
        }
    ],
)
MEMBERS = {
    "role-type": lambda role: role.role_type,
    "type": lambda role: role.type,
    "scopes": lambda role: role.assignable_scopes,
    "data-actions": lambda role: role.permissions[0].data_actions,
    "actions": lambda role: role.permissions[0].actions,
}


@behaviour("member-of-role", MEMBERS)
async def members(read):
    return member(read(await Hsm((200, KNOWN)).access().get_role_definition("/", NAME)))


@behaviour("unknown-member", MEMBERS)
async def unknown_members(read):
    body = {
        **changed(KNOWN, type="New", assignableScopes=["x"], permissions=[{"actions": ["x"], "dataActions": ["x"]}]),
        "type": "New",
    }
    return member(read(await Hsm((200, body)).access().get_role_definition("/", NAME)))


@behaviour("member-of-assignment", {"type": lambda one: one.type, "scope": lambda one: one.properties.scope})
async def assignment_members(read):
    return member(read(await Hsm().access().get_role_assignment("/", NAME)))


# Pages.
PATH = "/providers/Microsoft.Authorization/roleDefinitions"
LINK = f"{PATH}?$skiptoken=a%2Fb"
ONE, TWO = {"value": [ROLE]}, {"value": [ROLE, ROLE]}


async def listed(*script, by_page=None, **options):
    """Return what a list holds page by page, and what it asked for."""
    hsm = Hsm(*[reply if isinstance(reply, tuple) else (200, reply) for reply in script])
    sizes = []

    async def read():
        async for page in hsm.access().list_role_definitions("/", **options).by_page(*by_page or ()):
            sizes.append(len(await collect(page)))  # noqa: PERF401 - those before an error count

    error = await attempt(read())
    return [sizes, [each for each in hsm.seen if "(no token)" not in each], error]


async def linked(make_link):
    """Return what a list asks for when its first page has a link."""
    hsm = Hsm()
    hsm.script = [(200, {**ONE, "nextLink": make_link(hsm.url)}), (200, TWO)]
    result = await attempt(collect(hsm.access().list_role_definitions("/")))
    return [
        [each.replace("https://evil.example", "EVIL") for each in hsm.seen],
        len(result) if isinstance(result, list) else result,
    ]


LINKS = {
    "none": lambda _: None,
    "empty": lambda _: "",
    "relative": lambda _: LINK,
    "absolute": lambda url: url + LINK,
    "no-query": lambda url: url + PATH,
    "version": lambda url: f"{url}{LINK}&api-version=7.2",
    "plus": lambda url: f"{url}{LINK}%2B",
    "twice": lambda url: f"{url}{LINK}&x=1&x=2",
    "fragment": lambda url: f"{url}{LINK}#x",
}
OTHER_ORIGINS = {
    "host": lambda _: f"https://evil.example{LINK}",
    "port": lambda url: f"{url}:8443{LINK}",
    "http": lambda url: url.replace("https", "http") + LINK,
}
behaviour("next-link", LINKS)(linked)
behaviour("other-origin/next-link", OTHER_ORIGINS)(linked)
behaviour("odd-page/next-link", {"number": 5, "true": True})(lambda link: linked(lambda _: link))
behaviour(
    "pages",
    {
        "empty": ({"value": []},),
        "no-value": ({},),
        "two": ({**ONE, "nextLink": LINK}, TWO),
        "empty-between": ({"value": [], "nextLink": LINK}, ONE),
        "link-with-other-case": ({**ONE, "NextLink": LINK},),
    },
)(listed)
behaviour(
    "odd-page",
    {
        "null-value": {"value": None},
        "object-value": {"value": {}},
        "text-value": {"value": "x"},
        "null-item": {"value": [None]},
        "number-item": {"value": [5]},
        "null": None,
        "list": [ROLE],
    },
)(listed)
behaviour("second-page-refused", {str(status): status for status in (401, 403, 404, 500)})(
    lambda status: listed({**ONE, "nextLink": LINK}, *[(status, FAILURE)] * 9)
)
behaviour("by-page-of-token", {"none": None, "link": LINK, "junk": "junk", "empty": ""})(
    lambda token: listed(TWO, by_page=(token,))
)
behaviour("list-filter", {"text": "x", "none": None, "empty": ""})(
    lambda text: listed({**ONE, "nextLink": LINK}, TWO, filter=text)
)


@behaviour("list-token")
async def token():
    pages = Hsm((200, {**ONE, "nextLink": LINK}), (200, TWO)).access().list_role_definitions("/").by_page()
    return [pages.continuation_token, *[pages.continuation_token async for _ in pages]]


@behaviour("list-is-lazy")
async def lazy():
    hsm = Hsm()
    paged = hsm.access().list_role_definitions("/")
    return [hsm.seen, len(await collect(paged)), len(await collect(paged)), hasattr(paged, "__await__"), len(hsm.seen)]
