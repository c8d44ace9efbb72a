"""One call of a handler, or of a function of a stream. It is over when that has settled and every operation it sent has
been answered."""

from __future__ import annotations

import asyncio
from contextvars import copy_context
from typing import Any, Callable, Optional, Union

from ..context import Context
from ..errors import AbortError
from ..logger import Logger
from ..signals import Signal
from .access import arguments_of, to_answer
from .call_kinds import VISITS
from .decode import parse
from .errors import InvalidBody, to_wire
from .frames import meta_bytes
from .request import build_request
from .response import Result, Streamed, to_result
from .streaming import Streaming

#: What is returned is dropped, but by requests and questions.
_DONE: Result = (b"", b"")

_REASONS: dict[str, Callable[[], BaseException]] = {
    "timeout": lambda: TimeoutError("the call took too long"),
    "disconnect": lambda: AbortError("the client went away"),
    "shutdown": lambda: AbortError("the server is stopping"),
}


class Call:
    __slots__ = (
        "__weakref__",
        "_failed",
        "_signal",
        "_threads",
        "_undecided",
        "calls",
        "connection",
        "error",
        "id",
        "kind",
        "outcome",
        "over",
        "pending",
        "reason",
        "step",
        "streaming",
        "task",
        "trace",
        "traceparent",
    )

    def __init__(self, number: int, meta: dict[str, Any], step: Any, calls: Any) -> None:
        self.id = number
        self.kind = meta["kind"]
        self.trace = meta["trace"]
        self.traceparent = meta.get("traceparent")
        self.step = step
        self.calls = calls
        self.connection = calls.connection
        self.over = False
        #: Operations that are not answered yet. Changed under the connection's lock, since threads send some.
        self.pending = 0
        #: The RESULT, once the handler has settled, and the error if it failed.
        self.outcome: Union[Result, Streamed, None] = None
        self.error: Optional[dict[str, Any]] = None
        self.reason: Optional[BaseException] = None
        #: Sends the body of a streamed response.
        self.streaming: Optional[Streaming] = None
        self.task: Optional[asyncio.Task[Any]] = None
        #: Operations that failed, of which some may be handled by now.
        self._failed: Optional[list[Any]] = None
        #: One failed just now: whether somebody handles it shows soon.
        self._undecided = False
        self._signal: Optional[Signal] = None
        #: Threads that run its code. They cannot be interrupted.
        self._threads = 0

    async def run(self, meta: dict[str, Any], body: bytes) -> None:
        """The task of the call."""
        step = self.step
        try:
            if self.kind == "api":
                request = build_request(meta, body)
                if step.direct is None:
                    value = await step.runs["api"](self, (request, Context(self)))
                else:
                    value = await step.direct(request, Context(self))
                    if type(value) is not dict and hasattr(value, "__await__"):
                        value = await value
                outcome = to_result(value, self)
                if isinstance(outcome, Streamed):
                    outcome = await outcome.begin()
            elif self.kind == "access":
                # Who answers it has no context.
                outcome = to_answer(await step.runs["access"](self, arguments_of(body)))
            elif self.kind in VISITS:
                await step.runs[self.kind](self, (*arguments_of(body), Context(self)))
                outcome = _DONE
            else:
                arguments = (Context(self),) if self.kind == "cron" else (_event_data(body), Context(self))
                await step.runs[self.kind](self, arguments)
                outcome = _DONE
        except Exception as error:
            self.fail(error)
        except asyncio.CancelledError as error:
            # After its timeout; otherwise the handler awaited something that somebody had cancelled.
            self.fail(error if self.reason is None else self.reason)
        except (SystemExit, KeyboardInterrupt) as error:
            self.calls.blame.exit(error, self)
        except BaseException as error:
            # Such as the panic of an extension in Rust, or a GeneratorExit that somebody raised: no reason to leave a
            # client without an answer.
            self.fail(error)
        else:
            self._conclude(outcome)

    async def in_thread(self, function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
        """Runs plain code of the call beside the loop, so that one that computes, or waits, stops nobody else."""
        self._threads += 1
        try:
            return await self.calls.threads.run(copy_context(), function, arguments)
        finally:
            self._threads -= 1

    def fail(self, error: BaseException) -> None:
        if self.outcome is not None:
            return
        if isinstance(error, InvalidBody):
            self._conclude((meta_bytes({"invalid": str(error)}), b""))
            return
        self.error = to_wire(error)
        self._conclude((meta_bytes({"error": self.error}), b""))

    def stream(self, streaming: Streaming) -> None:
        """The head of a streamed response is out. What concludes the call now is the end of its body."""
        self.outcome = None
        self.streaming = streaming
        self.task = self.calls.spawn(self, self._stream(streaming))

    async def _stream(self, streaming: Streaming) -> None:
        try:
            await streaming.run()
        except (SystemExit, KeyboardInterrupt) as error:
            self.calls.blame.exit(error, self)
        except BaseException as error:
            self.fail(error)
        else:
            self._conclude(_DONE)

    def _conclude(self, outcome: Union[Result, Streamed]) -> None:
        if self.outcome is None:
            self.outcome = outcome
            self._try_finish()

    def _try_finish(self) -> None:
        if self.over or self.pending > 0 or self.outcome is None:
            return
        if self._undecided:
            self._undecided = False
            # By then whoever awaits the operation, in a task of its own perhaps, has heard of it.
            loop = self.calls.loop
            loop.call_soon(lambda: loop.call_soon(self._try_finish))
            return
        if self._failed is not None:
            self._blame()
        self.calls.finish(self)

    def _blame(self) -> None:
        """Errors that nobody took. The first is the call's own, if it has none; the others would be lost."""
        failed, self._failed = self._failed or [], None
        for operation in failed:
            error = operation if isinstance(operation, BaseException) else operation.lost_error()
            if error is None:
                continue
            if self.error is not None:
                self.calls.log.send("error", f"an operation failed: {error}", {"error": error}, "worker", self)
                continue
            if type(self.outcome) is Streamed:
                # The head is not out yet, and the client can still get its 500.
                self.calls.spawn(self, self.outcome.source.cancel())
            self.error = to_wire(error)
            self.outcome = (meta_bytes({"error": self.error}), b"")

    def lose(self, error: BaseException) -> None:
        """A task of the call ended with this error of an operation, and nobody handles it."""
        if self._failed is None:
            self._failed = []
        self._failed.append(error)

    def operation_failed(self, operation: Any) -> None:
        if self.over:
            self.calls.check_late(operation, self)
            return
        self._undecided = True
        if self._failed is None:
            self._failed = []
        self._failed.append(operation)

    def operation_answered(self) -> None:
        with self.connection.lock:
            self.pending -= 1
        if self.pending == 0 and self.outcome is not None:
            self._try_finish()

    def close(self) -> None:
        """The result is on its way. Tasks and threads of the handler may hold this object for long, so it lets go."""
        self.over = True
        self.outcome = None
        self.streaming = None
        self.task = None
        self._failed = None

    @property
    def signal(self) -> Signal:
        if self._signal is None:
            self._signal = Signal(self.calls)
            if self.reason is not None:
                self._signal._abort(self.reason)
        return self._signal

    def cancel(self, reason: str) -> None:
        make = _REASONS.get(reason, lambda: AbortError(f"the call was cancelled: {reason}"))
        if self.reason is None:
            self.reason = make()
        if self._signal is not None:
            self._signal._abort(self.reason)
        if self.streaming is not None:
            self.streaming.cancel()
        elif reason == "timeout" and self.task is not None and self._threads == 0:
            self.task.cancel()

    def logger(self) -> Logger:
        return Logger(self)

    def origin(self, meta: dict[str, Any]) -> None:
        """How a log line names it: its id means nothing to the engine once it is over."""
        if self.over:
            meta["trace"] = self.trace
            meta["step"] = self.step.source
        else:
            meta["call"] = self.id

    def __repr__(self) -> str:
        return f"<call {self.trace} of {self.step.source}>"


def _event_data(body: bytes) -> Any:
    """An empty body is the language's "nothing"."""
    return parse(body.decode()) if body else None
