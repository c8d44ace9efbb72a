"""A debugger attaches to the worker that serves, and to it alone. The one before it may hold the port a bit longer."""

from __future__ import annotations

import asyncio
import errno
import socket
from typing import Any, Callable, Optional

PAUSE = 0.1
#: So often is a port that is taken tried before that is said.
QUIET = 15
HOST = "127.0.0.1"

_MISSING = (
    "no debugger can attach: the package debugpy is missing. Install it with `pip install debugpy`, or add debugpy to "
    "requirements.txt and run `motia install`"
)


class Debugger:
    def __init__(self, say: Callable[[str, str], None]) -> None:
        self._say = say
        self._wanted: Optional[int] = None
        self._listening: Optional[int] = None
        self._task: Optional[asyncio.Task[Any]] = None

    def listen(self, port: Optional[int]) -> None:
        """Listens on a port of this machine; says what is wrong with the port, if that lasts. debugpy cannot stop
        listening: without a port nothing happens, and the port is free once this process ends."""
        self._wanted = port
        if port is not None and self._listening is None:
            self._task = asyncio.ensure_future(self._try(port))

    async def _try(self, port: int) -> None:
        try:
            import debugpy
        except ImportError:
            self._say("error", _MISSING)
            return
        tries = 0
        while self._wanted == port:
            tries += 1
            problem = _problem_of(port)
            if problem is None:
                try:
                    debugpy.listen((HOST, port))
                except Exception as error:
                    self._say("error", f"no debugger can attach: {error}")
                    return
                self._listening = port
                return
            if tries == QUIET:
                self._say("error", _complaint(port, problem))
            await asyncio.sleep(PAUSE)


def _complaint(port: int, problem: OSError) -> str:
    if problem.errno == errno.EADDRINUSE:
        return (
            f"no debugger can attach: port {port} is taken, by another program or by a worker before this one that "
            "stands at a breakpoint. Free it, and this worker listens there; or choose another: "
            "motia dev --inspect=PORT"
        )
    return (
        f"no debugger can attach: port {port} cannot be used ({problem.strerror}). Choose another: "
        "motia dev --inspect=PORT"
    )


def _problem_of(port: int) -> Optional[OSError]:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            return error
    return None
