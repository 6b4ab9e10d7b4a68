"""Groups: who is compared with whom, which of them teach anything, and what an update plays."""

from __future__ import annotations

from typing import Any

import pytest

from agentgym.config import validated
from agentgym.curriculum import Curriculum
from agentgym.draw import Draw
from agentgym.errors import ConfigError
from agentgym.groups import Group, GroupSettings, group_specs, grouped, is_informative, specs_of, untaught
from agentgym.types import StopReason, Trajectory
from tests.kit import episode


@pytest.mark.parametrize(
    ("rewards", "informative"),
    [
        ([], False),
        ([1.0], False),
        ([1.0, 1.0], False),
        ([0.1 + 0.2, 0.3], False),
        ([0.0, 0.0, 1e-6], True),
        ([0.0, 2.0**-30], False),
        ([0.0, 1.5e-9], True),
        ([-1.0, 1.0], True),
    ],
)
def test_groups_whose_rewards_do_not_differ_teach_nothing(rewards: list[float], informative: bool) -> None:
    assert is_informative(rewards) is informative


def test_the_tolerance_itself_is_no_difference() -> None:
    assert not is_informative([0.0, 0.5], tolerance=0.5)
    assert is_informative([0.0, 0.5], tolerance=0.25)


def test_a_group_is_compared_by_what_is_learned_from() -> None:
    group = Group(3, [episode(0.5, 0.5, shaped=1.0), episode(0.0, shaped=1.0), episode(1.0)])
    assert group.rewards == [3.0, 1.0, 1.0]
    assert group.deviation == pytest.approx(0.9428090415820634)  # √(8 / 9)
    assert group.unfit == ""


@pytest.mark.parametrize(
    ("members", "why"),
    [
        ([], "fewer than two episodes that count"),
        ([1.0], "fewer than two episodes that count"),
        ([1.0, 1.0], "equal rewards"),
        ([1.0, 0.0], ""),
    ],
)
def test_why_a_group_teaches_nothing(members: list[float], why: str) -> None:
    group = Group(0, [episode(reward) for reward in members])
    assert group.unfit == why
    assert group.deviation == (0.5 if not why else 0.0)


class Recipe(Curriculum):
    """Each ordinal its own task, options, level and strength."""

    run_strength = 1.0

    def draw(self, ordinal: int) -> Draw:
        return Draw(
            task=ordinal * 10,
            options={"at": ordinal},
            level=ordinal + 0.5,
            strength=ordinal / 16,
            max_turns=1 + ordinal,
        )


def test_an_update_plays_its_own_ordinals_each_as_a_group_of_members_that_share_a_start() -> None:
    specs = group_specs(Recipe(range(100), seed=7), 2, groups=3, group_size=2)
    assert [(s.ordinal, s.task, s.options["at"], s.level, s.strength) for s in specs[::2]] == [
        (6, 60, 6, 6.5, 0.375),
        (7, 70, 7, 7.5, 0.4375),
        (8, 80, 8, 8.5, 0.5),
    ]
    assert [s.max_turns for s in specs] == [7, 7, 8, 8, 9, 9]
    assert [s.group_id for s in specs] == ["2-0", "2-0", "2-1", "2-1", "2-2", "2-2"]
    assert [s.episode_id for s in specs] == ["2-0-0", "2-0-1", "2-1-0", "2-1-1", "2-2-0", "2-2-1"]
    assert [s.member for s in specs] == [0, 1] * 3
    assert {s.split for s in specs} == {"train"}
    for one, other in zip(specs[::2], specs[1::2], strict=True):
        assert (one.seed, one.task, one.ordinal, one.options) == (other.seed, other.task, other.ordinal, other.options)
    assert len({s.seed for s in specs}) == 3


def test_the_start_of_an_ordinal_is_the_same_whatever_the_update_and_another_with_another_seed() -> None:
    (early,) = {s.seed for s in group_specs(Recipe([0], seed=7), 3, groups=1, group_size=2)}
    late = {s.ordinal: s.seed for s in group_specs(Recipe([0], seed=7), 0, groups=5, group_size=2)}
    assert late[3] == early
    assert early not in {s.seed for s in group_specs(Recipe([0], seed=8), 0, groups=5, group_size=2)}


def test_the_last_of_each_group_play_without_augmentations() -> None:
    specs = specs_of(Recipe(range(100), seed=7), 1, range(2, 4), first=2, group_size=4, num_clean=1)
    assert [s.strength for s in specs] == [0.125, 0.125, 0.125, 0, 0.1875, 0.1875, 0.1875, 0]
    assert {s.group_id for s in specs[:4]} == {"1-0"}
    assert len({s.seed for s in specs[:4]}) == 1  # and from the same start


@pytest.mark.parametrize(
    ("given", "num"), [({}, 2), ({"group_size": 16}, 4), ({"group_size": 4}, 2), ({"group_size": 3}, 0)]
)
def test_a_quarter_of_a_group_is_clean_but_two_at_least(given: dict[str, Any], num: int) -> None:
    assert GroupSettings(**given).num_clean == num


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"clean_share": 0.05}, "clean_share 0.05 of a group_size of 8 is no episode"),
        ({"clean_share": 0.125}, "leaves an episode with nothing to be compared with"),
        ({"clean_share": 0.875}, "leaves an episode with nothing to be compared with"),
        ({"clean_share": 0.999}, "leaves an episode with nothing to be compared with"),
        ({"clean_share": 0, "mix_strengths": True}, "mix_strengths has no effect"),
        ({"group_size": 2, "mix_strengths": True}, "mix_strengths has no effect"),
        ({"clean_share": 1}, "less than 1"),
        ({"clean_share": -0.1}, "greater than or equal to 0"),
    ],
)
def test_a_clean_share_must_leave_something_to_compare(given: dict[str, Any], why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        validated(GroupSettings, given)
    assert GroupSettings(clean_share=0.125, mix_strengths=True).num_clean == 1
    assert GroupSettings(clean_share=0).num_clean == 0


def test_episodes_of_other_strength_are_another_group_unless_they_are_to_be_mixed() -> None:
    played = [
        named(name, "g", strength=strength, ordinal=3)
        for name, strength in (("a", 1.0), ("b", 0.0), ("c", 1.0), ("d", 0.0))
    ]
    apart = GroupSettings().grouped(played)
    assert [(g.strength, [m.episode_id for m in g.members]) for g in apart] == [(1.0, ["a", "c"]), (0.0, ["b", "d"])]
    (mixed,) = GroupSettings(mix_strengths=True).grouped(played)
    assert (mixed.strength, len(mixed.members)) == (None, 4)


def test_an_ordinal_is_taught_if_any_of_its_groups_teaches() -> None:
    groups = [Group(ordinal, []) for ordinal in (0, 0, 1, 1, 2, None)]
    reasons = ["equal rewards", "", "void", "equal rewards", "", "void"]
    assert untaught(groups, reasons) == {1: "void"}


def named(name: str, group: str, **changes: Any) -> Trajectory:
    return episode(0.5, episode_id=name, group_id=group, **changes)


def test_episodes_are_grouped_in_the_order_in_which_the_groups_began() -> None:
    found = grouped([named("a", "y", ordinal=4), named("b", "x", ordinal=2), named("c", "y", ordinal=4)])
    assert [(group.ordinal, [m.episode_id for m in group.members]) for group in found] == [(4, ["a", "c"]), (2, ["b"])]


def test_what_is_unfit_does_not_count_but_its_group_is_there() -> None:
    (group,) = grouped([
        named("void", "g", stop=StopReason.ENV_ERROR, ordinal=5),
        named("late", "g", stop=StopReason.DEADLINE),
        named("judge", "g", shaping_error="down"),
    ])  # fmt: skip
    assert (group.ordinal, group.members) == (5, [])


@pytest.mark.parametrize(("keep", "names"), [(True, ["end", "cut"]), (False, ["end"])])
def test_what_a_limit_cut_counts_unless_it_is_not_to(keep: bool, names: list[str]) -> None:
    both = [named("end", "g"), named("cut", "g", stop=StopReason.TURN_LIMIT)]
    (group,) = grouped(both, keep_truncated=keep)
    assert [member.episode_id for member in group.members] == names
    (default,) = grouped(both)
    assert len(default.members) == 2


def test_a_group_has_two_members_at_least() -> None:
    with pytest.raises(ValueError, match="greater than or equal to 2"):
        GroupSettings(group_size=1)
    with pytest.raises(ValueError, match="greater than or equal to 1"):
        GroupSettings(groups=0)
    assert GroupSettings(group_size=2, groups=1).group_size == 2
