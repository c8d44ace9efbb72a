"""How many events have been handled, and whoever waits for the last one."""

import asyncio

_expected = 0
_handled = 0
_done = None


def expect_events(count):
    global _expected, _handled, _done
    _expected, _handled, _done = count, 0, asyncio.Event()


def handle():
    global _handled
    _handled += 1
    if _handled == _expected:
        _done.set()


async def end():
    await _done.wait()
    return _handled
