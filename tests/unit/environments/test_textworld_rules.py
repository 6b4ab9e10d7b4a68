"""Rewards, ends, channels and what is remembered, turn by turn, over a game whose every state is written by hand."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from agentgym.environments.textworld import TextWorld
from agentgym.environments.textworld import env as module
from agentgym.errors import UserError
from agentgym.types import Observation

pytest.importorskip("textworld", reason="needs the extra textworld")


def state(text: str = "You look.", *, left: Sequence[str] | None = ("a", "b", "c", "d"), **changes: Any) -> Any:
    """Of a game with a score of 4 at most, whose shortest way to win is ``left``."""
    plain = {"score": 0, "max_score": 4, "won": False, "lost": False, "moves": 0, "intermediate_reward": 0}
    commands = None if left is None else list(left)
    return SimpleNamespace(
        **{
            "feedback": text,
            "admissible_commands": ["look", "go north"],
            "policy_commands": commands,
            **plain,
            **changes,
        }
    )


class Game:
    """Stands for a story: it begins with the first of its states and goes on with the next, whatever is said."""

    def __init__(self, states: Sequence[Any], file: Path) -> None:
        self.states, self.file, self.said = list(states), file, list[str]()
        self.state: Any = None

    def reset(self) -> None:
        self.turn, self.state = 0, self.states[0]

    def say(self, command: str) -> None:
        self.said.append(command)
        self.turn += 1
        self.state = self.states[self.turn]

    def save(self) -> Any:
        return SimpleNamespace(file=self.file, turn=self.turn)

    def load(self, moment: Any) -> None:
        self.turn, self.state = moment.turn, self.states[moment.turn]


class Games:
    """The games that environments open, in order, each of the same states."""

    def __init__(self) -> None:
        self.states: list[Any] = [state(), state(moves=1)]
        self.asked: list[tuple[str, int, str, Path]] = []
        self.opened: list[tuple[str, bool]] = []

    def file(self, level: Any, task: int, split: str, cache: Path) -> Path:
        self.asked.append((level.name, task, split, cache))
        return Path(f"game-{task}")

    def story(self, file: Path, *, intermediate_reward: bool = False) -> Game:
        self.opened.append((file.name, intermediate_reward))
        return Game(self.states, file)


@pytest.fixture
def games(monkeypatch: pytest.MonkeyPatch) -> Games:
    found = Games()
    monkeypatch.setattr(module, "game_file", found.file)
    monkeypatch.setattr(module, "Story", found.story)
    return found


def rewards(env: TextWorld, turns: int) -> list[float]:
    return [env.step("look")[1] for _ in range(turns)]


def test_sparse_rewards_are_for_winning_alone(games: Games) -> None:
    games.states = [state(), state(score=3, moves=1, left="ab"), state(score=4, moves=2, won=True, left=())]
    env = TextWorld()
    env.reset(options={"task": 1})
    assert rewards(env, 2) == [0.0, 1.0]


def test_dense_rewards_are_what_the_score_gains_and_loses(games: Games) -> None:
    games.states = [
        state(),
        state(score=1, moves=1),
        state(score=3, moves=2),
        state(score=2, moves=3),
        state(score=2, moves=4, won=True),
    ]
    env = TextWorld(reward="dense")
    env.reset(options={"task": 1})
    assert rewards(env, 4) == [0.25, 0.5, -0.25, 0.5], "a game that is won is worth 1 in all, whatever its score"


def test_intermediate_rewards_are_the_share_of_the_way(games: Games) -> None:
    games.states = [
        state(),
        state(left="abc", moves=1),
        state(left="abcd", moves=2),
        state(left="abcdef", moves=3),
        state(left="a", moves=4),
        state(left=(), moves=5),
        state(left="a", moves=6),
        state(left=None, moves=7, lost=True),
    ]
    env = TextWorld(reward="dense", intermediate_reward=True)
    env.reset(options={"task": 1})
    found = [env.step("look") for _ in range(7)]
    assert [turn[1] for turn in found] == [0.25, -0.25, 0.0, 0.75, -0.75, 0.75, -0.75]
    assert [turn[4]["channels"]["way"] for turn in found] == [0.25, 0.0, 0.0, 0.75, 0.0, 0.75, 0.0]
    assert found[-1][2:4] == (True, False)
    assert found[-1][4]["success"] is False


def test_the_way_is_measured_against_the_one_at_the_beginning_of_this_episode(games: Games) -> None:
    games.states = [state(left="ab"), state(left="a", moves=1)]
    env = TextWorld(reward="dense", intermediate_reward=True)
    env.reset(options={"task": 1})
    assert rewards(env, 1) == [0.5]
    games.states[:] = []
    games.states = [state(left="abcd"), state(left="a", moves=1)]
    env.reset(options={"task": 2})
    assert rewards(env, 1) == [0.75]


def test_channels_are_told_at_every_turn_and_the_end_says_whether_it_is_won(games: Games) -> None:
    games.states = [state(), state(score=1, moves=1, left="ab"), state(score=4, moves=2, left=(), won=True)]
    env = TextWorld()
    told = {"score": 0, "max_score": 4, "channels": {"score": 0.0, "way": 0.0}}
    assert env.reset(options={"task": 1})[1] == told
    told = {"score": 1, "max_score": 4, "channels": {"score": 0.25, "way": 0.5}}
    assert env.step("look") == ("You look.", 0.0, False, False, told)
    told = {"score": 4, "max_score": 4, "channels": {"score": 1.0, "way": 1.0}}
    assert env.step("look") == ("You look.", 1.0, True, False, {**told, "success": True})


@pytest.mark.parametrize(("text", "problem"), [("You can't go.\nTry again.", "You can't go."), ("", "nothing happens")])
def test_a_turn_that_costs_no_move_is_told_as_invalid_by_its_first_line(games: Games, text: str, problem: str) -> None:
    games.states = [state(moves=3), state(text, moves=3), state(moves=4)]
    env = TextWorld()
    env.reset(options={"task": 1})
    assert env.step("go up")[4]["invalid_action"] == problem
    assert "invalid_action" not in env.step("go north")[4]


def test_what_is_no_command_never_reaches_the_game(games: Games) -> None:
    env = TextWorld(reward="dense")
    env.reset(options={"task": 1})
    assert env.step("quit")[4]["invalid_action"].startswith("expected one plain command")
    assert isinstance(env.story, Game)
    assert env.story.said == []
    env.step(" go  NORTH ")
    assert env.story.said == ["go NORTH"]


def test_each_task_opens_its_own_game_and_the_same_one_is_opened_once(games: Games, tmp_path: Path) -> None:
    env = TextWorld(level="w4-o6-q8", cache=tmp_path)
    for task in (1, 1, 501, 1001, 1):
        env.reset(options={"task": task})
    assert games.asked == [
        ("w4-o6-q8", 1, "test", tmp_path),
        ("w4-o6-q8", 501, "validation", tmp_path),
        ("w4-o6-q8", 1001, "train", tmp_path),
        ("w4-o6-q8", 1, "test", tmp_path),
    ]
    assert games.opened == [("game-1", False), ("game-501", False), ("game-1001", False), ("game-1", False)]


def test_a_game_is_opened_with_intermediate_rewards_if_asked_for(games: Games) -> None:
    env = TextWorld(reward="dense", intermediate_reward=True)
    games.states = [state(intermediate_reward=0), state(intermediate_reward=-1, moves=1)]
    assert env.reset(options={"task": 1})[1]["intermediate_reward"] == 0
    assert games.opened == [("game-1", True)]
    assert env.step("look")[4]["intermediate_reward"] == -1
    plain = TextWorld(reward="dense")
    plain.reset(options={"task": 1})
    assert "intermediate_reward" not in plain.step("look")[4]


def test_a_closed_environment_lets_go_of_its_game_and_opens_it_anew(games: Games) -> None:
    env = TextWorld()
    env.reset(options={"task": 1})
    env.close()
    with pytest.raises(AssertionError):
        assert env.story
    env.reset(options={"task": 1})
    assert len(games.opened) == 2


def test_a_state_holds_the_task_and_the_way_of_its_episode(games: Games) -> None:
    """Of another instance in another game: the way back is measured against the first episode's."""
    games.states = [state(), state(left="abc", moves=1), state(left="ab", moves=2)]
    env, other = (TextWorld(reward="dense", intermediate_reward=True) for _ in range(2))
    env.reset(options={"task": 1})
    env.step("look")
    kept = env.get_state()
    games.states = [state(left="abcdefgh"), state(moves=1)]
    other.reset(options={"task": 2})
    games.states = [state(), state(left="abc", moves=1), state(left="ab", moves=2)]
    other.set_state(kept)
    assert other.step("look")[1] == env.step("look")[1] == 0.25
    opened = len(games.opened)
    other.reset(options={"task": 1})
    assert len(games.opened) == opened, "it is in the game of task 1 now"


def test_without_a_task_every_training_game_may_come_and_no_other(games: Games) -> None:
    env = TextWorld(num_games=3)
    for seed in range(40):
        env.reset(seed=seed)
    assert {task for _, task, _, _ in games.asked} == {1001, 1002, 1003}


@pytest.mark.parametrize("task", [0, 3, 500, 503, 1000, 1004])
def test_the_numbers_beside_those_of_a_split_are_no_tasks(games: Games, task: int) -> None:
    env = TextWorld(num_games=3, num_test_games=2)
    with pytest.raises(UserError, match=f"task {task} does not exist: tasks are .* 1001 to 1003, 501 to 502, 1 to 2"):
        env.reset(options={"task": task})
    for known in (1, 2, 501, 502, 1001, 1003):
        env.reset(options={"task": known})


def test_the_expert_says_the_first_command_of_the_way_from_where_the_game_is(games: Games) -> None:
    games.states = [state(left="ab"), state(left="b", moves=1), state(left=(), moves=2), state(left=None, moves=3)]
    env = TextWorld()
    env.reset(options={"task": 1})
    expert, said = env.expert(), []
    for _ in range(3):
        said.append(expert(Observation("")))
        env.step("look")
    assert [*said, expert(Observation(""))] == ["a", "b", "look", "look"]


def test_admissible_commands_are_shown_only_if_asked_for(games: Games) -> None:
    shown, hidden = TextWorld(show_admissible=True), TextWorld()
    assert shown.reset(options={"task": 1})[0] == "You look.\n\nYou can: look, go north."
    seen = hidden.reset(options={"task": 1})[0]
    assert seen == "You look."
    assert Observation.of(seen).admissible == ("look", "go north")


def test_cooking_alone_is_told_how_to_cook(games: Games) -> None:
    assert "prepare meal" in TextWorld(game="cooking").instructions
    assert "prepare meal" not in TextWorld().instructions
    assert TextWorld(game="cooking", level="recipe1").max_turns == 6
    assert TextWorld(level="w2-o3-q1").max_turns == 4
