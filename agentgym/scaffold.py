"""New files to begin from: ``agentgym init env NAME`` writes an environment that can be played and trained on,

``init reward`` and ``init trainer`` what it can be trained with.
"""

from __future__ import annotations

import keyword
import re
import string
from pathlib import Path

from agentgym.errors import UserError
from agentgym.own_files import is_importable
from agentgym.registry import plugins

__all__ = ["write_env", "write_plugin"]

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
agentgym train --env webshop --rewards./$name.py 0.5 --rewards./$name.py.words 20
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

_TEMPLATES = {
    "environments": ("env", _ENVIRONMENT),
    "rewards": ("reward", _REWARD),
    "trainers": ("trainer", _TRAINER),
}
"""Kind of plug-in → word in the command, and what is written."""


def write_plugin(kind: str, name: str, directory: Path | str = ".") -> Path:
    """Write a plug-in of that kind, called ``name``, to ``directory/name.py`` and return that path.

    Raises UserError, with nothing written, for a name that is none or is taken, for a file that exists and for a folder
    that cannot be written.
    """
    _check_name(kind, name)
    file = Path(directory) / f"{name}.py"
    if not file.exists():
        _check_free(kind, name)
    title = "".join(part[:1].upper() + part[1:] for part in name.split("_"))
    try:
        with file.open("x", encoding="utf-8") as out:  # "x" refuses an existing file, without a race
            out.write(_TEMPLATES[kind][1].substitute(name=name, title=title))
    except FileExistsError:
        raise UserError(f"{file} exists already and is left as it is; choose another name") from None
    except OSError as error:
        raise UserError(f"cannot write {file}: {error.strerror}; choose another folder") from None
    return file


def write_env(name: str, directory: Path | str = ".") -> Path:
    """Write the environment ``name``, as ``write_plugin`` does."""
    return write_plugin("environments", name, directory)


def _check_name(kind: str, name: str) -> None:
    if re.fullmatch("[a-z][a-z0-9_]*[a-z0-9]|[a-z]", name) and not keyword.iskeyword(name):
        return
    word, one = _TEMPLATES[kind][0], plugins(kind).one
    close = re.sub("[^a-z0-9]+", "_", name.removesuffix(".py").lower()).strip("_")
    close = f"{word}_{close}" if not close or close[0].isdigit() or keyword.iskeyword(close) else close
    raise UserError(
        f'"{name}" is no name for {_an(one)}: it becomes a file and an id, so it is lower-case letters, digits and '
        f"underscores and begins with a letter. Type: agentgym init {word} {close.rstrip('_')}"
    )


def _check_free(kind: str, name: str) -> None:
    word, one = _TEMPLATES[kind][0], plugins(kind).one
    taken = _an(one) if name.replace("_", "-") in plugins(kind).ids() else ""
    if not taken and is_importable(name):
        taken = "a module that Python can import, and the file would hide it"
    if taken:
        raise UserError(
            f'"{name}" is already {taken}. Choose another name, for instance: agentgym init {word} my_{name}'
        )


def _an(word: str) -> str:
    return f"an {word}" if word[0] in "aeiou" else f"a {word}"
