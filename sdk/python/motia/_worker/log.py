"""LOG frames: one line of a user's log, with the call that it belongs to."""

from __future__ import annotations

from typing import Any

from .._runtime import NOTHING
from .connection import Connection
from .details import details_json
from .errors import clip
from .frames import LOG

LONGEST_MESSAGE = 65_536


class LogSender:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def send(self, level: str, message: str, details: Any = NOTHING, source: str = "worker", call: Any = None) -> None:
        """`call` is None where nobody knows whose line it is. After a call's result its trace and step stand for it."""
        meta: dict[str, Any] = {"level": level, "message": clip(message, LONGEST_MESSAGE), "source": source}
        if call is not None:
            call.origin(meta)
        self._connection.send(LOG, 0, meta, b"" if details is NOTHING else details_json(details))
        self._connection.hurry()
