"""`print` and what is written to sys.stdout and sys.stderr, as log lines of the call that wrote them. Only text is
taken: `sys.stdout.buffer` and the descriptors stay what they are."""

from __future__ import annotations

import io
import threading
from typing import Any, Callable, Optional

from .._runtime import current_call
from .log import LogSender

#: A line that does not end is sent in pieces.
LONGEST_LINE = 65_536


class Console(io.TextIOBase):
    """One of the two streams. Half a line waits for its other half, and at the latest for the end of its call."""

    def __init__(self, log: LogSender, level: str, original: Any, later: Callable[[Callable[[], None]], None]) -> None:
        """`later` runs something in a while, on the loop."""
        self._log = log
        self._later = later
        self._level = level
        self._original = original
        self._half: dict[Any, str] = {}
        self._lock = threading.RLock()

    def write(self, text: str) -> int:
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        call = current_call()
        with self._lock:
            if text == "\n" and call in self._half:
                # The second half of a `print`.
                lines = [self._half.pop(call)]
            else:
                *lines, half = (self._half.pop(call, "") + text).split("\n")
                if len(half) > LONGEST_LINE:
                    lines.append(half)
                elif half:
                    self._half[call] = half
                    if call is not None and call.over:
                        self._later(lambda: self.ended(call))
        for line in lines:
            self._send(line, call)
        return len(text)

    def ended(self, call: Any) -> None:
        """Sends the half line that nothing will complete."""
        if self._half and call in self._half:
            with self._lock:
                half = self._half.pop(call, "")
            self._send(half, call)

    def _send(self, line: str, call: Any) -> None:
        self._log.send(self._level, line[:-1] if line.endswith("\r") else line, source="console", call=call)

    # What the streams that it stands in for have.

    @property
    def buffer(self) -> Any:
        return self._original.buffer

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return "utf-8"

    @property
    def errors(self) -> Optional[str]:  # type: ignore[override]
        return "backslashreplace"

    @property
    def name(self) -> Any:
        return self._original.name

    @property
    def mode(self) -> str:
        return "w"

    def fileno(self) -> int:
        return self._original.fileno()

    def isatty(self) -> bool:
        return False

    def writable(self) -> bool:
        return True

    def readable(self) -> bool:
        return False

    def flush(self) -> None:
        """Lines are on their way already."""

    def close(self) -> None:
        """Code that closes its standard output does not mean everybody's."""

    def reconfigure(self, **_: Any) -> None:
        """Text goes into log lines, whatever its encoding was to be."""

    def __repr__(self) -> str:
        return f"<the worker's {self.name}>"
