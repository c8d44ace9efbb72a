"""How fast is the worker? A fake engine in this process keeps calls in flight over a socket pair.

    python bench/worker.py [seconds] [--in-flight 64] [--only hello] [--profile FILE] [--python PATH]

The engine side only patches ids and counts, so that the worker is what is measured; its own CPU time per call is read
from the system. `--profile` runs the worker under cProfile and leaves the statistics in a file.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

SDK = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(SDK))

from motia._worker import frames  # noqa: E402
from motia._worker.frames import HEADER, encode_frame  # noqa: E402

API = 'config = {"type": "api", "name": "A", "path": "/a", "method": "POST", "emits": []}\n'
SMALL = {"name": "Ada", "items": [1, 2, 3], "total": 99.99, "note": None}
ITEMS = [{"id": n, "sku": f"SKU-{n:05}", "quantity": n % 7, "price": n * 1.25, "tags": ["a", "b"]} for n in range(12)]
LARGE = {"customer": {"name": "Ada Lovelace", "email": "ada@example.com"}, "items": ITEMS, "note": "x" * 100}

#: Name to kind, text of the step, body.
STEPS: dict[str, tuple[str, str, Any]] = {
    "hello": (
        "api",
        API + "async def handler(req, ctx):\n  return {'status': 200, 'body': {'hello': req.body['name']}}",
        SMALL,
    ),
    "json-1kb": ("api", API + "async def handler(req, ctx):\n  return {'status': 200, 'body': req.body}", LARGE),
    "emit": (
        "api",
        API + "async def handler(req, ctx):\n"
        "  await ctx.emit({'topic': 't', 'data': req.body})\n  return {'status': 200, 'body': {'ok': True}}",
        SMALL,
    ),
    "log": (
        "api",
        API + "async def handler(req, ctx):\n"
        "  ctx.logger.info('order created', {'id': req.body.name, 'total': 3})\n"
        "  return {'status': 200, 'body': {'ok': True}}",
        SMALL,
    ),
    "sync": (
        "api",
        API + "def handler(req, ctx):\n  return {'status': 200, 'body': {'hello': req.body['name']}}",
        SMALL,
    ),
    "event": (
        "event",
        "config = {'type': 'event', 'name': 'E', 'subscribes': ['t'], 'emits': []}\n"
        "async def handler(input, ctx):\n  len(input['name'])",
        SMALL,
    ),
}
HEADERS = {
    "host": "localhost:3000",
    "user-agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36",
    "accept": "application/json, text/plain, */*",
    "accept-encoding": "gzip, deflate, br",
    "content-type": "application/json",
    "content-length": "57",
}


class Load:
    """The engine's side: one worker, so many calls in flight."""

    def __init__(self, arguments: argparse.Namespace, folder: str, kind: str, body: Any) -> None:
        self.socket, theirs = socket.socketpair()
        python = [arguments.python]
        if arguments.profile:
            main = "import cProfile,sys,os,pstats\nsys.argv[0]=sys.path[0]=%r\n" % str(SDK)
            main += "from motia._worker import main\np=cProfile.Profile()\nx=os._exit\n"
            main += "def leave(c):\n p.disable(); p.dump_stats(%r); x(c)\n" % arguments.profile
            main += "os._exit=leave\np.enable()\nmain.main()"
            python += ["-c", main]
        else:
            python.append(str(SDK))
        environ = {**os.environ, "MOTIA_FD": str(theirs.fileno())}
        self.child = subprocess.Popen(python, pass_fds=[theirs.fileno()], env=environ)
        theirs.close()
        meta = {"step": "a_step.py", "kind": kind, "trace": "AUSDA-1060748", "attempt": 1}
        if kind == "api":
            meta.update(method="POST", path="/hello", headers=HEADERS, content="json")
        self.call = bytearray(encode_frame(frames.CALL, 0, 0, meta, json.dumps(body, separators=(",", ":")).encode()))
        self.reply = bytearray(encode_frame(frames.REPLY, 0, 0))
        files = [{"source": "a_step.py", "module": f"{folder}/a_step.py", "kind": "step"}]
        self.socket.sendall(encode_frame(frames.LOAD, 0, 0, {"root": folder}, json.dumps(files).encode()))
        self.rest = b""
        self.next = 1
        self.done = 0
        self.started: dict[int, float] = {}
        self.latencies: list[float] = []
        self.out: list[bytes] = []
        while not self.turn():
            pass

    def new_call(self) -> None:
        self.call[6:10] = self.next.to_bytes(4, "little")
        self.started[self.next] = time.perf_counter()
        self.next += 1
        self.out.append(bytes(self.call))

    def turn(self) -> bool:
        """One read and one write. Says whether READY was in it."""
        data = self.rest + self.socket.recv(262_144)
        at, ready = 0, False
        while len(data) - at >= 14:
            length, kind, _, number, _ = HEADER.unpack_from(data, at)
            if at + 4 + length > len(data):
                break
            if kind == frames.RESULT:
                self.latencies.append(time.perf_counter() - self.started.pop(number))
                self.done += 1
                self.new_call()
            elif kind == frames.OP:
                self.reply[6:10] = number.to_bytes(4, "little")
                self.out.append(bytes(self.reply))
            elif kind == frames.READY:
                ready = True
            elif kind == frames.REFUSED:
                raise SystemExit(data[at : at + 4 + length].decode(errors="replace"))
            at += 4 + length
        self.rest = data[at:]
        if self.out:
            self.socket.sendall(b"".join(self.out))
            self.out.clear()
        return ready

    def cpu(self) -> float:
        fields = Path(f"/proc/{self.child.pid}/stat").read_text().split(") ")[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def run_for(self, seconds: float) -> None:
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            self.turn()


def run(arguments: argparse.Namespace, name: str, in_flight: int) -> None:
    kind, text, body = STEPS[name]
    with tempfile.TemporaryDirectory(prefix="motia-bench-") as folder:
        Path(folder, "a_step.py").write_text(text)
        load = Load(arguments, folder, kind, body)
        for _ in range(in_flight):
            load.new_call()
        load.socket.sendall(b"".join(load.out))
        load.out.clear()
        load.run_for(0.7)
        load.latencies.clear()
        cpu, done, begin = load.cpu(), load.done, time.perf_counter()
        load.run_for(arguments.seconds)
        seconds, measured = time.perf_counter() - begin, load.done - done
        micros = (load.cpu() - cpu) / measured * 1e6
        load.socket.close()
        load.child.wait()
    latencies = sorted(load.latencies)
    half, most = (latencies[int(len(latencies) * q)] * 1e6 for q in (0.5, 0.99))
    print(
        f"{name:10} {in_flight:3} in flight {measured / seconds:8.0f} calls/s  worker {micros:6.1f} µs/call  "
        f"p50 {half:6.0f} µs  p99 {most:6.0f} µs",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("seconds", nargs="?", type=float, default=3)
    parser.add_argument("--in-flight", type=int, action="append")
    parser.add_argument("--only", action="append", choices=list(STEPS))
    parser.add_argument("--profile")
    parser.add_argument("--python", default=sys.executable)
    arguments = parser.parse_args()
    for name in arguments.only or STEPS:
        for in_flight in arguments.in_flight or (1, 64):
            run(arguments, name, in_flight)


if __name__ == "__main__":
    main()
