"""Dicts whose members are attributes too: `req.body["name"]`, `req.body.get("name")`, `req.body.name` are the same."""

from __future__ import annotations

from copy import deepcopy
from typing import Any


class Bag(dict):  # type: ignore[type-arg]
    """A dict with attribute access. What Motia hands to a handler is made of these, through all lists and levels.

    The methods of dict win: a member named `items` is `bag["items"]`. A missing member raises AttributeError, so that
    `getattr(bag, "name", default)` and `hasattr` work. A plain dict that somebody has put in has attributes too once it
    has been asked for by attribute: what stands there then is a copy.
    """

    __slots__ = ()

    def __getattr__(self, name: str) -> Any:
        # Only asked for what dict itself does not have. Names such as `__html__` mean something to libraries, so that
        # whoever sends the data could pass it off for something else.
        if not (name.startswith("__") and name.endswith("__")):
            try:
                value = self[name]
            except KeyError:
                pass
            else:
                if type(value) is dict:
                    value = self[name] = bagged(value)
                return value
        raise AttributeError(_missing(self, name))

    def __setattr__(self, name: str, value: Any) -> None:
        self[name] = value

    def __delattr__(self, name: str) -> None:
        try:
            del self[name]
        except KeyError:
            raise AttributeError(_missing(self, name)) from None

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *(key for key in self if isinstance(key, str))})

    def __or__(self, other: Any) -> Any:
        return _union(self, other)

    def __ror__(self, other: Any) -> Any:
        return _union(other, self)

    def copy(self) -> Bag:
        return type(self)(self)

    def __reduce__(self) -> tuple[Any, ...]:
        # Members such as `__getstate__`, which a client may have sent, have no say in this.
        return (type(self), (dict(self),))

    def __copy__(self) -> Bag:
        return type(self)(self)

    def __deepcopy__(self, memo: dict[int, Any]) -> Bag:
        copied = type(self)()
        memo[id(self)] = copied
        for key, value in self.items():
            copied[deepcopy(key, memo)] = deepcopy(value, memo)
        return copied


def _union(first: Any, second: Any) -> Any:
    both = isinstance(first, dict) and isinstance(second, dict)
    return Bag({**first, **second}) if both else NotImplemented


def _missing(bag: Bag, name: str) -> str:
    names = ", ".join(repr(key) for key in list(bag)[:10])
    return f"there is no member {name!r}" + (f" among {names}" if names else "")


def bagged(value: Any) -> Any:
    """The same data with attribute access, for dicts and lists that were made elsewhere."""
    if type(value) is dict:
        return Bag((key, bagged(member)) for key, member in value.items())
    if type(value) is list:
        return [bagged(member) for member in value]
    return value
