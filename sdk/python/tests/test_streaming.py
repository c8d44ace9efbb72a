"""Responses whose bodies come bit by bit."""

from __future__ import annotations

import time
import unittest
from typing import Any

from motia._worker import frames
from motia._worker.frames import ANSWER, MORE

from .support.engine import API, Engine, Refused, step


def streaming(body: str, headers: str = "", body_is: str = "body()", before: str = "") -> str:
    """`body` is a generator function called body."""
    lines = "\n".join(f"    {line}" for line in body.strip("\n").split("\n"))
    return step(
        f"(req, ctx):\n{lines}\n    return {{'status': 200, 'headers': {{{headers}}}, 'body': {body_is}}}",
        API,
        f"import asyncio, time\n{before}",
    )


PLAIN = "'content-type': 'text/plain'"
FILES = {
    "text_step.py": streaming(
        "async def body():\n    yield 'grü'\n    await asyncio.sleep(0.001)\n    yield ''\n    yield 'ße'"
    ),
    "bytes_step.py": streaming(
        "async def body():\n    yield b'\\1'\n    yield bytearray(b'\\2')\n    yield memoryview(b'\\3')"
    ),
    "sync_step.py": streaming("def body():\n    for n in range(3):\n        time.sleep(0.002)\n        yield str(n)"),
    "iterator_step.py": streaming("", body_is="iter(['a', 'b'])"),
    "file_step.py": streaming("", body_is="open('data.bin', 'rb')"),
    "empty_step.py": streaming("async def body():\n    return\n    yield"),
    "object_step.py": streaming("async def body():\n    yield {'a': 1}"),
    "late_object_step.py": streaming("async def body():\n    yield 'a'\n    yield {'a': 1}"),
    "none_step.py": streaming("def body():\n    yield 'a'\n    yield None"),
    "throws_step.py": streaming(
        "async def body():\n    yield 'a'\n    raise TypeError('boom')", "'Content-Type': 'text/plain'"
    ),
    "writes_step.py": streaming(
        "async def body():\n    yield 'a'\n    await ctx.state.set('g', 'k', 1)\n    yield 'b'\n    ctx.state.set('g', 'k', 2)"
    ),
    "loses_step.py": streaming("async def body():\n    yield 'a'\n    ctx.emit('t')"),
    "endless_step.py": streaming(
        """
async def body():
    n = 0
    try:
        while True:
            ctx.logger.info('pulled', {'n': n})
            yield 'x' * 65536
            n += 1
    finally:
        await ctx.state.set('g', 'over', ctx.signal.aborted)""",
        PLAIN,
    ),
    "endless_sync_step.py": streaming(
        """
def body():
    try:
        while True:
            time.sleep(0.005)
            yield 'x'
    finally:
        ctx.logger.info('sync closed')""",
        PLAIN,
    ),
    "waits_step.py": streaming(
        """
async def body():
    try:
        yield 'a'
        await asyncio.sleep(60)
    finally:
        await ctx.state.set('g', 'interrupted', True)""",
        PLAIN,
    ),
    "burst_step.py": streaming("async def body():\n    for _ in range(2000):\n        yield 'x'", PLAIN),
}


def ends(number: int) -> Any:
    return lambda f: (
        f.id == number and f.kind in (frames.DATA, frames.ABORT) and f.flags & ANSWER and not f.flags & MORE
    )


class Streaming(unittest.TestCase):
    engine: Engine

    @classmethod
    def setUpClass(cls) -> None:
        cls.engine = Engine(FILES)
        with open(f"{cls.engine.root}/data.bin", "wb") as file:
            file.write(bytes(range(256)) * 1000)
        cls.engine.load_all(*FILES)

    @classmethod
    def tearDownClass(cls) -> None:
        cls.engine.close()

    def streamed(self, file: str) -> tuple[dict[str, Any], list[bytes], Any, int]:
        """The head, the chunks and how they end."""
        number = self.engine.start(file)
        head = self.engine.result(number)
        self.assertIs(head.meta.get("stream"), True, head.meta)
        self.assertTrue(head.flags & MORE)
        end = self.engine.frame(ends(number))
        chunks = [f.body for f in self.engine.answer_of(number) if f.kind == frames.DATA and f.body]
        return head.meta, chunks, end, number

    def test_every_kind_of_stream_is_sent_chunk_by_chunk(self) -> None:
        for file, kind, data, count in (
            ("text_step.py", "text", "grüße".encode(), 2),
            ("bytes_step.py", "bytes", b"\1\2\3", 3),
            ("sync_step.py", "text", b"012", 3),
            ("iterator_step.py", "text", b"ab", 2),
            ("file_step.py", "bytes", bytes(range(256)) * 1000, 4),
            ("empty_step.py", "bytes", b"", 0),
            ("burst_step.py", "bytes", b"x" * 2000, 2000),
        ):
            head, chunks, end, _ = self.streamed(file)
            got = (head["type"], b"".join(chunks), len(chunks), end.kind)
            self.assertEqual(got, (kind, data, count, frames.DATA), file)

    def test_what_fails_before_the_first_chunk_fails_the_call(self) -> None:
        message = self.engine.call("object_step.py").meta["error"]["message"]
        self.assertRegex(message, r"the response's stream yielded a dict; a chunk is a str or bytes\..*json.dumps")

    def test_what_fails_after_that_breaks_the_response_off_and_says_why(self) -> None:
        for file, message in (
            ("late_object_step.py", "yielded a dict"),
            ("none_step.py", "yielded None"),
            ("throws_step.py", "boom"),
        ):
            _, chunks, end, _ = self.streamed(file)
            self.assertEqual((chunks, end.kind), ([b"a"], frames.ABORT))
            self.assertIn(message, end.meta["error"]["message"])

    def test_operations_belong_to_the_call_until_its_end_which_waits_for_them(self) -> None:
        _, _, end, number = self.streamed("writes_step.py")
        ops = [op for op in self.engine.ops if op["call"] == number]
        self.assertEqual(
            [(op["op"], op["value"], op.get("step")) for op in ops], [("state.set", 1, None), ("state.set", 2, None)]
        )
        last = next(at for at, f in enumerate(self.engine.frames) if f.kind == frames.OP and f.id == ops[1]["number"])
        self.assertLess(last, self.engine.frames.index(end))

    def test_an_operation_that_fails_and_that_nobody_awaits_breaks_the_response_off(self) -> None:
        self.engine.on_op = lambda op: Refused("no", "not now") if op["op"] == "emit" else None
        _, _, end, _ = self.streamed("loses_step.py")
        self.engine.on_op = lambda op: None
        self.assertEqual((end.kind, end.meta["error"]["code"]), (frames.ABORT, "no"))

    def test_a_stream_is_pulled_no_further_than_the_window_and_cancelled(self) -> None:
        number = self.engine.start("endless_step.py")
        self.engine.result(number)

        def sent() -> int:
            return sum(len(f.body) for f in self.engine.answer_of(number))

        self.engine.frame(lambda f: sent() + len(f.body) >= frames.WINDOW)
        time.sleep(0.05)
        pulled = [line for line in self.engine.logs if line["message"] == "pulled"]
        self.assertEqual((sent(), len(pulled)), (frames.WINDOW, 17), "one more chunk waits for the window")
        self.engine.send(frames.CANCEL, 0, number, {"reason": "disconnect"})
        end = self.engine.frame(ends(number))
        self.assertEqual((end.kind, end.meta), (frames.ABORT, {}))
        over = next(op for op in self.engine.ops if op.get("key") == "over")
        self.assertEqual((over["value"], over["call"]), (True, number), "its clean-up belongs to the call")

    def test_a_stream_of_which_a_chunk_is_awaited_is_interrupted(self) -> None:
        number = self.engine.start("waits_step.py")
        self.engine.frame(lambda f: f.kind == frames.DATA and f.id == number)
        self.engine.send(frames.CANCEL, 0, number, {"reason": "timeout"})
        self.assertEqual(self.engine.frame(ends(number)).kind, frames.ABORT)
        self.assertTrue(any(op.get("key") == "interrupted" and op["call"] == number for op in self.engine.ops))

    def test_a_plain_generator_is_closed_too(self) -> None:
        number = self.engine.start("endless_sync_step.py")
        self.engine.frame(lambda f: f.kind == frames.DATA and f.id == number)
        self.engine.send(frames.CANCEL, 0, number, {"reason": "disconnect"})
        self.assertEqual(self.engine.frame(ends(number)).kind, frames.ABORT)
        self.engine.log(lambda meta: meta["message"] == "sync closed" and meta.get("call") == number)

    def test_stop_waits_for_the_end_of_a_stream(self) -> None:
        with Engine({"text_step.py": FILES["text_step.py"]}) as other:
            other.load("text_step.py")
            number = other.start("text_step.py")
            other.send(frames.STOP)
            other.frame(ends(number))
            self.assertEqual(other.exit(), 0)
