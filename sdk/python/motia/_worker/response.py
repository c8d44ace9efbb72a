"""What a handler returned, as the meta and body of its RESULT. What is not a response is an error that says why: a
client gets 500, and the log tells the author what to change."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Optional, Union

from .._runtime import NOTHING
from .encode import encode, utf8
from .frames import meta_bytes
from .jsonable import name_of
from .sources import Source, chunk_bytes, source_of

#: Header names are tokens; values may hold anything but control characters, which could forge further headers.
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_CONTROL = re.compile("[\x00-\x08\x0a-\x1f\x7f]")
_SHAPE = 'return {"status": 200, "body": …}'

#: Meta and body of a RESULT.
Result = tuple[bytes, bytes]

#: Most responses have no headers, and then there are few different metas.
_metas: dict[tuple[int, str], bytes] = {}


class Streamed:
    """A response whose body comes bit by bit."""

    __slots__ = ("_headers", "_status", "first", "meta", "source")

    def __init__(self, status: int, headers: Optional[dict[str, Any]], source: Source) -> None:
        self._status = status
        self._headers = headers
        self.source = source
        #: A chunk that has been asked for already.
        self.first: Any = None
        self.meta = b""

    async def begin(self) -> Streamed:
        """The head may leave at once if it says what follows. Without a content type the first chunk decides."""
        kind = "bytes"
        if not any(name.lower() == "content-type" for name in self._headers or ()):
            self.first = await self.source.next()
            if self.first is not None:
                await self._check(self.first)
                kind = "text" if isinstance(self.first, str) else "bytes"
        meta: dict[str, Any] = {"status": self._status, "type": kind}
        if self._headers is not None:
            meta["headers"] = self._headers
        self.meta = meta_bytes({**meta, "stream": True})
        return self

    async def _check(self, chunk: Any) -> None:
        """The log names a chunk that cannot be sent, and the client still gets its 500."""
        try:
            chunk_bytes(chunk)
        except TypeError:
            await self.source.cancel()
            raise


def to_result(response: Any, call: Any) -> Union[Result, Streamed]:
    if type(response) is dict or isinstance(response, Mapping):
        status, headers, body = response.get("status", NOTHING), response.get("headers"), response.get("body", NOTHING)
    else:
        status, headers, body = _attributes(response)
    if type(status) is not int or not 100 <= status <= 599:
        status = _status(status)
    if headers is not None:
        headers = _headers(headers)
    if type(body) is dict or type(body) is list:
        return _result(status, "json", headers, encode(body, "the response", "body"))
    return _encode_body(status, headers, body, call)


def _attributes(response: Any) -> tuple[Any, Any, Any]:
    """Of an object that looks like a response: a model, a dataclass."""
    status = NOTHING
    if response is not None and not isinstance(response, (str, bytes, int, float, list, tuple)):
        status = getattr(response, "status", NOTHING)
    if status is NOTHING:
        raise TypeError(f"a handler must {_SHAPE}, but this one returned {name_of(response)}")
    return status, getattr(response, "headers", None), getattr(response, "body", NOTHING)


def _encode_body(status: int, headers: Optional[dict[str, Any]], body: Any, call: Any) -> Union[Result, Streamed]:
    if isinstance(body, str):
        return _result(status, "text", headers, utf8(body))
    if body is NOTHING:
        return _result(status, "none", headers, b"")
    if isinstance(body, (bytes, bytearray, memoryview)):
        return _result(status, "bytes", headers, bytes(body))
    source = source_of(body, call)
    if source is not None:
        return Streamed(status, headers, source)
    return _result(status, "json", headers, encode(body, "the response", "body"))


def _result(status: int, kind: str, headers: Optional[dict[str, Any]], body: bytes) -> Result:
    if headers is not None:
        return meta_bytes({"status": status, "type": kind, "headers": headers}), body
    meta = _metas.get((status, kind))
    if meta is None:
        meta = _metas[status, kind] = meta_bytes({"status": status, "type": kind})
    return meta, body


def _status(value: Any) -> int:
    if value is NOTHING:
        raise TypeError(f"the response has no status; {_SHAPE}")
    status: Any = value
    written = isinstance(value, str) and value.strip().isascii() and value.strip().isdigit()
    if written or (isinstance(value, float) and value.is_integer()):
        status = int(value)
    # HTTPStatus.OK is an int too.
    if isinstance(status, int) and not isinstance(status, bool) and 100 <= status <= 599:
        return int(status)
    raise TypeError(f"the response's status must be a whole number from 100 to 599, not {name_of(value)}")


def _headers(source: Any) -> dict[str, Any]:
    """A dict, or a list of pairs. Names that come more than once become a list."""
    if not isinstance(source, Mapping) and not isinstance(source, (list, tuple)):
        raise TypeError(f"the response's headers must be a dict, not {name_of(source)}")
    headers: dict[str, Any] = {}
    for name, value in source.items() if isinstance(source, Mapping) else source:
        if value is None:
            continue
        if not isinstance(name, str) or not _TOKEN.fullmatch(name):
            raise TypeError(f"the response has a header with an invalid name: {name!r}")
        text: Any = [_text(name, item) for item in value] if isinstance(value, (list, tuple)) else _text(name, value)
        if name in headers:
            text = [*_listed(headers[name]), *_listed(text)]
        headers[name] = text
    return headers


def _listed(value: Any) -> list[str]:
    return value if isinstance(value, list) else [value]


def _text(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, (str, int, float)):
        raise TypeError(f"the response's header {name} must be a string, not {name_of(value)}")
    text = str.__str__(value) if isinstance(value, str) else str(value)
    if _CONTROL.search(text):
        raise TypeError(f"the response's header {name} contains control characters")
    return text
