"""A game that begins in the middle of an episode on record, and what is said where it comes out otherwise."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import agentgym
from agentgym.errors import DataError, UserError
from agentgym.repl.retracing import Retraced
from agentgym.types import Action, Trajectory, Turn
from tests.kit import episode
from tests.unit.repl.kit import Stairs

SEEN = ["stair 0 of seed 5", "stair 1", "stair 2", "stair 2"]


def recorded(*actions: str | None, **changes: Any) -> Trajectory:
    turns = [
        Turn(observation=seen, reply=action or "hm", action=action, error=None if action else "no action")
        for seen, action in zip(SEEN, actions, strict=False)
    ]
    return episode(turns=turns, seed=5, task=None, **changes)


def begun(past: Trajectory, turn: int, env: agentgym.Env | None = None) -> Retraced:
    game = Retraced(env or Stairs(), past, turn)
    asyncio.run(game.start())
    return game


def test_the_game_stands_where_the_episode_stood_before_the_turn() -> None:
    game = begun(recorded("up", "up", "stumble"), 2)
    assert (game.num_turns, str(game.now.observation), game.now.standing.total) == (2, "stair 2", 0.75)
    assert [moment.reply for moment in game.moments] == [None, "up", "up"]


def test_what_was_played_again_can_be_taken_back_and_played_on() -> None:
    async def go() -> None:
        game = Retraced(Stairs(), recorded("up", "up"), 2)
        await game.start()
        await game.undo()
        assert str(game.now.observation) == "stair 1"
        await game.act(Action("up"))
        assert (game.num_turns, game.now.standing.reward) == (2, 0.5)

    asyncio.run(go())


def test_a_reply_that_could_not_be_read_does_not_step() -> None:
    past = recorded("up", None, "up")
    past.turns[2].observation = "stair 1"
    game = begun(past, 2)
    assert (game.num_turns, str(game.now.observation), game.now.problem) == (2, "stair 1", "no action")


def test_the_end_can_be_stood_at_too() -> None:
    assert begun(recorded("up", "up", "stumble"), 3).now.problem == "you stumble"


def test_to_begin_again_is_to_begin_at_the_beginning() -> None:
    async def go() -> None:
        game = Retraced(Stairs(), recorded("up", "up"), 2)
        await game.start()
        await game.start()
        assert (game.num_turns, str(game.now.observation)) == (0, "stair 0 of seed 5")

    asyncio.run(go())


@pytest.mark.parametrize("place", [0, 1, 2])
def test_what_comes_out_otherwise_is_told(place: int) -> None:
    past = recorded("up", "up", "up")
    past.turns[place].observation = "stair 9"
    with pytest.raises(DataError, match=f"before turn {place} '.*stair 9' was seen, and now it is 'stair .*options"):
        begun(past, 2)


def test_a_turn_that_is_not_there_is_told() -> None:
    for turn in (-1, 3):
        with pytest.raises(
            UserError, match=f"turn is {turn}, expected 0 to 2: the episode has 2 turns, and 2 is its end"
        ):
            Retraced(Stairs(), recorded("up", "up"), turn)


def test_an_augmented_episode_is_refused() -> None:
    with pytest.raises(UserError, match=r"played with augmentations of strength 0\.5"):
        Retraced(Stairs(), recorded("up", strength=0.5), 0)


def test_the_options_of_the_record_are_given_again() -> None:
    class Told(agentgym.Env):
        def reset(
            self, *, seed: int | None = None, options: dict[str, Any] | None = None
        ) -> tuple[str, dict[str, Any]]:
            return f"{options}", {}

        def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
            return "", 0.0, True, False, {}

        def tasks(self, split: str) -> list[int]:
            return [4]

    past = episode(
        turns=[Turn(observation="{'level': 2, 'task': 4}", reply="x", action="x")], task=4, options={"level": 2}
    )
    assert begun(past, 0, Told()).num_turns == 0
