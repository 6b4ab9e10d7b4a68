"""The calls of the reference or nothing: by hand, and in a conversation of the benchmark."""

from __future__ import annotations

import pytest

from agentgym.environments.bfcl import BFCL
from agentgym.errors import ConfigError, UserError
from agentgym.registry import plugins
from agentgym.rewards.call_match import CallMatch, Mode
from agentgym.types import StopReason, Trajectory, Turn
from tests.kit import episode

NAMES = ("made_calls", "expected_calls", "matched_calls", "exact_calls")


def played(*reports: tuple[float, ...] | None, stop: StopReason = StopReason.TERMINATED) -> Trajectory:
    """Of each turn what was made, expected, matched and exact, or None where nothing is compared."""
    one = episode(*[0.0] * len(reports), stop=stop)
    for turn, report in zip(one.turns, reports, strict=True):
        turn.channels = dict(zip(NAMES, report, strict=True)) if report else {"calls": 1.0}
    return one


@pytest.mark.parametrize(
    ("report", "ast", "exact"),
    [
        ((2, 2, 2, 2), 1, 1),
        ((2, 2, 2, 0), 1, 0),
        ((2, 2, 1, 1), 0, 0),
        ((3, 2, 2, 2), 0, 0),  # a call too many
        ((1, 2, 1, 1), 0, 0),
        ((0, 0, 0, 0), 1, 1),  # silence where it is wanted
        ((1, 0, 0, 0), 0, 0),
        ((0, 2, 0, 0), 0, 0),
    ],
)
def test_by_hand(report: tuple[float, ...], ast: float, exact: float) -> None:
    assert CallMatch()(played(report)) == CallMatch(mode="ast")(played(report)) == [ast]
    assert CallMatch(mode="exact")(played(report)) == [exact]


def test_each_comparison_is_judged_by_itself() -> None:
    one = played(None, (1, 1, 1, 1), None, (1, 1, 0, 0), (0, 0, 0, 0))
    assert CallMatch()(one) == [0, 1, 0, 0, 1]


@pytest.mark.parametrize(("unread", "values"), [(0, [0, 0, 0, 1]), (1, [0, 0, 0, 1]), (2, [0, 1, 0, 0])])
def test_a_reply_that_cannot_be_read_spoils_its_comparison_and_no_other(unread: int, values: list[float]) -> None:
    one = played(None, (1, 1, 1, 1), None, (1, 1, 1, 1))
    one.turns[unread].error = "What?"
    assert CallMatch()(one) == values


def test_an_environment_without_a_reference_is_told() -> None:
    with pytest.raises(UserError, match=r'"call-match": .*\["expected_calls"\]; reported: calls; choose another'):
        CallMatch()(played(None))
    assert CallMatch()(played(None, stop=StopReason.TURN_LIMIT)) == [0.0]  # it may have come later
    assert CallMatch()(episode()) == []


def test_modes_are_chosen_by_name() -> None:
    assert plugins("rewards").build("call-match", {"mode": "exact"})(played((1, 1, 1, 0))) == [0.0]
    with pytest.raises(ConfigError, match="Known: ast, exact"):
        plugins("rewards").build("call-match", {"mode": "fuzzy"})


@pytest.mark.parametrize(("mode", "values"), [("ast", [0, 1, 0, 0]), ("exact", [0, 0, 0, 0])])
def test_in_a_conversation_of_the_benchmark(mode: Mode, values: list[float]) -> None:
    """The truth in other case; then an answer where something should be called."""
    pytest.importorskip("bfcl_eval", reason="needs bfcl-eval: pip install --no-deps bfcl-eval==2026.3.23")
    env = BFCL(level="all")
    _, info = env.reset(seed=0, options={"task": "multi_turn_base_0"})
    one = episode(channels=info["channels"], stop=StopReason.TURN_LIMIT)
    for action in ("[cd('document'), mkdir('Temp'), mv('final_report.pdf', 'temp')]", "Done.", "Done.", "Done."):
        *_, info = env.step(action)
        one.turns.append(Turn(observation="", reply=action, action=action, channels=info["channels"]))
    assert CallMatch(mode=mode)(one) == values
