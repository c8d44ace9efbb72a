"""Who comes and goes: `onJoin` and `onLeave` of streams."""

from __future__ import annotations

import json
import textwrap
import unittest
from typing import Any, Optional

from motia._worker import frames
from motia._worker.access import with_one_name

from .support.engine import HOLD, Engine, Refused, step


def stream(text: str, members: str) -> str:
    """Text of a stream file, with what goes into its config."""
    return f'{textwrap.dedent(text)}\nconfig = {{"name": "chat", "schema": {{}}, {members}}}\n'


FILES = {
    "room_stream.py": stream(
        """
        async def came(subscription, user, ctx):
            about = {"group": subscription.groupId, "id": subscription.get("id"), "user": user.name}
            ctx.logger.info("came", {**about, "trace": ctx.trace_id, "flows": ctx.flows})
            await ctx.emit({"topic": "chat.joined", "data": {"group": subscription.groupId}})
            await ctx.streams.chat.set(subscription.groupId, user["name"], {"here": True})
            await ctx.sync()
            return {"dropped": True}

        def went(subscription, user, ctx):
            ctx.state.delete("here", user.name).result()
        """,
        '"on_join": came, "on_leave": went',
    ),
    "camel_stream.py": stream(
        "def came(subscription):\n    print('came', subscription.groupId)", '"onJoin": came, "onLeave": None'
    ),
    "names_stream.py": stream(
        """
        def came(subscription, *, ctx, context):
            print(context.name, ctx.trace_id)

        class Went:
            async def __call__(self, *all):
                print(len(all), all[1])
        """,
        '"on_join": came, "onLeave": Went()',
    ),
    "raises_stream.py": stream(
        """
        def came(subscription, user):
            raise OverflowError("full")

        async def went(subscription, user):
            return user["name"]
        """,
        '"on_join": came, "on_leave": went',
    ),
    "lost_stream.py": stream("async def came(_, user, ctx):\n    ctx.emit({'topic': 'unheard'})", '"on_join": came'),
    "sleeps_stream.py": stream(
        "import asyncio\nasync def came():\n    print('sleeping')\n    await asyncio.sleep(60)", '"on_join": came'
    ),
    "both_stream.py": stream("", '"can_access": lambda *both: len(both) == 2, "on_leave": print'),
    "guarded_stream.py": stream("", '"canAccess": lambda: True'),
    "exits_stream.py": stream("import sys", '"onLeave": lambda: sys.exit(3)'),
    "a_step.py": step("(req, ctx):\n    return {'status': 200, 'body': True}"),
}


class Hooks(unittest.TestCase):
    engine: Engine
    loaded: dict[str, dict[str, Any]]

    @classmethod
    def setUpClass(cls) -> None:
        cls.engine = Engine(FILES)
        cls.addClassCleanup(cls.engine.close)
        cls.engine.send(frames.STREAMS, 0, 0, None, b'["chat"]')
        cls.engine.on_op = cls.answer
        cls.loaded = cls.engine.load(*FILES)
        for source, answer in cls.loaded.items():
            assert "refused" not in answer, (source, answer)

    @staticmethod
    def answer(op: dict[str, Any]) -> Any:
        if op.get("topic") == "unheard":
            return Refused("store-failed", "the disk is full")
        if op["op"] == "state.delete":
            return HOLD
        return {"emit": {"id": "e1"}, "stream.set": {"id": "ada", "here": True}}.get(op["op"])

    def start(self, kind: str, source: str, context: Any = None, item: Optional[str] = None) -> int:
        subscription = {"groupId": "g"} if item is None else {"groupId": "g", "id": item}
        visit = json.dumps({"subscription": subscription, "context": context})
        return self.engine.start(source, {"kind": kind}, visit)

    def tell(self, *visit: Any) -> Any:
        return self.engine.result(self.start(*visit)).meta

    def test_on_join_gets_what_is_watched_who_it_is_and_a_context(self) -> None:
        number = self.start("join", "room_stream.py", {"name": "ada"}, "i")
        result = self.engine.result(number)
        self.assertEqual((result.meta, result.body), ({}, b""))
        line = self.engine.log_of("came")
        self.assertEqual([line["call"], line["source"]], [number, "logger"])
        expected = {"group": "g", "id": "i", "user": "ada", "trace": "AUSDA-1060748", "flows": []}
        self.assertEqual(line["details"], expected)
        ops = [(op["op"], op.get("topic") or op.get("group")) for op in self.engine.ops if op["call"] == number]
        self.assertEqual(ops, [("emit", "chat.joined"), ("stream.set", "g"), ("sync", None)])

    def test_on_leave_as_well_and_plain_functions_run_in_a_thread(self) -> None:
        number = self.start("leave", "room_stream.py", {"name": "ada"})
        op = self.engine.op("state.delete")
        self.assertEqual((op["call"], op["key"]), (number, "ada"))
        self.assertEqual(self.tell("join", "camel_stream.py"), {})
        self.engine.reply(op["number"], None)
        self.assertEqual(self.engine.result(number).meta, {})

    def test_they_get_as_much_as_they_take_by_name_too(self) -> None:
        self.assertEqual(self.tell("join", "camel_stream.py"), {})
        self.engine.log_of("came g")
        self.assertEqual(self.tell("join", "names_stream.py", {"name": "eve"}), {})
        self.engine.log_of("eve AUSDA-1060748")
        self.assertEqual(self.tell("leave", "names_stream.py"), {})
        self.engine.log_of("3 None")

    def test_what_they_raise_is_an_error_with_the_users_line(self) -> None:
        error = self.tell("join", "raises_stream.py")["error"]
        self.assertEqual([error["name"], error["message"]], ["OverflowError", "full"])
        self.assertIn('raises_stream.py", line 3, in came', error["stack"])
        self.assertEqual(self.tell("leave", "raises_stream.py")["error"]["name"], "TypeError")
        self.assertEqual(self.tell("join", "lost_stream.py")["error"]["message"], "the disk is full")

    def test_a_timeout_cancels_them(self) -> None:
        number = self.start("join", "sleeps_stream.py")
        self.engine.log(lambda meta: meta["message"] == "sleeping" and meta.get("call") == number)
        self.engine.send(frames.CANCEL, 0, number, {"reason": "timeout"})
        self.assertEqual(self.engine.result(number).meta["error"]["message"], "the call took too long")

    def test_can_access_is_asked_as_ever(self) -> None:
        answer = self.engine.result(self.start("access", "both_stream.py"))
        self.assertEqual((answer.meta, answer.body), ({"type": "json"}, b"true"))

    def test_a_file_is_called_only_for_what_it_has(self) -> None:
        for kind, source, message in (
            ("leave", "camel_stream.py", "camel_stream.py has no onLeave"),
            ("access", "camel_stream.py", "camel_stream.py has no canAccess"),
            ("join", "guarded_stream.py", "guarded_stream.py has no onJoin"),
            ("join", "a_step.py", "a_step.py has no onJoin"),
            ("leave", "nope_stream.py", "nope_stream.py is not loaded"),
            ("event", "camel_stream.py", "camel_stream.py has no handler"),
            ("storage", "camel_stream.py", "camel_stream.py has no custom storage"),
            ("dance", "a_step.py", "a_step.py has nothing for calls of the kind 'dance'"),
        ):
            self.assertEqual(self.tell(kind, source), {"error": {"message": message, "code": "step-unknown"}})

    def test_imported_names_them_in_the_config_and_handler_tells_of_can_access_alone(self) -> None:
        names = ("canAccess", "onJoin", "onLeave", "can_access", "on_join", "on_leave")

        def of(source: str) -> Any:
            answer = self.loaded[source]
            config = answer["config"]
            return answer["handler"], {name: config[name] for name in names if name in config}, answer["warnings"]

        self.assertEqual(of("room_stream.py"), (False, {"onJoin": True, "onLeave": True}, []))
        self.assertEqual(of("names_stream.py"), (False, {"onJoin": True, "onLeave": True}, []))
        self.assertEqual(of("camel_stream.py"), (False, {"onJoin": True, "onLeave": None}, []))
        self.assertEqual(of("both_stream.py"), (True, {"canAccess": True, "onLeave": True}, []))
        self.assertEqual(of("guarded_stream.py"), (True, {"canAccess": True}, []))

    def test_of_two_names_the_one_that_says_something_counts(self) -> None:
        config = {"on_join": None, "onJoin": len, "on_leave": len, "onLeave": print, "name": "chat"}
        self.assertEqual(with_one_name(config), {"onJoin": len, "onLeave": print, "name": "chat"})


class RefusedFiles(unittest.TestCase):
    def test_what_is_no_function(self) -> None:
        files = {
            "text_stream.py": stream("", '"on_join": "greet"'),
            "false_stream.py": stream("", '"onLeave": False'),
        }
        with Engine(files) as engine:
            loaded = engine.load(*files)
            messages = [loaded[source]["refused"]["message"] for source in files]
        must = "must be a function, but it is"
        self.assertEqual(messages, [f"config.onJoin {must} the string 'greet'", f"config.onLeave {must} False"])

    def test_an_exit_fails_its_call_and_the_worker_retires(self) -> None:
        with Engine(FILES) as engine:
            engine.load_all("exits_stream.py")
            visit = '{"subscription": {"groupId": "g"}, "context": null}'
            answer = engine.call("exits_stream.py", {"kind": "leave"}, visit)
            self.assertIn("sys.exit(3) was called", answer.meta["error"]["message"])
            retired = engine.frame(lambda f: f.kind == frames.RETIRE)
            self.assertIn("in exits_stream.py", retired.meta["reason"])
