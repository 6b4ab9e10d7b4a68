"""What a policy's tokenizer makes of an environment: the token stream of episodes, looked at closely."""

from __future__ import annotations

import dataclasses
import random

from agentgym.doctor.playing import (
    SECONDS,
    TURNS,
    Case,
    Check,
    MakeEnv,
    Remark,
    cases_of,
    expect,
    paced,
    random_action,
)
from agentgym.engine import Completion
from agentgym.errors import ConfigError, ParseError
from agentgym.media import text_of
from agentgym.protocol import Protocol
from agentgym.stream import TokenStream
from agentgym.template import findings
from agentgym.tokenizer import ChatTokenizer
from agentgym.types import Action, Message, Observation
from agentgym.visit import Player

__all__ = ["keeps_tokens", "shown_prompt", "tokens_check"]


@dataclasses.dataclass(slots=True)
class _Seen:
    """Counts over episodes."""

    episodes: int = 0
    replies: int = 0
    tokens: int = 0
    longest: int = 0
    """Tokens of the longest sample."""
    forks: int = 0
    unknown: int = 0
    """Tokens that stand for what the tokenizer has no token for."""


def tokens_check(tokenizer: ChatTokenizer, protocol: Protocol) -> Check:
    """``keeps_tokens`` as a check like the others."""

    def check(make_env: MakeEnv, seconds: float = SECONDS, /) -> str:
        return keeps_tokens(make_env, seconds, tokenizer=tokenizer, protocol=protocol)

    check.__name__ = keeps_tokens.__name__
    return check


def shown_prompt(make_env: MakeEnv, *, tokenizer: ChatTokenizer, protocol: Protocol) -> str:
    """What the policy's chat template does, what ends a reply, and the prompt of a first turn, as text."""
    for text in protocol.own_texts:
        tokenizer.spare(text)
    with Player(make_env()) as player:
        observation = player.reset(*cases_of(make_env, 1)[0])
        messages = [*protocol.prologue(player.env.instructions), protocol.shown(observation)]
    ends = tokenizer.hf.convert_ids_to_tokens(list(tokenizer.stop_token_ids))
    lines = ["the chat template:", *(f"- {line}" for line in findings(tokenizer.facts) or ["writes every message"])]
    prompt = tokenizer.render(messages, observation.tools)
    return "\n".join([*lines, f"- a reply ends with {' or '.join(ends)}", "the prompt of a first turn:", prompt])


def keeps_tokens(
    make_env: MakeEnv,
    seconds: float = SECONDS,
    /,
    *,
    tokenizer: ChatTokenizer,
    protocol: Protocol,
    episodes: int = 20,
) -> str:
    """Episodes by the expert and at random, as a policy with this tokenizer would see and say them.

    What is said comes back token by token, the loss masks cover the replies and nothing else, and no observation
    brings control tokens in.
    """
    seen = _Seen()
    for text in protocol.own_texts:
        tokenizer.spare(text)
    with Player(make_env()) as player:
        for number, case in enumerate(paced(cases_of(make_env, episodes), seconds, least=2)):
            _Talk(player, case, tokenizer, protocol, seen).play(by_expert=number % 2 == 0)
    found = (
        f"{seen.replies} replies in {seen.episodes} episodes, {seen.tokens} tokens, the longest sample {seen.longest}, "
        f"{seen.forks} forks"
    )
    if seen.unknown:
        return Remark(f"{found}: {seen.unknown} tokens stand for what the tokenizer does not know")
    return found


class _Talk:
    """One episode as a conversation."""

    def __init__(self, player: Player, case: Case, tokenizer: ChatTokenizer, protocol: Protocol, seen: _Seen) -> None:
        self.player, self.case, self.seen = player, case, seen
        self.tokenizer, self.protocol = tokenizer, protocol
        self.stream = TokenStream(tokenizer)
        self.messages: list[Message] = []
        self.num_opening = 0
        self.said: list[int] = []
        self.special = tokenizer.control_ids | set(tokenizer.stop_token_ids)
        self.unknown = getattr(tokenizer.hf, "unk_token_id", None)

    def play(self, *, by_expert: bool) -> None:
        """Play it, and look at the stream at the end."""
        observation = self.player.reset(*self.case)
        self.player.env.action_space.seed(self.case[1])
        self.messages = self.protocol.prologue(self.player.env.instructions)
        self.num_opening = len(self.messages)
        self._show(observation)
        for turn in range(min(TURNS, self.player.env.max_turns)):
            action = self.player.expert() if by_expert else None
            self._turn(self._random(turn) if action is None else action)
            if self.player.now.is_over:
                break
        self._look_back()

    def _random(self, turn: int) -> Action:
        rng = random.Random(f"{self.case}{turn}")
        return Action(random_action(self.player.env, self.player.now.observation, rng))

    def _show(self, observation: Observation, *, had_no_effect: bool = False) -> None:
        message = self.protocol.shown(observation, had_no_effect=had_no_effect)
        bare, full = ([{**message, "content": content}] for content in ("x", text_of(message["content"])))
        brought = self._num_special(full) - self._num_special(bare)
        expect(brought == 0, f"an observation brought {brought} special tokens in: {observation[:200]!r}")
        self.messages = self.protocol.kept([*self.messages, message], self.num_opening)

    def _num_special(self, messages: list[Message]) -> int:
        ids = self.tokenizer.encode(self.tokenizer.render(messages))
        return sum(i in self.special and i != self.unknown for i in ids)

    def _turn(self, action: Action) -> None:
        self.stream.extend(self.messages, self.player.now.observation.tools)
        try:
            reply = (self.protocol.format if self.stream.num_turns else self.protocol.first)(action)
        except ConfigError:  # what the protocol cannot say is said as it is, and may then not be understood
            reply = str(action)
        ids = [*self.tokenizer.encode(reply, after=self.stream.text), self.tokenizer.stop_token_ids[0]]
        self._append(ids)
        heard = self.tokenizer.decode_reply(ids)
        self.messages.append(self.protocol.said(heard))
        try:
            understood = self.protocol.parse(heard)
        except ParseError as error:
            self.messages.append(self.protocol.refused(str(error), self.player.now.observation))
            return
        result = self.player.step(understood)
        self._show(result.observation, had_no_effect="invalid_action" in result.info)

    def _append(self, ids: list[int]) -> None:
        text = self.tokenizer.decode(ids)
        if self.unknown not in ids:
            again = self.tokenizer.encode(text, after=self.stream.text)
            expect(again == ids, f"the reply {text[:200]!r} of the tokens {ids[:40]} gives the tokens {again[:40]}")
        zeros = [0.0] * len(ids)
        self.stream.append(
            Completion(token_ids=ids, logprobs=zeros, policy_versions=[0] * len(ids), finish_reason="stop")
        )
        self.said.extend(ids)
        self.seen.replies += 1

    def _look_back(self) -> None:
        """The masks cover what was said and nothing else; count."""
        masked: list[int] = []
        for sample in self.stream.samples:
            ids = sample.token_ids
            masked.extend(ids[sample.loss_mask].tolist())
            self.seen.tokens += len(ids)
            self.seen.longest = max(self.seen.longest, len(ids))
            self.seen.unknown += ids.tolist().count(self.unknown)
        expect(masked == self.said, f"the loss masks of {self.case} cover other tokens than what was said")
        self.seen.forks += self.stream.num_forks
        self.seen.episodes += 1
