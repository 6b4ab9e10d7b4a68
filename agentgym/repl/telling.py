"""The commands that tell of a game: what is seen, what was played, what it was worth; and transcripts of it."""

from __future__ import annotations

from pathlib import Path

from agentgym.hint import hints_for
from agentgym.repl import transcript
from agentgym.repl.base import Base
from agentgym.repl.game import GameError
from agentgym.repl.tables import played_tree, why_table

__all__ = ["Telling"]


class Telling(Base):
    """What there is to know, and what is kept of it."""

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

    async def do_hint(self) -> None:
        """what the expert would do here, and what the environment has to say of an error; nothing is played"""
        now, hints = self.game.now, tuple(getattr(self.game.env, "hints", ()))
        told = hints_for(hints, str(now.action or ""), f"{now.observation}\n{now.problem or ''}")
        for hint in told if self.game.num_turns else ():
            self.screen.say(f"hint: {hint}", "yellow")
        try:
            self.screen.say(f"expert: {await self.game.expert_action()}", "bold")
        except GameError:
            if not told:
                raise

    def do_why(self) -> None:
        """what each turn was rewarded for: the parts of the reward, and the channels that the environment reports"""
        self.screen.console.print(why_table(self.game.moments, self.screen.text))

    def do_tree(self) -> None:
        """every moment that was played, with the number that :goto #N takes"""
        for tree in played_tree(self.game, self.screen.text):
            self.screen.console.print(tree)

    def do_save(self, file: str) -> None:
        """write this episode to a file, as JSON lines"""
        transcript.write(Path(file), self.game)
        self.screen.say(f"{self.game.num_turns} turns are in {file}; :replay {file} plays them again")

    async def do_replay(self, file: str) -> None:
        """play a file of :save again, and see that it comes to the same"""
        lines = transcript.read(Path(file))
        await transcript.replay(self.game, lines)
        self.screen.say(f"{len(lines) - 1} turns came to the same as in {file}", "green")
        self.screen.moment(self.game)
