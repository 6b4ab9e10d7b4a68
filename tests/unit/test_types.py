"""Observations and actions are strings that carry more; records come back from JSON equal, or are refused."""

from __future__ import annotations

import copy
import json
import math
import pickle
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from agentgym.draw import Draw
from agentgym.types import (
    Action,
    Media,
    Observation,
    Sample,
    SamplingRecord,
    StopReason,
    ToolCall,
    Trajectory,
    Turn,
    succeeded,
)
from tests.kit import episode, sample

SEEN = Observation("a shop", admissible=["look"], tools=[{"name": "add"}], images=[b"png"])
CALLED = Action(tool_calls=[ToolCall(name="add", arguments={"a": 1}, id="7")])


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_copies_of_an_observation_keep_what_it_carries(copied: object) -> None:
    assert callable(copied)
    other = copied(SEEN)
    assert type(other) is Observation
    assert (other, other.admissible, other.tools, other.images) == ("a shop", ("look",), ({"name": "add"},), (b"png",))


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_copies_of_an_action_keep_its_calls(copied: object) -> None:
    assert callable(copied)
    other = copied(CALLED)
    assert type(other) is Action
    assert (other, other.tool_calls) == (CALLED, CALLED.tool_calls)


def test_text_is_the_plain_string() -> None:
    assert type(SEEN.text) is str
    assert type(CALLED.text) is str
    assert SEEN.text == "a shop"


def test_an_observation_of_an_observation_is_itself() -> None:
    assert Observation.of(SEEN) is SEEN
    assert Observation.of("plain").admissible is None


def test_an_empty_list_of_admissible_actions_is_not_an_unknown_one() -> None:
    assert Observation("x", admissible=[]).admissible == ()


def a_trajectory() -> Trajectory:
    sample = Sample(
        token_ids=[5, 6, 7, 2],
        loss_mask=[False, False, True, True],
        logprobs=[0.0, 0.0, -0.1, -1 / 3],
        turn_index=[0, 0, 0, 0],
        policy_versions=[-1, -1, 3, 4],
    )
    turn = Turn(observation="hi\n\u2028ñ€", reply="go", action="go", reward=0.1 + 0.2, breakdown={"environment": 0.1})
    return Trajectory(
        env="webshop",
        task="7",
        seed=2**62,
        episode_id="e",
        turns=[turn],
        samples=[sample],
        stop_reason=StopReason.TURN_LIMIT,
    )


@pytest.mark.parametrize("task", ["7", 7, None])
def test_a_trajectory_comes_back_from_json_equal(task: str | int | None) -> None:
    trajectory = a_trajectory().model_copy(update={"task": task})
    back = Trajectory.model_validate_json(trajectory.model_dump_json())
    assert back == trajectory
    assert type(back.task) is type(task)
    assert back.stop_reason is StopReason.TURN_LIMIT


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_numbers_that_are_not_finite_are_refused(bad: float) -> None:
    with pytest.raises(ValidationError, match=r"reward is .*expected a finite number"):
        Turn(observation="", reply="", reward=bad)
    with pytest.raises(ValidationError, match="shaping is"):
        Turn(observation="", reply="", breakdown={"shaping": bad})
    with pytest.raises(ValidationError, match="logprobs"):
        Sample(token_ids=[1], loss_mask=[True], logprobs=[bad], turn_index=[0], policy_versions=[0])


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"token_ids": [3, -1]}, "token_ids has -1, expected 0 or more"),
        ({"turn_index": [0, -2]}, "turn_index has -2, expected -1 or more"),
        ({"policy_versions": [-1, -2]}, "policy_versions has -2, expected -1 or more"),
        ({"logprobs": [0.0, 0.25]}, "logprobs has 0.25, expected logarithms of probabilities: 0 at most"),
    ],
)
def test_numbers_that_cannot_be_are_refused(changes: dict[str, list[Any]], told: str) -> None:
    """In a file of others they may stand all the same."""
    columns = {"token_ids": [0, 2**31 - 1], "loss_mask": [False, True], "logprobs": [0.0, 1e-4]}
    columns |= {"turn_index": [-1, 0], "policy_versions": [-1, 0]}
    Sample.model_validate(columns)
    with pytest.raises(ValidationError, match=told):
        Sample.model_validate({**columns, **changes})
    with pytest.raises(ValidationError, match=told):
        Sample.model_validate_json(json.dumps({**columns, **changes}))


def test_lists_of_unequal_length_are_refused() -> None:
    with pytest.raises(ValidationError, match=r"must have equal length, found .*'token_ids': 2"):
        Sample(token_ids=[1, 2], loss_mask=[True], logprobs=[0.0], turn_index=[0], policy_versions=[0])


def test_a_sample_written_when_its_columns_were_lists_is_read() -> None:
    line = (
        '{"token_ids":[5,6,7,2],"loss_mask":[false,false,true,true],"logprobs":[0.0,0.0,-0.1,-0.3333333333333333],'
        '"turn_index":[0,0,0,0],"policy_versions":[-1,-1,3,4]}'
    )
    sample = Sample.model_validate_json(line)
    assert sample == a_trajectory().samples[0]
    types = [getattr(sample, name).dtype for name in Sample.model_fields if name != "media"]
    assert types == [np.int32, np.bool_, np.float32, np.int32, np.int32]
    assert json.loads(sample.model_dump_json())["token_ids"] == [5, 6, 7, 2]


def test_samples_that_differ_in_a_token_are_not_equal() -> None:
    one, other = a_trajectory(), a_trajectory()
    assert one == other
    other.samples[0].policy_versions[3] = 5
    assert one != other


def test_who_said_what() -> None:
    """By the policy, then by the expert."""
    episode = a_trajectory()
    (sample,) = episode.samples
    assert episode.sampled(sample).tolist() == sample.loss_mask.tolist()
    assert not episode.said_by_expert(sample).any()
    shown = episode.model_copy(update={"role": "expert"})
    assert shown.said_by_expert(sample).tolist() == sample.loss_mask.tolist()
    assert not shown.sampled(sample).any()


def test_unknown_fields_are_refused() -> None:
    with pytest.raises(ValidationError, match="Extra inputs"):
        Turn.model_validate({"observation": "", "reply": "", "rewrad": 1.0})


def test_sums_over_a_trajectory() -> None:
    trajectory = a_trajectory()
    assert trajectory.reward == pytest.approx(0.3)
    assert trajectory.num_tokens == 4
    assert trajectory.samples[0].num_trained == 2


def test_every_stop_reason_is_an_end_a_cut_or_void() -> None:
    ends = {StopReason.TERMINATED, StopReason.INVALID_LIMIT}
    cuts = {reason for reason in StopReason if reason.is_truncated}
    void = {reason for reason in StopReason if reason.is_void}
    assert cuts == {StopReason.TRUNCATED, StopReason.TURN_LIMIT, StopReason.CONTEXT_LIMIT}
    assert void == {StopReason.ENV_ERROR, StopReason.ABORTED, StopReason.DEADLINE}
    assert ends | cuts | void == set(StopReason)
    assert len(ends) + len(cuts) + len(void) == len(StopReason)


@pytest.mark.parametrize(
    ("info", "total", "success"),
    [
        ({}, 1.0, True),
        ({}, 1.5, True),
        ({}, 0.9999, False),
        ({}, 0.0, False),
        ({"success": False}, 5.0, False),
        ({"success": True}, -1.0, True),
        ({"success": np.bool_(True)}, 0.0, True),
    ],
)
def test_success_is_said_by_the_environment_or_is_a_reward_of_one(
    info: dict[str, bool], total: float, success: bool
) -> None:
    assert succeeded(info, total) is success


def test_what_shapers_added_is_in_the_reward_and_not_in_the_environment_s() -> None:
    one = episode(0.5, 0.25, shaped=2.0)
    assert (one.reward, one.environment_reward) == (4.75, 0.75)
    one.turns[0].breakdown = {}
    assert (one.reward, one.environment_reward) == (4.75, 0.25)
    assert (episode().reward, episode().environment_reward) == (0, 0)


@pytest.mark.parametrize("stop", StopReason)
def test_what_is_void_or_not_shaped_is_unfit(stop: StopReason) -> None:
    is_void = stop in (StopReason.ENV_ERROR, StopReason.ABORTED, StopReason.DEADLINE)
    assert episode(1.0, stop=stop).unfit == ("void" if is_void else "")
    assert episode(1.0, stop=stop, shaping_error="down").unfit == ("void" if is_void else "not shaped")
    assert episode(1.0, stop=stop, shaping_error="").unfit == ("void" if is_void else "not shaped")


def led(*roles: Any, role: Any = "policy", version: int = 0) -> Trajectory:
    one = episode(*[0.0] * len(roles), role=role, samples=[sample([[7]] * len(roles), version=version)])
    for turn, who in zip(one.turns, roles, strict=True):
        turn.role = who
    return one


@pytest.mark.parametrize(
    ("one", "shown"),
    [
        (led(None, None), set()),
        (led("expert", None), {0}),
        (led(None, "expert"), {1}),
        (led(None, None, role="expert"), {0, 1}),
        (led(None, "policy", role="expert"), {0}),
        (led("partner", None, role="partner"), set()),
    ],
)
def test_the_expert_s_turns_are_its_own_and_those_of_its_episodes(one: Trajectory, shown: set[int]) -> None:
    assert one.shown == shown
    (tokens,) = one.samples  # for each turn one that was seen, and one that was said
    expected = [said for turn in (0, 1) for said in (False, turn in shown)]
    assert one.said_by_expert(tokens).tolist() == expected
    assert one.sampled(tokens).tolist() == [
        said and not of for said, of in zip([False, True] * 2, expected, strict=True)
    ]


def test_the_first_weights_sample_like_any_others() -> None:
    one = led(None, version=0)
    (tokens,) = one.samples
    assert tokens.policy_versions.tolist() == [-1, 0]
    assert one.sampled(tokens).tolist() == [False, True]


def test_images_are_those_of_the_turns_and_of_the_samples_each_once() -> None:
    one = led(None, None)
    one.turns[0].media, one.turns[1].media, one.samples[0].media = ["a", "b"], ["b"], ["b", "c"]
    assert one.media == {"a", "b", "c"}
    assert episode(0.0).media == set()


def test_a_record_of_nothing_is_empty() -> None:
    assert (
        Sample().model_dump()
        == Sample(token_ids=[], loss_mask=[], logprobs=[], turn_index=[], policy_versions=[]).model_dump()
    )
    assert (Sample().num_trained, Sample().media) == (0, [])
    assert Turn(observation="o", reply="r").model_dump() == {
        "observation": "o",
        "reply": "r",
        "action": None,
        "reward": 0.0,
        "breakdown": {},
        "channels": {},
        "tool_calls": [],
        "media": [],
        "value": None,
        "visits": None,
        "critic": None,
        "error": None,
        "is_summary": False,
        "role": None,
    }
    one = Trajectory(env="e", task=None, seed=0, episode_id="x")
    assert (one.terminated, one.truncated, one.success, one.attempt, one.strength) == (False, False, False, 0, 0.0)
    assert (one.turns, one.samples, one.options, one.channels, one.level) == ([], [], {}, {}, None)
    assert Draw(task=0) == Draw(task=0, options={}, level=None, strength=None)


def test_an_image_is_not_shown_in_a_log() -> None:
    assert repr(Media(digest="d", data=b"secret")) == "Media(digest='d')"


def test_tokens_are_counted_over_all_samples() -> None:
    one = episode(0.0, samples=[sample([[1, 2]]), sample([[3], [4]])])
    assert (one.num_tokens, [each.num_trained for each in one.samples]) == (7, [2, 2])


def test_an_action_without_text_is_its_calls_as_json() -> None:
    calls = [ToolCall(name="add", arguments={"a": 1}, id="7"), ToolCall(name="say", arguments={})]
    assert Action(tool_calls=calls) == '[{"name": "add", "arguments": {"a": 1}}, {"name": "say", "arguments": {}}]'
    assert (Action(), Action().tool_calls) == ("", ())
    spoken = Action("adding", tool_calls=calls)
    assert (spoken, spoken.tool_calls) == ("adding", tuple(calls))
    assert Action.of(spoken) is spoken
    assert type(Action.of("x")) is Action


def test_a_record_is_not_made_with_channels_that_are_no_numbers() -> None:
    with pytest.raises(ValidationError, match="way is nan, expected a finite number"):
        Turn(observation="", reply="", channels={"way": math.nan})


def test_how_tokens_were_sampled_is_on_record_and_unknown_in_older_files() -> None:
    one = Trajectory(env="e", task=None, seed=0, episode_id="x", sampling=SamplingRecord(temperature=0.7, top_k=5))
    assert Trajectory.model_validate_json(one.model_dump_json()).sampling == one.sampling
    older = one.model_dump(mode="json")
    del older["sampling"]
    assert Trajectory.model_validate(older).sampling is None


@pytest.mark.parametrize(
    ("sampling", "is_plain", "said"),
    [
        ({}, True, "temperature 1"),
        ({"temperature": 0.0}, False, "temperature 0"),
        ({"temperature": 0.7, "top_p": 0.95}, False, "temperature 0.7, top_p 0.95"),
        ({"top_k": 20, "min_p": 0.05}, False, "temperature 1, top_k 20, min_p 0.05"),
    ],
)
def test_a_policy_s_own_distribution_is_at_temperature_1_without_filters(
    sampling: dict[str, Any], is_plain: bool, said: str
) -> None:
    record = SamplingRecord(**sampling)
    assert (record.is_plain, str(record)) == (is_plain, said)
