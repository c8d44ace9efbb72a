"""Types of configs and responses, for editors and type checkers. At run time they are plain dicts.

from motia.config_types import ApiRouteConfig

config: ApiRouteConfig = {"type": "api", "name": "Hello", "path": "/hello", "method": "GET"}
"""

from __future__ import annotations

from collections.abc import AsyncIterable, Awaitable, Iterator, Mapping
from typing import Any, Callable, Literal, TypedDict, Union

from .context import Context
from .request import Request

#: JSON Schema, or a model that has one.
Schema = Any

Method = Literal["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"]
#: A number of seconds, or a text such as "15m".
Duration = Union[int, float, str]


class _Response(TypedDict):
    status: int


class ApiResponse(_Response, total=False):
    """What an api handler returns."""

    body: Any
    headers: Mapping[str, Union[str, int, list[str]]]


#: A response's body: JSON data, text, bytes, or chunks of either.
Body = Union[None, dict[str, Any], list[Any], str, bytes, int, float, bool, AsyncIterable[Any], Iterator[Any]]

Next = Callable[[], Awaitable[Any]]
ApiMiddleware = Callable[[Request, Context, Next], Any]


class Emit(TypedDict, total=False):
    """A topic with what the flow diagram says about it."""

    topic: str
    label: str
    conditional: bool


class QueryParam(TypedDict):
    name: str
    description: str


class Backoff(TypedDict, total=False):
    type: Literal["exponential", "fixed"]
    delay: Duration
    max: Duration


class Handler(TypedDict, total=False):
    #: Megabytes.
    ram: int
    cpu: float
    #: Seconds.
    timeout: float


class Queue(TypedDict, total=False):
    type: Literal["standard", "fifo"]
    maxRetries: int
    backoff: Union[Literal["exponential", "fixed"], Backoff]
    delaySeconds: float
    visibilityTimeout: float
    concurrency: int
    groupConcurrency: int


class Infrastructure(TypedDict, total=False):
    handler: Handler
    queue: Queue


class _Named(TypedDict):
    name: str


class _Shown(TypedDict, total=False):
    """What every step may have."""

    description: str
    flows: list[str]
    emits: list[Union[str, Emit]]
    virtualEmits: list[Union[str, Emit]]
    virtualSubscribes: list[str]
    includeFiles: list[str]
    infrastructure: Infrastructure


class _Api(_Named):
    type: Literal["api"]
    path: str
    method: Method


class ApiRouteConfig(_Api, _Shown, total=False):
    bodySchema: Schema
    responseSchema: Mapping[int, Schema]
    queryParams: list[QueryParam]
    middleware: list[ApiMiddleware]


class _Event(_Named):
    type: Literal["event"]
    subscribes: list[str]


class EventConfig(_Event, _Shown, total=False):
    input: Schema
    middleware: list[Callable[..., Any]]


class _Cron(_Named):
    type: Literal["cron"]
    cron: str


class CronConfig(_Cron, _Shown, total=False):
    timezone: str
    overlap: Literal["skip", "allow"]
    catchUp: Union[bool, Duration]


class _Noop(_Named):
    type: Literal["noop"]


class NoopConfig(_Noop, total=False):
    description: str
    flows: list[str]
    virtualEmits: list[Union[str, Emit]]
    virtualSubscribes: list[str]


StepConfig = Union[ApiRouteConfig, EventConfig, CronConfig, NoopConfig]


class BaseStreamConfig(TypedDict):
    storageType: Literal["default"]


class _Stream(_Named):
    schema: Schema
    baseConfig: BaseStreamConfig


class StreamConfig(_Stream, total=False):
    #: What becomes of an item that does not match `schema`; as in motia.config by default.
    validation: Literal["warn", "enforce", "off"]
    #: `can_access(subscription, auth)` says whether a client may watch. `auth` is what `streamAuth.authenticate` of
    #: motia.config returned, None where that is nothing. Without it everybody may; if it raises, nobody.
    canAccess: Callable[[Any, Any], Any]
    #: The same.
    can_access: Callable[[Any, Any], Any]
    #: `on_join(subscription, auth, ctx)` hears of somebody who begins to watch. What it returns is dropped.
    onJoin: Callable[..., Any]
    #: The same.
    on_join: Callable[..., Any]
    #: `on_leave(subscription, auth, ctx)` hears of somebody who watches no more.
    onLeave: Callable[..., Any]
    #: The same.
    on_leave: Callable[..., Any]
