"""The worker's end of the stream: messages in and out, and the worker's own requests (operations) and their replies."""

from __future__ import annotations

import asyncio
import os
import resource
import socket
from typing import Any, Optional, Protocol

from ..errors import OperationError
from .bodies import Incoming, Message, Outgoing
from .decode import plain
from .frames import (
    ABORT,
    ANSWER,
    CALL,
    CANCEL,
    DATA,
    INSPECT,
    LOAD,
    MORE,
    OP,
    PING,
    PONG,
    REPLY,
    RETIRE,
    STOP,
    STREAMS,
    WINDOW_FRAME,
    Decoder,
    meta_bytes,
)
from .outbox import Outbox

#: Below what malloc takes from the system each time.
READ_SIZE = 65_536
BROKEN_OFF = {"message": "the engine broke off its reply", "code": "aborted"}


class Asking(Protocol):
    """Who waits for a reply; called on the loop's thread."""

    def replied(self, error: Optional[dict[str, Any]], body: bytes) -> None: ...


class Worker(Protocol):
    """What the worker does about what the engine sends."""

    def load(self, root: str, files: list[dict[str, str]]) -> None: ...
    def streams(self, names: list[str]) -> None: ...
    def call(self, number: int, meta: dict[str, Any], body: bytes) -> None: ...
    def aborted(self, number: int) -> None: ...
    def cancel(self, number: int, reason: str) -> None: ...
    def stop(self) -> None: ...
    def inspect(self, port: Optional[int]) -> None: ...
    def end(self, error: Optional[BaseException]) -> None: ...


class Connection:
    def __init__(self, sock: socket.socket, loop: asyncio.AbstractEventLoop, on: Worker) -> None:
        sock.setblocking(False)
        self._sock = sock
        self._on = on
        self._call = on.call
        self._outbox = Outbox(sock, loop, self._unwritable)
        self.lock = self._outbox.lock
        self._outgoing = Outgoing(self._outbox.frame)
        self._incoming = Incoming(self._outbox.frame)
        self._decoder = Decoder(self._receive)
        self._push = self._decoder.push
        self._replies: dict[int, Asking] = {}
        self._last_id = 0
        self._abandoned = False
        loop.add_reader(sock.fileno(), self._readable)

    @property
    def idle(self) -> bool:
        """Whether nothing waits for the receiver."""
        return self._outgoing.idle

    @property
    def written(self) -> bool:
        """Whether all frames have left."""
        return self._outbox.empty

    @property
    def asking(self) -> bool:
        """Whether an operation waits for its answer."""
        return bool(self._replies)

    def send(self, kind: int, number: int, meta: dict[str, Any], body: bytes = b"") -> Optional[Message]:
        """Sends a message that is no answer. Returns it if its body has to wait for the receiver."""
        text = meta_bytes(meta)
        with self.lock:
            return self._outgoing.send(kind, 0, number, text, body)

    def answer(self, kind: int, number: int, meta: bytes, body: bytes = b"") -> Optional[Message]:
        """Answers a request of the engine."""
        with self.lock:
            return self._outgoing.send(kind, ANSWER, number, meta, body)

    def open_answer(self, kind: int, number: int, meta: bytes) -> Message:
        """Begins an answer whose body comes bit by bit; see Outgoing."""
        return self._outgoing.open(kind, ANSWER, number, meta)

    def close_answer(self, message: Message) -> None:
        self._outgoing.close(message)

    def abort_answer(self, number: int, meta: Optional[dict[str, Any]] = None) -> None:
        """Stops sending the answer to a request: nobody waits for it any more, or the rest will not come."""
        self._outgoing.abort(number, ANSWER, meta_bytes(meta or {}))

    def request(self, meta: dict[str, Any], body: bytes, asking: Asking) -> None:
        """Asks the engine. From any thread."""
        if self._abandoned:
            raise OperationError("a process that was forked from a worker has no connection to the engine", "forked")
        text = meta_bytes(meta)
        with self.lock:
            number = self._last_id % 0xFFFF_FFFF + 1
            while number in self._replies:
                number = number % 0xFFFF_FFFF + 1
            self._last_id = number
            self._replies[number] = asking
            self._outgoing.send(OP, 0, number, text, body)

    def retire(self, reason: str) -> None:
        """Asks to be taken out of service: whoever caused this may have left anything in a bad state."""
        self.send(RETIRE, 0, {"reason": reason})
        self.flush()

    def hurry(self) -> None:
        self._outbox.hurry()

    def flush(self) -> None:
        self._outbox.flush()

    def abandon(self) -> None:
        """In a forked child, which must not write a byte into the parent's stream."""
        self._abandoned = True
        self._outbox.abandon()
        self.lock = self._outbox.lock
        self._sock.close()

    def _readable(self) -> None:
        try:
            chunk = self._sock.recv(READ_SIZE)
        except (BlockingIOError, InterruptedError):
            return
        except ConnectionError:
            # It ended with something of ours unread.
            chunk = b""
        except OSError as error:
            return self._on.end(error)
        if not chunk:
            return self._on.end(None)
        self._outbox.hold()
        try:
            self._push(chunk)
        except Exception as error:
            self._on.end(error)
        self._outbox.release()

    def _unwritable(self, error: OSError) -> None:
        self._on.end(None if isinstance(error, ConnectionError) else error)

    def _receive(self, kind: int, flags: int, number: int, meta: dict[str, Any], body: bytes) -> None:
        if flags & MORE and kind < DATA:
            self._incoming.begin(kind, ANSWER if kind == REPLY else 0, number, meta, body)
        elif kind == CALL:
            self._call(number, meta, body)
        elif kind == REPLY:
            self._reply(number, meta.get("error"), body)
        elif kind == DATA:
            message = self._incoming.data(flags, number, body)
            if message is not None:
                self._receive(message.kind, 0, number, message.meta, message.body())
        elif kind == WINDOW_FRAME:
            with self.lock:
                self._outgoing.granted(number, flags, meta["bytes"])
        elif kind == ABORT:
            self._broken_off(self._incoming.abort(flags, number), number)
        elif kind == PING:
            self._pong(number)
        elif kind == CANCEL:
            self._on.cancel(number, meta.get("reason", ""))
        else:
            self._rare(kind, meta, body)

    def _rare(self, kind: int, meta: dict[str, Any], body: bytes) -> None:
        if kind == LOAD:
            self._on.load(meta["root"], plain(body.decode()))
        elif kind == STREAMS:
            self._on.streams(plain(body.decode()))
        elif kind == STOP:
            self._on.stop()
        elif kind == INSPECT:
            self._on.inspect(meta.get("port"))
        # Other kinds are of a newer engine.

    def _broken_off(self, message: Any, number: int) -> None:
        if message is not None and message.kind == REPLY:
            self._reply(number, BROKEN_OFF, b"")
        elif message is not None and message.kind == CALL:
            self._on.aborted(number)

    def _reply(self, number: int, error: Optional[dict[str, Any]], body: bytes) -> None:
        with self.lock:
            asking = self._replies.pop(number, None)
            if not self._outgoing.idle:
                # The engine may refuse before it has the whole body.
                self._outgoing.abort(number, 0)
        if asking is not None:
            asking.replied(error, body)

    def _pong(self, number: int) -> None:
        # At once: what comes behind a ping that is not answered has not been seen.
        self._outbox.frame(PONG, 0, number, b'{"memory":%d}' % resident_memory(), b"")
        self.flush()


_PAGE = resource.getpagesize()
try:
    _STATM = os.open("/proc/self/statm", os.O_RDONLY | os.O_CLOEXEC)
except OSError:
    _STATM = -1


def resident_memory() -> int:
    """In bytes. Where the system does not say what it is now, what it was at most."""
    if _STATM >= 0:
        return int(os.pread(_STATM, 128, 0).split(b" ", 2)[1]) * _PAGE
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if os.uname().sysname == "Darwin" else most * 1024
