"""A fake engine: starts the worker as the real one does, on an inherited descriptor, and speaks frames with it."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from pathlib import Path
from typing import Any, Callable, NamedTuple, Optional

from motia._worker import frames
from motia._worker.bodies import Incoming, Outgoing
from motia._worker.frames import ANSWER, MORE, encode_frame, meta_bytes

SDK = Path(__file__).resolve().parent.parent.parent
PATIENCE = 10

#: What `on_op` returns for "no answer yet".
HOLD: Any = object()
#: Of the machine that runs the tests, not of the worker.
_ENV = ("PYTHONPATH", "PYTHONDONTWRITEBYTECODE", "LOG_LEVEL")
API = '"type": "api", "name": "S", "path": "/s", "method": "POST", "emits": []'


class Frame(NamedTuple):
    kind: int
    flags: int
    id: int
    meta: dict[str, Any]
    body: bytes


class Refused(NamedTuple):
    """What an operation is answered with."""

    code: str
    message: str


class Engine:
    def __init__(
        self,
        files: Optional[dict[str, str]] = None,
        env: Optional[dict[str, str]] = None,
        root: Optional[str] = None,
        command: Optional[list[str]] = None,
        streams: Optional[list[str]] = None,
    ) -> None:
        #: Everything received, in order.
        self.frames: list[Frame] = []
        #: Metas of logs, with their details.
        self.logs: list[dict[str, Any]] = []
        #: Metas of operations, with their number and value.
        self.ops: list[dict[str, Any]] = []
        self.on_op: Callable[[dict[str, Any]], Any] = lambda op: None
        self._more = threading.Condition()
        #: Whether it reads what the worker sends.
        self.reading = threading.Event()
        self.reading.set()
        #: Whether it lets the worker go on with what is longer than the window.
        self.granting = True
        self._next_call = 1
        self._base = tempfile.mkdtemp(prefix="motia-worker-")
        self.root = os.path.join(self._base, root or "shop")
        os.makedirs(self.root)
        self.write(files or {})
        self.socket, theirs = socket.socketpair()
        os.set_inheritable(theirs.fileno(), True)
        self._out = Path(self._base, "out").open("w+b")
        self._err = Path(self._base, "err").open("w+b")
        environ = {key: value for key, value in os.environ.items() if key not in _ENV}
        self.child = subprocess.Popen(
            command or [sys.executable, str(SDK)],
            cwd=self.root,
            stdin=subprocess.DEVNULL,
            stdout=self._out,
            stderr=self._err,
            pass_fds=[theirs.fileno()],
            env={**environ, "MOTIA_FD": str(theirs.fileno()), **(env or {})},
        )
        theirs.close()
        self._write_lock = threading.RLock()
        frame = lambda kind, flags, number, meta, body: self.raw(
            frames.HEADER.pack(10 + len(meta) + len(body), kind, flags, number, len(meta)) + bytes(meta) + bytes(body)
        )
        self._long_ops = Incoming(lambda *grant: frame(*grant) if self.granting else None)
        self._long_replies = Outgoing(frame)
        self._decoder = frames.Decoder(lambda *parts: self._receive(Frame(*parts)))
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        if streams is not None:
            self.send(frames.STREAMS, body=json.dumps(streams))

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def close(self) -> None:
        """Kills the worker, if it still runs, and removes the project."""
        self.child.kill()
        self.child.wait()
        self.reading.set()
        self._reader.join(5)
        self.socket.close()
        self._out.close()
        self._err.close()
        shutil.rmtree(self._base, ignore_errors=True)

    @property
    def stdout(self) -> str:
        return Path(self._base, "out").read_text()

    @property
    def stderr(self) -> str:
        return Path(self._base, "err").read_text()

    def exit(self) -> int:
        return self.child.wait(PATIENCE)

    def write(self, files: dict[str, str]) -> None:
        for path, text in files.items():
            file = Path(self.root, path)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(textwrap.dedent(text), encoding="utf-8")

    def raw(self, data: bytes) -> None:
        with self._write_lock:
            try:
                self.socket.sendall(data)
            except OSError:
                return

    def send(
        self, kind: int, flags: int = 0, number: int = 0, meta: Optional[dict[str, Any]] = None, body: Any = b""
    ) -> None:
        self.raw(encode_frame(kind, flags, number, meta, body.encode() if isinstance(body, str) else body))

    def frame(self, matches: Callable[[Frame], bool], what: str = "a frame", since: int = 0) -> Frame:
        """The first frame, past or future, that matches."""
        deadline = time.monotonic() + PATIENCE
        with self._more:
            at = since
            while True:
                while at < len(self.frames):
                    if matches(self.frames[at]):
                        return self.frames[at]
                    at += 1
                if not self._more.wait(deadline - time.monotonic()):
                    raise AssertionError(f"{what} did not come\n{self.stderr}\n{self.logs[-5:]}")

    def load(self, *sources: str, modules: Optional[dict[str, str]] = None) -> dict[str, dict[str, Any]]:
        """Loads files of the project. Source to what IMPORTED says with its config, or {"refused": …}."""
        listed = [
            {
                "source": source,
                "module": (modules or {}).get(source, os.path.join(self.root, source)),
                "kind": _kind(source),
            }
            for source in sources
        ]
        before = len(self.frames)
        self.send(frames.LOAD, meta={"root": self.root}, body=json.dumps(listed))
        self.frame(lambda f: f.kind == frames.READY, "READY", before)
        loaded: dict[str, dict[str, Any]] = {}
        for kind, _, _, meta, body in self.frames[before:]:
            if kind == frames.IMPORTED:
                loaded[meta["file"]] = {**meta, "config": json.loads(body)}
            elif kind == frames.REFUSED:
                loaded[meta["file"]] = {"refused": json.loads(body)}
        return loaded

    def load_all(self, *sources: str) -> None:
        for source, answer in self.load(*sources).items():
            assert "refused" not in answer, (source, answer)

    def start(self, step: str, meta: Optional[dict[str, Any]] = None, body: Any = b"") -> int:
        number = self._next_call
        self._next_call += 1
        kind = (meta or {}).get("kind", "api")
        api = {"method": "POST", "path": "/x", "headers": {}} if kind == "api" else {}
        whole = {"step": step, "kind": kind, "trace": "AUSDA-1060748", "attempt": 1, **api, **(meta or {})}
        self.send(frames.CALL, 0, number, whole, body)
        return number

    def result(self, number: int) -> Frame:
        return self.frame(lambda f: f.kind == frames.RESULT and f.id == number, f"the result of call {number}")

    def call(self, step: str, meta: Optional[dict[str, Any]] = None, body: Any = b"") -> Frame:
        return self.result(self.start(step, meta, body))

    def json(self, step: str, value: Any = None, meta: Optional[dict[str, Any]] = None) -> dict[str, Any]:
        """A call whose body is JSON, and its answer parsed."""
        value = {} if value is None else value
        answer = self.call(step, {"content": "json", **(meta or {})}, json.dumps(value))
        return {**answer.meta, "body": json.loads(answer.body) if answer.body else None}

    def event(self, step: str, value: Any = HOLD) -> Frame:
        return self.call(step, {"kind": "event", "topic": "t"}, b"" if value is HOLD else json.dumps(value))

    def log(self, matches: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        frame = self.frame(lambda f: f.kind == frames.LOG and matches(f.meta), "a log line")
        return {**frame.meta, "details": _parse(frame.body)}

    def log_of(self, message: str) -> dict[str, Any]:
        return self.log(lambda meta: meta["message"] == message)

    def op(self, name: str) -> dict[str, Any]:
        """The first operation of this name."""
        with self._more:
            known = lambda: next((op for op in self.ops if op["op"] == name), None)
            assert self._more.wait_for(known, PATIENCE), f"the operation {name} did not come\n{self.stderr}"
            return known()

    def answer_of(self, number: int) -> list[Frame]:
        """Frames of a result, as far as they are here."""
        return [f for f in self.frames if f.id == number and (f.kind == frames.RESULT or f.flags & ANSWER)]

    def reply(self, number: int, answer: Any = None) -> None:
        meta, body = {}, b""
        if isinstance(answer, Refused):
            meta = {"error": answer._asdict()}
        elif answer is not None:
            body = json.dumps(answer).encode()
        with self._write_lock:
            self._long_replies.send(frames.REPLY, ANSWER, number, meta_bytes(meta), body)

    def _read(self) -> None:
        while self.reading.wait():
            try:
                chunk = self.socket.recv(65_536)
            except OSError:
                return
            if not chunk:
                return
            self._decoder.push(chunk)

    def _receive(self, frame: Frame) -> None:
        with self._more:
            if frame.kind == frames.LOG:
                self.logs.append({**frame.meta, "details": _parse(frame.body)})
            self._operation(frame)
            self.frames.append(frame)
            self._more.notify_all()

    def _operation(self, frame: Frame) -> None:
        kind, flags, number, meta, body = frame
        if kind == frames.WINDOW_FRAME and flags & ANSWER:
            self._long_replies.granted(number, flags, meta["bytes"])
        elif kind == frames.OP and flags & MORE:
            self._long_ops.begin(kind, 0, number, meta, body)
        elif kind == frames.OP:
            self._answer(number, meta, body)
        elif kind == frames.DATA and not flags & ANSWER:
            whole = self._long_ops.data(flags, number, body)
            if whole is not None:
                self._answer(number, whole.meta, whole.body())

    def _answer(self, number: int, meta: dict[str, Any], body: bytes) -> None:
        op = {**meta, "number": number, "value": _parse(body)}
        self.ops.append(op)
        answer = self.on_op(op)
        if answer is not HOLD:
            self.reply(number, answer)


def _parse(body: bytes) -> Any:
    return json.loads(body) if body else None


def _kind(source: str) -> str:
    if "motia.config" in source:
        return "config"
    return "stream" if ".stream." in source or "_stream." in source else "step"


def step(handler: str, members: str = API, before: str = "") -> str:
    """Text of a step file. `handler` is what stands behind `handler`: `(req, ctx):` and its lines."""
    head = "async def handler" if not handler.startswith("def ") else ""
    return f"{textwrap.dedent(before)}\nconfig = {{{members}}}\n\n{head}{textwrap.dedent(handler)}\n"
