"""What ctx.emit, ctx.state and ctx.streams put on the wire, and what they give back."""

from __future__ import annotations

import unittest
from copy import copy
from typing import Any, Callable, Optional

from motia._worker import frames

from .support.engine import API, Engine, Refused, step

# Steps that run the code they are sent, so that each test shows its own.
BEFORE = "import asyncio, textwrap, datetime\nfrom datetime import timedelta, timezone"
RUN = step(
    """(req, ctx):
        scope = dict(globals(), ctx=ctx, emit=ctx.emit, state=ctx.state, streams=ctx.streams)
        exec('async def run():\\n' + textwrap.indent(req.body.code, '  '), scope)
        return {'status': 200, 'body': {'result': await scope['run']()}}
    """,
    API,
    BEFORE,
)
THREAD = step(
    """def handler(req, ctx):
        scope = dict(globals(), ctx=ctx, emit=ctx.emit, state=ctx.state, streams=ctx.streams)
        exec('def run():\\n' + textwrap.indent(req.body.code, '  '), scope)
        return {'status': 200, 'body': {'result': scope['run']()}}
    """,
    API,
    BEFORE,
)


class Base(unittest.TestCase):
    engine: Engine

    @classmethod
    def setUpClass(cls) -> None:
        cls.engine = Engine({"run_step.py": RUN, "thread_step.py": THREAD}, streams=["chat", "get"])
        cls.engine.load_all("run_step.py", "thread_step.py")

    @classmethod
    def tearDownClass(cls) -> None:
        cls.engine.close()

    def setUp(self) -> None:
        self.engine.ops.clear()
        self.engine.on_op = lambda op: None

    def answer(self, code: str, on_op: Optional[Callable[[dict[str, Any]], Any]] = None, thread: bool = False) -> Any:
        if on_op is not None:
            self.engine.on_op = on_op
        return self.engine.json("thread_step.py" if thread else "run_step.py", {"code": code})

    def result(self, code: str, on_op: Optional[Callable[[dict[str, Any]], Any]] = None, thread: bool = False) -> Any:
        answer = self.answer(code, on_op, thread)
        self.assertNotIn("error", answer)
        return answer["body"]["result"]

    def error(self, code: str, on_op: Optional[Callable[[dict[str, Any]], Any]] = None, thread: bool = False) -> Any:
        answer = self.answer(code, on_op, thread)
        self.assertIn("error", answer, answer)
        return answer["error"]

    def last(self, code: str) -> dict[str, Any]:
        """What the last operation carried."""
        self.result(code)
        return {name: value for name, value in self.engine.ops[-1].items() if name not in ("number", "call")}


class Emit(Base):
    def test_all_forms(self) -> None:
        self.assertEqual(
            self.result("return await emit({'topic': 'a', 'data': {'m': 1}})"), {"id": "", "repeated": False}
        )
        plain = {"op": "emit", "topic": "t", "value": [1]}
        for code in (
            "emit({'topic': 't', 'data': [1]})",
            "emit('t', [1])",
            "emit(topic='t', data=[1])",
            "emit({'topic': 't'}, [1])",
            "emit('t', data=[1])",
        ):
            self.assertEqual(self.last(f"await {code}"), plain, code)
            self.assertEqual(self.last(code), plain, code)
        self.assertEqual(self.last("await emit({'topic': 'd'})"), {"op": "emit", "topic": "d", "value": None})
        frame = [f for f in self.engine.frames if f.kind == frames.OP][-1]
        self.assertEqual(frame.body, b"", "no data is not null")
        self.result("await emit('d', None)")
        self.assertEqual([f for f in self.engine.frames if f.kind == frames.OP][-1].body, b"null")

    def test_groups_and_keys_in_both_spellings(self) -> None:
        for group, key in (("messageGroupId", "idempotencyKey"), ("message_group_id", "idempotency_key")):
            expected = {"op": "emit", "topic": "t", "group": "7", "once": "k", "value": 1}
            self.assertEqual(self.last(f"emit({{'topic': 't', 'data': 1, '{group}': 7, '{key}': 'k'}})"), expected)
            self.assertEqual(self.last(f"emit(topic='t', data=1, {group}=7, {key}='k')"), expected)
        self.assertEqual(
            self.last("emit({'topic': 'e', 'data': 1, 'messageGroupId': None})"),
            {"op": "emit", "topic": "e", "value": 1},
        )

    def test_when_and_how_urgent(self) -> None:
        plain = {"op": "emit", "topic": "t", "value": None}
        for given, sent in (
            ("'delay': '15m', 'priority': 5", {"delay": "15m", "priority": 5}),
            ("'delay': timedelta(minutes=1, milliseconds=500)", {"delay": 60.5}),
            ("'at': datetime.datetime(1970, 1, 1, 0, 0, 1, tzinfo=timezone.utc)", {"at": 1000}),
            ("'at': '2026-11-25T09:00:00Z'", {"at": "2026-11-25T09:00:00Z"}),
            ("'delay': 0, 'at': None, 'priority': None", {"delay": 0}),
        ):
            self.assertEqual(self.last(f"await emit({{'topic': 't', {given}}})"), {**plain, **sent})
        local = "datetime.datetime(2026, 1, 2, 3)"
        self.assertEqual(
            self.result(f"await emit('t', at={local}); return {local}.timestamp() * 1000"), self.engine.ops[-1]["at"]
        )

    def test_without_a_topic_it_says_so_and_nothing_more(self) -> None:
        for code in ("emit({'type': 'old', 'data': 1})", "emit({'data': 1})", "emit(data=1)", "emit()"):
            result = self.result(f"return await {code}")
            self.assertEqual(result, {"id": "", "repeated": False})
        self.assertEqual(self.engine.ops, [])
        self.assertRegex(self.engine.logs[0]["message"], "^emit was called without a topic")
        self.assertEqual(self.engine.logs[0]["details"], {"members": ["type", "data"]})

    def test_it_gives_the_event_which_can_be_taken_back(self) -> None:
        answers: dict[str, Any] = {"emit": {"id": "7-1", "repeated": True}, "cancel": 1}
        code = "event = await emit('t'); return [event, event.id, event.repeated, await event.cancel(), await ctx.events.cancel('8-1')]"
        self.assertEqual(
            self.result(code, lambda op: answers[op["op"]]), [{"id": "7-1", "repeated": True}, "7-1", True, True, True]
        )
        self.assertEqual([op.get("event") for op in self.engine.ops], [None, "7-1", "8-1"])
        answers["cancel"] = 0
        self.assertIs(self.result("return await ctx.events.cancel('8-1')"), False)


class State(Base):
    def test_each_operation(self) -> None:
        at = {"group": "g", "key": "k"}
        for code, op in (
            ("get('g', 'k')", {"op": "state.get", **at, "value": None}),
            ("set('g', 'k', 1)", {"op": "state.set", **at, "value": 1}),
            ("set('g', 'k', None)", {"op": "state.set", **at, "value": None}),
            ("set('g', 'k', 1, {'ttl': '1m'})", {"op": "state.set", **at, "ttl": "1m", "value": 1}),
            ("set('g', 'k', 1, ttl=timedelta(hours=1))", {"op": "state.set", **at, "ttl": 3600.0, "value": 1}),
            ("set('Org/repo', 42, 1)", {"op": "state.set", "group": "Org/repo", "key": "42", "value": 1}),
            ("delete('g', 'k')", {"op": "state.delete", **at, "value": None}),
            ("clear('g')", {"op": "state.clear", "group": "g", "value": None}),
            ("entry('g', 'k')", {"op": "state.entry", **at, "value": None}),
            ("set_if_revision('g', 'k', 2, 7)", {"op": "state.setIf", **at, "expected": 7, "value": 2}),
            ("setIfRevision('g', 'k', 2, None, ttl=5)", {"op": "state.setIf", **at, "ttl": 5, "value": 2}),
            (
                "update('g', 'k', [{'type': 'increment'}])",
                {"op": "state.update", **at, "value": [{"type": "increment"}]},
            ),
            ("list_keys('g')", {"op": "state.listKeys", "group": "g", "value": None}),
            ("listKeys('g')", {"op": "state.listKeys", "group": "g", "value": None}),
            ("list_groups()", {"op": "state.listGroups", "value": None}),
            ("listGroups()", {"op": "state.listGroups", "value": None}),
            ("get_group('g')", {"op": "state.getGroup", "group": "g", "value": None}),
            ("getGroup('g')", {"op": "state.getGroup", "group": "g", "value": None}),
        ):
            self.assertEqual(self.last(f"await state.{code}"), op, code)
        self.assertEqual(self.last("await ctx.sync()"), {"op": "sync", "value": None})

    def test_values_are_plain_and_have_attributes(self) -> None:
        value = {"user": {"name": "Ada"}, "list": [{"n": 1}]}
        code = "user = await state.get('g', 'k'); return [user.user.name, user['list'][0].n, user == {**user}]"
        self.assertEqual(self.result(code, lambda op: value), ["Ada", 1, True])
        self.assertIsNone(self.result("return await state.get('g', 'k')", lambda op: None))
        self.assertEqual(self.result("return (await state.set('g', 'k', {'a': 1}))"), {"a": 1})
        self.assertEqual(self.result("return await state.delete('g', 'k')", lambda op: "old"), "old")
        code = "return (await state.entry('g', 'k')).revision"
        self.assertEqual(self.result(code, lambda op: {"value": 1, "revision": 9}), 9)

    def test_only_what_get_gives_is_also_found_under_data(self) -> None:
        value = {"n": 1}
        ask = "return ['data' in {0}, {0}.get('data', {{}}).get('n')]"
        for thread, get in ((False, "await state.get('g', 'k')"), (True, "state.get('g', 'k').result()")):
            self.assertEqual(self.result(f"x = {get}\n{ask.format('x')}", lambda op: value, thread), [True, 1])
        for other in (
            "(await state.set('g', 'k', {'n': 1}))",
            "(await state.delete('g', 'k'))",
            "(await state.update('g', 'k', []))",
            "(await state.get_group('g'))[0]",
            "(await streams.chat.get('g', 'k'))",
        ):
            code = f"x = {other}\n{ask.format('x')}"
            reply = lambda op: [value] if op["op"] == "state.getGroup" else dict(value)
            self.assertEqual(self.result(code, reply), [False, None], other)

    def test_a_value_goes_out_as_it_was_stored(self) -> None:
        value = {"topic": "t", "type": "typing"}
        get = "x = await state.get('g', 'k')\n"
        for code, sent in (
            ("await state.set('g', 'k', x)", value),
            ("await state.set('g', 'k', x['data'])", value),
            ("await state.set('g', 'k', {'x': [x.data]})", {"x": [value]}),
            ("await emit('t', x)", value),
            ("await emit({'topic': 't', 'data': x['data']})", value),
            ("await emit(x)", None),
            ("await streams.chat.send({'groupId': 'r'}, x)", {"type": "typing", "data": None}),
            ("await streams.chat.set('r', 'i', x)", value),
        ):
            self.result(get + code, lambda op: dict(value) if op["op"] == "state.get" else None)
            self.assertEqual(self.engine.ops[-1]["value"], sent, code)
        self.assertEqual(self.result(get + "return x", lambda op: value), value)

    def test_integers_of_any_size_are_exact(self) -> None:
        big = 2**80 + 1
        self.assertEqual(self.result(f"return await state.set('g', 'k', {big})"), big)
        self.assertEqual(self.engine.ops[-1]["value"], big)
        self.assertEqual(self.result("return await state.get('g', 'k') + 1", lambda op: big), big + 1)


class Streams(Base):
    def test_items_come_back_with_their_mark_and_go_without_it(self) -> None:
        stored = {"text": "hi", "id": "m1", "_createdAt": 1}
        item = {**stored, "__motia": {"type": "state-stream", "streamName": "chat", "groupId": "room", "id": "m1"}}
        code = """
item = await streams.chat.get('room', 'm1')
item["text"] = 'ho'
return await streams['chat'].set('room', 'm1', item)"""
        self.assertEqual(self.result(code, lambda op: dict(stored)), item)
        op = {name: value for name, value in self.engine.ops[-1].items() if name not in ("number", "call")}
        expected = {"text": "ho", "id": "m1", "_createdAt": 1}
        self.assertEqual(op, {"op": "stream.set", "stream": "chat", "group": "room", "id": "m1", "value": expected})
        for method in ("get_group", "getGroup"):
            self.assertEqual(
                self.result(f"return await streams.chat.{method}('room')", lambda op: [dict(stored)]), [item]
            )
        self.assertEqual(self.result("return await streams.chat.delete('room', 'm1')", lambda op: dict(stored)), item)
        self.assertIsNone(self.result("return await streams.chat.get('room', 'm1')", lambda op: None))

    def test_update_query_and_clear(self) -> None:
        stored = {"text": "hi", "id": "m1", "_createdAt": 1}
        item = {**stored, "__motia": {"type": "state-stream", "streamName": "chat", "groupId": "7", "id": "m1"}}
        asked = {"where": {"done": False, "due": {"lt": 5}, "by.name": None}, "order": ["-due", "title"], "limit": 10}
        at = {"stream": "chat", "group": "7"}
        for code, reply, result, op in (
            (
                "update(7, 'm1', [{'type': 'increment', 'path': 'n'}])",
                stored,
                item,
                {"op": "stream.update", **at, "id": "m1", "value": [{"type": "increment", "path": "n"}]},
            ),
            (
                "update(7, 'm1', [{'type': 'remove'}])",
                None,
                None,
                {"op": "stream.update", **at, "id": "m1", "value": [{"type": "remove"}]},
            ),
            (f"query(7, {asked!r})", [stored], [item], {"op": "stream.query", **at, "value": asked}),
            ("query(7, None)", [], [], {"op": "stream.query", **at, "value": None}),
            ("clear(7)", 3, 3, {"op": "stream.clear", **at, "value": None}),
        ):
            for thread, call in ((False, f"await streams.chat.{code}"), (True, f"streams.chat.{code}.result()")):
                self.assertEqual(self.result(f"return {call}", lambda _, reply=reply: copy(reply), thread), result)
                self.assertEqual(
                    {name: value for name, value in self.engine.ops[-1].items() if name not in ("number", "call")}, op
                )
        self.result("await streams.chat.query('room')", lambda op: [])
        self.assertEqual([f for f in self.engine.frames if f.kind == frames.OP][-1].body, b"", "no query is not null")
        code = "found = await streams.chat.query('room'); return [found[0].text, found[0]['text']]"
        self.assertEqual(self.result(code, lambda op: [stored]), ["hi", "hi"])
        refused = Refused("bad-query", "where 'a': there is no test 'b'")
        error = self.error("streams.chat.query('room', {'where': {'a': {'b': 1}}})", lambda op: refused)
        self.assertEqual(error["code"], "bad-query")

    def test_send_with_and_without_an_item(self) -> None:
        code = "await streams.chat.send({'groupId': 'room'}, {'type': 'typing', 'data': {'who': 'ada'}})"
        value = {"type": "typing", "data": {"who": "ada"}}
        self.assertEqual(self.last(code), {"op": "stream.send", "stream": "chat", "group": "room", "value": value})
        self.assertEqual(self.last("streams.chat.send({'group_id': 'room', 'id': 5}, {'type': 't'})")["id"], "5")

    def test_a_stream_may_be_called_like_a_method(self) -> None:
        self.assertEqual(self.last("await streams.get.get('g', 'i')")["stream"], "get")

    def test_one_that_does_not_exist(self) -> None:
        error = self.error("streams.nope")
        self.assertEqual(
            [error["name"], error["message"]], ["AttributeError", "there is no stream 'nope'; there are chat, get"]
        )
        self.assertEqual(self.error("streams['nope']")["name"], "KeyError")


class Mistakes(Base):
    def test_names_that_are_no_text_are_named(self) -> None:
        for code, message in (
            ("state.get('g', None)", "state.get: key must be a string, not None"),
            ("state.set({}, 'k', 1)", "state.set: group must be a string, not a dict"),
            ("state.set(True, 'k', 1)", "state.set: group must be a string, not True"),
            ("streams.chat.get(None, 'k')", "stream.get: group must be a string, not None"),
            ("streams.chat.update('g', None, [])", "stream.update: id must be a string, not None"),
            ("streams.chat.query({'where': {}})", "stream.query: group must be a string, not a dict"),
            ("streams.chat.clear(None)", "stream.clear: group must be a string, not None"),
            ("streams.chat.send({}, {})", "stream.send: group must be a string, not None"),
            ("emit({'topic': ['a']})", "emit: topic must be a string, not a list"),
            ("emit({'topic': 't', 'messageGroupId': {}})", "emit: group must be a string, not a dict"),
        ):
            for await_ in ("await ", ""):
                error = self.error(await_ + code)
                self.assertEqual([error["name"], error["message"]], ["TypeError", message])
        self.assertIn("too long to be sent", self.error("emit({'topic': 'x' * 900_000})")["message"])
        self.assertEqual(self.engine.ops, [])

    def test_what_json_or_utf_8_cannot_hold_is_refused(self) -> None:
        half = "contains half a surrogate pair, which is no Unicode text"
        for code, message in {
            "emit({'topic': 't', 'delay': float('nan')})": "emit: delay must not be nan",
            "emit('t', None, at=float('inf'))": "emit: at must not be inf",
            "state.set('g', 'k', 1, ttl=float('nan'))": "state.set: ttl must not be nan",
            "emit({'topic': 't', 'idempotencyKey': 'x\\ud800'})": f"emit: once {half}",
            "state.set('lone\\ud801', 'k', 1)": f"state.set: group {half}",
            "streams.chat.query('g', {'limit': float('nan')})": "stream.query: data.limit is nan, which JSON cannot hold",
        }.items():
            self.assertEqual(self.error(f"await {code}")["message"], message)
        self.assertEqual(self.engine.ops, [])
        self.assertIn("revision", self.error("await state.set_if_revision('g', 'k', 2)")["message"])

    def test_an_operation_is_not_its_value(self) -> None:
        says = "state.get returns something to wait for, not the value: await it, or call .result() in a handler that is not async"
        for thread in (False, True):
            for code in ("['a']", ".name", ".get('a')"):
                error = self.error(f"state.get('g', 'k'){code}", thread=thread)
                self.assertEqual([error["name"], error["message"]], ["TypeError", says])
            for code in ("list(state.get('g', 'k'))", "len(state.get('g', 'k'))", "'a' in state.get('g', 'k')"):
                self.assertEqual(self.error(code, thread=thread)["message"], says)
            self.assertIs(self.result("return bool(state.get('g', 'k'))", thread=thread), True)

    def test_one_that_is_put_into_data_is_named(self) -> None:
        error = self.error("await state.set('g', 'k', {'a': [state.get('g', 'x')]})")
        self.assertEqual(error["message"], "state.set: data.a[0] is an Operation, which JSON cannot hold; await it")


class Waiting(Base):
    def test_every_way_to_wait(self) -> None:
        values = """
a = state.get('g', 'a')
found = [await a, await a, await asyncio.create_task(state.get('g', 'b')), await asyncio.ensure_future(state.get('g', 'c'))]
found += await asyncio.gather(state.get('g', 'd'), state.get('g', 'e'))
found.append(await asyncio.wait_for(state.get('g', 'f'), 5))
done, _ = await asyncio.wait([state.get('g', 'h')])
found += [one.result() for one in done]
for one in asyncio.as_completed([state.get('g', 'i')]):
    found.append(await one)
found.append(await asyncio.shield(state.get('g', 'j')))
return found"""
        self.assertEqual(self.result(values, lambda op: op["key"]), list("aabcdefhij"))

    def test_in_a_thread(self) -> None:
        values = """
async def own_loop():
    found = [await state.get('g', 'a'), await asyncio.create_task(state.get('g', 'b'))]
    found += await asyncio.gather(state.get('g', 'c'), state.get('g', 'd'))
    return found + [await asyncio.wait_for(state.get('g', 'e'), 5)]
f = state.get('g', 'f')
return [*asyncio.run(own_loop()), f.result(), f.result(5), f.done()]"""
        self.assertEqual(self.result(values, lambda op: op["key"], thread=True), [*"abcdeff", True])

    def test_in_a_thread_nobody_has_to_wait(self) -> None:
        self.result("emit({'topic': 't', 'data': 1}); state.set('g', 'k', 2)", thread=True)
        self.assertEqual([op["value"] for op in self.engine.ops], [1, 2])
        refused = Refused("no", "not now")
        error = self.error("emit('t', 1)", lambda op: refused, thread=True)
        self.assertEqual(error["code"], "no")
        self.assertIn("line 2, in run", error["stack"])
        code = "try:\n    emit('t', 1).result()\nexcept Exception as error:\n    return error.code"
        self.assertEqual(self.result(code, thread=True), "no")

    def test_a_result_that_does_not_come_in_time(self) -> None:
        from .support.engine import HOLD

        held: list[Any] = []
        code = """
operation = state.get('g', 'k')
try:
    operation.result(0.01)
except TimeoutError as error:
    emit('told')
    return [str(error), operation.result(5)]"""
        self.engine.on_op = lambda op: HOLD if op["op"] == "state.get" and not held.append(op) else None
        number = self.engine.start("thread_step.py", {"content": "json"}, __import__("json").dumps({"code": code}))
        self.engine.op("emit")
        self.engine.reply(held[0]["number"], 7)
        self.assertIn(b"was not answered in 0.01 s", self.engine.result(number).body)

    def test_one_that_is_cancelled_by_its_waiter_harms_nothing(self) -> None:
        code = """
operation = state.get('g', 'k')
try:
    await asyncio.wait_for(operation, 0.01)
except asyncio.TimeoutError:
    pass
return await state.get('g', 'again')"""
        import threading

        def late(op: dict[str, Any]) -> Any:
            if op.get("key") != "k":
                return op["key"]
            threading.Timer(0.05, lambda: self.engine.reply(op["number"], 1)).start()
            from .support.engine import HOLD

            return HOLD

        self.assertEqual(self.result(code, late), "again")

    def test_operations_leave_in_the_order_in_which_they_were_made(self) -> None:
        code = """
import threading
many = [state.set('g', f'k{n}', 'x' * 50_000 if n % 7 == 0 else n) for n in range(50)]
await asyncio.gather(*many)"""
        self.result(code)
        self.assertEqual([op["key"] for op in self.engine.ops], [f"k{n}" for n in range(50)])

    def test_long_data_and_long_replies_travel_in_pieces(self) -> None:
        for thread, wait in ((False, "await {}"), (True, "{}.result()")):
            self.engine.ops.clear()
            code = (
                f"{wait.format('state.set(1, 2, chr(120) * 3_000_000)')}\nreturn len({wait.format('state.get(1, 2)')})"
            )
            result = self.result(code, lambda op: "ž" * 2_000_000 if op["op"] == "state.get" else None, thread)
            self.assertEqual(result, 2_000_000)
            self.assertEqual(len(self.engine.ops[0]["value"]), 3_000_000)

    def test_a_long_operation_that_is_refused_early_is_not_sent_to_its_end(self) -> None:
        before = len(self.engine.frames)
        # On a busy machine all of it may have come before it is refused, unless it has to wait here.
        self.engine.granting = False
        self.addCleanup(setattr, self.engine, "granting", True)
        number = self.engine.start(
            "run_step.py", {"content": "json"}, "{\"code\": \"await emit('t', 'x' * 5_000_000)\"}"
        )
        op = self.engine.frame(lambda f: f.kind == frames.OP, since=before).id
        self.engine.reply(op, Refused("too-large", "an event has at most 4 MB"))
        self.assertEqual(self.engine.result(number).meta["error"]["code"], "too-large")
        self.engine.frame(lambda f: f.kind == frames.ABORT and f.id == op and f.flags == 0)
