"""``as_trl`` inside TRL's own GRPO loop: what its trainer is told and pays is what the environment says.

    python -m benchmarks.parity_trl.episodes [--env ID ...] [--json FILE]

Real are TRL's trainer, its tool loop, chat template and parser, a model, and two updates of it. Only what the model
says is replaced, by a call of ``act`` with one of the actions that were shown: a model made from nothing would call no
tool. Each episode is then played once more, directly, with the actions that TRL's transcript holds.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import dataclasses
import inspect
import io
import json
import random
import sys
import tempfile
from collections.abc import Iterator, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast
from trl import GRPOConfig, GRPOTrainer

import agentgym
from agentgym.interop import as_trl, trl_reward
from benchmarks.parity_trl.material import load_model, write_model
from benchmarks.parity_trl.theirs import COMMON

NUM_TASKS, GROUP_SIZE, NUM_UPDATES = 4, 2, 2
SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<tool_call>", "</tool_call>", "<think>", "</think>")
ENVIRONMENTS = ("blocksworld", "countdown", "policydesk", "webshop")


@dataclasses.dataclass(frozen=True)
class Seen:
    """An episode as TRL had it: the row of the data set, actions, what came back, what was paid."""

    task: Any
    seed: int
    actions: list[str]
    observations: list[str]
    reward: float


class Played(GRPOTrainer):  # type: ignore[misc]
    """Says what ``reply`` says, and is TRL's trainer in all else."""

    def _generate_single_turn(
        self, prompt_ids: Sequence[list[int]], *_: Any, **__: Any
    ) -> tuple[list[list[int]], None]:
        replies = [reply(self.processing_class.decode(ids), seed) for seed, ids in enumerate(prompt_ids)]
        return [self.processing_class.encode(said) for said in replies], None


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--env", nargs="+", default=ENVIRONMENTS, metavar="ID", help="environments to play")
    parser.add_argument("--json", type=Path, help="write the figures there as well")
    arguments = parser.parse_args()
    rows = {}
    for env_id in arguments.env:
        episodes, losses, moved = train(env_id)
        wrong = [problem for seen in episodes for problem in problems(env_id, seen)]
        if not all(map(torch.isfinite, losses)) or moved != varies(episodes):
            wrong.append(f"losses {losses}, weights moved: {moved}")
        rows[f"{env_id}, differences"] = {"value": len(wrong), "target": "0", "unit": f"in {len(episodes)} episodes"}
        turns = sum(len(seen.actions) for seen in episodes)
        print(f"{env_id}: {len(episodes)} episodes, {turns} actions, {len(wrong)} differences", *wrong, sep="\n  ")
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")
    return 1 if any(row["value"] for row in rows.values()) else 0


def train(env_id: str) -> tuple[list[Seen], list[torch.Tensor], bool]:
    """Two updates of TRL's; the episodes they learned from, the losses, and whether the weights have moved."""
    seen: list[Seen] = []

    def keep(completions: Any, environments: Any, task: Any, seed: Any, **_: Any) -> list[float]:
        rewards = trl_reward(completions, environments)
        for number, said in enumerate(completions):
            calls = [call for message in said for call in message.get("tool_calls") or ()]
            actions = [call["function"]["arguments"]["action"] for call in calls]
            told = [message["content"] for message in said if message["role"] == "tool"]
            seen.append(Seen(task[number], seed[number], actions, told, rewards[number]))
        return rewards

    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        words = tokenizer()
        path = write_model(Path(folder) / "model", 0, vocab_size=len(words), max_position_embeddings=32_768)
        trainer = Played(
            model=load_model(path),
            processing_class=words,
            args=GRPOConfig(
                output_dir=folder,
                **{**COMMON, "learning_rate": 1e-3},
                per_device_train_batch_size=NUM_TASKS * GROUP_SIZE,
                num_generations=GROUP_SIZE,
                max_completion_length=16_384,
                max_steps=NUM_UPDATES,
                beta=0.0,
                logging_steps=1,
            ),
            reward_funcs=keep,
            train_dataset=rows(env_id),
            environment_factory=as_trl(env_id),
        )
        before = [weight.detach().clone() for weight in trainer.model.parameters()]
        trainer.train()
        after = list(trainer.model.parameters())
        losses = [torch.tensor(entry["loss"]) for entry in trainer.state.log_history if "loss" in entry]
    return seen, losses, any(not torch.equal(a, b) for a, b in zip(before, after, strict=True))


def varies(episodes: Sequence[Seen]) -> bool:
    """Whether there was something to learn: a group, which lies together, that is not all paid the same."""
    groups = [episodes[first : first + GROUP_SIZE] for first in range(0, len(episodes), GROUP_SIZE)]
    return any(len({seen.reward for seen in group}) > 1 for group in groups)


def rows(env_id: str) -> Dataset:
    """Tasks of the environment's training split, each with a seed."""
    env = agentgym.make(env_id)
    tasks = list(env.tasks("train"))[:NUM_TASKS]
    env.close()
    prompt = [{"role": "user", "content": "Play."}]
    seeds = range(len(tasks))
    tasks = tasks if env.has_own_tasks else [None] * len(tasks)
    return Dataset.from_dict({"prompt": [prompt] * len(tasks), "task": tasks, "seed": list(seeds)})


def reply(conversation: str, seed: int) -> str:
    """A call with one of the actions shown last, the same one for the same conversation; words when it is over."""
    if "The episode is over." in conversation:
        return "Done.<|im_end|>"
    _, _, shown = conversation.rpartition("\nActions: ")
    choices = shown.partition("\n")[0].partition("<|im_end|>")[0].split(" | ")
    action = random.Random(f"{len(conversation)} {seed}").choice(choices)
    call = json.dumps({"name": "act", "arguments": {"action": action}})
    return f"<tool_call>\n{call}\n</tool_call><|im_end|>"


def problems(env_id: str, seen: Seen) -> Iterator[str]:
    """Where playing the episode directly differs from what TRL had of it."""
    where = f"task {seen.task}, seed {seen.seed}"
    env = agentgym.make(env_id)
    rewards, shown, is_over = asyncio.run(played(env, seen))
    env.close()
    if not (seen.actions and is_over):
        yield f"{where}: the episode did not come to its end in {len(seen.actions)} actions"
    if any(text not in observation for text, observation in zip(shown, seen.observations, strict=True)):
        yield f"{where}: other observations"
    if sum(rewards) != seen.reward:
        yield f"{where}: reward {sum(rewards)}, TRL paid {seen.reward}"


async def played(env: agentgym.Env, seen: Seen) -> tuple[list[float], list[str], bool]:
    """Rewards and observations of the actions, and whether they end the episode."""
    now: Any = env.reset(seed=seen.seed, options=None if seen.task is None else {"task": seen.task})
    if inspect.isawaitable(now):
        await now
    rewards, shown, is_over = [], [], False
    for turn, action in enumerate(seen.actions, 1):
        if is_over:  # TRL was told so, and asks no more
            shown.append("The episode is over.")
            continue
        step: Any = env.step(action)
        text, reward, terminated, truncated, _ = await step if inspect.isawaitable(step) else step
        rewards.append(float(reward))
        shown.append(str(text))
        is_over = terminated or truncated or turn >= env.max_turns
    return rewards, shown, is_over


def tokenizer() -> PreTrainedTokenizerFast:
    """Bytes, the special tokens of Qwen3, and its chat template as it comes with TRL."""
    alphabet = {letter: i for i, letter in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    words = Tokenizer(models.BPE(vocab=alphabet, merges=[]))
    words.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    words.decoder = decoders.ByteLevel()
    words.add_special_tokens(list(SPECIAL[:3]))
    words.add_tokens(list(SPECIAL[3:]))
    template = (files("trl") / "chat_templates" / "qwen3.jinja").read_text(encoding="utf-8")
    return PreTrainedTokenizerFast(
        tokenizer_object=words, pad_token=SPECIAL[0], eos_token=SPECIAL[2], chat_template=template
    )


if __name__ == "__main__":
    sys.exit(main())
