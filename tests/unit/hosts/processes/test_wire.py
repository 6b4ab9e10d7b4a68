"""Observations, actions and results are equal after the journey."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from agentgym.hosts.processes import wire
from agentgym.hosts.processes.frames import Frames, Packet, framed
from agentgym.media import as_media
from agentgym.tools.calls import Untyped
from agentgym.types import Action, Media, Observation, StepResult, TaskId, ToolCall
from tests.unit.hosts.odd import pictures
from tests.unit.hosts.processes.test_frames import TEXT, VALUES

TOOLS = st.lists(st.dictionaries(TEXT, VALUES, max_size=2), max_size=2)
CALLS = st.lists(
    st.builds(ToolCall, name=TEXT, arguments=st.dictionaries(TEXT, VALUES, max_size=2), id=TEXT), max_size=2
)
IMAGES = arrays.arrays(np.uint8, st.tuples(st.integers(1, 4), st.integers(1, 4), st.just(3))).map(as_media)


def sent(packet: Packet) -> Packet:
    [arrived] = Frames().feed(framed(packet))
    return arrived


@given(text=TEXT, admissible=st.none() | st.lists(TEXT, max_size=3), tools=TOOLS, images=st.lists(IMAGES, max_size=3))
def test_observations(
    text: str, admissible: list[str] | None, tools: list[dict[str, object]], images: list[Media]
) -> None:
    seen = Observation(text, admissible=admissible, tools=tools, images=images)
    arrived = wire.unpack_observation(sent(wire.pack_observation(seen)))
    assert type(arrived) is Observation
    assert (arrived, arrived.admissible, arrived.tools) == (seen, seen.admissible, seen.tools)
    assert arrived.images == seen.images


@given(text=TEXT, calls=CALLS)
def test_actions(text: str, calls: list[ToolCall]) -> None:
    action = Action(text, tool_calls=calls)
    arrived = wire.unpack_action(sent(Packet(wire.pack_action(action))).head)
    assert arrived is not None
    assert (arrived, arrived.tool_calls) == (action, action.tool_calls)


def test_values_without_a_type_arrive_without_one() -> None:
    action = Action(tool_calls=[ToolCall(name="a", arguments={"x": Untyped("1"), "y": "2"}, id="7")])
    arrived = wire.unpack_action(sent(Packet(wire.pack_action(action))).head)
    assert arrived is not None
    assert arrived.tool_calls == action.tool_calls
    assert [type(value) for value in arrived.tool_calls[0].arguments.values()] == [Untyped, str]


@pytest.mark.parametrize("tasks", [range(10**12), range(9, 0, -2), [], ["a", 3]], ids=str)
def test_tasks(tasks: Sequence[TaskId]) -> None:
    assert wire.unpack_tasks(sent(Packet(wire.pack_tasks(tasks))).head) == tasks


def test_no_action() -> None:
    assert wire.unpack_action(sent(Packet(wire.pack_action(None))).head) is None


@given(reward=st.floats(allow_nan=False), flags=st.tuples(st.booleans(), st.booleans()), info=VALUES)
def test_results(reward: float, flags: tuple[bool, bool], info: object) -> None:
    result = StepResult(Observation("x", images=list(map(as_media, pictures()))), reward, *flags, {"value": info})
    arrived = wire.unpack_result(sent(wire.pack_result(result)))
    assert arrived == result
    assert arrived.observation.images == result.observation.images
