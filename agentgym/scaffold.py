"""New files to begin from: ``agentgym init env NAME`` writes an environment that can be played and trained on."""

from __future__ import annotations

import importlib.util
import keyword
import re
import string
from pathlib import Path

from agentgym.errors import UserError
from agentgym.registry import plugins

__all__ = ["write_env"]

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


def write_env(name: str, directory: Path | str = ".") -> Path:
    """Write the environment ``name`` to ``directory/name.py`` and return that path.

    Raises UserError, with nothing written, for a name that is none or is taken, for a file that exists and for a folder
    that cannot be written.
    """
    _check_name(name)
    file = Path(directory) / f"{name}.py"
    if not file.exists():
        _check_free(name)
    title = "".join(part[:1].upper() + part[1:] for part in name.split("_"))
    try:
        with file.open("x", encoding="utf-8") as out:  # "x" refuses an existing file, without a race
            out.write(_ENVIRONMENT.substitute(name=name, title=title))
    except FileExistsError:
        raise UserError(f"{file} exists already and is left as it is; choose another name") from None
    except OSError as error:
        raise UserError(f"cannot write {file}: {error.strerror}; choose another folder") from None
    return file


def _check_name(name: str) -> None:
    if re.fullmatch("[a-z][a-z0-9_]*[a-z0-9]|[a-z]", name) and not keyword.iskeyword(name):
        return
    close = re.sub("[^a-z0-9]+", "_", name.removesuffix(".py").lower()).strip("_")
    close = f"env_{close}" if not close or close[0].isdigit() or keyword.iskeyword(close) else close
    raise UserError(
        f'"{name}" is no name for an environment: it becomes a file and an id, so it is lower-case letters, digits and '
        f"underscores and begins with a letter. Type: agentgym init env {close.rstrip('_')}"
    )


def _check_free(name: str) -> None:
    taken = "an environment" if name.replace("_", "-") in plugins("environments").ids() else ""
    if not taken and importlib.util.find_spec(name) is not None:
        taken = "a module that Python can import, and the file would hide it"
    if taken:
        raise UserError(f'"{name}" is already {taken}. Choose another name, for instance: agentgym init env my_{name}')
