"""The share of the user's turns that were done right: by hand, and in a conversation of the benchmark."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentgym.environments.bfcl import BFCL
from agentgym.errors import UserError
from agentgym.rewards.progress import Progress
from agentgym.types import StopReason, Trajectory, Turn
from tests.kit import episode


def conversation(
    user_turns: float | None, *verdicts: float | None, stop: StopReason = StopReason.TERMINATED
) -> Trajectory:
    """One turn of the policy for each verdict; None where it ends none of the user's."""
    one = episode(*[0.0] * len(verdicts), stop=stop)
    one.channels = {} if user_turns is None else {"user_turns": user_turns}
    for turn, verdict in zip(one.turns, verdicts, strict=True):
        turn.channels = {"calls": 1.0} if verdict is None else {"turn_success": verdict}
    return one


def test_by_hand() -> None:
    paid = Progress()(conversation(3, None, 1.0, None, None, 0.0, 1.0))
    assert paid == pytest.approx([0, 1 / 3, 0, 0, 0, 1 / 3])  # 2/3 in all
    assert Progress().is_invariant is False


@pytest.mark.parametrize("stop", [StopReason.TURN_LIMIT, StopReason.INVALID_LIMIT, StopReason.TRUNCATED])
def test_turns_that_never_came_count_as_wrong(stop: StopReason) -> None:
    """After the first of three, which is right: 1/3, and not the whole."""
    assert sum(Progress()(conversation(3, 1.0, stop=stop))) == pytest.approx(1 / 3)
    assert Progress()(conversation(3, None, stop=stop)) == [0.0]


@given(st.lists(st.booleans(), min_size=1, max_size=9), st.data())
def test_to_stop_early_gains_nothing(verdicts: list[bool], data: st.DataObject) -> None:
    numbers = [float(verdict) for verdict in verdicts]
    reached = data.draw(st.integers(1, len(numbers)))
    whole = sum(Progress()(conversation(len(numbers), *numbers)))
    part = sum(Progress()(conversation(len(numbers), *numbers[:reached], stop=StopReason.TURN_LIMIT)))
    assert 0 <= part <= whole <= 1 + 1e-9


def test_other_names_of_the_channels() -> None:
    one = episode(0.0, 0.0, channels={"rooms": 4.0})
    one.turns[1].channels = {"swept": 0.5}
    assert Progress(verdict="swept", turns="rooms")(one) == [0.0, 0.125]


def test_what_is_not_reported_is_told() -> None:
    with pytest.raises(
        UserError,
        match=r'"progress": in a whole episode toy reports no info\["channels"\]\["turn_success"\]; '
        r"reported: calls, user_turns; choose one with --rewards\.progress\.verdict",
    ):
        Progress()(conversation(3, None))
    with pytest.raises(UserError, match=r'\["user_turns"\]; reported: turn_success; .*turns, reported at the reset'):
        Progress()(conversation(None, 1.0))
    with pytest.raises(UserError, match=r'"user_turns" 1 at the reset, and "turn_success" 2 times, expected no more'):
        Progress()(conversation(1, 1.0, 1.0))


def test_an_episode_in_which_nothing_was_done_pays_nothing() -> None:
    unread = conversation(None, None)
    unread.turns[0].action = None
    assert Progress()(unread) == [0.0]
    assert Progress()(episode()) == []


def test_the_benchmark_pays_the_same_where_it_pays_progress() -> None:
    """In a conversation that holds a tool out, with a call too many where nothing should be called."""
    pytest.importorskip("bfcl_eval", reason="needs bfcl-eval: pip install --no-deps bfcl-eval==2026.3.23")
    env = BFCL(level="miss_func")
    _, info = env.reset(seed=0, options={"task": "multi_turn_miss_func_0"})
    one = episode(channels=info["channels"])
    expert, terminated = env.expert(), False
    while not terminated:
        action = "[pwd()]" if env.episode.turn == 2 and not env.episode.called else expert(None)  # type: ignore[arg-type]
        _, reward, terminated, _, info = env.step(action)
        one.turns.append(Turn(observation="", reply="", action=action, reward=reward, channels=info["channels"]))
    paid = Progress()(one)
    assert paid == [turn.reward for turn in one.turns]
    assert sum(paid) == pytest.approx(0.8)
