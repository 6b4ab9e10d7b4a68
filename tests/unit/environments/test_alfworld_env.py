"""The environment as a whole: episodes by hand, both verbs, its expert, snapshots, no surprise under any action."""

from __future__ import annotations

import dataclasses
import json
import random

import pytest

from agentgym.environments.alfworld import AlfWorld
from agentgym.types import Observation
from tests.unit.environments.alfworld_kit import env_with, kitchen, needs_extra, win

pytestmark = needs_extra


def test_an_episode_by_hand() -> None:
    env = env_with(kitchen("heat", "Bread", "CounterTop"))
    observation, info = env.reset(seed=1)
    assert observation == (
        "You are in the middle of a room. Looking quickly around you, you see a cabinet 1, a countertop 1, a fridge 1, "
        "a microwave 1, and a sinkbasin 1.\n\nYour task is to: do heat with bread."
    )
    assert info == {}
    assert isinstance(observation, Observation)
    assert observation.admissible == (
        *(f"go to {place} 1" for place in ("cabinet", "countertop", "fridge", "microwave", "sinkbasin")),
        "help",
        "inventory",
        "look",
    )
    spoken = [
        ("go to countertop 1", "You arrive at countertop 1. On the countertop 1, you see a apple 2, and a bread 1."),
        ("take bread 1 from countertop 1", "You pick up the bread 1 from the countertop 1."),
        ("inventory", "You are carrying: a bread 1."),
        ("go to microwave 1", "You arrive at microwave 1. The microwave 1 is closed."),
        ("heat bread 1 with microwave 1", "You heat the bread 1 using the microwave 1."),
        ("go to countertop 1", "You arrive at countertop 1. On the countertop 1, you see a apple 2."),
    ]
    for action, told in spoken:
        assert env.step(action) == (told, 0, False, False, {})
    wrong = env.step("take apple 2 from countertop 1")
    assert wrong[0] == "Nothing happens."
    assert wrong[1:4] == (0, False, False)
    assert wrong[4] == {"invalid_action": '"take apple 2 from countertop 1" cannot be done now'}
    assert env.step("move bread 1 to countertop 1") == (
        "You move the bread 1 to the countertop 1.",
        1,
        True,
        False,
        {"success": True},
    )


@pytest.mark.parametrize(
    "action",
    [
        "move bread 1 to countertop 1",
        "put bread 1 in/on countertop 1",
        "put bread 1 on countertop 1",
        "put bread 1 in countertop 1",
        "  PUT  Bread 1 in/on   CounterTop 1 ",
    ],
)
@pytest.mark.parametrize("grammar_says", ["move", "put"])
def test_both_verbs_are_understood_in_every_game(action: str, grammar_says: str) -> None:
    game = kitchen("heat", "Bread", "Fridge")
    if grammar_says == "put":
        game = dataclasses.replace(game, grammar=game.grammar.replace("move {o} to {r}", "put {o} in/on {r}"))
    env = env_with(game)
    for step in ("go to countertop 1", "take bread 1 from countertop 1"):
        env.step(step)
    form = {"move": "move bread 1 to countertop 1", "put": "put bread 1 in/on countertop 1"}[grammar_says]
    assert form in env.state.commands
    observation, _, _, _, info = env.step(action)
    assert observation == "You move the bread 1 to the countertop 1."
    assert info == {}
    assert win(env, Observation.of(observation)) == 6


def test_the_expert_follows_from_any_state(tmp_path: object) -> None:
    """On its stored plan, off it, and when the hand holds something else."""
    env = AlfWorld(types="two", data="generated", cache=str(tmp_path))
    observation, _ = env.reset(options={"task": 3})
    stored = env.world.game.walkthrough
    assert env.expert()(observation) == stored[0]  # type: ignore[arg-type]
    rng = random.Random(0)
    for _ in range(12):
        before = env.snapshot()
        action = rng.choice([c for c in env.state.commands if c != "help"])
        observation, _, terminated, _, _ = env.step(action)
        if terminated:
            env.restore(before)
            continue
        here = env.snapshot()
        assert win(env, Observation.of(observation)) > 0
        env.restore(here)


def test_a_snapshot_is_plain_json_and_works_in_another_instance(tmp_path: object) -> None:
    env, other = (AlfWorld(types="cool", data="generated", cache=str(tmp_path)) for _ in range(2))
    observation, _ = env.reset(options={"task": 0})
    expert = env.expert()
    for _ in range(3):
        observation, *_ = env.step(expert(observation))  # type: ignore[arg-type]
    snapshot = env.snapshot()
    assert snapshot.state == json.loads(json.dumps(snapshot.state)) == {"task": 0, "path": list(env.state.path)}
    restored, _ = other.restore(snapshot)
    assert restored == observation
    assert other.state is env.state
    assert win(env, Observation.of(observation)) == win(other, Observation.of(restored)) > 0


def test_200_strange_actions_change_nothing() -> None:
    env = env_with(kitchen("place", "Mug", "CounterTop"))
    rng = random.Random(7)
    words = [
        "go",
        "to",
        "put",
        "move",
        "in/on",
        "mug 1",
        "fridge 1",
        "#look.feedback#",
        "{o.name}",
        "[",
        "\n",
        "\x00",
        "☃",
    ]
    before, num_states = env.state, len(env.world._states)
    for _ in range(200):
        action = " ".join(rng.choices(words, k=rng.randint(0, 6)))
        if " ".join(action.lower().split()) in env.state.commands:
            continue
        observation, reward, terminated, truncated, info = env.step(action)
        assert (observation, reward, terminated, truncated) == ("Nothing happens.", 0, False, False)
        assert info["invalid_action"]
    assert env.state is before
    assert len(env.world._states) == num_states
    assert set(env.state.known) <= set(env.state.commands)


def test_a_random_train_task_is_the_seeds(tmp_path: object) -> None:
    env = AlfWorld(data="generated", cache=str(tmp_path))
    first, task = env.reset(seed=5)[0], env.task
    assert env.reset(seed=6)[0] != first
    assert (env.reset(seed=5)[0], env.task) == (first, task)
    assert task in env.tasks("train")
