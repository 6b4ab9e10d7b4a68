"""What stands between an environment's author and its callers: checks before and after ``reset`` and ``step``."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Awaitable, Callable
from typing import Any

from agentgym.loops import must_wait

__all__ = ["guarded"]


def guarded(method: Callable[..., Any], before: Callable[..., Any], after: Callable[..., Any]) -> Callable[..., Any]:
    """Put the boundary around an author's ``reset`` or ``step``, once per call however often it calls super()."""

    def enter(self: Any, *args: Any, **kwargs: Any) -> Callable[[], Any]:
        arguments = before(self, *args, **kwargs)
        self._inside = True
        if isinstance(arguments, tuple):  # in order: an author may call them as he likes
            return functools.partial(method, self, *arguments)
        return functools.partial(method, self, **arguments)

    if inspect.iscoroutinefunction(method):

        @functools.wraps(method)
        async def checked_later(self: Any, *args: Any, **kwargs: Any) -> Any:
            if self._inside:
                return await method(self, *args, **kwargs)
            entered = enter(self, *args, **kwargs)
            try:
                result = await entered()
            finally:
                self._inside = False
            return after(self, result)

        return checked_later

    @functools.wraps(method)
    def checked(self: Any, *args: Any, **kwargs: Any) -> Any:
        if self._inside:
            return method(self, *args, **kwargs)
        entered = enter(self, *args, **kwargs)
        try:
            result = entered()
        finally:
            self._inside = False
        return awaited(self, result) if must_wait(result) else after(self, result)

    async def awaited(self: Any, result: Awaitable[Any]) -> Any:
        self._inside = True
        try:
            settled = await result
        finally:
            self._inside = False
        return after(self, settled)

    return checked
