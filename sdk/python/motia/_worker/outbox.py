"""Frames on their way out. Those of one turn leave in one write: a system call costs more than many small frames."""

from __future__ import annotations

import asyncio
import select
import socket
import threading
from time import monotonic
from typing import Any, Callable

from .frames import HEADER

#: So many frames leave at once in so many seconds; the others of a burst share their writes.
AT_ONCE = 16
BURST = 0.005
#: More than this does not wait in memory where its sender can be made to wait instead.
MOST_WAITING = 1_048_576


class Outbox:
    """Frames may come from any thread; what waits for the engine to read is sent on by the loop."""

    def __init__(self, sock: socket.socket, loop: asyncio.AbstractEventLoop, broken: Callable[[OSError], None]) -> None:
        self._sock = sock
        self._loop = loop
        self._broken = broken
        self._thread = threading.get_ident()
        #: Guards everything that leads to the wire, so that no two messages mix.
        self.lock = threading.RLock()
        self._waiting: list[Any] = []
        self._size = 0
        #: What the system did not take of the last write. Nothing else may leave before it.
        self._rest = memoryview(b"")
        self._scheduled = False
        self._burst = 0.0
        self._hurried = 0
        self._dead = False

    @property
    def empty(self) -> bool:
        return not self._waiting and not self._rest

    def frame(self, kind: int, flags: int, number: int, meta: bytes, body: Any) -> None:
        length = 10 + len(meta) + len(body)
        if self._dead:
            return
        with self.lock:
            self._waiting += (HEADER.pack(length, kind, flags, number, len(meta)), meta, body)
            self._size += length
            if threading.get_ident() != self._thread:
                self.flush()
            elif not self._scheduled:
                self._scheduled = True
                self._loop.call_soon(self.flush)

    def hold(self) -> None:
        """What follows leaves with `release`."""
        self._scheduled = True

    def release(self) -> None:
        """At the end of what was read: answers leave now, or right after the tasks that were woken by it, which are on
        the loop's list already. Each turn of the loop that is saved is a system call."""
        if self._waiting:
            self.flush()
        else:
            self._loop.call_soon(self.flush)

    def hurry(self) -> None:
        """Sends what waits without waiting for the end of the turn, which may never come: code that loops or kills the
        process would take with it what says why. Where very much waits, its sender does too."""
        now = monotonic()
        if now - self._burst >= BURST:
            self._burst = now
            self._hurried = 0
        if self._hurried < AT_ONCE:
            self._hurried += 1
            self.flush()
        if self._size > MOST_WAITING:
            self._wait_for_room()

    def flush(self) -> None:
        with self.lock:
            self._scheduled = False
            if not self._waiting or self._rest or self._dead:
                return
            data = b"".join(self._waiting)
            self._waiting.clear()
            self._size = len(data)
            self._write(memoryview(data))

    def _write(self, data: memoryview) -> None:
        try:
            sent = self._sock.send(data)
        except (BlockingIOError, InterruptedError):
            sent = 0
        except OSError as error:
            self._rest = memoryview(b"")
            self._dead = True
            self._loop.call_soon_threadsafe(self._broken, error)
            return
        self._size -= sent
        had_rest = bool(self._rest)
        self._rest = data[sent:]
        if self._rest and not had_rest:
            self._when_writable(True)
        elif had_rest and not self._rest:
            self._when_writable(False)

    def _when_writable(self, wanted: bool) -> None:
        """Only the loop's own thread may change what the loop watches."""
        if threading.get_ident() != self._thread:
            self._loop.call_soon_threadsafe(self._watch)
        elif wanted:
            self._loop.add_writer(self._sock.fileno(), self._go_on)
        else:
            self._loop.remove_writer(self._sock.fileno())

    def _watch(self) -> None:
        with self.lock:
            self._when_writable(bool(self._rest))

    def _go_on(self) -> None:
        with self.lock:
            if self._rest:
                self._write(self._rest)
            else:
                self._when_writable(False)
            self.flush()

    def _wait_for_room(self) -> None:
        """Keeps this thread until the engine has read: a loop that prints must not fill the memory."""
        poll = select.poll()
        poll.register(self._sock.fileno(), select.POLLOUT)
        while self._size > MOST_WAITING and not self._dead:
            poll.poll(1000)
            self._go_on()

    def abandon(self) -> None:
        """In a forked child: the stream is the parent's. A lock that another thread held is never released here."""
        self._dead = True
        self.lock = threading.RLock()
        self._waiting.clear()
        self._size = 0
