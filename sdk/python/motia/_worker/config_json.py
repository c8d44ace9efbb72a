"""A file's config as the JSON that the engine gets: data as it is, models as JSON Schema, of functions only that they
are there. What cannot be JSON is left out and named in a warning, never an error."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from enum import Enum
from math import isfinite
from typing import Any

from .encode import encode_plain
from .errors import message_of
from .jsonable import convert, name_of

_DEEPEST = 64
_MOST_WARNINGS = 20
#: Where a schema is expected, so that `int`, `list[Model]` and dataclasses are schemas too.
_SCHEMAS = frozenset({"bodySchema", "responseSchema", "input", "schema"})

#: What stands for a member that is left out.
_LEFT_OUT: Any = object()


def config_json(config: dict[str, Any], named: bool = False) -> tuple[bytes, list[str]]:
    """JSON and warnings. `named` shows objects of classes as `{"class": name}`: in motia.config those are clients and
    adapters of the project's own, with whole libraries behind them."""
    copier = _Copier(named)
    copied = copier.copy(config, "config", 0, False)
    return encode_plain(copied), copier.told()


class _Copier:
    def __init__(self, named: bool) -> None:
        self._named = named
        self._warnings: list[str] = []
        self._ancestors: set[int] = set()

    def told(self) -> list[str]:
        more = len(self._warnings) - _MOST_WARNINGS
        return [*self._warnings[:_MOST_WARNINGS], f"and {more} more like these"] if more > 0 else self._warnings

    def _warn(self, text: str) -> Any:
        self._warnings.append(text)
        return _LEFT_OUT

    def copy(self, value: Any, path: str, depth: int, schema: bool) -> Any:
        """The JSON value, or _LEFT_OUT. `schema` says that one is expected here."""
        if value is None or type(value) in (str, bool, int):
            return value
        if isinstance(value, Enum):
            return self.copy(value.value, path, depth, schema)
        if isinstance(value, float):
            return value if isfinite(value) else self._warn(f"{path} is {value}, which JSON cannot hold")
        if isinstance(value, (str, int)):
            return convert(value)
        if id(value) in self._ancestors:
            return self._warn(f"{path} is a cycle, which JSON cannot hold")
        if depth > _DEEPEST:
            return self._warn(f"{path} is nested too deep")
        self._ancestors.add(id(value))
        try:
            return self._object(value, path, depth, schema)
        except Exception as error:
            return self._warn(f"{path} cannot be read: {message_of(error)}")
        finally:
            self._ancestors.discard(id(value))

    def _object(self, value: Any, path: str, depth: int, schema: bool) -> Any:
        if isinstance(value, Mapping):
            return self._members(value, path, depth, schema)
        if isinstance(value, (list, tuple, set, frozenset)):
            items = enumerate(value)
            copied = [self.copy(item, f"{path}[{at}]", depth + 1, schema) for at, item in items]
            return [None if item is _LEFT_OUT else item for item in copied]
        made = _schema_of(value, schema)
        if made is not None:
            return self.copy(made, path, depth + 1, False)
        if callable(value):
            return True
        if self._named and hasattr(value, "__dict__") and not hasattr(value, "model_dump"):
            return {"class": type(value).__name__}
        try:
            return self.copy(convert(value), path, depth + 1, schema)
        except TypeError:
            return self._warn(f"{path} is {name_of(value)}, which JSON cannot hold")

    def _members(self, value: Mapping[Any, Any], path: str, depth: int, schema: bool) -> dict[str, Any]:
        copied: dict[str, Any] = {}
        for key, member in value.items():
            if not isinstance(key, (str, int)):
                self._warn(f"{path} has a key that is {name_of(key)}; JSON has text as keys")
                continue
            name = str(getattr(key, "value", key))
            if depth == 0 and name == "middleware" and member is not None:
                copied[name] = len(member) if isinstance(member, (list, tuple)) else 1
                continue
            expected = name in _SCHEMAS if depth == 0 or name == "schema" else schema and not isinstance(member, str)
            made = self.copy(member, f"{path}.{name}", depth + 1, expected)
            if made is not _LEFT_OUT:
                copied[name] = made
        return copied


def _schema_of(value: Any, expected: bool) -> Any:
    """JSON Schema of a pydantic model; where one is expected, of everything that pydantic understands."""
    if isinstance(value, type):
        for method in ("model_json_schema", "schema"):
            make = getattr(value, method, None)
            if callable(make) and (method != "schema" or hasattr(value, "__fields__")):
                return make()
    elif hasattr(value, "validate_python") and callable(getattr(value, "json_schema", None)):
        return value.json_schema()
    adapter = getattr(sys.modules.get("pydantic"), "TypeAdapter", None)
    if expected and adapter is not None and (isinstance(value, type) or hasattr(value, "__origin__")):
        try:
            return adapter(value).json_schema()
        except Exception:
            return None
    return None
