"""The boundary is crossed once a call, whatever the author's method calls, returns or raises."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from agentgym.boundary import guarded


class Base:
    """Notes each crossing."""

    _inside = False

    def __init__(self) -> None:
        self.seen: list[str] = []

    def before(self, said: str) -> dict[str, Any]:
        self.seen.append(f"before {said}")
        return {"said": said.strip()}

    def after(self, result: Any) -> Any:
        self.seen.append(f"after {result}")
        return f"checked {result}"


def plain(self: Any, said: str) -> Any:
    if said == "fail":
        raise KeyError(said)
    return f"{self.deeper('again')} and {said}" if said == "deep" else said


async def later(self: Any, said: str) -> Any:
    await asyncio.sleep(0)
    if said == "fail":
        raise KeyError(said)
    return f"{await self.deeper('again')} and {said}" if said == "deep" else said


def returns_later(self: Any, said: str) -> Any:
    return later(self, said)


class Plain(Base):
    go = deeper = guarded(plain, Base.before, Base.after)


class Later(Base):
    go = deeper = guarded(later, Base.before, Base.after)


class ReturnsLater(Base):
    go = deeper = guarded(returns_later, Base.before, Base.after)


async def result_of(call: Any) -> Any:
    return await call if isinstance(call, Awaitable) else call


@pytest.mark.parametrize("make", [Plain, Later, ReturnsLater])
def test_one_call_is_one_crossing_also_when_it_calls_itself_and_after_it_raised(make: Callable[[], Any]) -> None:
    async def go() -> None:
        one = make()
        assert await result_of(one.go(" a ")) == "checked a"
        assert one.seen == ["before  a ", "after a"]
        one.seen.clear()
        assert await result_of(one.go("deep")) == "checked again and deep"
        assert one.seen == ["before deep", "after again and deep"]
        for _ in range(2):
            one.seen.clear()
            with pytest.raises(KeyError, match="fail"):
                await result_of(one.go("fail"))
            assert one.seen == ["before fail"]
        assert await result_of(one.go("b")) == "checked b"
        assert one.seen == ["before fail", "before b", "after b"]

    asyncio.run(go())


def test_what_is_refused_before_it_is_called_leaves_it_as_it_was() -> None:
    class Refuses(Base):
        def before(self, said: str) -> dict[str, Any]:
            raise ValueError(said)

        go = guarded(plain, before, Base.after)

    one = Refuses()
    for _ in range(2):
        with pytest.raises(ValueError, match="a"):
            one.go("a")
    assert one.seen == []


def test_a_guarded_method_has_its_authors_name_and_is_async_where_that_is() -> None:
    assert (Plain.go.__name__, Later.go.__name__) == ("plain", "later")
    assert asyncio.iscoroutinefunction(Later.go)
    assert not asyncio.iscoroutinefunction(ReturnsLater.go)
