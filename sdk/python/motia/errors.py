"""The errors that users may catch."""

from __future__ import annotations

from typing import Any


class OperationError(Exception):
    """An operation (`emit`, `state.set`, …) that the engine refused. `code` is stable, for example `too-large`."""

    def __init__(self, message: str, code: str | None = None) -> None:
        super().__init__(message)
        self.code = code

    def __reduce__(self) -> tuple[Any, ...]:
        return (type(self), (self.args[0], self.code))


class AbortError(Exception):
    """Why a call was told to end: its client went away, or the server stops. (For a timeout it is a TimeoutError.)"""
