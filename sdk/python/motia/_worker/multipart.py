"""multipart/form-data (RFC 7578), exact to the byte: a file may hold anything that is not its boundary."""

from __future__ import annotations

from email.message import Message
from email.utils import collapse_rfc2231_value
from typing import Any, Optional, Union

from ..bag import Bag
from ..uploads import UploadedFile
from .errors import InvalidBody

#: How browsers write what would end a name.
_ESCAPES = {"%22": '"', "%0D": "\r", "%0A": "\n"}


def parse_form(content_type: str, data: bytes) -> Bag:
    """Field to text or UploadedFile; a repeated field becomes a list. Raises InvalidBody."""
    header = Message()
    header["content-type"] = content_type
    boundary = header.get_boundary()
    if not boundary:
        raise _invalid("its content type names no boundary")
    form = Bag()
    for part in _parts(data, b"--" + boundary.encode("latin-1", "replace")):
        name, value = _field(part)
        if name in form:
            known = form[name]
            form[name] = [*known, value] if isinstance(known, list) else [known, value]
        else:
            form[name] = value
    return form


def _parts(data: bytes, delimiter: bytes) -> list[bytes]:
    """What lies between the boundaries. Each is at the start of a line, and the last one ends with two dashes."""
    line = b"\r\n" + delimiter
    if data.startswith(delimiter):
        at = len(delimiter)
    else:
        # A preamble, which nobody reads.
        start = data.find(line)
        if start < 0:
            raise _invalid("it does not begin with its boundary")
        at = start + len(line)
    parts = []
    while not data.startswith(b"--", at):
        begin = _line_end(data, at)
        end = data.find(line, begin - 2)
        if end < 0:
            raise _invalid("its last boundary is missing")
        parts.append(data[begin : max(begin, end)])
        at = end + len(line)
    return parts


def _line_end(data: bytes, at: int) -> int:
    """Behind the line of a boundary, which may have white space at its end."""
    end = data.find(b"\r\n", at)
    if end < 0 or data[at:end].strip(b" \t"):
        raise _invalid("a boundary is followed by something else")
    return end + 2


def _field(part: bytes) -> tuple[str, Union[str, UploadedFile]]:
    head, separator, value = (b"", b"\r\n\r\n", part[2:]) if part.startswith(b"\r\n") else part.partition(b"\r\n\r\n")
    if not separator:
        raise _invalid("a part has no end of its headers")
    headers = _headers(head)
    name = _parameter(headers, "name")
    if headers.get_content_disposition() != "form-data" or name is None:
        raise _invalid("a part has no name")
    filename = _parameter(headers, "filename")
    if filename is None:
        return name, _decoded(value, headers.get_param("charset"))
    content_type = headers.get("content-type", "application/octet-stream")
    return name, UploadedFile(filename, str(content_type), value)


def _headers(head: bytes) -> Message:
    try:
        text = head.decode()
    except UnicodeDecodeError:
        text = head.decode("latin-1")
    message = Message()
    for line in text.replace("\r\n ", " ").replace("\r\n\t", " ").split("\r\n"):
        name, colon, value = line.partition(":")
        if not colon or not name.strip():
            raise _invalid("a part has a header without a name")
        message[name.strip()] = value.strip()
    return message


def _parameter(headers: Message, name: str) -> Optional[str]:
    value: Any = headers.get_param(name, header="content-disposition")
    if value is None:
        return None
    text = collapse_rfc2231_value(value)
    if isinstance(value, str):
        for written, meant in _ESCAPES.items():
            text = text.replace(written, meant).replace(written.lower(), meant)
    return text


def _decoded(value: bytes, charset: Any) -> str:
    try:
        return value.decode(charset if isinstance(charset, str) else "utf-8", "replace")
    except LookupError:
        return value.decode(errors="replace")


def _invalid(why: str) -> InvalidBody:
    return InvalidBody(f"the body is not valid multipart/form-data: {why}")
