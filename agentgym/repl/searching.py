"""A search from the moment at which a game stands, on an environment of its own.

What was played so far is said there again, reply by reply: the policy sees what it would see here, and the search grows
from the present moment. The game itself does not move.
"""

from __future__ import annotations

import dataclasses
import itertools

from agentgym.engine import Completion
from agentgym.errors import EnvError, SnapshotError, did_you_mean
from agentgym.registry import plugins
from agentgym.repl.game import Game, GameError
from agentgym.repl.policy import EnginePolicy
from agentgym.rollout import EpisodeSpec, Rollout, engine_actor
from agentgym.search import Node, Search, Spent, Table, Tree
from agentgym.search.lanes import Ground
from agentgym.search.tree import BrokenError
from agentgym.types import Action

__all__ = ["Searched", "searched"]

_searches = itertools.count()
"""By which the sessions of several are told apart."""


@dataclasses.dataclass(frozen=True, slots=True)
class Searched:
    """What a search came to."""

    root: Node
    best: list[str]
    """What was done from the present moment on, in the line that the search chose."""
    best_reward: float
    """Of that whole episode."""
    num_lines: int
    spent: Spent

    def told(self) -> list[str]:
        """A line for each reply that was proposed here, the most visited first, and one for what it cost."""
        children = sorted(self.root.children, key=lambda child: (-child.visits, -child.value, child.number))
        rows = [
            f"{child.visits:4} visits, value {child.value:.3f}: {child.action or '(not understood)'}"
            for child in children
        ]
        cost = f"{self.num_lines} lines, {self.spent.tokens} tokens, {self.spent.steps} turns of the environment"
        return [*rows, f"searched: {cost}"]


async def searched(policy: EnginePolicy, game: Game, id: str, num: int) -> Searched:
    """Search with the search ``id`` for so many lines. Raises GameError where that cannot be done."""
    if policy.rollout is None:
        raise GameError("this policy cannot search: load one with its environment, by --model or :policy RUN_OR_MODEL")
    known = [each for each in plugins("searches").ids() if getattr(plugins("searches").get(each), "branches", False)]
    if id not in known:
        raise GameError(f'no search "{id}" branches.{did_you_mean(id, known)} Known: {", ".join(known)}')
    search: Search = plugins("searches").build(id, {})
    if not search.comes_back:
        raise GameError(
            f'the search "{id}" never comes back to a moment, so it cannot begin at this one; type :search mcts'
        )
    try:
        return await _grown(policy, policy.rollout, game, search, num)
    except (BrokenError, EnvError, SnapshotError) as error:
        raise GameError(f"the search ended: {error}") from error


async def _grown(policy: EnginePolicy, rollout: Rollout, game: Game, search: Search, num: int) -> Searched:
    name = f"repl-search-{next(_searches)}"
    specs = [
        EpisodeSpec(task=game.chosen, seed=game.seed, member=member, group_id=name, episode_id=f"{name}-{member}")
        for member in range(num)
    ]
    actor = engine_actor(policy.engine, temperature=policy.temperature)
    table = Table(rollout=rollout, engine=policy.engine, actor=actor)
    async with rollout.seat() as seat:
        ground = Ground(seat.host)
        tree = Tree(table, specs, ground, budget=search.budget)
        try:
            await tree.begin()
            await _walk(tree, policy, game)
            root = tree.root
            await search.grow(tree, num)
        finally:
            tree.close()
            await ground.forget()
    if not tree.lines:
        raise GameError("the search found no line to an end")
    line = search.choose(tree.lines)
    done = [turn.action or "(not understood)" for turn in line.turns if not turn.is_summary]
    return Searched(root, done[game.num_turns :], line.environment_reward, len(tree.lines), tree.spent)


async def _walk(tree: Tree, policy: EnginePolicy, game: Game) -> None:
    """Bring the tree to where the game stands. Raises GameError where it comes to something else."""
    protocol = policy.protocol
    for number, moment in enumerate(game.moments):
        if number:
            say = protocol.format if number > 1 else protocol.first
            said = moment.reply if moment.reply is not None else say(moment.action or Action(""))
            ids = policy.ids_of(said, after=tree.root.play.stream.text)
            sampled = () if moment.spoken is None else moment.spoken.token_ids
            if policy.tokenizer.decode_reply(sampled) == said:  # as it was sampled, and by this vocabulary
                ids = list(sampled)
            given = Completion(
                token_ids=ids, logprobs=[0.0] * len(ids), policy_versions=[-1] * len(ids), finish_reason="stop"
            )
            await tree.descend(given)
        seen = str(tree.root.play.episode.observation)
        if seen != str(moment.observation):
            raise GameError(
                f"another instance of the environment comes to something else at turn {number}:\n"
                f"  found    {seen!r:.300}\n  expected {str(moment.observation)!r:.300}"
            )
