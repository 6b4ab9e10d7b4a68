"""Moments: what a digest tells apart, what a snapshot holds, and what a way back brings back."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import agentgym
from agentgym.errors import SnapshotError
from agentgym.media import as_media
from agentgym.snapshot import Copied, Mark, Past, Snapshot, digest_of
from agentgym.types import Observation, StepResult

ONE, TWO = (as_media(np.full((2, 3, 3), shade, np.uint8)) for shade in (1, 2))


def turn(seen: Observation | str = "a", reward: float = 0.0, ended: str = "", **info: Any) -> StepResult:
    return StepResult(Observation.of(seen), reward, ended == "terminated", ended == "truncated", info)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (turn("a"), turn("b")),
        (turn(reward=1.0), turn(reward=0.5)),
        (turn(), turn(ended="terminated")),
        (turn(), turn(ended="truncated")),
        (turn(ended="terminated"), turn(ended="truncated")),
        (turn(success=True), turn(success=False)),
        (turn(), turn(success=False)),
        (turn(), turn(Observation("a", admissible=()))),
        (turn(Observation("a", admissible=("x", "y"))), turn(Observation("a", admissible=("y", "x")))),
        (turn(), turn(Observation("a", tools=[{"name": "add"}]))),
        (turn(Observation("a", tools=[{"name": "add"}])), turn(Observation("a", tools=[{"name": "sub"}]))),
        (
            turn(Observation("a", tools=[{"function": {"name": "add"}}])),
            turn(Observation("a", tools=[{"function": {"name": "sub"}}])),
        ),
        (turn(), turn(Observation("a", images=[ONE]))),
        (turn(Observation("a", images=[ONE])), turn(Observation("a", images=[TWO]))),
        (turn(Observation("a", images=[ONE, TWO])), turn(Observation("a", images=[TWO, ONE]))),
        (turn(Observation("a", images=[ONE])), turn(Observation("a", images=[ONE, ONE]))),
    ],
)
def test_what_is_not_the_same_has_another_digest(one: StepResult, other: StepResult) -> None:
    assert digest_of(one) != digest_of(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (turn(), turn(noise=object(), elapsed=0.3)),
        (turn(), turn(success="perhaps")),
        (turn(success=True), turn(success=np.True_)),
        (
            turn(Observation("a", tools=[{"name": "add", "description": "Adds."}])),
            turn(Observation("a", tools=[{"name": "add", "description": "Sums."}])),
        ),
        (
            turn(Observation("a", tools=[{"name": "add"}])),
            turn(Observation("a", tools=[{"type": "function", "function": {"name": "add"}}])),
        ),
    ],
)
def test_what_shows_the_same_has_the_same_digest(one: StepResult, other: StepResult) -> None:
    assert digest_of(one) == digest_of(other)


def test_a_digest_is_32_hexadecimal_digits() -> None:
    assert len(digest_of(turn("\ud800"))) == 32
    assert int(digest_of(turn()), 16) >= 0


def snapshot(**changes: Any) -> Snapshot:
    given: dict[str, Any] = {
        "seed": 3,
        "options": {"level": 2},
        "actions": ("a", "b"),
        "digests": ("0", "1", "2"),
        "observation": Observation("seen"),
        "info": {},
        "done": False,
        "total": 1.5,
        "rng": {},
        "instructions": "",
        "max_turns": 4,
    }
    return Snapshot(**{**given, **changes})


class Deck(agentgym.Env):
    """Keeps cards; what it is told comes to lie on them."""

    restored_by = "copy"
    cards: list[int]
    kept: list[int]
    held: object
    later: str

    def reset(self, **_: Any) -> tuple[str, dict[str, Any]]:
        self.cards = [1, 2, 3]
        return "begin", {}

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        self.cards.append(int(action))
        return str(self.cards), 0.0, False, False, {}


def test_the_rung_of_a_moment_is_that_of_the_state_it_holds() -> None:
    copied = Copied(Deck(), but=())
    assert [snapshot(state=state).rung for state in (None, 0, copied)] == ["replay", "native", "copy"]
    nested = [snapshot(state=snapshot(state=state)).rung for state in (None, 0, copied)]
    assert nested == ["replay", "native", "copy"]


def test_a_mark_has_what_leads_there_and_how_its_host_comes_back() -> None:
    mark = Mark.of(snapshot(state=7), "id-1")
    assert (mark.id, mark.rung, mark.seed, mark.options) == ("id-1", "native", 3, {"level": 2})
    assert (mark.actions, mark.digests, mark.digest, mark.num_turns) == (("a", "b"), ("0", "1", "2"), "2", 2)
    assert Past(seed=0, options={}, actions=(), digests=("first",)).num_turns == 0


def test_a_copy_is_as_the_attributes_were_however_often_it_is_brought_back() -> None:
    env = Deck()
    env.reset(seed=0)
    moment = env.snapshot()
    for said in ("4", "5", "6"):
        env.step(said)
        env.later = "set after the moment"
        env.restore(moment)
        assert env.cards == [1, 2, 3]
        assert not hasattr(env, "later")


def test_what_looks_at_the_environment_still_does_after_it_was_brought_back() -> None:
    env = Deck()
    env.cards, env.held = [1], [env, env.render]
    copied = Copied(env, but=())
    for _ in range(2):
        copied.bring_back()
        assert isinstance(env.held, list)
        assert env.held[0] is env.held[1].__self__ is env


def test_a_copy_leaves_alone_what_it_is_told_to() -> None:
    env = Deck()
    env.cards, env.kept = [1], [1]
    copied = Copied(env, but={"kept"})
    env.cards, env.kept = [2], [2]
    copied.bring_back()
    assert (env.cards, env.kept) == ([1], [2])


def test_why_something_cannot_be_copied_is_told() -> None:
    class Refuses:
        def __deepcopy__(self, _: Any) -> Any:
            raise LookupError("no copies")

    env = Deck()
    env.held = Refuses()
    with pytest.raises(SnapshotError, match=r'Deck says restored_by = "copy".*LookupError: no copies') as told:
        Copied(env, but=())
    assert isinstance(told.value.__cause__, LookupError)


# -- what an environment puts into a moment, and takes out of it ----------------------------------------------


class Walk(agentgym.Env):
    """Pays 1, 2, 3, … and shows the options and a draw; ends at "stop", is cut at "cut"."""

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        self.turns, self.options = 0, options
        return f"{options} {self.np_random.integers(10**6)}", {"turn": 0}

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        self.turns += 1
        seen = f"{self.options} {action} {self.np_random.integers(10**6)}"
        return seen, float(self.turns), action == "stop", action == "cut", {"turn": self.turns}


class KeptWalk(Walk):
    """The same, with a state of its own."""

    def get_state(self) -> Any:
        return self.turns, self.options

    def set_state(self, state: Any) -> None:
        self.turns, self.options = state


class CopiedWalk(Walk):
    """The same, copied."""

    restored_by = "copy"


WALKS = pytest.mark.parametrize("make", [Walk, KeptWalk, CopiedWalk])


@WALKS
def test_a_moment_holds_the_sum_of_the_rewards_and_each_action_in_order(make: Callable[[], agentgym.Env]) -> None:
    env = make()
    env.reset(seed=4, options={"level": 2})
    assert (env.snapshot().total, env.snapshot().actions) == (0.0, ())
    for said in "xyz":
        env.step(said)
    moment = env.snapshot()
    assert (moment.total, moment.actions, moment.seed, moment.options) == (6.0, ("x", "y", "z"), 4, {"level": 2})
    assert (moment.info, moment.done, len(set(moment.digests))) == ({"turn": 3}, False, 4)
    env.reset(seed=4)
    assert (env.snapshot().total, env.snapshot().actions, env.snapshot().options) == (0.0, (), {})


@WALKS
def test_all_of_a_moment_comes_back(make: Callable[[], agentgym.Env]) -> None:
    env, other = make(), make()
    env.reset(seed=4, options={"level": 2})
    env.step("x")
    moment = env.snapshot()
    expected = [env.step("y"), env.step("stop")]
    env.reset(seed=5)
    env.step("stop")
    other.reset(seed=6, options={"level": 3})
    for who in (env, other):
        seen, info = who.restore(moment)
        assert (seen, info, who.seed, who.render()) == (moment.observation, {"turn": 1}, 4, moment.observation)
        assert dataclasses.replace(who.snapshot(), state=moment.state) == moment  # a copy is equal to itself alone
        assert [who.step("y"), who.step("stop")] == expected
        assert who.snapshot().total == 6.0


@pytest.mark.parametrize("how", ["stop", "cut"])
@WALKS
def test_an_end_of_either_kind_is_an_end_when_it_is_come_back_to(make: Callable[[], agentgym.Env], how: str) -> None:
    env = make()
    env.reset(seed=4)
    env.step(how)
    end = env.snapshot()
    assert end.done
    env.reset(seed=5)
    env.restore(end)
    with pytest.raises(agentgym.errors.EnvError, match="episode that is over"):
        env.step("x")


@WALKS
def test_a_moment_is_its_own_whatever_is_done_with_what_it_gave(make: Callable[[], agentgym.Env]) -> None:
    """An info or options that somebody changes are those of the running episode only."""
    env = make()
    options = {"level": 2}
    env.reset(seed=4, options=options)
    moment = env.snapshot()
    for _ in range(2):
        _, info = env.restore(moment)
        assert (info, env.snapshot().options) == ({"turn": 0}, {"level": 2})
        info["turn"] = 99
        options["level"] = 99
        env.step("x")


def test_a_replay_takes_the_options_the_seed_and_every_action() -> None:
    env, other = Walk(), Walk()
    env.reset(seed=4, options={"level": 2})
    first = env.step("x").observation  # type: ignore[attr-defined]
    assert first.startswith("{'level': 2} x ")
    moment = env.snapshot()
    assert other.replay(moment) == (first, {"turn": 1})
    assert (other.seed, other.snapshot().options, other.snapshot().actions) == (4, {"level": 2}, ("x",))


def past(**changes: Any) -> Past:
    """What led to a third turn of ``Walk``."""
    env = Walk()
    env.reset(seed=4)
    for said in "xyz":
        env.step(said)
    moment = env.snapshot()
    given = {"seed": 4, "options": {}, "actions": moment.actions, "digests": moment.digests}
    return Past(**{**given, **changes})


def test_every_turn_of_a_replay_is_compared_the_first_and_the_last_too() -> None:
    digests = past().digests
    for number in range(4):
        changed = (*digests[:number], "another", *digests[number + 1 :])
        with pytest.raises(SnapshotError, match=f"Walk is not deterministic: replayed with seed 4, turn {number} of 3"):
            Walk().replay(past(digests=changed))


def test_a_replay_that_is_over_before_its_actions_are_taken_is_told() -> None:
    env = Walk()
    env.reset(seed=4)
    ended = env.step("stop")
    with pytest.raises(SnapshotError, match="turn 1 of 2 is the end, with actions left to take"):
        Walk().replay(past(actions=("stop", "x"), digests=(past().digests[0], digest_of(ended), "")))  # type: ignore[arg-type]


def test_a_native_state_is_restored_without_a_single_step() -> None:
    env = KeptWalk()
    env.reset(seed=4)
    env.step("x")
    moment = env.snapshot()
    calls: list[str] = []
    env.step = env.reset = lambda *_, **__: calls.append("called")  # type: ignore[method-assign,assignment]
    env.restore(moment)
    assert calls == []
