"""Code that goes wrong outside of what a handler returns: whose it is, and that it ends nothing."""

from __future__ import annotations

import re
import time
import unittest

from motia._worker import frames

from .support.engine import API, Engine, step

OK = step("(req, ctx):\n    return {'status': 200}")
BEFORE = "import asyncio, gc, motia, os, sys, threading, time"


def handler(text: str) -> str:
    return step(text, API, BEFORE)


FILES = {
    "ok_step.py": OK,
    "task_step.py": handler(
        """(req, ctx):
            async def left():
                await asyncio.sleep(0.01)
                raise ValueError('left behind')
            asyncio.create_task(left())
            await asyncio.sleep(0.1)
            return {'status': 200}
        """
    ),
    "after_step.py": handler(
        """(req, ctx):
            async def left():
                await asyncio.sleep(0.05)
                raise ValueError('too late')
            asyncio.create_task(left())
            return {'status': 200}
        """
    ),
    "callback_step.py": handler(
        """(req, ctx):
            asyncio.get_running_loop().call_later(0.01, lambda: 1 / 0)
            await asyncio.sleep(0.1)
            return {'status': 200}
        """
    ),
    "thread_step.py": handler(
        """(req, ctx):
            def work():
                print('working')
                raise ValueError('in a thread')
            thread = threading.Thread(target=work, name='worker-1')
            thread.start()
            thread.join()
            return {'status': 200}
        """
    ),
    "del_step.py": handler(
        """(req, ctx):
            class Thing:
                def __del__(self):
                    raise ValueError('in del')
            Thing()
            gc.collect()
            return {'status': 200}
        """
    ),
    "fork_step.py": handler(
        """(req, ctx):
            sys.stdout.flush()
            pid = os.fork()
            if pid == 0:
                print('in the child', flush=True)
                try:
                    ctx.emit('t')
                except motia.OperationError as error:
                    print(error.code, flush=True)
                ctx.logger.info('not in the stream')
                os._exit(0)
            os.waitpid(pid, 0)
            return {'status': 200}
        """
    ),
}


class Blame(unittest.TestCase):
    engine: Engine

    @classmethod
    def setUpClass(cls) -> None:
        cls.engine = Engine(FILES)
        cls.engine.load_all(*FILES)

    @classmethod
    def tearDownClass(cls) -> None:
        cls.engine.close()

    def test_a_task_that_fails_with_nobody_awaiting_it_is_logged_against_its_call(self) -> None:
        number = self.engine.start("task_step.py")
        line = self.engine.log_of("a task that nobody awaits failed: left behind")
        self.assertEqual([line["level"], line["source"], line["call"]], ["error", "worker", number])
        self.assertIn("task_step.py", line["details"]["error"]["stack"])
        self.assertEqual(self.engine.result(number).meta["status"], 200)

    def test_also_after_the_result(self) -> None:
        self.engine.json("after_step.py")
        line = self.engine.log_of("a task that nobody awaits failed: too late")
        self.assertEqual([line.get("call"), line["trace"], line["step"]], [None, "AUSDA-1060748", "after_step.py"])

    def test_callbacks_threads_and_destructors(self) -> None:
        for source, message in (
            ("callback_step.py", "a callback failed: division by zero"),
            ("thread_step.py", "worker-1 failed: in a thread"),
            ("del_step.py", "in del"),
        ):
            number = self.engine.start(source)
            line = self.engine.log(lambda meta, end=message: meta["message"].endswith(end))
            self.assertEqual([line["level"], line["source"], line["call"]], ["error", "worker", number], source)
            self.assertIn(source, line["details"]["error"]["stack"])
            self.assertEqual(self.engine.result(number).meta["status"], 200)
        self.assertIn("call", self.engine.log_of("working"))

    def test_a_forked_child_writes_nothing_into_the_stream(self) -> None:
        self.assertEqual(self.engine.json("fork_step.py")["status"], 200)
        self.assertEqual(self.engine.stdout, "in the child\nforked\n")
        self.assertIn("not in the stream", self.engine.stderr)
        self.assertEqual(self.engine.json("ok_step.py")["status"], 200)
        self.assertEqual([line for line in self.engine.logs if "child" in line["message"]], [])

    def test_nothing_of_this_retires_the_worker(self) -> None:
        self.assertEqual([f for f in self.engine.frames if f.kind == frames.RETIRE], [])
        self.assertEqual(self.engine.json("ok_step.py")["status"], 200)


class Exits(unittest.TestCase):
    def test_an_exit_fails_its_call_and_takes_the_worker_out_of_service(self) -> None:
        files = {
            "ok_step.py": OK,
            "exit_step.py": handler("(req, ctx):\n    ctx.logger.info('last words')\n    sys.exit(7)"),
            "raise_step.py": handler("(req, ctx):\n    await asyncio.sleep(0)\n    raise SystemExit"),
            "sync_step.py": handler("def handler(req, ctx):\n    sys.exit('bye')"),
            "interrupt_step.py": handler("(req, ctx):\n    raise KeyboardInterrupt"),
            "task_step.py": handler(
                """(req, ctx):
                    async def left():
                        await asyncio.sleep(0.01)
                        sys.exit(8)
                    asyncio.create_task(left())
                    await asyncio.sleep(60)
                """
            ),
            "callback_step.py": handler(
                "(req, ctx):\n    asyncio.get_running_loop().call_later(0.01, sys.exit, 9)\n    await asyncio.sleep(60)"
            ),
            "thread_step.py": handler(
                "(req, ctx):\n    threading.Thread(target=sys.exit, args=(10,)).start()\n    await asyncio.sleep(60)"
            ),
        }
        for source, message in (
            ("exit_step.py", "sys.exit(7) was called"),
            ("raise_step.py", "sys.exit() was called"),
            ("sync_step.py", "sys.exit('bye') was called"),
            ("interrupt_step.py", "KeyboardInterrupt was raised"),
            ("task_step.py", "sys.exit(8) was called"),
            ("callback_step.py", "sys.exit(9) was called"),
            ("thread_step.py", "sys.exit(10) was called"),
        ):
            with self.subTest(source), Engine(files) as engine:
                engine.load_all(*files)
                number = engine.start(source)
                self.assertEqual(engine.result(number).meta["error"]["message"], message)
                reason = engine.frame(lambda f: f.kind == frames.RETIRE).meta["reason"]
                self.assertEqual(reason, f"{re.sub('[(].*[)]', '', message)} in {source}")
                line = engine.log_of(f"{message} in {source}")
                self.assertEqual([line["level"], line["call"]], ["error", number])
                self.assertEqual(engine.json("ok_step.py")["status"], 200, "it finishes what it gets")

    def test_an_exit_while_a_file_is_imported_refuses_that_file_alone(self) -> None:
        with Engine({"ok_step.py": OK, "exit_step.py": f"import sys\nsys.exit(1)\n{OK}"}) as engine:
            loaded = engine.load("exit_step.py", "ok_step.py")
            refused = loaded["exit_step.py"]["refused"]
            self.assertEqual(
                refused["message"], "sys.exit(1) was called while the file was imported (exit_step.py, line 2)"
            )
            self.assertIn('exit_step.py", line 2', refused["stack"])
            self.assertTrue(loaded["ok_step.py"]["handler"])
            self.assertEqual([f for f in engine.frames if f.kind == frames.RETIRE], [])


class Watchdog(unittest.TestCase):
    def test_a_loop_that_does_not_turn_is_said_once_with_the_line(self) -> None:
        files = {
            "ok_step.py": OK,
            "blocks_step.py": handler("(req, ctx):\n    nap()\n    return {'status': 200}")
            + "\ndef nap():\n    time.sleep(3.2)\n",
        }
        with Engine(files) as engine:
            engine.load_all(*files)
            engine.json("blocks_step.py")
            time.sleep(0.2)
            lines = [line for line in engine.logs if "event loop" in line["message"]]
            self.assertEqual(len(lines), 1)
            self.assertRegex(lines[0]["message"], r"has not turned for 2 s.*blocks_step\.py:\d+ in nap")
            self.assertEqual([lines[0]["level"], lines[0]["source"]], ["error", "worker"])

    def test_a_slow_import_is_no_handler_that_blocks(self) -> None:
        with Engine({"slow_step.py": f"import time\ntime.sleep(2.7)\n{OK}"}) as engine:
            engine.load_all("slow_step.py")
            self.assertEqual(engine.json("slow_step.py")["status"], 200)
            self.assertEqual([line["message"] for line in engine.logs if "handler" in line["message"]], [])

    def test_plain_handlers_do_not_stop_the_loop(self) -> None:
        files = {
            "ok_step.py": OK,
            "computes_step.py": handler(
                "def handler(req, ctx):\n    end = time.time() + 0.5\n    while time.time() < end: pass\n    return {'status': 200}"
            ),
        }
        with Engine(files) as engine:
            engine.load_all(*files)
            busy = [engine.start("computes_step.py") for _ in range(2)]
            self.assertEqual(engine.json("ok_step.py")["status"], 200)
            self.assertEqual(engine.answer_of(busy[0]), [])
            self.assertEqual([engine.result(number).meta["status"] for number in busy], [200, 200])
