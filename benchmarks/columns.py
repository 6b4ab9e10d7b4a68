"""Columns against lists: from 256 episodes of 4,000 tokens to a lesson, to microbatches, and what they hold in memory.

    python benchmarks/columns.py [--json FILE]

Both sides do what an update of grpo and of ppo does between playing and the first forward pass: rows, advantages and,
for ppo, returns (a critic's values are given: no forward pass is measured), then all microbatches. The other side keeps
Python lists and goes through them token by token, as agentgym did before its records had columns; the tensors of both
must be equal. They take turns, a ratio is that of neighbors, and the figure is the median of the ratios. Memory is what
tracemalloc sees of the token columns of the episodes, and of the rows of a lesson beside them.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import time
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from itertools import chain, compress
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple
from unittest import mock

import numpy as np
import torch

from agentgym.learn.advantages import group_zscore, whiten
from agentgym.learn.aggregation import token_weights
from agentgym.learn.batch import Microbatch, microbatches
from agentgym.learn.rows import Row
from agentgym.trainers.grpo import GRPO, GRPOSettings
from agentgym.trainers.ppo import PPO, PPOSettings
from agentgym.types import Sample, Trajectory, Turn

GROUPS, GROUP_SIZE = 32, 8
TURNS, SEEN, SAID = 20, 100, 100
MAX_TOKENS, ROUNDS = 8192, 7

Rows = dict[str, dict[str, float | str]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="write the figures there as well")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rows: Rows = {}
    for measured in (measure("grpo"), measure("ppo"), measure_memory()):
        for name, row in measured.items():
            print(f"{name:48} {row['value']:>10,.4g} {row['unit']:8} (target {row['target']})", flush=True)
        rows |= measured
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")


def row(name: str, value: float, target: str, unit: str) -> Rows:
    return {name: {"value": value, "unit": unit, "target": target}}


# -- the episodes ----------------------------------------------------------------------------------------


class Lists(NamedTuple):
    """A sample as it was before, or with ``values``, ``advantages`` and ``returns`` a row."""

    token_ids: list[int]
    loss_mask: list[bool]
    logprobs: list[float]
    turn_index: list[int]
    policy_versions: list[int]
    columns: dict[str, list[float]]


def lists(seed: int) -> Lists:
    """One episode of turns of so many tokens seen and said."""
    rng = random.Random(seed)
    mask = ([False] * SEEN + [True] * SAID) * TURNS
    return Lists(
        token_ids=[rng.randrange(150_000) for _ in mask],
        loss_mask=mask,
        logprobs=np.array([-rng.random() if said else 0.0 for said in mask], np.float32).tolist(),
        turn_index=[turn for turn in range(TURNS) for _ in range(SEEN + SAID)],
        policy_versions=[3 if said else -1 for said in mask],
        columns={},
    )


def sample(given: Lists) -> Sample:
    return Sample(**{name: getattr(given, name) for name in Lists._fields if name in Sample.model_fields})


def episode(number: int, given: Lists) -> Trajectory:
    rewards = [random.Random(f"{number}/{turn}").random() for turn in range(TURNS)]
    return Trajectory(
        env="x",
        task=number // GROUP_SIZE,
        seed=0,
        episode_id=str(number),
        group_id=str(number // GROUP_SIZE),
        ordinal=number // GROUP_SIZE,
        turns=[Turn(observation="", reply="", reward=reward) for reward in rewards],
        samples=[sample(given)],
        terminated=True,
    )


# -- what agentgym does ------------------------------------------------------------------------------------


class Unscored(PPO):
    """PPO that asks no model."""

    def score(self, rows: list[Row]) -> None: ...


def lesson(kind: str, trajectories: Sequence[Trajectory], values: Sequence[Sequence[float]]) -> list[Row]:
    if kind == "grpo":
        return GRPO(GRPOSettings(groups=GROUPS, group_size=GROUP_SIZE)).lesson(0, trajectories).rows

    def estimate(_: Any, rows: Sequence[Row], **_options: Any) -> list[float]:
        for row, own in zip(rows, values, strict=True):
            row.values = np.asarray(own, np.float32)
        return [0.0] * len(rows)

    ppo = Unscored(PPOSettings(episodes=GROUPS * GROUP_SIZE))
    ppo.critic = SimpleNamespace(module=None, world=None)  # type: ignore[assignment]
    with mock.patch("agentgym.learn.critic.estimate", estimate):
        return ppo.lesson(0, trajectories).rows


# -- the same with lists -----------------------------------------------------------------------------------


def listed_lesson(kind: str, trajectories: Sequence[Trajectory], own: list[Lists], values: Any) -> list[Lists]:
    for given, trajectory in zip(own, trajectories, strict=True):
        given.columns.clear()
        shown = trajectory.shown
        by_expert = [said and turn in shown for said, turn in zip(given.loss_mask, given.turn_index, strict=True)]
        assert not any(by_expert)
    rewards = [sum(turn.reward for turn in trajectory.turns) for trajectory in trajectories]
    if kind == "grpo":
        penalties = [sum([0.0] * len(given.token_ids)) for given in own]
        rewards = [reward - penalty for reward, penalty in zip(rewards, penalties, strict=True)]
        groups = [rewards[start : start + GROUP_SIZE] for start in range(0, len(rewards), GROUP_SIZE)]
        advantages = chain.from_iterable(map(group_zscore, groups))
        for given, advantage in zip(own, advantages, strict=True):
            given.columns["advantages"] = [advantage] * len(given.token_ids)
        return own
    for given, trajectory, estimates in zip(own, trajectories, values, strict=True):
        num = len(estimates)
        given.columns.update(values=estimates, returns=[-value for value in [0.0] * num], advantages=[0.0] * num)
        assign(given, [turn.reward for turn in trajectory.turns])
    pairs = [(given.columns["returns"][i], given.columns["values"][i]) for given in own for i in places(given)]
    statistics.pvariance([target for target, _ in pairs])
    statistics.pvariance([target - value for target, value in pairs])
    trained = [(given, i) for given in own for i in places(given)]
    white = whiten([given.columns["advantages"][i] for given, i in trained]).tolist()
    for (given, i), advantage in zip(trained, white, strict=True):
        given.columns["advantages"][i] = advantage
    return own


def places(given: Lists) -> list[int]:
    return [i for i, trained in enumerate(given.loss_mask) if trained and i]


def assign(given: Lists, turn_rewards: list[float]) -> None:
    """Generalized advantages with γ = λ = 1, from the end."""
    columns, trained = given.columns, places(given)
    rewards = [columns["returns"][i] for i in trained]
    for turn, index in {given.turn_index[i]: index for index, i in enumerate(trained)}.items():
        rewards[index] += turn_rewards[turn]
    next_value = advantage = 0.0
    for i, reward in zip(reversed(trained), reversed(rewards), strict=True):
        advantage = reward + next_value - columns["values"][i] + advantage
        columns["advantages"][i], columns["returns"][i] = advantage, advantage + columns["values"][i]
        next_value = columns["values"][i]


def listed_batches(rows: Sequence[Lists], weights: Sequence[float]) -> Iterator[Microbatch]:
    """Two rows each, which is what fits."""
    for start in range(0, len(rows), 2):
        chosen = rows[start : start + 2]
        needed = [len(r.loss_mask) - 1 - r.loss_mask[:0:-1].index(True) for r in chosen]
        trained = [r.loss_mask[1 : n + 1] for r, n in zip(chosen, needed, strict=True)]
        counts = torch.tensor([sum(mask) for mask in trained])
        numbers = torch.arange(start, start + 2)

        def flat(columns: list[list[Any]], trained: list[list[bool]] = trained) -> list[Any]:
            return list(chain.from_iterable(compress(c[1:], m) for c, m in zip(columns, trained, strict=True)))

        given = {name: flat([r.columns[name] for r in chosen]) for name in chosen[0].columns}
        further: dict[str, Any] = {f"{name}_N": torch.tensor(own, dtype=torch.float32) for name, own in given.items()}
        yield Microbatch(
            ids_T=torch.tensor([token for r, n in zip(chosen, needed, strict=True) for token in r.token_ids[:n]]),
            positions_T=torch.cat([torch.arange(n) for n in needed]),
            lengths=needed,
            predicts_T=torch.tensor(list(chain.from_iterable(trained)), dtype=torch.bool),
            targets_N=torch.tensor(flat([r.token_ids for r in chosen]), dtype=torch.long),
            behavior_logprobs_N=torch.tensor(flat([r.logprobs for r in chosen]), dtype=torch.float32),
            weights_N=torch.tensor(weights[start : start + 2]).repeat_interleave(counts),
            rows_N=numbers.repeat_interleave(counts),
            sequences_N=torch.arange(2).repeat_interleave(counts),
            units_N=torch.arange(2).repeat_interleave(counts),
            demonstrations_N=torch.tensor(flat([[False] * len(r.loss_mask) for r in chosen]), dtype=torch.bool),
            units_B=torch.tensor([-1, -1]),
            episodes=[str(start), str(start + 1)],
            **further,
        )


# -- measuring ---------------------------------------------------------------------------------------------


def measure(kind: str) -> Rows:
    """Seconds of a lesson and of its microbatches, either way."""
    own = [lists(seed) for seed in range(GROUPS * GROUP_SIZE)]
    trajectories = [episode(number, given) for number, given in enumerate(own)]
    rng = np.random.default_rng(0)
    values = [rng.random(len(given.token_ids), dtype=np.float32).tolist() for given in own]
    rows, listed = lesson(kind, trajectories, values), listed_lesson(kind, trajectories, own, values)
    weights = token_weights(rows, "token")
    sides: dict[str, tuple[Callable[[], Any], Callable[[], Any]]] = {
        "lesson": (lambda: lesson(kind, trajectories, values), lambda: listed_lesson(kind, trajectories, own, values)),
        "batches": (
            lambda: list(microbatches(rows, weights, max_tokens=MAX_TOKENS)),
            lambda: list(listed_batches(listed, weights)),
        ),
    }
    check_equal(*(side() for side in sides["batches"]))
    found: Rows = {}
    for what, (ours, theirs) in sides.items():
        taken = [(timed(ours), timed(theirs)) for _ in range(ROUNDS)]
        title = f"{kind}, {what}"
        found |= row(f"{title}, columns", statistics.median(a for a, _ in taken), "-", "s")
        found |= row(f"{title}, lists", statistics.median(b for _, b in taken), "-", "s")
        found |= row(f"{title}, columns / lists", statistics.median(a / b for a, b in taken), "< 1", "ratio")
    return found


def check_equal(ours: list[Microbatch], theirs: list[Microbatch]) -> None:
    """Raises AssertionError when a tensor differs: the times would mean nothing."""
    for one, other in zip(ours, theirs, strict=True):
        for name in Microbatch.__slots__:
            a, b = getattr(one, name), getattr(other, name)
            if not (torch.equal(a, b) if isinstance(a, torch.Tensor) else a == b):
                raise AssertionError(f"{name} of a microbatch is {a} of columns and {b} of lists; expected the same")


def timed(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def measure_memory() -> Rows:
    """Bytes a token that an episode's columns take, and that the rows of a ppo lesson take beside them."""
    own, numbers = held(lambda: [lists(seed) for seed in range(GROUP_SIZE)])
    samples, arrays = held(lambda: [sample(given) for given in own])
    tokens = sum(len(given.token_ids) for given in own)
    trajectories = [episode(number, given) for number, given in enumerate(own)]
    values = [[0.5] * len(given.token_ids) for given in own]
    _, listed = held(lambda: listed_lesson("ppo", trajectories, own, values))
    for trajectory, made in zip(trajectories, samples, strict=True):
        trajectory.samples = [made]
    _, rows = held(lambda: lesson("ppo", trajectories, values))
    return {
        **row("an episode, columns", arrays / tokens, "-", "B/token"),
        **row("an episode, lists", numbers / tokens, "-", "B/token"),
        **row("an episode, columns / lists", arrays / numbers, "< 1", "ratio"),
        **row("rows of ppo, columns", rows / tokens, "-", "B/token"),
        **row("rows of ppo, lists", listed / tokens, "-", "B/token"),
        **row("rows of ppo, columns / lists", rows / listed, "< 1", "ratio"),
    }


def held(make: Callable[[], Any]) -> tuple[Any, int]:
    """What ``make`` returns, and the bytes that are in use for it afterwards."""
    make()  # what is made once in a process is there already
    tracemalloc.start()
    try:
        made = make()
        return made, tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()


if __name__ == "__main__":
    main()
