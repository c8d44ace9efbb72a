"""The codec against the golden vectors that the engine and every SDK are tested with."""

from __future__ import annotations

import json
import random
import unittest
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Optional

from motia._worker import frames
from motia._worker.bodies import Outgoing
from motia._worker.frames import Decoder, ProtocolError, encode_frame, meta_bytes

VECTORS = json.loads((Path(__file__).parents[2] / "protocol" / "frames.json").read_text())


def hex_of(text: str, then: Optional[dict[str, Any]]) -> bytes:
    return bytes.fromhex(text) + (bytes.fromhex(then["byte"]) * then["times"] if then else b"")


def decode(chunks: Iterable[bytes]) -> list[tuple[int, int, int, dict[str, Any], bytes]]:
    decoded: list[Any] = []
    decoder = Decoder(lambda *frame: decoded.append(frame))
    for chunk in chunks:
        decoder.push(chunk)
    return decoded


class Golden(unittest.TestCase):
    def test_valid(self) -> None:
        self.assertGreater(len(VECTORS["valid"]), 40)
        for vector in VECTORS["valid"]:
            with self.subTest(vector["name"]):
                data = hex_of(vector["hex"], vector.get("then"))
                frame = vector["frame"]
                body = hex_of(frame["body_hex"], vector.get("then"))
                expected = (frame["kind"], frame["flags"], frame["id"], frame["meta"], body)
                self.assertEqual(decode([data]), [expected])
                if not vector.get("decode_only"):
                    self.assertEqual(encode_frame(*expected), data)

    def test_invalid(self) -> None:
        self.assertGreater(len(VECTORS["invalid"]), 15)
        for vector in VECTORS["invalid"]:
            data = bytes.fromhex(vector["hex"])
            with self.subTest(vector["name"]):
                with self.assertRaises(ProtocolError):
                    decode([data])
                with self.assertRaises(ProtocolError):
                    decode([data[at : at + 1] for at in range(len(data))])

    def test_bodies(self) -> None:
        for vector in VECTORS["bodies"]:
            with self.subTest(vector["bytes"]):
                sent: list[list[Any]] = []
                outgoing = Outgoing(lambda kind, flags, number, meta, body: sent.append([kind, flags, len(body)]))
                outgoing.send(frames.OP, 0, 1, b"", b"x" * vector["bytes"])
                expected = [
                    [frames.OP if frame["kind"] == "message" else frames.DATA, frame["flags"], frame["bytes"]]
                    for frame in vector["frames"]
                    for _ in range(frame["times"])
                ]
                self.assertEqual(sent, expected)


class Chunks(unittest.TestCase):
    def test_frames_survive_any_cut(self) -> None:
        stream = [
            encode_frame(3, 0, n, {"n": n} if n % 3 else {}, b"b" * (n * 37 % 5000) if n % 5 else b"")
            for n in range(60)
        ]
        whole = b"".join(stream)
        expected = decode([whole])
        self.assertEqual(len(expected), 60)
        self.assertEqual(decode([whole[at : at + 1] for at in range(len(whole))]), expected)
        rng = random.Random(7)
        for _ in range(50):
            cuts = sorted(rng.sample(range(1, len(whole)), 40))
            pieces = [whole[a:b] for a, b in zip([0, *cuts], [*cuts, len(whole)])]
            self.assertEqual(decode(pieces), expected)

    def test_a_frame_before_a_broken_one_is_still_seen(self) -> None:
        seen: list[int] = []
        decoder = Decoder(lambda kind, flags, number, meta, body: seen.append(number))
        with self.assertRaises(ProtocolError):
            decoder.push(encode_frame(6, 0, 5) + b"\xff" * 20)
        self.assertEqual(seen, [5])


class Metas(unittest.TestCase):
    def test_half_a_surrogate_pair_is_replaced(self) -> None:
        self.assertEqual(json.loads(meta_bytes({"a": "x\ud83d", "\udc00": 1})), {"a": "x\ufffd", "\ufffd": 1})
        self.assertEqual(json.loads(meta_bytes({"a": "\ud83d\ude00"})), {"a": "😀"})

    def test_one_that_leaves_no_room_is_refused(self) -> None:
        with self.assertRaisesRegex(ValueError, "too long to be sent"):
            meta_bytes({"a": "x" * frames.MAX_META})
        self.assertEqual(len(meta_bytes({"a": "x" * (frames.MAX_META - 8)})), frames.MAX_META)
        with self.assertRaises(ValueError):
            meta_bytes({"a": float("nan")})
