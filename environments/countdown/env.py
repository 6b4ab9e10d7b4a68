"""Countdown as an environment, in three forms.

- "steps": each turn one operation on the numbers that are left; the environment computes. Nothing can be taken back.
- "expression": one turn, one expression, as most work on the game has it.
- "stream": one turn, a whole search as text, as Stream of Search (arXiv 2404.03683) has it; see ``streams``.

What is seen in the first form, at the beginning and later on::

    numbers 8, 3, 1. target 24.
    8 * 3 = 24. numbers 1, 24. target 24.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, TypeAlias, get_args

import numpy as np

from agentgym.env import SPLITS, Env, Expert
from agentgym.environments._options import task_and_split
from agentgym.environments.countdown.arithmetic import Operation, evaluate, operations, parse_operation
from agentgym.environments.countdown.puzzles import Puzzle, puzzle_of_task
from agentgym.environments.countdown.solver import solution
from agentgym.environments.countdown.streams import Strategy, judge, mixed, opening, trace
from agentgym.errors import ConfigError
from agentgym.registry import register
from agentgym.types import Observation

__all__ = ["LEVELS", "Countdown"]

Level: TypeAlias = Literal["n3", "n4", "n5", "n6"]
LEVELS: tuple[Level, ...] = get_args(Level)
"""Three to six numbers."""

Mode: TypeAlias = Literal["steps", "expression", "stream"]
Step: TypeAlias = tuple[str, float, bool, bool, dict[str, Any]]

_INSTRUCTIONS = {
    "steps": "Reach the target with {which} numbers. Each action is one operation on two of the numbers that are left, "
    "+ - * or /, like: 25 * 4. Results are whole and not negative.",
    "expression": "Reach the target with {which} numbers, each at most as often as it is given. Say one expression "
    "with + - * / and brackets, like: (25 - 1) * 2.",
    "stream": "Search for operations that reach the target with all numbers. Write it down, up to: Goal Reached.",
}


@register
class Countdown(Env):
    """Reach a target from given numbers with + - * /.

    Example::

        env = Countdown(level="n4")
        observation, info = env.reset(options={"task": 0})
        observation, reward, terminated, truncated, info = env.step(observation.admissible[0])
    """

    kind = "puzzle"
    max_turns = 6

    def __init__(
        self,
        *,
        level: Level = "n4",
        mode: Mode = "steps",
        use_all: bool = True,
        strategy: Strategy | Literal["mixed"] = "mixed",
        puzzle_seed: int = 0,
    ) -> None:
        """Choose the level and the form.

        Args:
            level: how many numbers, "n3" to "n6".
            mode: "steps" (an operation a turn), "expression" or "stream" (the whole in one turn).
            use_all: every number must be used, as in Stream of Search; otherwise at most once, as on television.
            strategy: of the expert in mode "stream"; "mixed" takes any of them.
            puzzle_seed: seed of the puzzles that tasks stand for.

        Raises ConfigError for a value that has no effect.
        """
        if mode != "stream" and strategy != "mixed":
            raise ConfigError(f'strategy has no effect with mode "{mode}", only with "stream"')
        if mode == "stream" and not use_all:
            raise ConfigError('use_all is false, but a stream of search (mode "stream") uses all numbers')
        self.level, self.mode, self.strategy = level, mode, strategy
        self.use_all, self.puzzle_seed, self.num_numbers = use_all, puzzle_seed, int(level[1:])
        self.instructions = _INSTRUCTIONS[mode].format(which="all" if use_all else "some of the")
        self.max_turns = 2 * (self.num_numbers - 1) if mode == "steps" else 1

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        """Start at the puzzle of ``options["task"]``, or of a random train task. Raises UserError."""
        task, split = task_and_split((options or {}).get("task"), self.np_random)
        self.puzzle = puzzle_of_task(task, split, self.num_numbers, self.puzzle_seed)
        self.numbers = self.puzzle.numbers
        if self.mode == "stream":
            return opening(self.puzzle), {}
        return self._observe(), {}

    def step(self, action: str) -> Step:
        """One turn; what cannot be read or done changes nothing, and the info says why."""
        if self.mode == "steps":
            return self._operate(action)
        if self.mode == "expression":
            return self._judge_expression(action)
        wrong = judge(f"{opening(self.puzzle)}\n{action}", self.puzzle)
        return self._end(wrong is None, wrong or "right.")

    def tasks(self, split: str) -> range:
        """Task ids of "train", "validation" or "test": each stands for a puzzle of its split. Raises UserError.

        Tasks are draws, so two of one split may be the same puzzle; two of different splits never are.
        """
        super().tasks(split)
        return SPLITS[split]

    def expert(self) -> Expert:
        """The first step of a shortest way to the target, the whole of it as expression, or a search that finds it.

        From numbers that do not lead there it does what it can: any operation.
        """
        return {"steps": self._next_step, "expression": self._expression, "stream": self._stream}[self.mode]

    def get_state(self) -> dict[str, Any]:
        """The episode as plain JSON."""
        return {"puzzle": [list(self.puzzle.numbers), self.puzzle.target], "numbers": list(self.numbers)}

    def set_state(self, state: dict[str, Any]) -> None:
        """Go back to what ``get_state`` gave."""
        given, target = state["puzzle"]
        self.puzzle, self.numbers = Puzzle(tuple(given), target), tuple(state["numbers"])

    # -- the three forms -----------------------------------------------------------------------------

    def _operate(self, action: str) -> Step:
        operation = parse_operation(action)
        if isinstance(operation, str):
            return self._refuse(operation)
        left = operation.applied(self.numbers)
        if left is None:
            return self._refuse(f"{operation} is of numbers that are not left: {_listed(self.numbers)}")
        self.numbers = left
        solved = self._solved(left)
        over = solved or len(left) == 1
        seen = self._observe(f"{operation} = {operation.result}. ")
        return seen, float(solved), over, False, {"success": solved} if over else {}

    def _judge_expression(self, action: str) -> Step:
        evaluated = evaluate(action)
        if isinstance(evaluated, str):
            return self._refuse(evaluated)
        value, used = evaluated
        left = list(self.puzzle.numbers)
        for number in used:
            if number not in left:
                return self._refuse(f"{number} is used more often than it is given: {_listed(self.puzzle.numbers)}")
            left.remove(number)
        if left and self.use_all:
            return self._refuse(f"not used: {_listed(left)}")
        return self._end(value == self.puzzle.target, f"{value}.")

    def _refuse(self, problem: str) -> Step:
        seen = opening(self.puzzle) if self.mode == "stream" else self._observe()
        return seen, 0.0, False, False, {"invalid_action": problem}

    def _end(self, solved: bool, told: str) -> Step:
        return told, float(solved), True, False, {"success": solved}

    def _solved(self, numbers: Sequence[int]) -> bool:
        return self.puzzle.target in numbers and (len(numbers) == 1 or not self.use_all)

    # -- the expert ----------------------------------------------------------------------------------

    def _next_step(self, observation: Observation) -> str:
        plan = solution(self.numbers, self.puzzle.target, use_all=self.use_all)
        return str(plan[0] if plan else next(operations(self.numbers)))

    def _expression(self, observation: Observation) -> str:
        plan = solution(self.puzzle.numbers, self.puzzle.target, use_all=self.use_all)
        assert plan is not None, "puzzles are made solvable"
        return _as_expression(plan, self.puzzle)

    def _stream(self, observation: Observation) -> str:
        if self.strategy == "mixed":
            text = mixed(self.puzzle, np.random.default_rng([self.puzzle.target, *self.puzzle.numbers])).text
        else:
            text = trace(self.puzzle, self.strategy).text
        return text.partition("\n")[2] or "No Solution"  # where no child of the first state is good enough to go to

    # -- what is seen --------------------------------------------------------------------------------

    def _observe(self, done: str = "") -> Observation:
        admissible = [str(operation) for operation in operations(self.numbers)] if self.mode == "steps" else None
        text = f"{done}numbers {_listed(self.numbers)}. target {self.puzzle.target}."
        return Observation(text, admissible=admissible)


def _as_expression(plan: Sequence[Operation], puzzle: Puzzle) -> str:
    """The plan as one expression, with brackets around every operation but the last."""
    made = [(number, str(number)) for number in puzzle.numbers]
    told = str(puzzle.target)
    for operation in plan:
        parts = []
        for number in (operation.left, operation.right):
            place = next(place for place, (value, _) in enumerate(made) if value == number)
            parts.append(made.pop(place)[1])
        told = f"{parts[0]} {operation.operator} {parts[1]}"
        made.append((operation.result, f"({told})"))
    return told


def _listed(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers))
