"""TRL's side: its trainers, constructed for real, fed the episodes and asked for loss and gradients.

Only sampling is replaced, since the completions are given. What a trainer makes of them (padding, masks, reference
log-probabilities, advantages, the loss) is its own code. The policy is moved off the reference after the trainer has
been made, as training would, and the log-probabilities of the behavior policy are put into the prepared batch.
"""

from __future__ import annotations

import contextlib
import io
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from benchmarks.parity_trl.material import Episode, Pair, load_model, text, tokenizer

Inputs = dict[str, Any]
COMMON = {
    "bf16": False,
    "use_cpu": True,
    "report_to": "none",
    "disable_tqdm": True,
    "save_strategy": "no",
    "gradient_accumulation_steps": 1,
    "learning_rate": 1e-5,
    "gradient_checkpointing": False,
}
"""Of all trainers: float32, no checkpointing of activations, no files."""


def grpo(reference: Path, policy: Path, episodes: Sequence[Episode], group_size: int, **options: Any) -> Any:
    """A GRPOTrainer whose rollouts are ``episodes``; observations go in as its ``env_mask``."""
    from trl import GRPOConfig, GRPOTrainer

    def rollout(prompts: list[Any], trainer: Any) -> dict[str, Any]:
        return {
            "prompt_ids": [episode.prompt for episode in episodes],
            "completion_ids": [episode.completion for episode in episodes],
            "logprobs": None,
            "env_mask": [[int(said) for said in episode.sampled] for episode in episodes],
        }

    config = {
        "per_device_train_batch_size": len(episodes),
        "num_generations": group_size,
        "steps_per_generation": 1,
        "num_iterations": 1_000_000,  # so that a training step takes the batch it has been given
        **options,
    }
    with _quiet(), tempfile.TemporaryDirectory() as folder:
        trainer = GRPOTrainer(
            model=str(reference),
            processing_class=tokenizer(reference),
            args=GRPOConfig(output_dir=folder, **{**COMMON, **config}),
            reward_funcs=_rewards(episodes),
            train_dataset=_prompts(episodes),
            rollout_func=rollout,
        )
    return _moved_to(trainer, policy)


def rloo(reference: Path, policy: Path, episodes: Sequence[Episode], group_size: int, **options: Any) -> Any:
    """An RLOOTrainer that samples ``episodes``. It knows no observations: all tokens of a completion are trained."""
    from trl import RLOOConfig, RLOOTrainer

    config = {
        "per_device_train_batch_size": len(episodes),
        "num_generations": group_size,
        "steps_per_generation": 1,
        **options,
    }
    with _quiet(), tempfile.TemporaryDirectory() as folder:
        trainer = RLOOTrainer(
            model=str(reference),
            processing_class=tokenizer(reference),
            args=RLOOConfig(output_dir=folder, **{**COMMON, **config}),
            reward_funcs=_rewards(episodes),
            train_dataset=_prompts(episodes),
        )
    trainer._generate_single_turn = lambda *_: [episode.completion for episode in episodes]
    return _moved_to(trainer, policy)


def dpo(reference: Path, policy: Path, pairs: Sequence[Pair], **options: Any) -> Any:
    """A DPOTrainer; its own reference is a copy of ``reference``."""
    from datasets import Dataset
    from trl import DPOConfig, DPOTrainer

    data = Dataset.from_list(
        [
            {
                "prompt": text(p.chosen.prompt),
                "chosen": text(p.chosen.completion),
                "rejected": text(p.rejected.completion),
            }
            for p in pairs
        ]
    )
    config = {"per_device_train_batch_size": len(pairs), "max_length": None, **options}
    with _quiet(), tempfile.TemporaryDirectory() as folder:
        trainer = DPOTrainer(
            model=str(reference),
            processing_class=tokenizer(reference),
            args=DPOConfig(output_dir=folder, **{**COMMON, **config}),
            train_dataset=data,
        )
    return _moved_to(trainer, policy)


def scored(trainer: Any, episodes: Sequence[Episode]) -> Inputs:
    """What a GRPO or RLOO trainer makes of its completions: tensors, reference log-probabilities, advantages."""
    trainer.model.train()
    inputs: Inputs = trainer._generate_and_score_completions([{"prompt": text(e.prompt)} for e in episodes])
    return inputs


def with_old_logprobs(inputs: Inputs, episodes: Sequence[Episode], old: Sequence[Sequence[float]]) -> Inputs:
    """The same batch, sampled by a policy with the log-probabilities ``old`` (one for each token of an episode)."""
    old_BT = torch.zeros(inputs["completion_ids"].shape, device=inputs["completion_ids"].device)
    for b, (episode, values) in enumerate(zip(episodes, old, strict=True)):
        old_BT[b, : len(episode.completion)] = torch.tensor(values[len(episode.prompt) :])
    if "old_logps" in inputs:
        return {**inputs, "old_logps": (old_BT * inputs["completion_mask"]).sum(1)}
    return {**inputs, "old_per_token_logps": old_BT}


def collated(trainer: Any, pairs: Sequence[Pair]) -> Inputs:
    """A batch of pairs from the trainer's collator, with observations taken out of the completion mask."""
    inputs: Inputs = trainer.data_collator(
        [
            {"prompt_ids": p.chosen.prompt, "chosen_ids": p.chosen.completion, "rejected_ids": p.rejected.completion}
            for p in pairs
        ]
    )
    for b, episode in enumerate([p.chosen for p in pairs] + [p.rejected for p in pairs]):
        inputs["completion_mask"][b, : len(episode.token_ids)] = torch.tensor(episode.loss_mask).long()
    return inputs


def loss_and_gradients(trainer: Any, inputs: Inputs) -> tuple[float, dict[str, torch.Tensor]]:
    """The trainer's ``compute_loss`` on the batch, and what one backward pass leaves in each parameter."""
    trainer.model.train()
    trainer.model.zero_grad(set_to_none=True)
    loss = trainer.compute_loss(trainer.model, inputs)
    trainer.accelerator.backward(loss)
    return loss.item(), {name: p.grad.clone() for name, p in trainer.model.named_parameters() if p.grad is not None}


def stepper(
    policy: Path, episodes: Sequence[Episode], old: Sequence[Sequence[float]], group_size: int, device: str
) -> Callable[[], float]:
    """One train step of GRPO at each call, on a batch made beforehand; returns the loss.

    That is ``training_step`` and what TRL's training loop does after it, without logging and callbacks. On a GPU the
    arithmetic is bfloat16.
    """
    on_cpu = device == "cpu"
    trainer = grpo(policy, policy, episodes, group_size, beta=0.0, learning_rate=1e-6, use_cpu=on_cpu, bf16=not on_cpu)
    inputs = with_old_logprobs(scored(trainer, episodes), episodes, old)
    trainer.create_optimizer_and_scheduler(num_training_steps=1_000_000)
    model, trainer.optimizer = trainer.accelerator.prepare(trainer.model, trainer.optimizer)
    trainer._buffered_inputs, trainer._step = [inputs], 1

    def step() -> float:
        loss = trainer.training_step(model, inputs, None)
        trainer._clip_grad_norm(model).item()
        trainer.optimizer.step()
        trainer.lr_scheduler.step()
        model.zero_grad()
        return float(loss)

    return step


def fit(model: Any, token_ids: list[int]) -> None:
    """Log-probabilities, their mean as a loss, and backward, for one sequence, with the head of TRL's trainers."""
    from trl.trainer.utils import add_fused_lm_head

    add_fused_lm_head(model, outputs=("log_probs", "entropy"))
    ids_BT = torch.tensor([token_ids])
    output = model(input_ids=ids_BT, labels=ids_BT, fused_lm_head=True)
    output.entropy.detach().mean().item()
    torch.autograd.backward(-output.log_probs.mean())


def _moved_to(trainer: Any, policy: Path) -> Any:
    trainer.model.load_state_dict(load_model(policy).state_dict())
    trainer.current_gradient_accumulation_steps = 1  # set by the training loop, which is not run here
    return trainer


def _rewards(episodes: Sequence[Episode]) -> Any:
    def reward(completions: list[str], **_: Any) -> list[float]:
        return [episode.reward for episode in episodes]

    return reward


def _prompts(episodes: Sequence[Episode]) -> Any:
    from datasets import Dataset

    return Dataset.from_list([{"prompt": text(episode.prompt)} for episode in episodes])


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without the progress bars of small data sets."""
    with contextlib.redirect_stderr(io.StringIO()):
        yield
