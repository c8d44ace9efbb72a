"""Errors on the wire: {name, message, stack, code, cause}. Whatever user code raises becomes one; none is too big."""

from __future__ import annotations

import asyncio
import concurrent.futures
import os
import traceback
from textwrap import indent
from typing import Any, Optional

#: Small enough that an error with all its causes fits the meta of a frame, whatever JSON escapes it needs.
LONGEST = 8_192
LONGEST_MESSAGE = 4_096
DEEPEST_CAUSE = 4

# As Python says it.
_DIRECTLY = "The above exception was the direct cause of the following exception:"
_MEANWHILE = "During handling of the above exception, another exception occurred:"

_SDK = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
#: Our own frames, and those of Python that call a user's code, tell a user nothing.
_OURS = (
    _SDK,
    os.path.join(os.path.dirname(os.path.dirname(_SDK)), "__main__.py"),
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
    """What an error says of itself. `__str__` of a user's class may raise anything; a report may not."""
    try:
        return str(error)
    except BaseException:
        return "an error that cannot be read"


def is_ours(filename: str) -> bool:
    return filename.startswith(_OURS)


def user_frames(error: BaseException) -> traceback.StackSummary:
    frames = traceback.extract_tb(error.__traceback__)
    return traceback.StackSummary.from_list([frame for frame in frames if not is_ours(frame.filename)])


def user_stack(error: BaseException) -> str:
    """The traceback of this error alone, with the user's own files and lines. It ends with the message, as that says it
    on the wire: the engine prints a stack that has it, and else the message."""
    try:
        # Where an operation was called stands for the lines that its error has not.
        lines = user_frames(error).format() or [getattr(error, "_motia_at", "")]
        frames = _cut("".join(lines), LONGEST - LONGEST_MESSAGE)
        return ("Traceback (most recent call last):\n" if frames else "") + frames + _last_lines(error)
    except Exception:
        return type(error).__name__


def _last_lines(error: BaseException) -> str:
    """Python's own where they can be had: they have notes, and the place of a syntax error."""
    message = clip(message_of(error), LONGEST_MESSAGE)
    lines = traceback.format_exception_only(type(error), error)
    text = "".join(lines).rstrip("\n")
    if message in text and len(text) < LONGEST_MESSAGE:
        return text
    own = f"{type(error).__name__}: {message}"
    return "".join(lines[:-1]) + own if isinstance(error, SyntaxError) else own


def whole_stack(error: BaseException, depth: int = 0) -> str:
    """The same with the errors that led to it before it, and those of a group below it."""
    own = user_stack(error) + _members(error, depth)
    cause = cause_of(error)
    if cause is None or depth == DEEPEST_CAUSE:
        return own
    link = _MEANWHILE if error.__cause__ is None else _DIRECTLY
    return _cut(f"{whole_stack(cause, depth + 1)}\n\n{link}\n\n", LONGEST) + own


def _members(error: BaseException, depth: int) -> str:
    members = getattr(error, "exceptions", None)
    if not isinstance(members, (list, tuple)) or depth == DEEPEST_CAUSE:
        return ""
    text = ""
    for at, member in enumerate(members, 1):
        if len(text) > LONGEST // 2:
            return f"{text}\n  +-- and {len(members) - at + 1} more"
        if isinstance(member, BaseException):
            text += f"\n  +-- {at} of {len(members)}\n" + indent(whole_stack(member, depth + 1), "  | ", lambda _: True)
    return _cut(text, LONGEST)


def _cut(text: str, longest: int) -> str:
    """Python puts what matters most at the end."""
    if len(text) <= longest:
        return text
    return f"{text[: longest // 4]}\n… ({len(text) - longest} more characters)\n{text[-longest * 3 // 4 :]}"


def cause_of(error: BaseException) -> Optional[BaseException]:
    """What led to it, if that is of the user's making: what our own code came across on its way says nothing."""
    if error.__cause__ is not None:
        return error.__cause__
    context = None if error.__suppress_context__ else error.__context__
    return context if context is not None and user_frames(context) else None


def to_wire(error: BaseException, depth: int = 0) -> dict[str, Any]:
    """The wire form of anything that was raised. Its stack tells of its causes too, theirs of themselves."""
    error = _as_raised(error)
    wire: dict[str, Any] = {"name": type(error).__name__, "message": clip(message_of(error), LONGEST_MESSAGE)}
    try:
        wire["stack"] = user_stack(error) if depth else whole_stack(error)
        code = getattr(error, "code", None)
        if isinstance(code, (str, int)) and not isinstance(code, bool):
            wire["code"] = clip(str(code))
        cause = cause_of(error)
        if cause is not None and depth < DEEPEST_CAUSE:
            wire["cause"] = to_wire(cause, depth + 1)
    except Exception:
        wire.setdefault("stack", wire["name"])
    return wire


def _as_raised(error: BaseException) -> BaseException:
    """Python puts a RuntimeError in place of a StopIteration that leaves a coroutine, ours among them."""
    stopped = error.__cause__
    replaced = type(error) is RuntimeError and isinstance(stopped, StopIteration) and not user_frames(error)
    return stopped if replaced and stopped is not None else error
