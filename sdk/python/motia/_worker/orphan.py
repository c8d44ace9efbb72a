"""Where the system has no signal for it, a thread of its own notices that the engine is gone: the loop may be busy."""

from __future__ import annotations

import os
import threading
import time

PAUSE = 0.5


def die_with_parent() -> None:
    """Ends this process once its parent is no longer its parent."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(PAUSE)
        os._exit(0)

    threading.Thread(target=watch, name="motia-orphan", daemon=True).start()
