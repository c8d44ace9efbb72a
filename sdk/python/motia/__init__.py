"""What steps import from Motia. Nothing of it is needed to write one: handlers get all they use as arguments.

Importing it outside of a worker (in a project's own tests) does nothing.
"""

from .bag import Bag
from .context import Context, Events
from .emitting import Emitted
from .errors import AbortError, OperationError
from .logger import Logger, logger
from .request import Request
from .signals import Signal
from .state import State
from .streams import Stream, Streams
from .uploads import UploadedFile

__all__ = [
    "AbortError",
    "Bag",
    "Context",
    "Emitted",
    "Events",
    "Logger",
    "OperationError",
    "Request",
    "Signal",
    "State",
    "Stream",
    "Streams",
    "UploadedFile",
    "logger",
]
