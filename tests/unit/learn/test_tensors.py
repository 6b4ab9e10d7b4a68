"""What several processes write in parts is read by as many as there are then, and by torch's own reader."""

from __future__ import annotations

import errno
import functools
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.distributed.checkpoint import hf_storage, state_dict_loader

from agentgym.errors import DataError
from agentgym.learn import checkpoint
from agentgym.learn.batch import Microbatch
from agentgym.learn.critic import Critic, values
from agentgym.learn.distributed import ALONE, World
from agentgym.learn.forward import Predictions
from agentgym.learn.frozen import Frozen
from agentgym.learn.learner import Learner
from agentgym.learn.objectives.estimator import Metrics
from agentgym.learn.policy import Policy, load_policy
from agentgym.learn.tensors import Stored
from agentgym.weights import weights_of
from tests.kit import chat, one_thread, row, tiny_model
from tests.ranks import in_ranks

__all__ = ["one_thread"]

CPU = torch.device("cpu")
ROWS = [row(9, 1), row(4, 2), row(15, 3), row(9, 4)]


class Pupil:
    """Of a trainer what a checkpoint looks at: a critic and a reference."""

    def __init__(self, learner: Learner, shards: bool) -> None:
        self.critic = Learner(Critic(learner.clone()).double(), forward=values, learning_rate=0.01, shards=shards)
        self.reference = Frozen(learner)

    def learners(self) -> dict[str, Learner]:
        return {"critic": self.critic}

    def modules(self) -> dict[str, Any]:
        return self.reference.modules()

    def state(self) -> dict[str, Any]:
        return {"at": 1}

    def load_state(self, state: dict[str, Any]) -> None:
        assert state == {"at": 1}


def _objective(predictions: Predictions, batch: Microbatch) -> tuple[torch.Tensor, Metrics]:
    return -batch.advantages_N * predictions.logprobs_N, {}


def _fit(values_N: torch.Tensor, batch: Microbatch) -> tuple[torch.Tensor, Metrics]:
    return (values_N - batch.advantages_N) ** 2, {}


def _module(source: Path | None) -> Any:
    if source is not None:
        return load_policy(source, device="cpu").module.double()
    return tiny_model(vocab_size=len(chat().hf)).double()


def _step(directory: Path, number: int, shards: bool, _: World = ALONE) -> None:
    """Go on from checkpoint ``number``, take a step, and write the next."""
    source = directory / str(number) if number else None
    policy = Policy(_module(source / "policy" if source else None), chat())
    learner = Learner(policy.module, learning_rate=0.01, shards=shards)
    trainer: Any = Pupil(learner, shards)
    if source:
        assert checkpoint.load(source, learner, trainer=trainer) == {"number": number}
        assert learner.num_updates == trainer.critic.num_updates == number
    learner.update(ROWS, _objective)
    trainer.critic.update(ROWS, _fit)
    checkpoint.save(directory / str(number + 1), policy, learner, {"number": number + 1}, trainer=trainer)


def _taken(directory: Path, sizes: list[int]) -> dict[str, torch.Tensor]:
    """Weights of policy and critic after a step by as many processes as each of ``sizes`` says."""
    directory.mkdir()
    for number, size in enumerate(sizes):
        if size == 1:
            _step(directory, number, shards=False)
        else:
            in_ranks(
                functools.partial(_step, directory, number, True),
                directory.with_name(f"{directory.name}-{number}"),
                size,
            )
    last = directory / str(len(sizes))
    critic = Stored(last / "learners" / "critic" / "weights.safetensors")
    found = {f"critic {name}": critic.read(name) for name in critic.names}
    return found | load_file(last / "policy" / "model.safetensors")


@pytest.mark.parametrize("sizes", [[2, 1, 2], pytest.param([2, 4, 1, 4, 2], marks=pytest.mark.slow)])
def test_a_run_goes_on_with_another_number_of_processes(sizes: list[int], tmp_path: Path) -> None:
    """In double precision, in which the order of sums does not show; the optimizer's moments are gone on with."""
    found, expected = _taken(tmp_path / "some", sizes), _taken(tmp_path / "one", [1] * len(sizes))
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        assert torch.allclose(found[name], tensor, atol=1e-6, rtol=0), name


def _written(world: World, directory: Path) -> list[str]:
    policy = Policy(_module(None), chat())
    learner = Learner(policy.module, learning_rate=0.01, world=world, shards=True)
    learner.update(ROWS, _objective)
    checkpoint.save(directory / "1", policy, learner, {})
    return sorted(str(file.relative_to(directory)) for file in (directory / "1" / "learners").rglob("*.*"))


def test_each_process_writes_its_part_in_the_form_of_torch(tmp_path: Path) -> None:
    first, second = in_ranks(lambda world: _written(world, tmp_path), tmp_path)
    parts = [f"1/learners/policy/optimizer/shard-0000{rank}-model-00001-of-00001.safetensors" for rank in (1, 2)]
    assert first == second == ["1/learners/policy/learner.json", *parts]
    sizes = [sum(tensor.numel() for tensor in load_file(tmp_path / each).values()) for each in parts]
    assert max(sizes) < 1.1 * min(sizes)
    stored = Stored(tmp_path / "1" / "learners" / "policy" / "optimizer.safetensors")
    wanted = {name: torch.zeros(stored.shape(name), dtype=torch.float64) for name in stored.names if stored.shape(name)}
    reader = hf_storage.HuggingFaceStorageReader(str((tmp_path / parts[0]).parent))
    state_dict_loader.load(wanted, storage_reader=reader, no_dist=True)
    for name, tensor in wanted.items():
        assert torch.equal(stored.read(name), tensor), name
        assert tensor.abs().sum() > 0


def _refusing(world: World, directory: Path, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What all hear where the disk refuses one of them at one of the places where something is written."""
    policy = Policy(_module(None), chat())
    learner = Learner(policy.module, learning_rate=0.01, world=world, shards=True)

    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, "no space left")

    told: list[int | None] = []
    for rank, place in (
        (1, "agentgym.learn.saved.write"),
        (0, "agentgym.learn.saved.write"),
        (0, "agentgym.learn.checkpoint._begin"),
        (0, "agentgym.sealed._write_manifest"),
        (0, "agentgym.sealed.remove"),
    ):
        with monkeypatch.context() as patched:
            if world.rank == rank:
                patched.setattr(place, refuse)
            try:
                checkpoint.save(directory / "1", policy, learner, {})
            except OSError as error:
                told.append(error.errno)
        world.gathered(None, CPU)
        assert not (directory / "1").exists()
    checkpoint.save(directory / "1", policy, learner, {})
    return told


def test_where_one_cannot_write_there_is_no_checkpoint_and_all_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "checkpoints"
    place.mkdir()
    first, second = in_ranks(lambda world: _refusing(world, place, monkeypatch), tmp_path)
    assert first == second == [errno.ENOSPC] * 5
    assert checkpoint.latest(place) == place / "1"


def test_missing_rows_are_told(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    for number, start in ((1, 0), (2, 3)):
        places = json.dumps({"w": {"saved_offsets": [start, 0]}})
        file = tmp_path / "x" / f"shard-{number:05d}-model-00001-of-00001.safetensors"
        save_file({"w": torch.zeros(2, 2)}, file, {"DCP_SHARDING_INFO": places})
    with pytest.raises(DataError, match='no rows 2 to 3 of "w"; go back to an older checkpoint'):
        Stored(tmp_path / "x.safetensors").shape("w")
    with pytest.raises(DataError, match=r"nothing\.safetensors is not a safetensors file"):
        Stored(tmp_path / "nothing.safetensors")


def test_a_policy_is_saved_whole(tmp_path: Path) -> None:
    """As transformers reads it, and as one process saves it."""

    def work(world: World) -> None:
        policy = Policy(_module(None), chat())
        Learner(policy.module, learning_rate=0.01, world=world, shards=True)
        policy.save(tmp_path / "spread")
        world.gathered(None, CPU)  # the first, which writes, is there now
        for _, weight in policy.module.named_parameters():
            weight.data.mul_(2)
        policy.restore(tmp_path / "spread")
        policy.save(tmp_path / "again")

    (tmp_path / "alone").mkdir()
    in_ranks(work, tmp_path)
    Policy(_module(None), chat()).save(tmp_path / "alone")
    expected = load_file(tmp_path / "alone" / "model.safetensors")
    for name in ("spread", "again"):
        found = load_file(tmp_path / name / "model.safetensors")
        assert found.keys() == expected.keys()
        assert all(torch.equal(found[key], expected[key]) for key in expected)
        config = json.loads((tmp_path / name / "config.json").read_text())
        assert config == json.loads((tmp_path / "alone" / "config.json").read_text())
    assert [name for name, _ in weights_of(load_policy(tmp_path / "spread", device="cpu").module)]
    assert ALONE.is_first
