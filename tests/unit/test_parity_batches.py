"""The batches that parity and speed against TRL are measured on: they must contain what is to be compared."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from agentgym.trainers.rloo import RLOO
from benchmarks import learner
from benchmarks.parity_trl import material, ours


def test_groups_share_a_prompt_and_mask_observations_inside_completions() -> None:
    episodes = material.groups(2, 4)
    assert len({tuple(episode.prompt) for episode in episodes[:4]}) == 1
    assert len({len(episode.completion) for episode in episodes}) > 4
    assert all(len(episode.sampled) == len(episode.completion) for episode in episodes)
    observed = [episode for episode in episodes if not all(episode.sampled)]
    assert observed
    assert all(episode.sampled[0] and episode.sampled[-1] for episode in observed)


def test_drift_puts_ratios_on_both_sides_of_the_clip() -> None:
    ratios = torch.tensor(material.drifted([0.0] * 200, seed=0)).exp()
    assert 0.2 < (ratios.log().abs() < 0.18).float().mean() < 0.9
    assert (ratios > 1.2).any()
    assert (ratios < 0.8).any()


def test_half_of_the_ragged_batch_is_padding_and_none_of_the_equal_one() -> None:
    batches = learner.batches(vocabulary=100, scale=1)
    for name, (low, high) in {"ragged": (0.45, 0.55), "equal": (1.0, 1.0)}.items():
        width = max(len(e.prompt) for e in batches[name]) + max(len(e.completion) for e in batches[name])
        share = sum(len(episode.token_ids) for episode in batches[name]) / (width * len(batches[name]))
        assert low <= share <= high


def test_who_goes_first_alternates() -> None:
    order: list[str] = []
    taken = learner.in_pairs(lambda: order.append("a"), lambda: order.append("b"), pairs=3)
    assert order == ["a", "b", "b", "a", "a", "b"]
    assert len(taken) == 3


def test_the_interval_holds_the_median_and_narrows_to_a_constant() -> None:
    low, high = learner.interval([0.5, 0.6, 0.7, 0.8, 0.9])
    assert 0.5 <= low <= 0.7 <= high <= 0.9
    assert learner.interval([0.4] * 5) == (0.4, 0.4)


def test_different_losses_stop_the_timing() -> None:
    with pytest.raises(AssertionError, match=r"0\.2 here and 0\.1 in TRL"):
        learner.check_same_work(0.2, 0.1, tolerance=1e-5)


def test_the_reward_penalty_is_the_log_ratio_over_trained_tokens() -> None:
    episode = material.Episode(prompt=[5], completion=[6, 7, 8], sampled=[True, False, True], reward=1.0)
    (row,) = ours.rows_of([episode], [[0.0, -1.0, -9.0, -2.0]], [0.0], [[0.0, -1.5, -1.0, -3.0]])
    # (-1 + 1.5) + (-2 + 3) = 1.5, times 0.1
    assert ours.penalized([1.0], [row], RLOO(RLOO.Settings(kl_coefficient=0.1))) == pytest.approx([0.85])


def test_the_tokenizer_reads_what_is_written(tmp_path: Path) -> None:
    tokenizer = material.tokenizer(material.write_model(tmp_path, seed=0))
    ids = [material.FIRST_WORD, 41, material.END, 96]
    assert tokenizer(material.text(ids))["input_ids"] == ids
