"""The logger of handlers, `ctx.logger`, and of everyone who imports `logger`."""

from __future__ import annotations

import json
import os
import sys
from typing import Any, Callable, Optional

from . import _runtime
from ._runtime import NOTHING

_LEVELS = {"debug": 0, "info": 1, "warn": 2, "error": 3}
_threshold = {**_LEVELS, "warning": 2}.get(os.environ.get("LOG_LEVEL", "").strip().lower(), 1)

Listener = Callable[..., Any]


class Logger:
    """Lines with a level, a message and details: `logger.info("paid", {"id": 7})` or `logger.info("paid", id=7)`.

    Details are any data, errors among them. `exc_info=True` adds the error that is being handled.
    """

    __slots__ = ("_call", "_fields", "_listeners")

    def __init__(self, call: Any = None, fields: Optional[dict[str, Any]] = None) -> None:
        self._call = call
        self._fields = fields
        self._listeners: Optional[list[Listener]] = None

    def debug(self, message: Any, *details: Any, **more: Any) -> None:
        self._write("debug", message, details, more)

    def info(self, message: Any, *details: Any, **more: Any) -> None:
        self._write("info", message, details, more)

    def warn(self, message: Any, *details: Any, **more: Any) -> None:
        self._write("warn", message, details, more)

    def error(self, message: Any, *details: Any, **more: Any) -> None:
        self._write("error", message, details, more)

    def exception(self, message: Any, *details: Any, **more: Any) -> None:
        """`error` with the error that is being handled."""
        more.setdefault("exc_info", True)
        self._write("error", message, details, more)

    warning = warn
    log = info
    critical = error

    def child(self, fields: Optional[dict[str, Any]] = None, **more: Any) -> Logger:
        """A logger that adds these to the details of every line."""
        return Logger(self._call, {**(self._fields or {}), **(fields or {}), **more})

    def add_listener(self, listener: Listener) -> None:
        """Calls `listener(level, message, *details)` for every line, whatever its level."""
        self._listeners = [*(self._listeners or ()), listener]

    addListener = add_listener

    def _write(self, level: str, message: Any, details: tuple[Any, ...], more: dict[str, Any]) -> None:
        if self._listeners is not None:
            self._notify(level, message, details)
        if _LEVELS[level] < _threshold:
            return
        if more or len(details) != 1 or self._fields is not None or type(message) is not str:
            shown = self._shown(message, details, more)
        else:
            shown = details[0]
        write = _runtime.write or _print
        call = self._call if self._call is not None else _runtime.current_call()
        write(level, message if type(message) is str else _text(message), shown, "logger", call)

    def _shown(self, message: Any, details: tuple[Any, ...], more: dict[str, Any]) -> Any:
        """What stands beside the message. One argument is the details, several are a list."""
        error = _error_of(more.pop("exc_info", None)) if more else None
        if error is None and not details and isinstance(message, BaseException):
            error = message
        fields = {**(self._fields or {}), **more}
        if error is not None:
            fields["error"] = error
        shown = NOTHING if not details else details[0] if len(details) == 1 else list(details)
        if not fields:
            return shown
        if shown is NOTHING:
            return fields
        return {**fields, **shown} if isinstance(shown, dict) else {**fields, "details": shown}

    def _notify(self, level: str, message: Any, details: tuple[Any, ...]) -> None:
        """A listener that raises must not take the line, nor the handler, with it."""
        for listener in self._listeners or ():
            try:
                listener(level, message, *details)
            except Exception as error:
                write = _runtime.write or _print
                write("error", "a log listener failed", {"error": error}, "worker", self._call)


def _error_of(exc_info: Any) -> Optional[BaseException]:
    if isinstance(exc_info, BaseException):
        return exc_info
    if isinstance(exc_info, tuple):
        return exc_info[1]
    return sys.exc_info()[1] if exc_info else None


def _text(message: Any) -> str:
    try:
        return str(message)
    except Exception:
        return "[unreadable]"


def _print(level: str, message: str, details: Any, *_: Any) -> None:
    """Outside of a worker."""
    shown = "" if details is NOTHING else " " + json.dumps(details, default=str, ensure_ascii=False)
    print(f"[{level.upper()}] {message}{shown}", file=sys.stderr)


#: For helper modules. It knows the call that it is used in.
logger = Logger()
