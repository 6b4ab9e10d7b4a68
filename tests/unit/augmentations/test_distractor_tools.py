"""Tools that there are not, among those that there are."""

from __future__ import annotations

import json
from typing import Any

import pytest

import agentgym
from agentgym.augmentations.distractor_tools import DISTRACTORS, DistractorTools
from agentgym.config import validated
from agentgym.errors import ConfigError, UserError
from agentgym.registry import plugins
from agentgym.types import Action, Observation, ToolCall


def names(seen: Observation) -> list[str]:
    return [tool["function"]["name"] for tool in seen.tools]


REAL = names(agentgym.make("policydesk").reset(seed=0)[0])
UNREAL = [tool["function"]["name"] for tool in DISTRACTORS]


@pytest.mark.parametrize(
    ("strength", "count", "num"), [(1.0, 4, 4), (0.5, 4, 2), (0.1, 4, 0), (1.0, 16, 16), (0, 4, 0)]
)
def test_strength_is_the_share_that_is_shown(strength: float, count: int, num: int) -> None:
    env = DistractorTools(agentgym.make("policydesk"), count=count)
    seen, _ = env.reset(seed=0, options={"strength": strength})
    assert [name for name in names(seen) if name in REAL] == REAL  # in their own order
    assert len(names(seen)) == len({*names(seen)}) == len(REAL) + num
    assert {*names(seen)} <= {*REAL, *UNREAL}


def test_they_are_the_same_all_episode_and_others_in_the_next() -> None:
    env = DistractorTools(agentgym.make("policydesk"))
    first, _ = env.reset(seed=0, options={"strength": 1})
    then, *_ = env.step("get_order(order='x')")
    assert names(then) == names(first)
    assert len({tuple(names(env.reset(seed=seed, options={"strength": 1})[0])) for seed in range(8)}) > 4


def test_who_calls_one_is_told_that_there_is_no_such_tool() -> None:
    env = DistractorTools(agentgym.make("policydesk"))
    seen, _ = env.reset(seed=0, options={"strength": 1})
    name = next(name for name in names(seen) if name in UNREAL)
    for action in (f'{name}(room="a")', Action(tool_calls=[ToolCall(name=name, arguments={"room": "a"})])):
        answer, reward, terminated, truncated, info = env.step(action)
        assert answer.startswith(f'There is no tool "{name}".')
        assert (reward, terminated, truncated) == (0.0, False, False)
        assert "invalid_action" in info


def test_a_name_that_is_taken_is_not_shown_twice() -> None:
    class Gardener(agentgym.ToolEnv):
        def start(self, task: Any) -> str:
            return "begin"

        @agentgym.tool
        def water_plants(self) -> str:
            """Water all."""
            return "done"

    seen, _ = DistractorTools(Gardener(), count=16).reset(seed=0, options={"strength": 1})
    assert sorted(names(seen)) == sorted(UNREAL)


def test_their_schemas_are_as_chat_templates_take_them() -> None:
    for tool in DISTRACTORS:
        assert tool == json.loads(json.dumps(tool))
        assert {*tool["function"]["parameters"]["required"]} == {*tool["function"]["parameters"]["properties"]}


def test_without_tools_it_does_not_fit() -> None:
    with pytest.raises(UserError, match=r'"distractor-tools" does not fit .* "blocksworld": .* no schemas of tools'):
        DistractorTools(agentgym.make("blocksworld")).reset(seed=0, options={"strength": 1})


@pytest.mark.parametrize("count", [0, 17, -1, "all"])
def test_a_number_that_there_is_not_is_refused(count: Any) -> None:
    with pytest.raises(ConfigError, match=r"count"):
        validated(plugins("augmentations").settings("distractor-tools"), {"count": count})
