"""What `ctx.state.get` gives: the value as it was stored, which also answers to `data`, as in the original."""

from __future__ import annotations

import copy
import json
import operator
import pickle
import unittest
from typing import Any

from motia import Bag
from motia._worker.decode import parse
from motia._worker.details import details_json
from motia._worker.encode import encode
from motia.state_value import StateValue, state_value

STORED = {"status": "open", "user": {"name": "Ada"}, "items": [1, 2]}


def found(stored: Any) -> Any:
    """As it comes from the engine."""
    return state_value(parse(json.dumps(stored)), None)


class UnderData(unittest.TestCase):
    def test_every_way_to_ask_for_it(self) -> None:
        value = found(STORED)
        self.assertIn("data", value)
        for data in (
            value["data"],
            value.get("data"),
            value.data,
            value.get("data", {}),
            operator.getitem(value, "data"),
        ):
            self.assertEqual(data, STORED)
        self.assertEqual(value.get("data", {}).get("status"), "open")
        self.assertEqual(value["data"]["user"]["name"], "Ada")
        self.assertEqual(value.data.user.name, "Ada")
        self.assertEqual([hasattr(value, "data"), getattr(value, "data", None)], [True, STORED])

    def test_both_ways_show_the_same_changes(self) -> None:
        value = found(STORED)
        value["data"]["status"] = "paid"
        value.data.count = 1
        self.assertEqual([value.status, value["count"]], ["paid", 1])
        value.status = "sent"
        self.assertEqual(value["data"]["status"], "sent")

    def test_an_empty_dict(self) -> None:
        value = found({})
        self.assertTrue("data" in value)
        self.assertEqual([value["data"], len(value), bool(value)], [{}, 0, False])

    def test_levels_below_do_not_have_it(self) -> None:
        value = found(STORED)
        self.assertNotIn("data", value.user)
        self.assertIs(type(value.user), Bag)
        self.assertEqual(value.user.get("data", 7), 7)


class AsItWasStored(unittest.TestCase):
    def test_its_members_are_its_own(self) -> None:
        value = found(STORED)
        self.assertEqual(value, STORED)
        self.assertEqual(STORED, value)
        self.assertNotEqual(value, {**STORED, "data": STORED})
        self.assertEqual([list(value), len(value)], [list(STORED), 3])
        self.assertEqual([list(value.keys()), list(value.values())], [list(STORED), list(STORED.values())])
        self.assertNotIn("data", value.keys())
        self.assertEqual(repr(value), repr(STORED))

    def test_what_is_made_of_it(self) -> None:
        value = found(STORED)
        for made in (dict(value), {**value}, dict(**value), dict(value.items()), value | {}):
            self.assertEqual(made, STORED)
            self.assertIn(type(made), (dict, Bag))
            self.assertNotIn("data", made)
        self.assertEqual((lambda **members: members)(**value), STORED)

    def test_copies_are_like_it(self) -> None:
        value = found(STORED)
        for copied in (copy.copy(value), copy.deepcopy(value), value.copy(), pickle.loads(pickle.dumps(value))):
            self.assertEqual([list(copied), copied, copied["data"]], [list(STORED), STORED, STORED])
            self.assertIsNot(copied["data"], value)
        self.assertIsNot(copy.deepcopy(value)["data"].user, value.user)

    def test_json(self) -> None:
        value = found(STORED)
        text = json.dumps(STORED, separators=(",", ":"))
        self.assertEqual(json.dumps(value, separators=(",", ":")), text)
        self.assertEqual(json.dumps(value, indent=1), json.dumps(STORED, indent=1))
        for written in (encode(value, "state.set"), encode(value["data"], "state.set"), details_json(value)):
            self.assertEqual(written.decode(), text)
        self.assertEqual(
            json.loads(encode({"game": value, "same": [value.data]}, "x")), {"game": STORED, "same": [STORED]}
        )
        value["at"] = {3}
        self.assertEqual(json.loads(encode(value, "state.set"))["at"], [3], "also where it has to be converted")

    def test_other_members_are_missing_as_in_any_dict(self) -> None:
        value = found(STORED)
        self.assertEqual([value.get("nope"), value.get("nope", 1), "nope" in value], [None, 1, False])
        with self.assertRaises(KeyError):
            value["nope"]
        with self.assertRaisesRegex(AttributeError, "there is no member 'nope' among 'status'"):
            value.nope  # noqa: B018
        with self.assertRaises(KeyError):
            del value["data"]


class OfItsOwn(unittest.TestCase):
    def test_a_data_that_was_stored_is_what_it_is(self) -> None:
        for stored in ({"data": 1}, {"data": None}, {"data": {"data": []}, "more": 2}):
            value = found(stored)
            self.assertIs(type(value), Bag)
            self.assertEqual([value["data"], value.data, value.get("data", 7)], [stored["data"]] * 3)
            self.assertEqual(value.pop("data"), stored["data"])
            self.assertNotIn("data", value)

    def test_one_that_is_set_later_wins(self) -> None:
        value = found(STORED)
        value["data"] = 5
        self.assertEqual([value["data"], value.data, value.get("data"), len(value)], [5, 5, 5, 4])

    def test_what_is_no_dict_stays_as_it_is(self) -> None:
        for stored in (None, [1, {"a": 2}], 3, "text", True, 1.5):
            value = found(stored)
            self.assertEqual(value, stored)
            self.assertIs(type(value), type(stored))
        self.assertNotIn("data", found([{"a": 2}])[0])


class OnItsOwn(unittest.TestCase):
    def test_it_is_a_dict_with_attributes(self) -> None:
        value = StateValue(a=1)
        self.assertIsInstance(value, dict)
        self.assertEqual([value.a, value["data"].a], [1, 1])


if __name__ == "__main__":
    unittest.main()
