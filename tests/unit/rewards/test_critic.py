"""A critic's score as a reward, whichever it is."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import pytest

import agentgym
from agentgym.config import Choice, long_form
from agentgym.critics.judge import JudgeCritic
from agentgym.errors import ConfigError, UnknownIdError
from agentgym.flags import parse_flags
from agentgym.launch.judging import appoint
from agentgym.rewards.critic import ByCritic
from agentgym.rollout.shaping import Weighted, shape
from agentgym.types import Trajectory
from tests.kit import episode
from tests.unit.rewards.judges import Reads, appointed

JUDGE = {"id": "judge", "rubric": "Be polite."}


def built(**critic: Any) -> ByCritic:
    made: ByCritic = agentgym.plugins("rewards").build("critic", {"critic": critic or JUDGE})
    return made


def said(reply: str, num_turns: int = 2) -> Trajectory:
    one = episode(*[0.0] * num_turns, episode_id=reply)
    for turn in one.turns:
        turn.reply = reply
    return one


def polite(text: str) -> str:
    return "8" if "please" in text else "odd" if "odd" in text else "2"


def test_an_episode_is_paid_its_score_on_its_last_turn() -> None:
    reward = built()
    appointed(reward.critic, Reads(polite))
    group = [said("please"), said("", 0), said("now", 1)]
    assert asyncio.run(reward.shape(group)) == [[0.0, 0.8], [], [0.2]]
    assert asyncio.run(reward.shape([said("", 0)])) == [[]]
    assert not reward.is_invariant


def test_a_critic_that_fails_takes_the_group_out_of_learning() -> None:
    reward = built()
    appointed(reward.critic, Reads(polite))
    group = [said("please"), said("odd")]
    asyncio.run(shape(group, [Weighted("critic", 1.0, reward)]))
    assert all("the judge's verdict is 'odd'" in str(member.shaping_error) for member in group)
    assert all("critic" not in turn.breakdown for member in group for turn in member.turns)


def test_it_opens_and_closes_its_critic() -> None:
    class Counted(JudgeCritic):
        opened = closed = 0

        async def open(self) -> None:
            self.opened += 1

        async def close(self) -> None:
            self.closed += 1

    reward = built()
    reward.critic = counted = Counted("Be polite.")

    async def both() -> None:
        await reward.open()
        await reward.close()

    asyncio.run(both())
    assert (counted.opened, counted.closed) == (1, 1)


def test_its_judge_is_appointed_with_the_run() -> None:
    reward = built(**JUDGE, judge="policy")

    async def go() -> None:
        async with contextlib.AsyncExitStack() as closing:
            policy: Any = type("Policy", (), {"tokenizer": None})
            await appoint([reward], "the engine", policy, sessions=1, closing=closing)  # type: ignore[arg-type]

    asyncio.run(go())
    assert reward.critic._judge.engine == "the engine"  # type: ignore[attr-defined]
    assert reward.critic.flag == "rewards.critic.critic"  # type: ignore[attr-defined]


def test_a_critic_is_typed_like_any_choice() -> None:
    typed = parse_flags(
        ["--rewards.critic", "0.5", "--rewards.critic.critic", "judge", "--rewards.critic.critic.rubric", "a"]
    )
    assert typed == {"rewards": {"critic": {"weight": 0.5, "critic": {"id": "judge", "rubric": "a"}}}}
    assert parse_flags(["--search.critic", "judge"]) == {"search": {"critic": {"id": "judge"}}}
    assert long_form({"rewards": {"critic": {"critic": "judge"}}}) == {
        "rewards": {"critic": {"critic": {"id": "judge"}}}
    }
    assert isinstance(ByCritic(Choice(**JUDGE)).critic, JudgeCritic)
    assert isinstance(agentgym.plugins("rewards").build("critic", {"critic": JUDGE}).critic, JudgeCritic)


@pytest.mark.parametrize(
    ("critic", "says"),
    [
        ({"id": "judge"}, r"rewards\.critic\.critic\.rubric: Field required"),
        (
            {"id": "judge", "rubric": "a", "rubic": "b"},
            r'unknown key "rewards\.critic\.critic\.rubic"\. Did you mean "rubric"',
        ),
    ],
)
def test_what_a_critic_does_not_take_is_told(critic: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        built(**critic)


def test_a_critic_that_there_is_not_is_told() -> None:
    with pytest.raises(UnknownIdError, match='unknown critic "jugde"'):
        built(id="jugde")
    with pytest.raises(ConfigError, match=r"rewards\.critic\.critic: Field required"):
        agentgym.plugins("rewards").build("critic", {})
