"""Errors on the wire: {name, message, stack, code, cause}. Whatever user code raises becomes one; none is too big."""

from __future__ import annotations

import asyncio
import concurrent.futures
import os
import traceback
from typing import Any, Optional

#: Small enough that an error with all its causes fits the meta of a frame, whatever JSON escapes it needs.
LONGEST = 8_192
DEEPEST_CAUSE = 4

_SDK = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
#: Our own frames, and those of Python that call a user's code, tell a user nothing.
_OURS = (
    _SDK,
    "<frozen importlib",
    os.path.dirname(asyncio.__file__) + os.sep,
    os.path.dirname(concurrent.futures.__file__) + os.sep,
)


class InvalidBody(Exception):
    """The request's body is not what its content type says. It is the client's fault: 400, and the handler is not
    called."""


def clip(text: str, longest: int = LONGEST) -> str:
    if len(text) <= longest:
        return text
    return f"{text[:longest]}… ({len(text) - longest} more characters)"


def message_of(error: BaseException) -> str:
    """What an error says of itself. `__str__` of a user's class may raise; a report may not."""
    try:
        return str(error)
    except Exception:
        return "an error that cannot be read"


def is_ours(filename: str) -> bool:
    return filename.startswith(_OURS)


def user_frames(error: BaseException) -> traceback.StackSummary:
    frames = traceback.extract_tb(error.__traceback__)
    return traceback.StackSummary.from_list([frame for frame in frames if not is_ours(frame.filename)])


def user_stack(error: BaseException, at: Optional[str] = None) -> str:
    """The traceback with the user's own files and lines. `at` is where it came from, if it shows no line itself."""
    try:
        frames = user_frames(error)
        lines = frames.format()
        if not lines and at is not None:
            lines = [at]
        head = ["Traceback (most recent call last):\n"] if lines else []
        text = "".join([*head, *lines, *traceback.format_exception_only(type(error), error), *_members(error)])
        text = text.rstrip("\n")
    except Exception:
        return type(error).__name__
    if len(text) <= LONGEST:
        return text
    # Python puts what matters most at the end.
    return f"{text[: LONGEST // 4]}\n… ({len(text) - LONGEST} more characters)\n{text[-LONGEST * 3 // 4 :]}"


def _members(error: BaseException) -> list[str]:
    """The errors of a group, each by its last line."""
    members = getattr(error, "exceptions", None)
    if not isinstance(members, (list, tuple)):
        return []
    shown = [line for member in members for line in traceback.format_exception_only(type(member), member)]
    return [f"  | {line}" for line in shown]


def cause_of(error: BaseException) -> Optional[BaseException]:
    if error.__cause__ is not None:
        return error.__cause__
    return None if error.__suppress_context__ else error.__context__


def to_wire(error: BaseException, depth: int = 0) -> dict[str, Any]:
    """The wire form of anything that was raised."""
    wire: dict[str, Any] = {"name": type(error).__name__, "message": clip(message_of(error))}
    try:
        wire["stack"] = user_stack(error, getattr(error, "_motia_at", None))
        code = getattr(error, "code", None)
        if isinstance(code, (str, int)) and not isinstance(code, bool):
            wire["code"] = clip(str(code))
        cause = cause_of(error)
        if cause is not None and depth < DEEPEST_CAUSE:
            wire["cause"] = to_wire(cause, depth + 1)
    except Exception:
        wire.setdefault("stack", wire["name"])
    return wire
