import asyncio
import time

from tally import end, expect_events

config = {"type": "api", "name": "Emit", "path": "/emit", "method": "POST", "emits": []}


async def handler(req, ctx):
    """Answers once all events have been handled. `emitted`: the milliseconds until all were stored."""
    count = req.body["count"]
    expect_events(count)
    began = time.perf_counter()
    await asyncio.gather(*[ctx.emit({"topic": "things", "data": {"n": n}}) for n in range(count)])
    emitted = (time.perf_counter() - began) * 1000
    return {"status": 200, "body": {"emitted": emitted, "handled": await end()}}
