"""The vocabulary of the service. Every enum is open: a string that is not listed here passes through unchanged."""

from __future__ import annotations

from enum import Enum

from azure.core import CaseInsensitiveEnumMeta


class _Vocabulary(str, Enum, metaclass=CaseInsensitiveEnumMeta):
    """Named strings. Their text is their value: f-strings of Python 3.10 and later versions differ about that."""

    def __str__(self) -> str:
        return str(self.value)


class ApiVersion(_Vocabulary):
    """Service API versions that this library knows. The newest one is the default.

    A client also accepts any other version as a string, so that a newer service does not require a newer library.
    """

    V2026_04_01 = "2026-04-01"
    """Adds nothing that this library uses."""
    V2025_07_01 = "2025-07-01"
    """Adds nothing that this library uses."""
    V7_6 = "7.6"
    """Adds the checks before a backup and before a restore."""
    V7_5 = "7.5"
    """Adds access to backup storage by managed identity."""
    V7_4 = "7.4"
    """Adds the HSM's settings, for which this library has no client."""
    V7_3 = "7.3"
    """Adds nothing that this library uses."""
    V7_2 = "7.2"
    """The first one: role definitions and assignments, backup, restore, and the restore of a single key."""


DEFAULT_API_VERSION = ApiVersion.V2026_04_01


class KeyVaultRoleScope(_Vocabulary):
    """Broad scopes of roles and their assignments. A single key's scope is the string ``/keys/<key name>``."""

    GLOBAL = "/"
    """The whole HSM."""
    KEYS = "/keys"
    """All keys of the HSM."""


class RoleType(_Vocabulary):
    """Kinds of role definitions."""

    BUILT_IN_ROLE = "AKVBuiltInRole"
    """Defined by the service."""
    CUSTOM_ROLE = "CustomRole"
    """Defined by the customer."""


class RoleDefinitionType(_Vocabulary):
    """Resource types of role definitions."""

    MICROSOFT_AUTHORIZATION_ROLE_DEFINITIONS = "Microsoft.Authorization/roleDefinitions"
    """The only one."""


class KeyVaultDataAction(_Vocabulary):
    """Data actions that a role can permit."""

    READ_HSM_KEY = "Microsoft.KeyVault/managedHsm/keys/read/action"
    """Read key metadata and public keys."""
    WRITE_HSM_KEY = "Microsoft.KeyVault/managedHsm/keys/write/action"
    """Update a key's attributes."""
    READ_DELETED_HSM_KEY = "Microsoft.KeyVault/managedHsm/keys/deletedKeys/read/action"
    """Read a deleted key."""
    RECOVER_DELETED_HSM_KEY = "Microsoft.KeyVault/managedHsm/keys/deletedKeys/recover/action"
    """Recover a deleted key."""
    BACKUP_HSM_KEYS = "Microsoft.KeyVault/managedHsm/keys/backup/action"
    """Back up a single key."""
    RESTORE_HSM_KEYS = "Microsoft.KeyVault/managedHsm/keys/restore/action"
    """Restore a single key."""
    DELETE_ROLE_ASSIGNMENT = "Microsoft.KeyVault/managedHsm/roleAssignments/delete/action"
    """Delete a role assignment."""
    GET_ROLE_ASSIGNMENT = "Microsoft.KeyVault/managedHsm/roleAssignments/read/action"
    """Get and list role assignments."""
    WRITE_ROLE_ASSIGNMENT = "Microsoft.KeyVault/managedHsm/roleAssignments/write/action"
    """Create a role assignment."""
    READ_ROLE_DEFINITION = "Microsoft.KeyVault/managedHsm/roleDefinitions/read/action"
    """Get and list role definitions."""
    WRITE_ROLE_DEFINITION = "Microsoft.KeyVault/managedHsm/roleDefinitions/write/action"
    """Create or update a role definition."""
    DELETE_ROLE_DEFINITION = "Microsoft.KeyVault/managedHsm/roleDefinitions/delete/action"
    """Delete a role definition."""
    ENCRYPT_HSM_KEY = "Microsoft.KeyVault/managedHsm/keys/encrypt/action"
    """Encrypt with a key."""
    DECRYPT_HSM_KEY = "Microsoft.KeyVault/managedHsm/keys/decrypt/action"
    """Decrypt with a key."""
    WRAP_HSM_KEY = "Microsoft.KeyVault/managedHsm/keys/wrap/action"
    """Wrap with a key."""
    UNWRAP_HSM_KEY = "Microsoft.KeyVault/managedHsm/keys/unwrap/action"
    """Unwrap with a key."""
    SIGN_HSM_KEY = "Microsoft.KeyVault/managedHsm/keys/sign/action"
    """Sign with a key."""
    VERIFY_HSM_KEY = "Microsoft.KeyVault/managedHsm/keys/verify/action"
    """Verify a signature with a key."""
    ROTATE_HSM_KEY = "Microsoft.KeyVault/managedHsm/keys/rotate/action"
    """Rotate a key."""
    DERIVE_HSM_KEY = "Microsoft.KeyVault/managedHsm/keys/derive/action"
    """Derive from a key."""
    CREATE_HSM_KEY = "Microsoft.KeyVault/managedHsm/keys/create"
    """Create a key."""
    DELETE_HSM_KEY = "Microsoft.KeyVault/managedHsm/keys/delete"
    """Delete a key."""
    EXPORT_HSM_KEY = "Microsoft.KeyVault/managedHsm/keys/export/action"
    """Export a key."""
    RELEASE_KEY = "Microsoft.KeyVault/managedHsm/keys/release/action"
    """Release a key to a confidential environment."""
    IMPORT_HSM_KEY = "Microsoft.KeyVault/managedHsm/keys/import/action"
    """Import a key."""
    PURGE_DELETED_HSM_KEY = "Microsoft.KeyVault/managedHsm/keys/deletedKeys/delete"
    """Purge a deleted key."""
    DOWNLOAD_HSM_SECURITY_DOMAIN = "Microsoft.KeyVault/managedHsm/securitydomain/download/action"
    """Download the security domain."""
    DOWNLOAD_HSM_SECURITY_DOMAIN_STATUS = "Microsoft.KeyVault/managedHsm/securitydomain/download/read"
    """Read the status of a security domain download."""
    UPLOAD_HSM_SECURITY_DOMAIN = "Microsoft.KeyVault/managedHsm/securitydomain/upload/action"
    """Upload a security domain."""
    READ_HSM_SECURITY_DOMAIN_STATUS = "Microsoft.KeyVault/managedHsm/securitydomain/upload/read"
    """Read the status of a security domain upload."""
    READ_HSM_SECURITY_DOMAIN_TRANSFER_KEY = "Microsoft.KeyVault/managedHsm/securitydomain/transferkey/read"
    """Read the transfer key of the security domain."""
    START_HSM_BACKUP = "Microsoft.KeyVault/managedHsm/backup/start/action"
    """Start a full backup."""
    START_HSM_RESTORE = "Microsoft.KeyVault/managedHsm/restore/start/action"
    """Start a restore."""
    READ_HSM_BACKUP_STATUS = "Microsoft.KeyVault/managedHsm/backup/status/action"
    """Read the status of a backup."""
    READ_HSM_RESTORE_STATUS = "Microsoft.KeyVault/managedHsm/restore/status/action"
    """Read the status of a restore."""
    RANDOM_NUMBERS_GENERATE = "Microsoft.KeyVault/managedHsm/rng/action"
    """Generate random numbers."""
    READ_HSM_SETTINGS = "Microsoft.KeyVault/managedHsm/settings/read/action"
    """Read the HSM's settings."""
    WRITE_HSM_SETTINGS = "Microsoft.KeyVault/managedHsm/settings/write/action"
    """Change the HSM's settings."""
    READ_EKM_CONNECTION = "Microsoft.KeyVault/managedHsm/ekm/read/action"
    """Read the external key manager connection."""
    WRITE_EKM_CONNECTION = "Microsoft.KeyVault/managedHsm/ekm/write/action"
    """Create or update the external key manager connection."""
    DELETE_EKM_CONNECTION = "Microsoft.KeyVault/managedHsm/ekm/delete/action"
    """Delete the external key manager connection."""
