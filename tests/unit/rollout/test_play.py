"""One attempt at an episode: exactly where a limit cuts it, what is on record, and what its end is called."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import pytest

from agentgym.engine import Completion
from agentgym.errors import EnvError, UserError
from agentgym.media import as_media
from agentgym.protocols.plain import Plain
from agentgym.rollout import Episode, Limits
from agentgym.rollout.play import Play
from agentgym.types import Action, Observation, StopReason, ToolCall, Trajectory
from tests.unit.rollout.kit import TOKENIZER, Stage, play_of, said, says, seen, spec, timeless

GO_ON = Limits(max_turns=3)
LONG = "long " * 50


def run(play: Play) -> Trajectory:
    timeless(play.run())
    return play.trajectory


def prompt_lengths(*replies: str, first: str = "go") -> list[int]:
    """How many tokens the context holds when each reply is asked for, where there is room for all."""
    lengths: list[int] = []
    actor = says(*replies)

    async def act(episode: Episode) -> Completion:
        lengths.append(len(episode.stream.token_ids))
        return await actor(episode)

    run(play_of(Stage(seen(), first=first), act, Limits(max_turns=len(replies), max_reply_tokens=10_000)))
    return lengths


# -- turns -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", [1, 2, 5])
def test_as_many_turns_are_played_as_the_limit_says(limit: int) -> None:
    stage = Stage(seen())
    trajectory = run(play_of(stage, limits=Limits(max_turns=limit)))
    assert (len(trajectory.turns), len(stage.actions)) == (limit, limit)
    assert trajectory.stop_reason is StopReason.TURN_LIMIT


def test_an_end_in_the_last_turn_is_an_end_and_no_cut() -> None:
    trajectory = run(play_of(Stage(seen(), seen(over=True)), limits=Limits(max_turns=2)))
    assert trajectory.stop_reason is StopReason.TERMINATED
    assert (trajectory.terminated, trajectory.truncated) == (True, False)
    both = run(play_of(Stage(seen(over=True, cut=True))))
    assert both.stop_reason is StopReason.TERMINATED


def test_the_limit_is_the_environment_s_as_its_reset_left_it() -> None:
    class Changes(Stage):
        async def reset(self, seed: int, options: dict[str, Any] | None) -> Any:
            self.max_turns, self.instructions = 2, "New rules."
            return await super().reset(seed, options)

    actor = says()
    trajectory = run(play_of(Changes(seen()), actor, of=spec(preface="Somebody tried.")))
    assert len(trajectory.turns) == 2
    assert actor.shown[0] == ["New rules.\n\nSomebody tried.", "go"]


def test_without_instructions_there_is_no_empty_opening() -> None:
    actor = says()
    run(play_of(Stage(), actor))
    assert actor.shown == [["go"]]


def test_playing_until_a_turn_stops_there_and_goes_on_later() -> None:
    async def go() -> None:
        stage = Stage(seen())
        play = play_of(stage, limits=GO_ON)
        await play.run(until=0)
        assert (stage.resets, stage.actions) == ([(7, None)], [])
        await play.run(until=2)
        assert (len(stage.actions), play.is_over) == (2, False)
        assert len(play.trajectory.samples) == 1
        await play.run()
        assert (len(stage.actions), len(stage.resets), play.is_over) == (3, 1, True)

    timeless(go())


def test_the_environment_is_given_seed_options_and_task() -> None:
    stage = Stage()
    run(play_of(stage, of=spec(task=4, seed=11, options={"size": 2})))
    assert stage.resets == [(11, {"size": 2, "task": 4})]


def test_every_reply_and_every_step_is_a_sign_of_life() -> None:
    beats: list[str] = []
    run(play_of(Stage(seen()), says("on", " ", "on"), GO_ON, beat=lambda: beats.append("")))
    assert len(beats) == 5  # three replies, one of which cannot be parsed, and two steps


# -- what is paid ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rewards", "info", "success"),
    [
        ([0.5, 0.5], {}, True),
        ([1.0, 0.0], {}, True),
        ([-0.5, 1.0], {}, False),
        ([0.5, 0.4375], {}, False),
        ([1.0, 1.0], {"success": False}, False),
        ([0.0, 0.0], {"success": True}, True),
    ],
)
@pytest.mark.parametrize("end", ["over", "cut"])
def test_success_is_what_the_environment_says_or_all_rewards_together(
    rewards: list[float], info: dict[str, bool], success: bool, end: str
) -> None:
    first, last = rewards
    ended: dict[str, Any] = {end: True, **info}
    assert run(play_of(Stage(seen("a", first), seen("b", last, **ended)))).success is success


def test_an_episode_that_a_limit_cuts_is_no_success_whatever_it_was_paid() -> None:
    trajectory = run(play_of(Stage(seen("a", 5.0)), limits=Limits(max_turns=1)))
    assert (trajectory.success, trajectory.environment_reward) == (False, 5.0)


def test_what_the_environment_reports_is_on_the_record_of_its_turn() -> None:
    stage = Stage(seen("a", 0.25, channels={"way": 1.0}), seen("b", 0.5, over=True))
    stage.info = {"channels": {"way": 0.5}}
    trajectory = run(play_of(stage, says("left", "right")))
    assert trajectory.channels == {"way": 0.5}
    assert [(t.observation, t.action, t.reward, t.breakdown, t.channels) for t in trajectory.turns] == [
        ("go", "left", 0.25, {"environment": 0.25}, {"way": 1.0}),
        ("a", "right", 0.5, {"environment": 0.5}, {}),
    ]
    assert trajectory.final_observation == "b"


def test_the_calls_of_an_action_are_on_record() -> None:
    class Calls(Plain):
        def parse(self, reply: str) -> Action:
            return Action(tool_calls=[ToolCall(name=reply, arguments={"a": 1})])

    play = play_of(Stage(), says("add"))
    play.protocol = Calls()
    (turn,) = run(play).turns
    assert (turn.action, turn.tool_calls) == (
        '[{"name": "add", "arguments": {"a": 1}}]',
        [ToolCall(name="add", arguments={"a": 1})],
    )


def test_the_images_of_a_turn_are_those_seen_before_it_and_all_are_kept() -> None:
    one, two, three = (as_media(np.full((2, 2, 3), shade, np.uint8)) for shade in (31, 32, 33))
    stage = Stage(seen("a", images=[two]), seen("b", over=True, images=[three]))
    stage.first = Observation("go", images=[one])
    trajectory = run(play_of(stage))
    assert [turn.media for turn in trajectory.turns] == [[one.digest], [two.digest]]
    assert all(image.digest in TOKENIZER.store for image in (one, two, three))


@pytest.mark.parametrize(("shown", "roles"), [(0, [None] * 3), (2, ["expert", "expert", None]), (3, ["expert"] * 3)])
def test_so_many_turns_are_the_expert_s(shown: int, roles: list[str | None]) -> None:
    trajectory = run(play_of(Stage(seen()), limits=GO_ON, of=spec(shown_turns=shown)))
    assert [turn.role for turn in trajectory.turns] == roles


# -- invalid actions ---------------------------------------------------------------------------------------


def test_invalid_actions_are_counted_over_the_whole_episode() -> None:
    bad, good = seen("?", invalid_action="no"), seen()
    stage = Stage(bad, good, bad, good, bad, good)
    trajectory = run(play_of(stage, limits=Limits(max_invalid_actions=2)))
    assert trajectory.stop_reason is StopReason.INVALID_LIMIT
    assert [turn.error for turn in trajectory.turns] == ["no", None, "no", None, "no"]
    assert (trajectory.terminated, trajectory.final_observation) == (True, "?")


def test_an_invalid_action_with_which_the_episode_ends_is_on_record() -> None:
    for last in (seen("?", over=True, invalid_action="no"), seen("?", cut=True, invalid_action="no")):
        trajectory = run(play_of(Stage(last), says("a")))
        assert [turn.error for turn in trajectory.turns] == ["no"]
        assert trajectory.stop_reason in (StopReason.TERMINATED, StopReason.TRUNCATED)


def test_without_a_limit_invalid_actions_end_nothing() -> None:
    trajectory = run(play_of(Stage(seen("?", invalid_action="no")), says("a", " "), Limits(max_turns=8)))
    assert (len(trajectory.turns), trajectory.stop_reason) == (8, StopReason.TURN_LIMIT)


def test_a_reply_that_cannot_be_parsed_is_complained_of_and_seen_by_the_policy() -> None:
    stage, actor = Stage(seen(over=True)), says(" ", "on")
    run(play_of(stage, actor))
    assert stage.actions == ["on"]
    assert actor.shown[1] == ["go", " ", "Your reply was empty. Reply with an action."]


# -- the context -------------------------------------------------------------------------------------------


def test_a_first_observation_fits_where_one_token_is_left_and_not_where_none_is() -> None:
    (length,) = prompt_lengths("on")
    actor = says("o")
    run(play_of(Stage(), actor, max_context=length + 1))
    assert actor.room == [1]
    with pytest.raises(UserError, match=f"takes {length} tokens, the context holds {length}; choose a larger"):
        run(play_of(Stage(), max_context=length))


@pytest.mark.parametrize("by", ["engine", "user"])
def test_an_episode_is_cut_where_no_token_is_left_and_not_where_one_is(by: str) -> None:
    second = prompt_lengths("on", "on")[1]

    def played(budget: int) -> tuple[Trajectory, list[int]]:
        actor = says("on")
        told = Limits(max_turns=2, context_tokens=budget if by == "user" else 10_000, max_reply_tokens=10_000)
        trajectory = run(play_of(Stage(seen()), actor, told, max_context=10_000 if by == "user" else budget))
        return trajectory, actor.room

    trajectory, room = played(second)
    assert (trajectory.stop_reason, len(trajectory.turns)) == (StopReason.CONTEXT_LIMIT, 1)
    assert trajectory.truncated
    trajectory, room = played(second + 1)
    assert (trajectory.stop_reason, len(trajectory.turns)) == (StopReason.TURN_LIMIT, 2)
    assert room[1] == 1


@pytest.mark.parametrize("missing", [0, 1, 3])
def test_nothing_is_on_record_that_no_reply_followed(missing: int) -> None:
    """Its tokens would be of a turn that there is not, and beyond what the engine can read."""
    budget = prompt_lengths("on", "on")[1] - missing
    trajectory = run(play_of(Stage(seen()), says("on"), max_context=budget))
    (sample,) = trajectory.samples
    assert sample.loss_mask[-1]
    assert max(sample.turn_index) == len(trajectory.turns) - 1 == 0
    assert len(sample.token_ids) <= budget


@pytest.mark.parametrize(
    ("wanted", "turns", "room", "shown"),
    [(True, 1, 0, True), (True, 1, -1, False), (False, 1, 0, False), (True, 2, 0, True), (True, 2, -1, False)],
)
def test_what_an_episode_was_cut_short_before_is_shown_if_wanted_where_it_fits(
    wanted: bool, turns: int, room: int, shown: bool
) -> None:
    """By the turn limit, after one turn, or by the context, where a second would have no room for a token."""
    second = prompt_lengths("on", "on")[1]
    limits = Limits(max_turns=turns, max_reply_tokens=10_000)
    trajectory = run(play_of(Stage(seen()), says("on"), limits, of=spec(shows_end=wanted), max_context=second + room))
    (sample,) = trajectory.samples
    assert len(trajectory.turns) == 1
    assert trajectory.stop_reason is (StopReason.TURN_LIMIT if turns == 1 else StopReason.CONTEXT_LIMIT)
    assert (len(sample.token_ids) == second) == shown
    assert sample.loss_mask[-1] != shown


def test_an_episode_that_ends_shows_no_end() -> None:
    trajectory = run(play_of(Stage(seen(over=True)), says("on"), of=spec(shows_end=True)))
    assert trajectory.samples[0].loss_mask[-1]


def test_a_reply_has_the_room_that_is_left_and_no_more_than_it_may() -> None:
    (length,) = prompt_lengths("on")
    for budget, allowed, room in [(length + 9, 8, 8), (length + 8, 8, 8), (length + 7, 8, 7)]:
        actor = says()
        run(play_of(Stage(), actor, Limits(max_reply_tokens=allowed), max_context=budget))
        assert actor.room == [room]


def test_no_more_observations_are_left_out_than_must_be() -> None:
    """Each "seen" is 4 bytes, and 30 where it is left out: long ones are left out, here of 100."""
    long = "x" * 100

    def shown(budget: int) -> list[str]:
        actor = says("on")
        stage = Stage(*[seen(f"{number}{long}") for number in range(4)], first=f"f{long}")
        told = Limits(max_turns=4, context_tokens=budget, on_overflow="keep-last", keep_observations=3)
        run(play_of(stage, actor, told))
        return [text[0] for text in actor.shown[-1] if text != "on"]

    lengths: list[int] = []

    async def act(episode: Episode) -> Completion:
        lengths.append(len(episode.stream.token_ids))
        return said("on")

    run(play_of(Stage(*[seen(f"{n}{long}") for n in range(4)], first=f"f{long}"), act, Limits(max_turns=4)))
    whole, saved = lengths[-1], 101 - len("(earlier observation left out)")
    assert shown(whole + 1) == ["f", "0", "1", "2"]
    assert shown(whole) == ["(", "0", "1", "2"]
    assert shown(whole - saved + 1) == ["(", "0", "1", "2"]
    assert shown(whole - saved) == ["(", "(", "1", "2"]
    assert shown(whole - 2 * saved) == ["(", "(", "(", "2"]


def test_what_does_not_fit_with_the_last_observation_alone_is_cut() -> None:
    stage = Stage(seen("x" * 500))
    told = Limits(context_tokens=400, on_overflow="keep-last", keep_observations=5)
    trajectory = run(play_of(stage, limits=told))
    assert (trajectory.stop_reason, len(trajectory.turns)) == (StopReason.CONTEXT_LIMIT, 1)


def test_the_policy_sums_up_with_the_room_that_the_engine_has_left_and_acts_again() -> None:
    second = prompt_lengths("on", "on", first=LONG)[1]
    actor = says("on", "all is well", "on")
    told = Limits(max_turns=3, context_tokens=second, on_overflow="summarize", max_reply_tokens=50)
    trajectory = run(play_of(Stage(seen(), seen(over=True), first=LONG), actor, told, of=spec(shown_turns=2)))
    assert actor.summaries == [False, True, False]
    assert [turn.is_summary for turn in trajectory.turns] == [False, True, False]
    assert [turn.role for turn in trajectory.turns] == ["expert", "expert", None]
    assert [turn.observation for turn in trajectory.turns] == [LONG, "seen", "seen"]
    assert actor.room[1] == 50
    assert actor.shown[2] == ["What happened so far, in your own words:\nall is well\n\nseen"]


@pytest.mark.parametrize(("spare", "turns"), [(0, 1), (1, 2)])
def test_a_summary_needs_one_token(spare: int, turns: int) -> None:
    second = prompt_lengths("on", "on")[1]
    asked: list[int] = []

    async def act(episode: Episode) -> Completion:
        asked.append(len(episode.stream.token_ids))
        return said("on")

    told = Limits(max_turns=9, context_tokens=second, on_overflow="summarize")
    run(play_of(Stage(seen()), act, told))
    actor = says("on", "o")
    trajectory = run(play_of(Stage(seen()), actor, told, max_context=asked[1] + spare))
    assert trajectory.stop_reason is StopReason.CONTEXT_LIMIT or spare
    assert len(trajectory.turns[:2]) == turns
    assert actor.room[1:2] == [1] * spare


def test_a_summary_is_a_turn_of_the_limit() -> None:
    second = prompt_lengths("on", "on", first=LONG)[1]
    told = Limits(max_turns=3, context_tokens=second, on_overflow="summarize")
    stage = Stage(seen(), first=LONG)
    trajectory = run(play_of(stage, says("on"), told))
    assert (len(trajectory.turns), len(stage.actions)) == (3, 2)


def test_long_observations_are_clipped_at_the_limit() -> None:
    actor = says()
    run(play_of(Stage(first="abcdef"), actor, Limits(max_observation_chars=6)))
    assert actor.shown == [["abcdef"]]
    actor = says()
    run(play_of(Stage(first="abcdef"), actor, Limits(max_observation_chars=5)))
    assert actor.shown == [["abc\n(1 characters left out)\nef"]]


# -- deadlines ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("call", ["reset", "step"])
def test_a_call_that_hangs_is_cancelled_and_the_episode_void(call: str) -> None:
    stage = Stage(hangs=[call])
    trajectory = run(play_of(stage, of=spec(task="t")))
    assert stage.cancelled == [call]
    assert trajectory.stop_reason is StopReason.ENV_ERROR
    assert trajectory.error == (
        f"Stage: {call} took longer than 300 s (task 't', seed 7); raise --rollout.step_seconds if it may"
    )
    assert (trajectory.final_observation, trajectory.success) == ("", False)


def test_saving_and_going_back_have_the_deadline_of_a_step() -> None:
    async def go() -> None:
        stage = Stage(seen(), hangs=["save"])
        play = play_of(stage, limits=Limits())
        await play.run(until=1)
        with pytest.raises(EnvError, match=r"saving took longer than 300 s"):
            await play.save()
        other = Stage(hangs=["load"])
        fork = play.fork(spec("f"), other, await Stage().save())
        await fork.run()
        assert "going back took longer" in str(fork.trajectory.error)
        assert (stage.cancelled, other.cancelled) == (["save"], ["load"])

    timeless(go())


def test_the_episode_s_deadline_cancels_the_step_and_is_no_fault_of_the_environment() -> None:
    stage = Stage(seen("a", 0.5), hangs=["step"])
    trajectory = run(play_of(stage, limits=Limits(episode_seconds=299)))
    assert stage.cancelled == ["step"]
    assert trajectory.stop_reason is StopReason.DEADLINE
    assert trajectory.error == "the episode took longer than 299 s; raise --rollout.episode_seconds"
    assert (trajectory.terminated, trajectory.truncated, trajectory.final_observation) == (False, False, "")
    assert len(trajectory.samples) == 1


@pytest.mark.parametrize(("turns", "stop"), [(12, StopReason.TURN_LIMIT), (13, StopReason.DEADLINE)])
def test_each_step_has_its_own_deadline_and_all_together_the_episode_s(turns: int, stop: StopReason) -> None:
    class Slow(Stage):
        async def _wait(self, call: str) -> None:
            await asyncio.sleep(299 if call == "step" else 0)

    trajectory = run(play_of(Slow(seen()), limits=Limits(max_turns=turns, step_seconds=300, episode_seconds=3600)))
    assert trajectory.stop_reason is stop


def test_without_deadlines_nothing_is_given_up() -> None:
    stage = Stage(hangs=["reset", "step"])
    trajectory = run(play_of(stage, limits=Limits(step_seconds=None, episode_seconds=None)))
    assert trajectory.stop_reason is StopReason.TERMINATED


def test_a_timeout_that_is_not_the_episode_s_comes_through() -> None:
    async def act(episode: Episode) -> Completion:
        raise TimeoutError("the server's")

    with pytest.raises(TimeoutError, match="the server's"):
        run(play_of(Stage(), act))
    with pytest.raises(TimeoutError, match="the host's"):
        run(play_of(Stage(TimeoutError("the host's"))))


def test_an_environment_that_breaks_leaves_what_was_sampled_on_record() -> None:
    trajectory = run(play_of(Stage(seen("a", 0.5), EnvError("broke"))))
    assert (trajectory.stop_reason, trajectory.error) == (StopReason.ENV_ERROR, "broke")
    assert [turn.reward for turn in trajectory.turns] == [0.5, 0.0]
    assert trajectory.samples[0].num_trained == 2 * len(TOKENIZER.encode("on")) + 2
    assert trajectory.final_observation == ""


# -- forks -------------------------------------------------------------------------------------------------


def test_a_fork_begins_at_its_mark_and_shares_nothing_that_changes() -> None:
    async def go() -> None:
        one, two = Stage(seen("a"), seen("b", over=True)), Stage(seen("c", over=True))
        actor = says("x", "y")
        play = play_of(one, actor, Limits(max_invalid_actions=1))
        await play.run(until=1)
        fork = play.fork(spec("f", member=5), two, await play.save())
        assert (fork.session, play.session) == ("f/0", "e/0")
        await play.run()
        await fork.run()
        assert (two.resets, two.loaded) == ([], ["mark 1"])
        first, second = play.trajectory, fork.trajectory
        assert (second.episode_id, second.parent_id, second.branch_turn) == ("f", "e", 1)
        assert (first.episode_id, first.parent_id, first.branch_turn) == ("e", None, None)
        assert [turn.observation for turn in second.turns] == ["go", "a"]
        assert (first.final_observation, second.final_observation) == ("b", "c")
        assert first.turns[0] == second.turns[0]
        assert first.turns[0] is not second.turns[0]
        assert fork.episode.spec.member == 5
        assert actor.shown == [["go"], ["go", "x", "a"], ["go", "x", "a"]]
        with pytest.raises(ValueError, match="episode e is over"):
            play.fork(spec("g"), two, await one.save())

    timeless(go())


def test_a_fork_has_the_invalid_actions_of_its_past() -> None:
    async def go() -> None:
        bad = seen("?", invalid_action="no")
        play = play_of(Stage(bad), limits=Limits(max_invalid_actions=1))
        await play.run(until=1)
        fork = play.fork(spec("f"), Stage(bad), await play.save())
        await fork.run()
        assert (fork.trajectory.stop_reason, len(fork.trajectory.turns)) == (StopReason.INVALID_LIMIT, 2)
        assert not play.is_over

    timeless(go())
