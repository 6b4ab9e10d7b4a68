"""Reasoning on a graph of thoughts as an environment (ARIES, arXiv 2502.21208).

The policy does not reason itself: it decides what a reasoner does next, with which thought, and which thought is the
answer. A reasoner errs, and more so on longer parts; nothing but scoring tells whether it did. Departs from ARIES in
that the reasoner is simulated unless one is given, that a thought is cut in two halves, and that scores are exact.

What is seen, at the beginning and later on::

    sort 16 digits. 0 open 0-16.
    sort 16 digits. 0 open 0-16. 1 solved 0-8, 0 errors. 2 solved 8-16, unscored.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field

from agentgym.env import Env, Expert
from agentgym.environments.thought_graph.expert import scheduled
from agentgym.environments.thought_graph.graph import Move, Thought, admissible, obstacle, parse_move
from agentgym.environments.thought_graph.problems import PROBLEMS, Answer, Problem, num_errors
from agentgym.environments.thought_graph.reasoners import Asked, Reasoner, Simulated
from agentgym.registry import register
from agentgym.types import Observation

__all__ = ["LEVELS", "ThoughtGraph"]

Level: TypeAlias = Literal["n8", "n16", "n32", "n64", "n128"]
LEVELS: dict[Level, int] = {"n8": 12, "n16": 20, "n32": 50, "n64": 110, "n128": 240}
"""Level (items of a problem) → turns that an episode may have: about twice what the static schedule takes."""

ProblemName: TypeAlias = Literal["sorting", "intersection", "counting"]
Reward: TypeAlias = Literal["sparse", "partial"]
Show: TypeAlias = Literal["states", "contents"]

_UNREADABLE = "expected decompose, solve, refine, score or answer with a thought's number, or aggregate with two"


@register
class ThoughtGraph(Env):
    """Decide how a reasoner that errs solves a problem in parts.

    Example::

        env = ThoughtGraph(level="n16")
        observation, info = env.reset(options={"task": 0})
        observation, reward, terminated, truncated, info = env.step("decompose 0")
    """

    kind = "reasoning"
    max_turns = 20
    instructions = (
        "Get a problem solved by a reasoner that errs, the more the longer the part. Actions: decompose N (in two), "
        "solve N, score N (count errors), refine N (correct), aggregate N M (join neighbors), answer N (the end)."
    )

    def __init__(
        self,
        *,
        level: Level = "n16",
        problem: ProblemName = "sorting",
        reward: Reward = "sparse",
        query_cost: float = 0.0,
        error_rate: Annotated[float, Field(ge=0, le=1)] = 0.3,
        show: Show = "states",
        reasoner: Callable[[str], str] | None = None,
    ) -> None:
        """Choose the problem and the reasoner.

        Args:
            level: items of the problem, "n8" to "n128".
            problem: what is to be worked out of the items.
            reward: for the answer: "sparse" is 1 without an error, else 0; "partial" is the share that is right.
            query_cost: taken from the reward at each solve, refine, aggregate and score.
            error_rate: of the simulated reasoner; 0 never errs (see ``reasoners``).
            show: the "states" of the thoughts only, or their "contents" too.
            reasoner: a function from a question to a reply, in place of the simulated one; only from Python.
        """
        self.level, self.max_turns, self.size = level, LEVELS[level], int(level[1:])
        self.problem_kind, self.reward, self.show = PROBLEMS[problem], reward, show
        self.query_cost = query_cost
        self.reasoner: Reasoner = (
            Simulated(self.problem_kind, error_rate, lambda: self.np_random)
            if reasoner is None
            else Asked(self.problem_kind, reasoner)
        )

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        """Start with one open thought: the whole problem, drawn by the seed."""
        self.problem = self.problem_kind.draw(self.size, self.np_random)
        self.thoughts = [Thought(start=0, end=self.size)]
        self.num_queries = 0
        return self._observe(), {}

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """One turn; a move that cannot be made changes nothing, and the info says why."""
        move = parse_move(action)
        problem = _UNREADABLE if move is None else obstacle(move, self.thoughts)
        if move is None or problem is not None:
            return self._observe(), 0.0, False, False, {"invalid_action": problem}
        if move.operator == "answer":
            return self._end(self.thoughts[move.thought])
        unread = self._carry_out(move)
        cost = 0.0 if move.operator == "decompose" else self.query_cost
        return self._observe(unread), -cost, False, False, {"queries": self.num_queries}

    def expert(self) -> Expert:
        """Split, solve, merge, each corrected until it scores without an error: the schedule of Graph of Thoughts."""
        return lambda observation: str(scheduled(self.thoughts))

    def get_state(self) -> dict[str, Any]:
        """The episode as plain JSON."""
        return {
            "items": list(self.problem.items),
            "given": list(self.problem.given),
            "thoughts": [thought.as_json() for thought in self.thoughts],
            "queries": self.num_queries,
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Go back to what ``get_state`` gave."""
        self.problem = Problem(tuple(state["items"]), tuple(state["given"]))
        self.thoughts = [Thought.of(record) for record in state["thoughts"]]
        self.num_queries = state["queries"]

    # -- moves ---------------------------------------------------------------------------------------

    def _carry_out(self, move: Move) -> str:
        """Change the graph; returns what to tell where the reasoner could not be understood."""
        thought = self.thoughts[move.thought]
        if move.operator == "decompose":
            self.thoughts += thought.halves(move.thought)
            return ""
        self.num_queries += 1
        if move.operator == "score":
            self.thoughts[move.thought] = _with(thought, thought.answer, self._errors(thought))
            return ""
        answer = self._reason(move)
        if answer is None:
            return "the reasoner gave no list. "
        if move.other is None:
            self.thoughts[move.thought] = _with(thought, answer)
        else:
            end, parents = self.thoughts[move.other].end, (move.thought, move.other)
            self.thoughts.append(Thought(start=thought.start, end=end, parents=parents, answer=answer))
        return ""

    def _reason(self, move: Move) -> Answer | None:
        thought = self.thoughts[move.thought]
        items = self.problem.items[thought.start : thought.end]
        if move.operator == "solve":
            return self.reasoner.solve(items, self.problem)
        assert thought.answer is not None
        if move.other is None:
            return self.reasoner.refine(items, self.problem, thought.answer)
        other = self.thoughts[move.other]
        assert other.answer is not None
        return self.reasoner.aggregate(thought.answer, other.answer, thought.size + other.size, self.problem)

    def _errors(self, thought: Thought) -> int:
        """Against the right answer to the thought's own items."""
        assert thought.answer is not None
        right = self.problem_kind.solve(self.problem.items[thought.start : thought.end], self.problem)
        return num_errors(self.problem_kind, thought.answer, right)

    def _end(self, thought: Thought) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """Judge the answer to the whole; an answer to a part lacks the rest."""
        assert thought.answer is not None
        right = self.problem_kind.solve(self.problem.items, self.problem)
        errors = num_errors(self.problem_kind, thought.answer, right)
        share = max(0.0, 1 - errors / max(1, len(right)))
        reward = float(errors == 0) if self.reward == "sparse" else share
        info = {"success": errors == 0, "errors": errors, "queries": self.num_queries}
        return f"answered with {errors} errors.", reward, True, False, info

    # -- what is seen --------------------------------------------------------------------------------

    def _observe(self, told: str = "") -> Observation:
        title = self.problem_kind.title.format(size=self.size)
        thoughts = " ".join(self._told(place, thought) for place, thought in enumerate(self.thoughts))
        given = f" Second: {' '.join(self.problem.given)}." if self.show == "contents" and self.problem.given else ""
        moves = [str(move) for move in admissible(self.thoughts)]
        return Observation(f"{told}{title}.{given} {thoughts}", admissible=moves)

    def _told(self, place: int, thought: Thought) -> str:
        run = f"{place} {'open' if thought.answer is None else 'solved'} {thought.start}-{thought.end}"
        scored = "" if thought.answer is None else f", {_score(thought.errors)}"
        if self.show == "states":
            return f"{run}{scored}."
        words = self.problem.items[thought.start : thought.end] if thought.answer is None else thought.answer
        return f"{run}{scored}: {' '.join(words)}."


def _score(errors: int | None) -> str:
    return "unscored" if errors is None else f"{errors} errors"


def _with(thought: Thought, answer: Answer | None, errors: int | None = None) -> Thought:
    return Thought(start=thought.start, end=thought.end, parents=thought.parents, answer=answer, errors=errors)
