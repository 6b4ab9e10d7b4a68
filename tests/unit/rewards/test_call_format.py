"""What can be read and carried out: the paper's arithmetic, the gate, and a small environment of tools."""

from __future__ import annotations

import pytest

from agentgym.errors import UserError
from agentgym.rewards.call_format import call_format
from agentgym.tools import ToolEnv, ToolError, tool
from agentgym.types import StopReason, Trajectory, Turn
from tests.kit import answered, episode


def played(*turns: tuple[int, int] | None) -> Trajectory:
    """Calls that were answered and those that failed, of each turn; None where it could not be read."""
    one = episode(*[0.0] * len(turns))
    for turn, numbers in zip(one.turns, turns, strict=True):
        turn.channels = answered(*numbers or (0, 0))["channels"]
        turn.error = "what?" if numbers is None or numbers[1] else None
    return one


@pytest.mark.parametrize(
    ("turns", "value"),
    [
        (
            [(1, 0), (2, 0), None, (1, 1), (0, 0)],
            0.8 + 0.75,
        ),  # 5 turns, 1 unread; 3 calls that succeeded, 1 that failed
        ([(1, 0)], 2.0),
        ([(1, 1)], 1.0),
        ([(2, 1)], 1.5),
        ([None, (1, 0)], 1.5),
        ([(0, 0)], 0.0),  # nobody called: the gate
        ([(0, 0)] * 3, 0.0),
        ([None, (0, 0)], 0.0),
        ([None], 0.0),
    ],
)
def test_by_hand(turns: list[tuple[int, int] | None], value: float) -> None:
    assert call_format(played(*turns)) == pytest.approx([0.0] * (len(turns) - 1) + [value])


def test_a_reply_that_the_protocol_cannot_read_is_no_call() -> None:
    one = played((1, 0), (1, 0))
    one.turns[0] = Turn(observation="", reply="?", error="No action found.")
    assert call_format(one) == [0.0, 1.5]


def test_a_summary_is_no_turn() -> None:
    one = played((1, 0), None, None)
    one.turns[1] = Turn(observation="", reply="so far", is_summary=True)
    assert call_format(one) == [0.0, 0.0, 1.5]  # one of two could be read, not two of three


def test_an_environment_without_calls_is_told() -> None:
    with pytest.raises(
        UserError, match=r'"call-format": .* toy reports no info\["channels"\]\["calls"\]; reported: no'
    ):
        call_format(episode(1.0))
    with pytest.raises(UserError, match="choose another reward"):
        call_format(episode(1.0, stop=StopReason.TURN_LIMIT))


def test_an_episode_in_which_nothing_was_done_pays_nothing() -> None:
    assert call_format(episode()) == []
    one = episode(0.0)
    one.turns[0].action, one.turns[0].error = None, "empty"
    assert call_format(one) == [0.0]


class Doors(ToolEnv):
    def start(self, task: object) -> str:
        return "A door."

    @tool
    def open(self, door: int) -> str:
        """Open a door."""
        if door > 1:
            raise ToolError("There is no such door.")
        return "open"


def test_an_environment_of_tools_reports_what_it_takes() -> None:
    """Read, refused by the tool, refused by its schema, unreadable, words: 4 of 5 turns and 2 of 4 calls."""
    env = Doors()
    env.reset(seed=0)
    one = episode()
    for action in ("open(door=1)", "open(door=2)", "open(gate=1)", "open(door=", '[{"name": "open", "arguments": {}}'):
        *_, info = env.step(action)
        turn = Turn(observation="", reply=action, action=action, channels=info["channels"])
        turn.error = info.get("invalid_action")
        one.turns.append(turn)
    assert [turn.channels["calls"] for turn in one.turns] == [1, 1, 1, 0, 0]
    assert sum(call_format(one)) == pytest.approx(3 / 5 + 1 / 3)
