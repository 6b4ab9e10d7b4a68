"""Branching where the policy was unsure, or where a critic likes it."""

from __future__ import annotations

from typing import Any

import pytest

from agentgym.engine import Completion, Prompt, Sampling
from agentgym.errors import ConfigError, UserError
from agentgym.search import Node
from agentgym.searches.entropy import Entropy
from tests.unit.search.kit import TOKENIZER, Critic, Mute, Policy, Ways, check, find, made


class Unsure(Policy):
    """Of the reply after so many turns it is least sure; the later tokens of each are worth nothing."""

    def __init__(self, *surprises: float) -> None:
        super().__init__()
        self.surprises = surprises

    async def generate(self, prompt: Prompt, sampling: Sampling, *, session: str) -> Completion:
        found = await super().generate(prompt, sampling, session=session)
        turn = TOKENIZER.decode(list(prompt.token_ids)).count("assistant\n") - 1
        return Completion(
            token_ids=found.token_ids,
            logprobs=[-self.surprises[turn], 0.0],
            policy_versions=found.policy_versions,
            finish_reason="stop",
        )


def branches(engine: Policy, num: int = 4, **options: Any) -> list[int | None]:
    found = find(made("entropy", seeds=1, tokens=1, **options), lambda: Ways(depth=4), num=num, engine=engine)
    check(found)
    return sorted((line.branch_turn for line in found.lines[1:]), key=lambda turn: turn or 0)


def test_it_branches_where_the_policy_was_least_sure() -> None:
    assert branches(Unsure(0.1, 0.2, 0.9, 0.3), num=2) == [2]
    assert branches(Unsure(0.1, 0.9, 0.2, 0.3), num=2) == [1]
    assert branches(Unsure(0.9, 0.1, 0.2, 0.3), num=2, rise=False) == [0]


def test_a_rise_is_over_the_lines_first_reply() -> None:
    assert branches(Unsure(0.9, 0.1, 0.2, 0.3), num=2) == [0]  # all below it: the first did not fall
    node = Node(play=None)  # type: ignore[arg-type]
    first = Node(play=None, parent=node, completion=said(-0.5, -0.1))  # type: ignore[arg-type]
    node.children = [first]
    first.children = [Node(play=None, parent=first, completion=said(-0.9, -0.3, -3.0))]  # type: ignore[arg-type]
    assert Entropy(tokens=2).uncertainty(first) == pytest.approx(0.6 - 0.3)
    assert Entropy(tokens=2, rise=False).uncertainty(first) == pytest.approx(0.6)
    assert Entropy().uncertainty(first) == pytest.approx(1.4 - 0.3)
    first.children.append(Node(play=None, parent=first, completion=said(-0.2)))  # type: ignore[arg-type]
    assert Entropy(tokens=2, rise=False).uncertainty(first) == pytest.approx(0.4)
    assert node.surprise() == 0.0


def said(*logprobs: float) -> Completion:
    ids = [1] * len(logprobs)
    return Completion(token_ids=ids, logprobs=list(logprobs), policy_versions=ids, finish_reason="stop")


def test_every_moment_comes_once_before_any_comes_twice() -> None:
    assert branches(Unsure(0.1, 0.2, 0.9, 0.3), num=5, parallel=1) == [1, 2, 3, 3]
    found = find(made("entropy", seeds=1), lambda: Ways(depth=1), num=4)
    assert len(found.lines) == 4  # where there is only one moment it is gone on from again


def test_half_are_played_from_the_reset() -> None:
    found = find(made("entropy"), num=8)
    assert sum(not line.branch_turn for line in found.lines) == 4
    assert len(found.lines) == 8
    assert len(find(made("entropy", seeds=9), num=3).lines) == 3


def test_by_score_it_goes_on_from_what_the_critic_likes() -> None:
    search = made("entropy", by="score", seeds=1)
    search.critic = Critic(lambda way: -abs(len(way) - 2))
    found = find(search, lambda: Ways(depth=4), num=2)
    assert [line.branch_turn for line in found.lines] == [None, 2]


def test_a_silent_critic_leaves_it_to_entropy() -> None:
    search = made("entropy", by="score", seeds=1)
    search.critic = Mute()
    found = find(search, lambda: Ways(depth=4), num=2, engine=Unsure(0.1, 0.2, 0.9, 0.3))
    assert [line.branch_turn for line in found.lines] == [None, 2]
    assert found.spent.unjudged == 1


def test_what_has_no_effect_or_cannot_be_is_refused() -> None:
    for options in ({"tokens": 3}, {"rise": True}):
        with pytest.raises(ConfigError, match=f"search.{next(iter(options))} has no effect with search.by score"):
            made("entropy", by="score", **options)
    with pytest.raises(UserError, match=r"search\.by score asks a critic, and there is none"):
        find(made("entropy", by="score"))
