"""What JSON does not know, as something that it knows: models, dates, decimals, sets. What has no JSON form is an error
that says where it is."""

from __future__ import annotations

import types
from collections import deque
from collections.abc import Collection, Iterator, Mapping
from dataclasses import fields, is_dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from math import isfinite
from pathlib import PurePath
from typing import Any
from uuid import UUID

#: The C encoders go further; here one level takes several calls.
_DEEPEST = 250

#: Types whose members are code or machinery, although they have a `__dict__`.
_CODE = (
    type,
    types.FunctionType,
    types.BuiltinFunctionType,
    types.MethodType,
    types.ModuleType,
    types.CoroutineType,
    types.GeneratorType,
    types.AsyncGeneratorType,
)
_BYTES = (bytes, bytearray, memoryview)
#: What `members_of` says of an object that has none.
_NONE = object()


def convert(value: Any) -> Any:
    """One level: what the encoders ask for when they meet something that they do not know. Raises TypeError."""
    kind = type(value)
    known = _CONVERTERS.get(kind)
    if known is not None:
        return known(value)
    for base, converter in _BASES:
        if isinstance(value, base):
            return converter(value)
    members = members_of(value)
    if members is _NONE:
        raise TypeError(f"{kind.__name__} has no JSON form")
    return members


def members_of(value: Any) -> Any:
    """The data of an object whose class is not known: models, dataclasses, collections, anything with attributes."""
    if isinstance(value, (*_CODE, *_BYTES)):
        return _NONE
    dump = getattr(value, "model_dump", None)
    if callable(dump):
        return dump(mode="json")
    if is_dataclass(value):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    if hasattr(type(value), "__fields__") and callable(getattr(value, "dict", None)):
        return value.dict()  # pydantic 1
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Iterator):
        return _NONE
    if type(value).__module__.partition(".")[0] == "numpy":
        return value.tolist()
    if isinstance(value, Collection):
        return list(value)
    if isinstance(value, BaseException):
        return str(value)
    names = getattr(type(value), "__struct_fields__", None) or [
        attribute.name for attribute in getattr(type(value), "__attrs_attrs__", ())
    ]
    if names:
        return {name: getattr(value, name) for name in names}
    # Operations and futures, locks, clients in C: they have no __dict__. As the original, that is what counts.
    members = getattr(value, "__dict__", None)
    if members is None or hasattr(value, "_asyncio_future_blocking"):
        return _NONE
    return dict(members)


_CONVERTERS: dict[type, Any] = {
    datetime: datetime.isoformat,
    date: date.isoformat,
    time: time.isoformat,
    timedelta: timedelta.total_seconds,
    Decimal: str,
    UUID: str,
    set: list,
    frozenset: list,
    deque: list,
}
_BASES: list[tuple[type, Any]] = [
    (Enum, lambda value: value.value),
    (datetime, datetime.isoformat),
    (date, date.isoformat),
    (time, time.isoformat),
    (timedelta, timedelta.total_seconds),
    (Decimal, str),
    (UUID, str),
    (PurePath, str),
    (tuple, list),
    (str, str.__str__),
    (float, float.__float__),
    (int, int.__int__),
    (set, list),
    (frozenset, list),
    (deque, list),
]


def plain_copy(value: Any, what: str, root: str) -> Any:
    """The same data made of dicts, lists, text and numbers. Raises TypeError or ValueError that names the path."""
    try:
        return _Walk(what).copy(value, root, 0)
    except RecursionError:
        raise ValueError(f"{what}: {root} is nested too deep") from None


class _Walk:
    def __init__(self, what: str) -> None:
        self._what = what
        self._ancestors: set[int] = set()

    def copy(self, value: Any, path: str, depth: int) -> Any:
        if value is None or type(value) in (str, bool):
            return value
        if type(value) is int:
            return self._int(value, path)
        if isinstance(value, float) and not isinstance(value, Enum):
            if not isfinite(value):
                raise ValueError(f"{self._what}: {path} is {value}, which JSON cannot hold")
            return float(value)
        if id(value) in self._ancestors:
            raise ValueError(f"{self._what}: {path} is a cycle, which JSON cannot hold")
        if depth > _DEEPEST:
            raise ValueError(f"{self._what}: {path} is nested too deep")
        self._ancestors.add(id(value))
        try:
            if isinstance(value, dict):
                return self._dict(value, path, depth + 1)
            if isinstance(value, (list, tuple)):
                return [self.copy(item, f"{path}[{at}]", depth + 1) for at, item in enumerate(value)]
            if isinstance(value, Enum):
                return self.copy(value.value, path, depth + 1)
            return self.copy(self._converted(value, path), path, depth + 1)
        finally:
            self._ancestors.discard(id(value))

    def _int(self, value: int, path: str) -> int:
        if _is_writable(value):
            return value
        raise ValueError(f"{self._what}: {path} is {name_of(value)}, more than Python writes as digits")

    def _dict(self, value: dict[Any, Any], path: str, depth: int) -> dict[str, Any]:
        copied = {}
        for key, member in value.items():
            name = self._key(key, path)
            copied[name] = self.copy(member, f"{path}.{name}" if name.isidentifier() else f"{path}[{name!r}]", depth)
        return copied

    def _key(self, key: Any, path: str) -> str:
        if isinstance(key, Enum):
            key = key.value
        if isinstance(key, str):
            return str.__str__(key)
        if key is None or isinstance(key, bool):
            return {None: "null", True: "true", False: "false"}[key]
        if isinstance(key, int):
            return str(self._int(int(key), f"a key of {path}"))
        if isinstance(key, float) and isfinite(key):
            return str(key)
        if isinstance(key, (datetime, date, time)):
            return key.isoformat()
        if isinstance(key, (UUID, Decimal, PurePath)):
            return str(key)
        raise TypeError(f"{self._what}: {path} has a key that is {name_of(key)}; JSON has text as keys")

    def _converted(self, value: Any, path: str) -> Any:
        if isinstance(value, _BYTES):
            hint = "encode it, e.g. base64"
        elif isinstance(value, (Iterator, types.AsyncGeneratorType)):
            hint = "make a list of it"
        elif hasattr(value, "__await__"):
            hint = "await it"
        else:
            hint = ""
            try:
                return convert(value)
            except TypeError as error:
                # A model of the user's own may refuse for a reason of its own.
                if "has no JSON form" not in str(error):
                    hint = str(error)
        raise TypeError(
            f"{self._what}: {path} is {name_of(value)}, which JSON cannot hold" + (f"; {hint}" if hint else "")
        )


def _is_writable(value: int) -> bool:
    """Python may refuse to write a number of thousands of digits: it takes long. (4,300 are allowed as a rule.)"""
    if value.bit_length() <= 64:
        return True
    try:
        int.__repr__(value)
    except ValueError:
        return False
    return True


def name_of(value: Any) -> str:
    """A value in a message: what it is, not all that it holds."""
    if value is None:
        return "None"
    if isinstance(value, str):
        return f"the string {value[:40]!r}"
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, int) and not _is_writable(value):
        return f"a number of {value.bit_length()} bits"
    if isinstance(value, (int, float)):
        return f"the number {value}"
    if isinstance(value, _BYTES):
        return type(value).__name__
    if isinstance(value, type):
        return f"the class {value.__name__}"
    if isinstance(value, (types.FunctionType, types.BuiltinFunctionType, types.MethodType)):
        return f"the function {value.__name__}"
    name = type(value).__name__.replace("_", " ")
    return f"{'an' if name[:1].lower() in 'aeiou' else 'a'} {name}"
