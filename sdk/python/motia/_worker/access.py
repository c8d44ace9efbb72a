"""Who watches a stream: `canAccess` of its config says whether a client may have it, its `onJoin` and `onLeave` hear of
those who come and go. The engine runs them by CALL."""

from __future__ import annotations

from typing import Any

from .call_kinds import VISITS
from .decode import parse
from .frames import meta_bytes
from .jsonable import name_of
from .response import Result
from .steps import Arguments, Function, Run

#: The functions of a stream's config: as the engine knows them, as Python may spell them, and the kind of CALL that
#: runs them.
_FUNCTIONS = (("canAccess", "can_access", "access"), ("onJoin", "on_join", "join"), ("onLeave", "on_leave", "leave"))
#: Where the arguments of a visit stand that may be taken by name: who it is, and the context that a handler gets.
_PLACES = {"context": 1, "ctx": 2}

_ANSWER = meta_bytes({"type": "json"})


def with_one_name(config: dict[str, Any]) -> dict[str, Any]:
    """A stream's config in which each function has the name by which the engine knows it."""
    copied = dict(config)
    for name, snake, _ in _FUNCTIONS:
        if snake in copied:
            function = copied.pop(snake)
            if copied.get(name) is None:
                copied[name] = function
    return copied


class LoadedStream:
    """A loaded stream. The engine calls it as it calls a step."""

    __slots__ = ("flows", "runs", "source")

    def __init__(self, source: str, config: dict[str, Any]) -> None:
        """Raises TypeError where everybody could watch it."""
        self.source = source
        self.flows: list[str] = []
        #: Kind of CALL to what it runs.
        self.runs: dict[str, Run] = {}
        for name, _, kind in _FUNCTIONS:
            function = config.get(name)
            if function is None:
                continue
            if not callable(function):
                raise TypeError(f"config.{name} must be a function, but it is {name_of(function)}")
            taken = Function(function, 3, _PLACES) if kind in VISITS else Function(function, 2)
            self.runs[kind] = taken.call


def arguments_of(body: bytes) -> Arguments:
    about = parse(body.decode())
    return about["subscription"], about.get("context")


def to_answer(value: Any) -> Result:
    return _ANSWER, b"true" if value else b"false"
