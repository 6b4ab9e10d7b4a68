"""What goes ahead of a run's episodes: what it asks of an environment, and that it neither hangs nor ends the run."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest

from agentgym.corpus import corpus
from agentgym.errors import ConfigError, EnvError, UserError
from agentgym.launch.scout import Scout, sent_ahead
from agentgym.rollout import deadline
from agentgym.types import Action, Observation, TaskId
from tests.unit.rollout.kit import Stage, Stages, seen, timeless


class Shop(Stage):
    """Has tasks 4, 5 and 6, and an expert that says how many tasks were asked for."""

    name, instructions, max_turns, corpus_episodes = "shop", "Buy.", 2, 2

    def __init__(self, *results: Any, **options: Any) -> None:
        super().__init__(*results, **options)
        self.splits: list[str] = []

    async def tasks(self, split: str) -> Sequence[TaskId]:
        await self._wait("tasks")
        self.splits.append(split)
        return [4, 5, 6]

    async def has_expert(self) -> bool:
        await self._wait("has_expert")
        return True

    async def expert(self, observation: Observation) -> Action | None:
        await self._wait("expert")
        return Action(f"buy {observation}")


def ahead(host: Stage, go: Callable[[Scout], Awaitable[Any]], seconds: float | None = 9.0) -> Any:
    """What ``go`` comes to with a scout on ``host``."""

    async def main() -> Any:
        async with sent_ahead(Stages(host), "the-id", seconds) as sent:
            return await go(sent)

    return timeless(main())


def test_train_tasks_are_known_others_are_fetched_and_each_is_asked_for_once() -> None:
    async def go(sent: Scout) -> None:
        assert (sent.name, sent.tasks("train")) == ("shop", [4, 5, 6])
        with pytest.raises(KeyError):
            sent.tasks("test")
        await sent.fetch("train", "test")
        await sent.fetch("test")
        assert sent.tasks("test") == [4, 5, 6]

    shop = Shop()
    ahead(shop, go)
    assert shop.splits == ["train", "test"]
    assert (shop.num_closed, shop.num_killed) == (1, 0)


def test_whether_there_is_an_expert_is_asked_after_a_reset() -> None:
    shop = Shop()
    assert ahead(shop, Scout.has_expert) is True
    assert shop.resets == [(0, None)]


def test_a_look_is_a_reset_of_the_first_task_and_a_turn_of_the_expert() -> None:
    shop = Shop(first="an apple")
    ahead(shop, Scout.look)
    assert (shop.resets, shop.actions) == ([(0, {"task": 4})], ["buy an apple"])


@pytest.mark.parametrize(("first", "said"), [(Observation("s", admissible=["go", "stay"]), "go"), ("s", "")])
def test_a_look_without_an_expert_takes_what_is_listed_or_says_nothing(first: Any, said: str) -> None:
    stage = Stage(first=first)
    ahead(stage, Scout.look)
    assert stage.actions == [said]


def test_its_episodes_are_played_for_their_words_until_they_end_or_have_their_turns() -> None:
    shop = Shop(seen("sold", over=True), seen("on"), first="an apple")
    shown, said = ahead(shop, corpus)
    assert shown == ["Buy.", "an apple", "sold", "an apple", "on", "on"]
    assert said == ["buy an apple", "buy an apple", "buy on"]
    assert shop.resets == [(0, {"task": 4}), (1, {"task": 5})]


async def words(sent: Scout) -> Any:
    return await corpus(sent)


@pytest.mark.parametrize(
    ("hangs", "go", "told"),
    [
        ("tasks", Scout.look, r'tasks\("train"\)'),
        ("reset", Scout.look, "reset"),
        ("step", Scout.look, "step"),
        ("expert", words, "its expert"),
        ("has_expert", Scout.has_expert, r"expert\(\)"),
    ],
)
def test_what_hangs_is_told_with_what_it_was_asked_and_killed(hangs: str, go: Any, told: str) -> None:
    shop = Shop(hangs=[hangs])
    with pytest.raises(
        UserError,
        match=rf'^the environment "shop" breaks in its first episodes: shop: {told} took longer than 9 s; raise '
        r"--rollout\.step_seconds if it may$",
    ):
        ahead(shop, go)
    assert shop.num_killed == 1


def test_one_that_cannot_be_made_or_breaks_is_told() -> None:
    async def sent(made: Any) -> None:
        async with sent_ahead(Stages(made), "the-id", 9.0) as there:
            await there.look()

    with pytest.raises(UserError, match=r'^the environment "the-id" breaks in its first episodes: it left$'):
        timeless(sent(EnvError("it left")))
    with pytest.raises(UserError, match=r'^the environment "shop" breaks in its first episodes: no money$'):
        timeless(sent(Shop(EnvError("no money"))))
    with pytest.raises(ConfigError, match=r"^no such level$"):
        timeless(sent(Shop(ConfigError("no such level"))))


@pytest.mark.parametrize(("seconds", "armed"), [(9.0, 19.0), (None, None)])
def test_where_no_deadline_can_be_seen_there_is_a_last_resort(
    seconds: float | None, armed: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    log: list[Any] = []

    class Resort:
        def __init__(self, seconds: float) -> None:
            self.seconds = seconds

        def __enter__(self) -> None:
            log.append(self.seconds)

        def __exit__(self, *_: object) -> None:
            log.append("over")

    monkeypatch.setattr(deadline, "LastResort", Resort)

    async def go(sent: Scout) -> None:
        await asyncio.sleep(0)

    ahead(Shop(), go, seconds)
    assert log == ([] if armed is None else [armed, "over"] * 2)  # it is made, and asked for its tasks
