"""Log-ratios of two policies as a critic."""

from __future__ import annotations

import asyncio
import math
from pathlib import Path
from typing import Any

import pytest
import torch

from agentgym.critics.implicit import Implicit
from agentgym.errors import ConfigError, DataError, UserError
from agentgym.learn.policy import Policy
from agentgym.types import Sample, Trajectory
from tests.kit import CHATML, chat, one_thread, tiny_model
from tests.unit.trainers.readable import readable

__all__ = ["one_thread"]


def policies(tmp_path: Path) -> tuple[Any, Any]:
    """Two, saved as ``one`` and as the policy of the run ``other``."""
    made = [tiny_model(seed, vocab_size=len(chat().hf)) for seed in (1, 2)]
    Policy(made[0], chat()).save(tmp_path / "one")
    Policy(made[1], chat()).save(tmp_path / "other" / "policy")
    return made[0], made[1]


def scored(critic: Implicit, *episodes: Trajectory) -> tuple[list[float], list[dict[int, float]]]:
    async def score() -> tuple[list[float], list[dict[int, float]]]:
        await critic.open()
        found = await critic.score(episodes), await critic.per_turn(episodes)
        await critic.close()
        return found

    return asyncio.run(score())


def logprob(module: Any, sample: Sample, turn: int) -> float:
    """Of what was said at ``turn``, by a plain forward pass."""
    ids = torch.tensor(sample.token_ids[None]).long()
    with torch.no_grad():
        logprobs = module(input_ids=ids).logits[0, :-1].log_softmax(-1).gather(1, ids[0, 1:, None])[:, 0]
    said = torch.tensor(sample.loss_mask & (sample.turn_index == turn))
    return float(logprobs[said[1:]].double().sum())


def test_an_episode_stands_at_the_sum_of_its_turns(tmp_path: Path) -> None:
    one, other = policies(tmp_path)
    critic = Implicit(str(tmp_path / "one"), str(tmp_path / "other"), beta=0.5)
    episodes = [*readable(1, num=1, num_turns=2), *readable(2, num=1, num_turns=3)]
    scores, turns = scored(critic, *episodes)
    for episode, score, by_turn in zip(episodes, scores, turns, strict=True):
        (whole,) = episode.samples
        expected = {turn: 0.5 * (logprob(one, whole, turn) - logprob(other, whole, turn)) for turn in by_turn}
        assert len(by_turn) == len(episode.turns)
        assert by_turn == pytest.approx(expected, abs=1e-4)
        assert score == pytest.approx(math.fsum(expected.values()), abs=1e-4)
    assert len(set(scores)) == 2


def test_a_policy_has_nothing_over_itself(tmp_path: Path) -> None:
    policies(tmp_path)
    critic = Implicit(str(tmp_path / "one"), str(tmp_path / "one"))
    assert scored(critic, *readable(1))[0] == [0.0, 0.0]


def test_a_turn_in_a_sample_of_its_own_counts_too(tmp_path: Path) -> None:
    policies(tmp_path)
    critic = Implicit(str(tmp_path / "one"), str(tmp_path / "other"))
    (one,) = readable(1, num=1, num_turns=1)
    (first,) = one.samples
    second = first.model_copy(update={"turn_index": first.turn_index + 1})
    ((alone,), _), ((both,), (turns,)) = (
        scored(critic, one),
        scored(critic, one.model_copy(update={"samples": [first, second]})),
    )
    assert both == pytest.approx(2 * alone, abs=1e-5)
    assert list(turns) == [0, 1]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"tokenizer": "other"}, r"those of another tokenizer \(other\)"),
        ({"samples": []}, "has no token that was said"),
    ],
)
def test_what_it_cannot_read(changes: dict[str, Any], says: str, tmp_path: Path) -> None:
    policies(tmp_path)
    critic = Implicit(str(tmp_path / "one"), str(tmp_path / "other"))
    with pytest.raises(DataError, match=says):
        scored(critic, readable(1)[0].model_copy(update=changes))


def test_policies_of_different_vocabularies_are_refused(tmp_path: Path) -> None:
    policies(tmp_path)
    foreign = chat(CHATML)
    foreign.hf.add_tokens(["more"])
    Policy(tiny_model(vocab_size=len(foreign.hf)), foreign).save(tmp_path / "foreign")
    critic = Implicit(str(tmp_path / "one"), str(tmp_path / "foreign"))
    with pytest.raises(ConfigError, match="the policies have different tokenizers"):
        asyncio.run(critic.open())


def test_one_that_is_not_open_says_so() -> None:
    with pytest.raises(UserError, match=r"is not loaded yet; await critic\.open\(\) first"):
        asyncio.run(Implicit("a", "b").score(readable(1)))
