"""Models and enums, without any service."""

import copy
import json
import pickle
import weakref

import azure.keyvault.administration as package
from azure.keyvault.administration import ApiVersion, KeyVaultDataAction, KeyVaultRoleScope

from .bench import ATTRIBUTES, behaviour, plain

PERMISSION = package.KeyVaultPermission
MODELS = {name.removeprefix("KeyVault"): getattr(package, name) for name in ATTRIBUTES}
FILLED = {
    "Permission": {"actions": ["a"], "not_actions": ["b"], "data_actions": ["c"], "not_data_actions": ["d"]},
    "RoleDefinition": {
        **{"id": "i", "name": "n", "role_name": "r", "description": "d", "role_type": "CustomRole", "type": "t"},
        "permissions": [],
        "assignable_scopes": ["/"],
    },
    "RoleAssignment": {"name": "n", "role_assignment_id": "i", "assignment_type": "t", "properties": None},
    "RoleAssignmentProperties": {"principal_id": "p", "role_definition_id": "r", "scope": "/"},
    "BackupResult": {"folder_url": "u"},
}
EACH = {name: (MODELS[name], FILLED[name]) for name in MODELS}

behaviour("model-defaults", EACH)(lambda model, _: model())
behaviour("model-attributes", EACH)(lambda model, values: model(**values))
behaviour("model-unknown-keyword", EACH)(lambda model, values: model(**values, unknown=1))
behaviour("model-positional", EACH)(lambda model, _: model("x"))
behaviour("model-copy", EACH)(lambda model, values: copy.copy(model(**values)))
behaviour("model-deepcopy", EACH)(lambda model, values: copy.deepcopy(model(**values)))
behaviour("model-weakref", EACH)(lambda model, values: type(weakref.ref(model(**values))).__name__)
behaviour("model-self-equal", EACH)(lambda model, values: (lambda one: [one == one, one != one, one in [one]])(model(**values)))
behaviour("model-equal-by-value", EACH)(lambda model, values: model(**values) == model(**values))
behaviour("model-hash-by-value", EACH)(lambda model, values: hash(model(**values)) == hash(model(**values)))
behaviour("model-other-equal", EACH)(lambda model, values: [model(**values) == 1, model(**values) == values])
behaviour("model-hashable", EACH)(lambda model, values: len({model(**values)}))
behaviour("model-vars", EACH)(lambda model, values: sorted(vars(model(**values))))
behaviour("model-class-name", EACH)(lambda model, _: [model.__module__.startswith("azure.keyvault.administration"), model.__qualname__])
behaviour("model-truth", EACH)(lambda model, _: bool(model()))
behaviour("model-no-mapping", EACH)(lambda model, _: [hasattr(model, name) for name in ("get", "keys", "as_dict", "serialize", "__getitem__")])


@behaviour("model-pickle", {f"{name}-{protocol}": (*EACH[name], protocol) for name in EACH for protocol in range(6)})
def pickled(model, values, protocol):
    return pickle.loads(pickle.dumps(model(**values), protocol))


@behaviour("model-set-attribute", EACH)
def set_attributes(model, _):
    one = model()
    names = ATTRIBUTES[f"{model.__name__}"]
    for name in names:
        setattr(one, name, f"new {name}")
    return [getattr(one, name) for name in names]


@behaviour("model-new-attribute", EACH)
def set_new_attribute(model, _):
    one = model()
    one.note = "mine"
    return one.note


@behaviour("model-delete-attribute", EACH)
def delete_attribute(model, values):
    one = model(**values)
    name = ATTRIBUTES[model.__name__][0]
    delattr(one, name)
    return hasattr(one, name)


@behaviour("model-subclass", EACH)
def subclass(model, values):
    class Mine(model):
        def __init__(self, **options):
            super().__init__(**options)
            self.mine = 1

    one = Mine(**values)
    return [one.mine, isinstance(one, model), getattr(one, ATTRIBUTES[model.__name__][0])]


behaviour("model-repr-default", EACH)(lambda model, values: repr(model(**values)).startswith("<"))
behaviour("model-repr-names-class", EACH)(lambda model, values: model.__name__ in repr(model(**values)) or repr(model(**values))[:60])
behaviour("model-str-is-repr", EACH)(lambda model, values: (lambda one: str(one) == repr(one))(model(**values)))

KEPT = ["a", "b"]
ITERABLES = {
    "list": lambda: ["a"], "tuple": lambda: ("a",), "set": lambda: {"a"}, "generator": lambda: (each for each in "ab"),
    "none": lambda: None, "empty": list, "string": lambda: "abc", "number": lambda: 5, "dict": lambda: {"a": 1},
    "numbers": lambda: [1, 2], "nones": lambda: [None], "members": lambda: [KeyVaultDataAction.READ_HSM_KEY],
}
behaviour("permission-keeps-list")(lambda: PERMISSION(data_actions=KEPT).data_actions is KEPT)
behaviour("permission-keeps-not-list")(lambda: PERMISSION(not_data_actions=KEPT).not_data_actions is KEPT)


@behaviour("permission-list-grows")
def grown():
    actions = []
    one = PERMISSION(actions=actions)
    actions.append("later")
    return one.actions


@behaviour("permission-of", ITERABLES)
def permission_of(make):
    value = PERMISSION(data_actions=make()).data_actions
    return [type(value).__name__, plain(sorted(map(str, value)) if isinstance(value, (set, tuple, list)) else str(type(value).__name__))]


# Enums.
ENUMS = {"ApiVersion": ApiVersion, "DataAction": KeyVaultDataAction, "RoleScope": KeyVaultRoleScope}
behaviour("enum-is-a-string", ENUMS)(lambda enum: all(isinstance(each, str) for each in enum))
behaviour("enum-members", {"RoleScope": KeyVaultRoleScope})(lambda enum: {each.name: each.value for each in enum})
behaviour("enum-members-default", ENUMS)(lambda enum: [each.name for each in enum][:1])
behaviour("enum-module", ENUMS)(lambda enum: enum.__qualname__)
MEMBERS = {"ApiVersion": ApiVersion.V7_5, "DataAction": KeyVaultDataAction.READ_HSM_KEY, "RoleScope": KeyVaultRoleScope.KEYS}
behaviour("enum-str", MEMBERS)(str)
behaviour("enum-repr", MEMBERS)(repr)
behaviour("enum-format", MEMBERS)(lambda member: f"{member}/x")
behaviour("enum-percent", MEMBERS)(lambda member: "%s" % member)  # noqa: UP031
behaviour("enum-concatenated", MEMBERS)(lambda member: member + "/x")
behaviour("enum-json", MEMBERS)(json.dumps)
behaviour("enum-equals-string", MEMBERS)(lambda member: [member == member.value, member.value == member, member in {member.value}])
behaviour("enum-hash-of-value", MEMBERS)(lambda member: hash(member) == hash(member.value))
behaviour("enum-join", MEMBERS)(lambda member: ",".join([member, member]))
behaviour("enum-upper", MEMBERS)(lambda member: member.upper())
behaviour("enum-lookup-value", MEMBERS)(lambda member: type(member)(member.value) is member)
behaviour("enum-lookup-other-case", MEMBERS)(lambda member: type(member)(member.value.upper()) is member)
behaviour("enum-lookup-name", MEMBERS)(lambda member: type(member)[member.name.lower()] is member)
behaviour("enum-attribute-lower", MEMBERS)(lambda member: getattr(type(member), member.name.lower()) is member)
behaviour("enum-lookup-unknown", MEMBERS)(lambda member: type(member)("unknown"))
behaviour("enum-name-unknown", MEMBERS)(lambda member: type(member)["unknown"])
behaviour("enum-attribute-unknown", MEMBERS)(lambda member: type(member).unknown)
behaviour("enum-pickle", MEMBERS)(lambda member: pickle.loads(pickle.dumps(member)) is member)
behaviour("enum-deepcopy", MEMBERS)(lambda member: copy.deepcopy(member) is member)
behaviour("enum-string-in", MEMBERS)(lambda member: [member.value in [each.value for each in type(member)], member in type(member)])
behaviour("enum-sorted", ENUMS)(lambda enum: sorted(enum)[0] == min(each.value for each in enum))
PUBLISHED_ACTIONS = """READ_HSM_KEY WRITE_HSM_KEY READ_DELETED_HSM_KEY RECOVER_DELETED_HSM_KEY BACKUP_HSM_KEYS RESTORE_HSM_KEYS
DELETE_ROLE_ASSIGNMENT GET_ROLE_ASSIGNMENT WRITE_ROLE_ASSIGNMENT READ_ROLE_DEFINITION ENCRYPT_HSM_KEY DECRYPT_HSM_KEY WRAP_HSM_KEY
UNWRAP_HSM_KEY SIGN_HSM_KEY VERIFY_HSM_KEY CREATE_HSM_KEY DELETE_HSM_KEY EXPORT_HSM_KEY RELEASE_KEY IMPORT_HSM_KEY
PURGE_DELETED_HSM_KEY DOWNLOAD_HSM_SECURITY_DOMAIN DOWNLOAD_HSM_SECURITY_DOMAIN_STATUS UPLOAD_HSM_SECURITY_DOMAIN
READ_HSM_SECURITY_DOMAIN_STATUS READ_HSM_SECURITY_DOMAIN_TRANSFER_KEY START_HSM_BACKUP START_HSM_RESTORE READ_HSM_BACKUP_STATUS
READ_HSM_RESTORE_STATUS RANDOM_NUMBERS_GENERATE ROTATE_HSM_KEY DERIVE_HSM_KEY WRITE_ROLE_DEFINITION DELETE_ROLE_DEFINITION
READ_HSM_SETTINGS WRITE_HSM_SETTINGS READ_EKM_CONNECTION""".split()
behaviour("data-action", {name: name for name in PUBLISHED_ACTIONS})(lambda name: KeyVaultDataAction[name].value)
behaviour("version", {name: name for name in "V7_2 V7_3 V7_4 V7_5 V7_6 V2025_07_01 V2026_04_01 V7_4_PREVIEW_1 V7_5_PREVIEW_1".split()})(lambda name: ApiVersion[name].value)
behaviour("names-exported")(lambda: sorted(name for name in package.__all__))
behaviour("package-version-is-text")(lambda: isinstance(package.__version__, str))
