"""The log of aiohttp's server, without errors for malformed requests."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from aiohttp.http_exceptions import HttpProcessingError

if TYPE_CHECKING:
    _Adapter = logging.LoggerAdapter[logging.Logger]
else:  # Python 3.10 cannot subscript it.
    _Adapter = logging.LoggerAdapter


class ServerLog(_Adapter):
    """A log without errors for malformed requests: the caller gets a response, and the bytes may hold a token."""

    def exception(self, msg: object, *args: object, exc_info: Any = True, **kwargs: Any) -> None:
        """Log an error with its traceback, unless the request was malformed."""
        if isinstance(exc_info, HttpProcessingError):
            self.debug("A malformed request was refused: %s", type(exc_info).__name__)
        else:
            super().exception(msg, *args, exc_info=exc_info, **kwargs)
