"""The `req` of api handlers."""

from __future__ import annotations

from typing import Any, Union

from .bag import Bag

_ALIASES = {"path_params": "pathParams", "query_params": "queryParams", "raw_body": "rawBody"}


class Request(Bag):
    """`body`, `headers`, `pathParams`, `queryParams` and `rawBody`, the last three also as `path_params`,
    `query_params` and `raw_body`; each by attribute, by key and by `get`."""

    __slots__ = ()

    body: Any
    headers: Bag
    pathParams: Bag
    path_params: Bag
    queryParams: Bag
    query_params: Bag
    #: The exact bytes: text where they are UTF-8.
    rawBody: Union[str, bytes]
    raw_body: Union[str, bytes]

    def __missing__(self, name: str) -> Any:
        if name in _ALIASES:
            return self[_ALIASES[name]]
        raise KeyError(name)

    def get(self, name: str, default: Any = None) -> Any:
        return super().get(_ALIASES.get(name, name), default)

    def __contains__(self, name: object) -> bool:
        return super().__contains__(_ALIASES.get(name, name) if isinstance(name, str) else name)

    def __setitem__(self, name: str, value: Any) -> None:
        super().__setitem__(_ALIASES.get(name, name), value)
