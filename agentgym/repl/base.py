"""What all commands of the REPL share: the game, what is shown, and who is watched."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import TypeAlias

from agentgym.repl.game import Game, GameError
from agentgym.repl.policy import EnginePolicy, Policy
from agentgym.repl.screen import Screen
from agentgym.repl.terminal import Ask

__all__ = ["Base", "Opens", "number"]

Opens: TypeAlias = Callable[[str], AbstractAsyncContextManager[Policy]]
"""The name of a model → its policy, which is closed again at the end."""


class Base:
    """A game, what is shown of it, and the policies that are loaded, by name; the first is watched."""

    def __init__(self, game: Game, screen: Screen, policy: Policy | None = None, *, opens: Opens | None = None) -> None:
        self.game, self.screen, self.policy = game, screen, policy
        self.policies: dict[str, Policy] = {} if policy is None else {name_of(policy): policy}
        self.ask: Ask | None = None
        """Where further lines come from, while somebody types."""
        self._opens = opens
        self._closing = contextlib.AsyncExitStack()

    async def close(self) -> None:
        """Let go of the policies that were loaded here."""
        await self._closing.aclose()

    async def load(self, name: str) -> Policy:
        """The policy of that name, loaded now if it was not before. Raises GameError where none can be."""
        if name not in self.policies:
            if self._opens is None:
                raise GameError(
                    "policies are loaded where the environment is told by its id; type: agentgym play ENV --model RUN"
                )
            self.screen.say(f"loading {name} …", "dim")
            self.policies[name] = await self._closing.enter_async_context(self._opens(name))
        return self.policies[name]

    def watched(self) -> Policy:
        """The policy that plays. Raises GameError where there is none."""
        if self.policy is None:
            raise GameError("no policy is loaded; start with --model RUN_OR_MODEL, or type :policy RUN_OR_MODEL")
        return self.policy

    def engine_policy(self, wanted: str) -> EnginePolicy:
        """The same, where it can do what is ``wanted``, which takes an engine."""
        policy = self.watched()
        if not isinstance(policy, EnginePolicy):
            raise GameError(
                f"{wanted} needs a policy that an engine samples, and this one is none; load one: :policy RUN"
            )
        return policy


def name_of(policy: Policy) -> str:
    """What a policy is called."""
    return str(getattr(policy, "name", "policy"))


def number(text: str) -> int:
    """Raises GameError for what is none."""
    if not text.isdecimal():
        raise GameError(f'expected a number, found "{text}"')
    return int(text)
