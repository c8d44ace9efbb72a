"""Configs as the engine gets them."""

from __future__ import annotations

import datetime
import enum
import json
import unittest
from typing import Any

from motia._worker.config_json import config_json

from .support.engine import Engine

try:
    import pydantic
except ImportError:
    pydantic = None  # type: ignore[assignment]


def convert(config: dict[str, Any], **options: Any) -> tuple[Any, list[str]]:
    body, warnings = config_json(config, **options)
    return json.loads(body), warnings


class Kind(enum.Enum):
    API = "api"


class Configs(unittest.TestCase):
    def test_data_stays_as_it_is_in_its_order(self) -> None:
        config = {"name": "A", "type": "api", "emits": ["x", {"topic": "y"}], "n": None, "f": 1.5, "big": 2**70}
        copied, warnings = convert(config)
        self.assertEqual((list(copied), copied, warnings), (list(config), config, []))

    def test_what_python_has_more_of(self) -> None:
        config = {
            "type": Kind.API,
            "emits": ("a", "b"),
            "flows": {"f"},
            "responseSchema": {200: {"type": "string"}},
            "at": datetime.date(2026, 1, 2),
        }
        expected = {
            "type": "api",
            "emits": ["a", "b"],
            "flows": ["f"],
            "responseSchema": {"200": {"type": "string"}},
            "at": "2026-01-02",
        }
        self.assertEqual(convert(config), (expected, []))

    def test_of_functions_only_that_they_are_there_is_told_and_middleware_is_counted(self) -> None:
        config = {
            "middleware": [len, print],
            "canAccess": lambda subscription, auth: True,
            "plugins": [len, dict],
            "nested": {"middleware": [len]},
        }
        expected = {"middleware": 2, "canAccess": True, "plugins": [True, True], "nested": {"middleware": [True]}}
        self.assertEqual(convert(config), (expected, []))
        self.assertEqual(convert({"middleware": len}), ({"middleware": 1}, []))

    def test_what_cannot_be_json_is_left_out_and_named(self) -> None:
        class Locked:
            @property
            def __dict__(self) -> Any:  # type: ignore[override]
                raise ValueError("locked")

        config: dict[str, Any] = {"nan": float("nan"), "list": [b"x", 2], "b": b"x", "bad": Locked(), ("a",): 1}
        config["me"] = config
        config["child"] = {"parent": config}
        copied, warnings = convert(config)
        self.assertEqual(copied, {"list": [None, 2], "child": {}})
        self.assertEqual(
            warnings,
            [
                "config.nan is nan, which JSON cannot hold",
                "config.list[0] is bytes, which JSON cannot hold",
                "config.b is bytes, which JSON cannot hold",
                "config.bad cannot be read: locked",
                "config has a key that is a tuple; JSON has text as keys",
                "config.me is a cycle, which JSON cannot hold",
                "config.child.parent is a cycle, which JSON cannot hold",
            ],
        )

    def test_the_same_object_twice_is_no_cycle_and_endless_ones_have_an_end(self) -> None:
        shared = {"a": 1}
        self.assertEqual(convert({"x": shared, "y": shared}), ({"x": shared, "y": shared}, []))
        deep: Any = {}
        for _ in range(100):
            deep = {"next": deep}
        self.assertIn("nested too deep", convert(deep)[1][0])
        warnings = convert({f"k{n}": b"" for n in range(100)})[1]
        self.assertEqual((len(warnings), warnings[-1]), (21, "and 80 more like these"))

    def test_in_motia_config_an_object_of_a_class_is_only_named(self) -> None:
        class Redis:
            def __init__(self) -> None:
                self.secret = 1

        self.assertEqual(
            convert({"adapters": {"state": Redis()}}, named=True)[0], {"adapters": {"state": {"class": "Redis"}}}
        )
        self.assertEqual(convert({"adapters": {"state": Redis()}})[0], {"adapters": {"state": {"secret": 1}}})

    @unittest.skipIf(pydantic is None, "pydantic is not installed")
    def test_models_are_schemas_and_their_instances_data(self) -> None:
        class Order(pydantic.BaseModel):
            id: str
            total: float = 1.0

        class Strict(pydantic.BaseModel):
            model_config = pydantic.ConfigDict(extra="forbid")

        config = {
            "bodySchema": Order,
            "responseSchema": {201: Order, 202: list[Order], 203: int},
            "queryParams": [{"name": "q", "schema": Order}],
            "input": pydantic.TypeAdapter(list[int]),
            "data": Order(id="1"),
            "emits": [Order],
            "strict": Strict,
            "text": Order.model_json_schema(),
        }
        copied, warnings = convert(config)
        schema = Order.model_json_schema()
        self.assertEqual(warnings, [])
        self.assertEqual(copied["bodySchema"], schema)
        self.assertNotIn("additionalProperties", schema)
        self.assertEqual(copied["responseSchema"]["201"], schema)
        self.assertEqual(copied["responseSchema"]["202"]["items"], {"$ref": "#/$defs/Order"})
        self.assertEqual(copied["responseSchema"]["203"], {"type": "integer"})
        self.assertEqual(copied["queryParams"][0]["schema"], schema)
        self.assertEqual(copied["input"], {"type": "array", "items": {"type": "integer"}})
        self.assertEqual([copied["data"], copied["emits"]], [{"id": "1", "total": 1.0}, [schema]])
        self.assertIs(copied["strict"]["additionalProperties"], False)

    def test_models_of_version_1_by_their_looks(self) -> None:
        class Model:
            __fields__ = {"a": 1}

            @classmethod
            def schema(cls) -> dict[str, Any]:
                return {"type": "object"}

        self.assertEqual(convert({"bodySchema": Model})[0], {"bodySchema": {"type": "object"}})


class InTheWorker(unittest.TestCase):
    def test_motia_config_and_streams(self) -> None:
        files = {
            "motia.config.py": "class Redis: pass\nconfig = {'redis': {'port': 1}, 'streamAuth': {'authenticate': len}, 'x': Redis()}\n",
            "chat.stream.py": "config = {'name': 'chat', 'schema': {}, 'canAccess': lambda *a: True, 'baseConfig': {'storageType': 'default'}}\n",
        }
        with Engine(files) as engine:
            loaded = engine.load(*files)
            self.assertEqual(
                loaded["motia.config.py"]["config"],
                {"redis": {"port": 1}, "streamAuth": {"authenticate": True}, "x": {"class": "Redis"}},
            )
            self.assertEqual(loaded["chat.stream.py"]["config"]["canAccess"], True)
            self.assertTrue(loaded["chat.stream.py"]["handler"])
