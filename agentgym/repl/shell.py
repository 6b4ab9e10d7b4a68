"""The REPL: the loop that reads lines, and the commands of the episode.

A line is an action, the number of an admissible action, or a command that begins with ":". Each ``do_`` method is a
command, plain or ``async``: its signature is its usage, its docstring its help. Those with which others play are in
``speaking``, those that tell of the game in ``telling``. Nothing that is typed ends the loop but ``:quit``.
"""

from __future__ import annotations

import contextlib
import inspect
import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TextIO

from agentgym.env import SPLITS
from agentgym.errors import EnvError, UserError, did_you_mean
from agentgym.loops import interruptible, settled
from agentgym.registry import plugins
from agentgym.repl import transcript
from agentgym.repl.base import Opens, number
from agentgym.repl.game import Game, GameError, told
from agentgym.repl.policy import Policy
from agentgym.repl.screen import Screen
from agentgym.repl.speaking import BLANK, PLAYERS, Speaking
from agentgym.repl.telling import Telling
from agentgym.repl.terminal import line_reader
from agentgym.types import Action

__all__ = ["Shell", "usage"]


class Shell(Speaking, Telling):
    """Lines in, a game played, everything shown.

    What was played is not lost with whatever ends it: where that is no command, it is written to a file in ``rescue``.
    """

    def __init__(
        self,
        game: Game,
        screen: Screen,
        policy: Policy | None = None,
        *,
        opens: Opens | None = None,
        rescue: Path = Path(),
    ) -> None:
        super().__init__(game, screen, policy, opens=opens)
        self.rescue = rescue
        self.commands: dict[str, Callable[..., Any]] = {
            name.removeprefix("do_"): method for name, method in inspect.getmembers(self) if name.startswith("do_")
        }
        self._over = False

    async def run(self, stdin: TextIO | None = None) -> None:
        """Begin the first episode and read lines until it is enough."""
        with interruptible(self.game.interrupt):
            await self.begin()
            await self.read(stdin)

    async def read(self, stdin: TextIO | None = None) -> None:
        """Read lines, of an episode that has begun, until it is enough."""
        self._over = False
        self.ask = line_reader(stdin, self.candidates, self.screen.say, self.game.interrupt)
        try:
            while not self._over:
                is_over = self.game.now.standing.is_over
                try:
                    await self.obey(await self.ask("over> " if is_over else f"turn {self.game.num_turns + 1}> ", ""))
                except KeyboardInterrupt:
                    self.screen.say("cancelled; :quit or Ctrl-D leaves")
        except EOFError:
            return
        except BaseException:
            self._rescue()
            raise
        finally:
            self.ask = None

    def _rescue(self) -> None:
        if self.game.num_turns:
            file = self.rescue / f"{self.game.env.name}-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.jsonl"
            with contextlib.suppress(UserError):  # what ends it is told
                transcript.write(file, self.game)
                self.screen.complain(f"what was played is in {file}; :replay {file} plays it again")

    async def obey(self, line: str) -> None:
        """Do what one line says. What goes wrong is shown; raises KeyboardInterrupt when it was interrupted."""
        try:
            await self.game.interrupt.turn(self._do(line.strip()))
        except (GameError, UserError) as error:
            self.screen.complain(str(error))
        except Exception as error:  # a broken policy or a bug of ours; the episode is too dear to lose over it
            self.screen.complain(f"that failed: {told(error)}")

    def candidates(self, line: str) -> Iterable[str]:
        """What could be typed, for completion."""
        if not line.startswith(":"):
            return self.game.now.observation.admissible or ()
        name = line[1:].partition(" ")[0]
        choices: dict[str, Iterable[str]] = {
            "goto": self.game.branches,
            "split": SPLITS,
            "auto": PLAYERS,
            "policy": self.policies,
            "compare": self.policies,
            "search": plugins("searches").ids() if name == "search" else (),
        }
        values = choices.get(name, ())
        return [f":{name} {value}" for value in values] or [f":{command}" for command in self.commands]

    # -- the episode ---------------------------------------------------------------------------------

    async def do_undo(self, n: str = "1") -> None:
        """take back the last turn, or the last n"""
        await self.game.undo(max(1, number(n)))
        self.screen.moment(self.game)

    async def do_restart(self) -> None:
        """begin the same episode again"""
        await self._start()

    async def do_task(self, id: str) -> None:
        """play another task"""
        await self._start(task=id)

    async def do_split(self, name: str) -> None:
        """play a task of another split: train, validation, test"""
        await self._start(split=name, task=None)

    def do_tasks(self) -> None:
        """list the tasks of the split"""
        split = self.game.split or "train"
        with self.game.interrupt.open():
            tasks = self.game.env.tasks(split)
            some = ", ".join(str(tasks[i]) for i in range(min(20, len(tasks))))
        self.screen.say(f"{split}: {len(tasks)} tasks: {some}{', …' if len(tasks) > 20 else ''}")

    async def do_seed(self, n: str) -> None:
        """begin again with another seed"""
        await self._start(seed=number(n))

    def do_branch(self, name: str) -> None:
        """keep this moment under a name"""
        self.game.keep(name)
        self.screen.say(f"kept turn {self.game.num_turns} as {name}; :goto {name} comes back to it")

    async def do_goto(self, name: str) -> None:
        """go back to a kept moment, or to a moment of :tree by its number: #3"""
        if name.startswith("#") and name not in self.game.branches:
            await self.game.goto_number(number(name[1:]))
            self.screen.moment(self.game)
            return
        if name not in self.game.branches:
            known = ", ".join(self.game.branches) or "none; :branch NAME keeps this moment"
            raise GameError(f'no branch "{name}".{did_you_mean(name, self.game.branches)} Kept: {known}')
        await self.game.goto(name)
        self.screen.moment(self.game)

    # -- the rest ------------------------------------------------------------------------------------

    def do_help(self) -> None:
        """show this"""
        self.screen.commands(
            (usage(name, method), inspect.getdoc(method) or "") for name, method in self.commands.items()
        )
        self.screen.say('an action that begins with ":" is typed with one more: "::"')

    def do_quit(self) -> None:
        """leave"""
        self._over = True

    # -- inside --------------------------------------------------------------------------------------

    async def begin(self) -> None:
        """Begin the first episode. Raises UserError or EnvError where there is none."""
        try:
            await self.game.interrupt.turn(self.game.start())
        except (UserError, EnvError):
            raise
        except Exception as error:
            raise EnvError(told(error)) from error
        self.screen.say("type an action, its number, or :help", "dim")
        self.screen.episode(self.game)

    async def _do(self, line: str) -> None:
        if line.startswith(":") and not line.startswith("::"):
            await self.command(*(line[1:].split() or [""]))
        elif line:
            await self._act(line.removeprefix(":"))

    async def command(self, name: str, *arguments: str) -> None:
        """Do a command by its name, or the beginning of it. Raises GameError where there is none such."""
        if name not in self.commands:
            close = [command for command in self.commands if name and command.startswith(name)]
            if len(close) != 1:
                hint = did_you_mean(f":{name}", [f":{command}" for command in self.commands]) if name else ""
                raise GameError(f'unknown command ":{name}".{hint} :help lists all')
            name = close[0]
        method = self.commands[name]
        try:
            inspect.signature(method).bind(*arguments)
        except TypeError:
            raise GameError(f"usage: {usage(name, method)}") from None
        await settled(method(*arguments))

    async def _act(self, line: str) -> None:
        admissible = self.game.now.observation.admissible or ()
        if line.isdecimal() and admissible and line not in admissible:
            if not 1 <= int(line) <= len(admissible):
                raise GameError(f"there is no action {line}, they are numbered 1 to {len(admissible)}")
            line = admissible[int(line) - 1]
            if blank := BLANK.search(line):
                raise GameError(f"type {line} with your own words in place of {blank[0]}")
        await self.game.act(Action(line))
        self.screen.moment(self.game)

    async def _start(self, **changes: object) -> None:
        await self.game.start(**changes)
        self.screen.episode(self.game)


def usage(name: str, method: Callable[..., Any]) -> str:
    """How a command is typed: what must follow it in capitals, what may in brackets."""
    parameters = [p for p in inspect.signature(method).parameters.values() if p.name != "self"]
    words = [p.name.upper() if p.default is p.empty else f"[{p.name}]" for p in parameters]
    return " ".join([f":{name}", *words])
