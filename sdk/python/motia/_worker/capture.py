"""Where Python itself writes to the terminal, it writes log lines here: print, warnings, loggers that nobody set up."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import warnings
from typing import Any, Callable, Optional, TextIO

from .._runtime import NOTHING, current_call
from .console import Console
from .log import LogSender

#: Seconds after which half a line of a call that is over is sent as it is.
_LATER = 0.5


def capture(log: LogSender, loop: asyncio.AbstractEventLoop) -> tuple[Console, Console]:
    def later(callback: Callable[[], None]) -> None:
        loop.call_soon_threadsafe(loop.call_later, _LATER, callback)

    consoles = (Console(log, "info", sys.stdout, later), Console(log, "warn", sys.stderr, later))
    originals = (sys.stdout, sys.stderr, logging.lastResort, warnings.showwarning)
    sys.stdout, sys.stderr = consoles
    logging.lastResort = _LastResort(log)

    def show(
        message: Any, category: Any, filename: str, lineno: int, file: Optional[TextIO] = None, line: Any = None
    ) -> None:
        if file is not None:
            file.write(warnings.formatwarning(message, category, filename, lineno, line))
            return
        text = f"{category.__name__}: {message} ({filename}:{lineno})"
        log.send("warn", text, source="console", call=current_call())

    warnings.showwarning = show
    os.register_at_fork(after_in_child=lambda: _restore(originals))
    return consoles


def _restore(originals: tuple[Any, ...]) -> None:
    """A forked child has no stream to send log lines on."""
    sys.stdout, sys.stderr, logging.lastResort, warnings.showwarning = originals


class _LastResort(logging.Handler):
    """What `logging` does with records for which nobody has set up a handler. Those below WARNING are dropped, as
    Python does."""

    def __init__(self, log: LogSender) -> None:
        super().__init__(logging.WARNING)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        try:
            details: dict[str, Any] = {} if record.name == "root" else {"logger": record.name}
            if record.exc_info and record.exc_info[1] is not None:
                details["error"] = record.exc_info[1]
            level = "error" if record.levelno >= logging.ERROR else "warn"
            self._log.send(level, record.getMessage(), details or NOTHING, "logger", current_call())
        except Exception:
            self.handleError(record)
