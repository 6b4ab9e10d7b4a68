"""The booking environment: four conditions, rewards, levels, splits, snapshots, and an expert who finds its way."""

from __future__ import annotations

import itertools
import json
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import agentgym
from agentgym.doctor.playing import random_action
from agentgym.environments.booking import Booking
from agentgym.environments.booking.levels import LEVELS, Level
from agentgym.environments.booking.site import open_site
from agentgym.environments.booking.wish import split_of, wish_of_task
from agentgym.errors import ConfigError, UserError
from tests.unit.environments.booking_kit import begun, by_expert_to, said, step

EVERY_LEVEL = pytest.mark.parametrize("level", list(LEVELS))


# -- the four conditions ---------------------------------------------------------------------------------


def booked(env: Booking, **other: str) -> Any:
    """What is reached by booking as is asked for, but for what is ``other``: the result of the last command."""
    wish = env.session.wish
    wanted = {"restaurant": wish.restaurant, "date": str(wish.date), "people": str(wish.people), "time": wish.time}
    at = {**wanted, **{name: value for name, value in other.items() if name in wanted}}
    step(env, f"GOTO[/book/{at['restaurant']}?date={at['date']}&people={at['people']}&time={at['time']}]")
    for name, value in {**wish.guest, **{name: value for name, value in other.items() if name not in wanted}}.items():
        step(env, f"TYPE[{name}][{value}]")
    return step(env, "SUBMIT[book]")


RIGHT = {"date_and_time": 1.0, "party_size": 1.0, "guest": 1.0, "completed": 1.0}


def test_all_four_conditions_are_a_success() -> None:
    env = begun()
    result = booked(env)
    assert result[1:4] == (1.0, True, False)
    assert result.info["success"] is True
    assert result.info["channels"] == RIGHT


@pytest.mark.parametrize("wrong", ["date", "time", "people", "first", "last", "restaurant"])
@pytest.mark.parametrize("reward", ["sparse", "dense"])
def test_three_conditions_and_one_that_does_not_hold_are_none(wrong: str, reward: Any) -> None:
    env = begun(reward=reward, such=lambda wish: wish.people < 8)
    wish = env.session.wish
    others = {
        "date": str(wish.today),
        "time": next(time for time in ("18.00", "19.00") if time != wish.time),
        "people": str(wish.people + 1),
        "first": "zoe",
        "last": f"{wish.guest['last']}s",
        "restaurant": next(id for id in env.site.found[wish.place] if id != wish.restaurant),
    }
    broken = {"date": "date_and_time", "time": "date_and_time", "people": "party_size", "restaurant": "completed"}
    result = booked(env, **{wrong: others[wrong]})
    assert (result.terminated, result.info["success"]) == (True, False)
    assert result.info["channels"] == {**RIGHT, broken.get(wrong, "guest"): 0.0}
    assert env._total == (0 if reward == "sparse" else 0.75)


def test_details_that_nobody_asked_for_are_wrong() -> None:
    env = by_expert_to(begun("b4", such=lambda wish: not wish.guest["occasion"]), "details")
    step(env, "CLICK[birthday]")
    assert said(env)[-2:] == ["CLICK[birthday]", "SUBMIT[book]"], "the expert takes it back"
    assert env._info["success"] is True
    env = by_expert_to(begun("b4", such=lambda wish: not wish.guest["occasion"]), "details")
    for name, value in env.session.wish.guest.items():
        if value:
            step(env, f"TYPE[{name}][{value}]")
    assert step(env, "CLICK[birthday]", "SUBMIT[book]").info["channels"] == {**RIGHT, "guest": 0.0}


def test_dense_rewards_pay_each_condition_as_it_comes_and_take_it_back() -> None:
    env = begun(reward="dense", such=lambda wish: wish.people < 8)
    rewards = {action: step(env, action).reward for action in _expert_way(env)}
    paid = {action: reward for action, reward in rewards.items() if reward}
    wish = env.session.wish
    assert paid == {
        "SUBMIT[find]": 0.25,
        f"CLICK[{wish.time}]": 0.25,
        f"TYPE[last][{wish.guest['last']}]": 0.25,
        "SUBMIT[book]": 0.25,
    }
    env = by_expert_to(begun(reward="dense"), "details")
    assert step(env, "CLICK[back]").reward == -0.25
    assert step(env, "GOTO[/]").reward == -0.25
    assert env._total == 0


def _expert_way(env: Booking) -> list[str]:
    """All that the expert says, from the start."""
    other = Booking(level=env.level)
    other.reset(options={"task": env.session.state.task})
    return said(other)


# -- the expert ------------------------------------------------------------------------------------------


@EVERY_LEVEL
def test_the_expert_books_everything_in_half_the_turns(level: Level) -> None:
    turns = []
    for env, split in ((Booking(level=level), "test"), (Booking(level=level, reward="dense"), "train")):
        for task in env.tasks(split)[:50]:
            env.reset(options={"task": task})
            turns.append(len(said(env)))
            assert env._info["success"] is True
            assert env._total == 1
    assert max(turns) <= env.max_turns / 2 + 1
    assert max(turns) >= env.max_turns / 2 - 4


@EVERY_LEVEL
def test_the_expert_finds_its_way_from_anywhere(level: Level) -> None:
    env, rng = Booking(level=level), random.Random(level)
    places = set()
    for task in range(30):
        env.reset(seed=task, options={"task": task})
        for _ in range(rng.randint(1, 30)):
            here = env.snapshot()
            if step(env, _detour(env, rng)).terminated:  # nothing is left to do then
                env.restore(here)
                break
        places.add(env.session.state.at.at)
        said(env)
        assert env._info["success"] is True
    assert places == {"home", "results", "restaurant", "details"}


def _detour(env: Booking, rng: random.Random) -> str:
    """Anything, some of which leads on."""
    assert env._seen is not None
    wish, site = env.session.wish, env.site
    here, day, people = rng.choice(list(site.restaurants)), rng.choice((wish.today, wish.date)), rng.randint(1, 12)
    match rng.randrange(7):
        case 0 | 1:
            return str(env.expert()(env._seen))
        case 2:
            return f"GOTO[/at/{here}?date={day}&people={people}]"
        case 3:
            return f"GOTO[/find?place={rng.choice(['oz', *site.found])}&date={day}&people={people}]"
        case 4:
            time = rng.choice(site.difficulty.times)
            return f"GOTO[/book/{here}?date={day}&people={people}&time={time}]"
        case _:
            return random_action(env, env._seen, rng)


def test_the_expert_goes_back_from_a_form_for_something_else() -> None:
    env = begun()
    wish = env.session.wish
    other = next(id for id in env.site.found[wish.place] if id != wish.restaurant)
    time = next(time for time in ("18.00", "19.00") if time != wish.time)
    for at in (f"{wish.restaurant}?time={time}", f"{other}?time={wish.time}"):
        step(env, f"GOTO[/book/{at}&date={wish.date}&people={wish.people}]")
        assert env.expert()("") == "CLICK[back]"  # type: ignore[arg-type]  # it goes by the session
    said(env)
    assert env._info["success"] is True


def test_the_expert_asks_where_something_is_missing_and_only_there() -> None:
    for level, num_missing in {"b1": 0, "b3": 0, "b4": 1, "b5": 2}.items():
        env = Booking(level=level)  # type: ignore[arg-type]  # it is one
        for task in range(20):
            env.reset(options={"task": task})
            assert said(env).count("ASK USER HELP") == (num_missing > 0)


# -- levels, sites and tasks -----------------------------------------------------------------------------


def test_each_level_has_more_of_everything() -> None:
    levels = list(LEVELS.values())
    for easier, harder in itertools.pairwise(levels):
        assert harder.max_turns > easier.max_turns
        assert harder.num_restaurants > easier.num_restaurants
        assert harder.sold_out > easier.sold_out
        assert harder.num_missing >= easier.num_missing
        assert set(harder.popups) >= set(easier.popups)
        assert set(harder.details) >= set(easier.details)


def test_what_is_seen_at_the_lowest_level_is_short() -> None:
    env = begun()
    for task in range(100):
        env.reset(options={"task": task})
        expert, is_over = env.expert(), False
        while not is_over:
            assert env._seen is not None
            assert len(env._seen) <= 350
            is_over = step(env, str(expert(env._seen))).terminated


@EVERY_LEVEL
def test_a_site_has_as_many_restaurants_as_its_level_says_each_by_a_name_of_its_own(level: Level) -> None:
    site, difficulty = open_site(level, 3), LEVELS[level]
    assert len(site.found) == difficulty.num_places
    assert all(len(ids) == difficulty.num_restaurants for ids in site.found.values())
    assert len(site.restaurants) == difficulty.num_places * difficulty.num_restaurants
    assert all(site.restaurants[id].place == place for place, ids in site.found.items() for id in ids)
    assert site is open_site(level, 3)
    assert site.restaurants != open_site(level, 4).restaurants


def test_as_much_is_sold_out_as_the_level_says() -> None:
    site = open_site("b5", 0)
    wish = wish_of_task(0, "train", "b5", 0)
    free = sum(len(site.free_times(id, wish.date, people)) for id in site.restaurants for people in range(1, 9))
    assert free / (len(site.restaurants) * 8 * len(site.difficulty.times)) == pytest.approx(0.4, abs=0.02)


@EVERY_LEVEL
def test_what_is_to_be_booked_can_be_and_is_the_first_that_is_wanted(level: Level) -> None:
    site = open_site(level, 0)
    later = 0
    for task in range(100):
        wish = wish_of_task(task, "train", level, 0)
        free = site.free_times(wish.restaurant, wish.date, wish.people)
        assert wish.time == next(time for time in free if time >= wish.asked_time)
        assert wish.today < wish.date
        assert (wish.date - wish.today).days <= site.difficulty.days_ahead
        later += wish.time != wish.asked_time
    assert (later > 0) == site.difficulty.or_later


@EVERY_LEVEL
def test_no_wish_is_in_two_splits(level: Level) -> None:
    env = Booking(level=level)

    def topics(split: Any) -> set[Any]:
        wishes = [wish_of_task(task, split, level, 0) for task in env.tasks(split)[:200]]
        assert all(split_of(wish) == split for wish in wishes)
        return {(w.restaurant, w.date, w.people, w.guest["first"], w.guest["last"]) for w in wishes}

    train, validation, test = map(topics, ("train", "validation", "test"))
    assert not train & validation
    assert not train & test
    assert not validation & test
    assert min(map(len, (train, validation, test))) > 150


def test_tasks_are_the_same_for_a_seed_and_others_for_another() -> None:
    def texts(**options: Any) -> list[str]:
        env = Booking(**options)
        return [str(env.reset(options={"task": task})[0]) for task in range(20)]

    assert texts() == texts() != texts(site_seed=1)
    assert texts(level="b2") != texts(level="b3")


def test_a_task_that_does_not_exist_is_refused() -> None:
    env = Booking()
    assert env.has_own_tasks
    with pytest.raises(UserError, match=r"task 1002000 does not exist: tasks are the numbers 0 to 1001999"):
        env.reset(options={"task": 1_002_000})
    with pytest.raises(UserError, match=r'unknown split "tests"\. Did you mean "test"\?'):
        env.tasks("tests")
    assert env.reset(seed=5)[0] == env.reset(seed=5)[0] != env.reset(seed=6)[0]


def test_options_are_checked() -> None:
    with pytest.raises(ConfigError, match=r"level"):
        agentgym.make("booking", level="b6")
    assert agentgym.make("booking").max_turns == Booking.max_turns == LEVELS["b1"].max_turns
    assert agentgym.make("booking", level="b5").max_turns == LEVELS["b5"].max_turns


# -- snapshots -------------------------------------------------------------------------------------------


@EVERY_LEVEL
def test_a_moment_in_the_middle_comes_back_as_json(level: Level) -> None:
    env, other = begun(level), Booking(level=level)
    expert = env.expert()
    for _ in range(60):
        state = json.loads(json.dumps(env.get_state()))
        here = env.snapshot()
        assert here.rung == "native"
        other.restore(here)
        other.set_state(state)
        assert other.get_state() == env.get_state() == state
        assert (other.html, other._observe()) == (env.html, env._observe())
        assert other._observe().admissible == env._observe().admissible
        step(env, "GOTO[/]", "ASK USER HELP")
        assert env.get_state() != state
        env.restore(here)
        assert env.get_state() == state
        if step(env, str(expert(here.observation))).terminated:
            return
    raise AssertionError("no end")


COMMANDS = st.one_of(
    st.text(max_size=30),
    st.builds(
        "{}[{}]".format,
        st.sampled_from(["CLICK", "SUBMIT", "CLEAR", "GOTO", "SCROLL"]),
        st.sampled_from(["place", "date", "people", "find", "next", "close", "yes", "1", "31", "17.00", "home", "/"])
        | st.text(max_size=8),
    ),
    st.builds("TYPE[{}][{}]".format, st.sampled_from(["place", "people", "first", "news", "email"]), st.text()),
)


@settings(max_examples=40)
@given(actions=st.lists(COMMANDS, max_size=20), task=st.integers(0, 500), level=st.sampled_from(list(LEVELS)))
def test_whatever_is_said_nothing_breaks_and_nothing_is_won(actions: list[str], task: int, level: Level) -> None:
    env = Booking(level=level, reward="dense")
    env.reset(options={"task": task})
    for action in actions:
        before = env.get_state()
        result = step(env, action)
        if "invalid_action" in result.info:
            assert {**env.get_state(), "notice": ""} == {**before, "notice": ""}
        assert not result.terminated
