"""One operation: out as an OP frame when it is called, back as something to await. Its call is not over before it has
been answered, and fails if it failed and nobody took notice."""

from __future__ import annotations

import asyncio
import concurrent.futures
import dis
import math
import sys
import threading
from collections.abc import Coroutine, Generator
from typing import Any, Callable, Optional

from .._runtime import NOTHING
from ..errors import OperationError
from .decode import parse
from .encode import encode
from .jsonable import name_of

#: What a reply means: `read(value of the reply, extra)`.
Read = Optional[Callable[[Any, Any], Any]]


class _Asked:
    """What both kinds of operation share: the reply, and what to say of one that is used as if it were the value."""

    __slots__ = ()

    def replied(self, error: Optional[dict[str, Any]], body: bytes) -> None:
        """On the loop's thread, as all that comes from the connection."""
        call = self._owner
        if error is None:
            try:
                value = parse(body.decode()) if body else None
                self.succeed(value if self._read is None else self._read(value, self._extra))
            except Exception as failure:
                self._failed(call, failure)
        else:
            self._failed(call, OperationError(str(error.get("message", "")), error.get("code")))
        call.operation_answered()

    def _failed(self, call: Any, error: BaseException) -> None:
        error._motia_at = self.at()  # type: ignore[attr-defined]
        error._motia_call = call  # type: ignore[attr-defined]
        # Before the answer counts: the call must not be over while this error looks for someone to handle it.
        call.operation_failed(self)
        self.fail(error)

    def at(self) -> str:
        """The line that called it, in the form of a traceback."""
        code, instruction = self._at
        line = code.co_firstlineno
        for start, number in _line_starts(code):
            if start > instruction:
                break
            line = number or line
        return f'  File "{code.co_filename}", line {line}, in {code.co_name}\n'

    def _unawaited(self, *_: Any) -> Any:
        raise TypeError(
            f"{self._op} returns something to wait for, not the value: await it, or call .result() in a handler that "
            "is not async"
        )

    def __getattr__(self, name: str) -> Any:
        # Libraries ask for private names to find out what something is.
        if name.startswith("_"):
            raise AttributeError(name)
        return self._unawaited()

    __getitem__ = __setitem__ = __iter__ = __len__ = __contains__ = _unawaited

    def __bool__(self) -> bool:
        return True


class Operation(_Asked, asyncio.Future):  # type: ignore[type-arg]
    """On the loop. A future, so that it can be awaited more than once, gathered, waited for; see also Blame._task."""

    __slots__ = ("_at", "_extra", "_op", "_owner", "_read")

    def succeed(self, value: Any) -> None:
        # Its task may have been cancelled meanwhile.
        if not self.done():
            self.set_result(value)

    def fail(self, error: BaseException) -> None:
        if not self.done():
            self.set_exception(error)

    def lost_error(self) -> Optional[BaseException]:
        """Why it failed, if nobody has asked so far. It is not reported a second time."""
        if not self.done() or not self._log_traceback:
            return None
        return self.exception()


class ThreadOperation(_Asked):
    """In a thread: `.result()` waits for it, and `await` does in a loop of the thread's own."""

    __slots__ = ("__weakref__", "_answer", "_at", "_extra", "_handled", "_op", "_owner", "_read", "_steps")

    def __init__(self) -> None:
        self._answer: concurrent.futures.Future[Any] = concurrent.futures.Future()
        self._handled = False
        self._steps: Optional[Generator[Any, Any, Any]] = None

    def result(self, timeout: Optional[float] = None) -> Any:
        """The value, once it is there. Raises OperationError, and TimeoutError after so many seconds."""
        try:
            value = self._answer.result(timeout)
        except concurrent.futures.TimeoutError:
            if self._answer.done():
                raise
            raise TimeoutError(f"{self._op} was not answered in {timeout} s") from None
        finally:
            self._handled = self._answer.done()
        return value

    def exception(self, timeout: Optional[float] = None) -> Optional[BaseException]:
        error = self._answer.exception(timeout)
        self._handled = True
        return error

    def done(self) -> bool:
        return self._answer.done()

    def __await__(self) -> Generator[Any, Any, Any]:
        self._handled = True
        return asyncio.wrap_future(self._answer).__await__()

    # As a coroutine, for `create_task`, `gather` and `asyncio.run` in a loop of the thread's own.
    def send(self, value: Any) -> Any:
        if self._steps is None:
            self._steps = self.__await__()
        return self._steps.send(value)

    def throw(self, *error: Any) -> Any:
        if self._steps is None:
            self._steps = self.__await__()
        return self._steps.throw(*error)

    def close(self) -> None:
        if self._steps is not None:
            self._steps.close()

    def succeed(self, value: Any) -> None:
        if not self._answer.done():
            self._answer.set_result(value)

    def fail(self, error: BaseException) -> None:
        if not self._answer.done():
            self._answer.set_exception(error)

    def lost_error(self) -> Optional[BaseException]:
        if self._handled or not self._answer.done():
            return None
        self._handled = True
        return self._answer.exception()


Coroutine.register(ThreadOperation)


async def awaiting(operation: Any) -> Any:
    """An operation as a coroutine, for what takes nothing else: `asyncio.create_task(emit(…))`."""
    return await operation


def operate(
    call: Any,
    op: str,
    names: dict[str, Any],
    value: Any = NOTHING,
    read: Read = None,
    extra: Any = None,
    more: Optional[dict[str, Any]] = None,
    depth: int = 2,
) -> Any:
    """Asks for `op`. `names` are groups, keys, topics; `value` is the JSON body; `more` are members that the engine
    reads as they are. What cannot be sent (a name that is no text, data that is no JSON) raises here, where the user's
    line is.

    `depth` says how many callers up the user's line is, see `at`.
    """
    for name in names:
        if type(names[name]) is not str:
            names[name] = _name_text(op, name, names[name])
        if not names[name].isascii():
            _check_text(op, name, names[name])
    if more:
        for name, member in more.items():
            if type(member) is float and not math.isfinite(member):
                raise ValueError(f"{op}: {name} must not be {member}")
    body = b"" if value is NOTHING else encode(value, op)
    if threading.get_ident() == call.calls.thread:
        operation: Any = Operation(loop=call.calls.loop)
    else:
        operation = ThreadOperation()
    frame = sys._getframe(depth)
    operation._at = (frame.f_code, frame.f_lasti)
    operation._op = op
    operation._owner = call
    operation._read = read
    operation._extra = extra
    connection = call.connection
    with connection.lock:
        meta = {"op": op, "call": call.id}
        if call.over:
            # Its call is history: a task or a thread that was left behind asks.
            meta["trace"] = call.trace
            meta["step"] = call.step.source
        meta.update(names)
        if more:
            meta.update(more)
        connection.request(meta, body, operation)
        call.pending += 1
    return operation


def _name_text(op: str, name: str, value: Any) -> str:
    """Numbers are common ids and become text. Anything else is a mistake that would end up as a key "{'a': 1}"."""
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(int(value))
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if type(value).__name__ == "UUID":
        return str(value)
    raise TypeError(f"{op}: {name} must be a string, not {name_of(value)}")


def _check_text(op: str, name: str, text: str) -> None:
    """Half a surrogate pair has no UTF-8: two such names would be stored as one."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{op}: {name} contains half a surrogate pair, which is no Unicode text") from None


def _line_starts(code: Any) -> list[tuple[int, Optional[int]]]:
    if hasattr(code, "co_lines"):
        return [(start, line) for start, _, line in code.co_lines()]
    return list(dis.findlinestarts(code))
