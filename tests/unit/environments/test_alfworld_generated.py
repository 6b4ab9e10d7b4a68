"""Generated games: a number is a game, whatever process, split or disk; and every one can be won."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from agentgym.environments.alfworld import AlfWorld, generated, world
from agentgym.environments.alfworld.drafts import draw
from agentgym.environments.alfworld.generated import GENERATED, default_cache
from agentgym.environments.alfworld.levels import LEVELS, TYPES, LevelName
from agentgym.environments.alfworld.rooms import rooms_of
from agentgym.errors import EnvError, UserError
from tests.unit.environments.alfworld_kit import needs_extra, win

pytestmark = needs_extra


@pytest.fixture
def empty_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(world, "_WORLDS", type(world._WORLDS)())


def test_every_split_has_rooms_of_its_own() -> None:
    kinds = ("Kitchen", "LivingRoom", "Bedroom", "Bathroom")
    numbers = {split: [room.number for kind in kinds for room in rooms_of(kind, split)] for split in GENERATED}
    assert Counter(map(len, numbers.values())) == Counter([80, 16, 24])
    assert len(set(itertools.chain(*numbers.values()))) == 120
    assert numbers["test"][:6] == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("split", GENERATED)
@pytest.mark.parametrize("type", TYPES)
def test_drafts_keep_to_the_level(type: str, split: str) -> None:
    """Of 40: receptacles and kinds within bounds, what is asked for not where it belongs, and no two the same."""
    drafts = [draw(type, split, LEVELS["mixed"], np.random.default_rng([0, seed])) for seed in range(40)]
    again = draw(type, split, LEVELS["mixed"], np.random.default_rng([0, 39]))
    assert again == drafts[39]
    assert len({draft.problem() for draft in drafts}) == 40
    for draft in drafts:
        kinds = Counter(kind for kind, _ in draft.places)
        assert 4 <= len(draft.receptacles) <= 10
        assert len(kinds) <= 8 + (type == "look")
        assert kinds[draft.thing] in ((2, 3) if type == "two" else (1, 2))
        assert type == "look" or all(
            draft.receptacles[place] != draft.target for kind, place in draft.places if kind == draft.thing
        )


@pytest.mark.slow
@pytest.mark.parametrize("level", LEVELS)
def test_every_type_of_every_level_is_won(level: LevelName, tmp_path: Path) -> None:
    env = AlfWorld(level=level, data="generated", cache=tmp_path)
    tasks = env.tasks("validation")[: len(env.types)]
    turns = []
    for task in tasks:
        observation, _ = env.reset(options={"task": task})
        turns.append(win(env, observation))  # type: ignore[arg-type]
    assert len(turns) == len(LEVELS[level].types)
    assert min(turns) >= 3
    assert max(turns) <= env.max_turns // 2


def test_a_task_is_a_game_with_or_without_its_file(tmp_path: Path, empty_memory: None) -> None:
    def seen(task: int, cache: Path, seed: int = 0) -> tuple[str, tuple[str, ...]]:
        world._WORLDS.clear()
        env = AlfWorld(types="two,heat", data="generated", cache=cache, problem_seed=seed)
        observation, _ = env.reset(options={"task": task})
        return str(observation), env.world.game.walkthrough

    first = seen(5, tmp_path)
    (file,) = tmp_path.rglob("*.json")
    assert file.name == "two-5.json"
    kept = json.loads(file.read_text())
    assert tuple(kept["walkthrough"]) == first[1]
    assert seen(5, tmp_path) == first
    for broken in ("", file.read_text()[:100], "[]", '{"problem": "x"}'):
        file.write_text(broken)
        assert seen(5, tmp_path) == first
        assert json.loads(file.read_text()) == kept
    assert seen(5, tmp_path, seed=1) != first
    assert list(tmp_path.rglob("*.tmp")) == []


def test_a_cache_that_cannot_be_written_is_done_without(tmp_path: Path, empty_memory: None) -> None:
    (tmp_path / "file").write_text("")
    env = AlfWorld(data="generated", cache=tmp_path / "file" / "below")
    observation, _ = env.reset(options={"task": 0})
    assert win(env, observation) > 0  # type: ignore[arg-type]


def test_the_cache_is_the_users(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert default_cache() == Path("/somewhere/agentgym/alfworld")


def test_tasks_that_do_not_exist(tmp_path: Path) -> None:
    env = AlfWorld(data="generated", cache=tmp_path)
    for task in (-1, 3888, "0", 1.0, True):
        with pytest.raises(UserError, match="tasks are the numbers 0 to 3887"):
            env.reset(options={"task": task})
    with pytest.raises(UserError, match=r'unknown split "trian"\. Did you mean "train"'):
        env.tasks("trian")


def test_a_game_whose_plan_does_not_win_is_not_kept(
    tmp_path: Path, empty_memory: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generated, "shortest_plan", lambda home, goal: ["look"])
    with pytest.raises(EnvError, match=r"generated game 0 is not won by \['look'\]"):
        AlfWorld(data="generated", cache=tmp_path).reset(options={"task": 0})
    assert list(tmp_path.rglob("*.json")) == []


def test_tasks_of_one_type_are_games_of_their_own(tmp_path: Path) -> None:
    env = AlfWorld(types="place", data="generated", cache=tmp_path)
    problems = []
    for task in range(3):
        env.reset(options={"task": task})
        problems.append(env.world.game.problem)
    assert len(set(problems)) == 3
