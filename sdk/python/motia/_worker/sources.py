"""Response bodies that come bit by bit: where their chunks come from."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Iterator
from typing import Any, Optional, Protocol

from .encode import utf8
from .jsonable import name_of

#: What is read of a file at a time.
_PIECE = 65_536


class Source(Protocol):
    async def next(self) -> Any:
        """The next chunk, or None at the end."""

    async def cancel(self) -> None:
        """Ends it, and waits for its clean-up. Also after its end."""

    #: Whether a chunk that is awaited can be interrupted.
    interruptible: bool


def source_of(body: Any, call: Any) -> Optional[Source]:
    if isinstance(body, AsyncIterable):
        return _AsyncSource(body.__aiter__())
    if callable(getattr(body, "read", None)) and callable(getattr(body, "close", None)):
        return _FileSource(body, call)
    if isinstance(body, Iterator):
        return _ThreadSource(body, call)
    return None


class _AsyncSource:
    interruptible = True

    def __init__(self, iterator: AsyncIterator[Any]) -> None:
        self._iterator = iterator

    async def next(self) -> Any:
        try:
            chunk = await self._iterator.__anext__()
        except StopAsyncIteration:
            return None
        return _chunk(chunk)

    async def cancel(self) -> None:
        close = getattr(self._iterator, "aclose", None)
        if close is not None:
            await close()


class _ThreadSource:
    """A plain generator may block, so it runs where plain handlers do."""

    interruptible = False

    def __init__(self, iterator: Iterator[Any], call: Any) -> None:
        self._iterator = iterator
        self._call = call

    async def next(self) -> Any:
        return await self._call.in_thread(self._next, ())

    def _next(self) -> Any:
        # StopIteration may not leave a thread.
        for chunk in self._iterator:
            return _chunk(chunk)
        return None

    async def cancel(self) -> None:
        close = getattr(self._iterator, "close", None)
        if close is not None:
            await self._call.in_thread(close, ())


class _FileSource:
    interruptible = False

    def __init__(self, file: Any, call: Any) -> None:
        self._file = file
        self._call = call
        self._closed = False

    async def next(self) -> Any:
        return await self._call.in_thread(self._read, ())

    def _read(self) -> Any:
        if self._closed:
            return None
        chunk = self._file.read(_PIECE)
        if not chunk:
            self._close()
        return chunk or None

    def _close(self) -> None:
        self._closed = True
        self._file.close()

    async def cancel(self) -> None:
        if not self._closed:
            await self._call.in_thread(self._close, ())


def _chunk(chunk: Any) -> Any:
    # None is the end here, and a mistake there.
    if chunk is None:
        raise TypeError(_message(chunk))
    return chunk


def chunk_bytes(chunk: Any) -> bytes:
    """Text as UTF-8, bytes as they are."""
    if isinstance(chunk, str):
        return utf8(chunk)
    if isinstance(chunk, (bytes, bytearray, memoryview)):
        return bytes(chunk)
    raise TypeError(_message(chunk))


def _message(chunk: Any) -> str:
    return (
        f"the response's stream yielded {name_of(chunk)}; a chunk is a str or bytes. For data, yield json.dumps(data) "
        'and a line feed; for server-sent events, f"data: {json.dumps(data)}\\n\\n"'
    )
