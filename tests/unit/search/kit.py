"""A policy that chooses by its seeds, worlds of few words, and what is left behind when a search is over."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import agentgym
from agentgym import critic
from agentgym.actors.scripted import ScriptedEngine
from agentgym.engine import Completion, Prompt, Sampling
from agentgym.errors import JudgeError
from agentgym.hosts import Where
from agentgym.protocols.plain import Plain
from agentgym.registry import EnvFactory
from agentgym.rollout import EpisodeSpec, Limits, Rollout, engine_actor
from agentgym.search import Found, Search, Table
from agentgym.types import Trajectory
from tests.kit import chat

TOKENIZER = chat()
LIMITS = Limits(max_reply_tokens=8)


class Policy(ScriptedEngine):
    """Says one of ``words``, as the seed of each request will have it, after a while that differs too."""

    def __init__(self, words: Sequence[str] = "abc") -> None:
        super().__init__(lambda prompt: [])
        self.words = words
        self.open: set[str] = set()
        """Sessions that were not released."""
        self.num_replies = 0

    async def generate(self, prompt: Prompt, sampling: Sampling, *, session: str) -> Completion:
        rng = random.Random(sampling.seed)
        self.open.add(session)
        self.num_replies += 1
        for _ in range(rng.randrange(4)):
            await asyncio.sleep(0)
        ids = [*TOKENIZER.encode(rng.choice(self.words)), TOKENIZER.stop_token_ids[0]][: sampling.max_tokens]
        return Completion(
            token_ids=ids,
            logprobs=[-rng.random() for _ in ids],
            policy_versions=[0] * len(ids),
            finish_reason="stop",
        )

    async def fork(self, session: str, new: str) -> None:
        self.open.add(new)

    def release(self, session: str) -> None:
        self.open.discard(session)


class Ways(agentgym.Env):
    """So many turns; what they were worth depends on all that was said. "x" is refused."""

    instructions = "Go."

    def __init__(self, depth: int = 3, salt: int = 0) -> None:
        self.depth, self.salt, self.way = depth, salt, ""

    def reset(self, **_: Any) -> Any:
        self.way = ""
        return "at the door", {}

    def step(self, action: str) -> Any:
        self.way += action[:1]
        is_over = len(self.way) >= self.depth
        refused = {"invalid_action": "no such way"} if action == "x" else {}
        return f"at {self.way}", worth(self.way, self.salt) if is_over else 0.0, is_over, False, refused

    def get_state(self) -> str:
        return self.way

    def set_state(self, state: str) -> None:
        self.way = state


WAYS = EnvFactory(f"{__file__}:Ways")
"""The same, for processes too."""


class Walked(Ways):
    """Only by playing it again does it come back."""

    get_state = agentgym.Env.get_state
    set_state = agentgym.Env.set_state


class OneWay(Walked):
    """Never."""

    restored_by = "none"


class Drifting(Walked):
    """Each reset shows something else: no replay leads to where it was."""

    times = itertools.count()

    def reset(self, **_: Any) -> Any:
        self.way = ""
        return f"visit {next(self.times)}", {}


class Breaking(Ways):
    """The next steps of all of them together, up to those in ``left``, are good."""

    left: ClassVar[list[int]] = [0]

    def step(self, action: str) -> Any:
        if not self.left[0]:
            raise ZeroDivisionError("wall")
        self.left[0] -= 1
        return super().step(action)


class Critic(critic.Critic):
    """Gives each episode what a function makes of its actions; counts."""

    def __init__(self, of: Callable[[str], float] = lambda way: 0.0) -> None:
        self.of, self.num_asked = of, 0

    async def score(self, trajectories: Sequence[Trajectory]) -> list[float]:
        self.num_asked += 1
        return [self.of(way_of(trajectory)) for trajectory in trajectories]


class Mute(Critic):
    """Gives no answer."""

    async def score(self, trajectories: Sequence[Trajectory]) -> list[float]:
        raise JudgeError("no answer")


def worth(way: str, salt: int = 0) -> float:
    """In [0, 1], for each way by chance."""
    return random.Random(f"{way} {salt}").random()


def way_of(line: Trajectory) -> str:
    return "".join(turn.action or "" for turn in line.turns)


def specs_of(num: int, *, seed: int = 0) -> list[EpisodeSpec]:
    """A group."""
    return [EpisodeSpec(task=0, seed=seed, member=10 * seed + i, group_id="g", episode_id=f"g-{i}") for i in range(num)]


def made(id: str, **options: Any) -> Search:
    search: Search = agentgym.plugins("searches").build(id, options)
    return search


def find(
    search: Search,
    env: Callable[[], Any] = Ways,
    num: int = 4,
    *,
    engine: Policy | None = None,
    where: Where = "loop",
    limits: Limits = LIMITS,
    max_context: int = 4096,
    seed: int = 0,
    prepare: Callable[[Rollout], None] = lambda rollout: None,
) -> Found:
    """What a search comes to; nothing is left behind."""
    engine = engine or Policy()

    async def go() -> Found:
        rollout = Rollout(env, TOKENIZER, Plain(), limits=limits, max_context=max_context, where=where, concurrency=8)
        prepare(rollout)
        try:
            table = Table(rollout=rollout, engine=engine, actor=engine_actor(engine, temperature=1.0))
            return await search.play(table, specs_of(num, seed=seed))
        finally:
            assert rollout.num_running == 0
            await rollout.close()
            assert len(asyncio.all_tasks()) == 1

    found = asyncio.run(go())
    assert engine.open == set()
    return found


def check(found: Found) -> None:
    """Lines are what they say they are: they share with their parents what they say, and values are means."""
    names = {line.episode_id: place for place, line in enumerate(found.lines)}
    assert len(names) == len(found.lines) > 0
    for place, line in enumerate(found.lines):
        Trajectory.model_validate_json(line.model_dump_json())
        assert (line.parent_id is None) == (line.branch_turn is None)
        if line.parent_id is None or line.branch_turn is None:
            continue
        assert names[line.parent_id] < place
        parent = found.lines[names[line.parent_id]]
        assert line.turns[: line.branch_turn] == parent.turns[: line.branch_turn]
        for own, theirs in zip(line.samples, parent.samples, strict=False):
            shared = int((own.turn_index < line.branch_turn).sum())
            assert own.token_ids[:shared].tolist() == theirs.token_ids[:shared].tolist()
            assert own.logprobs[:shared].tolist() == theirs.logprobs[:shared].tolist()
    _check_values([line for line in found.lines if line.turns and line.turns[0].visits is not None])


def _check_values(lines: Sequence[Trajectory]) -> None:
    through: dict[tuple[str, ...], list[float]] = {}
    for line in lines:
        for past in _pasts(line, lines):
            through.setdefault(past, []).append(line.environment_reward)
    for line in lines:
        for turn, past in zip(line.turns, _pasts(line, lines), strict=True):
            returns = through[past]
            assert turn.visits == len(returns)
            assert turn.value is not None
            assert abs(turn.value - sum(returns) / len(returns)) < 1e-9


def _pasts(line: Trajectory, lines: Sequence[Trajectory]) -> list[tuple[str, ...]]:
    """Names of the moments that a line goes through: who owns them, and which turn they are."""
    by_name = {each.episode_id: each for each in lines}
    pasts: list[tuple[str, ...]] = []
    for number in range(len(line.turns)):
        owner = line
        while owner.parent_id is not None and owner.branch_turn is not None and number < owner.branch_turn:
            owner = by_name[owner.parent_id]
        pasts.append((owner.episode_id, str(number)))
    return pasts
