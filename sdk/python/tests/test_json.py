"""JSON out and in: what data may hold, and what is said about the rest. With and without orjson."""

from __future__ import annotations

import copy
import dataclasses
import datetime
import decimal
import enum
import json
import pathlib
import pickle
import sys
import unittest
import uuid
from collections import OrderedDict, UserDict, deque, namedtuple
from types import SimpleNamespace
from typing import Any
from unittest import mock

from motia import Bag, Emitted, Request
from motia._worker import encode as encoder
from motia._worker.decode import parse, parse_meta

try:
    import pydantic
except ImportError:
    pydantic = None  # type: ignore[assignment]

Point = namedtuple("Point", "x y")


class Colour(enum.Enum):
    RED = "red"


class Text(str, enum.Enum):
    A = "a"


class Number(enum.IntEnum):
    ONE = 1


@dataclasses.dataclass
class Item:
    sku: str
    _hidden: int = 1
    at: datetime.date = datetime.date(2026, 1, 2)


class Plain:
    def __init__(self) -> None:
        self.name = "n"
        self._private = [Item("a")]


class Slots:
    __slots__ = ("a",)


ZONE = datetime.timezone(datetime.timedelta(hours=2))
GOOD: list[tuple[Any, Any]] = [
    ({"a": [1, 2.5, "é😀", None, True], "b": {}}, {"a": [1, 2.5, "é😀", None, True], "b": {}}),
    ({5: "a", 2.5: "b", None: "c", True: "d"}, {"5": "a", "2.5": "b", "null": "c", "true": "d"}),
    (2**70, 2**70),
    (Bag(a=Bag(b=1)), {"a": {"b": 1}}),
    (Emitted(id="1", repeated=False), {"id": "1", "repeated": False}),
    (OrderedDict(b=1, a=2), {"b": 1, "a": 2}),
    (UserDict({"a": 1}), {"a": 1}),
    (Point(1, [2]), [1, [2]]),
    ((1, (2,)), [1, [2]]),
    ([{5}, frozenset([6]), deque([7]), range(2), {"k": 1}.keys()], [[5], [6], [7], [0, 1], ["k"]]),
    (datetime.datetime(2026, 1, 2, 3, 4, 5, 600, tzinfo=ZONE), "2026-01-02T03:04:05.000600+02:00"),
    (datetime.datetime(2026, 1, 2), "2026-01-02T00:00:00"),
    ([datetime.date(2026, 1, 2), datetime.time(3, 4)], ["2026-01-02", "03:04:00"]),
    (datetime.timedelta(minutes=1), 60.0),
    (decimal.Decimal("10.50"), "10.50"),
    (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
    ({"e": Colour.RED, "t": Text.A, "n": Number.ONE}, {"e": "red", "t": "a", "n": 1}),
    (pathlib.PurePosixPath("/a/b"), "/a/b"),
    (Item("x"), {"sku": "x", "_hidden": 1, "at": "2026-01-02"}),
    (Plain(), {"name": "n", "_private": [{"sku": "a", "_hidden": 1, "at": "2026-01-02"}]}),
    (SimpleNamespace(a=1), {"a": 1}),
    (
        {uuid.UUID(int=1): 1, datetime.date(2026, 1, 2): 2, Colour.RED: 3},
        {str(uuid.UUID(int=1)): 1, "2026-01-02": 2, "red": 3},
    ),
    ({"error": ValueError("why")}, {"error": "why"}),
    (['\u2028\x00\x7f"\\'], ['\u2028\x00\x7f"\\']),
    ("\ud83d", "\ud83d"),
    ({"x": "a\udc00b", "ü": 1}, {"x": "a\udc00b", "ü": 1}),
]

cycle: dict[str, Any] = {"a": [1]}
cycle["a"].append(cycle)
deep: list[Any] = []
for _ in range(100_000):
    deep = [deep]
BAD: list[tuple[Any, type[Exception], str]] = [
    (
        {"items": [1, {"raw": b"x"}]},
        TypeError,
        "op: data.items[1].raw is bytes, which JSON cannot hold; encode it, e.g. base64",
    ),
    ({"a b": bytearray()}, TypeError, "op: data['a b'] is bytearray, which JSON cannot hold; encode it, e.g. base64"),
    ([float("nan")], ValueError, "op: data[0] is nan, which JSON cannot hold"),
    ({"n": None, "x": float("inf")}, ValueError, "op: data.x is inf, which JSON cannot hold"),
    (float("-inf"), ValueError, "op: data is -inf, which JSON cannot hold"),
    (cycle, ValueError, "op: data.a[1] is a cycle, which JSON cannot hold"),
    (deep, ValueError, "nested too deep"),
    ({"f": len}, TypeError, "op: data.f is the function len, which JSON cannot hold"),
    ({"f": lambda: 1}, TypeError, "op: data.f is the function <lambda>, which JSON cannot hold"),
    (Plain, TypeError, "op: data is the class Plain, which JSON cannot hold"),
    (json, TypeError, "op: data is a module, which JSON cannot hold"),
    ([Slots()], TypeError, "op: data[0] is a Slots, which JSON cannot hold"),
    ((n for n in [1]), TypeError, "op: data is a generator, which JSON cannot hold; make a list of it"),
    ({(1, 2): 3}, TypeError, "op: data has a key that is a tuple; JSON has text as keys"),
    ({"a": Item(b"x")}, TypeError, "op: data.a.sku is bytes, which JSON cannot hold; encode it, e.g. base64"),
    (3 + 4j, TypeError, "op: data is a complex, which JSON cannot hold"),
]
if hasattr(sys, "get_int_max_str_digits"):
    BAD += [
        (
            {"a": [{"n": 10**5000}]},
            ValueError,
            "op: data.a[0].n is a number of 16610 bits, more than Python writes as digits",
        ),
        ({"a": {10**5000: 1}}, ValueError, "op: a key of data.a is a number of 16610 bits, more than"),
    ]


class Encode(unittest.TestCase):
    def encode(self, value: Any) -> bytes:
        return encoder.encode(value, "op")

    def test_what_json_can_hold_in_the_end(self) -> None:
        for value, expected in GOOD:
            with self.subTest(repr(value)[:60]):
                self.assertEqual(json.loads(self.encode(value)), expected)

    def test_the_order_of_keys_is_kept_and_nothing_is_spaced(self) -> None:
        self.assertEqual(self.encode({"z": 1, "a": [1, 2], "ü": "ß"}), '{"z":1,"a":[1,2],"ü":"ß"}'.encode())

    def test_what_it_cannot_hold_is_named(self) -> None:
        for value, error, message in BAD:
            with self.subTest(message), self.assertRaises(error) as raised:
                self.encode(value)
            self.assertIn(message, str(raised.exception))

    def test_half_a_surrogate_pair_is_an_escape(self) -> None:
        self.assertEqual(self.encode(["a\ud83dü"]), '["a\\ud83dü"]'.encode())

    def test_the_same_object_twice_is_no_cycle(self) -> None:
        shared = Plain()
        self.assertEqual(len(json.loads(self.encode([shared, shared]))), 2)

    @unittest.skipIf(pydantic is None, "pydantic is not installed")
    def test_pydantic_models(self) -> None:
        class User(pydantic.BaseModel):
            name: str
            born: datetime.date
            tags: set[str] = set()

        user = User(name="Ada", born=datetime.date(1815, 12, 10))
        expected = {"name": "Ada", "born": "1815-12-10", "tags": []}
        self.assertEqual(json.loads(self.encode({"user": user, "all": [user]})), {"user": expected, "all": [expected]})


@unittest.skipIf(encoder.orjson is None, "orjson is not installed")
class EncodeWithoutOrjson(Encode):
    def encode(self, value: Any) -> bytes:
        with mock.patch.object(encoder, "_fast_bytes", encoder._strict_bytes):
            return encoder.encode(value, "op")


class Models(unittest.TestCase):
    def test_attrs_and_the_like_by_their_looks(self) -> None:
        class Version1:
            __fields__ = {"a": 1}

            def dict(self) -> dict[str, int]:
                return {"a": 1}

        class Attribute:
            name = "a"

        class Attrs:
            __slots__ = ("a",)
            __attrs_attrs__ = (Attribute(),)

        attrs = Attrs()
        attrs.a = 2
        self.assertEqual(encoder.encode([Version1(), attrs], "op"), b'[{"a":1},{"a":2}]')


class Decode(unittest.TestCase):
    def test_numbers_and_duplicates(self) -> None:
        value = parse(f' {{"i": 1, "f": 1.0, "big": {2**80}, "e": 1e3, "d": 1, "d": 2}}\n')
        self.assertEqual(value, {"i": 1, "f": 1.0, "big": 2**80, "e": 1000.0, "d": 2})
        self.assertIs(type(value["i"]), int)
        self.assertIs(type(value["f"]), float)
        self.assertEqual(list(parse('{"z": 1, "a": 2}')), ["z", "a"])

    def test_what_is_no_json(self) -> None:
        for text in (
            "",
            " ",
            "NaN",
            "[NaN]",
            "-Infinity",
            '{"a": Infinity}',
            "{'a': 1}",
            "[1,]",
            "1 2",
            "\ufeff1",
            "nul",
        ):
            with self.subTest(text), self.assertRaises(ValueError):
                parse(text)
            with self.subTest(text), self.assertRaises(ValueError):
                parse_meta(text.encode())

    def test_scalars(self) -> None:
        self.assertEqual([parse("1"), parse('"a"'), parse("null"), parse(" true ")], [1, "a", None, True])


class Bags(unittest.TestCase):
    def test_members_are_attributes_on_all_levels(self) -> None:
        bag = parse('{"a": {"b": [{"c": 1}]}, "from": 2, "items": 3, "__motia": {"id": 4}, "__class_getitem__": 5}')
        self.assertEqual([bag.a.b[0].c, bag["a"]["b"][0]["c"], getattr(bag, "from")], [1, 1, 2])
        self.assertEqual([bag["items"], next(iter(bag.items()))[0]], [3, "a"], "the methods of dict win")
        self.assertEqual(getattr(bag, "__motia").id, 4)
        with self.assertRaises(AttributeError) as raised:
            bag.nope  # noqa: B018
        self.assertIn("'nope'", str(raised.exception))
        self.assertEqual([getattr(bag, "nope", 7), hasattr(bag, "nope"), bag.get("nope")], [7, False, None])
        self.assertFalse(hasattr(parse('{"__html__": 1}'), "__html__"), "names that mean something to libraries")
        self.assertIn("from", dir(bag))

    def test_it_is_a_dict(self) -> None:
        bag = parse('{"a": {"b": 1}}')
        self.assertIsInstance(bag, dict)
        self.assertEqual({**bag}, {"a": {"b": 1}})
        self.assertEqual(json.dumps(bag), '{"a": {"b": 1}}')
        bag.x = 1
        bag["y"] = 2
        del bag.a
        self.assertEqual(bag, {"x": 1, "y": 2})
        with self.assertRaises(AttributeError):
            del bag.a

    def test_a_union_has_attributes_too(self) -> None:
        bag = parse('{"a": {"b": 1}, "c": 2}')
        self.assertEqual([(bag | {"c": 3}).c, (bag | Bag(d=4)).a.b, ({"c": 0, "e": 5} | bag).c], [3, 1, 2])
        self.assertEqual([type(bag | {}), type({} | bag), type(Emitted(id="1") | bag)], [Bag] * 3)
        self.assertEqual(bag, {"a": {"b": 1}, "c": 2}, "it is another one")
        for other in (None, [("a", 1)]):
            with self.assertRaises(TypeError):
                bag | other
            with self.assertRaises(TypeError):
                other | bag
        bag |= {"c": {"d": 6}}
        self.assertEqual([type(bag), bag.c.d], [Bag, 6])

    def test_a_dict_that_is_put_in_has_attributes(self) -> None:
        bag = parse("{}")
        bag.user = {"name": "ada", "roles": [{"id": 1}]}
        bag["order"] = {"lines": {}}
        self.assertEqual([bag.user.name, bag.user.roles[0].id], ["ada", 1])
        bag.order.lines.total = 5
        self.assertEqual(bag["order"], {"lines": {"total": 5}}, "what is changed is what is there")
        self.assertIs(bag.order, bag["order"])

    def test_copies(self) -> None:
        bag = Bag(a=Bag(b=[1]), __reduce__="x", __deepcopy__="y", __getstate__=1)
        for copied in (copy.copy(bag), copy.deepcopy(bag), bag.copy(), pickle.loads(pickle.dumps(bag))):
            self.assertEqual(copied, bag)
            self.assertEqual(copied.a.b, [1])
        self.assertIsNot(copy.deepcopy(bag).a.b, bag.a.b)

    def test_a_request_has_aliases(self) -> None:
        req = Request(body=Bag(), headers=Bag(), pathParams=Bag(id="1"), queryParams=Bag(q="2"), rawBody="raw")
        self.assertEqual([req.path_params.id, req["path_params"]["id"], req.get("path_params")["id"]], ["1"] * 3)
        self.assertEqual([req.query_params.q, req.queryParams.q, req.get("queryParams").q], ["2"] * 3)
        self.assertEqual([req.raw_body, req.get("raw_body"), req.rawBody], ["raw"] * 3)
        self.assertEqual(len(req), 5)
        self.assertTrue("path_params" in req and "pathParams" in req and "nope" not in req)
        req.raw_body = "new"
        self.assertEqual(req["rawBody"], "new")
        self.assertEqual([req.get("nope"), req.get("nope", 1), getattr(req, "nope", 2)], [None, 1, 2])
        with self.assertRaises(KeyError):
            req["nope"]
