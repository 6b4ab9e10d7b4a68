"""Learning from episodes of a file."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from agentgym import store
from agentgym.archive import Archive, Card
from agentgym.config import validated
from agentgym.curricula.uniform import Uniform
from agentgym.errors import ConfigError, DataError
from agentgym.learn.forward import score
from agentgym.learn.objectives import imitation
from agentgym.learn.rows import Row
from agentgym.recorded import Recorded, grouped_by_task
from agentgym.trainers.dpo import DPO, DPOSettings
from agentgym.trainers.sft import SFT, SFTSettings
from agentgym.types import SamplingRecord, StopReason, Trajectory
from tests.kit import chat, one_thread, tiny_model
from tests.unit.trainers.kit import episode, equipped

__all__ = ["one_thread"]


class NobodyPlays:
    draws = Uniform(range(100), seed=5)

    async def shaped(self, recorded: list[Trajectory]) -> list[Trajectory]:
        return recorded


def written(file: Path, *episodes: Trajectory) -> Path:
    with contextlib.closing(store.writable(file)) as target:
        said = {"tokenizer": chat().fingerprint}
        target.append([t.model_copy(update=said | {"sampling": t.sampling or SamplingRecord()}) for t in episodes])
    return file


def played(trainer: Any, update: int) -> list[Trajectory]:
    found: list[Trajectory] = asyncio.run(trainer.play(update, NobodyPlays()))
    return found


@pytest.mark.parametrize("name", ["seen.jsonl", "seen"])
def test_sft_imitates_recorded_successes_each_once_before_any_comes_again(name: str, tmp_path: Path) -> None:
    good = [episode([1.0], [[5 + i, 9]], name=f"good-{i}", success=True) for i in range(4)]
    file = written(tmp_path / name, *good, episode([0.0], name="bad"))
    sft = equipped(SFT(SFTSettings(data=file, batch_size=2, learning_rate=1e-3)), tiny_model())
    assert not sft.needs_expert
    shown = [t for update in range(4) for t in played(sft, update)]
    assert (
        sorted(t.episode_id for t in shown[:4])
        == sorted(t.episode_id for t in shown[4:])
        == [f"good-{i}" for i in range(4)]
    )
    assert [t.ordinal for t in shown] == list(range(8))
    lesson = sft.lesson(0, shown[:2])
    assert sft.learn(0, lesson)["loss"] > 0
    assert not sft.plays
    asyncio.run(sft.close())


def test_archives_and_lines_teach_the_same(tmp_path: Path) -> None:
    good = [episode([i / 2], [[5 + i, 9]], name=f"{i}", success=i % 2 == 0, group=f"{i}") for i in range(6)]
    shown = []
    for name in ("seen.jsonl", "seen"):
        file = written(tmp_path / name, *good)
        sft = equipped(SFT(SFTSettings(data=file, batch_size=2, learning_rate=1e-3)), tiny_model())
        dpo = equipped(DPO(DPOSettings(data=file, groups=2, learning_rate=1e-3)), tiny_model())
        shown.append([played(trainer, update) for trainer in (sft, dpo) for update in range(3)])
    assert shown[0] == shown[1]


def test_episodes_are_fetched_when_they_are_wanted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = written(tmp_path / "seen", *(episode([1.0], name=f"{i}", success=True) for i in range(9)))
    fetched: list[int] = []
    get = Archive.get

    def seen(archive: Archive, number: int) -> Trajectory:
        fetched.append(number)
        return get(archive, number)

    monkeypatch.setattr(Archive, "get", seen)
    sft = equipped(SFT(SFTSettings(data=file, batch_size=3, learning_rate=1e-3)), tiny_model())
    assert fetched == []
    played(sft, 0)
    assert len(fetched) == 3


def test_dpo_compares_recorded_episodes_of_the_same_task(tmp_path: Path) -> None:
    file = written(tmp_path / "seen.jsonl", episode([1.0], [[5, 9]]), episode([0.0], [[6, 9]]))
    dpo = equipped(DPO(DPOSettings(data=file, groups=2, learning_rate=1e-3)), tiny_model())
    lesson = dpo.lesson(0, played(dpo, 3))
    assert lesson.metrics["pairs"] == 2.0  # the one task, twice
    assert lesson.rejected == {}
    assert {t.ordinal for t in played(dpo, 3)} == {6, 7}
    assert dpo.learn(0, lesson)["grad_norm"] > 0


def sampled(module: Any, sampling: SamplingRecord) -> list[Trajectory]:
    """Two episodes with the log-probabilities that sampling at its temperature stores, and what they earned."""
    episodes = [episode([1.0], [[5, 9, 4]], name="won"), episode([0.0], [[6, 9]], name="lost")]
    for one in episodes:
        (logprobs,) = score(module, [Row.of(one.samples[0], 1.0)], temperature=sampling.temperature)
        one.samples[0].logprobs = np.where(one.samples[0].loss_mask, logprobs, 0).astype(np.float32)
        one.sampling = sampling
    return episodes


@pytest.mark.parametrize(
    ("temperature", "reference"), [(1.0, "stored"), (1.0, "model"), (0.7, "model"), (1.7, "model")]
)
def test_training_on_a_file_begins_at_its_reference(temperature: float, reference: str, tmp_path: Path) -> None:
    model = tiny_model()
    file = written(tmp_path / "seen.jsonl", *sampled(model, SamplingRecord(temperature=temperature)))
    dpo = equipped(DPO(validated(DPOSettings, {"data": file, "reference": reference, "epochs": 1})), model)
    seen = dpo.learn(0, dpo.lesson(0, played(dpo, 0)))
    assert seen["margin"] == pytest.approx(0, abs=1e-5)
    assert seen["loss"] == pytest.approx(0.6931, abs=1e-4)


@pytest.mark.parametrize("sampling", [{"temperature": 0.7}, {"top_p": 0.9}, {"top_k": 4}, {"min_p": 0.1}])
def test_what_was_sampled_otherwise_is_no_reference(sampling: dict[str, Any], tmp_path: Path) -> None:
    model = tiny_model()
    file = written(tmp_path / "seen.jsonl", *sampled(model, SamplingRecord(**sampling)))
    with pytest.raises(DataError, match=r"so its log-probabilities are no reference; .*--trainer.reference model"):
        DPO(DPOSettings(data=file)).check(chat())
    DPO(DPOSettings(data=file, loss="simpo")).check(chat())  # which needs none
    SFT(SFTSettings(data=written(tmp_path / "won.jsonl", episode([1.0], success=True)))).check(chat())


def test_an_episode_that_was_not_looked_at_is_refused_when_it_is_fetched(tmp_path: Path) -> None:
    plain = [one for n in range(64) for one in sampled(tiny_model(), SamplingRecord())]
    plain[1] = plain[1].model_copy(update={"sampling": SamplingRecord(temperature=0.5)})
    dpo = equipped(DPO(DPOSettings(data=written(tmp_path / "seen", *plain), groups=1)), tiny_model())
    with pytest.raises(DataError, match=r"episode lost: it was sampled at temperature 0\.5"):
        played(dpo, 0)


def test_a_file_of_another_tokenizer_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "seen.jsonl"
    store.append(file, [episode([1.0], name="one", success=True).model_copy(update={"tokenizer": "0123"})])
    for trainer in (SFT(SFTSettings(data=file)), DPO(DPOSettings(data=file))):
        with pytest.raises(
            DataError, match=r"seen.jsonl, episode one: .* another tokenizer \(0123\).*agentgym record --model"
        ):
            trainer.check(chat())


def test_files_without_what_is_wanted_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"there is no .*none.jsonl; expected episodes: a run, or what agentgym record"):
        Recorded(tmp_path / "none.jsonl", chat())
    void = written(tmp_path / "void.jsonl", episode([1.0], stop=StopReason.ENV_ERROR))
    with pytest.raises(DataError, match=r"void.jsonl has no episode that counts"):
        Recorded(void, chat())
    failed = written(tmp_path / "failed.jsonl", episode([0.0]))
    with pytest.raises(DataError, match="has 1 episodes and no success to imitate"):
        SFT(SFTSettings(data=failed)).check(chat())
    with pytest.raises(DataError, match="no task with two episodes to compare; type: agentgym record --samples 8"):
        DPO(DPOSettings(data=failed)).check(chat())


@pytest.mark.parametrize("split", ["validation", "test"])
def test_what_a_run_measured_itself_by_is_not_learned_from(split: str, tmp_path: Path) -> None:
    said = {"trained": {"stage": "train", "split": "train"}, "measured": {"stage": "after", "split": split}}
    said["recorded"] = {"split": "train"}
    seen = [episode([1.0], name=name, success=True).model_copy(update=where) for name, where in said.items()]
    with contextlib.closing(Recorded(written(tmp_path / "seen", *seen), chat())) as recorded:
        assert [card.episode_id for card in recorded.cards] == ["trained", "recorded"]


@pytest.mark.parametrize("make", [lambda f: SFT(SFTSettings(data=f)), lambda f: DPO(DPOSettings(data=f))])
def test_the_file_is_closed_with_the_trainer_and_once(
    make: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = written(tmp_path / "seen", *(episode([float(i)], name=f"{i}", success=True) for i in range(2)))
    closed: list[Recorded] = []
    monkeypatch.setattr(Recorded, "close", lambda recorded: closed.append(recorded))
    trainer = make(file)
    trainer.check(chat())
    found = trainer.recorded
    trainer.check(chat())
    assert trainer.recorded is found  # the file is read once
    for _ in range(2):
        asyncio.run(trainer.close())
    assert closed == [found]
    assert trainer.recorded is None


def test_groups_are_of_one_task_and_seed() -> None:
    one, other = episode([1.0]), episode([0.0])
    elsewhere = other.model_copy(update={"task": 7})
    assert [len(group) for group in grouped_by_task(map(Card.of, [one, other, elsewhere]))] == [2]


@pytest.mark.parametrize("loss", ["nll", "dft", "iw", "iw_token", "psft", "f_divergence"])
def test_every_loss_of_sft_makes_the_demonstration_likelier(loss: str) -> None:
    steps = {"epochs": 3} if loss == "psft" else {}
    sft = equipped(SFT(SFTSettings(loss=loss, learning_rate=5e-3, **steps)), tiny_model())
    lesson = sft.lesson(0, [episode([1.0], role="expert")])

    def likelihood() -> float:
        rows = sft.lesson(0, [episode([1.0], role="expert")]).rows
        sft.equipment.learner.score_rows(rows, "proximal_logprobs")
        assert rows[0].proximal_logprobs is not None
        return float(rows[0].proximal_logprobs.sum())

    before = likelihood()
    for update in range(4):
        sft.learn(update, lesson)
    assert likelihood() > before + 0.1


def test_iw_by_token_weighs_what_has_become_likelier() -> None:
    sft = equipped(SFT(SFTSettings(loss="iw_token", learning_rate=1e-2)), tiny_model())
    lesson = sft.lesson(0, [episode([1.0], role="expert")])
    for update in range(3):
        sft.learn(update, lesson)
    (row,) = lesson.rows
    assert row.reference_logprobs is not None
    (now,) = score(sft.equipment.learner.module, [row])
    expected, _ = imitation.iw_sft_token(torch.tensor(now[1:]), torch.tensor(row.reference_logprobs[1:]))
    assert sft.learn(3, lesson)["loss"] == pytest.approx(expected.mean().item(), rel=1e-4)
    assert expected.mean().item() > 1.05 * -sum(now) / 2  # the weights are above 1


@pytest.mark.parametrize("divergence", ["kl", "pearson"])
def test_a_divergence_compares_with_the_policy_that_training_began_with(divergence: Any) -> None:
    sft = equipped(
        SFT(SFTSettings(loss="f_divergence", divergence=divergence, beta=2.0, learning_rate=1e-2)), tiny_model()
    )
    lesson = sft.lesson(0, [episode([1.0], role="expert")])
    for update in range(3):
        sft.learn(update, lesson)
    (row,) = lesson.rows
    assert row.reference_logprobs is not None
    (now,) = score(sft.equipment.learner.module, [row])
    began = torch.tensor(row.reference_logprobs[1:])
    expected, _ = imitation.f_divergence(torch.tensor(now[1:]), began, beta=2.0, divergence=divergence)
    assert sft.learn(3, lesson)["loss"] == pytest.approx(expected.mean().item(), rel=1e-4)
    assert expected.mean().item() < -0.05


def test_failures_are_imitated_for_as_much_as_they_weigh(tmp_path: Path) -> None:
    """A success and a failure, of two tokens each: (their losses, the second times .25) / 4 tokens."""
    file = written(tmp_path / "mixed", episode([1.0], name="won", success=True), episode([0.0], [[7, 9]], name="lost"))
    sft = equipped(SFT(SFTSettings(data=file, batch_size=2, failure_weight=0.25, learning_rate=1e-3)), tiny_model())
    shown = played(sft, 0)
    assert sorted(t.episode_id for t in shown) == ["lost", "won"]
    lesson = sft.lesson(0, shown)
    told = {int(row.token_ids[1]): row.advantages[-1] for row in lesson.rows}
    assert told == {5: 1.0, 7: 0.25}
    losses = {
        int(row.token_ids[1]): -sum(now) for row, now in zip(lesson.rows, score(tiny_model(), lesson.rows), strict=True)
    }
    assert sft.learn(0, lesson)["loss"] == pytest.approx((losses[5] + 0.25 * losses[7]) / 4, rel=1e-4)
    asyncio.run(sft.close())
    failed = written(tmp_path / "failed", episode([0.0]))
    with pytest.raises(DataError, match="has 1 episodes and no success to imitate"):
        SFT(SFTSettings(data=failed, failure_weight=0.25)).check(chat())


def test_failures_count_and_what_is_seen_counts_less(tmp_path: Path) -> None:
    file = written(tmp_path / "mixed", episode([1.0], name="won", success=True), episode([0.0], [[7, 9]], name="lost"))
    settings = SFTSettings(data=file, batch_size=2, failure_weight=0.5, observation_weight=0.1, learning_rate=1e-3)
    sft = equipped(SFT(settings), tiny_model())
    rows = sft.lesson(0, played(sft, 0)).rows
    assert {int(row.token_ids[1]): row.advantages.tolist() for row in rows} == {5: [0.1, 1, 1], 7: [0.05, 0.5, 0.5]}
    asyncio.run(sft.close())


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"failure_weight": 0.1}, "failure_weight has no effect without data"),
        ({"beta": 0.5}, "beta has no effect with loss nll, only with f_divergence"),
        ({"loss": "dft", "divergence": "kl"}, "divergence has no effect with loss dft, only with f_divergence"),
        ({"clip_high": 0.1}, "clip_high has no effect with loss nll, only with psft"),
    ],
)
def test_what_would_have_no_effect_on_imitation_is_refused(settings: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        validated(SFTSettings, settings, where="trainer")


def test_psft_with_a_single_step_would_be_sft() -> None:
    with pytest.raises(ConfigError, match="it needs epochs or minibatches above 1"):
        validated(SFTSettings, {"loss": "psft"})
    with pytest.raises(ConfigError, match="clip_high has no effect with loss nll"):
        validated(SFTSettings, {"clip_high": 0.1})
