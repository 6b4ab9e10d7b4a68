"""Which moments are come back to, where, how far it goes on from them, and what is told of the way."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from agentgym import doctor
from agentgym.errors import EnvError, SnapshotError
from tests.unit.doctor.kit import GlobalRandom, Result, Sound, Start, written_down


class Native(Sound):
    """Has a state of its own, and writes down which turn is come back to, where."""

    instances = itertools.count()
    log: list[tuple[int, int]]

    def __init__(self) -> None:
        self.number = next(self.instances)

    def get_state(self) -> tuple[str, ...]:
        return tuple(self.said)

    def set_state(self, state: tuple[str, ...]) -> None:
        self.said = list(state)
        self.log.append((self.number, len(state)))


def native(**attributes: Any) -> tuple[type[Native], list[tuple[int, int]]]:
    log: list[tuple[int, int]] = []
    return type("Native", (Native,), {"instances": itertools.count(), "log": log, **attributes}), log


class Long(Native):
    """Thirty turns."""

    max_turns = 30

    def step(self, action: str) -> Result:
        self.said.append(action)
        return f"{len(self.said)} {self.np_random.integers(1000)}", 0.0, len(self.said) == 30, False, {}


class NoWay(Sound):
    """Cannot be taken back."""

    restored_by = "none"


def test_where_there_is_no_way_back_nothing_is_restored() -> None:
    found = doctor.comes_back_to_snapshots(NoWay)
    assert isinstance(found, doctor.Remark)
    assert found == "left out: there is no way back to a moment"
    told = doctor.tells_the_way_back(NoWay)
    assert isinstance(told, doctor.Remark)
    assert told == "none: there is no way back to a moment; no search, no branches, no undo"


def test_every_moment_of_a_short_episode_is_restored_on_two_instances() -> None:
    env, log = native()
    assert doctor.comes_back_to_snapshots(env, 600.0, 2) == "10 moments of 2 episodes, each restored twice"
    assert sorted(log) == sorted([(instance, turn) for instance in (0, 1) for turn in range(5)] * 2)
    one, other = log[0::2], log[1::2]  # on the one that played it, then on the other
    assert [turn for _, turn in one] == [turn for _, turn in other]
    assert {instance for instance, _ in one} == {0}
    assert {instance for instance, _ in other} == {1}
    assert [turn for _, turn in one[:5]] != sorted(turn for _, turn in one[:5])


def test_of_a_long_episode_eight_moments_are_restored_the_first_and_the_last_among_them() -> None:
    env, log = native(max_turns=30, step=Long.step)
    assert doctor.comes_back_to_snapshots(env, 600.0, 1) == "8 moments of 1 episodes, each restored twice"
    turns = {turn for _, turn in log}
    assert {0, 30} < turns < set(range(31))
    assert len(turns) == 8


@pytest.mark.parametrize(("turn", "is_found"), [(20, True), (21, False)])
def test_twenty_turns_after_a_moment_are_compared(turn: int, is_found: bool) -> None:
    class DiffersLate(Long):
        """Differs at one turn from the first on, if it was brought back there."""

        was_restored = False

        def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Start:
            self.was_restored = False
            return super().reset(seed=seed)

        def set_state(self, state: tuple[str, ...]) -> None:
            self.said, self.was_restored = list(state), not state

        def step(self, action: str) -> Result:
            seen, *rest = super().step(action)
            return f"{seen} {self.was_restored and len(self.said) == turn}", *rest  # type: ignore[return-value]

    if is_found:
        with pytest.raises(EnvError, match=f"^after restoring turn 0 of .* on the same instance, turn {turn} differs"):
            doctor.comes_back_to_snapshots(DiffersLate, 600.0, 1)
    else:
        doctor.comes_back_to_snapshots(DiffersLate, 600.0, 1)


def test_what_is_seen_at_the_moment_is_compared_itself() -> None:
    class RestoresAnotherView(Sound):
        """Shows something else when it has come back."""

        def restore(self, snapshot: Any) -> Any:
            observation, info = super().restore(snapshot)
            return type(observation)(f"{observation}!"), info

    with pytest.raises(EnvError, match="on the same instance, turn 0 differs"):
        doctor.comes_back_to_snapshots(RestoresAnotherView, 600.0)


def test_both_instances_are_closed() -> None:
    for check in (doctor.comes_back_to_snapshots, doctor.tells_the_way_back):
        env, log = written_down()
        check(env, 600.0)
        assert sorted(line for line in log if "closes" in line) == ["1 closes", "2 closes", "3 closes"]


def test_slow_environments_come_back_to_the_ends_of_two_episodes() -> None:
    assert doctor.comes_back_to_snapshots(Sound, -1.0) == "4 moments of 2 episodes, each restored twice"
    assert "of 4 replays" in doctor.tells_the_way_back(Sound, -1.0)
    assert doctor.comes_back_to_snapshots(Sound, 600.0, 2) == "10 moments of 2 episodes, each restored twice"


@pytest.fixture
def ticking(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that is a millisecond further each time that it is read."""
    clock = itertools.count()
    monkeypatch.setattr("time.perf_counter", lambda: next(clock) / 1000)


@pytest.mark.usefixtures("ticking")
def test_what_a_way_back_takes_is_told() -> None:
    env, log = native()
    native_way = doctor.tells_the_way_back(env, 600.0, 1)
    assert sorted(log) == [(0, turn) for turn in range(5)]  # the other instance has only the actions to go by
    assert native_way == ("native, 1 ms; elsewhere verified replay, 1 ms for 2 turns; 0 of 5 replays diverge (0%)")
    assert not isinstance(native_way, doctor.Remark)
    copied = doctor.tells_the_way_back(type("Copied", (Sound,), {"restored_by": "copy"}), 600.0, 1)
    assert copied == "copy, 1 ms; elsewhere verified replay, 1 ms for 2 turns; 0 of 5 replays diverge (0%)"
    assert doctor.tells_the_way_back(Sound, 600.0, 1) == (
        "verified replay, 1 ms for 2 turns; 0 of 5 replays diverge (0%)"
    )


@pytest.mark.usefixtures("ticking")
def test_replays_that_diverge_are_counted_and_remarked_on() -> None:
    found = doctor.tells_the_way_back(GlobalRandom, 600.0, 1)
    assert isinstance(found, doctor.Remark)
    assert found == "verified replay, 1 ms for 0 turns; 4 of 5 replays diverge (80%)"

    class AlwaysNew(Sound):
        games = itertools.count()

        def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Start:
            self.said = []
            return f"game {next(self.games)}", {}

    assert doctor.tells_the_way_back(AlwaysNew, 600.0, 1) == "verified replay; 5 of 5 replays diverge (100%)"


def test_a_way_back_that_fails_where_the_moment_is_kept_is_an_error() -> None:
    class Jams(Native):
        def set_state(self, state: tuple[str, ...]) -> None:
            raise SnapshotError("jammed")

    env, _ = native(set_state=Jams.set_state)
    with pytest.raises(SnapshotError, match="jammed"):
        doctor.tells_the_way_back(env, 600.0)
