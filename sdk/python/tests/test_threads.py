"""Plain `def` handlers: each has a thread of its own, however many there are and whatever they wait for."""

from __future__ import annotations

import asyncio
import threading
import unittest
from contextvars import copy_context
from typing import Any, Callable
from unittest import mock

from motia._worker import frames, threads
from motia._worker.threads import HandlerThread, HandlerThreads

from .support.engine import API, Engine, step

MOST_OF_A_POOL = 100


def alive() -> int:
    return sum(isinstance(thread, HandlerThread) for thread in threading.enumerate())


class Threads(unittest.TestCase):
    def setUp(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.addCleanup(self.loop.close)
        self.log = mock.Mock()
        self.threads = HandlerThreads(self.loop, self.log)
        self.addCleanup(self.end_all)

    def end_all(self) -> None:
        if self.threads.timer is not None:
            self.threads.timer.cancel()
        for _ in range(alive()):
            self.threads._jobs.put(None)
        self.until(lambda: alive() == 0)

    def until(self, true: Callable[[], bool]) -> None:
        """Lets the loop turn meanwhile."""
        for _ in range(1000):
            if true():
                return
            self.loop.run_until_complete(asyncio.sleep(0.01))
        self.fail(f"{alive()} threads")

    def start(self, function: Any, *arguments: Any) -> asyncio.Task[Any]:
        return self.loop.create_task(self.threads.run(copy_context(), function, arguments))

    def results(self, *tasks: asyncio.Task[Any]) -> list[Any]:
        return self.loop.run_until_complete(asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 20))

    def test_as_many_run_as_are_called_and_are_used_again(self) -> None:
        together = threading.Barrier(150)

        def meet() -> int:
            together.wait(10)
            return threading.get_ident()

        first = self.results(*[self.start(meet) for _ in range(150)])
        self.assertEqual(len(set(first)), 150)
        self.assertFalse(self.threads.busy)
        self.assertLessEqual(set(self.results(*[self.start(meet) for _ in range(150)])), set(first))

    def test_those_that_were_spare_for_a_while_end(self) -> None:
        together, go = threading.Barrier(20), threading.Event()
        with mock.patch.object(threads, "PATIENCE", 0.05):
            self.results(*[self.start(together.wait, 10) for _ in range(20)])
            self.assertEqual(alive(), 20)
            busy = self.start(go.wait, 10)
            self.until(lambda: alive() == 1)
            self.assertTrue(self.threads.busy)
            go.set()
            self.assertEqual(self.results(busy), [True])
            self.until(lambda: alive() == 0)
            self.assertEqual((self.threads.busy, self.threads.timer), (False, None))
            self.assertEqual(self.results(self.start(int, "7")), [7])

    def test_the_loop_turns_while_very_many_start(self) -> None:
        go = threading.Event()
        self.addCleanup(go.set)
        tasks = [self.start(go.wait, 10) for _ in range(100)]

        async def count() -> list[int]:
            counts = [alive()]
            while counts[-1] < 100:
                await asyncio.sleep(0)
                counts.append(alive())
            return counts

        (counts,) = self.results(self.loop.create_task(count()))
        most = max(after - before for before, after in zip(counts, counts[1:]))
        self.assertEqual(most, threads.STARTED_IN_A_TURN)
        go.set()
        self.assertEqual(self.results(*tasks), [True] * 100)

    def test_where_the_system_gives_no_more_the_next_one_waits_and_that_is_said_once(self) -> None:
        go = threading.Event()
        running = self.start(go.wait, 10)
        self.results(self.loop.create_task(asyncio.sleep(0.01)))
        with mock.patch.object(threading.Thread, "start", side_effect=RuntimeError("can't start new thread")):
            waiting = [self.start(int, str(n)) for n in range(3)]
            self.results(self.loop.create_task(asyncio.sleep(0.05)))
            self.assertEqual([task.done() for task in waiting], [False] * 3)
            go.set()
            self.assertEqual(self.results(running, *waiting), [True, 0, 1, 2])
        self.log.send.assert_called_once()
        level, text = self.log.send.call_args.args
        self.assertEqual(level, "warn")
        self.assertRegex(text, r"refuses .* more than 1 threads .*can't start new thread.*ulimit -u")
        together = threading.Barrier(2)
        self.assertEqual(len(self.results(*[self.start(together.wait, 10) for _ in range(2)])), 2, "it has recovered")

    def test_where_it_gives_none_at_all_the_call_fails(self) -> None:
        with mock.patch.object(threading.Thread, "start", side_effect=RuntimeError("can't start new thread")):
            (error,) = self.results(self.start(int))
        self.assertEqual(str(error), "can't start new thread")
        self.assertEqual(self.results(self.start(int)), [0])


WAITS = """
import threading
together = threading.Barrier(150)
def meet():
    together.wait(10)
"""

FILES = {
    "plain_step.py": step("def handler(req, ctx):\n    return {'status': 200, 'body': 'plain'}"),
    "layered_step.py": step(
        "def handler(req, ctx):\n    return {'status': 200, 'body': 'through'}",
        '"type": "api", "name": "L", "middleware": [wait]',
        f"{WAITS}\ndef wait(req, ctx, next_fn):\n    meet()\n    return next_fn().result()",
    ),
    "stream_step.py": step(
        """def handler(req, ctx):
            def body():
                yield 'first'
                go.wait(20)
                yield 'last'
            return {'status': 200, 'headers': {'content-type': 'text/plain'}, 'body': body()}
        """,
        API,
        "import threading\ngo = threading.Event()",
    ),
    "go_step.py": step("(req, ctx):\n    stream_step.go.set()\n    return {'status': 200}", API, "import stream_step"),
    "event_step.py": step(
        "def handler(input, ctx):\n    meet()",
        '"type": "event", "name": "E", "subscribes": ["x"], "emits": []',
        WAITS,
    ),
    "deep_step.py": step(
        """def handler(req, ctx):
            def deeper():
                return sorted([1, 2], key=lambda _: deeper())
            deeper()
        """
    ),
    "starts_step.py": step(
        """def handler(req, ctx):
            def later():
                time.sleep(0.3)
                ctx.logger.info('later')
            thread = threading.Thread(target=later)
            thread.start()
            return {'status': 200, 'body': [thread.daemon, getattr(threading.current_thread(), '_motia_call', None)]}
        """,
        API,
        "import threading, time",
    ),
    "impatient_step.py": step(
        "def handler(req, ctx):\n    time.sleep(0.3)\n    ctx.logger.info('finished all the same')",
        '"type": "api", "name": "I", "middleware": [hurry]',
        """
        import asyncio, time
        async def hurry(req, ctx, next_fn):
            try:
                return await asyncio.wait_for(next_fn(), 0.05)
            except asyncio.TimeoutError:
                return {'status': 504}
        """,
    ),
    "forks_step.py": step(
        """def handler(req, ctx):
            codes = []
            for target, arguments in ((int, ()), (sys.exit, (7,)), (leave, (8,))):
                child = multiprocessing.get_context('fork').Process(target=target, args=arguments)
                child.start()
                child.join(10)
                codes.append(child.exitcode)
            return {'status': 200, 'body': codes}
        """,
        API,
        "import multiprocessing, sys\ndef leave(code):\n    sys.exit(code)",
    ),
}


class Handlers(unittest.TestCase):
    engine: Engine

    @classmethod
    def setUpClass(cls) -> None:
        cls.engine = Engine(FILES)
        cls.engine.load_all(*FILES)

    @classmethod
    def tearDownClass(cls) -> None:
        cls.engine.close()

    def test_middleware_that_waits_for_handlers_does_not_take_their_threads(self) -> None:
        numbers = [self.engine.start("layered_step.py") for _ in range(150)]
        self.assertEqual({self.engine.result(number).body for number in numbers}, {b"through"})
        self.assertEqual(self.engine.call("plain_step.py").body, b"plain")

    def test_streams_and_events_that_wait_hold_up_nobody(self) -> None:
        streams = [self.engine.start("stream_step.py") for _ in range(MOST_OF_A_POOL + 10)]
        for number in streams:
            self.engine.frame(lambda f, number=number: f.kind == frames.DATA and f.id == number)
        events = [self.engine.start("event_step.py", {"kind": "event", "topic": "x"}) for _ in range(150)]
        self.assertEqual([self.engine.result(number).meta for number in events], [{}] * 150)
        self.assertEqual(self.engine.call("plain_step.py").body, b"plain")
        self.engine.call("go_step.py")
        for number in streams:
            self.engine.frame(lambda f, number=number: f.id == number and f.body == b"last")

    def test_a_recursion_without_end_is_an_error_and_no_crash(self) -> None:
        self.assertEqual(self.engine.call("deep_step.py").meta["error"]["name"], "RecursionError")

    def test_processes_that_are_forked_from_one_say_how_they_ended(self) -> None:
        self.assertEqual(self.engine.json("forks_step.py")["body"], [0, 7, 8])

    def test_threads_that_a_handler_starts_are_no_daemons_and_those_of_handlers_belong_to_no_call(self) -> None:
        self.assertEqual(self.engine.json("starts_step.py")["body"], [False, None])

    def test_stop_waits_for_what_runs_in_threads_and_not_for_threads_that_are_idle(self) -> None:
        files = {name: FILES[name] for name in ("plain_step.py", "starts_step.py", "impatient_step.py")}
        for source, message in (
            ("plain_step.py", None),
            ("starts_step.py", "later"),
            ("impatient_step.py", "finished all the same"),
        ):
            with Engine(files) as engine:
                engine.load_all(*files)
                engine.call(source)
                engine.send(frames.STOP)
                self.assertEqual(engine.exit(), 0)
                engine._reader.join()
                self.assertEqual([line["message"] for line in engine.logs], [message] if message else [])
