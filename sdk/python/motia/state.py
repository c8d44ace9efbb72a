"""`ctx.state`: values of JSON by group and key, shared by all steps. See docs/state.md."""

from __future__ import annotations

from typing import Any, Optional

from ._worker.operate import operate
from .emitting import seconds
from .state_value import state_value


class State:
    """Every method sends its operation when it is called, awaited or not."""

    __slots__ = ("_call",)

    def __init__(self, call: Any) -> None:
        self._call = call

    def get(self, group: str, key: str) -> Any:
        """The value, or None. A dict also answers to `data`, see StateValue."""
        return operate(self._call, "state.get", {"group": group, "key": key}, read=state_value)

    def set(
        self, group: str, key: str, value: Any, options: Optional[dict[str, Any]] = None, *, ttl: Any = None
    ) -> Any:
        """Stores the value for good, or for `ttl` (seconds, "12h", a timedelta). Gives the value."""
        names = {"group": group, "key": key}
        return operate(self._call, "state.set", names, value, _given, value, _ttl(options, ttl))

    def delete(self, group: str, key: str) -> Any:
        """Gives the value that was there, or None."""
        return operate(self._call, "state.delete", {"group": group, "key": key})

    def get_group(self, group: str) -> Any:
        """The values of a group, in the order in which their keys were first set."""
        return operate(self._call, "state.getGroup", {"group": group})

    def clear(self, group: str) -> Any:
        return operate(self._call, "state.clear", {"group": group})

    def entry(self, group: str, key: str) -> Any:
        """`{value, revision, expires?}`, or None."""
        return operate(self._call, "state.entry", {"group": group, "key": key})

    def set_if_revision(
        self,
        group: str,
        key: str,
        value: Any,
        revision: Any,
        options: Optional[dict[str, Any]] = None,
        *,
        ttl: Any = None,
    ) -> Any:
        """Stores only if nobody has written since; with None, only if there is no value.

        Gives `{written, revision}`.
        """
        more = _ttl(options, ttl) or {}
        if revision is not None:
            more["expected"] = revision
        return operate(self._call, "state.setIf", {"group": group, "key": key}, value, more=more)

    def update(self, group: str, key: str, changes: list[dict[str, Any]]) -> Any:
        """Makes all changes where the value is kept, or none. Gives the value then."""
        return operate(self._call, "state.update", {"group": group, "key": key}, changes)

    def list_keys(self, group: str) -> Any:
        return operate(self._call, "state.listKeys", {"group": group})

    def list_groups(self) -> Any:
        return operate(self._call, "state.listGroups", {})

    getGroup = get_group
    setIfRevision = set_if_revision
    listKeys = list_keys
    listGroups = list_groups


def _given(_: Any, value: Any) -> Any:
    return value


def _ttl(options: Optional[dict[str, Any]], ttl: Any) -> Optional[dict[str, Any]]:
    if ttl is None and options:
        ttl = options.get("ttl")
    return None if ttl is None else {"ttl": seconds(ttl)}
