"""The boundary around an author's reset and step, and what the base class adds."""

from __future__ import annotations

import asyncio
import math
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import agentgym
from agentgym.env import SPLITS
from agentgym.errors import EnvError, SnapshotError, UserError
from agentgym.media import as_media
from agentgym.snapshot import digest_of
from agentgym.types import Observation, StepResult

Result = tuple[str, float, bool, bool, dict[str, Any]]


class Dice(agentgym.Env):
    """Shows a die each turn; over after three."""

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        self.turns = 0
        return f"die {self.np_random.integers(10**6)}", {"options": options}

    def step(self, action: str) -> Result:
        self.turns += 1
        return f"{action} {self.np_random.integers(10**6)}", 1, self.turns == 3, False, {}


def returning(reset: Any = ("seen", {}), step: Any = ("seen", 0.0, False, False, {})) -> agentgym.Env:
    """An environment that returns just that."""

    class Returning(agentgym.Env):
        def reset(self, **_: Any) -> Any:
            return reset

        def step(self, action: str) -> Any:
            return step

    return Returning()


@pytest.mark.parametrize(
    ("garbage", "message"),
    [
        (None, "reset returned NoneType None, expected \\(observation, info\\)"),
        ("seen", "reset returned str 'seen'"),
        (("seen",), "reset returned tuple"),
        (["seen", {}], "reset returned list"),
        (("seen", {}, 0), "reset returned tuple"),
        ((b"seen", {}), "an observation is text, found bytes"),
        ((None, {}), "an observation is text, found NoneType"),
        (("seen", None), "info is a dict, found NoneType"),
        (("lone \ud800 surrogate", {}), "an observation is text that UTF-8 can carry"),
    ],
)
def test_garbage_from_reset_is_told(garbage: Any, message: str) -> None:
    with pytest.raises(EnvError, match=f"Returning: {message}"):
        returning(reset=garbage).reset(seed=5)


@pytest.mark.parametrize(
    ("garbage", "message"),
    [
        (None, "step returned NoneType"),
        (
            ("seen", 0.0, False, {}),
            "step returned tuple .*expected \\(observation, reward, terminated, truncated, info\\)",
        ),
        ((7, 0.0, False, False, {}), "an observation is text, found int 7"),
        (("s", "1", False, False, {}), "step gave the reward str '1', expected a finite number"),
        (("s", None, False, False, {}), "step gave the reward NoneType"),
        (("s", math.nan, False, False, {}), "step gave the reward float nan"),
        (("s", -math.inf, False, False, {}), "step gave the reward float -inf"),
        (("s", np.float32("nan"), False, False, {}), "step gave the reward"),
        (("s", 1j, False, False, {}), "step gave the reward complex"),
        (("s", 0.0, 1, False, {}), "step gave terminated=int 1"),
        (("s", 0.0, False, None, {}), "step gave truncated=NoneType None"),
        (("s", 0.0, False, False, []), "info is a dict, found list"),
    ],
)
def test_garbage_from_step_is_told(garbage: Any, message: str) -> None:
    env = returning(step=garbage)
    env.reset(seed=5)
    with pytest.raises(EnvError, match=f"Returning: {message}.*seed 5, after 1 actions"):
        env.step("go")


def test_channels_become_floats_by_name() -> None:
    given = {"progress": np.float32(0.5), "solved": True, "left": np.int64(3)}
    env = returning(reset=("seen", {"channels": {}}), step=("s", 0.0, False, False, {"channels": given, "more": 1}))
    assert env.reset()[1] == {"channels": {}}
    info = env.step("go")[4]
    assert info == {"channels": {"progress": 0.5, "solved": 1.0, "left": 3.0}, "more": 1}
    assert {type(value) for value in info["channels"].values()} == {float}


@pytest.mark.parametrize(
    ("channels", "told"),
    [
        ([0.5], r'info\["channels"\] is a dict of numbers by name, found list'),
        ({1: 0.5}, r'a name in info\["channels"\] is text, found int 1'),
        ({"half \udcff": 0.5}, r'a name in info\["channels"\] is text that UTF-8 can carry, found str'),
        ({"progress": math.nan}, r'info\["channels"\]\["progress"\] is float nan, expected a finite number'),
        ({"progress": "half"}, r'info\["channels"\]\["progress"\] is str \'half\', expected a finite number'),
        ({"progress": None}, r'info\["channels"\]\["progress"\] is NoneType'),
    ],
)
def test_channels_that_are_no_numbers_are_told(channels: Any, told: str) -> None:
    info = {"channels": channels}
    with pytest.raises(EnvError, match=f"Returning: {told}"):
        returning(reset=("seen", info)).reset(seed=5)
    env = returning(step=("seen", 0.0, False, False, info))
    env.reset(seed=5)
    with pytest.raises(EnvError, match=f"Returning: {told}.*seed 5, after 1 actions"):
        env.step("go")


def test_a_plain_step_may_return_what_must_be_awaited() -> None:
    class Later(agentgym.Env):
        def reset(self, **_: Any) -> Any:
            return self.later(("seen", {}))

        def step(self, action: str) -> Any:
            return self.later(("seen", "much" if action == "wrong" else 1, False, False, {}))

        async def later(self, result: Any) -> Any:
            await asyncio.sleep(0)
            return result

    async def play() -> None:
        env = Later()
        assert (await env.reset(seed=1))[0] == "seen"
        assert type((await env.step("go")).reward) is float
        with pytest.raises(EnvError, match="step gave the reward str 'much'"):
            await env.step("wrong")

    asyncio.run(play())


@pytest.mark.parametrize("reward", [1, True, np.float32(0.5), np.int64(3)])
def test_rewards_of_any_real_type_become_floats(reward: Any) -> None:
    env = returning(step=(np.str_("s"), reward, np.bool_(False), False, {}))
    env.reset()
    result = env.step("go")
    assert type(result[1]) is float
    assert type(result[2]) is bool
    assert result[1] == float(reward)


def test_results_have_names_and_observations_their_type() -> None:
    env = Dice()
    observation, _ = env.reset(seed=1)
    result = env.step("roll")
    assert isinstance(observation, Observation)
    assert isinstance(result, StepResult)
    assert isinstance(result.observation, Observation)
    assert env.render() == result.observation


def test_a_step_after_the_end_or_before_a_reset_is_an_error() -> None:
    env = Dice()
    with pytest.raises(EnvError, match=r"call reset\(\) first"):
        env.step("roll")
    env.reset(seed=1)
    for _ in range(3):
        env.step("roll")
    with pytest.raises(EnvError, match=r"episode that is over.*after 3 actions"):
        env.step("roll")
    env.reset(seed=1)
    assert env.step("roll")


@pytest.mark.parametrize("action", [None, 7, b"go", ["go"]])
def test_an_action_is_text(action: Any) -> None:
    env = Dice()
    env.reset()
    with pytest.raises(EnvError, match="an action is text, found"):
        env.step(action)
    assert env.snapshot().actions == ()


def test_what_an_author_raises_passes_and_the_environment_can_be_reset() -> None:
    class Fails(Dice):
        def step(self, action: str) -> Result:
            if action == "fail":
                raise ZeroDivisionError
            return super().step(action)

    env = Fails()
    first, _ = env.reset(seed=1)
    with pytest.raises(ZeroDivisionError):
        env.step("fail")
    assert env.reset(seed=1)[0] == first
    assert env.step("roll")[0].startswith("roll")


def test_super_does_not_cross_the_boundary_twice() -> None:
    class Louder(Dice):
        def reset(
            self, *, seed: int | None = None, options: dict[str, Any] | None = None
        ) -> tuple[str, dict[str, Any]]:
            seen, info = super().reset(seed=seed, options=options)
            return seen.upper(), info

        def step(self, action: str) -> Result:
            seen, *rest = super().step(action)
            return (seen.upper(), *rest)  # type: ignore[return-value]

    plain, loud = Dice(), Louder()
    assert loud.reset(seed=4)[0] == plain.reset(seed=4)[0].upper()
    assert loud.step("a")[0] == plain.step("a")[0].upper()
    assert loud.snapshot().actions == ("a",)


def test_every_episode_has_a_seed_and_can_be_repeated() -> None:
    env = Dice()
    first, _ = env.reset()
    seed = env.seed
    second, _ = env.reset()
    assert first != second
    assert Dice().reset(seed=seed)[0] == first


def test_tasks_are_seeds_where_there_are_none() -> None:
    env = Dice()
    assert not env.has_own_tasks
    by_task = env.reset(seed=1, options={"task": 77})[0]
    assert env.seed == 77
    assert by_task == Dice().reset(seed=77)[0]
    env.reset(options={"task": 0})
    assert env.seed == 0
    assert [len(env.tasks(split)) for split in SPLITS] == [1_000_000, 1_000, 1_000]


def test_a_task_that_is_no_seed_is_told() -> None:
    with pytest.raises(UserError, match=r"task 'kitchen' .*tasks are seeds"):
        Dice().reset(options={"task": "kitchen"})
    with pytest.raises(UserError, match=r"task -3 .*tasks are seeds"):
        Dice().reset(options={"task": -3})


def test_an_unknown_split_is_told() -> None:
    with pytest.raises(UserError, match=r'unknown split "tset"\. Did you mean "test"\?'):
        Dice().tasks("tset")


def test_options_reach_the_author_as_a_copy() -> None:
    env, options = Dice(), {"level": 2}
    _, info = env.reset(options=options)
    assert info["options"] == options
    assert info["options"] is not options


def play(env: agentgym.Env, actions: list[str]) -> list[Any]:
    return [env.step(action) for action in actions]


class Native(Dice):
    def get_state(self) -> int:
        return self.turns

    def set_state(self, state: int) -> None:
        self.turns = state


@pytest.mark.parametrize("make", [Dice, Native])
def test_a_snapshot_is_a_moment_to_come_back_to(make: Callable[[], agentgym.Env]) -> None:
    env = make()
    env.reset(seed=9, options={"task": 5})
    env.step("a")
    moment = env.snapshot()
    rest = play(env, ["b", "c"])
    assert env.restore(moment) == (moment.observation, moment.info)
    assert play(env, ["b", "c"]) == rest
    other = make()
    other.restore(moment)
    assert other.seed == 5
    assert play(other, ["b", "c"]) == rest
    assert env.snapshot() == other.snapshot()


@pytest.mark.parametrize("make", [Dice, Native])
def test_a_snapshot_of_the_end_is_over(make: Callable[[], agentgym.Env]) -> None:
    env = make()
    env.reset(seed=9)
    play(env, ["a", "b", "c"])
    end = env.snapshot()
    env.reset(seed=1)
    env.restore(end)
    with pytest.raises(EnvError, match="episode that is over"):
        env.step("d")


def test_a_snapshot_needs_an_episode() -> None:
    with pytest.raises(SnapshotError, match=r"call reset\(\) first"):
        Dice().snapshot()


def test_a_replay_that_leads_elsewhere_is_refused() -> None:
    class Counts(Dice):
        resets = 0

        def reset(self, **_: Any) -> tuple[str, dict[str, Any]]:
            self.resets += 1
            return f"reset {self.resets}", {}

    env = Counts()
    env.reset(seed=1)
    moment = env.snapshot()
    with pytest.raises(
        SnapshotError, match=r"not deterministic: replayed with seed 1, turn 0 of 0 shows 'reset 2', not 'reset 1'"
    ):
        env.restore(moment)


def test_get_state_without_set_state_is_told() -> None:
    class Half(Dice):
        def get_state(self) -> int:
            return 1

    env = Half()
    env.reset()
    with pytest.raises(SnapshotError, match="Half defines get_state but not set_state"):
        env.restore(env.snapshot())


class Waits(agentgym.Env):
    async def reset(self, **_: Any) -> Any:  # type: ignore[override]
        await asyncio.sleep(0)
        return f"die {self.np_random.integers(10**6)}", {}

    async def step(self, action: str) -> Any:  # type: ignore[override]
        await asyncio.sleep(0)
        return ("x" if action == "good" else 7), 1, False, False, {}


def test_the_boundary_holds_for_async_environments() -> None:
    async def run() -> None:
        env: Any = Waits()
        first, _ = await env.reset(seed=3)
        assert (await Waits().reset(seed=3))[0] == first
        assert isinstance(await env.step("good"), StepResult)
        with pytest.raises(EnvError, match="an observation is text, found int 7"):
            await env.step("bad")

    asyncio.run(run())


def test_an_async_environment_is_replayed() -> None:
    async def run() -> None:
        env: Any = Waits()
        await env.reset(seed=3)
        await env.step("good")
        moment = env.snapshot()
        await env.reset(seed=4)
        assert (await env.restore(moment))[0] == "x"
        assert env.snapshot() == moment
        other: Any = Waits()
        assert (await other.replay(moment))[0] == "x"
        assert (moment.rung, moment.num_turns, len(moment.digests)) == ("replay", 1, 2)

    asyncio.run(run())


def test_a_replay_names_the_first_turn_that_differs() -> None:
    class Drifts(Dice):
        shift = 0

        def step(self, action: str) -> Any:
            seen, *rest = super().step(action)
            return (f"{seen} and {self.shift}" if action == "b" else seen), *rest

    env = Drifts()
    env.reset(seed=1)
    play(env, ["a", "b", "c"])
    moment = env.snapshot()
    env.shift = 1
    with pytest.raises(SnapshotError, match=r"replayed with seed 1, turn 2 of 3 shows '.* and 1', something else than"):
        env.restore(moment)


class Copies(agentgym.Env):
    """Draws from a deck that a closure and a bound method look at too."""

    restored_by = "copy"

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        self.deck = [int(card) for card in self.np_random.permutation(20)]
        self.top, self.rest = (lambda: self.deck[-1]), self.left
        return f"top {self.top()}", {}

    def step(self, action: str) -> Any:
        self.deck.pop()
        self.last = action
        return f"top {self.top()}, {self.rest()} left, {self.np_random.integers(99)}", 0.0, False, False, {}

    def left(self) -> int:
        return len(self.deck)


def test_what_says_so_is_copied() -> None:
    env = Copies()
    env.reset(seed=1)
    moment = env.snapshot()
    assert moment.rung == "copy"
    rest = play(env, ["a", "b", "c"])
    other = Copies()
    other.last = "before"
    for who in (env, other):
        for _ in range(2):
            who.restore(moment)
            assert hasattr(who, "last") == (who is not env)  # another one is replayed
            assert play(who, ["a", "b", "c"]) == rest
            assert who.snapshot().digests == env.snapshot().digests


def test_what_an_author_does_with_info_afterwards_changes_no_moment() -> None:
    class Tells(Copies):
        def reset(self, **options: Any) -> Any:
            self.info = {"turn": 0}
            return super().reset(**options)[0], self.info

        def step(self, action: str) -> Any:
            self.info["turn"] += 1
            return *super().step(action)[:4], self.info

    env = Tells()
    env.reset(seed=1)
    play(env, ["a"])
    moment = env.snapshot()
    for _ in range(2):
        play(env, ["b"])
        assert env.restore(moment)[1] == {"turn": 1}


def test_what_cannot_be_copied_is_told() -> None:
    class Locked(Copies):
        def reset(self, **_: Any) -> Any:
            self.lock = threading.Lock()
            return "locked", {}

    env = Locked()
    env.reset()
    with pytest.raises(SnapshotError, match=r'Locked says restored_by = "copy", and cannot be copied: TypeError'):
        env.snapshot()


def test_what_has_no_way_back_is_not_saved() -> None:
    class Ends(Dice):
        restored_by = "none"

    env = Ends()
    env.reset()
    with pytest.raises(SnapshotError, match="Ends cannot be saved: there is no way back"):
        env.snapshot()


def test_nothing_is_saved_after_a_step_that_raised() -> None:
    class Breaks(Dice):
        def step(self, action: str) -> Any:
            raise ZeroDivisionError

    env = Breaks()
    env.reset()
    with pytest.raises(ZeroDivisionError):
        env.step("a")
    with pytest.raises(SnapshotError, match="its last step raised"):
        env.snapshot()


def test_instructions_and_limits_that_a_reset_changed_come_back_with_the_moment() -> None:
    class Grows(Native):
        def reset(self, **options: Any) -> Any:
            self.instructions, self.max_turns = f"Seed {self.seed}.", self.seed
            return super().reset(**options)

    env = Grows()
    env.reset(seed=3)
    moment = env.snapshot()
    env.reset(seed=4)
    env.restore(moment)
    assert (env.instructions, env.max_turns) == ("Seed 3.", 3)


def test_a_digest_covers_all_that_is_seen() -> None:
    def digest(seen: Any, reward: float = 0.0, end: bool = False, **info: Any) -> str:
        return digest_of(StepResult(Observation.of(seen), reward, end, False, info))

    one, two = (as_media(np.full((2, 3, 3), shade, np.uint8)) for shade in (1, 2))
    shown: list[Any] = [
        ("a",),
        ("b",),
        ("a", 1.0),
        ("a", 0.0, True),
        (Observation("a", admissible=()),),
        (Observation("a", tools=[{"function": {"name": "add"}}]),),
        (Observation("a", tools=[{"name": "sub"}]),),
        *((Observation("a", images=images),) for images in ([one], [two], [one, two], [two, one])),
    ]
    digests = [digest(*each) for each in shown]
    assert len({*digests, digest("a", success=True), digest("a", success=False)}) == len(shown) + 2
    assert digests == [digest(*each) for each in shown]
    assert digest("a", success=np.True_, noise=object()) == digest("a", success=True)


def test_no_global_random_numbers_are_touched() -> None:
    np.random.seed(0)
    before = np.random.get_state()[1].copy()  # type: ignore[index]
    env = Dice()
    env.reset(seed=1)
    env.step("a")
    assert (np.random.get_state()[1] == before).all()  # type: ignore[index]


def test_garbage_is_told_with_the_place_of_the_method_that_returned_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("garbage_of_mine.py").write_text(
        "import agentgym\n\n\nclass Garbage(agentgym.Env):\n"
        "    def reset(self, *, seed=None, options=None):\n        return self.seen, {}\n\n"
        "    def step(self, action):\n        return 'x', None, True, False, {}\n"
    )
    env = agentgym.make("./garbage_of_mine.py")
    env.seen = 5
    with pytest.raises(EnvError, match=r"found int 5; reset is at garbage_of_mine\.py:5 \(seed 1, after 0 actions\)$"):
        env.reset(seed=1)
    env.seen = "here"
    env.reset(seed=1)
    with pytest.raises(EnvError, match=r"finite number; step is at garbage_of_mine\.py:8 \(seed 1, after 1 actions\)$"):
        env.step("go")
