"""The worker as a process: start, stop, exit, what it inherits and passes on."""

from __future__ import annotations

import os
import platform
import signal
import subprocess
import sys
import time
import unittest
from importlib.util import find_spec

from motia._worker import frames
from motia._worker.frames import ANSWER

from .support.engine import API, HOLD, SDK, Engine, step

SLOW = step("(req, ctx):\n    await asyncio.sleep(0.2)\n    return {'status': 200}", API, "import asyncio")


class Process(unittest.TestCase):
    def test_it_says_hello_and_waits(self) -> None:
        with Engine() as engine:
            meta = engine.frame(lambda f: f.kind == frames.HELLO).meta
            runtime = platform.python_version()
            self.assertEqual(meta, {"protocol": 1, "language": "python", "runtime": runtime, "pid": engine.child.pid})

    def test_it_answers_pings_with_its_memory(self) -> None:
        with Engine() as engine:
            engine.send(frames.PING, 0, 99)
            pong = engine.frame(lambda f: f.kind == frames.PONG)
            self.assertEqual(pong.id, 99)
            self.assertTrue(5_000_000 < pong.meta["memory"] < 500_000_000)

    def test_a_pong_leaves_before_what_is_behind_its_ping(self) -> None:
        with Engine({"loops_step.py": step("(req, ctx):\n    while True: pass")}) as engine:
            engine.load_all("loops_step.py")
            meta = {"step": "loops_step.py", "kind": "api", "trace": "T"}
            engine.raw(frames.encode_frame(frames.PING, 0, 5) + frames.encode_frame(frames.CALL, 0, 1, meta))
            engine.frame(lambda f: f.kind == frames.PONG and f.id == 5)

    def test_stop_waits_for_the_calls_that_run(self) -> None:
        sync = step("def handler(req, ctx):\n    time.sleep(0.3)\n    return {'status': 201}", API, "import time")
        with Engine({"slow_step.py": SLOW, "sync_step.py": sync}) as engine:
            engine.load_all("slow_step.py", "sync_step.py")
            numbers = [engine.start("slow_step.py"), engine.start("sync_step.py")]
            engine.send(frames.STOP)
            self.assertEqual([engine.result(number).meta["status"] for number in numbers], [200, 201])
            self.assertEqual(engine.exit(), 0)
            self.assertEqual((engine.logs, engine.stderr), ([], ""))

    def test_stop_waits_for_what_a_call_left_behind(self) -> None:
        late = step(
            """(req, ctx):
                async def later():
                    await asyncio.sleep(0.15)
                    await ctx.emit({'topic': 'late', 'data': 1})
                    await ctx.emit({'topic': 'later', 'data': 2})
                asyncio.create_task(later())
                threading.Timer(0.1, lambda: ctx.emit('from a thread', 1).result()).start()
                return {'status': 200}
            """,
            API,
            "import asyncio, threading",
        )
        with Engine({"late_step.py": late}) as engine:
            engine.load_all("late_step.py")
            held: list[int] = []
            engine.on_op = lambda op: (held.append(op["number"]), HOLD)[1] if op["topic"] == "later" else None
            number = engine.start("late_step.py")
            engine.send(frames.STOP)
            engine.result(number)
            for topic in ("from a thread", "late", "later"):
                op = engine.frame(lambda f, topic=topic: f.kind == frames.OP and f.meta["topic"] == topic)
                self.assertEqual(op.meta["step"], "late_step.py")
            time.sleep(0.1)
            self.assertIsNone(engine.child.poll(), "an operation is not answered")
            engine.reply(held[0])
            self.assertEqual(engine.exit(), 0)

    def test_threads_of_pools_that_are_idle_do_not_hold_it_up(self) -> None:
        text = step(
            "(req, ctx):\n    await asyncio.get_running_loop().run_in_executor(None, print, 'x')\n    return {'status': 200}",
            API,
            "import asyncio",
        )
        with Engine({"a_step.py": text, "b_step.py": step("def handler(req):\n    return {'status': 200}")}) as engine:
            engine.load_all("a_step.py", "b_step.py")
            self.assertEqual([engine.json(name)["status"] for name in ("a_step.py", "b_step.py")], [200, 200])
            engine.send(frames.STOP)
            self.assertEqual(engine.exit(), 0)

    def test_stop_waits_until_a_long_result_is_out(self) -> None:
        with Engine(
            {"long_step.py": step("(req, ctx):\n    return {'status': 200, 'body': 'x' * 3_000_000}")}
        ) as engine:
            engine.load_all("long_step.py")
            number = engine.start("long_step.py")
            engine.send(frames.STOP)
            engine.result(number)
            time.sleep(0.1)
            self.assertIsNone(engine.child.poll())
            engine.send(frames.WINDOW_FRAME, ANSWER, number, {"bytes": 4_000_000})
            self.assertEqual(engine.exit(), 0)
            engine._reader.join()
            self.assertEqual(sum(len(f.body) for f in engine.answer_of(number)), 3_000_000)

    def test_stop_waits_until_everything_is_written(self) -> None:
        files = {"large_step.py": step("(req, ctx):\n    return {'status': 200, 'body': 'x' * 260_000}")}
        with Engine(files) as engine:
            engine.load_all(*files)
            engine.reading.clear()
            # What the reader waits for already is the one frame that it still takes.
            engine.send(frames.PING, 0, 1)
            engine.frame(lambda f: f.kind == frames.PONG)
            numbers = [engine.start("large_step.py") for _ in range(2)]
            engine.send(frames.STOP)
            time.sleep(0.2)
            self.assertIsNone(engine.child.poll())
            engine.reading.set()
            self.assertEqual([len(engine.result(number).body) for number in numbers], [260_000] * 2)
            self.assertEqual(engine.exit(), 0)

    @unittest.skipIf(find_spec("uvloop"), "uvloop does not show its timers")
    def test_stop_waits_for_a_timer(self) -> None:
        text = step(
            """(req, ctx):
                asyncio.get_running_loop().call_later(0.2, lambda: print('from a timer'))
                return {'status': 200}
            """,
            API,
            "import asyncio",
        )
        with Engine({"timer_step.py": text}) as engine:
            engine.load_all("timer_step.py")
            engine.json("timer_step.py")
            engine.send(frames.STOP)
            engine.log_of("from a timer")
            self.assertEqual(engine.exit(), 0)

    def test_the_end_of_the_stream_ends_it_even_in_the_middle_of_calls(self) -> None:
        files = {
            "forever_step.py": step("(req, ctx):\n    await asyncio.sleep(1000)", API, "import asyncio"),
            "thread_step.py": step(
                "def handler(req, ctx):\n    ctx.logger.info('in')\n    time.sleep(1000)", API, "import time"
            ),
        }
        with Engine(files) as engine:
            engine.load_all(*files)
            for source in files:
                engine.start(source)
            engine.log_of("in")
            engine.socket.shutdown(1)
            self.assertEqual((engine.exit(), engine.stderr), (0, ""))

    def test_a_broken_frame_ends_it_with_a_reason(self) -> None:
        with Engine() as engine:
            engine.frame(lambda f: f.kind == frames.HELLO)
            engine.raw(b"\xff" * 20)
            self.assertEqual(engine.exit(), 1)
            self.assertIn("the connection to the engine broke: a frame of 4294967295 bytes", engine.stderr)

    def test_signals_are_the_engines_business(self) -> None:
        with Engine() as engine:
            engine.frame(lambda f: f.kind == frames.HELLO)
            engine.child.send_signal(signal.SIGINT)
            engine.child.send_signal(signal.SIGTERM)
            engine.send(frames.PING, 0, 1)
            engine.frame(lambda f: f.kind == frames.PONG)

    @unittest.skipUnless(sys.platform == "linux", "looks into /proc")
    def test_processes_of_user_code_inherit_neither_the_variable_nor_the_stream(self) -> None:
        text = step(
            """(req, ctx):
                open_ = subprocess.run(['ls', '-l', '/proc/self/fd'], capture_output=True, text=True, close_fds=False).stdout
                sockets = [os.readlink(f'/proc/self/fd/{fd}') for fd in os.listdir('/proc/self/fd') if os.path.exists(f'/proc/self/fd/{fd}') or True and os.path.islink(f'/proc/self/fd/{fd}')]
                ours = [name for name in sockets if name.startswith('socket:')]
                return {'status': 200, 'body': [open_, ours, os.environ.get('MOTIA_FD')]}
            """,
            API,
            "import os, subprocess",
        )
        with Engine({"spawn_step.py": text}) as engine:
            engine.load_all("spawn_step.py")
            opened, ours, variable = engine.json("spawn_step.py")["body"]
            self.assertTrue(ours)
            self.assertEqual([name for name in ours if name in opened], [])
            self.assertIsNone(variable)

    def test_a_crash_says_where(self) -> None:
        text = step("(req, ctx):\n    ctypes.string_at(0)", API, "import ctypes")
        with Engine({"crash_step.py": text}) as engine:
            engine.load_all("crash_step.py")
            engine.start("crash_step.py")
            self.assertEqual(engine.exit(), -signal.SIGSEGV)
            self.assertRegex(engine.stderr, r'crash_step\.py", line \d+ in handler')

    def test_processes_that_user_code_makes_of_python_work(self) -> None:
        text = step(
            """(req, ctx):
                with concurrent.futures.ProcessPoolExecutor(1, multiprocessing.get_context(req.body.how)) as pool:
                    square = await asyncio.get_running_loop().run_in_executor(pool, pow, 3, 2)
                return {'status': 200, 'body': square}
            """,
            API,
            "import asyncio, concurrent.futures, multiprocessing",
        )
        with Engine({"pool_step.py": text}) as engine:
            engine.load_all("pool_step.py")
            for how in ("fork", "spawn"):
                self.assertEqual(engine.json("pool_step.py", {"how": how})["body"], 9, how)
            self.assertEqual(engine.stderr, "")

    def test_processes_may_run_functions_of_the_steps_file(self) -> None:
        text = step(
            """def handler(req, ctx):
                how = multiprocessing.get_context(req.body.how)
                codes = []
                for target in (sys.exit, leave):
                    child = how.Process(target=target, args=(7,))
                    child.start()
                    child.join(20)
                    codes.append(child.exitcode)
                with concurrent.futures.ProcessPoolExecutor(1, how) as pool:
                    thing = pool.submit(Thing, 3).result(20)
                    double = pool.submit(work.double, 3).result(20)
                return {'status': 200, 'body': [codes, type(thing) is Thing, thing.n, double]}
            """,
            API,
            """
            import concurrent.futures, multiprocessing, sys
            from services import work
            class Thing:
                def __init__(self, n):
                    self.n = n
            def leave(code):
                sys.exit(code)
            """,
        )
        work = "from ..services.numbers import TWO\ndef double(n):\n    return n * TWO\n"
        steps = dict.fromkeys(("steps/a_step.py", "steps/v1.2/b-c.step.py", "d_step.py"), text)
        files = {**steps, "services/work.py": work, "services/numbers.py": "TWO = 2\n"}
        with Engine(files) as engine:
            engine.load_all(*steps)
            for source in steps:
                for how in ("fork", "spawn", "forkserver"):
                    body = engine.json(source, {"how": how})["body"]
                    self.assertEqual(body, [[7, 7], True, 3, 6], (source, how))
            self.assertEqual(engine.stderr, "")

    def test_processes_of_user_code_can_be_terminated(self) -> None:
        text = step(
            """(req, ctx):
                child = await asyncio.create_subprocess_exec('sleep', '60')
                child.terminate()
                forked = multiprocessing.get_context('fork').Process(target=time.sleep, args=(60,))
                forked.start()
                forked.terminate()
                forked.join(5)
                return {'status': 200, 'body': [await asyncio.wait_for(child.wait(), 5), forked.exitcode]}
            """,
            API,
            "import asyncio, multiprocessing, time",
        )
        with Engine({"sleeps_step.py": text}) as engine:
            engine.load_all("sleeps_step.py")
            self.assertEqual(engine.json("sleeps_step.py")["body"], [-signal.SIGTERM, -signal.SIGTERM])

    def test_inspect_without_debugpy_says_what_to_install(self) -> None:
        with Engine({"debugpy.py": "raise ImportError('not here')\n"}, env={"PYTHONPATH": "."}) as engine:
            engine.send(frames.INSPECT, meta={"port": 1234})
            line = engine.log(lambda meta: "debugger" in meta["message"])
            self.assertIn("pip install debugpy", line["message"])
            self.assertEqual([line["level"], line["source"]], ["error", "worker"])

    def test_inspect_waits_for_a_port_that_is_taken(self) -> None:
        import socket

        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            debugpy = "import socket\ndef listen(address):\n    global s\n    s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); s.bind(address); print('listening')\n"
            with Engine({"debugpy.py": debugpy}, env={"PYTHONPATH": "."}) as engine:
                engine.send(frames.INSPECT, meta={"port": port})
                line = engine.log(lambda meta: "debugger" in meta["message"])
                self.assertIn(f"port {port} is taken", line["message"])
                taken.close()
                engine.log_of("listening")


class WithoutAnEngine(unittest.TestCase):
    def test_it_refuses_to_run_by_hand(self) -> None:
        for fd in (None, "", "x", "2", "999"):
            environ = {key: value for key, value in os.environ.items() if key != "MOTIA_FD"}
            if fd is not None:
                environ["MOTIA_FD"] = fd
            run = subprocess.run([sys.executable, str(SDK)], env=environ, capture_output=True, text=True)
            self.assertEqual(run.returncode, 2)
            self.assertEqual(run.stderr, "This is the Python worker of Motia. The motia command starts it.\n")

    def test_importing_the_package_changes_nothing(self) -> None:
        text = (
            "import sys, threading, logging, warnings\n"
            "before = (sys.stdout, sys.stderr, sys.excepthook, sys.unraisablehook, threading.excepthook, threading.Thread.start,"
            " logging.lastResort, warnings.showwarning, list(sys.meta_path), list(sys.path))\n"
            "import motia\nfrom motia import logger, Context, Request\nfrom motia.config_types import ApiRouteConfig\n"
            "after = (sys.stdout, sys.stderr, sys.excepthook, sys.unraisablehook, threading.excepthook, threading.Thread.start,"
            " logging.lastResort, warnings.showwarning, list(sys.meta_path), list(sys.path))\n"
            "assert before == after and threading.active_count() == 1\n"
        )
        run = subprocess.run([sys.executable, "-c", text], cwd=SDK, capture_output=True, text=True)
        self.assertEqual((run.returncode, run.stderr), (0, ""))


class Orphan(unittest.TestCase):
    def test_a_busy_process_ends_with_its_parent(self) -> None:
        busy = "from motia._worker.orphan import die_with_parent; die_with_parent(); print(__import__('os').getpid(), flush=True)\nwhile True: pass"
        parent_text = (
            f"import subprocess, sys, time\nsubprocess.Popen([sys.executable, '-c', {busy!r}])\ntime.sleep(60)"
        )
        parent = subprocess.Popen([sys.executable, "-c", parent_text], cwd=SDK, stdout=subprocess.PIPE, text=True)
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        parent.kill()
        parent.wait()
        parent.stdout.close()
        for _ in range(100):
            if not alive(pid):
                return
            time.sleep(0.05)
        os.kill(pid, signal.SIGKILL)
        self.fail("it still runs")


def alive(pid: int) -> bool:
    """One that nobody has waited for is dead too."""
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True).stdout
    return bool(state.strip()) and not state.startswith("Z")
