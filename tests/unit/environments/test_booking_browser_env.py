"""The tables in a real browser: with clicks and keys it is the simulator, step by step."""

from __future__ import annotations

import random
from typing import Any

import pytest

import agentgym
from agentgym.doctor.playing import random_action
from agentgym.env import Env
from agentgym.environments.booking import Booking
from agentgym.environments.booking.levels import LEVELS, Level
from agentgym.environments.booking_browser import BookingBrowser
from agentgym.types import Observation, StepResult

pytestmark = pytest.mark.browser

EVERY_LEVEL = pytest.mark.parametrize("level", list(LEVELS))


def begun(level: Level = "b1", task: int = 0, **options: Any) -> tuple[Booking, BookingBrowser]:
    simulator = Booking(level=level, reward="dense", observation_mode="html")
    env = BookingBrowser(level=level, reward="dense", **options)
    simulator.reset(seed=2, options={"task": task})
    env.reset(seed=2, options={"task": task})
    return simulator, env


def step(env: Env, said: str) -> StepResult:
    return env.step(said)  # type: ignore[return-value]  # past the boundary


def compared(simulator: Booking, env: BookingBrowser, said: str) -> bool:
    result = step(env, env._written(env.translated(said)))
    _, reward, done, _, info = simulator.step(said)
    assert env.session.state.as_json() == simulator.session.state.as_json()
    assert (result.reward, result.terminated) == (reward, done)
    assert result.info == info
    return done


@EVERY_LEVEL
def test_the_expert_is_paid_the_same_in_each_step(level: Level) -> None:
    simulator, env = begun(level, task=4)
    expert = simulator.expert()
    while not compared(simulator, env, str(expert(simulator._seen))):  # type: ignore[arg-type]
        pass
    assert all(env.session.conditions().values())
    env.close()


@EVERY_LEVEL
def test_random_commands_are_paid_the_same_in_each_step(level: Level) -> None:
    simulator, env = begun(level, task=5)
    rng, expert = random.Random(level), simulator.expert()
    for turn in range(18):
        assert simulator._seen is not None
        by_expert = turn % 3 == 0  # to come deeper into the site
        said = str(expert(simulator._seen)) if by_expert else random_action(simulator, simulator._seen, rng)
        if compared(simulator, env, said):
            break
    env.close()


@pytest.mark.parametrize("spelling", ["commands", "calls", "tools"])
def test_its_own_expert_books_in_every_spelling(spelling: Any) -> None:
    env = agentgym.make("booking-browser", level="b4", spelling=spelling)
    observation, _ = env.reset(options={"task": 1_001_000})
    expert, done, turns = env.expert(), False, 0
    while not done and turns < env.max_turns:
        observation, reward, done, _, info = env.step(expert(observation))
        turns += 1
    assert (reward, info["success"]) == (1.0, True)
    env.close()


def test_typing_key_by_key_and_enter_do_what_filling_in_and_a_click_do() -> None:
    _, env = begun()
    wish = env.session.wish
    date = env.simulator.told()[0].partition("date ")[2].partition(",")[0]
    for ref, text in (("1", wish.place), ("2", date), ("3", str(wish.people))):
        result = step(env, f"TYPE[{ref}][{text}]")
        assert f'value="{text}"' in str(result.observation)
    assert list(env.session.state.search.values()) == [wish.place, date, str(wish.people)]
    step(env, "SUBMIT[3]")
    assert env.session.state.at.at == "results"
    env.close()


def test_what_the_site_complains_of_stands_on_the_page() -> None:
    _, env = begun()
    observation, _, _, _, info = env.step("CLICK[4]")
    assert info["invalid_action"] == "place is empty"
    assert "place is empty" in str(observation)
    observation, _, _, _, info = env.step("SCROLL[down]")
    assert "invalid_action" not in info, "an old complaint is not told again"
    observation, *_ = env.step("FILL[1][rome]")
    assert "place is empty" not in str(observation), "nor shown any longer"
    env.step("FILL[1][" + "x" * 61 + "]")
    assert env.session.state.search["place"] == "x" * 60, "a browser's field takes no more"
    env.close()


def test_the_user_answers_in_every_spelling() -> None:
    for spelling in ("commands", "calls", "tools"):
        env = BookingBrowser(level="b4", spelling=spelling)
        env.reset(options={"task": 0})
        observation, _, _, _, info = env.step("ask user help")
        assert isinstance(observation, Observation)
        assert "invalid_action" not in info
        assert f"user: {env.session.wish.answer}" in str(observation)
        assert "ASK USER HELP" in (observation.admissible or ())
        env.close()


def test_a_complaint_stands_on_the_page_of_a_moment() -> None:
    """Until the site says something else; that the user answered in between changes no page."""
    _, env = begun("b4")
    for said in ("CLICK[4]", "ASK USER HELP"):
        env.step(said)
    moment = env.snapshot()
    onward = str(step(env, "SCROLL[down]").observation)
    assert "place is empty" in onward
    other = BookingBrowser(level="b4", reward="dense")
    for one in (env, other):
        one.restore(moment)
        assert str(step(one, "SCROLL[down]").observation) == onward
        one.close()


def test_a_moment_is_come_back_to_in_the_middle_of_a_form() -> None:
    simulator, env = begun("b4", task=4)
    expert = simulator.expert()
    said: list[str] = []
    while simulator.session.state.at.at != "details" or not simulator.session.state.guest["first"]:
        said = [str(expert(simulator._seen))]  # type: ignore[arg-type]
        compared(simulator, env, said[0])
    moment = env.snapshot()
    own, onward = env.expert(), []
    for _ in range(3):
        onward.append(step(env, str(own(env._seen))))  # type: ignore[arg-type]
    other = BookingBrowser(level="b4", reward="dense")
    for one in (env, other):
        one.restore(moment)
        own = one.expert()
        again = [step(one, str(own(one._seen))) for _ in range(3)]  # type: ignore[arg-type]
        assert [str(result.observation) for result in again] == [str(result.observation) for result in onward]
        assert [result.reward for result in again] == [result.reward for result in onward]
        one.close()
