"""The logger, what it makes of details, and everything else that Python writes to a terminal."""

from __future__ import annotations

import json
import time
import unittest
from typing import Any
from unittest import mock

from motia import Bag, Logger, _runtime
from motia._runtime import NOTHING
from motia._worker.details import details_json

from .support.engine import API, Engine, step


def details(value: Any) -> Any:
    return json.loads(details_json(value))


def raised(error: BaseException) -> Any:
    try:
        raise error
    except BaseException as caught:
        return caught


class Details(unittest.TestCase):
    def test_plain_details_are_plain_json(self) -> None:
        value = {"id": "a", "n": 1.5, "list": [1, None, {"x": True}], "emoji": "🐾", "t": (1, 2)}
        self.assertEqual(details(value), {**value, "t": [1, 2]})
        self.assertEqual(
            [details("Nf3"), details(None), details(5), details(Bag(a=Bag()))], ["Nf3", None, 5, {"a": {}}]
        )

    def test_errors_show_what_they_hold_wherever_they_are(self) -> None:
        error = ValueError("no")
        error.status = 502  # type: ignore[attr-defined]
        error.__cause__ = OSError(2, "socket")
        shown = details({"error": raised(error)})["error"]
        self.assertEqual([shown["name"], shown["message"], shown["status"]], ["ValueError", "no", 502])
        self.assertIn("test_logging.py", shown["stack"])
        self.assertEqual(shown["cause"]["message"], "[Errno 2] socket")
        self.assertEqual(details(error)["message"], "no")
        if hasattr(__builtins__, "ExceptionGroup") or "ExceptionGroup" in dir(__import__("builtins")):
            group = __import__("builtins").ExceptionGroup("all", [ValueError("one")])
            self.assertEqual(details(group)["exceptions"][0]["message"], "one")

    def test_what_json_does_not_know_is_described(self) -> None:
        value = {
            "nan": float("nan"),
            "big": 2**70,
            "fn": len,
            "cls": Engine,
            "set": {1},
            "bytes": b"abc",
            "many": bytearray(100),
            "lock": __import__("threading").Lock(),
            "huge": 10**5000,
            3: "three",
            "gen": (n for n in []),
        }
        shown = details(value)
        self.assertEqual(shown["nan"], "nan")
        self.assertEqual([shown["big"], shown["set"], shown["3"]], [2**70, [1], "three"])
        self.assertEqual([shown["fn"], shown["cls"]], ["[the function len]", "[the class Engine]"])
        self.assertEqual(shown["bytes"], "[bytes 3 bytes: 616263]")
        self.assertEqual(shown["many"], f"[bytearray 100 bytes: {'00' * 32}…]")
        self.assertEqual(
            [shown["lock"], shown["huge"], shown["gen"]], ["[a lock]", "[int of 16610 bits]", "[a generator]"]
        )

    def test_cycles_broken_attributes_and_halves_of_surrogates_do_not_raise(self) -> None:
        class Broken:
            @property
            def __dict__(self) -> Any:  # type: ignore[override]
                raise RuntimeError("locked")

        class Unreadable(Exception):
            def __str__(self) -> str:
                raise RuntimeError("no")

        value: dict[str, Any] = {"name": "a\ud800", "bad": Broken(), "error": Unreadable(), "key": {("a", 1): 2}}
        value["self"] = value
        value["list"] = [value, {"again": value}]
        shown = details(value)
        self.assertEqual(
            [shown["name"], shown["self"], shown["list"]],
            ["a\ufffd", "[Circular]", ["[Circular]", {"again": "[Circular]"}]],
        )
        self.assertIn("locked", shown["bad"])
        self.assertEqual(shown["error"]["message"], "an error that cannot be read")
        self.assertEqual(shown["key"], {"('a', 1)": 2})

    def test_the_same_object_twice_is_no_cycle(self) -> None:
        shared = {"a": 1}
        self.assertEqual(details({"x": shared, "y": [shared]}), {"x": {"a": 1}, "y": [{"a": 1}]})

    def test_monsters_are_cut_and_what_is_left_is_json(self) -> None:
        deep: dict[str, Any] = {}
        at = deep
        for _ in range(10_000):
            at["next"] = at = {}
        wide = {f"key{n}": "value" for n in range(100_000)}
        for value in (
            deep,
            wide,
            list(wide.values()),
            "x" * 10_000_000,
            {"a": "ž" * 1_000_000},
            [[{}] * 1_000_000],
            "\0" * 1_000_000,
        ):
            text = details_json(value)
            self.assertLess(len(text), 200_000)
            json.loads(text)
        self.assertTrue(details_json(wide).endswith('"…":"[Truncated]"}'.encode()))


class Loggers(unittest.TestCase):
    def setUp(self) -> None:
        self.lines: list[Any] = []
        write = lambda level, message, details, source, call: self.lines.append((level, message, details))
        patch = mock.patch.object(_runtime, "write", write)
        patch.start()
        self.addCleanup(patch.stop)

    def test_it_takes_what_its_users_pass(self) -> None:
        error = ValueError("broken")
        logger = Logger()
        logger.info("one")
        logger.warn("two", {"a": 1})
        logger.warning("three", a=1)
        logger.error(error)
        logger.error("five", error)
        logger.info("six", "text")
        logger.info("seven", 1, 2)
        logger.info({"a": 1})
        logger.log("nine", None)
        logger.info("ten", {"a": 1}, b=2)
        self.assertEqual(
            self.lines,
            [
                ("info", "one", NOTHING),
                ("warn", "two", {"a": 1}),
                ("warn", "three", {"a": 1}),
                ("error", "broken", {"error": error}),
                ("error", "five", error),
                ("info", "six", "text"),
                ("info", "seven", [1, 2]),
                ("info", "{'a': 1}", NOTHING),
                ("info", "nine", None),
                ("info", "ten", {"a": 1, "b": 2}),
            ],
        )

    def test_the_error_that_is_being_handled(self) -> None:
        logger = Logger()
        error = ValueError("x")
        try:
            raise error
        except ValueError:
            logger.exception("a")
            logger.error("b", {"k": 1}, exc_info=True)
            logger.info("c", exc_info=False)
        logger.warn("d", exc_info=error)
        logger.exception("e")
        shown = [line[2] for line in self.lines]
        self.assertEqual(shown, [{"error": error}, {"error": error, "k": 1}, NOTHING, {"error": error}, NOTHING])

    def test_debug_is_not_sent_unless_log_level_says_so(self) -> None:
        Logger().debug("hidden")
        self.assertEqual(self.lines, [])

    def test_children_add_their_fields(self) -> None:
        info = Logger().child({"user": "ada"}).child(step=2).info
        info("a", {"step": 3})
        info("b")
        info("c", "text")
        shown = [line[2] for line in self.lines]
        self.assertEqual(
            shown,
            [{"user": "ada", "step": 3}, {"user": "ada", "step": 2}, {"user": "ada", "step": 2, "details": "text"}],
        )

    def test_listeners_see_every_line_and_one_that_raises_harms_nothing(self) -> None:
        logger = Logger()
        heard: list[Any] = []

        def broken(*_: Any) -> None:
            raise ValueError("bad listener")

        logger.add_listener(broken)
        logger.addListener(lambda *line: heard.append(line))
        logger.debug("a", 1)
        logger.info("b")
        self.assertEqual(heard, [("debug", "a", 1), ("info", "b")])
        self.assertEqual([line[:2] for line in self.lines], [("error", "a log listener failed")] * 2 + [("info", "b")])


class OutsideOfAWorker(unittest.TestCase):
    def test_it_prints(self) -> None:
        with mock.patch("sys.stderr") as stderr:
            Logger().info("a", {"n": 1})
        self.assertEqual(stderr.write.call_args_list[0].args[0], '[INFO] a {"n": 1}')


CONSOLE = step(
    """(req, ctx):
        print('hello', 'you', {'a': 1})
        print('two\\nlines')
        print('to stderr', file=sys.stderr)
        print('no', 'end', sep='-', end='')
        print('!')
        sys.stdout.write('windows\\r\\n')
        print('from a thread', end='')
        await asyncio.to_thread(print, '') if hasattr(asyncio, 'to_thread') else print('')
        logging.getLogger('shop').warning('careful %s', 1)
        logging.getLogger('shop').info('not shown')
        try:
            1 / 0
        except ZeroDivisionError:
            logging.getLogger().exception('divided')
        warnings.warn('old thing')
        helper.log()
        threading.Thread(target=print, args=('own thread',)).start()
        sys.stdout.buffer.write(b'raw\\n')
        sys.stdout.buffer.flush()
        os.write(sys.stdout.fileno(), b'rawer\\n')
        print('half a line', end='', flush=True)
        return {'status': 200, 'body': [sys.stdout.encoding, sys.stdout.isatty(), sys.stdout.writable()]}
    """,
    API,
    "import asyncio, logging, os, sys, threading, warnings\nimport helper",
)


class Console(unittest.TestCase):
    def test_what_python_prints_becomes_log_lines_of_the_call(self) -> None:
        helper = "from motia import logger\ndef log():\n    logger.info('from a helper', {'n': 1})\n"
        with Engine(
            {"console_step.py": CONSOLE, "helper.py": helper, "import_step.py": "print('importing')\nconfig = {}"}
        ) as engine:
            engine.load_all("console_step.py", "import_step.py")
            number = engine.start("console_step.py")
            answer = engine.result(number)
            self.assertEqual(json.loads(answer.body), ["utf-8", False, True])
            engine.log_of("own thread")
            importing = engine.logs[0]
            self.assertEqual([importing["message"], importing.get("call")], ["importing", None])
            lines = [line for line in engine.logs[1:] if line["message"] != "own thread"]
            seen = [(line["level"], line["source"], line["message"]) for line in lines]
            self.assertEqual(
                seen,
                [
                    ("info", "console", "hello you {'a': 1}"),
                    ("info", "console", "two"),
                    ("info", "console", "lines"),
                    ("warn", "console", "to stderr"),
                    ("info", "console", "no-end!"),
                    ("info", "console", "windows"),
                    ("info", "console", "from a thread"),
                    ("warn", "logger", "careful 1"),
                    ("error", "logger", "divided"),
                    ("warn", "console", f"UserWarning: old thing ({engine.root}/console_step.py:20)"),
                    ("info", "logger", "from a helper"),
                    ("info", "console", "half a line"),
                ],
            )
            self.assertEqual({line["call"] for line in engine.logs[1:]}, {number})
            self.assertEqual(lines[7]["details"], {"logger": "shop"})
            self.assertEqual(lines[8]["details"]["error"]["name"], "ZeroDivisionError")
            self.assertEqual(engine.stdout, "raw\nrawer\n")
            self.assertEqual(engine.stderr, "")
            half = next(at for at, f in enumerate(engine.frames) if f.meta.get("message") == "half a line")
            self.assertLess(half, engine.frames.index(answer))

    def test_what_pools_print_belongs_to_the_call_that_asked_them(self) -> None:
        text = step(
            """(req, ctx):
                name = req.body.name
                loop = asyncio.get_running_loop()
                await loop.run_in_executor(None, print, name, 'in the default pool')
                await loop.run_in_executor(pool, print, name, 'in a pool of its own')
                pool.submit(lambda: logger.info(name + ' in the logger')).result()
                digits = pool.submit(lambda: decimal.getcontext().prec).result()
                threads.apply(print, (name, 'in a pool that knows no calls'))
                return {'status': 200, 'body': [digits]}
            """,
            API,
            """
            import asyncio, decimal
            from concurrent.futures import ThreadPoolExecutor
            from multiprocessing.pool import ThreadPool
            from motia import logger
            def begin():
                decimal.getcontext().prec = 7
            pool = ThreadPoolExecutor(1, initializer=begin)
            pool.submit(print, 'imports').result()
            threads = None
            """,
        ).replace("threads.apply", "global threads; threads = threads or ThreadPool(1); threads.apply")
        with Engine({"pool_step.py": text}) as engine:
            engine.load_all("pool_step.py")
            for name in ("one", "two"):
                number = engine.start("pool_step.py", {"content": "json"}, json.dumps({"name": name}))
                self.assertEqual(json.loads(engine.result(number).body), [7], "what its initializer has set")
                lines = {line["message"]: line.get("call") for line in engine.logs if line["message"].startswith(name)}
                self.assertEqual(
                    lines,
                    {
                        f"{name} in the default pool": number,
                        f"{name} in a pool of its own": number,
                        f"{name} in the logger": number,
                        f"{name} in a pool that knows no calls": None,
                    },
                )
            self.assertIsNone(engine.log_of("imports").get("call"))

    def test_half_a_line_of_a_call_that_is_over_is_not_kept_for_ever(self) -> None:
        text = step(
            """(req, ctx):
                asyncio.get_running_loop().call_later(0.02, lambda: print('a', 'b', end=''))
                return {'status': 200}
            """,
            API,
            "import asyncio\nprint('loading', end='')",
        )
        with Engine({"half_step.py": text}) as engine:
            engine.load_all("half_step.py")
            self.assertEqual(engine.logs[0]["message"], "loading")
            engine.json("half_step.py")
            self.assertEqual(engine.log_of("a b")["step"], "half_step.py")

    def test_log_level_filters_the_logger_and_not_the_console(self) -> None:
        text = step(
            "(req, ctx):\n    ctx.logger.debug('d')\n    ctx.logger.info('i')\n    print('c')\n    return {'status': 200}"
        )
        for level, seen in (("debug", ["d", "i", "c"]), ("WARN", ["c"]), ("warning", ["c"]), ("nonsense", ["i", "c"])):
            with Engine({"a_step.py": text}, env={"LOG_LEVEL": level}) as engine:
                engine.load_all("a_step.py")
                engine.json("a_step.py")
                self.assertEqual([line["message"] for line in engine.logs], seen)

    def test_logging_that_a_project_sets_up_is_its_own(self) -> None:
        text = step(
            "(req, ctx):\n    logging.getLogger('x').info('mine')\n    return {'status': 200}",
            API,
            "import logging\nlogging.basicConfig(level=logging.INFO, format='%(levelname)s|%(message)s')",
        )
        with Engine({"a_step.py": text}) as engine:
            engine.load_all("a_step.py")
            engine.json("a_step.py")
            self.assertEqual([(line["level"], line["message"]) for line in engine.logs], [("warn", "INFO|mine")])

    def test_what_a_handler_logs_before_it_loops_or_dies_is_not_lost(self) -> None:
        for end in ("while True: pass", "os.kill(os.getpid(), 9)"):
            text = step(f"(req, ctx):\n    ctx.logger.info('about to')\n    print('now')\n    {end}", API, "import os")
            with Engine({"last_step.py": text}) as engine:
                engine.load_all("last_step.py")
                engine.start("last_step.py")
                engine.log_of("about to")
                engine.log_of("now")

    def test_a_loop_that_prints_does_not_fill_the_memory(self) -> None:
        text = step(
            "(req, ctx):\n    for n in range(60_000):\n        print('x' * 500)\n    return {'status': 200, 'body': usage() - before}",
            API,
            "import resource\ndef usage():\n    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\nbefore = usage()",
        )
        with Engine({"prints_step.py": text}) as engine:
            engine.load_all("prints_step.py")
            read, engine._receive_later = engine._receive, []  # type: ignore[attr-defined]
            # Slower than the loop prints. (A sleep for each frame takes the machine seconds in all.)
            pause = lambda: time.sleep(0.0002) if len(engine.frames) % 10 == 0 else None
            engine._decoder._on_frame = lambda *parts: (pause(), read(type(engine.frames[0])(*parts)))
            grown = json.loads(engine.call("prints_step.py").body)
            self.assertEqual(sum(1 for line in engine.logs if line["source"] == "console"), 60_000)
            self.assertLess(grown, 16_000, "kilobytes; all of it is 30 MB")
