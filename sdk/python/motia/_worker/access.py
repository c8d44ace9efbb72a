"""Who may watch a stream: `canAccess` of its config says whether a client may have it. The engine asks by CALL."""

from __future__ import annotations

from typing import Any, Optional

from .decode import parse
from .frames import meta_bytes
from .jsonable import name_of
from .response import Result
from .steps import Arguments, Function

#: The kinds of CALL that ask, and what they ask; all others run a handler. No file of Python is asked for the first.
QUESTIONS = {"authenticate": "streamAuth.authenticate", "access": "canAccess"}

_ANSWER = meta_bytes({"type": "json"})


def with_one_name(config: dict[str, Any]) -> dict[str, Any]:
    """A stream's config in which `can_access` is called `canAccess`: the engine knows no other name."""
    if "can_access" not in config:
        return config
    copied = dict(config)
    check = copied.pop("can_access")
    if copied.get("canAccess") is None:
        copied["canAccess"] = check
    return copied


class Guard:
    """A loaded stream. The engine asks it as it calls a step."""

    __slots__ = ("handler", "source")

    question = QUESTIONS["access"]

    def __init__(self, source: str, config: dict[str, Any]) -> None:
        """Raises TypeError where everybody could watch it."""
        check = config.get("canAccess")
        if check is not None and not callable(check):
            raise TypeError(f"config.canAccess must be a function, but it is {name_of(check)}")
        self.source = source
        self.handler: Optional[Function] = None if check is None else Function(check, 2)


def arguments_of(body: bytes) -> Arguments:
    question = parse(body.decode())
    return question["subscription"], question.get("context")


def to_answer(value: Any) -> Result:
    return _ANSWER, b"true" if value else b"false"
