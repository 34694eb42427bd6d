"""The client for full backup, full restore and the restore of a single key."""

from __future__ import annotations

import logging
import math
from datetime import datetime, timezone
from numbers import Real
from typing import TYPE_CHECKING, Any, Literal, TypeVar, overload

from .. import _mapping, _storage
from .._enums import ApiVersion
from .._generated import operations
from .._identifiers import described, job_url_from_token, path_name
from .._models import KeyVaultBackupResult
from .._runtime.polling import AsyncKeyVaultLROPoller, JobPlan, JobPolling
from .._runtime.tracing import traced
from ._client_base import KeyVaultClientBase

if TYPE_CHECKING:
    from collections.abc import Callable

    from azure.core.pipeline import PipelineResponse
    from azure.core.rest import AsyncHttpResponse, HttpRequest

T = TypeVar("T")

_LOGGER = logging.getLogger(__name__)

_DEFAULT_POLLING_INTERVAL = 5

_BEFORE_MANAGED_IDENTITY = frozenset({ApiVersion.V7_2.value, ApiVersion.V7_3.value, ApiVersion.V7_4.value})
_BEFORE_PRE_CHECKS = _BEFORE_MANAGED_IDENTITY | {ApiVersion.V7_5.value}


class KeyVaultBackupClient(KeyVaultClientBase):
    """Backs up and restores an Azure Managed HSM.

    Use it as an async context manager, or call :meth:`close`. Jobs run in the service, one at a time, and closing
    the client does not stop them.

    Other keywords are those of azure-core's clients, such as ``transport``, ``proxies``, ``connection_verify``,
    ``retry_total`` and ``logging_enable``. A method takes ``headers``, ``timeout``, ``retry_total``, ``logging_enable``
    and the like for one call.

    :param str vault_url: URL of the HSM, for example ``https://<name>.managedhsm.azure.net``: its "DNS name".
    :param credential: An async credential, such as one of :mod:`azure.identity.aio`. The client does not close it.
    :type credential: ~azure.core.credentials_async.AsyncTokenCredential
    :keyword api_version: Version of the service API to use. Defaults to the newest one that is known.
    :paramtype api_version: ~azure.keyvault.administration.ApiVersion or str
    :keyword bool verify_challenge_resource: Whether to verify that the service asks only for tokens that are meant for
        its own domain. Defaults to True.
    :keyword challenge_resource_domains: Hosts of further resources to accept, so that verification can stay on where
        the HSM's host is not below the resource's.
    :paramtype challenge_resource_domains: ~collections.abc.Iterable[str]
    :raises ValueError: If ``vault_url`` is not the https URL of an HSM, ``credential`` has no token method, or a
        keyword would replace the policies as a whole.
    """

    @overload
    async def begin_backup(
        self,
        blob_storage_url: str,
        sas_token: str,
        *,
        use_managed_identity: Literal[False] = False,
        continuation_token: str | None = None,
        **kwargs: Any,
    ) -> AsyncKeyVaultLROPoller[KeyVaultBackupResult]: ...

    @overload
    async def begin_backup(
        self,
        blob_storage_url: str,
        sas_token: None = None,
        *,
        use_managed_identity: Literal[True],
        continuation_token: str | None = None,
        **kwargs: Any,
    ) -> AsyncKeyVaultLROPoller[KeyVaultBackupResult]: ...

    @overload
    async def begin_backup(
        self,
        blob_storage_url: str,
        sas_token: str | None = None,
        *,
        continuation_token: str,
        **kwargs: Any,
    ) -> AsyncKeyVaultLROPoller[KeyVaultBackupResult]: ...

    @traced
    async def begin_backup(
        self,
        blob_storage_url: str,
        sas_token: str | None = None,
        *,
        use_managed_identity: bool = False,
        continuation_token: str | None = None,
        **kwargs: Any,
    ) -> AsyncKeyVaultLROPoller[KeyVaultBackupResult]:
        """Begin a full backup of the HSM.

        Needs the data actions ``Microsoft.KeyVault/managedHsm/backup/start/action`` and ``.../backup/status/action``.
        The start is never sent twice once the service may have accepted it: the error then says that the job may be
        running.

        :param str blob_storage_url: URL of the container in which the backup is stored, for example
            ``https://<account>.blob.core.windows.net/<container>``. It must exist.
        :param sas_token: A shared access signature that grants ``crdw`` on the container for the next 24 hours.
        :type sas_token: str or None
        :keyword bool use_managed_identity: Whether the HSM uses its own user-assigned managed identity instead of a SAS
            token. Needs service version 7.5 or newer. Defaults to False.
        :keyword continuation_token: Token of the poller of a backup that is to be followed; all other arguments are
            ignored, nothing is started, and one request reads the status.
        :paramtype continuation_token: str or None
        :keyword float polling_interval: Seconds between two polls, unless the service says otherwise. Defaults to 5.
        :returns: A poller. Its result holds the URL of the folder with the backup.
        :rtype: ~azure.keyvault.administration.aio.AsyncKeyVaultLROPoller[KeyVaultBackupResult]
        :raises ValueError: If an argument is malformed, the SAS token missing or expired, the version too old, or
            the continuation token of another HSM or another kind of job. Nothing is sent.
        :raises ~azure.core.exceptions.ResourceExistsError: If another job runs.
        :raises ~azure.core.exceptions.HttpResponseError: If the service refuses. A job that fails later raises it when
            its result is awaited.
        """
        plan = _plan("backup", _mapping.backup_result, kwargs)
        if continuation_token is not None:
            return await self._resume(plan, continuation_token, "backup")
        place = self._access(_storage.container_url(blob_storage_url), sas_token, use_managed_identity)
        start = operations.backup_restore_full_backup(_mapping.backup_body(place))
        started = await self._client.start(start, **kwargs)
        return self._follow(plan, started)

    @overload
    async def begin_restore(
        self,
        folder_url: str,
        sas_token: str,
        *,
        use_managed_identity: Literal[False] = False,
        key_name: str | None = None,
        continuation_token: str | None = None,
        **kwargs: Any,
    ) -> AsyncKeyVaultLROPoller[None]: ...

    @overload
    async def begin_restore(
        self,
        folder_url: str,
        sas_token: None = None,
        *,
        use_managed_identity: Literal[True],
        key_name: str | None = None,
        continuation_token: str | None = None,
        **kwargs: Any,
    ) -> AsyncKeyVaultLROPoller[None]: ...

    @overload
    async def begin_restore(
        self,
        folder_url: str,
        sas_token: str | None = None,
        *,
        key_name: str | None = None,
        continuation_token: str,
        **kwargs: Any,
    ) -> AsyncKeyVaultLROPoller[None]: ...

    @traced
    async def begin_restore(
        self,
        folder_url: str,
        sas_token: str | None = None,
        *,
        use_managed_identity: bool = False,
        key_name: str | None = None,
        continuation_token: str | None = None,
        **kwargs: Any,
    ) -> AsyncKeyVaultLROPoller[None]:
        """Begin to restore the whole HSM, or a single key.

        A full restore replaces everything: keys, roles and assignments become those of the backup. A single key is
        restored with all its versions, and only if it was purged before: existing versions are never overwritten, and
        ``details.status_details`` of the poller counts them. Needs the data actions
        ``Microsoft.KeyVault/managedHsm/restore/start/action`` and ``.../restore/status/action``. The start is never
        sent twice once the service may have accepted it: the error then says that the job may be running.

        :param str folder_url: URL of the folder with the backup: the ``folder_url`` of a
            :class:`~azure.keyvault.administration.KeyVaultBackupResult`.
        :param sas_token: A shared access signature that grants ``rl`` on the container.
        :type sas_token: str or None
        :keyword bool use_managed_identity: Whether the HSM uses its own user-assigned managed identity instead of a SAS
            token. Needs service version 7.5 or newer. Defaults to False.
        :keyword key_name: Name of the one key to restore. Everything is restored if omitted.
        :paramtype key_name: str or None
        :keyword continuation_token: Token of the poller of a restore that is to be followed; all other arguments are
            ignored, nothing is started, and one request reads the status.
        :paramtype continuation_token: str or None
        :keyword float polling_interval: Seconds between two polls, unless the service says otherwise. Defaults to 5.
        :returns: A poller without a result.
        :rtype: ~azure.keyvault.administration.aio.AsyncKeyVaultLROPoller[None]
        :raises ValueError: If an argument is malformed, the SAS token missing or expired, the version too old, or
            the continuation token of another HSM or another kind of job. Nothing is sent.
        :raises ~azure.core.exceptions.ResourceExistsError: If another job runs.
        :raises ~azure.core.exceptions.HttpResponseError: If the service refuses. A job that fails later raises it when
            its result is awaited.
        """
        plan = _plan("restore" if key_name is None else "key restore", _mapping.no_result, kwargs)
        if continuation_token is not None:
            return await self._resume(plan, continuation_token, "restore")
        container, folder = _storage.backup_folder(folder_url)
        place = self._access(container, sas_token, use_managed_identity)
        if key_name is None:
            start = operations.backup_restore_full_restore(_mapping.restore_body(place, folder))
        else:
            body = _mapping.key_restore_body(place, folder)
            start = operations.backup_restore_selective_key_restore(path_name(key_name, "key_name"), body)
        started = await self._client.start(start, **kwargs)
        return self._follow(plan, started)

    @overload
    async def begin_pre_backup(
        self,
        blob_storage_url: str,
        sas_token: str,
        *,
        use_managed_identity: Literal[False] = False,
        continuation_token: str | None = None,
        **kwargs: Any,
    ) -> AsyncKeyVaultLROPoller[None]: ...

    @overload
    async def begin_pre_backup(
        self,
        blob_storage_url: str,
        sas_token: None = None,
        *,
        use_managed_identity: Literal[True],
        continuation_token: str | None = None,
        **kwargs: Any,
    ) -> AsyncKeyVaultLROPoller[None]: ...

    @overload
    async def begin_pre_backup(
        self,
        blob_storage_url: str,
        sas_token: str | None = None,
        *,
        continuation_token: str,
        **kwargs: Any,
    ) -> AsyncKeyVaultLROPoller[None]: ...

    @traced
    async def begin_pre_backup(
        self,
        blob_storage_url: str,
        sas_token: str | None = None,
        *,
        use_managed_identity: bool = False,
        continuation_token: str | None = None,
        **kwargs: Any,
    ) -> AsyncKeyVaultLROPoller[None]:
        """Begin to check whether a full backup would succeed. Nothing is backed up.

        Needs service version 7.6 or newer. Needs the data actions
        ``Microsoft.KeyVault/managedHsm/backup/start/action`` and ``.../backup/status/action``, as a backup does.

        :param str blob_storage_url: URL of the container in which the backup would be stored.
        :param sas_token: A shared access signature that grants ``crdw`` on the container.
        :type sas_token: str or None
        :keyword bool use_managed_identity: Whether the HSM uses its own user-assigned managed identity instead of a SAS
            token. Defaults to False.
        :keyword continuation_token: Token of the poller of a check that is to be followed; all other arguments are
            ignored, nothing is started, and one request reads the status.
        :paramtype continuation_token: str or None
        :keyword float polling_interval: Seconds between two polls, unless the service says otherwise. Defaults to 5.
        :returns: A poller without a result: it raises if the check fails.
        :rtype: ~azure.keyvault.administration.aio.AsyncKeyVaultLROPoller[None]
        :raises ValueError: If an argument is malformed, the SAS token missing or expired, the version too old, or
            the continuation token of another HSM or another kind of job. Nothing is sent.
        :raises ~azure.core.exceptions.ResourceExistsError: If another job runs.
        :raises ~azure.core.exceptions.HttpResponseError: If the service refuses. A job that fails later raises it when
            its result is awaited.
        """
        plan = _plan("pre-backup", _mapping.no_result, kwargs)
        if continuation_token is not None:
            return await self._resume(plan, continuation_token, "backup")
        self._require_version("begin_pre_backup", "7.6", _BEFORE_PRE_CHECKS)
        place = self._access(_storage.container_url(blob_storage_url), sas_token, use_managed_identity)
        start = operations.backup_restore_pre_full_backup(_mapping.pre_backup_body(place))
        started = await self._client.start(start, **kwargs)
        return self._follow(plan, started)

    @overload
    async def begin_pre_restore(
        self,
        folder_url: str,
        sas_token: str,
        *,
        use_managed_identity: Literal[False] = False,
        continuation_token: str | None = None,
        **kwargs: Any,
    ) -> AsyncKeyVaultLROPoller[None]: ...

    @overload
    async def begin_pre_restore(
        self,
        folder_url: str,
        sas_token: None = None,
        *,
        use_managed_identity: Literal[True],
        continuation_token: str | None = None,
        **kwargs: Any,
    ) -> AsyncKeyVaultLROPoller[None]: ...

    @overload
    async def begin_pre_restore(
        self,
        folder_url: str,
        sas_token: str | None = None,
        *,
        continuation_token: str,
        **kwargs: Any,
    ) -> AsyncKeyVaultLROPoller[None]: ...

    @traced
    async def begin_pre_restore(
        self,
        folder_url: str,
        sas_token: str | None = None,
        *,
        use_managed_identity: bool = False,
        continuation_token: str | None = None,
        **kwargs: Any,
    ) -> AsyncKeyVaultLROPoller[None]:
        """Begin to check whether a full restore would succeed. Nothing is restored.

        Needs service version 7.6 or newer. Needs the data actions
        ``Microsoft.KeyVault/managedHsm/restore/start/action`` and ``.../restore/status/action``, as a restore does.

        :param str folder_url: URL of the folder with the backup.
        :param sas_token: A shared access signature that grants ``rl`` on the container.
        :type sas_token: str or None
        :keyword bool use_managed_identity: Whether the HSM uses its own user-assigned managed identity instead of a SAS
            token. Defaults to False.
        :keyword continuation_token: Token of the poller of a check that is to be followed; all other arguments are
            ignored, nothing is started, and one request reads the status.
        :paramtype continuation_token: str or None
        :keyword float polling_interval: Seconds between two polls, unless the service says otherwise. Defaults to 5.
        :returns: A poller without a result: it raises if the check fails.
        :rtype: ~azure.keyvault.administration.aio.AsyncKeyVaultLROPoller[None]
        :raises ValueError: If an argument is malformed, the SAS token missing or expired, the version too old, or
            the continuation token of another HSM or another kind of job. Nothing is sent.
        :raises ~azure.core.exceptions.ResourceExistsError: If another job runs.
        :raises ~azure.core.exceptions.HttpResponseError: If the service refuses. A job that fails later raises it when
            its result is awaited.
        """
        plan = _plan("pre-restore", _mapping.no_result, kwargs)
        if continuation_token is not None:
            return await self._resume(plan, continuation_token, "restore")
        self._require_version("begin_pre_restore", "7.6", _BEFORE_PRE_CHECKS)
        container, folder = _storage.backup_folder(folder_url)
        place = self._access(container, sas_token, use_managed_identity)
        start = operations.backup_restore_pre_full_restore(_mapping.pre_restore_body(place, folder))
        started = await self._client.start(start, **kwargs)
        return self._follow(plan, started)

    def _access(self, container: str, sas_token: str | None, use_managed_identity: bool) -> _storage.StorageAccess:
        if use_managed_identity:
            self._require_version("use_managed_identity", "7.5", _BEFORE_MANAGED_IDENTITY)
            if sas_token is not None:
                _LOGGER.warning("Both sas_token and use_managed_identity are given: the service decides between them.")
        return _storage.storage_access(
            container, sas_token, use_managed_identity=use_managed_identity, now=datetime.now(timezone.utc)
        )

    def _require_version(self, feature: str, version: str, too_old: frozenset[str]) -> None:
        """Reject a feature that the client's version is known to lack. An unknown version may have it."""
        if self._client.api_version in too_old:
            raise ValueError(f"{feature} needs api_version {version} or newer, got {self._client.api_version!r}")

    def _follow(
        self, plan: JobPlan[T], start: PipelineResponse[HttpRequest, AsyncHttpResponse]
    ) -> AsyncKeyVaultLROPoller[T]:
        return _poller(JobPolling[T].started(self._client, plan, start))

    async def _resume(self, plan: JobPlan[T], token: str, family: str) -> AsyncKeyVaultLROPoller[T]:
        job = job_url_from_token(token, family=family, endpoint=self._client.endpoint)
        return _poller(await JobPolling[T].resumed(self._client, plan, job))


def _plan(kind: str, to_result: Callable[[dict[str, Any]], T], options: dict[str, Any]) -> JobPlan[T]:
    """Return the plan for following a job, and remove the polling options from the call's options."""
    published_name = options.pop("_polling_interval", None)
    interval = options.pop("polling_interval", published_name)
    if interval is None:
        interval = _DEFAULT_POLLING_INTERVAL
    seconds = float(interval) if isinstance(interval, Real) else math.nan
    if not 0 <= seconds < math.inf:
        raise ValueError(f"polling_interval must be a number of seconds, 0 or more, got {described(interval)}")
    cls = options.pop("cls", None)
    return JobPlan(kind, _mapping.job_details, to_result, seconds, options.copy(), cls)


def _poller(polling: JobPolling[T]) -> AsyncKeyVaultLROPoller[T]:
    # The first two arguments are for a polling method that isn't initialized yet.
    return AsyncKeyVaultLROPoller(None, None, lambda _: polling.resource(), polling)
