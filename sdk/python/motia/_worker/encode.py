"""JSON out: responses, events, values of state and streams.

Three ways, each slower and more patient than the one before: orjson where it is installed, the standard library's
encoder in C, and a walk in Python, which converts what those two do not know and names the path of what cannot be
JSON. All three write the same data.
"""

from __future__ import annotations

import json
import re
from json import encoder as _stdlib
from typing import Any

from .jsonable import convert, plain_copy

try:
    import orjson
except ImportError:
    orjson = None

_SURROGATE = re.compile("[\ud800-\udfff]")


def _stdlib_encoder() -> Any:
    """`encode(value) -> str`. The encoder is made once, not once per value, and without a list of ancestors: a cycle
    runs into the recursion limit, and the walk then names it."""
    strict = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=convert)
    make = getattr(_stdlib, "c_make_encoder", None)
    if make is None:
        return strict.encode
    try:
        c_encoder = make(None, convert, _stdlib.encode_basestring, None, ":", ",", False, False, False)
        if "".join(c_encoder({"a": [1]}, 0)) != '{"a":[1]}':
            return strict.encode
    except TypeError:
        return strict.encode
    join = "".join
    return lambda value: join(c_encoder(value, 0))


_encode_text = _stdlib_encoder()


def _strict_bytes(value: Any) -> bytes:
    text = _encode_text(value)
    try:
        return text.encode()
    except UnicodeEncodeError:
        # Half a surrogate pair, which JSON can hold as an escape only.
        return _SURROGATE.sub(lambda half: f"\\u{ord(half[0]):04x}", text).encode()


if orjson is None:
    _fast_bytes = _strict_bytes
else:
    _OPTIONS = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME
    _dumps = orjson.dumps

    def _fast_bytes(value: Any) -> bytes:
        try:
            data = _dumps(value, convert, _OPTIONS)
        except (TypeError, ValueError, RecursionError):
            # Also what only orjson refuses: keys that are numbers, integers beyond 64 bit, halves of surrogate pairs.
            return _strict_bytes(value)
        # It writes NaN as null.
        return _strict_bytes(value) if b"null" in data else data


def encode(value: Any, what: str, root: str = "data") -> bytes:
    """JSON of user data. `what` and `root` say whose it is in errors: `state.set: data.items[3] is bytes, …`."""
    try:
        return _fast_bytes(value)
    except (TypeError, ValueError, RecursionError):
        # It converts, or knows where the trouble is.
        return _strict_bytes(plain_copy(value, what, root))


def encode_plain(value: Any) -> bytes:
    """JSON of our own data."""
    return _strict_bytes(value)


def whole_text(text: str) -> str:
    """Text without halves of surrogate pairs, which UTF-8 cannot hold."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def utf8(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        return whole_text(text).encode()


def _meta_text(meta: dict[str, Any]) -> bytes:
    return utf8(_encode_text(meta))


def _meta_text_fast(meta: dict[str, Any]) -> bytes:
    try:
        data = _dumps(meta)
    except TypeError:
        return _meta_text(meta)
    return _meta_text(meta) if b"null" in data else data


#: JSON of the meta of a frame. Halves of surrogate pairs are replaced.
meta_text = _meta_text if orjson is None else _meta_text_fast
