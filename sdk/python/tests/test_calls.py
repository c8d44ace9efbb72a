"""Calls, from CALL to RESULT: handlers, middleware, operations, cancellation."""

from __future__ import annotations

import json
import time
import unittest
from typing import Any, Optional

from motia._worker import frames
from motia._worker.frames import ANSWER, MORE

from .support.engine import API, HOLD, Engine, Refused, step

FAILED = Refused("store-failed", "the disk is full")

FILES = {
    "echo_step.py": step("(req, ctx):\n    return {'status': 200, 'body': req}"),
    "throws_step.py": step(
        """(req, ctx):
            def deeper():
                raise Broken('broken') from ValueError('why')
            deeper()
        """,
        before="class Broken(Exception):\n    code = 'E_X'",
    ),
    "nothing_step.py": step("(req, ctx):\n    pass"),
    "event_step.py": step(
        """(input, ctx):
            ctx.logger.info('got', {'input': input, 'flows': ctx.flows})
            return {'status': 'dropped'}
        """,
        '"type": "event", "name": "E", "subscribes": ["x"], "emits": [], "flows": ["f1"]',
    ),
    "cron_step.py": step(
        "(ctx):\n    ctx.logger.info('tick', {'trace': ctx.trace_id, 'camel': ctx.traceId})",
        '"type": "cron", "name": "C", "cron": "* * * * *", "emits": []',
    ),
    "layers_step.py": step(
        """(req, ctx):
            req.trail.append('handler')
            return {'status': 200, 'body': {'user': ctx.user, 'again': ctx['user'], 'of_req': req.user.name}}
        """,
        '"type": "api", "name": "L", "middleware": [outer, inner, plain]',
        """
        from motia import Bag
        async def outer(req, ctx, next_fn):
            req['trail'] = ['outer']
            req['user'] = Bag(name='ada')
            ctx.user = 'ada'
            response = await next_fn()
            return {**response, 'headers': {'x-trail': ','.join(req['trail'])}}
        async def inner(req, ctx, next_fn):
            req.trail.append('inner')
            return await next_fn()
        def plain(req, ctx, next_fn):
            req.trail.append('plain')
            return next_fn()
        """,
    ),
    "waits_layer_step.py": step(
        "(req, ctx):\n    return {'status': 201}",
        '"type": "api", "name": "W", "middleware": [plain]',
        """
        def plain(req, ctx, next_fn):
            return {**next_fn().result(5), 'body': 'seen'}
        """,
    ),
    "short_step.py": step(
        "(req, ctx):\n    raise Exception('must not run')",
        '"type": "api", "name": "S", "middleware": [guard]',
        "async def guard(req, ctx, next_fn):\n    return {'status': 401, 'body': {'error': 'who are you'}}",
    ),
    "twice_step.py": step(
        "(req, ctx):\n    return {'status': 200}",
        '"type": "api", "name": "T", "middleware": [twice]',
        "async def twice(req, ctx, next_fn):\n    await next_fn()\n    return await next_fn()",
    ),
    "forgot_step.py": step(
        "(req, ctx):\n    return {'status': 200}",
        '"type": "api", "name": "F", "middleware": [forgot]',
        "async def forgot(req, ctx, next_fn):\n    await next_fn()",
    ),
    "context_step.py": step(
        """(req, ctx):
            same = ctx['logger'] is ctx.logger and ctx.get('emit') == ctx.emit and ctx.get('nope', 7) == 7
            try:
                ctx['nope']
            except KeyError:
                missing = True
            return {'status': 200, 'body': {
                'same': same, 'missing': missing, 'truthy': bool(ctx), 'streams': bool(ctx.streams), 'keys': list(ctx),
                'default': getattr(ctx, 'nope', None), 'known': 'chat' in ctx.streams, 'traceparent': ctx.traceparent,
                'chat': repr(ctx.streams.chat), 'by_key': repr(ctx.streams['chat']), 'unknown': ctx.streams.get('nope'),
                'attribute': getattr(ctx.streams, 'nope', 'none'),
            }}
        """
    ),
    "one_step.py": step("(req):\n    return {'status': 200, 'body': req.body}"),
    "none_step.py": step("():\n    return {'status': 204}"),
    "defaults_step.py": step("(req, ctx=None):\n    return {'status': 200, 'body': ctx.trace_id}"),
    "named_step.py": step("(req, *, ctx):\n    return {'status': 200, 'body': [req.body.a, ctx.trace_id]}"),
    "named_plain_step.py": step(
        "def handler(req, *, context=None, more=7):\n    return {'status': 200, 'body': [req.body.a, context.trace_id, more]}"
    ),
    "named_cron_step.py": step(
        "(*, ctx):\n    ctx.logger.info('named tick')", '"type": "cron", "name": "C", "cron": "* * * * *", "emits": []'
    ),
    "named_layer_step.py": step(
        "(*, ctx):\n    return {'status': 200, 'body': [ctx.seen]}",
        '"type": "api", "name": "S", "middleware": [layer]',
        "async def layer(req, *, ctx, next_fn):\n    ctx.seen = req.body.a\n    return await next_fn()",
    ),
    "any_step.py": step("(*args, **kwargs):\n    return {'status': 200, 'body': len(args)}"),
    "object_step.py": step(
        "(req):\n    ...",
        before="",
    ).replace("async def handler(req):\n    ...", "")
    + """
class Handler:
    async def __call__(self, req, ctx):
        return {'status': 200, 'body': 'object'}
handler = Handler()
""",
    "wrapped_step.py": """
        import functools
        def logged(function):
            @functools.wraps(function)
            def wrapper(*args, **kwargs):
                return function(*args, **kwargs)
            return wrapper
        config = {"type": "api", "name": "S"}
        @logged
        async def handler(req, ctx):
            return {'status': 200, 'body': 'wrapped'}
        """,
    "awaits_step.py": step("(req, ctx):\n    await ctx.emit({'topic': 't', 'data': 1})\n    return {'status': 200}"),
    "forgets_step.py": step("(req, ctx):\n    ctx.emit({'topic': 't', 'data': 1})\n    return {'status': 200}"),
    "task_step.py": step(
        """(req, ctx):
            async def send():
                await ctx.emit({'topic': 't'})
            asyncio.create_task(send())
            await asyncio.sleep(0)
            return {'status': 200}
        """,
        before="import asyncio",
    ),
    "watched_step.py": step(
        """(req, ctx):
            async def careful():
                try:
                    await ctx.emit('t')
                except motia.OperationError:
                    pass
            asyncio.create_task(careful())
            await asyncio.sleep(0)
            return {'status': 200, 'body': 'fine'}
        """,
        before="import asyncio, motia",
    ),
    "caught_step.py": step(
        """(req, ctx):
            try:
                await ctx.emit({'topic': 't'})
            except motia.OperationError as error:
                return {'status': 200, 'body': [error.code, str(error)]}
        """,
        before="import motia",
    ),
    "turn_step.py": step(
        """(req, ctx):
            operation = ctx.emit({'topic': 't'})
            await asyncio.sleep(0.1)
            codes = []
            for _ in range(2):
                try:
                    await operation
                except Exception as error:
                    codes.append(error.code)
            return {'status': 200, 'body': codes}
        """,
        before="import asyncio",
    ),
    "gathered_step.py": step(
        """(req, ctx):
            found = await asyncio.gather(ctx.emit('a'), ctx.emit('b'), return_exceptions=True)
            return {'status': 200, 'body': [type(error).__name__ for error in found]}
        """,
        before="import asyncio",
    ),
    "late_step.py": step(
        """(req, ctx):
            async def later():
                await asyncio.sleep(0.05)
                await ctx.state.set('g', 'k', 1)
                ctx.logger.info('late')
                print('later')
            asyncio.get_running_loop().create_task(later())
            return {'status': 200}
        """,
        before="import asyncio",
    ),
    "late_fails_step.py": step(
        """(req, ctx):
            asyncio.get_running_loop().call_later(0.02, lambda: ctx.emit({'topic': 'late'}))
            return {'status': 200}
        """,
        before="import asyncio",
    ),
    "signal_step.py": step(
        """(req, ctx):
            ctx.logger.info('listening')
            await ctx.signal.wait()
            return {'status': 200, 'body': [type(ctx.signal.reason).__name__, str(ctx.signal.reason)]}
        """
    ),
    "sleeps_step.py": step(
        """(req, ctx):
            ctx.logger.info('sleeping')
            try:
                await asyncio.sleep(60)
            finally:
                await ctx.state.set('g', 'cleaned', ctx.signal.aborted)
            return {'status': 200}
        """,
        before="import asyncio",
    ),
    "stubborn_step.py": step(
        """(req, ctx):
            try:
                ctx.logger.info('sleeping')
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                return {'status': 200, 'body': str(ctx.signal.reason)}
        """,
        before="import asyncio",
    ),
    "polls_step.py": step(
        """def handler(req, ctx):
            ctx.logger.info('polling')
            while True:
                time.sleep(0.01)
                ctx.signal.raise_if_aborted()
        """,
        before="import time",
    ),
    "cancelled_step.py": step(
        """(req, ctx):
            task = asyncio.create_task(asyncio.sleep(9))
            task.cancel()
            await task
        """,
        before="import asyncio",
    ),
    "panics_step.py": step(
        "(req, ctx):\n    raise Panic('of an extension')", before="class Panic(BaseException): pass"
    ),
    "big_step.py": step("(req, ctx):\n    return {'status': 200, 'body': req.rawBody.encode()}"),
    "huge_step.py": step("(req, ctx):\n    return {'status': 200, 'body': 'x' * 2_000_000}"),
    "nohandler_step.py": 'config = {"type": "api", "name": "N"}',
}


class Calls(unittest.TestCase):
    engine: Engine

    @classmethod
    def setUpClass(cls) -> None:
        cls.engine = Engine(FILES, streams=["chat", "__motia.logs"])
        cls.engine.load_all(*FILES)

    @classmethod
    def tearDownClass(cls) -> None:
        cls.engine.close()

    def refusing(self, source: str) -> dict[str, Any]:
        """Runs a step whose operations are all refused."""
        self.engine.on_op = lambda op: FAILED
        try:
            answer = self.engine.call(source, {"content": "json"}, "{}")
            text = answer.meta.get("type") == "text"
            return {**answer.meta, "body": answer.body if text or not answer.body else json.loads(answer.body)}
        finally:
            self.engine.on_op = lambda op: None

    def body(self, source: str, value: Any = None, meta: Optional[dict[str, Any]] = None) -> Any:
        answer = self.engine.json(source, value, meta)
        self.assertEqual(answer.get("status"), 200, answer)
        return answer["body"]

    def test_the_utils_of_the_documentation(self) -> None:
        engine = Engine(
            {"now_step.py": step("(req, ctx):\n        return {'status': 200, 'body': ctx.utils.dates.now()}", API)}
        )
        try:
            engine.load_all("now_step.py")
            self.assertRegex(engine.json("now_step.py", {})["body"], r"^20\d\d-.*\+00:00$")
        finally:
            engine.close()

    def test_the_request_has_the_five_documented_members(self) -> None:
        meta = {"params": {"id": "7"}, "query": {"a": ["1"]}, "headers": {"host": "x"}}
        body = self.body("echo_step.py", {"a": 1}, meta)
        self.assertEqual(list(body), ["body", "headers", "pathParams", "queryParams", "rawBody"])
        self.assertEqual(
            body,
            {
                "body": {"a": 1},
                "headers": {"host": "x"},
                "pathParams": {"id": "7"},
                "queryParams": {"a": ["1"]},
                "rawBody": '{"a": 1}',
            },
        )

    def test_what_was_raised_is_reported_with_the_users_line_and_not_with_ours(self) -> None:
        error = self.engine.json("throws_step.py")["error"]
        self.assertEqual([error["name"], error["message"], error["code"]], ["Broken", "broken", "E_X"])
        self.assertEqual([error["cause"]["name"], error["cause"]["message"]], ["ValueError", "why"])
        self.assertIn(f'File "{self.engine.root}/throws_step.py", line', error["stack"])
        self.assertIn("in deeper", error["stack"])
        self.assertIn("raise Broken('broken') from ValueError('why')", error["stack"])
        self.assertNotIn("sdk/python/motia", error["stack"])

    def test_a_handler_that_returns_nothing_is_told_so(self) -> None:
        message = self.engine.json("nothing_step.py")["error"]["message"]
        self.assertEqual(message, 'a handler must return {"status": 200, "body": …}, but this one returned None')

    def test_a_body_that_is_no_json_never_reaches_the_handler(self) -> None:
        for text in ('{"a":', '{"a": NaN}', "[Infinity]", "1", '"text"', "null", "{} x", " ", "[" * 100_000):
            meta = self.engine.call("echo_step.py", {"content": "json"}, text).meta
            self.assertIn("JSON", meta["invalid"], text[:20])

    def test_unknown_steps_and_steps_without_a_handler_are_refused(self) -> None:
        self.assertEqual(self.engine.json("nope_step.py")["error"]["code"], "step-unknown")
        self.assertIn("has no handler", self.engine.json("nohandler_step.py")["error"]["message"])

    def test_events_get_their_data_and_what_they_return_is_dropped(self) -> None:
        answer = self.engine.event("event_step.py", {"n": [1]})
        self.assertEqual((answer.meta, answer.body), ({}, b""))
        self.assertEqual(self.engine.event("event_step.py").meta, {})
        self.assertEqual(self.engine.event("event_step.py", "text").meta, {})
        details = [line["details"] for line in self.engine.logs if line["message"] == "got"]
        self.assertEqual([seen["input"] for seen in details], [{"n": [1]}, None, "text"])
        self.assertEqual(details[0]["flows"], ["f1"])

    def test_cron_gets_only_ctx(self) -> None:
        self.assertEqual(self.engine.call("cron_step.py", {"kind": "cron"}).meta, {})
        trace = "AUSDA-1060748"
        self.assertEqual(self.engine.log_of("tick")["details"], {"trace": trace, "camel": trace})

    def test_middleware_runs_outer_to_inner(self) -> None:
        answer = self.engine.json("layers_step.py")
        self.assertEqual(answer["body"], {"user": "ada", "again": "ada", "of_req": "ada"})
        self.assertEqual(answer["headers"], {"x-trail": "outer,inner,plain,handler"})

    def test_middleware_that_is_not_async_can_wait_for_the_rest(self) -> None:
        answer = self.engine.call("waits_layer_step.py")
        self.assertEqual((answer.meta["status"], answer.body), (201, b"seen"))

    def test_middleware_can_answer_by_itself_and_what_it_forgets_or_repeats_is_an_error(self) -> None:
        self.assertEqual(self.engine.json("short_step.py")["body"], {"error": "who are you"})
        twice = self.engine.json("twice_step.py")["error"]["message"]
        self.assertEqual(twice, "the middleware twice called next_fn() twice")
        self.assertIn("returned None", self.engine.json("forgot_step.py")["error"]["message"])

    def test_the_context_by_attribute_and_by_key(self) -> None:
        body = self.body("context_step.py", meta={"traceparent": "00-1-2-01"})
        self.assertTrue(body["same"] and body["missing"] and body["truthy"] and body["streams"] and body["known"])
        self.assertEqual([body["default"], body["unknown"], body["attribute"]], [None, None, "none"])
        self.assertEqual(body["chat"], body["by_key"])
        self.assertEqual(body["traceparent"], "00-1-2-01")
        for name in ("trace_id", "traceId", "flows", "logger", "state", "emit", "events", "streams", "sync", "signal"):
            self.assertIn(name, body["keys"])

    def test_handlers_may_declare_fewer_parameters(self) -> None:
        self.assertEqual(self.body("one_step.py", {"a": 1}), {"a": 1})
        self.assertEqual(self.engine.call("none_step.py").meta, {"status": 204, "type": "none"})
        answer = self.engine.call("defaults_step.py")
        self.assertEqual(answer.body.decode(), "AUSDA-1060748")
        self.assertEqual(self.body("any_step.py"), 2)

    def test_the_context_may_go_by_name_alone(self) -> None:
        self.assertEqual(self.body("named_step.py", {"a": 1}), [1, "AUSDA-1060748"])
        self.assertEqual(self.body("named_plain_step.py", {"a": 1}), [1, "AUSDA-1060748", 7])
        self.assertEqual(self.body("named_layer_step.py", {"a": 1}), [1])
        self.assertEqual(self.engine.call("named_cron_step.py", {"kind": "cron"}).meta, {})
        self.engine.log_of("named tick")

    def test_handlers_may_be_objects_and_decorated(self) -> None:
        self.assertEqual(self.engine.call("object_step.py").body, b"object")
        self.assertEqual(self.engine.call("wrapped_step.py").body, b"wrapped")

    def test_the_result_waits_for_operations_that_nobody_awaits(self) -> None:
        held: list[int] = []
        self.engine.on_op = lambda op: (held.append(op["number"]), HOLD)[1]
        number = self.engine.start("forgets_step.py")
        self.engine.frame(lambda f: f.kind == frames.OP and f.meta["call"] == number)
        time.sleep(0.05)
        self.assertEqual(self.engine.answer_of(number), [])
        self.engine.on_op = lambda op: None
        self.engine.reply(held[0])
        self.assertEqual(self.engine.result(number).meta["status"], 200)

    def test_an_operation_that_fails_raises_and_a_handler_that_does_not_handle_it_fails(self) -> None:
        error = self.refusing("awaits_step.py")["error"]
        self.assertEqual([error["name"], error["code"], error["message"]], ["OperationError", *FAILED])
        self.assertIn("await ctx.emit", error["stack"])
        self.assertNotIn("sdk/python/motia", error["stack"])

    def test_an_operation_that_fails_with_nobody_watching_fails_its_call(self) -> None:
        error = self.refusing("forgets_step.py")["error"]
        self.assertEqual(error["code"], "store-failed")
        self.assertRegex(error["stack"], r'forgets_step\.py", line 5, in handler')
        self.assertEqual(self.refusing("task_step.py")["error"]["code"], "store-failed")

    def test_an_operation_that_fails_and_is_handled_however_late_does_not(self) -> None:
        self.assertEqual(self.refusing("caught_step.py")["body"], [*FAILED])
        self.assertEqual(self.refusing("watched_step.py").get("status"), 200)
        self.assertEqual(self.refusing("turn_step.py")["body"], ["store-failed", "store-failed"])
        self.assertEqual(self.refusing("gathered_step.py")["body"], ["OperationError"] * 2)

    def test_what_a_call_leaves_behind_carries_its_trace_and_step(self) -> None:
        number = self.engine.start("late_step.py")
        self.engine.result(number)
        op = self.engine.frame(lambda f: f.kind == frames.OP and f.meta["call"] == number)
        late = {"trace": "AUSDA-1060748", "step": "late_step.py"}
        self.assertEqual(op.meta, {"op": "state.set", "call": number, **late, "group": "g", "key": "k"})
        for message, source in (("late", "logger"), ("later", "console")):
            line = self.engine.log_of(message)
            self.assertEqual(line, {"level": "info", "message": message, "source": source, **late, "details": None})

    def test_an_operation_that_fails_after_the_result_is_logged(self) -> None:
        self.engine.on_op = lambda op: FAILED
        self.assertEqual(self.engine.json("late_fails_step.py")["status"], 200)
        line = self.engine.log(lambda meta: meta["message"].startswith("an operation failed that nobody awaited"))
        self.engine.on_op = lambda op: None
        self.assertEqual([line["step"], line["source"]], ["late_fails_step.py", "worker"])
        self.assertEqual(line["details"]["error"]["code"], "store-failed")
        self.assertIn("late_fails_step.py", line["details"]["error"]["stack"])

    def cancel(self, source: str, reason: str, message: str) -> Any:
        number = self.engine.start(source)
        self.engine.log(lambda meta: meta["message"] == message and meta.get("call") == number)
        self.engine.send(frames.CANCEL, 0, number, {"reason": reason})
        return self.engine.result(number)

    def test_cancel_sets_the_signal(self) -> None:
        for reason, error in (("disconnect", "the client went away"), ("shutdown", "the server is stopping")):
            answer = self.cancel("signal_step.py", reason, "listening")
            self.assertEqual(json.loads(answer.body), ["AbortError", error])

    def test_a_timeout_cancels_the_handler(self) -> None:
        error = self.cancel("sleeps_step.py", "timeout", "sleeping").meta["error"]
        self.assertEqual([error["name"], error["message"]], ["TimeoutError", "the call took too long"])
        self.assertIs(self.engine.ops[-1]["value"], True)
        self.assertEqual(self.cancel("stubborn_step.py", "timeout", "sleeping").body, b"the call took too long")

    def test_a_timeout_reaches_a_thread_by_the_signal(self) -> None:
        for reason, name in (("timeout", "TimeoutError"), ("disconnect", "AbortError")):
            self.assertEqual(self.cancel("polls_step.py", reason, "polling").meta["error"]["name"], name)

    def test_a_handler_that_awaits_something_cancelled_fails(self) -> None:
        self.assertEqual(self.engine.json("cancelled_step.py")["error"]["name"], "CancelledError")

    def test_what_is_no_exception_fails_the_call_too(self) -> None:
        self.assertEqual(self.engine.json("panics_step.py")["error"]["message"], "of an extension")

    def test_long_bodies_travel_in_both_directions_within_their_windows(self) -> None:
        body = ",".join(f"ž{n}" for n in range(250_000)).encode()
        number = 1_000_000
        meta = {"step": "big_step.py", "kind": "api", "trace": "T", "content": "text", "headers": {}}
        for at in range(0, len(body), 65_536):
            more = MORE if at + 65_536 < len(body) else 0
            kind = frames.DATA if at else frames.CALL
            self.engine.send(kind, more, number, None if at else meta, body[at : at + 65_536])
        first = self.engine.result(number)
        self.assertEqual(first.meta, {"status": 200, "type": "bytes"})
        grants = [f for f in self.engine.frames if f.kind == frames.WINDOW_FRAME and f.id == number]
        self.assertTrue(grants and all(grant.flags == 0 for grant in grants))
        sent = sum(len(f.body) for f in self.engine.answer_of(number))
        self.assertLessEqual(sent, frames.WINDOW)
        self.engine.send(frames.WINDOW_FRAME, ANSWER, number, {"bytes": len(body)})
        self.engine.frame(lambda f: f.kind == frames.DATA and f.id == number and not f.flags & MORE)
        pieces = self.engine.answer_of(number)
        self.assertTrue(all(piece.flags & ANSWER for piece in pieces[1:]), "an answer says that it is one")
        self.assertEqual(b"".join(piece.body for piece in pieces), body)

    def test_a_request_that_is_broken_off_is_answered_without_a_handler(self) -> None:
        meta = {"step": "echo_step.py", "kind": "api", "trace": "T", "content": "json"}
        self.engine.send(frames.CALL, MORE, 1_000_001, meta, '{"a')
        self.engine.send(frames.ABORT, 0, 1_000_001)
        self.assertEqual(self.engine.result(1_000_001).meta["error"]["code"], "aborted")

    def test_a_client_that_goes_away_ends_a_result_that_is_still_being_sent(self) -> None:
        number = self.engine.start("huge_step.py")
        self.engine.result(number)
        self.engine.send(frames.CANCEL, 0, number, {"reason": "disconnect"})
        self.assertEqual(self.engine.frame(lambda f: f.kind == frames.ABORT and f.id == number).flags, ANSWER)
