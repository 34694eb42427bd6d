"""Public models: equality, hashes, reprs, and what their constructors take."""

from __future__ import annotations

import base64
import copy
import json
import pickle
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from azure.keyvault.administration import (
    ApiVersion,
    KeyVaultBackupResult,
    KeyVaultDataAction,
    KeyVaultJobDetails,
    KeyVaultPermission,
    KeyVaultRoleAssignment,
    KeyVaultRoleAssignmentProperties,
    KeyVaultRoleDefinition,
    KeyVaultRoleScope,
)


def _examples() -> list[Any]:
    properties = KeyVaultRoleAssignmentProperties(principal_id="p", role_definition_id="r", scope="/")
    return [
        KeyVaultPermission(data_actions=["a"]),
        KeyVaultRoleDefinition(id="i", name="n", role_name="r", permissions=[KeyVaultPermission(actions=["a"])]),
        properties,
        KeyVaultRoleAssignment(name="n", role_assignment_id="i", assignment_type="t", properties=properties),
        KeyVaultBackupResult(folder_url="f"),
        KeyVaultJobDetails(kind="backup", job_id="j", status="InProgress"),
    ]


PICKLES: dict[str, dict[str, str]] = json.loads((Path(__file__).parent / "pickled_by_4_7_2.json").read_text("utf-8"))
"""By protocol and by name: models that 4.7.2 pickled, in base64."""
PICKLED = {
    "permission": KeyVaultPermission(actions=["a"], data_actions=[KeyVaultDataAction.READ_HSM_KEY]),
    "definition": KeyVaultRoleDefinition(
        id="i",
        name="n",
        role_name="r",
        description="d",
        role_type="CustomRole",
        type="Microsoft.Authorization/roleDefinitions",
        permissions=[
            KeyVaultPermission(
                actions=[], not_actions=[], data_actions=[KeyVaultDataAction.READ_HSM_KEY, "x"], not_data_actions=[]
            )
        ],
        assignable_scopes=[KeyVaultRoleScope.GLOBAL, "/keys/k"],
    ),
    "assignment": KeyVaultRoleAssignment(
        role_assignment_id="i",
        name="n",
        assignment_type="t",
        properties=KeyVaultRoleAssignmentProperties(principal_id="p", role_definition_id="d", scope="/keys"),
    ),
    "backup": KeyVaultBackupResult(folder_url="f"),
}
"""What they hold. The definition and the assignment came from a service, the others from a constructor."""

EXAMPLES = [pytest.param(number, id=type(model).__name__) for number, model in enumerate(_examples())]


@pytest.mark.parametrize("number", EXAMPLES)
def test_models_are_equal_by_value_and_then_share_a_hash(number: int) -> None:
    one, other = _examples()[number], _examples()[number]

    assert one == other
    assert hash(one) == hash(other)
    assert len({one, other}) == 1


@pytest.mark.parametrize("number", EXAMPLES)
def test_a_model_differs_once_any_attribute_does(number: int) -> None:
    for name in type(_examples()[number]).__slots__:
        changed = _examples()[number]
        setattr(changed, name, "something else")
        assert changed != _examples()[number], name


def test_models_of_different_classes_are_never_equal() -> None:
    models = _examples()

    assert [one == other for one in models for other in models] == [one is other for one in models for other in models]
    assert models[0] != "text"


def test_a_repr_shows_type_and_key_fields() -> None:
    shown = [repr(model) for model in _examples()]

    assert shown == [
        "KeyVaultPermission(actions=None, not_actions=None, data_actions=['a'], not_data_actions=None)",
        "KeyVaultRoleDefinition(id='i', name='n', role_name='r', role_type=None)",
        "KeyVaultRoleAssignmentProperties(principal_id='p', role_definition_id='r', scope='/')",
        f"KeyVaultRoleAssignment(role_assignment_id='i', properties={_examples()[2]!r})",
        "KeyVaultBackupResult(folder_url='f')",
        (
            "KeyVaultJobDetails(kind='backup', job_id='j', status='InProgress', status_details=None, start_time=None,"
            " end_time=None)"
        ),
    ]


def test_a_repr_is_never_longer_than_1024_characters() -> None:
    text = repr(KeyVaultPermission(data_actions=[f"action {number}" for number in range(1000)]))

    assert len(text) == 1024
    assert text.endswith("...)")


@pytest.mark.parametrize("make", [tuple, set, iter, dict.fromkeys])
def test_a_permission_keeps_a_list_and_makes_one_of_any_other_iterable(make: Any) -> None:
    actions = ["a"]

    permission = KeyVaultPermission(actions=actions, data_actions=make(["a"]))

    assert permission.actions is actions
    assert permission.data_actions == ["a"]


DUPLICATES: list[Callable[[Any], Any]] = [
    copy.copy,
    copy.deepcopy,
    *(
        lambda model, protocol=protocol: pickle.loads(pickle.dumps(model, protocol))
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1)
    ),
]


@pytest.mark.parametrize("number", EXAMPLES)
def test_a_model_can_be_pickled_and_copied(number: int) -> None:
    model = _examples()[number]

    assert [duplicate(model) for duplicate in DUPLICATES] == [model] * len(DUPLICATES)


class Labelled(KeyVaultPermission):
    """A user's subclass, with an attribute of each kind."""

    __slots__ = ("__dict__", "label")

    def __init__(self, label: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.label = label
        self.more = label


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_subclass_is_pickled_as_a_whole_and_compared_by_its_base(protocol: int) -> None:
    loaded = pickle.loads(pickle.dumps(Labelled("l", actions=["a"]), protocol))

    assert (type(loaded), loaded.label, loaded.more, loaded.actions) == (Labelled, "l", "l", ["a"])
    assert loaded == Labelled("m", actions=["a"])
    assert loaded != Labelled("l", actions=["b"])


@pytest.mark.parametrize("protocol", PICKLES)
@pytest.mark.parametrize("name", PICKLES["0"])
def test_a_model_that_4_7_2_pickled_can_be_loaded(protocol: str, name: str) -> None:
    model = pickle.loads(base64.b64decode(PICKLES[protocol][name]))

    assert model == PICKLED[name]


@pytest.mark.parametrize("number", EXAMPLES)
def test_a_model_has_weak_references_and_no_other_attributes(number: int) -> None:
    model = _examples()[number]

    assert weakref.ref(model)() == model
    with pytest.raises(AttributeError):
        model.something_else = 1


@pytest.mark.parametrize("keyword", ["actions", "not_actions", "data_actions", "not_data_actions"])
def test_a_permission_refuses_a_single_string(keyword: str) -> None:
    arguments: dict[str, Any] = {keyword: "Microsoft.KeyVault/managedHsm/keys/read/action"}

    with pytest.raises(ValueError, match=f"^{keyword} must be several strings"):
        KeyVaultPermission(**arguments)


def test_constructors_ignore_unknown_keywords() -> None:
    unknown: dict[str, Any] = {"unknown": 1}

    assert KeyVaultPermission(**unknown) == KeyVaultPermission()
    assert KeyVaultRoleDefinition(**unknown) == KeyVaultRoleDefinition()
    assert KeyVaultRoleAssignment(**unknown) == KeyVaultRoleAssignment()
    assert KeyVaultRoleAssignmentProperties(**unknown) == KeyVaultRoleAssignmentProperties()
    assert KeyVaultBackupResult(**unknown) == KeyVaultBackupResult()


def test_an_assignment_shows_assignment_type_as_type() -> None:
    assert KeyVaultRoleAssignment(assignment_type="t").type == "t"


def test_enums_are_strings_and_found_in_any_case() -> None:
    assert KeyVaultRoleScope("/") is KeyVaultRoleScope.GLOBAL
    assert KeyVaultRoleScope["global"] is KeyVaultRoleScope.GLOBAL
    assert ApiVersion("7.6") is ApiVersion.V7_6
    assert KeyVaultDataAction.READ_HSM_KEY.value == "Microsoft.KeyVault/managedHsm/keys/read/action"


@pytest.mark.parametrize("member", [KeyVaultRoleScope.KEYS, ApiVersion.V7_6, KeyVaultDataAction.READ_HSM_KEY], ids=repr)
def test_an_enum_s_text_is_its_value_on_every_python(member: Any) -> None:
    assert (str(member), f"{member}", format(member)) == (member.value,) * 3
    assert f"{KeyVaultRoleScope.KEYS}/my-key" == "/keys/my-key"


def test_the_vocabulary_holds_what_the_service_uses() -> None:
    used = ["keys/rotate", "keys/derive", "keys/release", "rng", "settings/read", "settings/write"]
    used += ["ekm/read", "ekm/write", "ekm/delete"]

    assert {f"Microsoft.KeyVault/managedHsm/{action}/action" for action in used} <= set(KeyVaultDataAction)


def test_every_data_action_belongs_to_the_service_and_stands_once() -> None:
    values = [action.value for action in KeyVaultDataAction]

    assert all(value.startswith("Microsoft.KeyVault/managedHsm/") for value in values)
    assert len(values) == len(set(values)) == len(KeyVaultDataAction.__members__)
