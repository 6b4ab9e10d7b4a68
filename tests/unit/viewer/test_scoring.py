"""What the policy that a run kept makes of tokens: against a forward pass worked out here."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from agentgym.errors import UserError
from agentgym.learn.policy import Policy
from agentgym.tokenizer import ChatTokenizer
from agentgym.viewer import answer
from agentgym.viewer.scoring import scores
from tests.kit import chat, tiny_model
from tests.unit.viewer.kit import made, opened, spoken


def kept(directory: Path) -> None:
    """Save a policy where a run keeps it."""
    tokenizer = chat()
    assert isinstance(tokenizer, ChatTokenizer)
    Policy(tiny_model(vocab_size=len(tokenizer.hf)), tokenizer).save(directory / "policy")


def test_they_are_of_each_token_given_those_before_it(tmp_path: Path) -> None:
    kept(tmp_path)
    (sample,) = spoken("a", "b").samples
    logprobs, entropies = scores(tmp_path / "policy", sample)
    ids = torch.tensor([sample.token_ids.tolist()])
    with torch.no_grad():
        table = tiny_model(vocab_size=len(chat().hf))(input_ids=ids).logits[0].log_softmax(-1).double().numpy()
    expected = [0.0, *(table[at - 1, token] for at, token in enumerate(sample.token_ids) if at)]
    np.testing.assert_allclose(logprobs, expected, atol=1e-5)
    np.testing.assert_allclose(entropies, [0.0, *(-(np.exp(row) * row).sum() for row in table[:-1])], atol=1e-5)


def test_the_gap_is_what_was_less_what_is_and_of_sampled_tokens_alone(tmp_path: Path) -> None:
    directory = made(tmp_path, [spoken("a", episode_id="s", logprob=-0.5)])
    kept(directory)
    with opened(directory) as sources:
        (turn,) = answer(sources, "tokens", {"number": "7", "scored": "true"})["turns"]
        logprobs, entropies = scores(directory / "policy", spoken("a").samples[0])
    assert turn["gap"] == pytest.approx([0.0, 0.0, *(-0.5 - logprobs[2:])], abs=1e-4)
    assert turn["entropy"] == pytest.approx([0.0, 0.0, *entropies[2:]], abs=1e-4)


def test_without_a_policy_and_of_images_it_is_told(tmp_path: Path) -> None:
    (sample,) = spoken("a").samples
    with pytest.raises(UserError, match=r"there is no .*policy: entropy and behavior gap come from the policy that"):
        scores(tmp_path / "policy", sample)
    kept(tmp_path)
    with pytest.raises(UserError, match="shows images"):
        scores(tmp_path / "policy", sample.model_copy(update={"media": ["0" * 32]}))
