"""What a reward that asks a judge may spend, keeps and is told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import pytest

from agentgym import judge as judging
from agentgym.errors import EngineError, JudgeError, UserError
from agentgym.judge import Answer, Asking, Judge, JudgeSettings
from agentgym.loops import together
from agentgym.types import Message
from agentgym.verdict import Question, question
from tests.unit.rollout.kit import timeless


class Scripted(Judge):
    """Says 1, once it has waited and after it has raised what there is to raise."""

    def __init__(self, *, wait: float = 0.0, num_tokens: int = 10) -> None:
        self.wait, self.num_tokens, self.asked = wait, num_tokens, list[str]()
        self.failures: list[Exception] = []
        self.weights = 0

    @property
    def version(self) -> int:
        return self.weights

    async def ask(self, messages: Sequence[Message], *, max_tokens: int) -> Answer:
        self.asked.append(str(messages[1]["content"]))
        await asyncio.sleep(self.wait)
        if self.failures:
            raise self.failures.pop()
        mark = str(messages[0]["content"]).rpartition("verdict ")[2].partition(" ")[0]
        return Answer(f"verdict {mark} [1]", self.num_tokens)


class Fair(Asking):
    plugin_id = "fair"


def about(name: str) -> Question:
    return question("Be fair.", "0 or 1", {name: "{}"})


def asking(judge: Judge, **settings: object) -> Fair:
    fair = Fair()
    fair.take(JudgeSettings.model_validate(settings))
    fair.appoint(judge)
    return fair


def verdicts(fair: Fair, *names: str) -> list[str]:
    """One after the other."""

    async def ask() -> list[str]:
        return [await fair.ask(about(name)) for name in names]

    return timeless(ask())


def test_nothing_is_asked_twice_of_the_same_weights() -> None:
    judge = Scripted()
    fair = asking(judge)
    assert verdicts(fair, "a", "b", "a") == ["1"] * 3
    assert (len(judge.asked), fair.num_calls, fair.num_tokens) == (2, 2, 20)
    judge.weights = 1
    verdicts(fair, "a", "a")
    assert len(judge.asked) == 3


def test_nor_at_the_same_time() -> None:
    judge = Scripted(wait=1)
    fair = asking(judge)
    assert timeless(together(fair.ask(about(name)) for name in "aabab")) == ["1"] * 5
    assert len(judge.asked) == 2
    assert fair._asked_now == {}


def test_what_failed_is_asked_again() -> None:
    judge = Scripted()
    judge.failures = [EngineError("busy")]
    fair = asking(judge)
    with pytest.raises(JudgeError, match="the judge did not reply: busy"):
        verdicts(fair, "a")
    assert verdicts(fair, "a") == ["1"]


def test_the_oldest_replies_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judging, "_MAX_KEPT", 2)
    judge = Scripted()
    verdicts(asking(judge), "a", "b", "c", "b", "a")
    assert len(judge.asked) == 4


def test_calls_have_a_budget() -> None:
    judge = Scripted()
    fair = asking(judge, max_calls=2)
    assert verdicts(fair, "a", "b", "a", "b") == ["1"] * 4
    with pytest.raises(JudgeError, match=r"spent: 2 of --rewards\.fair\.max_calls 2, and a question needs 1; raise it"):
        verdicts(fair, "c")
    assert len(judge.asked) == 2


def test_tokens_are_set_aside_before_they_are_spent() -> None:
    """A question is about 300 tokens and its reply 50 at most; 10 is what it comes to."""
    needed = about("a").num_bytes // 4 + 50
    judge = Scripted(wait=1)
    fair = asking(judge, max_reply_tokens=50, max_tokens=needed + 10)
    assert verdicts(fair, "a", "b") == ["1", "1"]
    with pytest.raises(JudgeError, match=rf"spent: 20 of --rewards\.fair\.max_tokens {needed + 10}, .* needs {needed}"):
        verdicts(fair, "c")
    fair = asking(judge, max_reply_tokens=50, max_tokens=needed + 10)
    with pytest.raises(JudgeError, match=f"spent: {needed} of"):
        timeless(together(fair.ask(about(name)) for name in "ab"))


@pytest.mark.parametrize(
    ("failure", "says"),
    [
        (EngineError("leaves no room"), "the judge did not reply: leaves no room"),
        (ConnectionResetError("gone"), "the judge did not reply: gone"),
        (TimeoutError("late"), "the judge did not reply: late"),
        (JudgeError("no quorum"), "no quorum"),
    ],
)
def test_a_judge_that_fails_is_told(failure: Exception, says: str) -> None:
    judge = Scripted()
    judge.failures = [failure]
    with pytest.raises(JudgeError, match=says):
        verdicts(asking(judge), "a")


def test_a_judge_that_takes_too_long_is_told() -> None:
    with pytest.raises(JudgeError, match=r"did not reply in 5 s; raise --rewards\.fair\.seconds if it may"):
        verdicts(asking(Scripted(wait=6), seconds=5), "a")
    assert verdicts(asking(Scripted(wait=4), seconds=5), "a") == ["1"]


def test_a_reward_without_a_judge_says_so() -> None:
    with pytest.raises(UserError, match=r"rewards\.fair has no judge to ask"):
        verdicts(Fair(), "a")


def test_of_work_that_is_done_together_none_goes_on_when_some_fails() -> None:
    done: list[int] = []

    async def one(number: int, wait: float, error: type[Exception] | None = None) -> int:
        await asyncio.sleep(wait)
        if error is not None:
            raise error(number)
        done.append(number)
        return number

    assert timeless(together([one(0, 2), one(1, 1)])) == [0, 1]
    make: Callable[[], list[int]] = lambda: timeless(together([one(2, 1), one(3, 2, KeyError), one(4, 3)]))  # noqa: E731
    with pytest.raises(KeyError):
        make()
    assert done == [1, 0, 2]
