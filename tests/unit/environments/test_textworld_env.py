"""The environment as a whole: episodes by hand, its expert, rewards, snapshots, threads, and actions of any kind."""

from __future__ import annotations

import itertools
import os
import random
import re
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import agentgym
from agentgym.environments.textworld import TextWorld
from agentgym.environments.textworld.games import game_file
from agentgym.environments.textworld.levels import LADDERS, Kind
from agentgym.errors import ConfigError, MissingExtraError, UserError
from agentgym.types import Observation
from tests.unit.environments.textworld_kit import cache, played, small, won_by_expert

textworld = pytest.importorskip("textworld", reason="needs the extra textworld")


def info(way: float, *, score: int = 0, **others: Any) -> dict[str, Any]:
    """Of a game with a score of 1 at most."""
    return {"score": score, "max_score": 1, "channels": {"score": float(score), "way": way}, **others}


def test_an_episode_by_hand() -> None:
    env = small()
    observation, at_first = env.reset(options={"task": 1})
    assert observation.startswith("You are now playing a life changing session of TextWorld!")
    assert "\n\n-= Studio =-\nYou're now in the studio.\n\nYou see a locked type J chest." in observation
    assert observation.endswith("You should try going north.")
    assert Observation.of(observation).admissible == (
        *("examine mantle", "examine type J chest", "examine type J keycard", "go north", "inventory", "look"),
        "take type J keycard from mantle",
    )
    assert at_first == info(0)
    assert played(env, ["open type J chest", "take type J keycard", "unlock type J chest with type J keycard"]) == [
        (
            "You have to unlock the type J chest with the type J keycard first.",
            0,
            False,
            False,
            info(0, invalid_action="You have to unlock the type J chest with the type J keycard first."),
        ),
        ("You take the type J keycard from the mantle.", 0, False, False, info(0.25)),
        ("You unlock the type J chest.", 0, False, False, info(0.5)),
    ]
    assert played(env, ["open type J chest", "take desktop computer from type J chest"]) == [
        ("You open the type J chest, revealing a desktop computer.", 0, False, False, info(0.75)),
        (
            "You take the desktop computer from the type J chest.\n\nYour score has just gone up by one point.\n\n"
            "*** The End ***\n\nYou scored 1 out of a possible 1, in 6 turns.",
            1,
            True,
            False,
            info(1, score=1, success=True),
        ),
    ]


def test_admissible_actions_are_textworlds_and_can_be_shown() -> None:
    env = small(show_admissible=True)
    env.reset(seed=1, options={"task": 1})
    infos = textworld.EnvInfos(admissible_commands=True)
    theirs = textworld.start(str(game_file(env.level, 1, "test", cache())), infos)
    state, rng = theirs.reset(), random.Random(0)
    for _ in range(8):
        action = rng.choice(state.admissible_commands)
        observation = Observation.of(env.step(action)[0])
        state, _, _ = theirs.step(action)
        assert list(observation.admissible or ()) == state.admissible_commands
        assert observation.endswith(f"\n\nYou can: {', '.join(state.admissible_commands)}.")


@pytest.mark.parametrize(
    ("game", "level"),
    [
        *[("custom", level) for level in LADDERS["custom"]],
        pytest.param("cooking", "recipe1+take1+cook+cut", marks=pytest.mark.slow),
        ("treasure-hunter", "level10"),
        ("coin-collector", "level5"),
    ],
)
def test_the_expert_wins_and_rewards_add_up_to_1(game: Kind, level: str) -> None:
    env = small(game=game, level=level)
    actions, turns = won_by_expert(env, env.tasks("test")[0])
    assert [turn[1] for turn in turns] == [0] * (len(turns) - 1) + [1]
    assert turns[-1][4]["success"]
    assert not any("invalid_action" in turn[4] for turn in turns)
    dense = small(game=game, level=level, reward="dense", intermediate_reward=True)
    dense.reset(options={"task": 1})
    assert sum(turn[1] for turn in played(dense, actions)) == pytest.approx(1)


def test_dense_rewards_pay_for_the_score() -> None:
    """The score's four points: the ingredient, cooking it, the meal, eating it; with the knife's way in between."""
    env = small(game="cooking", level="recipe1+take1+cook+cut", reward="dense")
    _, turns = won_by_expert(env, 1)
    scores = [0, *(turn[4]["score"] for turn in turns)]
    most = turns[-1][4]["max_score"]
    assert scores[-1] == most > 3
    expected = [(now - before) / most for before, now in itertools.pairwise(scores)]
    assert [turn[1] for turn in turns] == pytest.approx(expected)
    assert sum(expected) == pytest.approx(1)


def test_intermediate_rewards_pay_for_the_way_and_take_back_for_going_back() -> None:
    env = small(reward="dense", intermediate_reward=True)
    env.reset(options={"task": 1})
    key, chest = "type J keycard", "type J chest"
    actions = [f"take {key}", f"put {key} on mantle", f"take {key}", "look", f"unlock {chest} with {key}"]
    turns = played(env, actions)
    assert [turn[1] for turn in turns] == pytest.approx([1 / 4, -1 / 4, 1 / 4, 0, 1 / 4])
    assert [turn[4]["intermediate_reward"] for turn in turns] == [1, -1, 1, 0, 1]
    assert [turn[1] for turn in played(env, [f"open {chest}", f"take desktop computer from {chest}"])] == [1 / 4, 1 / 4]


def test_a_lost_game_ends_without_success() -> None:
    """The quest says which of two things to take; the other one loses."""
    env = small(game="treasure-hunter", level="level1")
    for task in env.tasks("test"):
        admissible = Observation.of(env.reset(options={"task": task})[0]).admissible
        takes = [action for action in admissible or () if action.startswith("take ")]
        wrong = [action for action in takes if action != env.expert()(Observation(""))]
        if wrong:
            assert env.step(wrong[0])[1:] == (0, True, False, info(0, success=False))
            return
    raise AssertionError("no game has both things in the first room")


def test_snapshots_come_back_on_the_same_and_on_another_instance() -> None:
    env, other = small(reward="dense", intermediate_reward=True), small(reward="dense", intermediate_reward=True)
    env.reset(seed=3, options={"task": 2})
    other.reset(seed=4, options={"task": 1})  # in another game at first
    expert, snapshots, rest = env.expert(), [], []
    for _ in range(4):
        snapshots.append(env.snapshot())
        action = str(expert(Observation("")))
        rest.append((action, env.step(action)))
    for who in (other, env):
        for start in (3, 0, 2, 1):
            assert who.restore(snapshots[start])[0] == snapshots[start].observation
            for action, result in rest[start:]:
                assert who.expert()(Observation("")) == action
                assert who.step(action) == result
    assert other.restore(snapshots[1])[0] == TextWorld(cache=cache()).restore(snapshots[1])[0]


@pytest.mark.slow
def test_8_cold_threads_win_at_once() -> None:
    """In a process of its own, so that nothing is imported and no parser is made yet."""
    code = (
        "import threading, sys\n"
        "from tests.unit.environments.textworld_kit import won_by_expert\n"
        "from agentgym.environments.textworld import TextWorld\n"
        "gate, won = threading.Barrier(8), []\n"
        "def play(task):\n"
        "    env = TextWorld(cache=sys.argv[1])\n"
        "    gate.wait()\n"
        "    won.append(won_by_expert(env, task)[1][-1][4]['success'])\n"
        "threads = [threading.Thread(target=play, args=(1 + i % 4,)) for i in range(8)]\n"
        "[thread.start() for thread in threads]\n"
        "[thread.join() for thread in threads]\n"
        "print(won)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(cache())], capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == str([True] * 8), done.stderr


def test_threads_that_play_at_once_see_what_one_sees_alone() -> None:
    def episode(task: int) -> list[Any]:
        return won_by_expert(small(), task)[1]

    gate = threading.Barrier(4)

    def together(task: int) -> list[Any]:
        gate.wait()
        return episode(task)

    alone = [episode(task) for task in (1, 2, 1, 2)]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(together, (1, 2, 1, 2))) == alone


def test_200_actions_of_any_kind_do_not_leak_into_the_next_episode(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Among them the interpreter's own commands, some of which would write files where the process runs."""
    monkeypatch.chdir(tmp_path)
    env = small()
    alone = won_by_expert(env, 1)
    rng = random.Random(7)
    words = ["take", "open", "quit", "save", "script", "restart", "undo", "tw-trace-actions", "look", ".", ";", "then"]
    words += ["all", "type", "J", "chest", "key", "north", "\x07", "é", "9"]
    env.reset(options={"task": 1})
    for _ in range(200):
        action = rng.choice([" ".join(rng.choices(words, k=rng.randint(0, 6))), rng.randbytes(20).decode("latin-1")])
        _, reward, over, _, _ = env.step(action)
        assert (reward, over) == (0, False)
        assert isinstance(env.expert()(Observation("")), str)
    assert won_by_expert(env, 1) == alone
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "action", ["", "quit", "SAVE", "look. look", "look then look", "tw-print state", "é", "a" * 151]
)
def test_what_is_no_command_of_the_game_is_told_so_and_changes_nothing(action: str) -> None:
    env = small()
    before = Observation.of(env.reset(options={"task": 1})[0]).admissible
    observation, reward, terminated, truncated, info = env.step(action)
    assert (reward, terminated, truncated) == (0, False, False)
    assert (
        observation == info["invalid_action"] == 'expected one plain command, such as "look" or "take key from chest"'
    )
    assert Observation.of(observation).admissible == before


def test_tasks_are_seeds_and_no_two_splits_share_one() -> None:
    env = small(num_games=5000, num_test_games=100)
    assert env.tasks("train") == range(1001, 6001)
    assert env.tasks("validation") == range(501, 601)
    assert env.tasks("test") == range(1, 101)  # those of the Practitioner's Guide
    few = small(num_games=1)
    assert few.reset(seed=1)[0] == few.reset(seed=2)[0] == few.reset(options={"task": 1001})[0]


@pytest.mark.parametrize("task", [0, 11, 1021, "1", 1.5, None])
def test_a_task_that_does_not_exist(task: object) -> None:
    if task is None:
        assert small(num_games=1).reset(options={"task": None})[0]
        return
    with pytest.raises(UserError, match="tasks are the numbers 1001 to 1020, 501 to 510, 1 to 10"):
        small().reset(options={"task": task})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"game": "cookin"}, 'game is "cookin". Did you mean "cooking"? Known: custom, cooking, treasure-hunter, coin'),
        ({"level": "w2-o3-q44x"}, 'level is "w2-o3-q44x". Did you mean "w2-o3-q4"? custom has wROOMS-oOBJECTS-qLENGTH'),
        ({"game": "coin-collector", "level": "w2-o3-q4"}, "coin-collector has level1 to level100"),
        ({"reward": "dens"}, 'reward is "dens". Did you mean "dense"? Known: sparse, dense'),
        ({"intermediate_reward": True}, "no effect on sparse rewards; add --env.reward dense"),
        ({"num_games": 0}, "env.num_games: Input should be greater than or equal to 1, found 0"),
        ({"num_test_games": 501}, "env.num_test_games: Input should be less than or equal to 500, found 501"),
    ],
)
def test_options_that_do_not_exist_or_have_no_effect(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        agentgym.make("textworld", **options)
    with pytest.raises(UserError, match='unknown split "tests"'):
        small().tasks("tests")


def test_the_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "textworld", None)
    with pytest.raises(MissingExtraError, match=re.escape("pip install 'agentgym-lab[textworld]'")):
        TextWorld()


def test_an_environment_is_made_and_listed_without_the_package() -> None:
    code = (
        "import sys, agentgym\n"
        "env = agentgym.make('textworld')\n"
        "assert len(env.tasks('train')) == 20\n"
        "print('textworld' in sys.modules, 'jericho' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "False False", done.stderr


GAMES = int(os.environ.get("AGENTGYM_GAMES", "3"))
"""Games of each rung; making one takes a second. All rungs were won on 50."""


@pytest.mark.slow
@pytest.mark.nightly
@pytest.mark.parametrize("level", LADDERS["custom"])
def test_the_expert_wins_games_of_each_rung_in_as_many_turns_as_the_quest_is_long(level: str) -> None:
    env = small(level=level, num_games=GAMES)
    length = int(level.rpartition("q")[2])
    lengths = [len(won_by_expert(env, task)[0]) for task in env.tasks("train")]
    assert max(lengths) <= length
    assert sum(lengths) / len(lengths) > length - 2
    assert env.max_turns == 2 * length


@pytest.mark.slow
@pytest.mark.nightly
@pytest.mark.parametrize(
    ("game", "level"), [(game, level) for game, levels in LADDERS.items() if game != "custom" for level in levels]
)
def test_the_expert_wins_on_the_rungs_of_the_other_games(game: Kind, level: str) -> None:
    env = small(game=game, level=level)
    for task in env.tasks("train")[: max(1, GAMES // 10)]:
        assert won_by_expert(env, task)[1][-1][4]["success"]
