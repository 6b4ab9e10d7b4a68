"""The blocks world as an environment: where the blocks are and where they shall be, and four operators, in text.

The domain is the classical one with a hand (see ``world``). Departs from its PDDL form in the words of the actions
("pick up a" for ``(pick-up a)``), in goals that say where every block shall be, and in that an action which is not
applicable is answered instead of impossible: it changes nothing, and the info says which precondition fails.

The names of the blocks are drawn anew in every task, so that a policy must read them and cannot remember them. What
is seen is said in the words of the actions that would change it, so that acting can begin as copying: "a from b" for a
block that ``unstack a from b`` would take, "a on b" for one that ``stack a on b`` shall bring there. At the beginning
of an episode and later on::

    c from a, a from table, b from table, hand empty. to do: b on c. a on b.
    a from table, b from table, c from table, hand empty. to do: b on c. a on b.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal, TypeAlias

from agentgym.env import SPLITS, Env, Expert
from agentgym.environments._options import task_and_split
from agentgym.environments.blocksworld.hints import HINTS
from agentgym.environments.blocksworld.planner import shortest_plan
from agentgym.environments.blocksworld.problems import Problem, problem_of_task
from agentgym.environments.blocksworld.world import TABLE, World, blocks_in_place, parse_action
from agentgym.registry import register
from agentgym.types import Observation

__all__ = ["LEVELS", "BlocksWorld"]

Level: TypeAlias = Literal["b3", "b4", "b5", "b6", "b7", "b8"]
LEVELS: dict[Level, int] = {"b3": 10, "b4": 15, "b5": 20, "b6": 26, "b7": 31, "b8": 36}
"""Level → turns that an episode may have: twice the mean length of the shortest plans, and more than the longest has.

Twice the optimum is what arXiv 2510.01132 found a good budget of turns to train with.
"""

Reward: TypeAlias = Literal["sparse", "dense"]
Goal: TypeAlias = Literal["remaining", "whole"]

_UNREADABLE = 'expected "pick up BLOCK", "put down BLOCK", "stack BLOCK on BLOCK" or "unstack BLOCK from BLOCK"'


@register
class BlocksWorld(Env):
    """Stack the blocks on a table as the goal says, with a hand that holds one at a time.

    Example::

        env = BlocksWorld(level="b3")
        observation, info = env.reset(options={"task": 0})
        observation, reward, terminated, truncated, info = env.step(observation.admissible[0])
    """

    kind = "planning"
    hints = HINTS
    instructions = "Actions: pick up BLOCK, put down BLOCK, stack BLOCK on BLOCK, unstack BLOCK from BLOCK."

    def __init__(
        self,
        *,
        level: Level = "b4",
        reward: Reward = "sparse",
        goal: Goal = "remaining",
        show_admissible: bool = False,
        problem_seed: int = 0,
    ) -> None:
        """Choose the level and what is shown.

        Args:
            level: number of blocks, "b3" to "b8".
            reward: "sparse" is 1 at the goal; "dense" pays, as they come, shares that add up to 1 at the goal.
            goal: what is shown of it, always from the table up: what "remaining" blocks need to stand on, or the
                "whole" of it. The second is harder to learn: which blocks are in place is then left to be seen.
            show_admissible: put the admissible actions into the text.
            problem_seed: seed of the problems that tasks stand for.
        """
        self.level, self.reward, self.goal = level, reward, goal
        self.show_admissible, self.problem_seed = show_admissible, problem_seed
        self.num_blocks, self.max_turns = int(level[1:]), LEVELS[level]

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        """Start at the problem of ``options["task"]``, or of a random train task. Raises UserError."""
        task, split = task_and_split((options or {}).get("task"), self.np_random)
        self.problem = problem_of_task(task, split, self.num_blocks, self.problem_seed)
        self._arrive(self.problem.initial)
        self.placed_at_first = len(self.placed)
        return self._observe(), self._info_now()

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """One turn; an action that does not fit changes nothing, and the info says why."""
        operation = parse_action(action)
        problem = _UNREADABLE if operation is None else self.world.problem(operation)
        if operation is None or problem is not None:
            return self._observe(), 0.0, False, False, {**self._info_now(), "invalid_action": problem}
        before = self._progress()
        self._arrive(self.world.after(operation))
        solved = self.world.support == self.problem.goal.support
        reward = float(solved) if self.reward == "sparse" else self._progress() - before
        info = self._info_now()
        return self._observe(), reward, solved, False, {**info, "success": True} if solved else info

    def tasks(self, split: str) -> range:
        """Task ids of "train", "validation" or "test": each stands for a problem of its split. Raises UserError.

        Tasks are draws, so two of one split may be the same problem; two of different splits never are.
        """
        super().tasks(split)
        return SPLITS[split]

    def expert(self) -> Expert:
        """An optimal planner: the first step of a shortest plan from wherever the world is."""
        return lambda observation: str(shortest_plan(self.world, self.problem.goal)[0])

    def get_state(self) -> dict[str, Any]:
        """The episode as plain JSON."""
        worlds = {"initial": self.problem.initial, "goal": self.problem.goal, "world": self.world}
        return {name: world.as_json() for name, world in worlds.items()}

    def set_state(self, state: dict[str, Any]) -> None:
        """Go back to what ``get_state`` gave."""
        initial, goal, world = (World.of(**state[name]) for name in ("initial", "goal", "world"))
        self.problem = Problem(initial, goal)
        self.placed_at_first = len(blocks_in_place(initial, goal.support))
        self._arrive(world)

    def _arrive(self, world: World) -> None:
        self.world, self.placed = world, blocks_in_place(world, self.problem.goal.support)

    def _info_now(self) -> dict[str, Any]:
        return {"channels": {"progress": self._progress()}}

    def _progress(self) -> float:
        """The share of the blocks once out of place that are in place: the channel "progress", 0 to 1.

        It is the potential Φ of dense rewards: a turn pays Φ(s') - Φ(s) (Ng, Harada & Russell 1999 with γ = 1), so an
        episode's sum is Φ at its end: 1 at the goal, as with sparse rewards, and in between what was reached, however
        it was reached and often undone. A block that is in place never needs to move again (Gupta & Nau 1992), so no
        shortest plan is paid less on its way.
        """
        at_first = self.placed_at_first
        return max(0, len(self.placed) - at_first) / (self.num_blocks - at_first)

    def _observe(self) -> Observation:
        admissible = [str(operation) for operation in self.world.operations()]
        facts = [f"{block} from {below}" for block, below in self.world.support.items()]
        text = f"{', '.join(facts)}, hand {self.world.held or 'empty'}. {self._asked()}"
        if self.show_admissible:
            text += f" can: {', '.join(admissible)}."
        return Observation(text, admissible=admissible)

    def _asked(self) -> str:
        """The goal, each tower from the table up; or of that what is not so yet."""
        goal = self.problem.goal
        facts = [(block, below) for tower in goal.towers for block, below in _upwards(tower)]
        if self.goal == "remaining":
            facts = [(block, below) for block, below in facts if block not in self.placed]
            return "to do: " + (_told(facts) or "nothing.")
        return "goal: " + _told(facts)


def _told(facts: Sequence[tuple[str, str]]) -> str:
    return " ".join(f"{block} on {below}." for block, below in facts)


def _upwards(tower: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Each block of a tower and what it stands on, from the table up."""
    return zip(reversed(tower), (TABLE, *reversed(tower)), strict=False)
