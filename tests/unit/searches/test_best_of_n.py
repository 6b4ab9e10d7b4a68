"""The best of several whole episodes."""

from __future__ import annotations

import pytest

from tests.unit.search.kit import Critic, Mute, OneWay, find, made, way_of


def test_it_plays_what_is_played_without_a_search() -> None:
    found, flat = find(made("best-of-n"), OneWay, num=3), find(made("flat"), OneWay, num=3)
    assert found.lines == flat.lines
    assert (found.spent.steps, found.spent.sampled) == (9, 18)


def test_it_plays_as_many_as_it_is_told() -> None:
    few, many = find(made("best-of-n", episodes=2), num=4), find(made("best-of-n", episodes=6), num=4)
    assert [line.episode_id for line in few.lines] == ["g-0", "g-1"]
    assert [line.episode_id for line in many.lines] == ["g-0", "g-1", "g-2", "g-3", "g-0.4", "g-0.5"]
    assert [line.samples for line in many.lines[:2]] == [line.samples for line in few.lines]
    assert len({tuple(line.samples[0].logprobs.tolist()) for line in many.lines}) == 6


def test_without_a_critic_the_reward_says_what_is_best() -> None:
    search = made("best-of-n")
    lines = find(search, num=5).lines
    assert search.choose(lines).reward == max(line.reward for line in lines)


def test_a_critic_says_what_is_best_and_the_reward_does_not() -> None:
    search = made("best-of-n")
    search.critic = Critic(lambda way: way.count("a"))
    found = find(search, num=6)
    most = max(way_of(line).count("a") for line in found.lines)
    assert way_of(search.choose(found.lines)).count("a") == most
    assert sorted(line.turns[-1].critic or 0.0 for line in found.lines)[-1] <= 1.0
    assert all(turn.critic is None for line in found.lines for turn in line.turns[:-1])


def test_where_the_critic_is_silent_the_first_counts() -> None:
    search = made("best-of-n")
    search.critic = Mute()
    found = find(search, num=5)
    assert search.choose(found.lines) is found.lines[0]
    assert found.spent.unjudged == 1


@pytest.mark.parametrize(("steps", "num"), [(1, 1), (3, 1), (4, 2), (9, 3)])
def test_a_budget_is_kept_to_episode_by_episode(steps: int, num: int) -> None:
    found = find(made("best-of-n", max_steps=steps), num=5)
    assert len(found.lines) == num
    assert found.lines == find(made("best-of-n"), num=5).lines[:num]
