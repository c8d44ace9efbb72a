"""What connects the package that users import with the worker that runs it. Outside of a worker (in tests of users)
nothing is connected."""

from __future__ import annotations

import threading
from contextvars import ContextVar
from typing import Any, Callable, Optional

#: "Nothing was given", which None is not.
NOTHING: Any = object()

#: Whose code runs: the current call, carried along by tasks, callbacks and handler threads.
current: ContextVar[Any] = ContextVar("motia.call", default=None)

#: `write(level, message, details, source, call)` sends a log line.
Write = Callable[[str, str, Any, str, Any], None]
write: Optional[Write] = None


def current_call() -> Any:
    """The call that this code belongs to, or None. Threads that a handler starts know whose they are, see blame.py."""
    call = current.get()
    return call if call is not None else getattr(threading.current_thread(), "_motia_call", None)
