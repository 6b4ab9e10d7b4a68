"""TRL's side of a race: ``GRPOTrainer`` with ``as_trl``, which stops where its turn ends."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from transformers import AutoModelForCausalLM, TrainerCallback
from trl import GRPOConfig, GRPOTrainer

from agentgym.interop import as_trl, trl_reward
from agentgym.learn.policy import load_tokenizer
from benchmarks.parity_trl.race import Race, Track
from benchmarks.parity_trl.theirs import COMMON
from benchmarks.parity_trl.through import Through

__all__ = ["Timed", "run", "trainer"]


class Timed(GRPOTrainer):  # type: ignore[misc]
    """TRL's trainer, which counts what it plays."""

    track: Track

    def _generate_and_score_completions(self, inputs: list[dict[str, Any]]) -> dict[str, Any]:
        began = time.process_time()
        made: dict[str, Any] = super()._generate_and_score_completions(inputs)
        lap = self.track.lap
        lap.playing += time.process_time() - began
        lap.updates += 1
        lap.episodes += len(inputs)
        lap.tokens += int((made["completion_mask"] * made["tool_mask"]).sum())
        return made


class Turns(TrainerCallback):
    """Waits for its turn before every so many updates."""

    def __init__(self, race: Race, track: Track, model: Any, tokenizer: Any) -> None:
        self.race, self.track, self.model, self.tokenizer = race, track, model, tokenizer

    def on_train_begin(self, *_: Any, **__: Any) -> None:
        self.track.line(self._save)

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if state.global_step % self.race.lap_updates == 0:
            self.track.line(self._save)

    def _save(self, folder: Path) -> None:
        self.model.save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)


def run(race: Race, pipe: Connection, folder: Path) -> None:
    """Train until the other end of ``pipe`` ends the process."""
    torch.set_num_threads(race.threads)
    track = Track(pipe, folder)

    def reward(completions: Sequence[Any], environments: Sequence[Any], **_: Any) -> list[float]:
        paid = trl_reward(completions, environments)
        track.lap.rewards += sum(paid)
        track.lap.replies += sum(message["role"] == "assistant" for said in completions for message in said)
        return paid

    with _silent():
        made = trainer(Timed, race, folder, reward, race.updates)
        made.track = track
        made.add_callback(Turns(race, track, made.model, made.processing_class))
        made.train()


def trainer(kind: type[GRPOTrainer], race: Race, folder: Path, reward: Any, updates: int) -> Any:
    """A trainer of the class ``kind`` for the race's episodes."""
    env = Through(game=race.game, options=race.options)
    num_calls, tasks = env.num_calls, env.tasks("train")
    env.close()
    specs = [spec for update in range(updates) for spec in race.specs(tasks, update)]
    columns = {"prompt": [[{"role": "user", "content": ""}]] * len(specs), "task": [spec.task for spec in specs]}
    return kind(
        model=AutoModelForCausalLM.from_pretrained(race.start, dtype=torch.float32),
        processing_class=load_tokenizer(race.start),
        args=GRPOConfig(output_dir=str(folder), **options(race, num_calls, updates)),
        reward_funcs=reward,
        train_dataset=Dataset.from_dict({**columns, "seed": [spec.seed for spec in specs]}),
        environment_factory=as_trl(race.game, **race.options),
    )


def options(race: Race, num_calls: int, updates: int) -> dict[str, Any]:
    """TRL's settings; what is left out is its default."""
    return {
        **COMMON,
        "bf16": race.precision == "bfloat16",
        "learning_rate": race.learning_rate,
        "lr_scheduler_type": "constant",
        "adam_beta2": 0.95,  # as ours
        "max_grad_norm": 1.0,
        "per_device_train_batch_size": race.groups * race.group_size,
        "num_generations": race.group_size,
        "max_steps": updates,
        "shuffle_dataset": False,
        "temperature": 1.0,
        "beta": 0.0,
        "loss_type": "dapo",
        "scale_rewards": "group",
        "max_tool_calling_iterations": num_calls,
        "max_completion_length": 8192,  # of an episode, with what it was told
        "generation_kwargs": {"max_new_tokens": race.reply_tokens},
        "logging_steps": 1,
        "seed": race.seed,
    }


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """Without a line for each update and warnings for each call."""
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
        yield
