"""What every search promises, on every environment at its own way back: whole lines, values of theirs, nothing left."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from typing import Any

import pytest

import agentgym
from agentgym.actors.scripted import ScriptedEngine
from agentgym.doctor.playing import random_action
from agentgym.engine import Completion, Prompt, Sampling
from agentgym.errors import UserError
from agentgym.hosts import make_hosts
from agentgym.registry import EnvFactory
from agentgym.rollout import EpisodeSpec, Limits, Rollout, engine_actor
from agentgym.search import Found, Search, Table
from agentgym.types import TaskId
from agentgym.visit import Player
from tests.contract.test_environments import what_is_missing
from tests.unit.search.kit import TOKENIZER, check

IDS = agentgym.plugins("searches").ids()
SMALL: dict[str, dict[str, Any]] = {
    "beam": {"width": 1, "proposals": 2},
    "fragments": {"tries": 1},
    "lookahead": {"proposals": 2},
    "mcts": {"proposals": 2, "parallel": 2},
    "vine": {"ways": 2, "moments": 1},
}
LINES, TURNS = 2, 3


class Typing(ScriptedEngine):
    """Says one of a few actions, as the seed will have it."""

    def __init__(self, actions: list[str]) -> None:
        super().__init__(lambda prompt: [])
        self.actions = actions
        self.open: set[str] = set()

    async def generate(self, prompt: Prompt, sampling: Sampling, *, session: str) -> Completion:
        self.open.add(session)
        said = random.Random(sampling.seed).choice(self.actions)
        ids = [*TOKENIZER.encode_reply(said), TOKENIZER.stop_token_ids[0]][: sampling.max_tokens]
        count = len(ids)
        return Completion(token_ids=ids, logprobs=[-0.5] * count, policy_versions=[0] * count, finish_reason="stop")

    def release(self, session: str) -> None:
        self.open.discard(session)


@pytest.fixture
def start(env_id: str) -> Iterator[tuple[TaskId | None, list[str]]]:
    """A task, some actions that mean something in its first moment, and one that does not."""
    if missing := what_is_missing(env_id):
        pytest.skip(missing)
    with Player(agentgym.make(env_id)) as player:
        task = next(iter(player.env.tasks("train")), None)
        seen = player.reset(task, 3)
        player.env.action_space.seed(0)
        yield task, ["look", *(str(random_action(player.env, seen, random.Random(i)))[:200] for i in range(4))]


def test_lines_are_whole_and_nothing_is_left(env_id: str, start: tuple[TaskId | None, list[str]]) -> None:
    """All searches one after another on the same environments, so that what one leaves behind another one meets."""
    task, actions = start
    engine = Typing(actions)

    async def go() -> dict[str, Found | str]:
        limits = Limits(max_turns=TURNS, max_reply_tokens=256)
        factory = EnvFactory(env_id)
        rollout = Rollout(
            factory,
            TOKENIZER,
            agentgym.plugins("protocols").build("plain", {}),
            limits=limits,
            max_context=2**20,
            hosts=make_hosts("loop", factory),
            concurrency=4,
        )
        table = Table(rollout=rollout, engine=engine, actor=engine_actor(engine, temperature=1.0))
        found: dict[str, Found | str] = {}
        for id in IDS:
            specs = [EpisodeSpec(task=task, seed=3, member=i, episode_id=f"{id}-{i}") for i in range(LINES)]
            search: Search = agentgym.plugins("searches").build(id, SMALL.get(id, {}))
            try:
                found[id] = await search.play(table, specs)
            except UserError as error:
                found[id] = str(error)
            assert rollout.num_running == 0
            assert engine.open == set()
        await rollout.close()
        return found

    found = asyncio.run(go())
    has_way_back = agentgym.plugins("environments").get(env_id).restored_by != "none"  # type: ignore[attr-defined]
    first = found["flat"]
    assert isinstance(first, Found)
    for id, one in found.items():
        if isinstance(one, str):
            assert not has_way_back
            assert f'the search "{id}" comes back to earlier moments' in one
            continue
        check(one)
        assert one.spent.lost == 0
        for line in one.lines:
            assert not line.stop_reason.is_void, line.error
            assert line.env == first.lines[0].env
            assert len(line.turns) <= TURNS
            assert line.turns[0].observation == first.lines[0].turns[0].observation


def test_which_there_are() -> None:
    assert {"best-of-n", "beam", "entropy", "flat", "fragments", "lookahead", "mcts", "vine"} <= set(IDS)
    assert all(not SMALL.get(id) or agentgym.plugins("searches").settings(id) for id in IDS)


@pytest.mark.parametrize("id", IDS)
def test_a_search_says_what_it_is(id: str) -> None:
    cls: Any = agentgym.plugins("searches").get(id)
    assert issubclass(cls, Search)
    assert (cls.__doc__ or "").strip()
    assert isinstance(cls().comes_back, bool)
