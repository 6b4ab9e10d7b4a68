"""The commands of the REPL, and the loop that reads them.

A line is an action, the number of an admissible action, or a command that begins with ":". Each ``do_`` method is a
command, plain or ``async``: its signature is its usage, its docstring its help. Nothing that is typed ends the loop
but ``:quit``.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable
from typing import Any, TextIO

from agentgym.env import SPLITS
from agentgym.errors import EnvError, UserError, did_you_mean
from agentgym.loops import interruptible, settled
from agentgym.repl.game import Game, GameError, told
from agentgym.repl.policy import Policy
from agentgym.repl.screen import Screen
from agentgym.repl.terminal import line_reader
from agentgym.types import Action

__all__ = ["Shell", "usage"]

PLAYERS = ("policy", "expert")
_BLANK = re.compile(r"<[^<>]+>")
"""A part of an admissible action that stands for any words, as in ``search[<query>]``."""


class Shell:
    """Lines in, a game played, everything shown."""

    def __init__(self, game: Game, screen: Screen, policy: Policy | None = None) -> None:
        self.game, self.screen, self.policy = game, screen, policy
        self.commands: dict[str, Callable[..., Any]] = {
            name.removeprefix("do_"): method for name, method in inspect.getmembers(self) if name.startswith("do_")
        }
        self._over = False

    async def run(self, stdin: TextIO | None = None) -> None:
        """Begin the first episode and read lines until it is enough."""
        with interruptible(self.game.interrupt):
            await self._begin()
            ask = line_reader(stdin, self.candidates, self.screen.say, self.game.interrupt)
            while not self._over:
                is_over = self.game.now.standing.is_over
                try:
                    await self.obey(await ask("over> " if is_over else f"turn {self.game.num_turns + 1}> "))
                except KeyboardInterrupt:
                    self.screen.say("cancelled; :quit or Ctrl-D leaves")
                except EOFError:
                    return

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
        choices: dict[str, Iterable[str]] = {"goto": self.game.branches, "split": SPLITS, "auto": PLAYERS}
        values = choices.get(name, ())
        return [f":{name} {value}" for value in values] or [f":{command}" for command in self.commands]

    # -- the episode ---------------------------------------------------------------------------------

    async def do_undo(self, n: str = "1") -> None:
        """take back the last turn, or the last n"""
        await self.game.undo(max(1, _number(n)))
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
        await self._start(seed=_number(n))

    def do_branch(self, name: str) -> None:
        """keep this moment under a name"""
        self.game.keep(name)
        self.screen.say(f"kept turn {self.game.num_turns} as {name}; :goto {name} comes back to it")

    async def do_goto(self, name: str) -> None:
        """go back to a kept moment"""
        if name not in self.game.branches:
            known = ", ".join(self.game.branches) or "none; :branch NAME keeps this moment"
            raise GameError(f'no branch "{name}".{did_you_mean(name, self.game.branches)} Kept: {known}')
        await self.game.goto(name)
        self.screen.moment(self.game)

    # -- other players -------------------------------------------------------------------------------

    async def do_expert(self) -> None:
        """let the environment's expert play one turn"""
        action = await self.game.expert_action()
        self.screen.say(f"expert: {action}", "bold")
        await self.game.act(action)
        self.screen.moment(self.game)

    async def do_step(self) -> None:
        """let the policy play one turn"""
        policy = self._policy()
        reply = await policy.say(self.game.conversation(policy.protocol), self.game.now.observation.tools)
        self.screen.reply(reply)
        await self.game.hear(reply.text, policy.protocol)
        self.screen.moment(self.game)

    async def do_auto(self, who: str = "") -> None:
        """let the policy, or else the expert, play to the end; Ctrl-C stops it"""
        who = who or ("policy" if self.policy else "expert")
        if who not in PLAYERS:
            raise GameError(f'"{who}" cannot play.{did_you_mean(who, PLAYERS)} Known: {", ".join(PLAYERS)}')
        turn = self.do_step if who == "policy" else self.do_expert
        await turn()
        while not self.game.now.standing.is_over and self.game.num_turns < self.game.env.max_turns:
            await turn()

    async def do_odds(self) -> None:
        """how likely the policy is to say each admissible action"""
        policy, seen = self._policy(), self.game.now.observation
        actions = [action for action in seen.admissible or () if not _BLANK.search(action)]
        if not actions:
            raise GameError("no complete action is listed here, so there is nothing to compare")
        say = policy.protocol.format if self.game.num_turns else policy.protocol.first
        replies = [say(Action(action)) for action in actions]
        conversation = self.game.conversation(policy.protocol)
        self.screen.odds(actions, await policy.score(conversation, seen.tools, replies))

    # -- looking around ------------------------------------------------------------------------------

    def do_look(self) -> None:
        """show this moment again"""
        self.screen.moment(self.game)

    def do_actions(self) -> None:
        """list every admissible action"""
        admissible = self.game.now.observation.admissible
        if admissible is None:
            raise GameError("this environment does not list its actions")
        self.screen.actions(admissible)

    def do_history(self) -> None:
        """list the turns so far"""
        self.screen.history(self.game.moments)

    def do_info(self) -> None:
        """show the info dict that came with the observation"""
        for key, value in self.game.now.standing.info.items():
            self.screen.say(f"{key}: {value!r}")

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

    async def _begin(self) -> None:
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
            await self._command(line[1:])
        elif line:
            await self._act(line.removeprefix(":"))

    async def _command(self, line: str) -> None:
        name, *arguments = line.split() or [""]
        if name not in self.commands:
            close = [command for command in self.commands if name and command.startswith(name)]
            if len(close) != 1:
                hint = did_you_mean(f":{name}", [f":{command}" for command in self.commands])
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
            if blank := _BLANK.search(line):
                raise GameError(f"type {line} with your own words in place of {blank[0]}")
        await self.game.act(Action(line))
        self.screen.moment(self.game)

    async def _start(self, **changes: object) -> None:
        await self.game.start(**changes)
        self.screen.episode(self.game)

    def _policy(self) -> Policy:
        if self.policy is None:
            raise GameError("no policy is loaded; start with --model RUN_OR_MODEL to watch one")
        return self.policy


def usage(name: str, method: Callable[..., Any]) -> str:
    """How a command is typed: what must follow it in capitals, what may in brackets."""
    parameters = [p for p in inspect.signature(method).parameters.values() if p.name != "self"]
    words = [p.name.upper() if p.default is p.empty else f"[{p.name}]" for p in parameters]
    return " ".join([f":{name}", *words])


def _number(text: str) -> int:
    if not text.isdecimal():
        raise GameError(f'expected a number, found "{text}"')
    return int(text)
