"""What users pass to a logger, as JSON. Unlike `encode` it shows errors, bytes and cycles, never raises, and never
writes more than a log line should hold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import Enum
from json.encoder import encode_basestring
from math import isfinite
from typing import Any

from ..bag import Bag
from .encode import encode_plain, whole_text
from .errors import cause_of, message_of, user_stack
from .jsonable import convert, name_of

LARGEST = 65_536
LONGEST_STRING = 16_384
DEEPEST = 12
BYTES_SHOWN = 32
CUT = '"[Truncated]"'

_DICTS = frozenset({dict, Bag})
_SIMPLE = frozenset({str, int, bool, type(None)})


def details_json(value: Any) -> bytes:
    if (
        type(value) in _DICTS
        and len(value) <= 32
        and all(type(key) is str and type(member) in _SIMPLE for key, member in value.items())
    ):
        # What nearly all lines have.
        try:
            data = encode_plain(value)
        except (TypeError, ValueError):
            data = b""
        if 0 < len(data) <= LONGEST_STRING:
            return data
    try:
        return _Writer().value(value, 0).encode()
    except Exception:
        return b'"[Unreadable]"'


class _Writer:
    def __init__(self) -> None:
        self._left = LARGEST
        self._path: list[int] = []

    def value(self, value: Any, depth: int) -> str:
        if self._left <= 0:
            return CUT
        if value is None or value is True or value is False:
            return self._text({None: "null", True: "true", False: "false"}[value])
        if isinstance(value, Enum):
            value = value.value
        if isinstance(value, str):
            return self._string(value)
        if isinstance(value, int):
            return self._int(value)
        if isinstance(value, float):
            return self._text(float.__repr__(value) if isfinite(value) else f'"{value}"')
        if id(value) in self._path:
            return self._text('"[Circular]"')
        if depth >= DEEPEST:
            return self._string(f"[{type(value).__name__}]")
        self._path.append(id(value))
        try:
            return self._object(value, depth + 1)
        except Exception as error:
            return self._string(f"[Unreadable: {message_of(error)}]")
        finally:
            self._path.pop()

    def _object(self, value: Any, depth: int) -> str:
        if isinstance(value, Mapping):
            return self._members(value.items(), depth)
        if isinstance(value, (list, tuple, set, frozenset)):
            return self._items(value, depth)
        if isinstance(value, BaseException):
            return self._members(error_members(value), depth)
        if isinstance(value, (bytes, bytearray, memoryview)):
            return self._string(_describe_bytes(value))
        try:
            converted = convert(value)
        except TypeError:
            return self._string(_describe(value))
        return self.value(converted, depth)

    def _items(self, items: Iterable[Any], depth: int) -> str:
        written = []
        for item in items:
            self._left -= 1  # the comma, so that a million empty objects count too
            if self._left <= 0:
                written.append(CUT)
                break
            written.append(self.value(item, depth))
        return f"[{','.join(written)}]"

    def _members(self, members: Iterable[tuple[Any, Any]], depth: int) -> str:
        written = []
        for key, member in members:
            self._left -= 1
            if self._left <= 0:
                written.append(f'"…":{CUT}')
                break
            name = self._string(key if isinstance(key, str) else _key_text(key))
            written.append(f"{name}:{self.value(member, depth)}")
        return f"{{{','.join(written)}}}"

    def _int(self, value: int) -> str:
        # A number of a million digits takes Python long to write, or is refused by it.
        if value.bit_length() > 4_000:
            return self._string(f"[int of {value.bit_length()} bits]")
        return self._text(int.__repr__(value))

    def _string(self, text: str) -> str:
        longest = min(LONGEST_STRING, max(self._left, 0))
        cut = f"{text[:longest]}…" if len(text) > longest else str.__str__(text)
        return self._text(encode_basestring(whole_text(cut)))

    def _text(self, json: str) -> str:
        self._left -= len(json)
        return json


def error_members(error: BaseException) -> list[tuple[str, Any]]:
    """An error as an object: what it says, where it was raised, its own members, what caused it."""
    members: list[tuple[str, Any]] = [
        ("name", type(error).__name__),
        ("message", message_of(error)),
        ("stack", user_stack(error)),
    ]
    shown = {"name", "message", "stack"}
    for key, member in list(getattr(error, "__dict__", {}).items()):
        if key not in shown and not key.startswith("_") and member is not None:
            members.append((key, member))
    cause = cause_of(error)
    if cause is not None:
        members.append(("cause", cause))
    exceptions = getattr(error, "exceptions", None)
    if isinstance(exceptions, (list, tuple)):
        members.append(("exceptions", exceptions))
    return members


def _key_text(key: Any) -> str:
    if key is None or isinstance(key, bool):
        return {None: "null", True: "true", False: "false"}[key]
    return str(key)


def _describe(value: Any) -> str:
    return f"[{name_of(value)}]"


def _describe_bytes(value: Any) -> str:
    size = value.nbytes if isinstance(value, memoryview) else len(value)
    shown = bytes(value[:BYTES_SHOWN]).hex() + ("…" if size > BYTES_SHOWN else "")
    return f"[{type(value).__name__} {size} bytes: {shown}]"
