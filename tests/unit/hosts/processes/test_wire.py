"""Observations, actions and results are equal after the journey."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from agentgym.errors import EnvError
from agentgym.hosts.processes import wire
from agentgym.hosts.processes.frames import Frames, Packet, framed
from agentgym.types import Action, Observation, StepResult, ToolCall
from tests.unit.hosts.odd import pictures
from tests.unit.hosts.processes.test_frames import TEXT, VALUES

TOOLS = st.lists(st.dictionaries(TEXT, VALUES, max_size=2), max_size=2)
CALLS = st.lists(
    st.builds(ToolCall, name=TEXT, arguments=st.dictionaries(TEXT, VALUES, max_size=2), id=TEXT), max_size=2
)
IMAGES = arrays.arrays(arrays.scalar_dtypes(), arrays.array_shapes(min_dims=0, min_side=0, max_dims=3)) | st.binary()


def sent(packet: Packet) -> Packet:
    [arrived] = Frames().feed(framed(packet))
    return arrived


def same_images(one: Observation, other: Observation) -> bool:
    pairs = list(zip(one.images, other.images, strict=True))
    return all(type(a) is type(b) and np.array_equal(a, b) for a, b in pairs if not isinstance(a, np.ndarray)) and all(
        (a.dtype, a.shape, a.tobytes()) == (b.dtype, b.shape, b.tobytes()) and b.flags.writeable
        for a, b in pairs
        if isinstance(a, np.ndarray)
    )


@given(text=TEXT, admissible=st.none() | st.lists(TEXT, max_size=3), tools=TOOLS, images=st.lists(IMAGES, max_size=3))
def test_observations(
    text: str, admissible: list[str] | None, tools: list[dict[str, object]], images: list[object]
) -> None:
    seen = Observation(text, admissible=admissible, tools=tools, images=images)
    arrived = wire.unpack_observation(sent(wire.pack_observation(seen)))
    assert type(arrived) is Observation
    assert (arrived, arrived.admissible, arrived.tools) == (seen, seen.admissible, seen.tools)
    assert same_images(seen, arrived)


@given(text=TEXT, calls=CALLS)
def test_actions(text: str, calls: list[ToolCall]) -> None:
    action = Action(text, tool_calls=calls)
    arrived = wire.unpack_action(sent(Packet(wire.pack_action(action))).head)
    assert arrived is not None
    assert (arrived, arrived.tool_calls) == (action, action.tool_calls)


def test_no_action() -> None:
    assert wire.unpack_action(sent(Packet(wire.pack_action(None))).head) is None


@given(reward=st.floats(allow_nan=False), flags=st.tuples(st.booleans(), st.booleans()), info=VALUES)
def test_results(reward: float, flags: tuple[bool, bool], info: object) -> None:
    result = StepResult(Observation("x", images=pictures()), reward, *flags, {"value": info})
    arrived = wire.unpack_result(sent(wire.pack_result(result)))
    assert arrived == result
    assert same_images(result.observation, arrived.observation)


@pytest.mark.parametrize("image", [np.array([None]), np.zeros(2, dtype=[("a", "i4")])])
def test_arrays_of_other_things_than_numbers_are_refused(image: object) -> None:
    with pytest.raises(EnvError, match=r"^images\[1\] is an array of"):
        wire.pack_observation(Observation("x", images=[b"", image]))
