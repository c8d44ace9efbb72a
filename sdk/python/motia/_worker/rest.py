"""After STOP: what calls left behind (tasks, threads, timers, operations) may end, then the process does."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from concurrent.futures import thread as pool
from typing import Any

from .calls import Calls
from .connection import Connection
from .threads import HandlerThread

PAUSE = 0.02


class Rest:
    def __init__(self, loop: asyncio.AbstractEventLoop, connection: Connection, calls: Calls) -> None:
        self._loop = loop
        self._connection = connection
        self._calls = calls

    def begin(self) -> None:
        self._connection.flush()
        if self._anything_left():
            self._loop.call_later(PAUSE, self.begin)
            return
        for stream in (sys.__stdout__, sys.__stderr__):
            try:
                if stream is not None:
                    stream.flush()
            except (OSError, ValueError):
                continue
        os._exit(0)

    def _anything_left(self) -> bool:
        return (
            self._connection.asking
            or not self._connection.idle
            or not self._connection.written
            or any(not task.done() for task in asyncio.all_tasks(self._loop))
            or self._calls.threads.busy
            or any(_works(thread) for thread in threading.enumerate())
            or self._timers()
        )

    def _timers(self) -> bool:
        """`call_later` of user code. (The one that brought us here is not there; uvloop shows none.)"""
        ours = self._calls.threads.timer
        return any(handle is not ours and not handle.cancelled() for handle in getattr(self._loop, "_scheduled", ()))


def _works(thread: threading.Thread) -> bool:
    """Threads of pools never end, and wait for their next job most of the time, as ours do."""
    if thread is threading.main_thread() or thread.daemon or not thread.is_alive() or isinstance(thread, HandlerThread):
        return False
    frame: Any = sys._current_frames().get(thread.ident or 0)
    return frame is None or frame.f_code is not pool._worker.__code__
