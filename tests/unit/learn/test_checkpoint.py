"""A checkpoint holds everything, and is whole or not there, whatever fails while it is written."""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from agentgym import sealed
from agentgym.curriculum import Curriculum
from agentgym.errors import DataError, UserError
from agentgym.learn import checkpoint, tensors
from agentgym.learn.batch import Microbatch
from agentgym.learn.learner import Learner
from agentgym.learn.objectives.estimator import Metrics
from agentgym.learn.objectives.imitation import imitation
from agentgym.learn.policy import Policy, load_policy
from agentgym.learn.rows import Row
from agentgym.learn.trainer import Lesson, Trainer, TrainerSettings
from agentgym.rollout import EpisodeSpec
from agentgym.types import Trajectory
from tests.kit import byte_tokenizer, chat, tiny_model

SIZE = len(byte_tokenizer())


def a_model(seed: int = 0, **changes: Any) -> Any:
    return tiny_model(seed, **{"vocab_size": SIZE, "hidden_size": 16, "intermediate_size": 16, **changes})


def a_policy(seed: int = 0, **changes: Any) -> Policy:
    return Policy(a_model(seed, **changes), chat())


def a_learner(module: Any) -> Learner:
    return Learner(module, learning_rate=0.01, warmup_updates=3)


class Loaded(Trainer[TrainerSettings]):
    """Has a critic that learns, a reference that does not, and a memory."""

    Settings = TrainerSettings

    def __init__(self, seed: int, **changes: Any) -> None:
        super().__init__(TrainerSettings())
        self.critic = a_learner(a_model(seed, **changes))
        self.reference = a_model(seed + 1)
        self.memory: list[float] = []

    def learners(self) -> dict[str, Learner]:
        return {"critic": self.critic}

    def modules(self) -> dict[str, torch.nn.Module]:
        return {"reference": self.reference}

    def state(self) -> dict[str, Any]:
        return {"memory": self.memory}

    def load_state(self, state: dict[str, Any]) -> None:
        self.memory = state["memory"]

    def specs(self, update: int, draws: Curriculum) -> list[EpisodeSpec]:
        return []

    def lesson(self, update: int, trajectories: Sequence[Trajectory]) -> Lesson:
        return Lesson([])

    def objective(self, predictions: Any, batch: Microbatch) -> tuple[torch.Tensor, Metrics]:
        return imitation(predictions.logprobs_N)


def step(learner: Learner, first: int) -> None:
    ids = list(range(first, first + 6))
    row = Row(token_ids=ids, loss_mask=[True] * 6, behavior_logprobs=[0.0] * 6, advantages=[1.0] * 6)
    learner.update([row], lambda predictions, batch: imitation(predictions.logprobs_N))


def update(learner: Learner, trainer: Loaded) -> list[float]:
    """An update that depends on everything there is; returns what was drawn."""
    drawn = [random.random(), np.random.rand(), float(torch.rand(()))]
    first = int(10 * sum(drawn)) + len(trainer.memory)
    step(learner, first)
    step(trainer.critic, first + 30)
    trainer.memory.append(trainer.reference.get_input_embeddings().weight[first].sum().item())
    return drawn


def weights(module: Any) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in module.state_dict().items()}


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def moments(learner: Learner) -> dict[str, torch.Tensor]:
    return {
        f"{place}.{name}": value
        for place, entry in learner.optimizer.state_dict()["state"].items()
        for name, value in entry.items()
    }


def test_training_goes_on_as_if_nothing_had_happened(tmp_path: Path) -> None:
    policy, trainer = a_policy(), Loaded(1)
    learner = a_learner(policy.module)
    for _ in range(2):
        update(learner, trainer)
    saved = checkpoint.save(tmp_path / "1", policy, learner, {"next_update": 2}, trainer=trainer)
    drawn = update(learner, trainer)

    loaded, other = load_policy(saved / "policy", device="cpu"), Loaded(50)
    again = a_learner(loaded.module)
    random.seed(5)
    np.random.seed(5)
    torch.manual_seed(5)
    assert checkpoint.load(saved, again, trainer=other) == {"next_update": 2}
    assert (again.num_updates, other.critic.num_updates, len(other.memory)) == (2, 2, 2)
    assert update(again, other) == drawn
    assert other.memory == trainer.memory
    for one, two in [(again, learner), (other.critic, trainer.critic)]:
        assert same(weights(one.module), weights(two.module))
        assert same(moments(one), moments(two))
    assert same(weights(other.reference), weights(trainer.reference))


def test_step_sizes_come_from_the_settings(tmp_path: Path) -> None:
    policy = a_policy()
    learner = a_learner(policy.module)
    step(learner, 10)
    saved = checkpoint.save(tmp_path / "1", policy, learner, {})
    other = Learner(load_policy(saved / "policy", device="cpu").module, learning_rate=0.5, weight_decay=0.25)
    checkpoint.load(saved, other)
    assert (other.optimizer.param_groups[0]["lr"], other.optimizer.param_groups[0]["weight_decay"]) == (0.5, 0.25)
    assert same(moments(other), moments(learner))


def test_what_is_loaded_is_not_the_file(tmp_path: Path) -> None:
    policy = a_policy()
    learner = a_learner(policy.module)
    step(learner, 10)
    saved = checkpoint.save(tmp_path / "1", policy, learner, {})
    expected = {name: value.clone() for name, value in moments(learner).items()}
    checkpoint.load(saved, learner)
    file = saved / "learners" / "policy" / "optimizer.safetensors"
    file.write_bytes(b"\0" * file.stat().st_size)  # in place, as a failing disk would
    assert same(moments(learner), expected)


# -- what does not fit -------------------------------------------------------------------------------


def state_of(learner: Learner, trainer: Loaded) -> Any:
    return (
        {**weights(learner.module), **weights(trainer.critic.module), "reference": weights(trainer.reference)},
        {name: value.clone() for name, value in {**moments(learner), **moments(trainer.critic)}.items()},
        (learner.num_updates, trainer.critic.num_updates, list(trainer.memory)),
        (random.getstate(), torch.get_rng_state().tolist()),
    )


def without(trainer: Loaded, what: str) -> Loaded:
    setattr(trainer, what, dict)
    return trainer


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: (a_model(), Loaded(9, num_hidden_layers=1)), "is not in the model; go on with the model that wrote"),
        (lambda: (a_model(), Loaded(9, num_hidden_layers=3)), "is in the model and not in the file"),
        (lambda: (a_model(), Loaded(9, hidden_size=32)), r"\[\d+, 16\], the model wants torch.float32 \[\d+, 32\]"),
        (lambda: (a_model(hidden_size=32), Loaded(9)), r"\[\d+, 16\], the model wants torch.float32 \[\d+, 32\]"),
        (lambda: (a_model(num_hidden_layers=1), Loaded(9)), 'has no trained parameter "model.layers.1'),
        (lambda: (a_model().bfloat16(), Loaded(9)), r"has no .*go on with the --model\.dtype that wrote it"),
        (lambda: (a_model(), without(Loaded(9), "learners")), r"holds the learners \['critic', 'policy'\], the train"),
        (
            lambda: (a_model(), without(Loaded(9), "modules")),
            r"holds the modules \['reference'\], the trainer has \[\]",
        ),
    ],
)
def test_what_does_not_fit_is_told_and_nothing_is_loaded(
    make: Callable[[], tuple[Any, Loaded]], told: str, tmp_path: Path
) -> None:
    policy, trainer = a_policy(), Loaded(1)
    learner = a_learner(policy.module)
    update(learner, trainer)
    saved = checkpoint.save(tmp_path / "1", policy, learner, {}, trainer=trainer)
    module, other = make()
    target = a_learner(module)
    before = state_of(target, other)
    with pytest.raises(DataError, match=told):
        checkpoint.load(saved, target, trainer=other)
    after = state_of(target, other)
    assert same(before[0].pop("reference"), after[0].pop("reference"))
    assert all(same(one, two) for one, two in zip(before[:2], after[:2], strict=True))
    assert before[2:] == after[2:]


def test_names_that_are_no_file_names_are_refused(tmp_path: Path) -> None:
    policy, trainer = a_policy(), Loaded(1)
    learner = a_learner(policy.module)
    trainer.modules = lambda: {"../reference": trainer.reference}  # type: ignore[method-assign]
    with pytest.raises(ValueError, match=r'"../reference" cannot name a file'):
        checkpoint.save(tmp_path / "1", policy, learner, {}, trainer=trainer)
    trainer.learners = lambda: {"policy": trainer.critic}  # type: ignore[method-assign]
    with pytest.raises(ValueError, match="rename it"):
        checkpoint.save(tmp_path / "1", policy, learner, {}, trainer=trainer)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("layout", "manifest"), [(1, {"state.json": "0" * 64}), (9, {"layout": 9, "files": {}})])
def test_another_layout_is_refused_with_what_to_do(layout: int, manifest: dict[str, Any], tmp_path: Path) -> None:
    policy = a_policy()
    learner = a_learner(policy.module)
    for name in ("1", "2"):
        saved = checkpoint.save(tmp_path / name, policy, learner, {})
        (saved / "manifest.json").write_text(json.dumps(manifest))
    notes: list[str] = []
    with pytest.raises(
        UserError, match=f"has layout {layout}, this version of agentgym reads {sealed.LAYOUT}; go on with the vers"
    ):
        checkpoint.latest(tmp_path, note=notes.append)
    assert len(notes) == 2
    saved = checkpoint.save(tmp_path / "0", policy, learner, {})
    assert checkpoint.latest(tmp_path) == saved


# -- whole or not there ------------------------------------------------------------------------------


def break_at(monkeypatch: pytest.MonkeyPatch, at: int) -> list[str]:
    """The ``at``-th write, flush or rename fails, a write after half of its text. Returns what was tried, growing."""
    tried: list[str] = []

    def failing(real: Any, name: str) -> Any:
        def call(*args: Any, **kwargs: Any) -> Any:
            tried.append(name)
            if len(tried) != at:
                return real(*args, **kwargs)
            if name == "write_text":
                real(args[0], args[1][: len(args[1]) // 2])
            raise OSError("disk full")

        return call

    places: list[tuple[Any, str]] = [
        (tensors, "save_file"),
        (os, "rename"),
        (os, "fsync"),
        (Policy, "save"),
        (Path, "write_text"),
    ]
    for owner, name in places:
        monkeypatch.setattr(owner, name, failing(getattr(owner, name), name))
    return tried


def test_whatever_fails_the_older_one_still_loads(tmp_path: Path) -> None:
    policy, trainer = a_policy(), Loaded(1)
    learner = a_learner(policy.module)
    update(learner, trainer)
    older = checkpoint.save(tmp_path / "1", policy, learner, {"next_update": 1}, trainer=trainer)
    hashes = {file: hashlib.sha256(file.read_bytes()).hexdigest() for file in older.rglob("*") if file.is_file()}
    update(learner, trainer)
    with pytest.MonkeyPatch.context() as patch:
        tried = break_at(patch, -1)
        shutil.rmtree(checkpoint.save(tmp_path / "2", policy, learner, {}, trainer=trainer))
    assert {"save_file", "rename", "fsync", "save", "write_text"} == set(tried)
    num = len(tried)
    for name in ("2", "1"):  # a new name, and the one that is taken
        for at in range(1, num):  # the last flush comes after the rename: by then the new one is there
            with pytest.MonkeyPatch.context() as patch:
                break_at(patch, at)
                with pytest.raises(OSError, match="disk full"):
                    checkpoint.save(tmp_path / name, policy, learner, {"next_update": 2}, trainer=trainer)
            assert list(tmp_path.iterdir()) == [older], (name, at)  # nothing half-written takes up room
    assert {file: hashlib.sha256(file.read_bytes()).hexdigest() for file in hashes} == hashes
    assert checkpoint.latest(tmp_path) == older
    newer = checkpoint.save(tmp_path / "2", policy, learner, {"next_update": 2}, trainer=trainer)
    assert checkpoint.latest(tmp_path) == newer


def test_every_file_and_directory_is_flushed_before_the_rename(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    policy, trainer = a_policy(), Loaded(1)
    events: list[str] = []
    fsync, rename = os.fsync, os.rename

    def flush(descriptor: int) -> None:
        events.append(os.readlink(f"/proc/self/fd/{descriptor}").partition(".partial")[2] or "parent")
        fsync(descriptor)

    def move(source: Path, target: Path) -> None:
        events.append("rename")
        rename(source, target)

    monkeypatch.setattr(os, "fsync", flush)
    monkeypatch.setattr(os, "rename", move)
    (tmp_path / "checkpoints").mkdir()
    saved = checkpoint.save(tmp_path / "checkpoints" / "1", policy, a_learner(policy.module), {}, trainer=trainer)
    before, after = events[: events.index("rename")], events[events.index("rename") + 1 :]
    inside = {f"/{path.relative_to(saved)}" for path in saved.rglob("*")}
    assert set(before) - {"parent"} == inside
    assert len(inside) >= 10
    assert before.count("parent") == 1  # the checkpoint's own directory, the last before the rename
    assert before.index("/manifest.json") > max(before.index(f"/{kind}/{name}.safetensors") for kind, name in STORED)
    assert after == ["parent"]


STORED = [
    ("learners/policy", "optimizer"),
    ("learners/critic", "optimizer"),
    ("learners/critic", "weights"),
    ("modules", "reference"),
]


@pytest.mark.parametrize(
    ("text", "number"),
    [("I/O error: No space left on device (os error 28)", 28), ("(os error 122)", 122), ("no such key", None)],
)
def test_what_is_about_the_disk_is_known_in_any_words(text: str, number: int | None) -> None:
    assert sealed.disk_problem(RuntimeError(text)) == number
    assert sealed.disk_problem(OSError(28, "x")) == 28
    assert sealed.disk_problem(OSError(2, "no such file")) is None


def test_a_name_that_is_taken_is_not_overwritten(tmp_path: Path) -> None:
    policy = a_policy()
    learner = a_learner(policy.module)
    saved = [checkpoint.save(tmp_path / "2-train-000001", policy, learner, {"number": i}) for i in range(3)]
    assert len(set(saved)) == 3
    assert checkpoint.latest(tmp_path) == saved[-1]
    following = checkpoint.save(tmp_path / "2-train-000002", policy, learner, {})
    assert checkpoint.latest(tmp_path) == following
    checkpoint.prune(tmp_path, keep=2)
    assert sorted(tmp_path.iterdir()) == [saved[-1], following]


def test_there_may_be_none(tmp_path: Path) -> None:
    assert checkpoint.latest(tmp_path) is None
    assert checkpoint.latest(tmp_path / "nowhere") is None
    assert checkpoint.clean(tmp_path / "nowhere", None, corrupt=tmp_path / "corrupt") == []


def test_after_falling_back_newer_ones_are_moved_and_half_written_ones_go(tmp_path: Path) -> None:
    policy, corrupt = a_policy(), tmp_path / "corrupt"
    parent = tmp_path / "checkpoints"
    learner = a_learner(policy.module)
    one, two, three = (checkpoint.save(parent / str(i), policy, learner, {}) for i in (1, 2, 3))
    (parent / ".4.partial").mkdir()
    (parent / ".4.partial" / "manifest.json").write_text(json.dumps({}))
    (three / "state.json").unlink()
    notes: list[str] = []
    assert checkpoint.latest(parent, note=notes.append) == two
    assert notes == [f"checkpoint 3 is corrupt, the one before it is tried: {three / 'state.json'} is missing"]
    assert checkpoint.clean(parent, two, corrupt=corrupt) == [corrupt / "3"]
    assert sorted(parent.iterdir()) == [one, two]
    checkpoint.save(parent / "3", policy, learner, {})
    assert checkpoint.clean(parent, None, corrupt=corrupt) == [corrupt / "1", corrupt / "2", corrupt / "3+"]
    assert list(parent.iterdir()) == []
    assert not (corrupt / "3" / "state.json").exists()
    assert (corrupt / "3+" / "state.json").exists()


# -- what is looked at before anything is loaded ---------------------------------------------------------


def test_a_reference_of_another_shape_changes_nothing(tmp_path: Path) -> None:
    policy, trainer = a_policy(), Loaded(1)
    learner = a_learner(policy.module)
    update(learner, trainer)
    saved = checkpoint.save(tmp_path / "1", policy, learner, {}, trainer=trainer)
    other = Loaded(9)
    other.reference = a_model(hidden_size=32)
    target = a_learner(a_model())
    before = state_of(target, other)
    with pytest.raises(DataError, match="go on with the model that wrote it"):
        checkpoint.load(saved, target, trainer=other)
    after = state_of(target, other)
    assert same(before[0].pop("reference"), after[0].pop("reference"))
    assert all(same(one, two) for one, two in zip(before[:2], after[:2], strict=True))
    assert before[2:] == after[2:]


def test_what_is_not_what_was_written_is_not_loaded(tmp_path: Path) -> None:
    policy = a_policy()
    learner = a_learner(policy.module)
    saved = checkpoint.save(tmp_path / "1", policy, learner, {"number": 1})
    file = saved / "state.json"
    file.write_text(file.read_text().replace('"number": 1', '"number": 2'))
    with pytest.raises(DataError, match=r"state\.json is not what was written"):
        checkpoint.load(saved, learner)


@pytest.mark.parametrize("content", ["{}", '{"num_updates": "3"}', '{"num_updates": null}'])
def test_a_learner_that_does_not_say_how_far_it_is_is_refused(content: str, tmp_path: Path) -> None:
    learner = a_learner(a_model())
    step(learner, 3)
    learner.save(tmp_path / "learner")
    (tmp_path / "learner" / "learner.json").write_text(content)
    other = a_learner(a_model(1))
    before = weights(other.module)
    with pytest.raises(DataError, match='does not say "num_updates"'):
        other.load(tmp_path / "learner")
    assert same(weights(other.module), before)


def test_only_what_is_half_written_is_deleted(tmp_path: Path) -> None:
    for name in (".1.partial", ".mine"):
        (tmp_path / name).mkdir()
    assert checkpoint.clean(tmp_path, None, corrupt=tmp_path / "corrupt") == []
    assert [path.name for path in tmp_path.iterdir()] == [".mine"]
