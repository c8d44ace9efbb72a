"""The body of one streamed response on its way out: each chunk at once, none before the receiver has room for it."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any, Optional

from .bodies import Message
from .connection import Connection
from .response import Streamed
from .sources import chunk_bytes
from .threads import settle


class Streaming:
    def __init__(self, streamed: Streamed, answer: Message, connection: Connection) -> None:
        self._source = streamed.source
        self._first = streamed.first
        self._answer = answer
        self._connection = connection
        self._cancelled = False
        self._pumping: Optional[asyncio.Task[Any]] = None

    async def run(self) -> None:
        """Sends chunk after chunk. Returns once the stream has ended and has cleaned up."""
        self._pumping = asyncio.current_task()
        try:
            await self._pump()
        except asyncio.CancelledError:
            if not self._cancelled:
                raise
        except BaseException:
            # What a stream says that was told to end is of no interest.
            if not self._cancelled:
                await self._close()
                raise
        self._pumping = None
        await self._close()

    async def _pump(self) -> None:
        chunk, self._first = self._first, None
        while not self._cancelled:
            if chunk is None:
                chunk = await self._source.next()
            if chunk is None or self._cancelled:
                return
            data = chunk_bytes(chunk)
            chunk = None
            if data and not self._answer.put(memoryview(data)):
                await self._room()
            # Frames leave at the end of the turn, and other calls want theirs, even if the stream never waits.
            await asyncio.sleep(0)

    async def _room(self) -> None:
        released = asyncio.get_running_loop().create_future()
        self._answer.released = partial(settle, released, None)
        await released

    async def _close(self) -> None:
        try:
            await self._source.cancel()
        except Exception:
            if not self._cancelled:
                raise

    def cancel(self) -> None:
        """Nobody wants the rest."""
        if self._cancelled:
            return
        self._cancelled = True
        self._answer.release()
        if self._pumping is not None and self._source.interruptible:
            self._pumping.cancel()

    def finish(self, error: Optional[dict[str, Any]]) -> None:
        """Everything that the call did is done: the answer ends, or is broken off."""
        if error is None and not self._cancelled:
            self._connection.close_answer(self._answer)
            return
        self._cancelled = True
        self._connection.abort_answer(self._answer.number, None if error is None else {"error": error})
