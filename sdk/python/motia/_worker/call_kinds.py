"""The kinds of CALL, and what of a file each of them runs."""

from __future__ import annotations

from typing import Any

#: The kinds that run a step's handler.
HANDLED = ("api", "event", "cron")
#: Those that tell a stream of somebody. What they run has a context, as handlers have; `canAccess`, which is asked, has
#: none.
VISITS = ("join", "leave")

#: By kind, what a file must have for it, as messages call it. No file of Python has an
#: `authenticate` or an adapter.
_NEEDS = {
    **dict.fromkeys(HANDLED, "handler"),
    "authenticate": "streamAuth.authenticate",
    "access": "canAccess",
    "join": "onJoin",
    "leave": "onLeave",
    "storage": "custom storage",
}


def missing(meta: dict[str, Any], step: Any) -> str:
    """Why a call cannot run. `step` is what was loaded of the file, if anything was."""
    source, kind = meta["step"], meta["kind"]
    if step is None:
        return f"{source} is not loaded"
    if kind not in _NEEDS:
        return f"{source} has nothing for calls of the kind '{kind}'"
    return f"{source} has no {_NEEDS[kind]}"
