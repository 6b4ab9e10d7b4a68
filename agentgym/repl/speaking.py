"""The commands with which others play: a policy, several of them, a search, the expert."""

from __future__ import annotations

import math
import re

from agentgym.errors import EngineError, ParseError, UserError, did_you_mean
from agentgym.repl.base import Base, number
from agentgym.repl.game import GameError
from agentgym.repl.policy import Policy, Reply
from agentgym.repl.searching import searched
from agentgym.repl.tables import Compared, compared_table, places_table
from agentgym.types import Action

__all__ = ["BLANK", "PLAYERS", "Speaking"]

PLAYERS = ("policy", "expert")
BLANK = re.compile(r"<[^<>]+>")
"""A part of an admissible action that stands for any words, as in ``search[<query>]``."""


class Speaking(Base):
    """Replies that others say."""

    async def do_expert(self) -> None:
        """let the environment's expert play one turn"""
        action = await self.game.expert_action()
        self.screen.say(f"expert: {action}", "bold")
        await self.game.act(action)
        self.screen.moment(self.game)

    async def do_policy(self, name: str = "") -> None:
        """watch another policy: a run, a model, openai:URL; without a name, list them"""
        if name:
            self.policy = await self.load(name)
        for known, policy in self.policies.items():
            self.screen.say(f"{'*' if policy is self.policy else ' '} {known}")
        if not self.policies:
            self.watched()

    async def do_step(self) -> None:
        """let the policy play one turn"""
        policy = self.watched()
        reply = await self.propose(policy)
        await self.game.hear(reply.text, policy.protocol, spoken=reply)
        self.screen.moment(self.game)

    async def do_edit(self) -> None:
        """have the policy reply, change what it says, and play that; Ctrl-C plays nothing"""
        policy, ask = self.watched(), self.ask
        if ask is None:
            raise GameError("nobody types here; in Python: reply = s.propose(), then s.say(TEXT)")
        self.game.must_go_on()
        reply = await self.propose(policy)
        text = await ask("edit> ", reply.text)
        await self.game.hear(text, policy.protocol, spoken=reply if text == reply.text else None)
        self.screen.moment(self.game)

    async def do_auto(self, who: str = "") -> None:
        """let the policy, or else the expert, play to the end; Ctrl-C stops it"""
        await self.go(None, who)

    async def do_go(self, n: str = "1", who: str = "") -> None:
        """let the policy, or else the expert, play n turns"""
        await self.go(number(n), who)

    async def go(self, num: int | None, who: str = "") -> None:
        """So many turns, or all there are, by the policy or the expert."""
        who = who or ("policy" if self.policy else "expert")
        if who not in PLAYERS:
            raise GameError(f'"{who}" cannot play.{did_you_mean(who, PLAYERS)} Known: {", ".join(PLAYERS)}')
        turn = self.do_step if who == "policy" else self.do_expert
        played = 0
        while num is None or played < num:
            is_further = played > 0
            if is_further and (self.game.now.standing.is_over or self.game.num_turns >= self.game.env.max_turns):
                break
            await turn()
            played += 1

    # -- probabilities ---------------------------------------------------------------------------------

    async def do_odds(self) -> None:
        """how likely the policy is to say each admissible action"""
        policy, actions = self.watched(), self._actions()
        if not actions:
            raise GameError("no complete action is listed here, so there is nothing to compare")
        self.screen.odds(actions, await self._logprobs(policy, actions))

    async def do_tokens(self) -> None:
        """the tokens of the last reply: their probabilities, entropies and alternatives"""
        policy, spoken = self.engine_policy(":tokens"), self.game.now.spoken
        if spoken is None or not spoken.token_ids:
            raise GameError("the last turn was no reply of a policy with tokens; :step lets the policy play one")
        said = self.game.conversation(policy.protocol, before=1)
        places = await policy.places(said, self.game.moments[-2].observation.tools, spoken)
        self.screen.console.print(places_table(places, self.screen.text))
        mean = sum(place.entropy for place in places) / len(places)
        self.screen.say(
            f"mean entropy {mean:.2f} nats, perplexity {math.exp(-spoken.logprob / len(places)):.2f}", "dim"
        )

    async def do_compare(self, model: str = "", n: str = "1") -> None:
        """what this policy and another one make of this moment: n replies each, and their odds"""
        self.watched()
        if model:
            await self.load(model)
        if len(self.policies) < 2:
            raise GameError("there is one policy only; name another one to compare it with: :compare RUN_OR_MODEL")
        self.game.must_go_on()
        asked = [
            (name, policy) for name, policy in self.policies.items() if policy is self.policy or model in ("", name)
        ]
        actions = self._actions()
        sides = [side for name, policy in asked for side in await self._sides(name, policy, actions, number(n))]
        if any(side.logprobs for side in sides):
            first = list({side.name: side for side in sides}.values())
            self.screen.console.print(compared_table(actions, first, self.screen.text))
        for side in sides:
            told = f"   → {side.action}" if side.action != side.reply else ""
            self.screen.say(f"{side.name}: {side.reply}{told}")

    async def do_prompt(self) -> None:
        """show exactly what the policy is sent here, and how long that is"""
        policy = self.engine_policy(":prompt")
        sent = policy.sent(self.game.conversation(policy.protocol), self.game.now.observation.tools)
        self.screen.say(sent.text)
        long = "as long as the server counts" if sent.num_tokens is None else f"{sent.num_tokens} tokens"
        images = f", {sent.num_images} images" if sent.num_images else ""
        self.screen.say(f"{long}{images}; prompt and reply may have {sent.max_context} together", "dim")

    async def do_search(self, id: str = "mcts", lines: str = "8") -> None:
        """search from this moment, by mcts or another search, for so many lines; nothing is played here"""
        policy = self.engine_policy(":search")
        self.game.must_go_on()
        found = await searched(policy, self.game, id, max(1, number(lines)))
        for row in found.told():
            self.screen.say(row)
        self.screen.say(f"best line, reward {found.best_reward:g}: {' → '.join(found.best) or 'nothing'}", "bold")

    # -- inside ----------------------------------------------------------------------------------------

    async def propose(self, policy: Policy) -> Reply:
        """What ``policy`` says here, shown as it comes; nothing is played."""
        self.game.must_go_on()
        voice = self.screen.voice()
        try:
            messages = self.game.conversation(policy.protocol)
            reply = await policy.say(messages, self.game.now.observation.tools, hear=voice.hear)
        except BaseException:
            voice.fall_silent()
            raise
        voice.end(reply)
        return reply

    async def _sides(self, name: str, policy: Policy, actions: list[str], num: int) -> list[Compared]:
        messages, tools = self.game.conversation(policy.protocol), self.game.now.observation.tools
        try:
            logprobs = await self._logprobs(policy, actions) if actions else []
        except (UserError, EngineError) as error:
            self.screen.say(f"{name} has no odds: {error}", "yellow")
            logprobs = []
        sides = []
        for _ in range(num):
            reply = (await policy.say(messages, tools)).text
            try:
                action = str(policy.protocol.parse(reply))
            except ParseError as error:
                action = f"not understood: {error}"
            sides.append(Compared(name, reply, action, logprobs))
        return sides

    async def _logprobs(self, policy: Policy, actions: list[str]) -> list[float]:
        say = policy.protocol.format if self.game.num_turns else policy.protocol.first
        replies = [say(Action(action)) for action in actions]
        conversation = self.game.conversation(policy.protocol)
        return await policy.score(conversation, self.game.now.observation.tools, replies)

    def _actions(self) -> list[str]:
        """The admissible actions that are complete."""
        return [action for action in self.game.now.observation.admissible or () if not BLANK.search(action)]
