"""Lookahead: what is said looked best, and nothing is taken back."""

from __future__ import annotations

import random

import pytest

from agentgym.engine import Completion, Prompt, Sampling
from agentgym.searches.lookahead import Lookahead
from tests.unit.search.kit import TOKENIZER, Critic, Mute, OneWay, Policy, check, find, made, way_of


class Sure(Policy):
    """Surest of "b"."""

    async def generate(self, prompt: Prompt, sampling: Sampling, *, session: str) -> Completion:
        found = await super().generate(prompt, sampling, session=session)
        said = TOKENIZER.decode_reply(found.token_ids)
        return Completion(
            token_ids=found.token_ids,
            logprobs=[{"b": -0.1, "a": -0.5, "c": -0.9}[said], -random.Random(0).random()],
            policy_versions=found.policy_versions,
            finish_reason="stop",
        )


@pytest.mark.parametrize("word", "abc")
def test_a_critic_chooses_what_is_said(word: str) -> None:
    search = Lookahead(proposals=12)
    search.critic = Critic(lambda way: way[-1] == word)
    found = find(search, OneWay, num=2)
    check(found)
    assert [way_of(line) for line in found.lines] == [3 * word] * 2
    assert [turn.critic for turn in found.lines[0].turns] == [1.0] * 3
    assert (found.spent.steps, found.spent.restores) == (6, 0)


@pytest.mark.parametrize("critic", [None, Mute()], ids=["none", "silent"])
def test_without_its_word_the_policy_says_what_it_is_surest_of(critic: Critic | None) -> None:
    search = Lookahead(proposals=12)
    search.critic = critic
    found = find(search, OneWay, num=1, engine=Sure())
    assert [way_of(line) for line in found.lines] == ["bbb"]
    assert found.spent.unjudged == (0 if critic is None else 3)


def test_each_line_is_played_by_itself() -> None:
    found = find(made("lookahead"), num=3)
    assert [(line.episode_id, line.parent_id) for line in found.lines] == [("g-0", None), ("g-1", None), ("g-2", None)]


def test_with_one_proposal_it_is_a_plain_episode() -> None:
    found, flat = find(made("lookahead", proposals=1), num=3), find(made("flat"), num=3)
    assert [line.samples for line in found.lines] == [line.samples for line in flat.lines]


def test_when_the_budget_is_spent_the_policy_goes_on_alone() -> None:
    engine = Policy()
    found = find(made("lookahead", proposals=4, max_tokens=1), num=1, engine=engine)
    assert engine.num_replies == 4 + 1 + 1
    assert len(found.lines[0].turns) == 3
