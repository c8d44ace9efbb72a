"""`ctx.streams`: one member per stream of the project, in every language. A change reaches its watchers at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Optional

from ._runtime import NOTHING
from ._worker.operate import operate
from .state_value import StateValue


class Stream:
    __slots__ = ("_call", "_name")

    def __init__(self, call: Any, name: str) -> None:
        self._call = call
        self._name = name

    def get(self, group: str, id: str) -> Any:
        """The item, or None."""
        names = {"stream": self._name, "group": group, "id": id}
        return operate(self._call, "stream.get", names, read=_marked, extra=(self._name, group))

    def set(self, group: str, id: str, data: Any) -> Any:
        """Puts the item in place of what was there. Gives it as stored."""
        names = {"stream": self._name, "group": group, "id": id}
        return operate(self._call, "stream.set", names, _unmarked(data), _marked, (self._name, group))

    def delete(self, group: str, id: str) -> Any:
        """Gives the item that was there, or None."""
        names = {"stream": self._name, "group": group, "id": id}
        return operate(self._call, "stream.delete", names, read=_marked, extra=(self._name, group))

    def update(self, group: str, id: str, changes: list[dict[str, Any]]) -> Any:
        """Makes all changes where the item is kept, or none. Gives the item then, or None if nothing is left of it."""
        names = {"stream": self._name, "group": group, "id": id}
        return operate(self._call, "stream.update", names, changes, _marked, (self._name, group))

    def get_group(self, group: str) -> Any:
        """All items of a group."""
        names = {"stream": self._name, "group": group}
        return operate(self._call, "stream.getGroup", names, read=_all_marked, extra=(self._name, group))

    def query(self, group: str, query: Optional[Mapping[str, Any]] = None) -> Any:
        """The items of a group that `{where, order, limit, offset}` asks for; all of them without it.

        `{"where": {"done": False, "due": {"lt": 5}, "by.name": "ada"}, "order": ["-due", "title"], "limit": 10}`; the
        tests are eq, ne, lt, lte, gt, gte, in and exists.
        """
        names = {"stream": self._name, "group": group}
        asked = NOTHING if query is None else query
        return operate(self._call, "stream.query", names, asked, _all_marked, (self._name, group))

    def clear(self, group: str) -> Any:
        """Removes all items of a group. Gives how many there were."""
        return operate(self._call, "stream.clear", {"stream": self._name, "group": group})

    def send(self, channel: Mapping[str, Any], event: Mapping[str, Any]) -> Any:
        """Sends `{type, data}` to whoever watches the group, or one item of it, and stores nothing."""
        names = {"stream": self._name, "group": _either(channel, "groupId", "group_id")}
        item = channel.get("id")
        if item is not None:
            names["id"] = item
        if type(event) is StateValue:
            # It would give itself as the data that it does not have.
            event = dict(event)
        return operate(self._call, "stream.send", names, {"type": event.get("type"), "data": event.get("data")})

    getGroup = get_group

    def __repr__(self) -> str:
        return f"<stream {self._name}>"


class Streams:
    """Its members are made by `streams_class`. A stream may be called like a method, and wins."""

    __slots__ = ("_call",)
    _names: frozenset[str] = frozenset()

    def __init__(self, call: Any) -> None:
        self._call = call

    def __getitem__(self, name: str) -> Stream:
        if name not in self._names:
            raise KeyError(self._unknown(name))
        return Stream(self._call, name)

    def get(self, name: str, default: Any = None) -> Any:
        return Stream(self._call, name) if name in self._names else default

    def keys(self) -> list[str]:
        return sorted(self._names)

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())

    def __bool__(self) -> bool:
        # `if streams and streams.chat:` is asked of a project without streams too.
        return True

    def __getattr__(self, name: str) -> Stream:
        raise AttributeError(self._unknown(name))

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *self._names})

    def _unknown(self, name: str) -> str:
        known = ", ".join(sorted(known for known in self._names if not known.startswith("__")))
        return f"there is no stream {name!r}; " + (f"there are {known}" if known else "the project has none")


def streams_class(names: list[str]) -> type[Streams]:
    members: dict[str, Any] = {name: _member(name) for name in names if not name.startswith("_")}
    return type("Streams", (Streams,), {"__slots__": (), **members, "_names": frozenset(names)})


def _member(name: str) -> property:
    return property(lambda self: Stream(self._call, name))


def _marked(item: Any, where: tuple[str, Any]) -> Any:
    """The Workbench subscribes to what a response shows it: an item says which one it is."""
    if isinstance(item, dict):
        stream, group = where
        item["__motia"] = {"type": "state-stream", "streamName": stream, "groupId": str(group), "id": item.get("id")}
    return item


def _all_marked(items: Any, where: tuple[str, Any]) -> Any:
    return [_marked(item, where) for item in items]


def _unmarked(data: Any) -> Any:
    """`set(group, id, {**item, "status": …})` sends back what `get` had added."""
    if isinstance(data, dict) and "__motia" in data:
        return {key: member for key, member in data.items() if key != "__motia"}
    return data


def _either(members: Optional[Mapping[str, Any]], camel: str, snake: str) -> Any:
    value = (members or {}).get(camel, NOTHING)
    return (members or {}).get(snake) if value is NOTHING else value
