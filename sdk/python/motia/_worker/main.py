"""The worker as a process: puts its parts together, and runs the loop until the engine says otherwise."""

from __future__ import annotations

import asyncio
import faulthandler
import os
import platform
import signal
import socket
import sys
from typing import Any, Optional

from .. import _runtime
from .blame import Blame
from .calls import Calls
from .capture import capture
from .connection import Connection
from .debugger import Debugger
from .frames import HELLO
from .loader import Loader
from .log import LogSender
from .orphan import die_with_parent
from .rest import Rest
from .watchdog import Watchdog

try:
    import uvloop
except ImportError:
    uvloop = None


def main() -> None:
    sock = _inherited()
    if sock is None:
        sys.stderr.write("This is the Python worker of Motia. The motia command starts it.\n")
        sys.exit(2)
    faulthandler.enable()
    _ignore_signals()
    # On Linux the launcher has asked for a signal.
    if sys.platform != "linux":
        die_with_parent()
    loop = asyncio.new_event_loop() if uvloop is None else uvloop.new_event_loop()
    asyncio.set_event_loop(loop)
    Worker(sock, loop).run()


def _ignore_signals() -> None:
    """Stopping comes by frame, or by the end of the stream: a Ctrl-C in the terminal reaches all of its processes.

    By a handler that does nothing: what is really ignored would be so in every process that user code starts. A forked
    child gets Python's own handlers back, and what is sent to it meanwhile waits for them.
    """
    ours = {signal.SIGINT, signal.SIGTERM}
    for number in ours:
        signal.signal(number, lambda *_: None)

    def forked() -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ours)

    os.register_at_fork(
        before=lambda: signal.pthread_sigmask(signal.SIG_BLOCK, ours),
        after_in_parent=lambda: signal.pthread_sigmask(signal.SIG_UNBLOCK, ours),
        after_in_child=forked,
    )


def _inherited() -> Optional[socket.socket]:
    """The stream. Processes that user code starts are no workers, and inherit neither the variable nor the stream."""
    number = os.environ.pop("MOTIA_FD", "")
    if not number.isdigit() or int(number) < 3:
        return None
    try:
        sock = socket.socket(fileno=int(number))
    except OSError:
        return None
    sock.set_inheritable(False)
    return sock


class Worker:
    """What the engine's frames lead to."""

    def __init__(self, sock: socket.socket, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._debugger = Debugger(self._say)
        self._connection = Connection(sock, loop, self)
        self._log = LogSender(self._connection)
        self._calls = Calls(self._connection, self._log, loop)
        self._watchdog = Watchdog(loop, self._say, lambda: self._calls.importing)
        self._blame = Blame(self._calls)
        self._loader = Loader(self._connection, self._calls)
        self._rest = Rest(loop, self._connection, self._calls)

    def run(self) -> None:
        self._blame.watch()
        out, err = capture(self._log, self._loop)

        def ended(call: Any) -> None:
            out.ended(call)
            err.ended(call)

        self._calls.ended = ended
        _runtime.write = self._log.send
        os.register_at_fork(after_in_child=self._forked)
        self._watchdog.start()
        hello = {"protocol": 1, "language": "python", "runtime": platform.python_version(), "pid": os.getpid()}
        self._connection.send(HELLO, 0, hello)
        while True:
            try:
                self._loop.run_forever()
            except (SystemExit, KeyboardInterrupt) as error:
                self._blame.stray_exit(error)

    def _say(self, level: str, message: str) -> None:
        self._log.send(level, message, source="worker")

    def _forked(self) -> None:
        _runtime.write = None
        self._connection.abandon()

    # What the connection calls, see connection.Worker.

    def load(self, root: str, files: list[dict[str, str]]) -> None:
        self._loader.load(root, files)

    def streams(self, names: list[str]) -> None:
        self._calls.set_streams(names)

    def call(self, number: int, meta: dict[str, Any], body: bytes) -> None:
        self._calls.start(number, meta, body)

    def aborted(self, number: int) -> None:
        self._calls.aborted(number)

    def cancel(self, number: int, reason: str) -> None:
        self._calls.cancel(number, reason)

    def stop(self) -> None:
        # The engine does not wait for ever.
        self._calls.stop(self._rest.begin)

    def inspect(self, port: Optional[int]) -> None:
        self._watchdog.paused = port is not None
        self._debugger.listen(port)

    def end(self, error: Optional[BaseException]) -> None:
        """The stream has ended: there is nobody to work for. Nothing is waited for, not even threads."""
        if error is None:
            os._exit(0)
        os.write(2, f"motia worker: the connection to the engine broke: {error}\n".encode(errors="replace"))
        os._exit(1)
