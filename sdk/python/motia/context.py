"""The `ctx` of handlers. Members by attribute and by key: `ctx.logger`, `ctx["logger"]`, `ctx.get("emit")`."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Any, Optional

from . import emitting
from ._runtime import NOTHING
from ._worker.operate import operate
from .logger import Logger
from .signals import Signal
from .state import State
from .streams import Streams


class _Lazy:
    """A member that is made when it is first asked for, as handlers use few, and is the object's own from then on."""

    def __init__(self, make: Any) -> None:
        self._make = make

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, context: Any, owner: Optional[type] = None) -> Any:
        if context is None:
            return self
        value = context.__dict__[self._name] = self._make(context._call)
        return value


class Events:
    """`ctx.events`"""

    __slots__ = ("_call",)

    def __init__(self, call: Any) -> None:
        self._call = call

    def cancel(self, event: str) -> Any:
        """Takes back what of an event still waits, by the id that `emit` gave. Gives whether there was any."""
        return operate(self._call, "cancel", {"event": event}, read=emitting.any_deliveries)


class Dates:
    """`ctx.utils.dates`"""

    @staticmethod
    def now() -> datetime:
        return datetime.now(timezone.utc)


class Utils:
    """`ctx.utils`, of which the documentation shows one use (L7518)."""

    dates = Dates()


class Context:
    """What a handler gets beside its input. Middleware may add members of its own."""

    logger: Logger = _Lazy(lambda call: call.logger())  # type: ignore[assignment]
    state: State = _Lazy(State)  # type: ignore[assignment]
    streams: Streams = _Lazy(lambda call: call.calls.Streams(call))  # type: ignore[assignment]
    events: Events = _Lazy(Events)  # type: ignore[assignment]
    #: Set once the call should end: after its timeout, when its client went away, when the server stops.
    signal: Signal = _Lazy(lambda call: call.signal)  # type: ignore[assignment]
    #: Stays the same from the first request to the last event that it led to.
    trace_id: str = _Lazy(lambda call: call.trace)  # type: ignore[assignment]
    traceId: str = _Lazy(lambda call: call.trace)  # type: ignore[assignment]
    #: W3C trace context, for what the handler asks of others.
    traceparent: Optional[str] = _Lazy(lambda call: call.traceparent)  # type: ignore[assignment]
    #: The flows of the step.
    flows: list[str] = _Lazy(lambda call: list(call.step.flows))  # type: ignore[assignment]

    utils = Utils()

    def __init__(self, call: Any) -> None:
        self._call = call

    def emit(self, event: Any = NOTHING, data: Any = NOTHING, **members: Any) -> Any:
        """Emits an event: `emit({"topic": …, "data": …})`, `emit("topic", data)` or `emit(topic=…, data=…)`.

        Further members: message_group_id, delay, at, priority, idempotency_key (or in camel case). See docs/events.md.
        Gives `{id, repeated, cancel()}` once the event is stored.
        """
        return emitting.emit(self._call, event, data, members)

    def sync(self) -> Any:
        """Waits until everything that the call wrote so far would survive a power cut."""
        return operate(self._call, "sync", {})

    def __getitem__(self, name: str) -> Any:
        value = getattr(self, name, NOTHING) if isinstance(name, str) and not name.startswith("_") else NOTHING
        if value is NOTHING:
            raise KeyError(name)
        return value

    def __setitem__(self, name: str, value: Any) -> None:
        setattr(self, name, value)

    def get(self, name: str, default: Any = None) -> Any:
        try:
            return self[name]
        except KeyError:
            return default

    def keys(self) -> list[str]:
        own = [name for name in self.__dict__ if not name.startswith("_")]
        return list(dict.fromkeys([*_MEMBERS, *own]))

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())

    def __contains__(self, name: object) -> bool:
        return name in self.keys()

    def __repr__(self) -> str:
        return f"<context of {self._call.step.source}, {self._call.trace}>"


_MEMBERS = (
    "trace_id",
    "traceId",
    "traceparent",
    "flows",
    "logger",
    "state",
    "emit",
    "events",
    "streams",
    "sync",
    "signal",
    "utils",
)
