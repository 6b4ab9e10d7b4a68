"""The graph of a world's states: which are one, what an interrupt leaves behind, which worlds are kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from agentgym.environments.alfworld import world
from agentgym.environments.alfworld.packages import downward as given
from agentgym.environments.alfworld.world import World, open_world
from agentgym.errors import DataError
from tests.unit.environments.alfworld_kit import kitchen, needs_extra

TAKEN = ("go to cabinet 1", "open cabinet 1", "take mug 1 from cabinet 1")


@pytest.fixture(scope="module")
def home() -> World:
    return World(kitchen("place", "Mug", "CounterTop"))


# -- states ----------------------------------------------------------------------------------------------


@needs_extra
@pytest.mark.parametrize(
    ("one", "other"),
    [
        (["go to cabinet 1", "go to fridge 1", "go to cabinet 1"], ["go to fridge 1", "go to cabinet 1"]),
        ([*TAKEN[:2], "close cabinet 1", "open cabinet 1"], TAKEN[:2]),
        ([*TAKEN, "move mug 1 to cabinet 1", TAKEN[2]], TAKEN),
        ([*TAKEN, "look", "look"], [*TAKEN, "look"]),
        (
            ["go to fridge 1", "open fridge 1", *TAKEN[:2]],
            [*TAKEN[:2], "go to fridge 1", "open fridge 1", "go to cabinet 1"],
        ),
    ],
)
def test_ways_that_lead_to_the_same_facts_lead_to_one_state(home: World, one: list[str], other: list[str]) -> None:
    assert home.follow(one) is home.follow(other)


@needs_extra
@pytest.mark.parametrize(
    ("one", "other"),
    [
        (["go to cabinet 1"], ["go to cabinet 1", "open cabinet 1"]),
        (["go to cabinet 1"], ["go to fridge 1"]),
        ([], ["go to cabinet 1"]),
        (TAKEN, TAKEN[:2]),
        ([*TAKEN, "go to countertop 1"], [*TAKEN, "go to countertop 1", "move mug 1 to countertop 1"]),
    ],
)
def test_what_differs_in_a_fact_is_another_state(home: World, one: list[str], other: list[str]) -> None:
    assert home.follow(one) is not home.follow(other)
    assert home.facts(home.follow(one)) != home.facts(home.follow(other))


@needs_extra
def test_a_state_is_as_it_was_whatever_others_have_asked_in_between(home: World) -> None:
    """Facts of a state do not depend on where the library was: what was opened elsewhere is closed here."""
    opened, closed = home.follow(TAKEN[:2]), home.follow(["go to cabinet 1"])
    here = home.facts(opened)
    assert ("opened", "cabinet_bar_00") in here
    assert ("opened", "cabinet_bar_00") not in home.facts(closed)
    assert home.facts(home.start) == home.facts(home.follow([]))
    assert home.facts(opened) == here
    assert ("atlocation", "agent1", "loc_bar_0") in home.facts(home.start)
    assert ("atlocation", "agent1", "loc_bar_0") not in home.facts(opened)


@needs_extra
def test_what_was_put_back_is_where_it_was_in_every_other_state(home: World) -> None:
    at_home, held = ("inreceptacle", "mug_bar_02", "cabinet_bar_00"), ("holds", "agent1", "mug_bar_02")
    back = home.facts(home.follow([*TAKEN, "move mug 1 to cabinet 1"]))
    assert at_home in back
    assert held not in back
    assert at_home in home.facts(home.start)
    assert at_home not in home.facts(home.follow(TAKEN))
    assert at_home in home.facts(home.follow(TAKEN[:2]))


@needs_extra
def test_two_worlds_that_take_turns_do_not_mix() -> None:
    """Each goes on from where it was, though the library has been elsewhere."""
    game = kitchen("place", "Mug", "CounterTop")
    wanted = list(World(game).follow(["go to fridge 1", "open fridge 1"]).commands)
    one, other = World(game), World(game)
    there = one.follow(["go to fridge 1"])
    other.follow(["go to cabinet 1"])
    assert list(one.step(there, "open fridge 1")[1].commands) == wanted


@needs_extra
def test_a_path_leads_to_its_state_and_is_the_first_that_was_found() -> None:
    home = World(kitchen("place", "Mug", "CounterTop"))
    there = home.follow(["go to fridge 1", "go to cabinet 1"])
    assert there.path == ("go to fridge 1", "go to cabinet 1")
    assert home.follow(["go to cabinet 1", "go to fridge 1", "go to cabinet 1"]) is there
    assert there.path == ("go to fridge 1", "go to cabinet 1")
    assert home.start.path == ()


@needs_extra
def test_what_was_tried_is_not_tried_again(home: World, monkeypatch: pytest.MonkeyPatch) -> None:
    told = home.step(home.start, "look")
    state = home.follow(TAKEN)
    monkeypatch.setattr(world, "downward", interrupted_at(1))
    assert home.step(home.start, "look") == told
    assert home.follow(TAKEN) is state


@needs_extra
def test_a_goal_that_was_left_again_is_not_won(home: World) -> None:
    done = [*TAKEN, "go to countertop 1", "move mug 1 to countertop 1"]
    assert home.follow(done).won
    assert not home.follow([*done, "take mug 1 from countertop 1"]).won
    assert not home.start.won


# -- interrupts ------------------------------------------------------------------------------------------


def interrupted_at(number: int) -> Callable[..., Any]:
    """What gives the packages, but for the use of that number from 1: there somebody presses Ctrl-C."""
    uses = iter(range(1, 10**6))

    def downward(*names: str) -> Any:
        if next(uses) == number:
            raise KeyboardInterrupt
        return given(*names)

    return downward


def attempts(monkeypatch: pytest.MonkeyPatch, work: Callable[[], object]) -> Iterator[int]:
    """Interrupts ``work`` at the first use of the packages, the second, and so on until it is done."""
    for number in range(1, 200):
        with monkeypatch.context() as patched:
            patched.setattr(world, "downward", interrupted_at(number))
            try:
                work()
            except KeyboardInterrupt:
                yield number
            else:
                assert number > 1
                return
    raise AssertionError("it is never done")


@needs_extra
@pytest.mark.parametrize("elsewhere", [False, True])
def test_a_step_that_was_interrupted_anywhere_can_be_taken_again(
    monkeypatch: pytest.MonkeyPatch, elsewhere: bool
) -> None:
    """Also when the library held another state, or another world, before."""
    home, other = (World(kitchen("place", "Mug", "CounterTop")) for _ in range(2))
    there = home.follow(TAKEN[:2])
    wanted = {fact for fact in home.facts(there) if fact[0] != "holds"}
    if elsewhere:
        home.step(home.start, "go to fridge 1")
        other.follow(["go to sinkbasin 1"])
    for _ in attempts(monkeypatch, lambda: home.step(there, TAKEN[2])):
        assert home.step(there, "examine cabinet 1")[0] == "The cabinet 1 is open. In it, you see a mug 1."
        there.known.clear()
        assert home.facts(there) == wanted
        assert other.step(other.start, "go to fridge 1")[0] == "You arrive at fridge 1. The fridge 1 is closed."
        other.start.known.clear()
    text, after = home.step(there, TAKEN[2])
    assert text == "You pick up the mug 1 from the cabinet 1."
    assert ("holds", "agent1", "mug_bar_02") in home.facts(after)
    assert after is home.follow(TAKEN)


@needs_extra
def test_an_interrupt_at_the_beginning_of_a_game_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the library did already is undone: otherwise the agent would be in two places."""
    game = kitchen("place", "Mug", "CounterTop")
    wanted = list(World(game).follow(["go to cabinet 1"]).commands)
    homes = [World(game)]
    for _ in attempts(monkeypatch, lambda: homes[-1].step(homes[-1].start, "go to fridge 1")):
        assert list(homes[-1].follow(["go to cabinet 1"]).commands) == wanted
        homes.append(World(game))
    assert "open fridge 1" not in wanted


@needs_extra
def test_asking_for_facts_or_a_plan_can_be_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    home = World(kitchen("place", "Mug", "CounterTop"))
    there, away = home.follow(TAKEN), home.follow(["go to fridge 1", "open fridge 1"])
    wanted = home.facts(there)
    home.facts(away)
    for _ in attempts(monkeypatch, lambda: home.facts(there)):
        assert ("opened", "fridge_bar_02") in home.facts(away)
    assert home.facts(there) == wanted
    for _ in attempts(monkeypatch, lambda: home.planned(away)):
        assert home.facts(there) == wanted
    assert home.follow([*away.path, *home.planned(away)]).won


@needs_extra
def test_a_game_that_is_won_at_once_is_refused() -> None:
    with pytest.raises(DataError, match="the kitchen is won before it begins; get it anew"):
        World(kitchen("place", "Apple", "CounterTop"))


@needs_extra
def test_a_plan_begins_where_one_is(home: World) -> None:
    plan = home.planned(home.follow(TAKEN))
    assert plan == ["go to countertop 1", "move mug 1 to countertop 1"]


# -- worlds that are kept --------------------------------------------------------------------------------


def test_the_worlds_opened_last_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(world, "_WORLDS", type(world._WORLDS)())
    monkeypatch.setattr(world, "_MAX_WORLDS", 2)
    made: list[str] = []

    def opened(key: str) -> object:
        return open_world(key, lambda: made.append(key) or object())  # type: ignore[arg-type,func-returns-value,return-value]

    first = opened("a")
    opened("b")
    assert opened("a") is first  # and is now the last one opened
    opened("c")
    assert opened("a") is first
    assert made == ["a", "b", "c"]
    opened("b")
    assert made == ["a", "b", "c", "b"]
    opened("c")
    assert made == ["a", "b", "c", "b", "c"]


def test_a_world_that_cannot_be_made_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(world, "_WORLDS", type(world._WORLDS)())

    def fails() -> World:
        raise DataError("no game")

    with pytest.raises(DataError, match="no game"):
        open_world("a", fails)
    whole = object()
    assert open_world("a", lambda: whole) is whole  # type: ignore[arg-type,return-value]
