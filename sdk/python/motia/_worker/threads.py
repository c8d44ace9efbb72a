"""Where plain `def` handlers run: beside the loop, each in a thread of its own, so that one that computes or waits does
not stop the others, and may wait for them."""

from __future__ import annotations

import asyncio
import threading
from contextvars import Context
from queue import SimpleQueue
from typing import Any, Callable, Optional

from .log import LogSender

#: Seconds: threads that were spare for so long end.
PATIENCE = 10
#: So many threads start in a turn of the loop, which hears nothing meanwhile. Each takes some 100 µs.
STARTED_IN_A_TURN = 8

#: What waits for the outcome, and what to run.
Job = tuple[Any, Context, Callable[..., Any], tuple[Any, ...]]


class HandlerThreads:
    """Threads are used again; where all are busy, one more starts. There is no most: the engine bounds the calls that a
    worker holds, and where they had to share threads they could wait for each other for ever.

    They are no pool of Python's: in a process that is forked from a thread of one, Python waits for that very thread.
    Their stacks have the size that the system gives: smaller ones save no memory, as only what is used takes any, and
    crash where code recurses.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, log: LogSender) -> None:
        self._loop = loop
        self._log = log
        #: Any thread takes the next job, so that a busy one goes on without a switch to another.
        self._jobs: SimpleQueue[Optional[Job]] = SimpleQueue()
        #: One entry per thread without a job. Threads only add to it and the loop only takes, so that it needs no lock.
        self._free: list[None] = []
        #: Jobs that no thread has been set aside for yet.
        self._waiting = 0
        #: Whether the next turn looks how many of them still wait.
        self._growing = False
        self._warned = False
        self._count = 0
        #: How many were free all the time since the last look.
        self._spare = 0
        #: The next look.
        self.timer: Optional[asyncio.TimerHandle] = None

    @property
    def busy(self) -> bool:
        """Whether a job runs. Its call may be over: what waits for a thread can be cancelled, the thread cannot."""
        return len(self._free) - self._waiting < self._count

    async def run(self, context: Context, function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
        settled: asyncio.Future[tuple[Any, Any]] = self._loop.create_future()
        self._set_aside()
        # No `run_in_executor`: its two futures per call cost more than the thread.
        self._jobs.put((settled, context, function, arguments))
        value, error = await settled
        if error is None:
            return value
        try:
            raise error
        finally:
            # A traceback holds this frame, and the error its traceback.
            error = None

    def _set_aside(self) -> None:
        """A thread for one more job."""
        self._waiting += 1
        self._take_free()
        if self._waiting and not self._growing:
            self._grow()

    def _take_free(self) -> None:
        while self._free and self._waiting:
            self._free.pop()
            self._waiting -= 1
        self._spare = min(self._spare, len(self._free))

    def _grow(self, most: int = 1) -> None:
        """Starts threads for what still waits. What was quick has made some free by then."""
        self._growing = False
        self._take_free()
        try:
            for _ in range(min(self._waiting, most)):
                # In an empty context: it belongs to no call, but to one after the other.
                Context().run(HandlerThread(target=self._work, name="motia-handler").start)
                self._waiting -= 1
                self._count += 1
                self._growing = True
        except RuntimeError as error:
            self._refused(error)
        if self._growing:
            self._loop.call_soon(self._grow, STARTED_IN_A_TURN)
        if self.timer is None and self._count:
            self._trim()

    def _refused(self, error: RuntimeError) -> None:
        if self._count == 0:
            self._waiting -= 1
            raise error
        if not self._warned:
            self._warned = True
            self._log.send(
                "warn",
                f"the system refuses this worker more than {self._count} threads for plain def handlers ({error}): "
                "further ones wait until others are over. Raise its limit (ulimit -u, or the container's limit of "
                "processes), or make handlers that wait for something async def.",
            )

    def _trim(self) -> None:
        self._take_free()
        for _ in range(self._spare):
            self._free.pop()
            self._count -= 1
            self._jobs.put(None)
        self._spare = len(self._free)
        self.timer = self._loop.call_later(PATIENCE, self._trim) if self._count else None

    def _work(self) -> None:
        # Each job in a call of its own, so that an idle thread holds nothing of the last one.
        while self._take():
            pass

    def _take(self) -> bool:
        job = self._jobs.get()
        if job is None:
            return False
        settled, context, function, arguments = job
        result: tuple[Any, Any]
        try:
            result = (context.run(function, *arguments), None)
        except BaseException as error:
            result = (None, error)
        self._free.append(None)
        self._loop.call_soon_threadsafe(settle, settled, result)
        return True


class HandlerThread(threading.Thread):
    """No daemon, although nobody waits for it to end: threads that a handler starts would be daemons then, and those
    are not waited for either, see rest.py."""


def settle(settled: Any, result: Any) -> None:
    """What waits may have been cancelled meanwhile."""
    if not settled.done():
        settled.set_result(result)
