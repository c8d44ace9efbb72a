"""`ctx.signal`: whether a call should end, and why."""

from __future__ import annotations

from typing import Any, Callable, Optional


class Signal:
    """Set after the call's timeout, when its client went away, and when the server stops. A handler may go on then,
    but its result is of no interest."""

    __slots__ = ("_calls", "_listeners", "_op", "reason")

    def __init__(self, calls: Any) -> None:
        self._calls = calls
        self._listeners: list[Callable[[], Any]] = []
        #: Why: a TimeoutError or an AbortError. None as long as it is not set.
        self.reason: Optional[BaseException] = None

    @property
    def aborted(self) -> bool:
        return self.reason is not None

    def raise_if_aborted(self) -> None:
        """For loops: raises the reason once there is one."""
        if self.reason is not None:
            raise self.reason

    def wait(self) -> Any:
        """`await signal.wait()`, or `signal.wait().result(timeout)` in a thread."""
        waiting = self._calls.waiting("signal.wait")
        self.add_listener(lambda: waiting.succeed(None))
        return waiting

    def add_listener(self, listener: Callable[[], Any]) -> None:
        """Calls `listener()` once it is set, on the loop's thread; at once if it is already."""
        self._listeners.append(listener)
        if self.reason is not None:
            self._notify()

    def _abort(self, reason: BaseException) -> None:
        if self.reason is None:
            self.reason = reason
            self._notify()

    def _notify(self) -> None:
        listeners, self._listeners = self._listeners, []
        for listener in listeners:
            self._calls.on_loop(listener)

    def __bool__(self) -> bool:
        return True

    def __repr__(self) -> str:
        return f"<signal, {'not set' if self.reason is None else self.reason}>"
