"""Where plain `def` handlers run: beside the loop, so that one that computes or waits does not stop the others."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextvars import Context
from typing import Any, Callable

MOST = 100


class HandlerThreads:
    """Threads are started as they are needed."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._pool = ThreadPoolExecutor(MOST, thread_name_prefix="motia-handler")

    async def run(self, context: Context, function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
        settled: asyncio.Future[tuple[Any, Any]] = self._loop.create_future()
        # No `run_in_executor`: its two futures per call cost more than the thread.
        self._pool.submit(self._run, settled, context, function, arguments)
        value, error = await settled
        if error is None:
            return value
        try:
            raise error
        finally:
            # A traceback holds this frame, and the error its traceback.
            error = None

    def _run(self, settled: Any, context: Context, function: Any, arguments: tuple[Any, ...]) -> None:
        result: tuple[Any, Any]
        try:
            result = (context.run(function, *arguments), None)
        except BaseException as error:
            result = (None, error)
        self._loop.call_soon_threadsafe(settle, settled, result)


def settle(settled: Any, result: Any) -> None:
    """What waits may have been cancelled meanwhile."""
    if not settled.done():
        settled.set_result(result)
