"""An environment where it lives: its expert, and the moments that it keeps."""

from __future__ import annotations

from typing import Any

import pytest

from agentgym.env import Expert
from agentgym.errors import EnvError
from agentgym.hosts.resident import MAX_KEPT, Resident, as_action
from agentgym.snapshot import Mark, Past, Snapshot
from agentgym.types import Action, Observation, ToolCall
from tests.unit.hosts.kit import finishes
from tests.unit.hosts.odd import AsyncKeptDeck, KeptDeck


class Noted(KeptDeck):
    """Notes how it is come back to, and whose experts are asked for."""

    def __init__(self) -> None:
        self.ways: list[str] = []
        self.experts = 0
        self.has_expert = True

    def restore(self, snapshot: Snapshot) -> Any:
        self.ways.append("restored")
        return super().restore(snapshot)

    def replay(self, past: Past) -> Any:
        self.ways.append("replayed")
        return super().replay(past)

    def expert(self) -> Expert | None:  # type: ignore[override]
        self.experts += 1
        number = self.experts
        return (lambda seen: f"expert {number}, {seen}") if self.has_expert else None


def resident() -> tuple[Resident, Noted]:
    env = Noted()
    one = Resident(env)
    one.reset(1, None)
    return one, env


def test_one_expert_serves_an_episode_and_another_the_next_or_a_moment_that_is_come_back_to() -> None:
    one, _ = resident()
    mark = one.save()
    assert [one.expert(Observation(seen)) for seen in "ab"] == ["expert 1, a", "expert 1, b"]
    one.reset(2, None)
    assert one.expert(Observation("c")) == "expert 2, c"
    one.load(mark)
    assert [one.expert(Observation(seen)) for seen in "de"] == ["expert 3, d", "expert 3, e"]


def test_where_there_is_no_expert_it_is_asked_for_once_an_episode() -> None:
    one, env = resident()
    env.has_expert = False
    assert [one.expert(Observation()) for _ in range(3)] == [None, None, None]
    assert env.experts == 1
    one.reset(1, None)
    assert one.expert(Observation()) is None
    assert env.experts == 2


def test_what_is_kept_is_restored_and_what_is_forgotten_or_of_another_is_replayed() -> None:
    one, env = resident()
    first, second = one.save(), one.save()
    one.load(first)
    one.forget([first.id, "unknown"])
    one.load(first)
    one.load(second)
    assert env.ways == ["restored", "replayed", "restored"]
    other, elsewhere = resident()
    other.load(second)
    assert elsewhere.ways == ["replayed"]


def test_as_many_as_it_may_keep_are_kept_and_not_one_more() -> None:
    one, env = resident()
    marks: list[Mark] = [one.save() for _ in range(MAX_KEPT)]
    one.load(marks[0])  # asked for: the second is the first to go now
    one.save()
    for mark in (marks[0], marks[2], marks[-1], marks[1]):
        one.load(mark)
    assert env.ways == ["restored", *["restored"] * 3, "replayed"]
    assert MAX_KEPT == 256


def test_every_mark_is_one_of_a_kind() -> None:
    one, other = resident()[0], resident()[0]
    assert len({one.save().id, one.save().id, other.save().id, other.save().id}) == 4


def test_closing_frees_what_is_kept_and_closes_the_environment() -> None:
    one, env = resident()
    closed: list[bool] = []
    env.close = lambda: closed.append(True)  # type: ignore[method-assign]
    mark = one.save()
    one.close()
    assert closed == [True]
    one.load(mark)
    assert env.ways == ["replayed"]


def test_an_async_one_is_awaited_in_all_that_it_does() -> None:
    async def go() -> None:
        one = Resident(AsyncKeptDeck())
        seen, _ = await one.reset(1, {"task": 3})
        assert one.env.seed == 3
        mark = await one.save()
        assert (mark.rung, mark.seed) == ("native", 3)
        shown = await one.step(Action("x"))
        assert (await one.load(mark))[0] == seen
        assert (await one.step(Action("x"))).observation == shown.observation

    finishes(go())


def test_what_an_expert_says_is_an_action_or_nothing() -> None:
    call = Action(tool_calls=[ToolCall(name="add", arguments={}, id="c")])
    assert as_action(call) is call
    assert as_action(None) is None
    said = as_action("go")
    assert (type(said), said) == (Action, "go")
    assert as_action("") == ""
    for garbage, found in ((7, "int 7"), (b"go", "bytes b'go'"), (["go"], r"list \['go'\]")):
        with pytest.raises(EnvError, match=f"an expert says text, found {found}"):
            as_action(garbage)
