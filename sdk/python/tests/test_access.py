"""Who may watch streams: `canAccess`, which the engine asks."""

from __future__ import annotations

import json
import textwrap
import unittest
from typing import Any, Optional

from motia._worker import frames
from motia._worker.access import with_one_name
from motia._worker.config_json import config_json

from .support.engine import Engine, step

try:
    import pydantic
except ImportError:
    pydantic = None  # type: ignore[assignment]


def stream(function: str, key: str = "canAccess") -> str:
    """Text of a stream file with `function`, which is called `check`."""
    members = f'"name": "chat", "schema": {{}}, "baseConfig": {{"storageType": "default"}}, "{key}": check'
    return f"{textwrap.dedent(function)}\n\nconfig = {{{members}}}\n"


FILES = {
    # As the original's own example has it.
    "member_stream.py": stream(
        """
        async def check(subscription, auth_context):
            print('may', subscription.groupId, subscription.get('id'), auth_context and auth_context.user.name)
            return auth_context.get('permissions') == 'python' if auth_context else False
        """
    ),
    "snake_stream.py": stream(
        "def check(subscription, context):\n    return subscription['groupId'] in context.projects", "can_access"
    ),
    "thread.stream.py": stream(
        """
        import threading
        def check(subscription, context):
            print('in a thread')
            return threading.current_thread() is not threading.main_thread()
        """
    ),
    "one_stream.py": stream("def check(subscription):\n    return subscription.groupId == 'public'"),
    "lambda_stream.py": stream("check = lambda *both: len(both) == 2 and both[1] is None"),
    "object_stream.py": stream(
        """
        class Check:
            async def __call__(self, subscription, context):
                return [subscription]
        check = Check()
        """
    ),
    "decorated_stream.py": stream(
        """
        import functools
        def logged(function):
            @functools.wraps(function)
            def wrapper(*args):
                return function(*args)
            return wrapper
        @logged
        async def check(subscription, context):
            return ''
        """
    ),
    "truth_stream.py": stream(
        """
        class Unclear:
            def __bool__(self):
                raise ValueError('neither')
        def check(subscription):
            return [None, 0, '', 'no', Unclear()][int(subscription.groupId)]
        """
    ),
    "raises_stream.py": stream("def check(subscription, context):\n    return context['user']"),
    "sleeps_stream.py": stream(
        """
        import asyncio
        async def check(subscription, context):
            print('sleeping')
            await asyncio.sleep(60)
        """
    ),
    "exits_stream.py": stream("import sys\ndef check(subscription):\n    sys.exit(3)"),
    "open_stream.py": stream("check = None"),
    "a_step.py": step("(req, ctx):\n    return {'status': 200, 'body': True}"),
}


class Access(unittest.TestCase):
    engine: Engine
    loaded: dict[str, dict[str, Any]]

    @classmethod
    def setUpClass(cls) -> None:
        cls.engine = Engine(FILES)
        cls.addClassCleanup(cls.engine.close)
        cls.loaded = cls.engine.load(*FILES)
        for source, answer in cls.loaded.items():
            assert "refused" not in answer, (source, answer)

    def start(self, source: str, group: str = "g", context: Any = None, item: Optional[str] = None) -> int:
        subscription = {"groupId": group} if item is None else {"groupId": group, "id": item}
        question = json.dumps({"subscription": subscription, "context": context})
        return self.engine.start(source, {"kind": "access"}, question)

    def ask(self, source: str, *question: Any) -> Any:
        """The answer, or `{"error": …}`."""
        answer = self.engine.result(self.start(source, *question))
        if "error" in answer.meta:
            return answer.meta
        self.assertEqual(answer.meta, {"type": "json"})
        self.assertIn(answer.body, (b"true", b"false"))
        return json.loads(answer.body)

    def test_it_gets_the_subscription_and_the_context_as_dicts_with_attributes(self) -> None:
        context = {"permissions": "python", "user": {"name": "ada"}}
        number = self.start("member_stream.py", "g", context, "i")
        self.assertEqual(self.engine.result(number).body, b"true")
        line = self.engine.log_of("may g i ada")
        self.assertEqual([line["call"], line["source"]], [number, "console"])
        self.assertIs(self.ask("member_stream.py", "g", {**context, "permissions": "ruby"}), False)
        self.assertIs(self.ask("member_stream.py"), False)

    def test_plain_functions_run_in_a_thread(self) -> None:
        number = self.start("thread.stream.py")
        self.assertEqual(self.engine.result(number).body, b"true")
        self.assertEqual(self.engine.log_of("in a thread")["call"], number)

    def test_whatever_can_be_called_with_as_many_arguments_as_it_takes(self) -> None:
        self.assertIs(self.ask("one_stream.py", "public"), True)
        self.assertIs(self.ask("one_stream.py", "private"), False)
        self.assertIs(self.ask("lambda_stream.py"), True)
        self.assertIs(self.ask("object_stream.py"), True)
        self.assertIs(self.ask("decorated_stream.py"), False)

    def test_the_answer_counts_by_its_truth(self) -> None:
        self.assertEqual([self.ask("truth_stream.py", str(n)) for n in range(4)], [False, False, False, True])
        self.assertEqual(self.ask("truth_stream.py", "4")["error"]["message"], "neither")

    def test_what_it_raises_is_an_error_with_the_users_line(self) -> None:
        error = self.ask("raises_stream.py")["error"]
        self.assertEqual(error["name"], "TypeError")
        self.assertIn('raises_stream.py", line 2, in check', error["stack"])
        self.assertNotIn("sdk/python/motia", error["stack"])

    def test_a_timeout_cancels_it(self) -> None:
        number = self.start("sleeps_stream.py")
        self.engine.log(lambda meta: meta["message"] == "sleeping" and meta.get("call") == number)
        self.engine.send(frames.CANCEL, 0, number, {"reason": "timeout"})
        error = self.engine.result(number).meta["error"]
        self.assertEqual([error["name"], error["message"]], ["TimeoutError", "the call took too long"])

    def test_a_file_is_asked_only_what_it_can_answer(self) -> None:
        for kind, source, message in (
            ("access", "open_stream.py", "open_stream.py has no canAccess"),
            ("access", "a_step.py", "a_step.py has no canAccess"),
            ("access", "nope_stream.py", "nope_stream.py is not loaded"),
            ("authenticate", "a_step.py", "a_step.py has no streamAuth.authenticate"),
            ("authenticate", "one_stream.py", "one_stream.py has no streamAuth.authenticate"),
            ("api", "one_stream.py", "one_stream.py has no handler"),
            ("event", "one_stream.py", "one_stream.py has no handler"),
        ):
            answer = self.engine.call(source, {"kind": kind}, "{}")
            self.assertEqual(answer.meta, {"error": {"message": message, "code": "step-unknown"}})

    def test_imported_says_whether_it_can_be_asked_and_the_config_knows_one_name(self) -> None:
        open_ones = [source for source, answer in self.loaded.items() if not answer["handler"]]
        self.assertEqual(open_ones, ["open_stream.py"])
        self.assertIs(self.loaded["member_stream.py"]["config"]["canAccess"], True)
        snake = self.loaded["snake_stream.py"]["config"]
        self.assertIs(snake["canAccess"], True)
        self.assertNotIn("can_access", snake)
        self.assertIs(self.ask("snake_stream.py", "p1", {"projects": ["p1"]}), True)
        self.assertIs(self.ask("snake_stream.py", "p2", {"projects": ["p1"]}), False)

    def test_of_two_names_the_one_that_says_something_counts(self) -> None:
        self.assertEqual(with_one_name({"can_access": len}), {"canAccess": len})
        self.assertEqual(with_one_name({"can_access": None, "canAccess": len}), {"canAccess": len})
        self.assertEqual(with_one_name({"can_access": len, "canAccess": None}), {"canAccess": len})
        self.assertEqual(with_one_name({"can_access": len, "canAccess": print}), {"canAccess": print})

    def test_a_later_load_replaces_it(self) -> None:
        self.engine.write({"later_stream.py": stream("check = lambda subscription: True")})
        self.engine.load_all("later_stream.py")
        self.assertIs(self.ask("later_stream.py"), True)
        module = f"{self.engine.root}/open_stream.py"
        self.engine.load("later_stream.py", modules={"later_stream.py": module})
        self.assertEqual(self.ask("later_stream.py")["error"]["code"], "step-unknown")


class Refused(unittest.TestCase):
    def test_what_is_no_function_since_everybody_could_watch(self) -> None:
        files = {"false_stream.py": stream("check = False"), "text_stream.py": stream("check = 'owner'", "can_access")}
        with Engine(files) as engine:
            loaded = engine.load(*files)
            messages = [loaded[source]["refused"]["message"] for source in files]
        self.assertEqual(
            messages,
            [
                "config.canAccess must be a function, but it is False",
                "config.canAccess must be a function, but it is the string 'owner'",
            ],
        )

    def test_an_exit_fails_its_call_and_the_worker_retires(self) -> None:
        with Engine(FILES) as engine:
            engine.load_all("exits_stream.py")
            question = '{"subscription": {"groupId": "g"}, "context": null}'
            answer = engine.call("exits_stream.py", {"kind": "access"}, question)
            self.assertIn("sys.exit(3) was called", answer.meta["error"]["message"])
            retired = engine.frame(lambda f: f.kind == frames.RETIRE)
            self.assertIn("in exits_stream.py", retired.meta["reason"])


class Schemas(unittest.TestCase):
    @unittest.skipIf(pydantic is None, "pydantic is not installed")
    def test_a_context_schema_may_be_a_model(self) -> None:
        class User(pydantic.BaseModel):
            id: str

        for schema in (User, User.model_json_schema()):
            body, warnings = config_json({"streamAuth": {"contextSchema": schema, "authenticate": len}}, named=True)
            expected = {"contextSchema": User.model_json_schema(), "authenticate": True}
            self.assertEqual((json.loads(body)["streamAuth"], warnings), (expected, []))
