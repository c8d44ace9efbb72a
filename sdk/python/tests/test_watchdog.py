"""When the watchdog says that the loop stands still, and when not."""

import threading
import time
import unittest
from unittest import mock

from motia._worker import watchdog


class Loop:
    """Answers at once, later, or never."""

    def __init__(self, answer):
        self.call_soon_threadsafe = answer


class WatchdogTest(unittest.TestCase):
    def said(self, answer, seconds=0.3):
        said = []
        with mock.patch.object(watchdog, "PAUSE", 0.005):
            dog = watchdog.Watchdog(Loop(answer), lambda level, text: said.append(text))
            dog.start()
            time.sleep(seconds)
            dog.paused = True
        return said

    def test_a_loop_that_answers_is_left_alone_however_quick_or_slow(self):
        self.assertEqual(self.said(lambda answer, question: answer(question)), [])
        self.assertEqual(self.said(lambda answer, question: threading.Timer(0.006, answer, [question]).start()), [])

    def test_one_that_does_not_is_named_once(self):
        said = self.said(lambda answer, question: None)
        self.assertEqual(len(said), 1)
        self.assertIn("has not turned for", said[0])


if __name__ == "__main__":
    unittest.main()
