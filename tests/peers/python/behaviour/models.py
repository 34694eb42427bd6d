"""Models and enums: no service is asked."""

import copy
import json
import pickle
import typing
import weakref
from importlib.metadata import requires

import azure.keyvault.administration as package
from azure.keyvault.administration import ApiVersion, KeyVaultDataAction, KeyVaultPermission, KeyVaultRoleScope

from .bench import behaviour

VALUES = {
    "Permission": {"actions": ["a"], "not_actions": ["b"], "data_actions": ["c"], "not_data_actions": ["d"]},
    "RoleDefinition": {
        "id": "i",
        "name": "n",
        "role_name": "r",
        "description": "d",
        "role_type": "CustomRole",
        "type": "t",
        "permissions": [],
        "assignable_scopes": ["/"],
    },
    "RoleAssignment": {"name": "n", "role_assignment_id": "i", "assignment_type": "t", "properties": None},
    "RoleAssignmentProperties": {"principal_id": "p", "role_definition_id": "r", "scope": "/"},
    "BackupResult": {"folder_url": "u"},
}
MODELS = {name: (getattr(package, f"KeyVault{name}"), values) for name, values in VALUES.items()}
# The attribute has another name than the keyword.
ATTRIBUTES = {name: [each.replace("assignment_type", "type") for each in values] for name, values in VALUES.items()}

behaviour("model-defaults", MODELS)(lambda model, _: model())
behaviour("model-values", MODELS)(lambda model, values: model(**values))
behaviour("model-unknown-keyword", MODELS)(lambda model, values: model(**values, unknown=1))
behaviour("model-positional", MODELS)(lambda model, _: model("x"))
behaviour("model-copy", MODELS)(lambda model, values: copy.copy(model(**values)))
behaviour("model-deep-copy", MODELS)(lambda model, values: copy.deepcopy(model(**values)))
behaviour("model-weak-reference", MODELS)(lambda model, values: type(weakref.ref(model(**values))).__name__)
behaviour("model-equals-other", MODELS)(lambda model, values: [model(**values) == 1, model(**values) == values])
behaviour("model-hash", MODELS)(lambda model, values: len({model(**values)}))
behaviour("model-truth", MODELS)(lambda model, _: bool(model()))
behaviour("model-equality", MODELS)(lambda model, values: model(**values) == model(**values))
behaviour("model-slots/vars", MODELS)(lambda model, values: sorted(vars(model(**values))))
behaviour("model-slots/new-attribute", MODELS)(lambda model, _: setattr(model(), "note", "mine"))
behaviour("model-pickle", MODELS, range(6))(
    lambda model, values, protocol: pickle.loads(pickle.dumps(model(**values), protocol))
)
behaviour("repr", {name: MODELS[name] for name in ("Permission", "BackupResult")})(
    lambda model, values: repr(model(**values)).startswith("<")
)
behaviour("model-repr-names-its-class", MODELS)(lambda model, values: model.__name__ in repr(model(**values)))


@behaviour("model-equals-itself", MODELS)
def equals_itself(model, values):
    one = same = model(**values)
    return [one == same, one != same, [one].index(same)]


@behaviour("model-set-attribute", {name: (model, ATTRIBUTES[name]) for name, (model, _) in MODELS.items()})
def set_attributes(model, names):
    one = model()
    for name in names:
        setattr(one, name, f"new {name}")
    return [getattr(one, name) for name in names]


@behaviour("model-subclass", MODELS)
def subclass(model, values):
    class Mine(model):
        def __init__(self, **options):
            super().__init__(**options)
            self.mine = 1

    return [Mine(**values).mine, isinstance(Mine(), model)]


GIVEN = {"list": ["a"], "none": None, "empty": [], "numbers": [1, 2], "member": [KeyVaultDataAction.READ_HSM_KEY]}
behaviour("permission-keeps", GIVEN)(lambda given: KeyVaultPermission(data_actions=given).data_actions is given)
behaviour("permission-of-iterable", {"tuple": lambda: ("a",), "set": lambda: {"a"}, "generator": lambda: iter(["a"])})(
    lambda make: isinstance(KeyVaultPermission(data_actions=make()).data_actions, list)
)
behaviour("wrong-type/permission", {"text": "abc", "number": 5})(
    lambda given: type(KeyVaultPermission(data_actions=given).data_actions).__name__
)


@behaviour("permission-list-grows")
def list_grows():
    actions = []
    one = KeyVaultPermission(actions=actions)
    actions.append("later")
    return one.actions


ENUMS = {"version": ApiVersion.V7_5, "action": KeyVaultDataAction.READ_HSM_KEY, "scope": KeyVaultRoleScope.KEYS}
behaviour("enum-json", ENUMS)(json.dumps)
behaviour("enum-concatenated", ENUMS)(lambda member: member + "/x")
behaviour("enum-joined", ENUMS)(lambda member: ",".join(iter([member, member])))
behaviour("enum-hash", ENUMS)(lambda member: hash(member) == hash(member.value))
behaviour("enum-equals-text", ENUMS)(lambda member: [isinstance(member, str), member == member.value])
behaviour("enum-repr", ENUMS)(repr)
behaviour("enum-text", ENUMS)(str)
behaviour("enum-of-value", ENUMS)(lambda member: type(member)(member.value) is member)
behaviour("enum-of-name", ENUMS)(lambda member: type(member)[member.name] is member)
behaviour("enum-of-name-in-lower-case", ENUMS)(lambda member: type(member)[member.name.lower()] is member)
behaviour("enum-attribute-in-lower-case", ENUMS)(lambda member: getattr(type(member), member.name.lower()) is member)
behaviour("enum-of-value-in-upper-case", ENUMS)(lambda member: type(member)(f"X{member.value}".upper()) is member)
behaviour("enum-of-unknown-value", ENUMS)(lambda member: type(member)("unknown"))
behaviour("enum-of-unknown-name", ENUMS)(lambda member: type(member)["unknown"])
behaviour("enum-unknown-attribute", ENUMS)(lambda member: type(member).unknown)
behaviour("enum-pickle", ENUMS)(lambda member: pickle.loads(pickle.dumps(member)) is member)
behaviour("enum-deep-copy", ENUMS)(lambda member: copy.deepcopy(member) is member)
behaviour("scope-members")(lambda: {each.name: each.value for each in KeyVaultRoleScope})

ACTIONS = """READ_HSM_KEY WRITE_HSM_KEY READ_DELETED_HSM_KEY RECOVER_DELETED_HSM_KEY BACKUP_HSM_KEYS RESTORE_HSM_KEYS
DELETE_ROLE_ASSIGNMENT GET_ROLE_ASSIGNMENT WRITE_ROLE_ASSIGNMENT READ_ROLE_DEFINITION ENCRYPT_HSM_KEY DECRYPT_HSM_KEY
WRAP_HSM_KEY UNWRAP_HSM_KEY SIGN_HSM_KEY VERIFY_HSM_KEY CREATE_HSM_KEY DELETE_HSM_KEY EXPORT_HSM_KEY RELEASE_KEY
IMPORT_HSM_KEY PURGE_DELETED_HSM_KEY DOWNLOAD_HSM_SECURITY_DOMAIN DOWNLOAD_HSM_SECURITY_DOMAIN_STATUS
UPLOAD_HSM_SECURITY_DOMAIN READ_HSM_SECURITY_DOMAIN_STATUS READ_HSM_SECURITY_DOMAIN_TRANSFER_KEY START_HSM_BACKUP
START_HSM_RESTORE READ_HSM_BACKUP_STATUS READ_HSM_RESTORE_STATUS RANDOM_NUMBERS_GENERATE WRITE_ROLE_DEFINITION
DELETE_ROLE_DEFINITION"""
NEW_ACTIONS = """ROTATE_HSM_KEY DERIVE_HSM_KEY READ_HSM_SETTINGS WRITE_HSM_SETTINGS READ_EKM_CONNECTION
WRITE_EKM_CONNECTION DELETE_EKM_CONNECTION"""
behaviour("action", ACTIONS)(lambda name: KeyVaultDataAction[name].value)
behaviour("new-members", NEW_ACTIONS)(lambda name: KeyVaultDataAction[name].value)
behaviour("version", "V7_2 V7_3 V7_4 V7_5 V7_6 V2025_07_01")(lambda name: ApiVersion[name].value)
behaviour("new-members", "V2026_04_01")(lambda name: ApiVersion[name].value)
behaviour("default-version/first-member")(lambda: next(iter(ApiVersion)).name)

HINTED = [f"KeyVault{name}" for name in MODELS]
behaviour("names", HINTED)(lambda name: name in package.__all__)
behaviour("sync-clients", "KeyVaultAccessControlClient KeyVaultBackupClient")(lambda name: name in package.__all__)
behaviour("settings-client", "KeyVaultSetting KeyVaultSettingType KeyVaultSettingsClient")(
    lambda name: name in package.__all__
)
behaviour("job-details/class")(lambda: hasattr(package, "KeyVaultJobDetails"))
behaviour("version-of-package")(lambda: isinstance(package.__version__, str))


@behaviour("requirements")
def requirements():
    """What an installer is told of azure-core: the floor."""
    return sorted(each for each in requires("azure-keyvault-administration") if each.startswith("azure-core"))


behaviour("annotations-of-model", HINTED)(
    lambda name: isinstance(typing.get_type_hints(getattr(package, name).__init__), dict)
)
behaviour("annotations-of-class", [*HINTED, "KeyVaultRoleScope", "KeyVaultDataAction", "ApiVersion"])(
    lambda name: isinstance(typing.get_type_hints(getattr(package, name)), dict)
)
