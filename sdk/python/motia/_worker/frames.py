"""The frame codec of sdk/protocol/README.md: bytes to frames and back. It knows nothing of what the frames mean."""

from __future__ import annotations

from struct import Struct
from typing import Any, Callable

from .decode import parse_meta
from .encode import meta_text

LOAD, STREAMS, CALL, CANCEL, REPLY, PING, STOP, INSPECT = range(0x01, 0x09)
DATA, WINDOW_FRAME, ABORT = 0x21, 0x22, 0x23
HELLO, IMPORTING, IMPORTED, REFUSED, READY, RESULT, OP, LOG, PONG, RETIRE = range(0x41, 0x4B)

MORE = 0x01
ANSWER = 0x02
_KNOWN_FLAGS = MORE | ANSWER

#: Length, kind, flags, id, meta length.
HEADER = Struct("<IBBII")
_LENGTH = Struct("<I")
#: Bytes before the meta.
HEADER_SIZE = HEADER.size
#: The largest value of the length field, which does not count itself.
MAX_LENGTH = 1_048_576
#: A body up to here travels in its message's own frame.
INLINE_BODY = 262_144
#: The largest piece of a longer body.
CHUNK = 65_536
#: How far a sender may be ahead of its receiver, per message.
WINDOW = 1_048_576
#: The largest meta that leaves room for an inline body.
MAX_META = MAX_LENGTH - (HEADER_SIZE - 4) - INLINE_BODY

#: Frames are read and thrown away by the thousand: nobody writes to the meta of one.
_EMPTY_META: dict[str, Any] = {}

#: kind, flags, id, meta, body
OnFrame = Callable[[int, int, int, "dict[str, Any]", bytes], None]


class ProtocolError(Exception):
    """The other side broke the protocol. There is no way to find the next frame after that, so the connection ends."""


class Decoder:
    """Cuts a byte stream, whatever its chunks, into frames."""

    def __init__(self, on_frame: OnFrame) -> None:
        self._on_frame = on_frame
        #: A frame that began in an earlier chunk.
        self._partial = bytearray()
        #: Its size, once the length field is whole; that of the length field before.
        self._wanted = 0

    def push(self, chunk: bytes) -> None:
        at = self._complete(chunk) if self._partial else 0
        size = len(chunk)
        unpack = HEADER.unpack_from
        while size - at >= HEADER_SIZE:
            length, kind, flags, number, meta_length = unpack(chunk, at)
            end = at + 4 + length
            if end > size or not 10 <= length <= MAX_LENGTH:
                break
            body_at = at + HEADER_SIZE + meta_length
            if flags > 3:
                raise ProtocolError(f"unknown flags {flags:#x}")
            if body_at > end:
                raise ProtocolError("the meta is longer than its frame")
            meta = _meta(chunk[at + HEADER_SIZE : body_at]) if meta_length else _EMPTY_META
            # Before the frame is handled: whatever that raises, the frame is not seen again.
            at = end
            self._on_frame(kind, flags, number, meta, chunk[body_at:end])
        if at < size:
            self._begin(chunk, at)

    def _begin(self, chunk: bytes, at: int) -> None:
        """Keeps what is left of a chunk. A length that is against the rules is refused as soon as it is there."""
        self._partial += chunk[at:]
        self._wanted = _size_of(self._partial)

    def _complete(self, chunk: bytes) -> int:
        """Adds to the frame that began earlier, and hands it on once it is whole. Says where the chunk goes on."""
        partial = self._partial
        at = 0
        while len(partial) < self._wanted:
            taken = chunk[at : at + self._wanted - len(partial)]
            if not taken:
                return at
            partial += taken
            at += len(taken)
            if self._wanted == 4:
                self._wanted = _size_of(partial)
        self._partial = bytearray()
        self.push(bytes(partial))
        return at


def _size_of(begun: bytearray) -> int:
    if len(begun) < 4:
        return 4
    (length,) = _LENGTH.unpack_from(begun)
    if not 10 <= length <= MAX_LENGTH:
        raise ProtocolError(f"a frame of {length} bytes")
    return 4 + length


def _meta(data: bytes) -> dict[str, Any]:
    try:
        meta = parse_meta(data)
    except UnicodeDecodeError:
        raise ProtocolError("a meta that is not UTF-8") from None
    except ValueError:
        raise ProtocolError("a meta that is not JSON") from None
    if not isinstance(meta, dict):
        raise ProtocolError("a meta that is not a JSON object")
    return meta


def meta_bytes(meta: dict[str, Any]) -> bytes:
    """JSON of a meta. The empty object is written as nothing."""
    if not meta:
        return b""
    data = meta_text(meta)
    if len(data) > MAX_META:
        raise ValueError(f"names and headers of {len(data)} bytes are too long to be sent")
    return data


def encode_frame(kind: int, flags: int, number: int, meta: dict[str, Any] | None = None, body: bytes = b"") -> bytes:
    """One frame, as tests send it. The worker itself leaves the pieces apart until they are written."""
    text = meta_bytes(meta or {})
    return HEADER.pack(10 + len(text) + len(body), kind, flags, number, len(text)) + text + body
