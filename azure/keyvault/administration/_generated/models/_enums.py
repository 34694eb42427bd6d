"""The enums of responses, by the names under which 4.7 pickles them."""

from ..._enums import KeyVaultDataAction as DataAction
from ..._enums import KeyVaultRoleScope as RoleScope
from ..._enums import RoleDefinitionType, RoleType

__all__ = ["DataAction", "RoleDefinitionType", "RoleScope", "RoleType"]
