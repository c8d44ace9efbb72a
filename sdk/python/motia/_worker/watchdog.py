"""Says where the loop stands if it does not turn: a handler that computes, or waits for a socket, stops all others."""

from __future__ import annotations

import asyncio
import os
import selectors
import sys
import threading
import time
from typing import Any, Callable

from .errors import is_ours

#: How often the loop is asked.
PAUSE = 0.5
#: So many questions in a row without an answer are said. (Not seconds: a machine that was asleep has not been blocked.)
PATIENCE = 4

_STDLIB = os.path.dirname(os.__file__) + os.sep


class Watchdog:
    def __init__(
        self, loop: asyncio.AbstractEventLoop, say: Callable[[str, str], None], importing: Callable[[], bool]
    ) -> None:
        self._loop = loop
        self._say = say
        #: While a file is imported no handler is to blame, and the engine itself says which file is slow.
        self._importing = importing
        self._thread = threading.get_ident()
        #: The last question, which the watching thread alone counts, and the last answer, which the loop's alone does.
        self._asked = 0
        self._answered = 0
        #: While a debugger may hold everything.
        self.paused = False

    def start(self) -> None:
        threading.Thread(target=self._watch, name="motia-watchdog", daemon=True).start()

    def _watch(self) -> None:
        silence = 0
        while True:
            if self._answered == self._asked:
                silence = 0
                self._asked += 1
                self._loop.call_soon_threadsafe(self._answer, self._asked)
            time.sleep(PAUSE)
            if self._answered == self._asked:
                continue
            if self._importing():
                # Counted from its end: the loop may need a moment to turn then.
                silence = 0
                continue
            silence += 1
            if silence == PATIENCE and not self.paused:
                self._say(*self._complaint())

    def _answer(self, question: int) -> None:
        self._answered = question

    def _complaint(self) -> tuple[str, str]:
        """Its level and what it says."""
        still = f"the event loop has not turned for {PAUSE * PATIENCE:g} s"
        place = self._place()
        if not place:
            return "warn", f"{still}, though no code of the project holds it: this machine seems to be overloaded."
        return "error", (
            f"{still}, so that nothing else runs here: {place}. "
            "Await what waits, or make the handler a plain def, which runs in a thread."
        )

    def _place(self) -> str:
        """The innermost line of user code, or of a package, on the loop's thread; nothing if it stands in neither."""
        frame: Any = sys._current_frames().get(self._thread)
        place, in_package = "", ""
        while frame is not None:
            filename = frame.f_code.co_filename
            # A loop that waits for events stands in `selectors`.
            if not is_ours(filename) and filename != selectors.__file__ and not filename.startswith("<"):
                line = f"{filename}:{frame.f_lineno} in {frame.f_code.co_name}"
                if "-packages" + os.sep not in filename and not filename.startswith(_STDLIB):
                    place = line
                    break
                in_package = in_package or line
            frame = frame.f_back
        return place or in_package
