"""A CALL frame's meta and body as the `req` of a handler. JSON is parsed as it came: signatures are made over the raw
body, or over what it says, so no key is moved, added or dropped."""

from __future__ import annotations

from typing import Any, Union

from ..bag import Bag, bagged
from ..request import Request
from .decode import parse
from .errors import InvalidBody
from .multipart import parse_form


def build_request(meta: dict[str, Any], data: bytes) -> Request:
    """Raises InvalidBody."""
    content = meta.get("content", "none")
    body: Any
    raw: Union[str, bytes]
    if content == "json":
        body, raw = _json(data)
    elif content == "none":
        body, raw = Bag(), ""
    elif content == "form":
        split = meta["split"]
        body, raw = parse(data[:split].decode()), _exact_text(data[split:])
    elif content == "text":
        raw = _exact_text(data)
        body = _text(data, raw, meta.get("charset"))
    elif content == "multipart":
        body, raw = parse_form(meta.get("headers", {}).get("content-type", ""), data), _exact_text(data)
    else:
        body, raw = data, _exact_text(data)
    query = meta.get("query")
    return Request(
        body=body,
        headers=Bag(meta.get("headers") or ()),
        pathParams=Bag(meta.get("params") or ()),
        queryParams=bagged(query) if query else Bag(),
        rawBody=raw,
    )


def _json(data: bytes) -> tuple[Any, Union[str, bytes]]:
    raw = _exact_text(data)
    text = raw if isinstance(raw, str) else raw.decode(errors="replace")
    if not text:
        return Bag(), raw
    try:
        # A byte order mark is no JSON, but some clients send one.
        body = parse(text[1:] if text[0] == "\ufeff" else text)
    except RecursionError:
        raise InvalidBody("the body is not valid JSON: it is nested too deep") from None
    except ValueError as error:
        # Python's own words for a number that is too long tell a programmer how to allow it.
        reason = "it has a number of too many digits" if "max_str_digits" in str(error) else error
        raise InvalidBody(f"the body is not valid JSON: {reason}") from None
    if not isinstance(body, (dict, list)):
        raise InvalidBody("the JSON body must be an object or an array")
    return body, raw


def _text(data: bytes, raw: Union[str, bytes], charset: Any) -> str:
    if charset is None:
        return raw if isinstance(raw, str) else data.decode(errors="replace")
    try:
        return data.decode(charset, "replace")
    except (LookupError, ValueError):
        raise InvalidBody(f"the charset {charset} is not known") from None


def _exact_text(data: bytes) -> Union[str, bytes]:
    """The exact bytes: as text where that loses nothing. A NUL says that it is no text, whatever it looks like."""
    if b"\0" in data:
        return data
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data
