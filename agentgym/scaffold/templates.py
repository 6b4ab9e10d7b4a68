"""What ``agentgym init`` writes: a small thing of each kind that works as it is, and says how it is tried.

``$name`` is what it is called, ``$title`` its class.
"""

from __future__ import annotations

import string
from typing import NamedTuple

__all__ = ["TEMPLATES", "Template"]


class Template(NamedTuple):
    """One that a file is made of."""

    kind: str
    """Of the plug-in that is made, or "" for none."""
    one: str
    """What it is, for people."""
    text: string.Template
    typed: str
    """What to type then, with {} for the file."""
    ending: str = ".py"


_ENVIRONMENT = string.Template('''\
"""An environment to begin from. Play it, check it, train on it:

agentgym play ./$name.py
agentgym doctor ./$name.py
agentgym train --env ./$name.py
"""

import agentgym

PLACES = ("north", "east", "south", "west")


@agentgym.register
class $title(agentgym.Env):
    """Go where the bell rings, three times."""

    instructions = "Answer with one word: north, east, south or west."

    def reset(self, *, seed=None, options=None):
        self.route = self.np_random.choice(PLACES, size=3).tolist()  # same seed, same route
        self.turn = 0
        return f"A bell rings in the {self.route[0]}.", {}

    def step(self, action):
        reward = (action == self.route[self.turn]) / 3
        self.turn += 1
        seen = "All is quiet." if self.turn == 3 else f"A bell rings in the {self.route[self.turn]}."
        return seen, reward, self.turn == 3, False, {}  # observation, reward, terminated, truncated, info

    def expert(self):  # may be left out; with it, training begins by imitation
        return lambda observation: self.route[self.turn]
''')


_REWARD = string.Template('''\
"""A reward to begin from: what it gives is added to what the environment pays, in training alone.

agentgym train --env webshop --rewards ./$name.py
agentgym train --env webshop --rewards.$name.py 0.5 --rewards.$name.py.words 20
"""

from collections.abc import Sequence

import agentgym


@agentgym.register
class $title(agentgym.EpisodeShaper):
    """Short answers are worth more.

    Args:
        words: a reply of so many words, or more, gets nothing.
    """

    def __init__(self, words: int = 30) -> None:
        self.words = words

    def __call__(self, trajectory: agentgym.Trajectory) -> Sequence[float]:
        lengths = [len(turn.reply.split()) for turn in trajectory.turns]
        return [0.1 * max(0.0, 1 - length / self.words) for length in lengths]  # a number for each turn
''')

_TRAINER = string.Template('''\
"""A trainer to begin from: it learns from episodes that went better than the others of their task.

agentgym train --env webshop --trainer ./$name.py
agentgym train --env webshop --trainer ./$name.py --trainer.group_size 16 --trainer.learning_rate 3e-4
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch

import agentgym
from agentgym.curriculum import Curriculum
from agentgym.groups import GroupSettings, untaught
from agentgym.learn.batch import Microbatch
from agentgym.learn.forward import Predictions
from agentgym.learn.objectives.estimator import Metrics
from agentgym.learn.objectives.imitation import imitation
from agentgym.learn.rows import rows_of
from agentgym.learn.trainer import Lesson, Trainer, TrainerSettings
from agentgym.rollout import EpisodeSpec
from agentgym.types import Trajectory


class ${title}Settings(GroupSettings, TrainerSettings):
    """Tasks an update, episodes of each, learning rate, and what you add."""

    margin: float = 0.0
    """How much better than the mean of its group an episode must be."""


@agentgym.register
class $title(Trainer[${title}Settings]):
    """Imitate what went better than the mean."""

    Settings = ${title}Settings
    nano: ClassVar[Mapping[str, Any]] = {**Trainer.nano}  # what the small default policy wants: its learning rate, …

    def specs(self, update: int, draws: Curriculum) -> list[EpisodeSpec]:
        """The episodes of an update."""
        return self.settings.group_specs(draws, update)

    def lesson(self, update: int, trajectories: Sequence[Trajectory]) -> Lesson:
        """What is learned from them."""
        lesson = Lesson(rows=[])
        groups = self.settings.grouped(trajectories)
        lesson.rejected = untaught(groups, [group.unfit for group in groups])
        for group in groups:
            if group.unfit:  # "equal rewards": nothing is better than anything
                continue
            middle = sum(group.rewards) / len(group.rewards) + self.settings.margin
            for member in group.members:
                if member.reward > middle:
                    lesson.rows += rows_of(member, 1.0)
        return lesson

    def objective(self, predictions: Predictions, batch: Microbatch) -> tuple[torch.Tensor, Metrics]:
        """The loss of each token."""
        return imitation(predictions.logprobs_N)
''')

_TOOLS = string.Template('''\
"""Tools to begin from: each method marked @tool is one, and its type hints and docstring are what a policy is told.

agentgym play ./$name.py
agentgym doctor ./$name.py
agentgym train --env ./$name.py
"""

from typing import Literal

import agentgym
from agentgym.tools import ToolEnv, ToolError, call, tool


@agentgym.register
class $title(ToolEnv):
    """Find out on which line a train leaves, then buy a ticket for that line."""

    instructions = "Buy the ticket that you are asked for. Tools: look_up(city), buy(line)."

    def start(self, task):
        self.city = f"city {self.np_random.integers(50)}"  # same seed, same task
        self.line = str(self.np_random.choice(["red", "blue"]))
        self.bought = None
        return f"A ticket to {self.city}, please."

    @tool
    def look_up(self, city: str) -> str:
        """The line that goes to a city."""
        if city != self.city:
            raise ToolError("No train goes there.")  # shown to the policy; the turn counts as invalid
        return f"The {self.line} line goes to {city}."

    @tool
    def buy(self, line: Literal["red", "blue"]) -> str:
        """Buy a ticket, which is the end."""
        self.bought = line
        self.finish()
        return f"A ticket for the {line} line."

    def verdict(self) -> float:  # what the episode was worth, asked at its end
        return float(self.bought == self.line)

    def expert(self):  # may be left out; with it, training begins by imitation
        plan = iter([call("look_up", city=self.city), call("buy", line=self.line)])
        return lambda observation: next(plan)
''')

_CURRICULUM = string.Template('''\
"""A curriculum to begin from: it says which task is played next, and learns from what became of them.

agentgym train --env webshop --curriculum ./$name.py
agentgym train --env webshop --curriculum ./$name.py --curriculum.every 2
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import Field

import agentgym
from agentgym.curriculum import Curriculum, Outcome
from agentgym.draw import Draw
from agentgym.types import TaskId


@agentgym.register
class $title(Curriculum):
    """Every so often a task again that was failed; else the next one.

    Args:
        every: one in so many draws is of a task that was failed.
    """

    def __init__(self, tasks: Sequence[TaskId], *, seed: int, every: Annotated[int, Field(ge=2)] = 4) -> None:
        super().__init__(tasks, seed=seed)
        self.every = every
        self.failed: list[TaskId] = []  # newest last

    def draw(self, ordinal: int) -> Draw:
        """What is played: the same for the same ordinal and state, or a resumed run would be another one."""
        if ordinal % self.every == 0 and self.failed:
            return Draw(task=self.failed[ordinal // self.every % len(self.failed)])
        return Draw(task=self.order[ordinal])

    def learn(self, outcomes: Sequence[Outcome]) -> None:
        """After each update: what became of the tasks that were played."""
        for outcome in outcomes:
            task = outcome.draw.task
            self.failed = [each for each in self.failed if each != task]
            if outcome.successes and not any(outcome.successes):
                self.failed = [*self.failed, task][-64:]

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps of it, as JSON."""
        return {"failed": self.failed}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """What it kept."""
        self.failed = list(state["failed"])
''')

_RECIPE = string.Template("""\
# A recipe to begin from: the settings of a run, all of which agentgym train --help explains. Flags win over it.
#
# agentgym train --config $name.toml
# agentgym train --config $name.toml --preset quick
# agentgym train --config $name.toml --model Qwen/Qwen3-0.6B --trainer.learning_rate 1e-6

env = "webshop"             # or "./my_env.py"; with options: env = { id = "blocksworld", level = "b3" }
updates = 60                # of the trainer, after the warm start
seed = 0

[warm_start]                # imitation of the environment's expert, where it has one
max_updates = 200

[trainer]
id = "grpo"                 # agentgym train --help trainer lists the others
groups = 16                 # tasks an update
group_size = 8              # episodes of each

[rewards]                   # added to what the environment pays, in training alone
turn-cost = 0.5

[eval]
episodes = 100              # test tasks, before and after

# What --preset quick changes: a run of a minute or two, to see that everything fits together.
[presets.quick]
updates = 2
warm_start = { max_updates = 4 }
trainer = { groups = 2, group_size = 2 }
eval = { episodes = 4, validation_episodes = 4 }
""")

TEMPLATES = {
    "env": Template("environments", "environment", _ENVIRONMENT, "agentgym play {}"),
    "tools": Template("environments", "environment", _TOOLS, "agentgym play {}"),
    "reward": Template("rewards", "reward", _REWARD, "agentgym train --env webshop --rewards {}"),
    "curriculum": Template("curricula", "curriculum", _CURRICULUM, "agentgym train --env webshop --curriculum {}"),
    "trainer": Template("trainers", "trainer", _TRAINER, "agentgym train --env webshop --trainer {}"),
    "recipe": Template("", "recipe", _RECIPE, "agentgym train --config {}", ".toml"),
}
"""Word in the command → what is written."""
