"""What a tree search costs beside the least it can, and beside as many episodes that do not branch.

    python benchmarks/search.py [--json FILE]

A small random model on one thread, which says a sign or two a turn, in an environment of 8 turns whose pages have 64
signs. Eight trees of 16 simulations, four of each at once, five proposals at a moment; beside it, in turns (A B A B …),
eight groups of 16 episodes, as many at once. The least that a tree can cost is each page once where it was shown and
each reply once. The two are compared by the tokens that they sample a second, since a tree samples at moments which its
lines share.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time
from pathlib import Path
from typing import Any, NamedTuple

import torch

import agentgym
from agentgym.actors.embedded.engine import EmbeddedEngine
from agentgym.learn.byte_tokenizer import byte_tokenizer
from agentgym.learn.nano import NanoConfig, build_model
from agentgym.protocols.plain import Plain
from agentgym.rollout import EpisodeSpec, Limits, Rollout, engine_actor
from agentgym.search import Search, Table
from agentgym.tokenizer import ChatTokenizer
from benchmarks import latency

TREES, SIMULATIONS, AT_ONCE, TURNS, PAGE, ROUNDS = 8, 16, 4, 8, 64, 3
SLOTS = 2048
"""Moments that the engine keeps."""


class Pages(agentgym.Env):
    """A page for whatever was said, for so many turns."""

    max_turns = TURNS

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        self.said = ""
        return self.page(), {}

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        self.said += action[:1] or "-"
        ends = len(self.said) == TURNS
        return self.page(), float(ends and self.said.isalnum()), ends, False, {}

    def page(self) -> str:
        return (self.said * PAGE + "." * PAGE)[:PAGE]

    def get_state(self) -> str:
        return self.said

    def set_state(self, state: str) -> None:
        self.said = state


class Cost(NamedTuple):
    """Of one take."""

    seconds: float
    sampled: int
    computed: int
    """Tokens that the engine computed, sampled ones among them."""
    least: int
    restore_seconds: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="write the figures there as well")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    latency.report(measure(), arguments.json)


def measure() -> latency.Rows:
    """Both ways in turns; ratios are medians over the rounds."""
    tokenizer = ChatTokenizer(byte_tokenizer())
    sizes = NanoConfig(width=128, layers=2, heads=2, feed_forward=512, max_context=4096)
    model = build_model(len(tokenizer.hf), sizes, seed=0)
    flat = agentgym.plugins("searches").build("flat")
    tree = agentgym.plugins("searches").build("mcts", {"simulations": SIMULATIONS, "parallel": AT_ONCE})
    ways = {search: EmbeddedEngine(model, max_sessions=SLOTS, max_context=4096) for search in (flat, tree)}
    takes = [[asyncio.run(take(search, ways[search], tokenizer, at)) for search in ways] for at in range(ROUNDS + 1)][
        1:
    ]
    rates = [(one.seconds / one.sampled) / (other.seconds / other.sampled) for one, other in takes]
    last = takes[-1][1]
    share = statistics.median(other.restore_seconds / other.seconds for _, other in takes)
    row = latency.row
    return {
        **row(
            "search, tokens sampled and prefilled / the tree's least", last.computed / last.least, "<= 1.10", "ratio"
        ),
        **row("search, tokens a second / without branches", statistics.median(rates), ">= 0.85", "ratio"),
        **row("search, share of the time that goes back to moments", share, "<= 0.05", "share"),
    }


async def take(search: Search, engine: EmbeddedEngine, tokenizer: Any, at: int) -> Cost:
    """All trees, or all groups, at once. The first one makes room in the engine, and does not count."""
    await engine.update_weights(at, ())  # the same ones: what was computed before is dropped
    sampled, prefilled = engine.sampled_tokens, engine.prefill_tokens
    limits = Limits(max_reply_tokens=2)
    num = TREES if search.branches else TREES * AT_ONCE
    rollout = Rollout(Pages, tokenizer, Plain(), limits=limits, max_context=4096, concurrency=num)
    table = Table(rollout=rollout, engine=engine, actor=engine_actor(engine, temperature=1.0))
    specs = [
        [
            EpisodeSpec(task=tree, seed=tree, member=i, group_id=str(tree), episode_id=f"{tree}-{i}")
            for i in range(SIMULATIONS)
        ]
        for tree in range(TREES)
    ]
    began = time.perf_counter()
    found = await asyncio.gather(*(search.play(table, group) for group in specs))
    seconds = time.perf_counter() - began
    await rollout.close()
    new = engine.sampled_tokens - sampled
    return Cost(
        seconds,
        new,
        new + engine.prefill_tokens - prefilled,
        sum(each.spent.tokens for each in found),
        sum(each.spent.restore_seconds for each in found),
    )


if __name__ == "__main__":
    main()
