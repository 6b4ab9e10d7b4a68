"""A search in a run: who chooses it, what it plays for training and for measuring, and what it costs."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Sequence
from typing import Any

import pytest

import agentgym
from agentgym.actors.scripted import ScriptedEngine
from agentgym.curricula.uniform import Uniform
from agentgym.errors import ConfigError, UserError
from agentgym.groups import group_specs
from agentgym.launch.evaluation import play_tasks
from agentgym.launch.resolving import resolve
from agentgym.launch.sampling import refuse_greedy
from agentgym.learn.players import Players
from agentgym.protocols.plain import Plain
from agentgym.rollout import EpisodeSpec, Limits, Rollout
from agentgym.search import Found, Search, Spent, Table, Tree
from agentgym.types import StopReason, Trajectory
from tests.kit import chat, episode

TOKENIZER = chat()
GIVEN = {"env": "blocksworld"}


class Pair(agentgym.Env):
    """Two turns; "b" is paid in either."""

    max_turns = 2

    def reset(self, **_: Any) -> Any:
        return "go", {}

    def step(self, action: str) -> Any:
        return "on", float(action == "b"), False, False, {}


def rollout(*shapers: Any) -> Rollout:
    return Rollout(Pair, TOKENIZER, Plain(), limits=Limits(max_reply_tokens=8), max_context=512, shapers=shapers)


def engine(replies: str) -> ScriptedEngine:
    rng = random.Random(0)
    return ScriptedEngine(lambda _: [*TOKENIZER.encode(rng.choice(replies)), TOKENIZER.stop_token_ids[0]])


def mcts(**options: Any) -> Search:
    built: Search = agentgym.plugins("searches").build("mcts", options)
    return built


# -- choosing ------------------------------------------------------------------------------------------


def test_a_trainer_that_learns_from_trees_brings_its_search_and_others_have_none() -> None:
    chosen = {trainer: resolve({**GIVEN, "trainer": trainer}).search.id for trainer in ("grpo", "ppo", "agent-q")}
    assert chosen == {"grpo": "flat", "ppo": "flat", "agent-q": "mcts"}
    assert resolve({**GIVEN, "trainer": "agent_q"}).search.id == "mcts"
    whole = {"id": "agent-q", "learns_from": "successes"}
    assert resolve({**GIVEN, "trainer": whole}).search.id == "flat"


def test_every_trainer_that_plays_takes_a_search_with_its_settings() -> None:
    search = resolve({**GIVEN, "trainer": "grpo", "search": {"id": "mcts", "proposals": 3, "max_tokens": 900}}).search
    assert (search.id, search.options) == ("mcts", {"proposals": 3, "max_tokens": 900})


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"trainer": "agent-q", "search": "flat"}, "learns from trees, and the search flat grows none"),
        (
            {"trainer": "sft", "search": "mcts"},
            "search mcts does not go with the trainer sft: its policy plays nothing",
        ),
        ({"trainer": "cory", "search": "vine"}, "trainer cory: it pairs the episodes of its copies one by one"),
        (
            {"trainer": {"id": "mixed", "method": "prefix"}, "search": "vine"},
            "trainer mixed: with method prefix one mem",
        ),
        ({"trainer": {"id": "grpo", "loss": "nft"}, "search": "vine"}, "trainer grpo: loss nft is of whole episodes"),
        ({"search": "mtcs"}, 'unknown search "mtcs". Did you mean "mcts"'),
        ({"search": {"id": "mcts", "proposal": 3}}, r"search\.proposal"),
        ({"search": {"id": "mcts", "max_tokens": 0}}, r"search\.max_tokens"),
    ],
)
def test_what_does_not_go_together_is_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        resolve({**GIVEN, **given})


def test_greedy_proposals_would_all_be_the_same() -> None:
    settings = resolve({**GIVEN, "search": "mcts"})
    with pytest.raises(
        ConfigError, match="at temperature 0, which is greedy, they are all the same; add --temperature 1"
    ):
        refuse_greedy(settings, samples=1, temperature=0.0)
    refuse_greedy(settings, samples=4, temperature=1.0)


# -- training --------------------------------------------------------------------------------------------


def test_a_groups_members_are_the_lines_of_its_tree_with_their_rewards_and_the_costs_are_told() -> None:
    def doubled(trajectory: Trajectory) -> list[float]:
        return [turn.reward for turn in trajectory.turns]

    own = rollout(("doubled", 1.0, doubled))
    those = Players(own, engine("ab"), Uniform(range(9), seed=0), limits=own.limits)
    those.search = mcts(proposals=9, parallel=1)
    specs = group_specs(Uniform(range(9), seed=0), 0, groups=2, group_size=3)
    lines = asyncio.run(those.policy(specs))
    assert [line.group_id for line in lines] == ["0-0"] * 3 + ["0-1"] * 3
    assert [line.episode_id for line in lines] == [spec.episode_id for spec in specs]
    assert all(line.reward == 2 * line.environment_reward for line in lines)
    assert {line.parent_id for line in lines} > {None}
    costs = those.costs()
    assert costs["search_steps"] == sum(len(line.turns) - (line.branch_turn or 0) for line in lines)
    assert costs["search_sampled"] >= 2 * costs["search_steps"]
    assert those.costs() == {}


def test_what_is_augmented_otherwise_is_a_tree_of_its_own() -> None:
    asked: list[list[float]] = []

    class Noted(Search):
        async def grow(self, tree: Tree, num: int) -> None: ...

        async def play(self, table: Table, specs: Sequence[EpisodeSpec]) -> Found:
            asked.append([spec.strength for spec in specs])
            return Found([episode(0.0)], Spent())

    own = rollout()
    those = Players(own, engine("a"), Uniform(range(9), seed=0), limits=own.limits)
    those.search = Noted()
    specs = [EpisodeSpec(task=0, seed=0, group_id="g", episode_id=str(i), strength=s) for i, s in enumerate((1, 1, 0))]
    asyncio.run(those.policy(specs))
    assert asked == [[1, 1], [0]]


def test_a_tree_has_the_factors_of_its_groups_rewards() -> None:
    own = rollout(("one", 1.0, lambda trajectory: [1.0 for _ in trajectory.turns]))
    those = Players(own, engine("a"), Uniform(range(9), seed=0), limits=own.limits)
    those.search = mcts()
    specs = [
        EpisodeSpec(task=0, seed=0, group_id=g, episode_id=g, rewards={"one": f}) for g, f in (("g", 0.5), ("h", 0))
    ]
    lines = asyncio.run(those.policy(specs))
    assert [(line.group_id, line.reward) for line in lines] == [("g", 1.0), ("h", 0.0)]


# -- measuring ---------------------------------------------------------------------------------------------


def test_the_line_that_the_search_chooses_counts_or_all_where_they_are_kept() -> None:
    told: list[str] = []

    async def measured(*, keeps_lines: bool) -> list[Trajectory]:
        own = rollout()
        async with contextlib.AsyncExitStack() as closing:
            closing.push_async_callback(own.close)
            return await play_tasks(
                own,
                engine("ab"),
                [0, 1],
                temperature=1.0,
                search=mcts(simulations=4, proposals=9),
                keeps_lines=keeps_lines,
                on_episode=lambda line: told.append(line.episode_id),
            )

    chosen = asyncio.run(measured(keeps_lines=False))
    assert [line.reward for line in chosen] == [2.0, 2.0]
    assert sorted(told) == sorted(line.episode_id for line in chosen)
    kept = asyncio.run(measured(keeps_lines=True))
    assert len(kept) == 8
    assert {line.reward for line in kept} > {2.0}


def test_a_search_of_which_nothing_came_but_a_broken_environment_is_void() -> None:
    class Broken(Pair):
        def step(self, action: str) -> Any:
            raise OSError("gone")

    async def measured() -> list[Trajectory]:
        own = Rollout(Broken, TOKENIZER, Plain(), max_context=512)
        async with contextlib.AsyncExitStack() as closing:
            closing.push_async_callback(own.close)
            return await play_tasks(own, engine("a"), [0], temperature=1.0, search=mcts())

    (void,) = asyncio.run(measured())
    assert (void.stop_reason, void.attempt) == (StopReason.ENV_ERROR, 1)
    assert "gone" in str(void.error)
