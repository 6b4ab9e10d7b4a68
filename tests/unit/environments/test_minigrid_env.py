"""The real package in words: views by hand, parity with the bare package, the bot, copies, and no word on stdout."""

from __future__ import annotations

import builtins
import itertools
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

import agentgym
from agentgym.environments.minigrid import MiniGrid, package
from agentgym.environments.minigrid import expert as expert_module
from agentgym.environments.minigrid.env import LEVELS, Level
from agentgym.environments.minigrid.view import described
from agentgym.errors import ConfigError, MissingExtraError
from agentgym.types import Observation

gym_worlds = pytest.importorskip("minigrid", reason="the extra minigrid is not installed")

QUICK = [level for level, (_, turns) in LEVELS.items() if turns < 100]


def seen(*things: tuple[int, int, tuple[int, int, int]], direction: int = 0) -> dict[str, Any]:
    """An observation of the package with these cells, (column, row, (kind, color, state)), else empty."""
    image = np.zeros((7, 7, 3), dtype=np.uint8)
    image[:, :, 0] = 1
    for column, row, cell in things:
        image[column, row] = cell
    return {"image": image, "direction": np.int64(direction), "mission": "go"}


def test_views_by_hand() -> None:
    assert described(seen()) == "go. facing east. see nothing. hold nothing."
    ball, door, key, goal, wall = (6, 0, 0), (4, 5, 2), (5, 4, 0), (8, 1, 0), (2, 5, 0)
    found = described(seen((2, 4, ball), (6, 6, door), (3, 2, wall), (3, 1, wall), (3, 6, key), (0, 0, goal)))
    assert found == (
        "go. facing east. see red ball 1 left 2 forward, locked grey door 3 right, goal 3 left 6 forward, "
        "wall 4 forward. hold yellow key."
    )
    assert described(seen((1, 6, wall), (5, 6, wall), (1, 5, wall), direction=3)) == (
        "go. facing north. see wall 2 left, wall 2 right. hold nothing."
    )


def test_what_is_told_is_what_the_package_knows() -> None:
    """An object told at some place is at that place of the grid, found by walking there in coordinates."""
    env, checked = MiniGrid(level="goto-local"), 0
    for seed in range(20):
        told = str(env.reset(seed=seed)[0]).partition("see ")[2].partition(". hold")[0]
        world = env.world
        for thing in told.split(", "):
            words = thing.split()
            if words[0] == "wall":
                continue
            way = dict(zip(words[3::2], map(int, words[2::2]), strict=True))
            aside = way.get("right", 0) - way.get("left", 0)
            place = world.agent_pos + way.get("forward", 0) * world.dir_vec + aside * world.right_vec
            there = world.grid.get(*place)
            assert (there.color, there.type) == (words[0], words[1])
            checked += 1
    assert checked > 40


@pytest.mark.parametrize("level", QUICK)
def test_the_bot_wins(level: Level) -> None:
    env = MiniGrid(level=level)
    tasks, won = env.tasks("test")[:20], 0
    for task in tasks:
        observation: str = env.reset(options={"task": task})[0]
        expert = env.expert()
        assert expert is not None
        for _ in range(env.max_turns):
            observation, reward, terminated, _, info = env.step(expert(Observation.of(observation)))
            if terminated:
                assert info["success"] == (reward > 0)
                won += info["success"]
                break
    assert won >= 19


def test_the_bot_takes_over_from_another_policy_and_after_a_restore() -> None:
    """It must know what happened: the same bot led along by hand advises the same."""
    env, won = MiniGrid(level="unlock-local"), 0
    for seed in range(5):
        env.reset(seed=seed)
        expert = env.expert()
        assert expert is not None
        for action in ("turn left", "go forward", "go forward", "turn right", "go forward"):
            env.step(action)
        snapshot, advice = env.snapshot(), expert(Observation(""))
        for _ in range(6):
            env.step(expert(Observation("")))
        env.restore(snapshot)
        assert expert(Observation("")) == advice
        over = False
        for _ in range(60):
            _, _, over, _, info = env.step(expert(Observation("")))
            if over:
                won += info["success"]
                break
    assert won == 5


def test_it_is_the_bare_package_underneath() -> None:
    env, bare = MiniGrid(name="MiniGrid-DoorKey-5x5-v0"), package.make_world("MiniGrid-DoorKey-5x5-v0")
    env.reset(seed=4)
    bare.reset(seed=4)
    rng = np.random.default_rng(0)
    for _ in range(400):
        action = int(rng.integers(7))
        expected = bare.step(action)
        found = env.step(("left", "turn right", "forward", "pick up", "drop", "toggle", "done")[action])
        assert found[1:4] == expected[1:4]
        assert env.world.hash() == bare.hash()
        if found[2] or found[3]:
            assert found[4]["success"] == (found[1] > 0)
            return
    pytest.fail("the package's own limit of turns ends an episode")


def test_what_has_no_effect_is_not_listed() -> None:
    """Walking, picking up and dropping are listed exactly when they change something; toggling, if it does."""
    found = set()
    levels: tuple[Level, ...] = ("put-next-local", "open-door")
    for level, seed in itertools.product(levels, range(5)):
        env = MiniGrid(level=level)
        observation = Observation.of(env.reset(seed=seed)[0])
        expert, rng = env.expert(), np.random.default_rng(seed)
        assert expert is not None
        for _ in range(12):
            snapshot, admissible = env.snapshot(), observation.admissible or ()
            before = (env.world.hash(), env.world.carrying is None)
            for action in ("go forward", "pick up", "drop", "toggle"):
                env.step(action)
                changed = (env.world.hash(), env.world.carrying is None) != before
                env.restore(snapshot)
                assert (action in admissible) == changed or (action == "toggle" and not changed)
                found.add((action, changed))
            action = expert(observation) if rng.random() < 0.8 else str(rng.choice(admissible))
            seen_now, _, over, _, _ = env.step(action)
            if over:
                break
            observation = Observation.of(seen_now)
    assert len(found) == 8, "each with and without effect"


def test_a_word_that_is_no_action_changes_nothing() -> None:
    env = MiniGrid()
    observation, _ = env.reset(seed=0)
    problem = "expected one of: turn left, turn right, go forward, pick up, drop, toggle, done"
    assert env.step("fly") == (observation, 0, False, False, {"invalid_action": problem})
    assert env.world.step_count == 0


def test_rejected_missions_are_not_printed_and_the_output_is_left_alone(capsys: pytest.CaptureFixture[str]) -> None:
    env, output = MiniGrid(level="put-next-local"), sys.stdout
    for seed in range(40):
        env.reset(seed=seed)
    assert sys.stdout is output
    assert capsys.readouterr().out == ""
    drawing = sys.modules["minigrid.envs.babyai.core.roomgrid_level"]
    calls: list[Any] = []
    quiet, drawing.print = drawing.print, lambda *told: calls.append(told)  # type: ignore[attr-defined]
    try:
        for seed in range(40):
            env.reset(seed=seed)
    finally:
        drawing.print = quiet  # type: ignore[attr-defined]
    assert calls, "without it, there would have been something to print"
    assert builtins.print is print


def test_threads_play_as_one_alone() -> None:
    def episode(seed: int) -> list[str]:
        env = MiniGrid(level="goto-local")
        observation: str = env.reset(seed=seed)[0]
        expert, told = env.expert(), [observation]
        assert expert is not None
        for _ in range(20):
            observation, _, over, _, _ = env.step(expert(Observation.of(observation)))
            told.append(observation)
            if over:
                break
        return told

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(episode, range(12))) == [episode(seed) for seed in range(12)]


def test_any_world_of_the_package_by_name() -> None:
    env = agentgym.make("minigrid:MiniGrid-Empty-5x5-v0")
    observation, _ = env.reset(seed=0)
    assert env.max_turns == 100
    assert env.expert() is None
    assert observation.admissible[-1] == "done"
    assert observation.startswith("get to the green goal square. facing east. see ")
    assert MiniGrid(name="BabyAI-GoToLocal-v0").max_turns == 64


def test_options_that_do_not_exist() -> None:
    with pytest.raises(ConfigError, match=r'level is "goto-lokal"\. Did you mean "goto-local"\?'):
        agentgym.make("minigrid", level="goto-lokal")
    with pytest.raises(ConfigError, match=r'name is "BabyAI-GoToLokal-v0"\. Did you mean "BabyAI-GoToLocal-v0"\?'):
        MiniGrid(name="BabyAI-GoToLokal-v0")
    with pytest.raises(ConfigError, match='level "boss" has no effect beside name'):
        MiniGrid(level="boss", name="BabyAI-GoToLocal-v0")


def test_without_the_package_one_line_says_what_to_type(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Any:
        raise ImportError(f"No module named {name!r}", name=name)

    monkeypatch.setattr("agentgym.extras.importlib.import_module", missing)
    package._quiet.cache_clear()
    with pytest.raises(MissingExtraError, match=r"pip install 'agentgym-lab\[minigrid\]'"):
        MiniGrid()
    package._quiet.cache_clear()


def test_turns_of_the_levels_are_ours_and_those_of_a_name_are_the_packages() -> None:
    assert {level: MiniGrid(level=level).max_turns for level in QUICK} == {
        "goto-obj": 12,
        "goto-local": 18,
        "pickup-loc": 20,
        "open-door": 20,
        "put-next-local": 40,
        "unlock-local": 40,
    }
    assert MiniGrid(name="BabyAI-GoToObj-v0").max_turns == 64
    assert (MiniGrid().world_id, MiniGrid().level) == ("BabyAI-GoToObj-v0", "goto-obj")


class Line:
    """Stands for the package's world: it is told what to do, and pays what it is told to."""

    def __init__(self) -> None:
        self.done: list[int] = []
        self.seeds: list[int] = []
        self.end: tuple[float, bool, bool] = (0.0, False, False)

    def reset(self, *, seed: int) -> tuple[dict[str, Any], dict[str, Any]]:
        self.seeds.append(seed)
        return seen(), {}

    def step(self, action: int) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.done.append(action)
        return seen(direction=len(self.done) % 4), *self.end, {}

    def gen_obs(self) -> dict[str, Any]:
        return seen(direction=len(self.done) % 4)


@pytest.fixture
def line(monkeypatch: pytest.MonkeyPatch) -> tuple[MiniGrid, Line]:
    env, world = MiniGrid(), Line()
    env.world = world
    monkeypatch.setattr(env, "_admissible", list)
    env.reset(seed=7)
    return env, world


@pytest.mark.parametrize(
    ("end", "info"),
    [
        ((0.9, True, False), {"success": True}),
        ((0.0, True, False), {"success": False}),
        ((0.0, False, True), {"success": False}),
        ((0.5, False, False), {}),
    ],
)
def test_ends_and_rewards_are_the_packages(line: tuple[MiniGrid, Line], end: Any, info: dict[str, bool]) -> None:
    env, world = line
    world.end = end
    assert env.step("go forward")[1:] == (*end, info)


def test_actions_by_name_and_by_the_packages_name(line: tuple[MiniGrid, Line]) -> None:
    env, world = line
    ours = ("turn left", "turn right", "go forward", "pick up", "drop", "toggle", "done")
    for said in (*ours, "left", "right", "forward", "pickup", " Turn   LEFT "):
        assert "invalid_action" not in env.step(said)[4]
    assert world.done == [0, 1, 2, 3, 4, 5, 6, 0, 1, 2, 3, 0]
    seen_now, *_, info = env.step("x" * 101)
    assert info["invalid_action"].startswith("expected one of: turn left,")
    assert "facing east" in seen_now, "it sees what it saw"
    assert env.taken == world.done
    env.reset(seed=8)
    assert (env.taken, world.seeds) == ([], [7, 8])


def test_the_bot_is_led_along_what_was_done_and_begins_anew_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """It advises what was done before it and how often it was asked, so that a stale plan shows."""
    worlds: list[Line] = []

    class Bot:
        def __init__(self, world: Line) -> None:
            self.heard: list[int] = []

        def replan(self, action: int | None = None) -> int:
            self.heard += [] if action is None else [action]
            return 10 + sum(self.heard)

    def make(id: str) -> Line:
        worlds.append(Line())
        return worlds[-1]

    monkeypatch.setattr(expert_module, "make_world", make)
    monkeypatch.setattr(expert_module, "bot_of", Bot)
    guide = expert_module.Guide("any")
    assert guide.advice(1, []) == 10
    assert guide.advice(1, [1, 2]) == 13
    assert guide.advice(1, [1, 2, 4]) == 17
    [world] = worlds
    assert (world.seeds, world.done) == ([1], [1, 2, 4]), "what it followed before it does not follow again"
    assert guide.advice(1, [1, 2, 4]) == 17
    assert guide.advice(1, [1, 3]) == 14
    assert guide.advice(1, [1]) == 11, "back to before"
    assert guide.advice(2, [1]) == 11
    assert world.seeds == [1, 1, 1, 2]


@pytest.mark.parametrize("id", [*expert_module.BAFFLING])
def test_worlds_that_the_bot_does_not_solve_have_no_expert(id: str) -> None:
    env = MiniGrid(name=id)
    env.reset(seed=0)
    assert env.expert() is None
    with pytest.raises(expert_module.BotGivesUp, match=r"bot gives up after \d+ actions \(seed 0\): Assertion"):
        _follow(expert_module.Guide(id))


def _follow(guide: Any) -> None:
    taken: list[int] = []
    while True:
        taken.append(guide.advice(0, taken))


def test_where_the_bot_gives_up_there_is_no_expert_and_it_begins_anew_after_that(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Bot:
        def __init__(self, world: Any) -> None:
            pass

        def replan(self, action: int | None = None) -> int:
            if action == 6:
                raise LookupError("what now?")
            return 2

    monkeypatch.setattr(expert_module, "bot_of", Bot)
    env = MiniGrid()
    env.reset(seed=3)
    expert = env.expert()
    assert expert is not None
    env.step("done")
    with pytest.raises(expert_module.BotGivesUp, match=r"gives up after 1 actions \(seed 3\): LookupError what now\?"):
        expert(Observation())
    assert env.expert() is None
    env.reset(seed=3)
    assert expert(Observation()) == "go forward"


def test_a_snapshot_is_not_changed_by_what_comes_after() -> None:
    env = MiniGrid()
    env.reset(seed=0)
    env.step("turn left")
    state = env.get_state()
    env.step("turn left")
    for _ in range(2):
        env.set_state(state)
        assert (env.taken, env.world.step_count) == ([0], 1)
        env.step("turn right")
