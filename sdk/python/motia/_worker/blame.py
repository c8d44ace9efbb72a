"""Errors that no handler caught, and exits that nobody asked for: each is laid at the door of the step that caused it.
Neither ends the process, but what wanted to end everything may have left anything in a bad state: the worker asks to be
replaced, and finishes what it holds."""

from __future__ import annotations

import asyncio
import re
import sys
import threading
from concurrent import futures
from contextvars import Context
from functools import wraps
from typing import Any, NoReturn, Optional
from weakref import WeakKeyDictionary

from .._runtime import current, current_call
from ..errors import OperationError
from .calls import Calls
from .errors import message_of
from .operate import Operation, awaiting

#: Where what the threads of pools run is defined.
_POOLS = ("concurrent.futures.thread", "multiprocessing.pool")


class Blame:
    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._log = calls.log
        #: Task to call, where Python does not say in which context a task runs (before 3.12).
        self._owners: WeakKeyDictionary[Any, Any] = WeakKeyDictionary()
        calls.blame = self

    def watch(self) -> None:
        loop = self._calls.loop
        loop.set_task_factory(self._task)
        loop.set_exception_handler(self._loop_failed)
        threading.excepthook = self._thread_failed
        sys.unraisablehook = self._unraisable
        _mark_threads()
        _mark_pools()
        _mark_exits()

    def exit(self, error: BaseException, call: Any) -> None:
        """Somebody wants to end the process: fails the call if it still runs, and takes the worker out of service."""
        if getattr(error, "_motia_seen", False):
            return
        error._motia_seen = True  # type: ignore[attr-defined]
        what = exit_text(error)
        failure = RuntimeError(what).with_traceback(error.__traceback__)
        failure.__suppress_context__ = True
        where = self._whose(call)
        self._log.send("error", f"{what} {where}", {"error": failure}, "worker", call)
        if call is not None and not call.over:
            call.fail(failure)
        # Without the code: a reason is for people.
        self._calls.connection.retire(f"{re.sub(r'[(].*[)]', '', what, flags=re.DOTALL)} {where}")

    def stray_exit(self, error: BaseException) -> None:
        """One that left the loop: of a task or a callback that a handler left behind."""
        self.exit(error, getattr(error, "_motia_call", None) or _call_of(error.__traceback__))

    def _whose(self, call: Any) -> str:
        if call is not None:
            return f"in {call.step.source}"
        sources = self._calls.sources()
        return f"outside of any call (in flight: {', '.join(sources)})" if sources else "outside of any call"

    def _task(self, loop: asyncio.AbstractEventLoop, coroutine: Any, **options: Any) -> asyncio.Task[Any]:
        """How the loop makes tasks. Operations are no coroutines, but may be made tasks of."""
        if isinstance(coroutine, Operation):
            coroutine = awaiting(coroutine)
        task = asyncio.Task(coroutine, loop=loop, **options)
        if sys.version_info < (3, 12):
            call = current.get()
            if call is not None:
                self._owners[task] = call
        return task

    def _loop_failed(self, _: asyncio.AbstractEventLoop, about: dict[str, Any]) -> None:
        """A task whose error nobody asks for, a callback that raised."""
        error = about.get("exception")
        future = about.get("task") or about.get("future")
        call = self._owner(future, about.get("handle"))
        if isinstance(error, (SystemExit, KeyboardInterrupt)):
            # It has left the loop too, or will.
            self.exit(error, call)
            return
        if isinstance(error, OperationError):
            owner = getattr(error, "_motia_call", None)
            if owner is not None and not owner.over:
                owner.lose(error)
                return
        what = about.get("message") or "an error in the loop"
        if error is None:
            # Such as a task that is destroyed while it waits.
            self._log.send("warn", what, source="worker", call=call)
            return
        left = isinstance(future, asyncio.Future)
        text = f"{'a task that nobody awaits failed' if left else 'a callback failed'}: {message_of(error)}"
        self._log.send("error", text, {"error": error}, "worker", call)

    def _owner(self, future: Any, handle: Any) -> Any:
        try:
            if hasattr(handle, "_context"):
                return handle._context.get(current)
            if isinstance(future, asyncio.Task):
                return self._call_of_task(future)
        except Exception:
            return None
        return current.get()

    def _call_of_task(self, task: Any) -> Any:
        return self._owners.get(task) if sys.version_info < (3, 12) else task.get_context().get(current)

    def _thread_failed(self, about: Any) -> None:
        call = getattr(about.thread, "_motia_call", None)
        if isinstance(about.exc_value, (SystemExit, KeyboardInterrupt)):
            self.exit(about.exc_value, call)
            return
        name = about.thread.name if about.thread is not None else "a thread"
        error = about.exc_value if about.exc_value is not None else about.exc_type()
        self._log.send("error", f"{name} failed: {message_of(error)}", {"error": error}, "worker", call)

    def _unraisable(self, about: Any) -> None:
        error = about.exc_value if about.exc_value is not None else about.exc_type()
        text = about.err_msg or f"an error was ignored in {about.object!r}"
        self._log.send("error", f"{text}: {message_of(error)}", {"error": error}, "worker", current_call())


def exit_text(error: BaseException) -> str:
    if isinstance(error, KeyboardInterrupt):
        return "KeyboardInterrupt was raised"
    code = error.code if isinstance(error, SystemExit) else None
    return f"sys.exit({'' if code is None else repr(code)}) was called"


def _call_of(traceback: Any) -> Optional[Any]:
    """Whose code raised: the loop's own frame holds the handle that it ran, and that its context."""
    while traceback is not None:
        handle = traceback.tb_frame.f_locals.get("self")
        context = getattr(handle, "_context", None)
        if isinstance(context, Context):
            return context.get(current)
        traceback = traceback.tb_next
    return None


def _mark_exits() -> None:
    """An exit in a callback leaves uvloop without a trace of whose it was."""

    # By its name, it can be what a process of multiprocessing is to run.
    @wraps(sys.exit)
    def exit(status: Any = None) -> NoReturn:
        error = SystemExit(status)
        error._motia_call = current_call()  # type: ignore[attr-defined]
        raise error

    sys.exit = exit


def _mark_threads() -> None:
    """Threads have contexts of their own. One that a handler starts is told whose it is; those of a pool serve all."""
    start = threading.Thread.start

    def start_marked(self: threading.Thread) -> None:
        if getattr(getattr(self, "_target", None), "__module__", None) not in _POOLS:
            self._motia_call = current_call()  # type: ignore[attr-defined]
        start(self)

    threading.Thread.start = start_marked  # type: ignore[method-assign]


def _mark_pools() -> None:
    """What a pool's thread runs belongs to the call that submitted it. Of its context nothing else is carried along:
    what the pool's initializer has set in the thread's own has to hold. Other interpreters know no calls."""
    submit: Any = futures.ThreadPoolExecutor.submit
    of_interpreters: Any = getattr(futures, "InterpreterPoolExecutor", ())

    @wraps(submit)
    def submit_marked(self: Any, fn: Any, /, *args: Any, **kwargs: Any) -> Any:
        call = current_call()
        if call is None or isinstance(self, of_interpreters):
            return submit(self, fn, *args, **kwargs)
        return submit(self, _run_for, call, fn, *args, **kwargs)

    futures.ThreadPoolExecutor.submit = submit_marked  # type: ignore[method-assign]


def _run_for(call: Any, function: Any, *args: Any, **kwargs: Any) -> Any:
    token = current.set(call)
    try:
        return function(*args, **kwargs)
    finally:
        current.reset(token)
