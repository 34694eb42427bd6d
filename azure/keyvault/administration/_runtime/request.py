"""The request that the operations build."""

from __future__ import annotations

from typing import Any

from azure.core.rest import HttpRequest


class JsonRequest(HttpRequest):
    """azure-core's request, with what azure-core asks of it ten times per call as attributes.

    azure-core's policies and transport ask a request for attributes of its older class. Its newer one finds them only
    after the usual look-up failed, at a tenth of what a call costs. These say the same, and what is assigned by those
    names still goes azure-core's way. Were azure-core to keep a value elsewhere, its own look-up would find it, since
    that comes after a property that fails.
    """

    # What azure-core takes for granted until somebody sets it, which costs it a failed look-up.
    _multipart_mixed_info_val: Any = None

    @property
    def files(self) -> Any:
        """The files of a form."""
        return self._files

    @property
    def data(self) -> Any:
        """The body, unless it is of files."""
        return self._data

    @property
    def body(self) -> Any:
        """The body, by another older name."""
        return self._data

    # azure-core declares a variable, though its own class has a property by another name.
    @property
    def multipart_mixed_info(self) -> Any:  # type: ignore[override] # pyright: ignore[reportIncompatibleVariableOverride]
        """The requests that this one is made of."""
        return self._multipart_mixed_info

    def prepare_multipart_body(self, content_index: int = 0) -> int:
        """Make a body of the requests that this one is made of, and return the number of the next one.

        :param content_index: The number of the first one.
        """
        if not self.multipart_mixed_info:
            return 0
        prepare: Any = self._prepare_multipart_body
        return int(prepare(content_index))
