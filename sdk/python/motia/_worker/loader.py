"""LOAD: imports user files one after the other and tells the engine what each of them is."""

from __future__ import annotations

import asyncio
import gc
import importlib
from functools import partial
from pathlib import Path
from typing import Any, Optional

from .access import LoadedStream, with_one_name
from .calls import Calls, Loaded
from .config_json import config_json
from .connection import Connection, resident_memory
from .encode import encode_plain
from .frames import IMPORTED, IMPORTING, READY, REFUSED
from .modules import RootFinder, load_file
from .refusals import Unsuitable, describe, no_config, not_a_dict
from .steps import Step
from .threads import settle

#: Of which kind of CALL `handler` says that the file has what it runs. Of others, the config's JSON says so.
_TOLD_BY_HANDLER = {"step": "api", "stream": "access"}


class Loader:
    def __init__(self, connection: Connection, calls: Calls) -> None:
        self._connection = connection
        self._calls = calls
        self._finder: Optional[RootFinder] = None
        #: Loads wait for each other, so that the answers of two do not mix.
        self._turn: Optional[asyncio.Task[None]] = None

    def load(self, root: str, files: list[dict[str, str]]) -> None:
        if self._finder is None:
            self._finder = RootFinder(root)
            self._finder.install()
        self._turn = self._calls.loop.create_task(self._load(files, self._turn))

    async def _load(self, files: list[dict[str, str]], before: Optional[asyncio.Task[None]]) -> None:
        if before is not None:
            await before
        # Files may have come within the second in which a folder was looked at last.
        importlib.invalidate_caches()
        for file in files:
            self._connection.send(IMPORTING, 0, {"file": file["source"]})
            # The file may never return. The engine then has to know which one it was.
            self._connection.flush()
            self._calls.importing = True
            try:
                answer = self._import(file["source"], file["module"], file["kind"])
            finally:
                self._calls.importing = False
                self._calls.ended(None)
            await self._send(*answer)
            # Pings are answered between two files.
            await asyncio.sleep(0)
        # What is there now stays: the collector need not look at it again and again.
        gc.collect()
        gc.freeze()
        self._connection.send(READY, 0, {"memory": resident_memory()})

    async def _send(self, kind: int, meta: dict[str, Any], body: bytes) -> None:
        waiting = self._connection.send(kind, 0, meta, body)
        if waiting is not None:
            out = self._calls.loop.create_future()
            waiting.released = partial(settle, out, None)
            await out

    def _import(self, source: str, module: str, kind: str) -> tuple[int, dict[str, Any], bytes]:
        assert self._finder is not None
        try:
            loaded = load_file(self._finder, source, module)
            config, handler = _exports(loaded, source, kind, module)
            if kind == "stream":
                config = with_one_name(config)
            body, warnings = config_json(config, named=kind == "config")
            step = _loaded(source, kind, config, handler)
        except BaseException as error:
            return REFUSED, {"file": source}, encode_plain(describe(error, self._finder.root))
        if step is not None:
            self._calls.steps[source] = step
        has_handler = step is not None and _TOLD_BY_HANDLER[kind] in step.runs
        return IMPORTED, {"file": source, "handler": has_handler, "warnings": warnings}, body


def _loaded(source: str, kind: str, config: dict[str, Any], handler: Any) -> Optional[Loaded]:
    if kind == "stream":
        return LoadedStream(source, config)
    return Step(source, config, handler) if kind == "step" else None


def _exports(module: Any, source: str, kind: str, path: str) -> tuple[dict[str, Any], Any]:
    config = getattr(module, "config", None)
    if config is None and "config" not in vars(module):
        raise Unsuitable(no_config(source, kind))
    if not isinstance(config, dict):
        raise Unsuitable(not_a_dict(source, config, Path(path)))
    return config, getattr(module, "handler", None)
