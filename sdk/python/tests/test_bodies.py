"""Long bodies: a sender wired to a receiver, as over a stream."""

from __future__ import annotations

import json
import unittest
from typing import Any

from motia._worker.bodies import Incoming, Outgoing
from motia._worker.frames import ABORT, ANSWER, CHUNK, DATA, MORE, OP, RESULT, WINDOW

MIB = 1024 * 1024


def pattern(size: int) -> bytes:
    return (bytes(range(251)) * (size // 251 + 1))[:size]


class Wire:
    def __init__(self) -> None:
        self.frames: list[tuple[int, int, int, bytes]] = []
        self.received: Any = None
        self.aborted: Any = None
        self.grants = 0
        self.outgoing = Outgoing(
            lambda kind, flags, number, meta, body: self.frames.append((kind, flags, number, bytes(body)))
        )
        self.incoming = Incoming(self._granted)

    def _granted(self, kind: int, flags: int, number: int, meta: bytes, body: bytes) -> None:
        self.grants += 1
        self.outgoing.granted(number, flags, json.loads(meta)["bytes"])

    def deliver(self) -> None:
        while self.frames:
            kind, flags, number, body = self.frames.pop(0)
            if kind == ABORT:
                self.aborted = self.incoming.abort(flags, number)
            elif kind != DATA:
                self.incoming.begin(kind, flags & ANSWER, number, {}, body)
            else:
                self.received = self.incoming.data(flags, number, body) or self.received


class Bodies(unittest.TestCase):
    def test_a_long_body_arrives_whole_and_it_is_said_when_it_is_out(self) -> None:
        wire = Wire()
        body = pattern(5 * MIB + 17)
        message = wire.outgoing.send(OP, 0, 7, b"", body)
        assert message is not None
        out: list[bool] = []
        message.released = lambda: out.append(True)
        wire.deliver()
        self.assertEqual((wire.received.kind, wire.received.body() == body, out), (OP, True, [True]))
        self.assertTrue(wire.outgoing.idle)
        self.assertLess(wire.grants, 25)

    def test_the_sender_stops_at_the_window(self) -> None:
        wire = Wire()
        wire.outgoing.send(OP, 0, 1, b"", pattern(3 * MIB))
        ahead = lambda: sum(len(frame[3]) for frame in wire.frames)
        self.assertEqual(ahead(), WINDOW)
        wire.outgoing.granted(1, 0, 10)
        self.assertEqual(ahead(), WINDOW + 10, "a grant smaller than a chunk is used too")
        self.assertTrue(all(flags & MORE and len(body) <= CHUNK for _, flags, _, body in wire.frames))

    def test_a_question_and_an_answer_with_the_same_number_are_two_messages(self) -> None:
        wire = Wire()
        wire.outgoing.send(OP, 0, 3, b"", pattern(2 * MIB))
        message = wire.outgoing.send(RESULT, ANSWER, 3, b"", pattern(2 * MIB))
        assert message is not None
        out: list[bool] = []
        message.released = lambda: out.append(True)
        wire.frames.clear()
        wire.outgoing.granted(3, ANSWER, WINDOW)
        self.assertEqual(out, [True])
        self.assertTrue(all(flags & ANSWER for _, flags, _, _ in wire.frames))
        self.assertFalse(wire.outgoing.idle, "the question still waits")

    def test_an_aborted_message_ends_on_both_sides(self) -> None:
        wire = Wire()
        message = wire.outgoing.send(OP, 0, 1, b"", pattern(2 * MIB))
        assert message is not None
        out: list[bool] = []
        message.released = lambda: out.append(True)
        wire.outgoing.abort(1, 0)
        self.assertEqual((out, wire.outgoing.idle, wire.frames[-1][0]), ([True], True, ABORT))
        wire.deliver()
        self.assertIsNone(wire.received)
        self.assertEqual(wire.aborted.kind, OP)

    def test_an_open_message_may_have_empty_frames_at_its_ends(self) -> None:
        wire = Wire()
        message = wire.outgoing.open(RESULT, ANSWER, 5, b"")
        self.assertTrue(message.put(memoryview(b"ab")) and message.put(memoryview(b"c")))
        wire.outgoing.close(message)
        self.assertEqual(
            wire.frames,
            [
                (RESULT, MORE, 5, b""),
                (DATA, ANSWER | MORE, 5, b"ab"),
                (DATA, ANSWER | MORE, 5, b"c"),
                (DATA, ANSWER, 5, b""),
            ],
        )
