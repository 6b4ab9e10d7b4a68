"""What to play: what ``reset`` is given, seeds, and that deadlines are on unless they are taken off."""

from __future__ import annotations

from typing import Any

import pytest

from agentgym.rollout import EpisodeSpec, Limits, seed_of


@pytest.mark.parametrize(
    ("task", "options", "given"),
    [
        (None, {}, None),
        (None, {"size": 2}, {"size": 2}),
        (0, {}, {"task": 0}),
        ("t", {"size": 2}, {"size": 2, "task": "t"}),
        (3, {"task": 9}, {"task": 3}),
    ],
)
def test_reset_is_given_the_options_and_the_task(task: Any, options: dict[str, Any], given: Any) -> None:
    assert EpisodeSpec(task=task, seed=0, options=options).reset_options == given


def test_what_reset_is_given_is_its_own() -> None:
    spec = EpisodeSpec(task=None, seed=0, options={"size": 2})
    given = spec.reset_options
    assert given is not None
    given["size"] = 3
    assert spec.options == {"size": 2}


def test_seeds_are_fixed_for_ever_and_tell_their_parts_apart() -> None:
    assert seed_of(0) == 7210762507766007076
    seeds = {seed_of(*parts) for parts in [(1, 2), (2, 1), (12,), ("1", 2), (1, 2, 0), ()]}
    assert len(seeds) == 6
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_what_hangs_is_given_up_unless_it_is_said_otherwise() -> None:
    assert (Limits().step_seconds, Limits().episode_seconds, Limits().shaping_seconds) == (300.0, 3600.0, 300.0)
    assert Limits().max_attempts == 2


def test_nothing_is_added_to_a_plain_episode() -> None:
    plain = EpisodeSpec(task=None, seed=0)
    assert (plain.member, plain.shown_turns, plain.strength, plain.level) == (0, 0, 0.0, None)
    assert plain.max_turns is None
    assert (plain.options, plain.preface, plain.group_id, plain.role) == ({}, "", "", "policy")


def test_what_an_episode_may_be_long() -> None:
    limits = Limits()
    assert (limits.max_turns, limits.max_reply_tokens, limits.max_invalid_actions) == (None, 64, None)
    assert (limits.max_observation_chars, limits.keep_observations, limits.on_overflow) == (100_000, 2, "stop")
