"""The request that the operations build."""

from __future__ import annotations

from typing import Any

from azure.core.rest import HttpRequest


class JsonRequest(HttpRequest):
    """azure-core's request, for those whose body is JSON or nothing.

    azure-core's policies and transport ask a request for attributes of its older class. Its newer one finds them only
    after the usual look-up failed, ten times per call, at a tenth of what a call costs. Here they are attributes.
    """

    files: Any = None
    multipart_mixed_info: Any = None

    @property
    def body(self) -> Any:
        """The content, by its older name."""
        return self.content

    @property
    def data(self) -> Any:
        """The content, by another older name."""
        return self.content

    def prepare_multipart_body(self, content_index: int = 0) -> int:  # noqa: ARG002 - azure-core's signature
        """Do nothing: it has no parts.

        :param content_index: Of no use here.
        """
        return 0
