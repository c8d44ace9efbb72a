"""Bodies that do not fit one frame: cut into DATA frames on the way out, put together on the way in, and never further
ahead of the receiver than the window allows."""

from __future__ import annotations

from typing import Any, Callable, Optional

from .frames import ABORT, ANSWER, CHUNK, DATA, INLINE_BODY, MORE, WINDOW, WINDOW_FRAME, meta_bytes

#: Small grants would double the number of frames, one at the end of the window would stop the sender.
GRANT = WINDOW // 4

#: `frame(kind, flags, id, meta, body)` puts a frame into the outbox.
Frame = Callable[[int, int, int, bytes, Any], None]


def _key(number: int, flags: int) -> int:
    """Questions are numbered by one side and answers by the other, so an id alone names two messages."""
    return number * 2 + (1 if flags & ANSWER else 0)


class Outgoing:
    def __init__(self, frame: Frame) -> None:
        self._frame = frame
        self._messages: dict[int, Message] = {}

    @property
    def idle(self) -> bool:
        return not self._messages

    def send(self, kind: int, flags: int, number: int, meta: bytes, body: bytes) -> Optional[Message]:
        """Sends a message. Returns it if some of it has to wait for the receiver, and nothing if all of it is out."""
        if len(body) <= INLINE_BODY:
            self._frame(kind, 0, number, meta, body)
            return None
        rest = memoryview(body)
        self._frame(kind, MORE, number, meta, rest[:CHUNK])
        message = Message(self._frame, flags, number, WINDOW - CHUNK, 0)
        if message.put(rest[CHUNK:]):
            return None
        self._messages[_key(number, flags)] = message
        return message

    def open(self, kind: int, flags: int, number: int, meta: bytes) -> Message:
        """Begins a message whose body comes bit by bit: by `put`, until `close` or `abort`."""
        self._frame(kind, MORE, number, meta, b"")
        message = Message(self._frame, flags, number, WINDOW, MORE)
        self._messages[_key(number, flags)] = message
        return message

    def close(self, message: Message) -> None:
        """The whole body of an open message has been put."""
        self._messages.pop(_key(message.number, message.flags), None)
        self._frame(DATA, message.flags, message.number, b"", b"")

    def granted(self, number: int, flags: int, size: int) -> None:
        message = self._messages.get(_key(number, flags))
        if message is None:
            return
        message.allowed += size
        if message.pump() and not message.open:
            self._messages.pop(_key(number, flags), None)

    def abort(self, number: int, flags: int, meta: bytes = b"") -> None:
        """Ends a message whose rest nobody wants any more, or whose rest will not come; `meta` says why."""
        message = self._messages.pop(_key(number, flags), None)
        if message is None:
            return
        self._frame(ABORT, flags, number, meta, b"")
        message.release()


class Message:
    """A body on its way out, as far as its window allows."""

    __slots__ = ("_frame", "_rest", "allowed", "flags", "number", "open", "released")

    def __init__(self, frame: Frame, flags: int, number: int, allowed: int, more: int) -> None:
        """`more` is MORE if further bytes follow those that are put."""
        self._frame = frame
        self._rest: Optional[memoryview] = None
        self.flags = flags
        self.number = number
        self.allowed = allowed
        self.open = more
        #: Called once what was put is out, or not wanted any more.
        self.released: Optional[Callable[[], None]] = None

    def put(self, data: memoryview) -> bool:
        """Sends bytes, once those before are out. Says whether all of them are out now; if not, see `released`."""
        self._rest = data
        return self.pump()

    def pump(self) -> bool:
        while self._rest is not None:
            size = min(CHUNK, self.allowed, len(self._rest))
            if size == 0:
                return False
            last = size == len(self._rest)
            # The view may be of memory that its owner writes to again, so what waits in the outbox is a copy.
            piece = bytes(self._rest[:size])
            self._rest = None if last else self._rest[size:]
            self.allowed -= size
            self._frame(DATA, self.flags | (self.open if last else MORE), self.number, b"", piece)
        self.release()
        return True

    def release(self) -> None:
        """Nobody has to wait any more."""
        released, self.released = self.released, None
        if released is not None:
            released()


class Arriving:
    """A message of which more is to come."""

    __slots__ = ("kind", "meta", "pieces", "ungranted")

    def __init__(self, kind: int, meta: dict[str, Any]) -> None:
        self.kind = kind
        self.meta = meta
        self.pieces: list[bytes] = []
        self.ungranted = 0

    def body(self) -> bytes:
        pieces, self.pieces = self.pieces, []
        return b"".join(pieces)


class Incoming:
    def __init__(self, frame: Frame) -> None:
        self._frame = frame
        self._messages: dict[int, Arriving] = {}

    def begin(self, kind: int, flags: int, number: int, meta: dict[str, Any], body: bytes) -> None:
        """The first frame of a message with more to come. `flags` says whose number it is."""
        message = Arriving(kind, meta)
        self._messages[_key(number, flags)] = message
        self._take(message, flags, number, body)

    def data(self, flags: int, number: int, body: bytes) -> Optional[Arriving]:
        """The next piece. Returns the message, with its whole body, once this was the last one."""
        message = self._messages.get(_key(number, flags))
        if message is None:
            return None
        if flags & MORE:
            self._take(message, flags, number, body)
            return None
        del self._messages[_key(number, flags)]
        message.pieces.append(body)
        return message

    def abort(self, flags: int, number: int) -> Optional[Arriving]:
        """The sender gave up. Returns the message it concerns."""
        return self._messages.pop(_key(number, flags), None)

    def _take(self, message: Arriving, flags: int, number: int, body: bytes) -> None:
        message.pieces.append(body)
        message.ungranted += len(body)
        if message.ungranted >= GRANT:
            self._frame(WINDOW_FRAME, flags & ANSWER, number, meta_bytes({"bytes": message.ungranted}), b"")
            message.ungranted = 0
