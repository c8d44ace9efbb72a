"""What `ctx.state.get` gives where a dict is stored: the dict, which is also found under `data`."""

from __future__ import annotations

from typing import Any

from .bag import Bag


class StateValue(Bag):
    """A dict without a member `data` that answers to `data` with itself.

    The original gave `{"data": value}`, and its steps ask `"data" in found` and read `found["data"]`. Others use the
    value as it is. Only the question is answered: nothing is stored under `data`, so that whatever goes over the
    members (loops, `len`, `==`, JSON, `dict(found)`, `**found`) sees those of the value alone.
    """

    __slots__ = ()

    # Itself and no copy: `found["data"]["n"] = 1` and then `state.set(group, key, found)` must not lose the change.
    # Attributes come here as well, by way of Bag.
    def __missing__(self, name: str) -> Any:
        if name == "data":
            return self
        raise KeyError(name)

    def __contains__(self, name: object) -> bool:
        return name == "data" or super().__contains__(name)

    def get(self, name: str, default: Any = None) -> Any:
        return super().get(name, self if name == "data" else default)


def state_value(value: Any, _: Any) -> Any:
    """What a reply of `state.get` means. One with a `data` of its own is left alone, as by the original: if a step
    takes it out, it is gone."""
    return StateValue(value) if isinstance(value, Bag) and "data" not in value else value
