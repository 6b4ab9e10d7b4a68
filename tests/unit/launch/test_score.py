"""How episodes went, in words: what came to nothing, what may help, and one of them to read."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from agentgym.launch.score import advice, sample_of, score, told, told_void
from agentgym.types import SamplingRecord, StopReason, Trajectory, Turn
from tests.kit import episode, sample


def turn(error: str | None = None, action: str | None = "go", **changes: Any) -> Turn:
    return Turn(**{"observation": "a door", "reply": "I go", "action": action, "error": error, **changes})


def with_turns(*turns: Turn, **changes: Any) -> Trajectory:
    return episode(0.0, turns=list(turns), **changes)


UNREAD = turn("No action found.", None)
IDLE = turn("no such door", "go west")


def test_replies_that_cannot_be_read_and_actions_without_effect_are_counted_apart() -> None:
    seen = score([with_turns(UNREAD, IDLE, turn(), turn()), with_turns(IDLE, stop=StopReason.TURN_LIMIT)])
    assert (seen.unread_turns, seen.invalid_turns) == (0.2, 0.4)
    assert seen.stop_reasons == {"terminated": 1, "turn_limit": 1}
    assert "20.0% of the replies could not be read, 40.0% of the actions had no effect" in told(seen)
    assert told(seen).endswith("ended: terminated 1, turn_limit 1")
    assert score([with_turns()]).unread_turns == 0.0


@pytest.mark.parametrize(
    ("temperatures", "known", "words"),
    [
        ((0.0, 0.0), 0.0, ", greedy, 2 episodes"),
        ((0.7, 0.7), 0.7, ", temperature 0.7, 2"),
        ((0.0, 1.0), None, "0, 2 e"),
    ],
)
def test_how_replies_were_sampled_is_said_where_it_is_one_way(
    temperatures: tuple[float, float], known: float | None, words: str
) -> None:
    seen = score([episode(0.0, sampling=SamplingRecord(temperature=each)) for each in temperatures])
    assert seen.temperature == known
    assert words in told(seen)


def test_void_is_explained_where_there_is_some() -> None:
    void = episode(stop=StopReason.ENV_ERROR, error="door.py:3 broke")
    assert told_void([episode(1.0)]) == ""
    assert told_void([episode(1.0), void]) == (
        "1 of 2 episodes are void, that is, not counted, because the environment broke or took too long; the first: "
        "door.py:3 broke"
    )
    assert told_void([episode(stop=StopReason.DEADLINE)]).endswith("the first: deadline")


def helps(*episodes: Trajectory) -> list[str]:
    return advice(episodes, max_reply_tokens=3, protocol="react")


def test_it_is_said_what_may_help_where_more_than_a_tenth_comes_to_nothing() -> None:
    fine = [turn()] * 18
    assert helps(with_turns(*fine, UNREAD, IDLE)) == []
    assert helps(with_turns(*fine[:17], UNREAD, UNREAD, UNREAD)) == [
        'many replies could not be read as the protocol "react"; the policy was told: "No action found."; show it how: '
        "--protocol.example auto, or --protocol.shots 2; or try another --protocol"
    ]
    assert helps(with_turns(*fine[:17], IDLE, IDLE, IDLE)) == [
        "many actions had no effect, as 'go west': \"no such door\"; where the environment lists its actions, "
        "--protocol.actions shown tells them to the policy"
    ]
    assert helps(episode(stop=StopReason.ENV_ERROR)) == []


def test_replies_that_are_as_long_as_they_may_be_were_cut_off() -> None:
    long, short = sample([[5, 5, 5], [5]]), sample([[5, 5], [5]])
    assert helps(with_turns(turn(), turn(), samples=[long])) == [
        "1 of 2 replies were cut off; raise --rollout.max_reply_tokens, now 3"
    ]
    assert helps(with_turns(turn(), turn(), samples=[short])) == []
    blank = sample([]).model_copy(update={"loss_mask": np.zeros(0, np.bool_)})
    assert helps(with_turns(turn(), samples=[blank])) == []


def test_the_sample_is_the_first_failure_that_counts_and_long_texts_are_cut() -> None:
    won, void = episode(1.0, success=True), episode(stop=StopReason.ENV_ERROR)
    lost = with_turns(
        UNREAD, turn(reply="a\nb"), turn(observation="x" * 301), *[turn()] * 3, task=7, stop=StopReason.TURN_LIMIT
    )
    assert sample_of([void, won, lost]).splitlines() == [
        "one of them, task 7: no success, reward 0, turn_limit",
        "  1 seen: a door",
        "    said: I go",
        "    which had no effect: No action found.",
        "  2 seen: a door",
        "    said: a ⏎ b",
        f"  3 seen: {'x' * 300} …",
        "    said: I go",
        "  4 seen: a door",
        "    said: I go",
        "  … 2 more turns",
    ]
    assert sample_of([void, won]).startswith("one of them, task 0: success, reward 1, ended by the environment\n")
    assert sample_of([void]) == ""
