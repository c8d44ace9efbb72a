"""What handlers may return."""

from __future__ import annotations

import dataclasses
import http
import json
import unittest
from types import SimpleNamespace
from typing import Any

from motia import Bag
from motia._worker.response import to_result


def result(response: Any) -> tuple[Any, ...]:
    meta, body = to_result(response, None)
    meta = json.loads(meta)
    return (
        (meta["status"], meta["type"], body, meta["headers"])
        if "headers" in meta
        else (meta["status"], meta["type"], body)
    )


@dataclasses.dataclass
class Answer:
    status: int
    body: Any
    headers: Any = None


class Responses(unittest.TestCase):
    def test_the_bodys_kind_is_told_by_its_value(self) -> None:
        for body, kind, sent in (
            ("text ü", "text", "text ü".encode()),
            ("", "text", b""),
            ("\ud83d", "text", "\ufffd".encode()),
            (None, "json", b"null"),
            (5, "json", b"5"),
            (False, "json", b"false"),
            ([1, None], "json", b"[1,null]"),
            ({"a": 1}, "json", b'{"a":1}'),
            (Bag(a=Bag(b=1)), "json", b'{"a":{"b":1}}'),
            ((1, 2), "json", b"[1,2]"),
            (b"\1\2", "bytes", b"\1\2"),
            (bytearray(b"\3"), "bytes", b"\3"),
            (memoryview(b"abcd")[::2], "bytes", b"ac"),
            (Answer(1, 2), "json", b'{"status":1,"body":2,"headers":null}'),
        ):
            self.assertEqual(result({"status": 200, "body": body}), (200, kind, sent))
        self.assertEqual(result({"status": 201}), (201, "none", b""))

    def test_responses_of_other_kinds(self) -> None:
        self.assertEqual(result(Bag(status=200, body=1)), (200, "json", b"1"))
        self.assertEqual(result(Answer(200, "x", {"a": "b"})), (200, "text", b"x", {"a": "b"}))
        self.assertEqual(result(SimpleNamespace(status=204)), (204, "none", b""))

    def test_the_status_is_a_whole_number(self) -> None:
        for status, number in (
            (100, 100),
            (599, 599),
            ("201", 201),
            (" 204 ", 204),
            (200.0, 200),
            (http.HTTPStatus.OK, 200),
        ):
            self.assertEqual(result({"status": status})[0], number)
        for status in (99, 600, 200.5, float("nan"), "", "ok", True, None, "²", [200]):
            with (
                self.subTest(status),
                self.assertRaisesRegex(TypeError, "status must be a whole number from 100 to 599"),
            ):
                result({"status": status})

    def test_what_is_no_response_is_named(self) -> None:
        must = 'a handler must return {"status": 200, "body": …}, but this one returned '
        for value, name in (
            (None, "None"),
            ("ok", "the string 'ok'"),
            (200, "the number 200"),
            ([], "a list"),
            (False, "False"),
            (object(), "an object"),
            ((200, {}), "a tuple"),
            (b"x", "bytes"),
        ):
            with self.subTest(name), self.assertRaises(TypeError) as raised:
                result(value)
            self.assertEqual(str(raised.exception), must + name)
        for value in ({}, {"body": 1}):
            with self.assertRaises(TypeError) as raised:
                result(value)
            self.assertEqual(str(raised.exception), 'the response has no status; return {"status": 200, "body": …}')

    def test_bodies_that_have_no_json_form_are_named(self) -> None:
        with self.assertRaisesRegex(TypeError, r"the response: body.a\[0\] is bytes, which JSON cannot hold"):
            result({"status": 200, "body": {"a": [b"x"]}})
        with self.assertRaisesRegex(ValueError, "body.n is nan"):
            result({"status": 200, "body": {"n": float("nan")}})
        with self.assertRaisesRegex(TypeError, "body is the function len"):
            result({"status": 200, "body": len})

    def test_headers(self) -> None:
        given = {
            "X-Id": 7,
            "ok": True,
            "Set-Cookie": ["a=1", "b=2"],
            "none": None,
            "grüße": None,
            "umlaut": "ä",
            "e": "",
        }
        sent = {"X-Id": "7", "ok": "true", "Set-Cookie": ["a=1", "b=2"], "umlaut": "ä", "e": ""}
        self.assertEqual(result({"status": 200, "headers": given})[3], sent)
        pairs = [("set-cookie", "a"), ("set-cookie", "b"), ("x", "y")]
        self.assertEqual(result({"status": 200, "headers": pairs})[3], {"set-cookie": ["a", "b"], "x": "y"})

    def test_headers_that_could_break_out_of_their_line_are_refused(self) -> None:
        for name in ("bad name", "", "a:b", "a\r\nb", "ä", "a\n", 5):
            with self.subTest(name), self.assertRaisesRegex(TypeError, "invalid name"):
                result({"status": 200, "headers": {name: "x"}})
        for value in ("a\r\nSet-Cookie: x", "a\0", ["ok", "a\nb"], "a\x7f"):
            with self.subTest(value), self.assertRaisesRegex(TypeError, "control characters"):
                result({"status": 200, "headers": {"x": value}})
        with self.assertRaisesRegex(TypeError, "header x must be a string, not a dict"):
            result({"status": 200, "headers": {"x": {}}})
        with self.assertRaisesRegex(TypeError, "headers must be a dict, not the string 'x'"):
            result({"status": 200, "headers": "x"})
        with self.assertRaisesRegex(ValueError, "too long"):
            result({"status": 200, "headers": {"x": "y" * 900_000}})

    def test_common_metas_are_made_once(self) -> None:
        self.assertIs(to_result({"status": 200, "body": {}}, None)[0], to_result({"status": 200, "body": []}, None)[0])
        self.assertEqual(to_result({"status": 200, "body": {}}, None)[0], b'{"status":200,"type":"json"}')
