"""JSON in: request bodies, events, values of state and streams, the metas of frames.

Objects become `Bag`s, so that `req.body.user.name` works. The standard library's scanner makes them as it goes;
orjson would have to be followed by a walk over everything it made, which takes longer than it saves. It pays for
metas, which stay plain.
"""

from __future__ import annotations

import json
from json.decoder import JSONDecodeError
from typing import Any, NoReturn

from ..bag import Bag

try:
    import orjson
except ImportError:
    orjson = None

__all__ = ["JSONDecodeError", "parse", "parse_meta", "plain"]


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_decoder = json.JSONDecoder(object_hook=Bag, parse_constant=_no_constant)
_scan = _decoder.scan_once  # type: ignore[attr-defined]
_plain_decoder = json.JSONDecoder(parse_constant=_no_constant)


def parse(text: str) -> Any:
    """The value of a JSON text, with attribute access. Raises ValueError."""
    try:
        value, end = _scan(text, 0)
    except StopIteration:
        end = -1
    if end != len(text):
        # White space around it, or an error that `decode` names better.
        return _decoder.decode(text)
    return value


def plain(text: str) -> Any:
    """The same with plain dicts."""
    return _plain_decoder.decode(text)


def _parse_meta(data: bytes) -> Any:
    return _plain_decoder.decode(data.decode())


def _parse_meta_fast(data: bytes) -> Any:
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        # Wrong, or something that only orjson refuses (half a surrogate pair).
        return _parse_meta(data)


parse_meta = _parse_meta if orjson is None else _parse_meta_fast
