"""The calls that run now: from CALL to RESULT."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Coroutine
from typing import Any, Callable, Optional, Union

from .._runtime import current
from ..streams import streams_class
from .access import LoadedStream
from .call import Call
from .call_kinds import missing
from .connection import Connection
from .frames import RESULT, meta_bytes
from .log import LogSender
from .operate import Operation, ThreadOperation
from .response import Streamed
from .steps import Step
from .streaming import Streaming
from .threads import HandlerThreads

#: A task that begins at once is done at once, where its handler waits for nothing.
_EAGER: dict[str, Any] = {"eager_start": True} if sys.version_info >= (3, 12) else {}

#: What a file is once it is loaded.
Loaded = Union[Step, LoadedStream]


class Calls:
    """What all calls share."""

    def __init__(self, connection: Connection, log: LogSender, loop: asyncio.AbstractEventLoop) -> None:
        self.connection = connection
        self.log = log
        self.loop = loop
        self.thread = threading.get_ident()
        self.threads = HandlerThreads(loop, log)
        #: Source to what was loaded of it.
        self.steps: dict[str, Loaded] = {}
        #: Set by blame.py, which knows the calls.
        self.blame: Any = None
        #: Told when a call is over, to send the half line that it printed last.
        self.ended: Callable[[Optional[Call]], None] = lambda _: None
        #: Whether a file is being imported: its code belongs to no call.
        self.importing = False
        self.Streams = streams_class([])
        self._running: dict[int, Call] = {}
        self._drained: Optional[Callable[[], None]] = None

    def sources(self) -> list[str]:
        """The steps in flight, the latest call first."""
        return list(dict.fromkeys(call.step.source for call in reversed(list(self._running.values()))))

    def set_streams(self, names: list[str]) -> None:
        """The streams of contexts made from now on."""
        self.Streams = streams_class(names)

    def start(self, number: int, meta: dict[str, Any], body: bytes) -> None:
        step = self.steps.get(meta["step"])
        if step is None or meta["kind"] not in step.runs:
            error = {"message": missing(meta, step), "code": "step-unknown"}
            self.connection.answer(RESULT, number, meta_bytes({"error": error}))
            return
        call = self._running[number] = Call(number, meta, step, self)
        # A task has the context in which it was made.
        current.set(call)
        task = asyncio.Task(call.run(meta, body), loop=self.loop, **_EAGER)
        current.set(None)
        if not task.done():
            call.task = task

    def spawn(self, call: Call, coroutine: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """A further task of a call."""
        before = current.get()
        current.set(call)
        task = asyncio.Task(coroutine, loop=self.loop)
        current.set(before)
        return task

    def aborted(self, number: int) -> None:
        """The body of a call will never be complete. No handler ran, but every CALL is answered."""
        error = {"message": "the request was broken off", "code": "aborted"}
        self.connection.answer(RESULT, number, meta_bytes({"error": error}))

    def cancel(self, number: int, reason: str) -> None:
        call = self._running.get(number)
        if call is None:
            self.connection.abort_answer(number)
            self._check_drained()
        else:
            call.cancel(reason)

    def stop(self, drained: Callable[[], None]) -> None:
        """`drained` is called once no call runs and every result is out."""
        self._drained = drained
        self._check_drained()

    def finish(self, call: Call) -> None:
        outcome: Any = call.outcome
        if type(outcome) is Streamed:
            answer = self.connection.open_answer(RESULT, call.id, outcome.meta)
            call.stream(Streaming(outcome, answer, self.connection))
            if call.reason is not None:
                call.cancel("")
            return
        self.ended(call)
        waiting = None
        with self.connection.lock:
            # A thread that was left behind asks as one of this call, or as one of a call that is over.
            if call.streaming is not None:
                call.streaming.finish(call.error)
            else:
                waiting = self.connection.answer(RESULT, call.id, *outcome)
            call.close()
        self._running.pop(call.id, None)
        if waiting is not None:
            waiting.released = self._check_drained
        elif self._drained is not None:
            self._check_drained()

    def _check_drained(self) -> None:
        if self._drained is None or self._running:
            return
        if self.connection.idle:
            drained, self._drained = self._drained, None
            drained()
        else:
            # The message that was released is taken off the list behind this.
            self.loop.call_later(0.02, self._check_drained)

    def check_late(self, operation: Any, call: Call) -> None:
        """An operation of a call that is over failed. Where nobody handles it soon, nobody would hear of it."""

        def check() -> None:
            error = operation.lost_error()
            if error is not None:
                message = f"an operation failed that nobody awaited: {error}"
                self.log.send("error", message, {"error": error}, "worker", call)

        self.loop.call_later(0.01, check)

    def waiting(self, name: str) -> Any:
        """Something to await, in the form that fits this thread."""
        operation: Any = Operation(loop=self.loop) if threading.get_ident() == self.thread else ThreadOperation()
        operation._op = name
        return operation

    def settled(self, value: Any) -> Any:
        operation = self.waiting("emit")
        operation.succeed(value)
        return operation

    def on_loop(self, callback: Callable[[], Any]) -> None:
        if threading.get_ident() == self.thread:
            callback()
        else:
            self.loop.call_soon_threadsafe(callback)
