"""The phone in a real browser: with taps and keys it is the simulator, step by step."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest

import agentgym
from agentgym.curricula.buckets import Buckets
from agentgym.env import Env
from agentgym.environments.android_like import AndroidLike
from agentgym.environments.android_like.expert import next_command
from agentgym.environments.android_like.levels import LEVELS, Level
from agentgym.environments.android_like.phone import Command
from agentgym.environments.android_like.tasks import draw_task
from agentgym.errors import UserError
from agentgym.media import pixels_of
from agentgym.reward import as_shaper
from agentgym.rewards.rubric_judge import RubricJudge
from agentgym.rewards.success import success
from agentgym.rollout.shaping import Weighted, shape
from agentgym.types import Observation, StepResult
from tests.kit import episode
from tests.unit.environments.android_kit import phone_of
from tests.unit.rewards.judges import Reads, appointed

pytestmark = pytest.mark.browser

EVERY_LEVEL = pytest.mark.parametrize("level", list(LEVELS))


def begun(level: Level = "a1", task: int = 0, **options: Any) -> AndroidLike:
    env = AndroidLike(level=level, **options)
    env.reset(seed=2, options={"task": task})
    return env


def step(env: Env, said: str) -> StepResult:
    return env.step(said)  # type: ignore[return-value]  # past the boundary


def do(env: AndroidLike, *commands: Command) -> StepResult:
    for command in commands:
        result = step(env, env._written(env.translated(command)))
    return result


def task_of(sort: str, level: Level) -> int:
    """The first task for training that is of a sort."""
    return next(number for number in range(1000) if draw_task(number, "train", level, 0).sort == sort)


@EVERY_LEVEL
def test_each_step_leads_to_what_the_simulator_leads_to_and_pays_what_it_says(level: Level) -> None:
    task = task_of("errands", level) if level == "a3" else 4
    env = begun(level, task, reward="dense")
    phone, wanted = phone_of(env.task, task, level), env.task
    paid = 0.0
    while not phone.is_over:
        command, before = next_command(phone, wanted), wanted.progress(phone)
        phone.obey(command)
        result = do(env, command)
        assert env.phone.state.as_json() == phone.state.as_json()
        assert result.reward == pytest.approx(wanted.progress(phone) - before)
        assert result.info["channels"] == wanted.conditions(phone)
        assert result.terminated == phone.is_over
        paid += result.reward
    assert paid == pytest.approx(1.0)
    assert result.info["success"] is True
    env.close()


@pytest.mark.parametrize("spelling", ["commands", "calls", "tools"])
def test_its_own_expert_succeeds_in_every_spelling(spelling: Any) -> None:
    env = agentgym.make("android-like", level="a2", spelling=spelling)
    for task in (1_001_000, task_of("ask-time", "a2")):
        observation, _ = env.reset(options={"task": task})
        expert, done, turns = env.expert(), False, 0
        while not done and turns < env.max_turns:
            observation, reward, done, _, info = env.step(expert(observation))
            turns += 1
        assert (reward, info["success"]) == (1.0, True)
    env.close()


@pytest.mark.parametrize("spelling", ["commands", "calls", "tools"])
def test_back_home_and_the_end_can_be_said_in_every_spelling(spelling: Any) -> None:
    env = begun("a2", spelling=spelling)
    back = {"commands": "BACK", "calls": "go_back()", "tools": "browser_navigate_back()"}[spelling]
    do(env, Command("tap", "notes"), Command("tap", "new"))
    step(env, back)
    assert [frame.key for frame in env.phone.state.stack] == ["notes/list/"]
    do(env, Command("home"))
    assert env.phone.state.stack == []
    observation, *_ = env.step(back)
    assert isinstance(observation, Observation)
    assert {"DONE", "ANSWER: <text>"} <= {*(observation.admissible or ())}
    assert back not in (observation.admissible or ())
    result = step(env, "answer:  at 7 ")
    assert (result.reward, result.terminated, env.phone.state.answer) == (0.0, True, "at 7")
    assert result.info["success"] is False
    env.close()


def test_a_tap_at_a_point_and_keys_do_what_clicks_and_filling_in_do() -> None:
    env = begun("a2", observe="elements")

    def middle(name: str) -> str:
        found = re.search(rf'"{name}".* @ (\d+),(\d+) (\d+)x(\d+)', str(env._seen))
        assert found is not None, env._seen
        left, top, width, height = map(int, found.groups())
        return f"{left + width // 2},{top + height // 2}"

    step(env, f"CLICK[{middle('notes')}]")
    step(env, f"CLICK[{middle('new note')}]")
    step(env, f"CLICK[{middle('title')}]")
    for key in ("h", "i"):
        step(env, f"PRESS[{key}]")
    assert env.phone.state.stack[-1].draft == {"title": "hi"}
    step(env, "PRESS[Enter]")
    assert "hi" in [record["title"] for record in env.phone.records("notes").values()]
    assert env.task.conditions(env.phone)["untouched"] == 0
    result = step(env, "CLICK[200,60]")
    assert "invalid_action" not in result.info, "a tap beside everything does nothing"
    env.close()


def test_a_list_is_scrolled_and_a_moment_has_its_scroll() -> None:
    env = begun("a3", observe="elements")
    do(env, Command("tap", "contacts"))
    before = str(env._seen)
    after = str(step(env, "SCROLL[down]").observation)
    assert after != before
    moment = env.snapshot()
    again = str(step(env, "SCROLL[up]").observation)
    other = AndroidLike(level="a3", observe="elements")
    for one in (env, other):
        observation, _ = one.restore(moment)
        assert str(observation) == after
        assert str(step(one, "WAIT[1]").observation) == after
        assert str(step(one, "SCROLL[up]").observation) == again == before
        one.close()


def test_a_moment_is_come_back_to_in_the_middle_of_a_form() -> None:
    env = begun("a2", reward="dense")
    do(env, Command("tap", "contacts"), Command("tap", "new"), Command("fill", "name", "zoe zen"))
    step(env, "PRESS[Tab]")
    moment = env.snapshot()
    onward = [step(env, f"PRESS[{key}]") for key in ("1", "2")]
    complaint = do(env, Command("tap", "save"))
    assert complaint.info["invalid_action"] == "a phone number has digits"
    other = AndroidLike(level="a1")
    for one in (env, other):
        one.restore(moment)
        assert one.max_turns == LEVELS["a2"].max_turns, "the level is part of it"
        again = [step(one, f"PRESS[{key}]") for key in ("1", "2")]
        assert [str(result.observation) for result in again] == [str(result.observation) for result in onward]
        assert one.phone.state.stack[-1].draft == {"name": "zoe zen", "phone": "12"}
        one.close()


def test_what_the_phone_complains_of_is_told_and_belongs_to_its_moment() -> None:
    env = begun("a2")
    do(env, Command("tap", "notes"), Command("tap", "new"))
    result = do(env, Command("tap", "save"))
    assert result.info["invalid_action"] == "a note needs a title"
    assert "a note needs a title" in str(result.observation)
    moment = env.snapshot()
    again = step(env, "WAIT[1]")
    assert "invalid_action" not in again.info, "an old complaint is not told again"
    onward = str(again.observation)
    assert "a note needs a title" in onward, "and stays on the screen"
    other = AndroidLike(level="a2")
    for one in (env, other):
        one.restore(moment)
        assert str(step(one, "WAIT[1]").observation) == onward
    observation = do(env, Command("back")).observation
    assert "needs a title" not in str(observation)
    for one in (env, other):
        one.close()


@pytest.mark.parametrize("said", ["", "CLICK", "CLICK[99]", "press the button", "GOTO[/contacts]", "x" * 5000, "DONE?"])
def test_what_is_no_action_here_changes_nothing(said: str) -> None:
    env = begun()
    before = env.phone.state.as_json()
    result = step(env, said)
    assert env.phone.state.as_json() == before
    assert (result.reward, result.terminated) == (0.0, False)
    assert "invalid_action" in result.info or said.startswith("GOTO"), "any address is the screen that is open"
    env.close()


def test_a_screenshot_is_as_large_as_a_phone() -> None:
    env = begun(observe="screenshot")
    observation = env._seen
    assert isinstance(observation, Observation)
    assert pixels_of(observation.images[0]).shape == (800, 400, 3)
    assert str(observation) == f"task: {env.task.wanted.text}"
    env.close()


def test_the_level_is_an_option_of_the_reset_so_that_buckets_can_choose_it() -> None:
    env = AndroidLike()
    buckets = Buckets(range(20), seed=0, option="level", levels=("a1", "a2", "a3"))
    drawn = {draw.options["level"]: draw for draw in map(buckets.draw, range(60))}
    assert {*drawn} == {*LEVELS}
    for level, draw in drawn.items():
        env.reset(seed=0, options={"task": draw.task, **draw.options})
        assert env.max_turns == LEVELS[level].max_turns  # type: ignore[index,unused-ignore]
        assert env.phone.state.level == level
    env.reset(seed=0)
    assert env.max_turns == LEVELS["a1"].max_turns, "without one it is that of the constructor"
    for wrong in ("a4", 1, ["a1"]):
        with pytest.raises(UserError, match="unknown level"):
            env.reset(options={"level": wrong})
    env.close()


def answered(answer: str, task: int) -> Any:
    """The expert's episode with another answer, as a rollout records it."""
    env = begun("a2", task)
    observations, replies, rewards, channels = [str(env._seen)], [], [], []
    while True:
        command = next_command(env.phone, env.task)
        said = f"ANSWER: {answer}" if command.verb == "end" else env._written(env.translated(command))
        result = step(env, said)
        observations.append(str(result.observation))
        replies.append(said)
        rewards.append(result.reward)
        channels.append(result.info["channels"])
        if result.terminated:
            break
    env.close()
    one = episode(*rewards, success=result.info["success"])
    for turn, said, seen, told in zip(one.turns, replies, observations, channels, strict=False):
        turn.reply = turn.action = said
        turn.observation = seen
        turn.channels = told
    return one


def test_rules_and_a_judge_are_mixed_as_craft_gui_mixes_them() -> None:
    """The rule takes an answer letter by letter; the judge, asked where all rules are kept, takes one in words."""
    task = task_of("ask-time", "a2")
    env = begun("a2", task)
    time = env.task.wanted.answer
    env.close()
    judge = Reads(lambda text: "10" if f"it is {time}" in text else "3")
    when = 'action ~ "^ANSWER" and channel untouched == 1 and channel seen == 1'
    graded = appointed(RubricJudge("The answer is right.", when=when), judge)
    mix = [Weighted("success", 1.0, as_shaper(success)), Weighted("rubric-judge", 0.5, graded)]
    group = [answered(said, task) for said in (time, f"it is {time}", "i do not know")]
    asyncio.run(shape(group, mix))
    assert [one.turns[-1].breakdown for one in group] == [
        {"environment": 1.0, "success": 1.0, "rubric-judge": 0.15},
        {"environment": 0.0, "success": 0.0, "rubric-judge": 0.5},
        {"environment": 0.0, "success": 0.0, "rubric-judge": 0.15},
    ]
    assert len(judge.asked) == 3
    broken = answered(f"it is {time}", task)
    broken.turns[-1].channels = {**broken.turns[-1].channels, "untouched": 0.0}
    asyncio.run(shape([broken], mix))
    assert broken.turns[-1].breakdown["rubric-judge"] == 0
    assert len(judge.asked) == 3, "where something else was changed nobody is asked"
