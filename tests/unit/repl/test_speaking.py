"""Who else plays: replies that are edited, compared, looked into, and searches from a moment."""

from __future__ import annotations

import asyncio
import contextlib
import io
from collections.abc import AsyncIterator, Sequence
from typing import Any

from rich.console import Console

from agentgym.actors.scripted import ScriptedEngine
from agentgym.engine import Outlook, Prompt
from agentgym.errors import EngineError
from agentgym.protocols.plain import Plain
from agentgym.repl import EnginePolicy
from agentgym.repl.game import Game
from agentgym.repl.screen import Screen
from agentgym.repl.shell import Shell
from agentgym.rollout import Limits, Rollout
from tests.kit import chat
from tests.unit.repl.kit import Doors, Scripted, Stairs, transcript
from tests.unit.repl.test_shell import Played

CHAT = chat()
END = CHAT.stop_token_ids[0]


class Walker(ScriptedEngine):
    """Says "up", or what it is told; what is likeliest at a place is "a" and the token that is there."""

    supports_seeds = True

    def __init__(self, *said: str) -> None:
        self.said = list(said)
        super().__init__(lambda _: [*CHAT.encode(self.said.pop(0) if self.said else "up"), END])
        self.looked: list[tuple[str, int]] = []

    async def outlooks(self, prompt: Prompt, num: int, *, most: int = 5) -> list[Outlook]:
        self.looked.append((CHAT.decode(prompt.token_ids), num))
        a = CHAT.encode("a")[0]
        return [Outlook(((token, -0.5), (a, -1.5)), 0.25 * i) for i, token in enumerate(prompt.token_ids[-num:])]

    async def score(self, prompt: Prompt) -> list[float]:
        return [-0.01 * (token % 7) for token in prompt.token_ids]


def walker(*said: str, **options: Any) -> EnginePolicy:
    return EnginePolicy(Walker(*said), CHAT, Plain(), **options)


# -- edited ------------------------------------------------------------------------------------------------


def test_a_reply_is_edited_before_it_is_played() -> None:
    policy = Scripted("left", "right", "left", protocol=Plain())
    shown = transcript(":edit", "right", ":edit", "", ":history", env=Doors(), policy=policy)
    assert shown.count("edit> ") == 2
    rows = [line.split() for line in shown.splitlines()[-2:]]
    assert [row[:2] for row in rows] == [["1", "right"], ["2", "right"]]


def test_an_edited_reply_has_no_tokens_and_one_that_was_left_has() -> None:
    policy = walker("up", "up")

    async def play(*lines: str) -> Game:
        game = Game(Stairs())
        shell = Shell(game, Screen(Console(file=io.StringIO())), policy)
        await game.start()
        await shell.read(io.StringIO("\n".join(lines) + "\n"))
        return game

    game = asyncio.run(play(":edit", "down", ":edit", ""))
    edited, left = game.moments[1:]
    assert (edited.reply, edited.spoken) == ("down", None)
    assert left.reply == "up"
    assert left.spoken is not None
    assert left.spoken.token_ids == (*CHAT.encode("up"), END)


def test_nothing_is_played_where_nobody_types_or_the_line_ends() -> None:
    played = Played(policy=walker())
    assert "nobody types here; in Python: reply = s.propose(), then s.say(TEXT)" in played(":edit").replace("\n", " ")
    assert played.actions == []
    assert "turn 2>" not in transcript(":edit", env=Stairs(), policy=walker()).partition("edit>")[2]


# -- turns -------------------------------------------------------------------------------------------------


def test_go_plays_so_many_turns_and_no_more_than_there_are() -> None:
    played = Played(policy=walker())
    played(":go 2")
    assert played.actions == ["up", "up"]
    played(":go 9")
    assert len(played.actions) == 4
    assert "the episode is over" in played(":go")
    played(":restart", ":go 1 expert")
    assert played.actions == ["climb from stair 0 of seed 0"]
    assert 'expected a number, found "x"' in played(":go x")
    assert '"me" cannot play' in played(":go 1 me")


def test_a_reply_is_heard_while_it_is_sampled_and_shown_once() -> None:
    shown = Played(policy=walker("up"))(":step")
    assert "policy: up<|im_end|>   log-prob 0.00, 3 tokens" in shown
    assert shown.count("policy:") == 1


def test_a_policy_that_breaks_off_leaves_what_it_said() -> None:
    class Breaks(Scripted):
        async def say(self, messages: Any, tools: Any, *, hear: Any = None) -> Any:
            hear("half", -0.1)
            raise EngineError("the server is gone")

    played = Played(policy=Breaks())
    shown = played(":step")
    assert shown.splitlines()[:2] == ["policy: half", "that failed: the server is gone"]
    assert played.actions == []


# -- probabilities -----------------------------------------------------------------------------------------


def test_the_tokens_of_the_last_reply_have_their_entropy_and_what_might_have_stood_there() -> None:
    policy = walker("up")
    played = Played(policy=policy)
    assert "the last turn was no reply of a policy with tokens" in played(":tokens")
    shown = played("go", ":step", ":tokens")
    lines = [line.split() for line in shown.splitlines()]
    at = next(i for i, line in enumerate(lines) if line[:2] == ["token", "probability"])
    assert lines[at + 1] == ["u", "100.0%", "0.00", "a", "22.3%"]
    assert lines[at + 2] == ["p", "100.0%", "0.25", "a", "22.3%"]
    assert "mean entropy 0.25 nats, perplexity 1.00" in shown
    ((text, num),) = policy.engine.looked  # type: ignore[attr-defined]
    assert num == 3
    assert text.endswith("<|im_start|>assistant\nup<|im_end|>")
    assert "stair 1" in text
    assert "stair 2" not in text
    assert "the last turn was no reply" in played("by hand", ":tokens")


def test_an_engine_that_knows_only_what_it_sampled_says_so() -> None:
    policy = EnginePolicy(ScriptedEngine(lambda _: [*CHAT.encode("up"), END]), CHAT, Plain())
    shown = Played(policy=policy)(":step", ":tokens")
    assert "ScriptedEngine tells no tokens beside those that it sampled, nor their entropy" in shown.replace("\n", " ")
    assert ":tokens needs a policy that an engine samples" in Played(policy=Scripted())(":tokens")


def test_the_prompt_is_exactly_what_the_engine_was_sent() -> None:
    policy = walker("up")
    played = Played(policy=policy)
    played("a")
    shown = played(":prompt")
    played(":step")
    (sent,) = policy.engine.requests  # type: ignore[attr-defined]
    assert shown.startswith(CHAT.decode(sent))
    assert f"{len(sent)} tokens; prompt and reply may have {policy.engine.max_context} together" in shown


class Talks(ScriptedEngine):
    """Is asked in text."""

    speaks_text, supports_seeds = True, False

    async def chat(self, messages: Any, sampling: Any, *, tools: Any = ()) -> str:
        return "down"


def test_the_prompt_of_an_engine_that_is_asked_in_text_is_its_messages() -> None:
    shown = Played(policy=EnginePolicy(Talks(lambda _: []), CHAT, Plain()))(":prompt")
    assert shown.splitlines()[:5] == ["[system]", "Climb.", "", "[user]", "stair 0 of seed 0"]
    assert "as long as the server counts" in shown


# -- others ------------------------------------------------------------------------------------------------


def with_others(env: Any, policy: Any, **others: Any) -> Played:
    """A game where further policies can be loaded by name."""
    played = Played(env, policy)
    opened: list[str] = []

    @contextlib.asynccontextmanager
    async def opens(name: str) -> AsyncIterator[Any]:
        opened.append(name)
        yield others[name]
        opened.append(f"{name} closed")

    played.shell._opens = opens
    played.opened = opened  # type: ignore[attr-defined]
    return played


def test_two_policies_are_compared_on_one_moment() -> None:
    one = Scripted("Action: left", "Action: right")
    other = Scripted("right", "dance", "left", protocol=Plain())
    other.score = scores(-3.0, -0.05)  # type: ignore[method-assign]
    one.score = scores(-0.1, -2.5)  # type: ignore[method-assign]
    played = with_others(Doors(), one, better=other)
    lines = played(":compare better").splitlines()
    assert [line.split() for line in lines[1:4]] == [
        ["policy", "better", "action"],
        ["90.5%", "5.0%", "left"],
        ["8.2%", "95.1%", "right"],
    ]
    assert lines[4:] == ["policy: Action: left   → left", "better: right"]
    assert played.actions == []
    shown = played("left", ":compare better 1")
    assert other.shown[1][-1] == "Passed 1: ['left']"
    assert "better: dance" in shown
    assert played.opened == ["better"]  # type: ignore[attr-defined]


def test_a_policy_that_was_loaded_is_closed_at_the_end() -> None:
    played = with_others(Doors(), Scripted(), other=Scripted())

    async def load() -> None:
        await played.shell.load("other")
        await played.shell.load("other")
        assert played.opened == ["other"]  # type: ignore[attr-defined]
        await played.shell.close()

    asyncio.run(load())
    assert played.opened == ["other", "other closed"]  # type: ignore[attr-defined]


def scores(*logprobs: float) -> Any:
    async def score(messages: Any, tools: Any, replies: Sequence[str]) -> list[float]:
        return list(logprobs[: len(replies)])

    return score


def test_a_policy_without_odds_is_compared_by_its_replies() -> None:
    asked = EnginePolicy(Talks(lambda _: []), CHAT, Plain(), name="asked")
    played = with_others(Doors(), Scripted("Action: left", "Action: left"), asked=asked)
    shown = played(":compare asked 2")
    assert "asked has no odds: this engine is asked in text" in shown
    assert shown.count("asked: down") == 2
    assert "asked" not in next(line for line in shown.splitlines() if line.split()[-1:] == ["action"])


def test_the_policy_that_is_watched_can_be_another_one() -> None:
    other = Scripted("Action: right")
    played = with_others(Doors(), Scripted("Action: left"), other=other)
    assert played(":policy").splitlines() == ["* policy"]
    assert played(":policy other").splitlines()[1:] == ["  policy", "* other"]
    played(":step")
    assert played.actions == ["right"]


def test_what_cannot_be_compared_is_told() -> None:
    played = Played(Doors(), policy=Scripted())
    assert "there is one policy only" in played(":compare")
    assert "policies are loaded where the environment is told by its id" in played(":compare runs/x").replace("\n", " ")
    assert "no policy is loaded" in Played()(":compare runs/x")
    assert "no policy is loaded" in Played()(":policy")


# -- searched ----------------------------------------------------------------------------------------------


class Forks(Stairs):
    """A climb on which "up" is worth what Stairs pay and "down" ends it."""

    def step(self, action: str) -> Any:
        if action == "down":
            return "the floor", 0.0, True, False, {}
        return super().step(action)


def searching(*said: str, env: type = Forks) -> tuple[Played, EnginePolicy]:
    rollout = Rollout(lambda: env(), CHAT, Plain(), limits=Limits(max_turns=4, max_reply_tokens=8), max_context=4096)
    policy = walker(*said, rollout=rollout)
    return Played(env(), policy, seed=5), policy


def test_a_search_begins_at_this_moment_and_the_game_stays_where_it_is() -> None:
    played, policy = searching("up", *["down", "up"] * 40)
    shown = played("up", ":step", ":search mcts 4")
    assert played.actions == ["up", "up"]
    rows = [line.split() for line in shown.splitlines() if " visits, value " in line]
    found = {row[4]: (int(row[0]), float(row[3].rstrip(":"))) for row in rows}
    assert set(found) == {"up", "down"}
    assert found["up"][1] > found["down"][1]
    assert "best line, reward 2.5: up → up\n" in shown
    visits = [int(row[0]) for row in rows]
    assert visits == sorted(visits, reverse=True)
    assert visits[0] > visits[-1]
    prompts = [CHAT.decode(prompt) for prompt in policy.engine.requests[1:]]  # type: ignore[attr-defined]
    assert all("stair 2" in prompt for prompt in prompts)  # none of what was played is said anew
    played("up")
    assert played.actions == ["up", "up", "up"]


def test_what_cannot_be_searched_is_told() -> None:
    played, _ = searching()
    assert 'no search "mct" branches. Did you mean "mcts"?' in played(":search mct")
    assert 'the search "lookahead" never comes back to a moment' in played(":search lookahead").replace("\n", " ")
    assert "this policy cannot search" in Played(policy=walker())(":search")
    assert "the episode is over" in played("up", "up", "up", "up", ":search")


def test_a_search_on_an_instance_that_comes_to_something_else_is_refused() -> None:
    class Moody(Forks):
        made = 0

        def __init__(self) -> None:
            type(self).made += 1
            self.number = type(self).made

        def step(self, action: str) -> Any:
            observation, *rest = super().step(action)
            return f"{observation} on {self.number}", *rest

    played, _ = searching(env=Moody)
    assert "another instance of the environment comes to something else at turn 1" in played("up", ":search")
