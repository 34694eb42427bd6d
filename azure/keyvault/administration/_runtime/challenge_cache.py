"""What the clients of this process have learnt from challenges, so that a new client need not probe again."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .tokens import Audience


class ChallengeCache:
    """The audience that each origin asked for last. It holds nothing secret.

    An entry is a hint. It passed the checks of the client that stored it, which may have been told to trust more than
    others, so each client has to check it by its own settings; and the origin may have moved to another tenant since.

    :param size: The number of origins to remember. The one that was stored first is dropped for another one.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._audiences: dict[str, Audience] = {}
        # Clients may live in several threads.
        self._lock = threading.Lock()

    def get(self, origin: str) -> Audience | None:
        """Return the audience of an origin, or None if it is unknown.

        :param origin: The origin.
        """
        return self._audiences.get(origin)

    def store(self, origin: str, audience: Audience) -> None:
        """Remember what an origin asked for.

        :param origin: The origin.
        :param audience: The audience, after it was checked.
        """
        with self._lock:
            self._audiences.pop(origin, None)
            self._audiences[origin] = audience
            if len(self._audiences) > self._size:
                del self._audiences[next(iter(self._audiences))]

    def drop(self, origin: str, audience: Audience) -> None:
        """Forget what an origin asked for, unless it has asked for something else since.

        :param origin: The origin.
        :param audience: The audience that turned out to be of no use.
        """
        with self._lock:
            if self._audiences.get(origin) is audience:
                del self._audiences[origin]

    def clear(self) -> None:
        """Forget everything, so that each client probes again. Tests begin with this."""
        with self._lock:
            self._audiences.clear()


CHALLENGES = ChallengeCache(size=256)
"""The cache that all clients of the process share."""
