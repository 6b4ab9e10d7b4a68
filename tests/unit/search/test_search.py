"""What a search makes of what was found: places, what is best, what a critic said last, several trees as one."""

from __future__ import annotations

import pytest

from agentgym.search import Found, Spent, best, joined, last_judgment, places
from agentgym.types import StopReason, Trajectory, Turn


def line(reward: float, *critic: float | None, stop_reason: StopReason = StopReason.TERMINATED) -> Trajectory:
    turns = [Turn(observation="", reply="", critic=given) for given in critic]
    return Trajectory(env="ways", task=None, seed=0, episode_id=f"worth {reward}", turns=turns, stop_reason=stop_reason)


@pytest.mark.parametrize(
    ("worth", "expected"),
    [
        ([3.0, 1.0, 2.0], [1.0, 0.0, 0.5]),
        ([3.0, 1.0, 2.0, 2.0], [1.0, 0.0, 0.5, 0.5]),
        ([5.0, 5.0, 0.0], [0.75, 0.75, 0.0]),  # the middle of the first two places
        ([1.0, 1.0, 1.0, 1.0], [0.5] * 4),
        ([7.0], [0.0]),
        ([], []),
    ],
    ids=str,
)
def test_places_by_hand(worth: list[float], expected: list[float]) -> None:
    assert places(worth) == expected


def worth(found: Trajectory) -> float:
    return float(found.episode_id.split()[1])


def test_the_first_of_the_best_is_best() -> None:
    one, two, three = line(0.5), line(1.0), line(1.0)
    assert best([one, two, three], worth) is two


def test_a_void_line_is_best_only_where_there_is_no_other() -> None:
    void, whole = line(9.0, stop_reason=StopReason.ENV_ERROR), line(-1.0)
    assert best([void, whole], worth) is whole
    assert best([void], worth) is void


def test_the_last_judgment_is_that_of_the_last_turn() -> None:
    assert last_judgment(line(0.0, 1.0, 0.25)) == 0.25
    assert last_judgment(line(0.0, 1.0, 0.0)) == 0.0
    assert last_judgment(line(0.0, 1.0, None)) == last_judgment(line(0.0)) == -1.0


def test_several_trees_cost_what_they_cost_together() -> None:
    trees = [Found([line(1.0)], Spent(steps=2, lost=1, began=5.0)), Found([line(2.0)], Spent(steps=3, began=4.0))]
    found = joined(trees)
    assert [worth(each) for each in found.lines] == [1.0, 2.0]
    assert (found.spent.steps, found.spent.lost, found.spent.began) == (5, 1, 4.0)
