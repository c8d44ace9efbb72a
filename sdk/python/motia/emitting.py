"""`ctx.emit`: what it takes, and what it gives back."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Optional

from ._runtime import NOTHING
from ._worker.operate import operate
from .bag import Bag
from .state_value import StateValue

#: The members of an event in both spellings, by the name that they have on the wire.
_MEMBERS = {
    "messageGroupId": "group",
    "message_group_id": "group",
    "idempotencyKey": "once",
    "idempotency_key": "once",
    "delay": "delay",
    "at": "at",
    "priority": "priority",
}
_NAMES = frozenset({"group", "once"})


class Emitted(Bag):
    """An event that was emitted. `id` is empty if it was dropped; `repeated` says that its idempotency key had been
    used, so that this is the first event."""

    __slots__ = ("_call",)

    id: str
    repeated: bool

    def cancel(self) -> Any:
        """Takes back what of the event still waits. Gives whether there was any."""
        return operate(self._call, "cancel", {"event": self["id"]}, read=any_deliveries)

    def __reduce__(self) -> tuple[Any, ...]:
        return (Bag, (dict(self),))


def emit(call: Any, event: Any, data: Any, members: dict[str, Any]) -> Any:
    """`emit({"topic": …, "data": …})`, `emit("topic", data)` and `emit(topic=…, data=…)`."""
    if isinstance(event, Mapping):
        # A StateValue would give itself as the data that it does not have.
        if members or type(event) is StateValue:
            event = {**event, **members}
        topic = event.get("topic", NOTHING)
        data = event.get("data", data)
    else:
        topic = members.pop("topic", NOTHING) if event is NOTHING else event
        event = members
    if topic is NOTHING or topic is None:
        return _nothing(call, event)
    names = {"topic": topic}
    more: Optional[dict[str, Any]] = None
    if event is members or len(event) > (2 if "data" in event else 1):
        more = {}
        for member, value in event.items():
            name = _MEMBERS.get(member)
            if name is None or value is None:
                continue
            if name in _NAMES:
                names[name] = value
            else:
                more[name] = _time(value)
    return operate(call, "emit", names, data, _emitted, call, more, 3)


def _nothing(call: Any, event: Any) -> Any:
    # As the original: `{type, data}` of its first versions, and misspelt members, lose the event and not the request.
    message = 'emit was called without a topic, so nothing was emitted: emit({"topic": …, "data": …})'
    call.calls.log.send("warn", message, {"members": [str(member) for member in event]}, "worker", call)
    return call.calls.settled(_emitted(None, call))


def _emitted(reply: Any, call: Any) -> Emitted:
    event = Emitted(id="", repeated=False) if reply is None else Emitted(id=reply["id"], repeated=False)
    if reply is not None and reply.get("repeated"):
        event["repeated"] = True
    object.__setattr__(event, "_call", call)
    return event


def any_deliveries(deliveries: Any, _: Any) -> bool:
    return bool(deliveries)


def _time(value: Any) -> Any:
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, datetime):
        # One without a zone is local time, as everywhere in Python.
        return round(value.timestamp() * 1000)
    return value


def seconds(ttl: Any) -> Any:
    """A length of time as the engine reads it: a number of seconds, or a text such as "15m"."""
    return ttl.total_seconds() if isinstance(ttl, timedelta) else ttl
