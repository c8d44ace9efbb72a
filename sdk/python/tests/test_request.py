"""Bodies of every kind, as the `req` of a handler."""

from __future__ import annotations

import sys
import unittest
from typing import Any, Union

from motia import UploadedFile
from motia._worker.errors import InvalidBody
from motia._worker.request import build_request


def build(meta: dict[str, Any], body: Union[str, bytes] = b"") -> Any:
    return build_request({"headers": {}, **meta}, body.encode() if isinstance(body, str) else body)


class Bodies(unittest.TestCase):
    def test_no_body_is_an_empty_object(self) -> None:
        empty = {"body": {}, "headers": {}, "pathParams": {}, "queryParams": {}, "rawBody": ""}
        self.assertEqual(build({}), empty)
        self.assertEqual(build({"content": "json"}), empty)

    def test_json_keeps_its_order_and_its_raw_text(self) -> None:
        text = '{"z":1,"a":{"é":[1.5,"\\u0007",null]},"10":true}'
        req = build({"content": "json"}, text)
        self.assertEqual(req.rawBody, text)
        self.assertEqual(list(req.body), ["z", "a", "10"])
        self.assertEqual(build({"content": "json"}, '\ufeff{"a":1}').body, {"a": 1})
        self.assertEqual(build({"content": "json"}, "[1]").body, [1])

    def test_json_that_is_too_deep_or_has_too_many_digits_is_the_clients_fault(self) -> None:
        for depth in (50_000, 200_000):
            with self.assertRaisesRegex(InvalidBody, "not valid JSON: it is nested too deep"):
                build({"content": "json"}, "[" * depth + "]" * depth)
        self.assertEqual(build({"content": "json"}, f'{{"n":-{"9" * 4300}}}').body.n, -int("9" * 4300))
        if hasattr(sys, "get_int_max_str_digits"):
            with self.assertRaises(InvalidBody) as raised:
                build({"content": "json"}, f'{{"n":-{"9" * 4301}}}')
            reason = "the body is not valid JSON: it has a number of too many digits"
            self.assertEqual(str(raised.exception), reason)

    def test_the_query_has_attributes_too(self) -> None:
        req = build({"query": {"a": ["1"], "b": {"c": "2"}}, "params": {"id": "7"}, "headers": {"host": "h"}})
        self.assertEqual([req.queryParams.b.c, req.pathParams.id, req.headers.host], ["2", "7", "h"])

    def test_forms(self) -> None:
        form, raw = '{"payload":"{}","a":{"b":["c"]}}', "payload=%7B%7D&a[b][]=c"
        req = build({"content": "form", "split": len(form)}, form + raw)
        self.assertEqual([req.body.a.b, req.rawBody], [["c"], raw])

    def test_the_raw_bytes_are_text_only_where_that_loses_nothing(self) -> None:
        self.assertEqual(build({"content": "text"}, "žluť 🐎").rawBody, "žluť 🐎")
        for data in (b"a\xff", b"a\0", b"\xed\xa0\x80"):
            req = build({"content": "binary"}, data)
            self.assertEqual([req.rawBody, req.body], [data, data])
        req = build({"content": "binary"}, b"text")
        self.assertEqual([req.rawBody, req.body], ["text", b"text"])

    def test_text_is_decoded_by_its_charset(self) -> None:
        req = build({"content": "text", "charset": "iso-8859-1"}, b"\xe9")
        self.assertEqual([req.body, req.rawBody], ["é", b"\xe9"])
        for charset in ("klingon", "base64"):
            with self.assertRaisesRegex(InvalidBody, f"the charset {charset} is not known"):
                build({"content": "text", "charset": charset}, "x")


BOUNDARY = "b0"
META = {"content": "multipart", "headers": {"content-type": f"multipart/form-data; boundary={BOUNDARY}"}}


def part(headers: str, value: bytes) -> bytes:
    return b"--b0\r\n" + headers.encode() + b"\r\n\r\n" + value + b"\r\n"


def named(name: str, value: bytes, more: str = "") -> bytes:
    return part(f'Content-Disposition: form-data; name="{name}"{more}', value)


class Multipart(unittest.TestCase):
    def test_fields_files_and_repeated_names(self) -> None:
        data = b"".join(
            [
                named("title", "Grüße".encode()),
                named("tag", b"a"),
                named("tag", b"b"),
                named("tag", b"c"),
                named("doc", b"hello\r\nworld", '; filename="ü.txt"\r\nContent-Type: text/plain'),
                named("empty", b""),
                named("raw", b"\r\n--b1\r\n\0\xff--b0", '; filename="a \\"b\\" %22c%22.bin"'),
                b"--b0--\r\n",
            ]
        )
        req = build(META, data)
        body = req.body
        self.assertEqual([body.title, body.tag, body.empty], ["Grüße", ["a", "b", "c"], ""])
        self.assertIsInstance(body.doc, UploadedFile)
        self.assertEqual(
            [body.doc.filename, body.doc.content_type, body.doc.data, body.doc.size],
            ["ü.txt", "text/plain", b"hello\r\nworld", 12],
        )
        self.assertEqual([body.doc.read(5), body.doc.read(), body.doc.read()], [b"hello", b"\r\nworld", b""])
        self.assertEqual([body.raw.filename, body.raw.data], ['a "b" "c".bin', b"\r\n--b1\r\n\0\xff--b0"])
        self.assertEqual(body.raw.content_type, "application/octet-stream")
        self.assertEqual(req.rawBody, data)

    def test_what_the_standard_allows(self) -> None:
        for data in (
            b"preamble\r\n" + named("a", b"1") + b"--b0--\r\nepilogue",
            named("a", b"1") + b"--b0--",
            named("a", b"1").replace(b"--b0\r\n", b"--b0 \t\r\n") + b"--b0--",
            part('content-disposition: form-data;\r\n name="a"', b"1") + b"--b0--",
            part("Content-Disposition: form-data; name=a", b"1") + b"--b0--",
        ):
            self.assertEqual(build(META, data).body, {"a": "1"}, data)
        self.assertEqual(build(META, b"--b0--\r\n").body, {})
        quoted = {**META, "headers": {"content-type": 'multipart/form-data; boundary="b0"'}}
        self.assertEqual(build(quoted, named("a", b"1") + b"--b0--").body, {"a": "1"})
        star = "; filename*=UTF-8''%e2%82%ac.txt"
        self.assertEqual(build(META, named("f", b"", star) + b"--b0--").body.f.filename, "€.txt")

    def test_what_is_broken_is_the_clients_fault(self) -> None:
        for data in (
            b"",
            b"nonsense",
            named("a", b"1"),
            b"--b0\r\nno headers end--b0--",
            b"--b0 x\r\n\r\n1\r\n--b0--",
            part("Content-Disposition: form-data", b"1") + b"--b0--",
            part("no colon", b"1") + b"--b0--",
            b"--b0\r\n\r\n1\r\n--b0--",
        ):
            with self.subTest(data), self.assertRaisesRegex(InvalidBody, "not valid multipart/form-data"):
                build(META, data)
        with self.assertRaisesRegex(InvalidBody, "names no boundary"):
            build({"content": "multipart", "headers": {"content-type": "multipart/form-data"}}, named("a", b""))
