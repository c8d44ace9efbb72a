"""What a step file holds, as one thing that can be run: its handler behind its middleware."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Awaitable
from typing import Any, Callable, Optional

from .call_kinds import HANDLED
from .jsonable import name_of

Arguments = tuple[Any, ...]
#: What a kind of CALL runs, given the call and the arguments.
Run = Callable[[Any, Arguments], Awaitable[Any]]

#: Where the arguments stand that may be taken by name.
_PLACES = {"ctx": 1, "context": 1, "next_fn": 2}


class Function:
    """A handler or a middleware, and what was found out about it when it was loaded."""

    __slots__ = ("function", "is_async", "name", "takes")

    def __init__(self, function: Callable[..., Any], most: int, places: dict[str, int] = _PLACES) -> None:
        self.name = getattr(function, "__name__", None) or type(function).__name__
        self.takes, named = _parameters(function, most, places)
        self.function = function
        if named:
            self.function, self.takes = _named(function, self.takes, named), most
        self.is_async = inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
            getattr(function, "__call__", None)  # noqa: B004
        )

    async def call(self, call: Any, arguments: Arguments) -> Any:
        if len(arguments) > self.takes:
            arguments = arguments[: self.takes]
        if self.is_async:
            value = await self.function(*arguments)
        else:
            value = await call.in_thread(self.function, arguments)
        # A decorator may be plain and return what the handler returned: something to await.
        while type(value) is not dict and hasattr(value, "__await__"):
            value = await value
        return value


def _parameters(function: Callable[..., Any], most: int, places: dict[str, int]) -> tuple[int, dict[str, int]]:
    """How many positional arguments fit (`handler(req)` works where there is a context too), and where those stand that
    go by name alone: `handler(req, *, ctx)`."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return most, {}
    if any(parameter.kind is parameter.VAR_POSITIONAL for parameter in parameters):
        return most, {}
    fit = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    names = [p.name for p in parameters if p.kind is p.KEYWORD_ONLY and places.get(p.name, most) < most]
    return min(len(fit), most), {name: places[name] for name in names}


def _named(function: Callable[..., Any], takes: int, places: dict[str, int]) -> Callable[..., Any]:
    def call(*arguments: Any) -> Any:
        # The context of a cron step is its only argument.
        named = {name: arguments[min(place, len(arguments) - 1)] for name, place in places.items()}
        return function(*arguments[:takes], **named)

    return call


class Step:
    __slots__ = ("_handler", "_layers", "direct", "flows", "runs", "source")

    def __init__(self, source: str, config: dict[str, Any], handler: Any) -> None:
        """Raises TypeError where a step would run unprotected."""
        flows = config.get("flows")
        self.source = source
        self.flows: list[str] = list(flows) if isinstance(flows, (list, tuple)) else []
        self._handler: Optional[Function] = Function(handler, 2) if callable(handler) else None
        self._layers = _layers(config.get("middleware"))
        #: What most steps are: an async function of two, with nothing around it. A call of it costs less.
        self.direct: Optional[Callable[..., Any]] = None
        #: Kind of CALL to what it runs.
        self.runs: dict[str, Run] = {}
        if self._handler is None:
            return
        self.runs = dict.fromkeys(HANDLED, self._through if self._layers else self._handler.call)
        if not self._layers and self._handler.is_async and self._handler.takes == 2:
            self.direct = self._handler.function

    async def _through(self, call: Any, arguments: Arguments) -> Any:
        # Middleware always has three parameters; of a cron step, the second is empty.
        return await self._layer(0, call, (*arguments, None)[:2], arguments)

    async def _layer(self, at: int, call: Any, both: Arguments, arguments: Arguments) -> Any:
        if at == len(self._layers):
            assert self._handler is not None
            return await self._handler.call(call, arguments)
        layer = self._layers[at]

        async def inner() -> Any:
            return await self._layer(at + 1, call, both, arguments)

        return await layer.call(call, (*both, Next(layer.name, call, inner)))


class Next:
    """What a middleware calls to go on."""

    __slots__ = ("_call", "_called", "_inner", "_name")

    def __init__(self, name: str, call: Any, inner: Callable[[], Any]) -> None:
        self._name = name
        self._call = call
        self._inner = inner
        self._called = False

    def __call__(self, *_: Any) -> Any:
        """Something to await; in a middleware that is not async it has `.result()`."""
        if self._called:
            raise RuntimeError(f"the middleware {self._name} called next_fn() twice")
        self._called = True
        calls = self._call.calls
        if threading.get_ident() == calls.thread:
            return self._inner()
        waiting = calls.waiting("next_fn")
        calls.on_loop(lambda: calls.spawn(self._call, self._answer(waiting)))
        return waiting

    async def _answer(self, waiting: Any) -> None:
        try:
            waiting.succeed(await self._inner())
        except BaseException as error:
            # The middleware gets it, as if it had called the rest itself.
            waiting.fail(error)


def _layers(middleware: Any) -> list[Function]:
    if middleware is None:
        return []
    listed = middleware if isinstance(middleware, (list, tuple)) else [middleware]
    for at, layer in enumerate(listed):
        if not callable(layer):
            # Leaving it out could leave out the check of who is asking.
            what = "None; is its import right?" if layer is None else name_of(layer)
            raise TypeError(f"config.middleware[{at}] must be a function, but it is {what}")
    return [Function(layer, 3) for layer in listed]
