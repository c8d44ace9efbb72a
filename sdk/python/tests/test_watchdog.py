"""When the watchdog says that the loop stands still, and when not."""

import selectors
import socket
import sys
import threading
import time
import unittest
from unittest import mock

from motia._worker import watchdog

LONG = 5 * watchdog.PATIENCE


class Loop:
    def __init__(self, ask):
        self.call_soon_threadsafe = ask


class WatchdogTest(unittest.TestCase):
    def said(self, answers, importing=(False,) * LONG):
        """What is said of a loop that answers "at once", "late" (when it has been found silent) or "never". `importing`
        says whether a file is imported at each look at it. Nothing depends on how long that takes."""
        said, unanswered, done = [], [], threading.Event()
        looks = iter(importing)

        def look():
            is_importing = next(looks, None)
            if is_importing is None:
                done.set()
                return True
            if answers == "late":
                unanswered.pop()()
            return is_importing

        def ask(answer, question):
            if answers == "at once":
                answer(question)
                look()
            else:
                unanswered.append(lambda: answer(question))

        with mock.patch.object(watchdog, "PAUSE", 0.001):
            watchdog.Watchdog(Loop(ask), lambda *what: said.append(what), look).start()
            self.assertTrue(done.wait(10))
        return said

    def test_a_loop_that_answers_is_left_alone_however_quick_or_slow(self):
        self.assertEqual(self.said("at once"), [])
        self.assertEqual(self.said("late"), [])

    def test_one_that_does_not_is_named_once(self):
        said = self.said("never")
        self.assertEqual(len(said), 1)
        level, text = said[0]
        self.assertEqual(level, "error")
        self.assertRegex(text, r"has not turned for .*test_watchdog\.py:\d+ in said\. Await what waits")

    def test_nothing_is_said_while_a_file_is_imported(self):
        self.assertEqual(self.said("never", [True] * LONG), [])

    def test_after_an_import_the_loop_has_all_its_time_again(self):
        before = [False] * (watchdog.PATIENCE - 1)
        self.assertEqual(self.said("never", [*before, True, *before]), [])
        self.assertEqual(len(self.said("never", [*before, True, *before, False])), 1)

    def test_no_handler_is_blamed_for_a_loop_that_waits_for_events(self):
        reads, writes = socket.socketpair()
        selector = selectors.DefaultSelector()
        selector.register(reads, selectors.EVENT_READ)
        dog = watchdog.Watchdog(Loop(None), lambda level, text: None, lambda: False)
        made = []
        waits = threading.Thread(target=lambda: (made.append(threading.get_ident()), selector.select()))
        with reads, writes, selector, mock.patch.object(watchdog, "is_ours", in_threading_or_here):
            waits.start()
            while not made or innermost(made[0]) != "select":
                time.sleep(0.001)
            dog._thread = made[0]
            level, text = dog._complaint()
            writes.send(b"x")
            waits.join()
        self.assertEqual(level, "warn")
        self.assertIn("no code of the project holds it", text)
        self.assertNotIn("handler", text)


def in_threading_or_here(filename):
    """What stands for the worker's own code."""
    return filename in (__file__, threading.__file__)


def innermost(thread):
    return sys._current_frames()[thread].f_code.co_name


if __name__ == "__main__":
    unittest.main()
