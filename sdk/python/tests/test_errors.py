"""Whatever a handler raises fails its call, and says where in the user's files it and all that led to it came from."""

from __future__ import annotations

import json
import sys
import unittest
from typing import Any

from motia._worker import frames
from motia._worker.details import details_json
from motia._worker.errors import LONGEST, LONGEST_MESSAGE, to_wire

from .support.engine import API, Engine, step

EVENT = '"type": "event", "name": "E", "subscribes": ["x"], "emits": []'
CRON = '"type": "cron", "name": "C", "cron": "* * * * *", "emits": []'


def raised(function: Any) -> BaseException:
    try:
        function()
    except BaseException as error:
        return error
    raise AssertionError("nothing was raised")


class Wire(unittest.TestCase):
    def wire(self, function: Any) -> dict[str, Any]:
        wire = to_wire(raised(function))
        # The engine prints the stack if the message is in it, and else the message alone.
        self.assertIn(wire["message"], wire["stack"])
        self.assertLess(len(json.dumps(wire).encode()), 786_422)
        return wire

    def test_causes_come_before_what_they_led_to_each_with_its_lines(self) -> None:
        def reads() -> None:
            {}["missing"]

        def asks() -> None:
            try:
                reads()
            except KeyError as error:
                raise ValueError("asked in vain") from error

        def handles() -> None:
            try:
                asks()
            except ValueError:
                raise TypeError("while handling that")

        def hides() -> None:
            try:
                reads()
            except KeyError:
                raise ValueError("no cause") from None

        wire = self.wire(handles)
        parts = [
            "in reads",
            "KeyError: 'missing'",
            "The above exception was the direct cause of the following exception:",
            'raise ValueError("asked in vain") from error',
            "ValueError: asked in vain\n",
            "During handling of the above exception, another exception occurred:",
            'raise TypeError("while handling that")',
            "TypeError: while handling that",
        ]
        places = [wire["stack"].find(part) for part in parts]
        self.assertTrue(-1 not in places and places == sorted(places), wire["stack"])
        self.assertEqual([wire["cause"]["name"], wire["cause"]["cause"]["name"]], ["ValueError", "KeyError"])
        self.assertNotIn("KeyError", self.wire(hides)["stack"])

    @unittest.skipIf(sys.version_info < (3, 11), "has no groups")
    def test_each_error_of_a_group_has_its_lines(self) -> None:
        group = __import__("builtins").ExceptionGroup

        def reads() -> None:
            {}["missing"]

        def fails() -> None:
            raise group("outer", [raised(reads), group("inner", [raised(lambda: 1 / 0), ValueError("new")])])

        stack = self.wire(fails)["stack"]
        self.assertRegex(
            stack, r"in fails\n(.*\n)+ExceptionGroup: outer \(2 sub-exceptions\)\n  \+-- 1 of 2\n  \| Trace"
        )
        self.assertRegex(stack, r"(  \| .*\n)+  \| .* in reads\n(  \| .*\n)+  \| KeyError: 'missing'\n  \+-- 2 of 2\n")
        self.assertRegex(
            stack, r"  \|   \| .*test_errors\.py.*\n(.*\n)+  \|   \| ZeroDivisionError: division by zero\n"
        )
        self.assertTrue(stack.endswith("  |   | ValueError: new"), stack)
        many = self.wire(lambda: (_ for _ in ()).throw(group("many", [ValueError(f"n{n}") for n in range(5_000)])))
        self.assertRegex(many["stack"], r"ValueError: n9\n(.*\n)*  \+-- and \d+ more$")

    def test_what_cannot_be_read_or_is_long_keeps_its_lines(self) -> None:
        class Unreadable(Exception):
            def __str__(self) -> str:
                raise self.args[0]

        def fails(error: BaseException) -> None:
            raise error

        for why in (RuntimeError("no"), KeyboardInterrupt()):
            wire = self.wire(lambda why=why: fails(Unreadable(why)))
            self.assertEqual(wire["message"], "an error that cannot be read")
            self.assertIn("in fails", wire["stack"])
        wire = self.wire(lambda: fails(ValueError("\0" * 100_000)))
        self.assertIn("in fails", wire["stack"])
        self.assertLess(len(wire["stack"]), LONGEST + 200)
        self.assertLess(len(wire["message"]), LONGEST_MESSAGE + 50)
        wire = self.wire(lambda: compile("a b", "some_file.py", "exec"))
        self.assertRegex(wire["stack"], r"in <lambda>\n(.*\n)*    a b\n(.*\n)*SyntaxError: .*\(some_file.py, line 1\)$")

    def test_chains_without_end_have_one(self) -> None:
        def fails(depth: int) -> None:
            try:
                if depth:
                    fails(depth - 1)
                raise ValueError("\0" * 3_000)
            except ValueError as error:
                raise TypeError(f"{depth}" + "\0" * 3_000) from error

        self.assertIn("in fails", self.wire(lambda: fails(50))["stack"])

        def circle() -> None:
            one, two = ValueError("one"), ValueError("two")
            one.__cause__, two.__cause__ = two, one
            raise one

        self.assertIn("in circle", self.wire(circle)["stack"])

    def test_what_our_own_code_came_across_is_no_cause(self) -> None:
        from motia._worker.encode import encode

        wire = self.wire(lambda: encode({"a": float("nan")}, "state.set"))
        self.assertEqual(
            [wire["message"], wire.get("cause")], ["state.set: data.a is nan, which JSON cannot hold", None]
        )
        self.assertNotIn("During handling", wire["stack"])

    def test_details_show_causes_as_members(self) -> None:
        def fails() -> None:
            cause = KeyError("two")
            raise ValueError("one") from cause

        shown = json.loads(details_json({"error": raised(fails)}))["error"]
        self.assertEqual([shown["message"], shown["cause"]["message"]], ["one", "'two'"])
        self.assertNotIn("KeyError", shown["stack"])


#: What to raise, and the name and the message of the error that the call fails with.
RAISED = {
    "stops": ("next(n for n in [])", "StopIteration", ""),
    "closes": ("raise GeneratorExit", "GeneratorExit", ""),
    "cancels": ("raise asyncio.CancelledError('by hand')", "CancelledError", "by hand"),
    "interrupts": ("raise KeyboardInterrupt", "RuntimeError", "KeyboardInterrupt was raised"),
    "exits": ("raise SystemExit(3)", "RuntimeError", "sys.exit(3) was called"),
    "panics": ("raise BaseException('as of an extension')", "BaseException", "as of an extension"),
}
KINDS = {"api": (API, "(req, ctx)"), "event": (EVENT, "(input, ctx)"), "cron": (CRON, "(ctx)")}
FILES = {
    f"{what}_{kind}_{how}_step.py": step(
        f"{'def handler' if how == 'plain' else ''}{parameters}:\n    {RAISED[what][0]}", members, "import asyncio"
    )
    for what in RAISED
    for kind, (members, parameters) in KINDS.items()
    for how in ("async", "plain")
}
STREAMS = {
    "closes_stream_step.py": "async def body():\n        yield 'a'\n        raise GeneratorExit",
    "closes_plain_stream_step.py": "def body():\n        yield 'a'\n        raise GeneratorExit",
    "stops_stream_step.py": "async def body():\n        yield 'a'\n        next(iter([]))",
}
STREAM_FILES = {
    name: step(f"(req, ctx):\n    {body}\n    return {{'status': 200, 'body': body()}}", API)
    for name, body in STREAMS.items()
}
MORE = {
    "layer_step.py": step(
        "(req, ctx):\n    raise GeneratorExit",
        '"type": "api", "name": "L", "middleware": [plain]',
        "def plain(req, ctx, next_fn):\n    return next_fn().result(5)",
    ),
    "inner_step.py": step("(req, ctx):\n    await inner()", API, "async def inner():\n    next(iter([]))"),
    "group_step.py": step(
        """(req, ctx):
            async def fails():
                return {}['missing']
            async with asyncio.TaskGroup() as group:
                group.create_task(fails())
        """,
        API,
        "import asyncio",
    ),
    "ok_step.py": step("(req, ctx):\n    return {'status': 200}"),
}


class Handlers(unittest.TestCase):
    engine: Engine

    @classmethod
    def setUpClass(cls) -> None:
        cls.engine = Engine({**FILES, **STREAM_FILES, **MORE})
        cls.engine.load_all(*FILES, *STREAM_FILES, *MORE)

    @classmethod
    def tearDownClass(cls) -> None:
        cls.engine.close()

    def test_whatever_is_raised_fails_the_call_and_names_the_line(self) -> None:
        for source in FILES:
            with self.subTest(source):
                what, kind, _ = source.split("_", 2)
                error = self.engine.call(source, {"kind": kind}).meta["error"]
                self.assertEqual((error["name"], error["message"]), RAISED[what][1:])
                self.assertIn(f'File "{self.engine.root}/{source}", line 5, in handler', error["stack"])
                self.assertNotIn("coroutine", error["stack"])
        self.assertEqual(self.engine.json("ok_step.py")["status"], 200)

    def test_so_it_is_in_streams_and_behind_middleware(self) -> None:
        for source in STREAM_FILES:
            number = self.engine.start(source)
            end = self.engine.frame(lambda f, number=number: f.kind == frames.ABORT and f.id == number)
            self.assertIn(f'File "{self.engine.root}/{source}", line 7, in body', end.meta["error"]["stack"])
        self.assertEqual(self.engine.json("layer_step.py")["error"]["name"], "GeneratorExit")

    def test_where_python_replaces_it_both_are_told(self) -> None:
        stack = self.engine.json("inner_step.py")["error"]["stack"]
        self.assertRegex(
            stack, r"(?s)line \d+, in inner.*StopIteration.*direct cause.*in handler.*raised StopIteration"
        )

    @unittest.skipIf(sys.version_info < (3, 11), "has no groups")
    def test_the_tasks_of_a_group_tell_their_lines(self) -> None:
        stack = self.engine.json("group_step.py")["error"]["stack"]
        self.assertIn(f'  |   File "{self.engine.root}/group_step.py", line 6, in fails', stack)
        self.assertIn("  | KeyError: 'missing'", stack)
