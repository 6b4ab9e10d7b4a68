"""Stages: what each plays, when it ends, and what is said of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

import agentgym
from agentgym.curricula.staged import Staged, StageSettings
from agentgym.curriculum import drawn, state_of
from agentgym.errors import ConfigError, UserError

FOUR: list[dict[str, Any]] = [
    {"name": "form", "rewards": {"call-format": 1, "progress": 0}},
    {"name": "base", "tasks": "^base", "strength": 1},
    {"name": "all", "strength": 0.5, "max_updates": 3},
    {"name": "as measured", "options": {"size": 3}},
]
TASKS = [f"{kind}_{number}" for kind in ("base", "long") for number in range(10)]


def staged(stages: Sequence[dict[str, Any]] = FOUR, **settings: Any) -> Staged:
    made = agentgym.plugins("curricula").build("staged", {"stages": list(stages), **settings}, TASKS, seed=1)
    assert isinstance(made, Staged)
    return made


def go(curriculum: Staged, looks: Sequence[float], norm: float = 1.0) -> None:
    """A look and an update, again and again."""
    for success in looks:
        curriculum.looked(success)
        curriculum.learn([])
        curriculum.stepped(norm)


def test_each_has_its_tasks_help_and_rewards() -> None:
    curriculum = staged(window=2)
    curriculum.run_strength = 1.0  # there are augmentations
    seen = []
    for _ in range(4):
        draws = [drawn(curriculum, ordinal) for ordinal in range(20)]
        seen.append(draws[0])
        assert {str(draw.task) for draw in draws} == set(TASKS[:10] if len(seen) == 2 else TASKS)
        go(curriculum, [0.5] * 3)
    assert [(draw.level, draw.strength, dict(draw.rewards), dict(draw.options)) for draw in seen] == [
        (0, 0, {"call-format": 1, "progress": 0}, {}),
        (1, 1, {}, {}),
        (2, 0.5, {}, {}),
        (3, 0, {}, {"size": 3}),
    ]


def test_a_stage_ends_when_success_has_converged_and_the_gradient_is_stable() -> None:
    """The line through .1 .2 .3 .4 rises by 0.1 a look; through .4 .4 .4 .4 by nothing."""
    curriculum = staged(window=4, slope=0.05)
    go(curriculum, [0.1, 0.2, 0.3, 0.4, 0.4])
    assert curriculum.at == 0, "from .2 to .4 it rises by .07"
    curriculum.looked(0.4)
    assert curriculum.at == 1, "from .3 to .4 by .03"
    assert curriculum.ended == [
        {
            "name": "form",
            "updates": 5,
            "ended": "success has converged, and the gradient is stable",
            "strength": 0.0,
            "success": 0.4,
        }
    ]


def test_the_slope_is_that_of_the_straight_line() -> None:
    """.0 .5 .25 has the slope (-1 · 0 + 0 · .5 + 1 · .25) / 2 = .125."""
    exactly, above = (staged(window=3, slope=slope) for slope in (0.125, 0.126))
    for curriculum in (exactly, above):
        go(curriculum, [0.0, 0.5])
        curriculum.stepped(1.0)
        curriculum.looked(0.25)
    assert (exactly.at, above.at) == (0, 1)


def test_a_gradient_that_is_not_stable_holds_it() -> None:
    """1 and 3: a deviation of 1, a mean of 2."""
    for unsteady, ends in ((0.5, 0), (0.51, 1)):
        curriculum = staged(window=2, unsteady=unsteady)
        go(curriculum, [0.5], norm=1.0)
        go(curriculum, [0.5], norm=3.0)
        curriculum.looked(0.5)
        assert curriculum.at == ends


def test_what_another_stage_showed_does_not_end_the_next() -> None:
    curriculum = staged(window=2)
    go(curriculum, [0.5] * 3)
    assert (curriculum.at, curriculum.looks, curriculum.norms) == (1, [], [1.0])
    go(curriculum, [0.5])
    assert curriculum.at == 1


def test_a_stage_has_no_more_updates_than_it_may() -> None:
    curriculum, places, over = staged(max_updates=5), list[int](), list[bool]()
    for _ in range(18):
        curriculum.learn([])
        places.append(curriculum.at)
        over.append(curriculum.is_over)
    assert places == [0] * 4 + [1] * 5 + [2] * 3 + [3] * 5 + [4]
    assert over == [False] * 17 + [True]
    told = curriculum.report()["stages"]
    assert [stage["updates"] for stage in told] == [5, 5, 3, 5]
    assert told[2]["ended"] == "3 updates, the most it may have"
    assert curriculum.draw(3).level == 3, "what is asked beyond is of the last stage"


def test_a_stage_that_the_run_ends_is_told_too() -> None:
    curriculum = staged()
    go(curriculum, [0.25])
    (stage,) = curriculum.report()["stages"]
    assert (stage["name"], stage["ended"], stage["success"]) == ("form", "the run ended", 0.25)


def test_it_goes_on_in_the_middle_of_a_stage() -> None:
    plain = [{**stage, "strength": 0} for stage in FOUR]
    whole, broken = staged(plain, window=3), staged(plain, window=3)
    looks = [0.1, 0.5, 0.5, 0.5, 0.5, 0.2, 0.2, 0.2, 0.2, 0.9]
    for number, success in enumerate(looks):
        for curriculum in (whole, broken):
            go(curriculum, [success], norm=1 + number % 2 / 10)
        again = staged(plain, window=3)
        again.load_state(json.loads(json.dumps(state_of(broken))))
        broken = again
        assert [drawn(broken, n) for n in range(12)] == [drawn(whole, n) for n in range(12)]
    assert whole.at == 3
    assert state_of(broken) == state_of(whole)


def test_stages_that_were_played_may_not_be_others() -> None:
    curriculum = staged(max_updates=1)
    curriculum.learn([])
    state = state_of(curriculum)
    staged([*FOUR[:3], {"name": "other"}]).load_state(state)
    with pytest.raises(UserError, match=r"has played the stages form, base, and curriculum.stages begins with form, b"):
        staged([FOUR[0], {"name": "b"}, *FOUR[2:]]).load_state(state)


@pytest.mark.parametrize(
    ("stages", "told"),
    [
        ([], "curriculum.stages is empty"),
        ([{"name": "a"}, {"name": "a"}], 'two have the name "a"'),
        ([{"name": "a", "tasks": "("}], "is no regular expression"),
        ([{"name": "a", "tasks": "nosuch"}], "none has 'nosuch' in its id; the first are base_0, base_1, base_2"),
        ([{"name": "a", "strength": 1.5}], "strength"),
        ([{"name": "a", "strenght": 1}], "strenght"),
        ([{}], "name"),
    ],
)
def test_bad_stages_are_told(stages: list[dict[str, Any]], told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        staged(stages)
    assert told in str(caught.value)


def test_tasks_without_end_are_not_searched() -> None:
    with pytest.raises(ConfigError, match="are chosen among 1000000000, expected 1000000 at most"):
        Staged(range(10**9), seed=0, stages=(StageSettings(name="a", tasks="7"),))
