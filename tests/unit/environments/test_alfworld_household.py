"""The solver in a home written down as facts: what is put down, picked up, opened, treated, lit, and in which order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pytest

from agentgym.environments.alfworld.solver import Goal, Household, read_goal, shortest_plan
from agentgym.environments.alfworld.world import Fact

KINDS = ("shelf", "sink", "desk", "microwave", "fridge")
TYPES = {"sink": "sinkbasintype"}
CLOSED = ("microwave", "fridge")


def home(
    things: Mapping[str, str],
    *more: Fact,
    here: str = "door",
    held: str = "",
    closed: Iterable[str] = CLOSED,
    takes: Iterable[str] = KINDS,
) -> Household:
    """Five receptacles, each at a place of its own; ``things``: name, such as "mug 1", and where it is.

    Mugs can be cleaned, heated and cooled; ``takes`` names what anything may be put into.
    """
    facts: set[Fact] = {("atlocation", "agent", f"at {here}"), *more}
    for kind in KINDS:
        own = TYPES.get(kind, f"{kind}type")
        facts |= {("receptacleatlocation", kind, f"at {kind}"), ("receptacletype", kind, own)}
        if kind in CLOSED:
            facts |= {("openable", kind)} | (set() if kind in closed else {("opened", kind)})
        if kind in takes:
            facts |= {("cancontain", own, f"{thing.split()[0]}type") for thing in (*things, *([held] if held else []))}
    for thing, place in things.items():
        facts |= {("objecttype", thing, f"{thing.split()[0]}type"), ("inreceptacle", thing, place)}
    if held:
        facts |= {("objecttype", held, f"{held.split()[0]}type"), ("holds", "agent", held)}
    for thing in (*things, held):
        if thing.startswith("mug"):
            facts |= {("cleanable", thing), ("heatable", thing), ("coolable", thing)}
    return Household(facts, {name: name for name in (*KINDS, *things, held)})


MUG_ON_DESK = Goal(thing="mugtype", receptacle="desktype")
HOT_MUG = Goal(thing="mugtype", receptacle="desktype", treatment="ishot")
LIT_MUG = Goal(thing="mugtype", lamp="lamptype")


def plan(given: Household, goal: Goal) -> list[str] | None:
    return shortest_plan(given, goal)


def test_a_thing_is_fetched_and_brought() -> None:
    assert plan(home({"mug 1": "shelf"}), MUG_ON_DESK) == [
        "go to shelf",
        "take mug 1 from shelf",
        "go to desk",
        "move mug 1 to desk",
    ]


def test_one_does_not_go_where_one_is_nor_open_what_is_open() -> None:
    assert plan(home({"mug 1": "fridge"}, here="fridge"), MUG_ON_DESK) == [
        "open fridge",
        "take mug 1 from fridge",
        "go to desk",
        "move mug 1 to desk",
    ]
    assert plan(home({"mug 1": "fridge"}, here="fridge", closed=[]), MUG_ON_DESK) == [
        "take mug 1 from fridge",
        "go to desk",
        "move mug 1 to desk",
    ]


def test_what_is_held_is_not_fetched_and_what_is_there_is_left() -> None:
    assert plan(home({}, here="desk", held="mug 1"), MUG_ON_DESK) == ["move mug 1 to desk"]
    assert plan(home({"mug 1": "desk"}), MUG_ON_DESK) == []


def test_the_shorter_way_is_taken() -> None:
    """The mug on the shelf takes four commands, the one in the fridge, which is closed, five."""
    found = plan(home({"mug 1": "fridge", "mug 2": "shelf"}), MUG_ON_DESK)
    assert found == ["go to shelf", "take mug 2 from shelf", "go to desk", "move mug 2 to desk"]


# -- treatments ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("treatment", "verb", "tool"),
    [("isclean", "clean", "sink"), ("ishot", "heat", "microwave"), ("iscool", "cool", "fridge")],
)
def test_a_thing_is_treated_at_the_tool_which_stays_closed(treatment: str, verb: str, tool: str) -> None:
    goal = Goal(thing="mugtype", receptacle="desktype", treatment=treatment)
    assert plan(home({"mug 1": "shelf"}), goal) == [
        "go to shelf",
        "take mug 1 from shelf",
        f"go to {tool}",
        f"{verb} mug 1 with {tool}",
        "go to desk",
        "move mug 1 to desk",
    ]
    done = home({"mug 1": "shelf"}, (treatment, "mug 1"))
    assert plan(done, goal) == ["go to shelf", "take mug 1 from shelf", "go to desk", "move mug 1 to desk"]


def test_what_lies_there_untreated_is_taken_up_again() -> None:
    assert plan(home({"mug 1": "desk"}, here="desk"), HOT_MUG) == [
        "take mug 1 from desk",
        "go to microwave",
        "heat mug 1 with microwave",
        "go to desk",
        "move mug 1 to desk",
    ]
    assert plan(home({"mug 1": "desk"}, ("ishot", "mug 1")), HOT_MUG) == []


def test_a_treatment_of_another_kind_or_of_another_thing_does_not_count() -> None:
    heated = "heat mug 1 with microwave"
    assert heated in (plan(home({"mug 1": "desk"}, ("isclean", "mug 1")), HOT_MUG) or [])
    assert heated in (plan(home({"mug 1": "desk"}, ("ishot", "mug 2")), HOT_MUG) or [])


@pytest.mark.parametrize("treatment", ["isclean", "ishot", "iscool"])
def test_what_cannot_be_treated_so_is_not(treatment: str) -> None:
    goal = Goal(thing="rugtype", receptacle="desktype", treatment=treatment)
    other = {"isclean": "heatable", "ishot": "coolable", "iscool": "cleanable"}[treatment]
    assert plan(home({"rug 1": "shelf"}, (other, "rug 1")), goal) is None
    able = {"isclean": "cleanable", "ishot": "heatable", "iscool": "coolable"}[treatment]
    assert len(plan(home({"rug 1": "shelf"}, (able, "rug 1")), goal) or []) == 6


# -- the hand --------------------------------------------------------------------------------------------


def test_what_is_held_is_put_down_with_the_least_effort() -> None:
    """Here where it is open; elsewhere where it is open rather than here and elsewhere closed."""
    at_shelf = home({"mug 1": "shelf"}, here="shelf", held="rug 1")
    assert (plan(at_shelf, MUG_ON_DESK) or [])[:2] == ["move rug 1 to shelf", "take mug 1 from shelf"]
    at_fridge = home({"mug 1": "shelf"}, here="fridge", held="rug 1", takes=["microwave", "fridge", "desk"])
    assert (plan(at_fridge, MUG_ON_DESK) or [])[:2] in (
        ["open fridge", "move rug 1 to fridge"],
        ["go to desk", "move rug 1 to desk"],
    )
    away = home({"mug 1": "shelf"}, held="rug 1", takes=["microwave", "desk"])
    assert (plan(away, MUG_ON_DESK) or [])[:2] == ["go to desk", "move rug 1 to desk"]
    away = home({"mug 1": "sink"}, held="rug 1", takes=["fridge", "shelf"])
    on_shelf = Goal(thing="mugtype", receptacle="shelftype")
    assert (plan(away, on_shelf) or [])[:2] == ["go to shelf", "move rug 1 to shelf"]


def test_what_cannot_be_put_down_anywhere_bars_every_other_way() -> None:
    stuck = Household(
        {
            ("atlocation", "agent", "at desk"),
            ("receptacleatlocation", "desk", "at desk"),
            ("receptacletype", "desk", "desktype"),
            ("cancontain", "desktype", "mugtype"),
            ("objecttype", "mug 1", "mugtype"),
            ("inreceptacle", "mug 1", "desk"),
            ("objecttype", "rug 1", "rugtype"),
            ("holds", "agent", "rug 1"),
            ("objecttype", "lamp 1", "lamptype"),
            ("inreceptacle", "lamp 1", "desk"),
        },
        {"desk": "desk", "mug 1": "mug 1", "rug 1": "rug 1", "lamp 1": "lamp 1"},
    )
    assert plan(stuck, LIT_MUG) is None
    assert plan(stuck, MUG_ON_DESK) == []  # it lies there already: the hand does not matter
    assert plan(stuck, Goal(thing="rugtype", lamp="lamptype")) == ["use lamp 1"]


def test_nothing_is_brought_where_it_may_not_lie() -> None:
    assert plan(home({"mug 1": "shelf"}, takes=["shelf", "sink"]), MUG_ON_DESK) is None


def test_a_thing_that_is_nowhere_is_not_used() -> None:
    """Sliced things, for instance, are in the problem before they are there."""
    ghost = home({"mug 1": "shelf"}, ("objecttype", "mug 2", "mugtype"))
    assert ghost.all_of("mugtype") == ["mug 1"]
    assert ghost.all_of("desktype") == ["desk"]
    assert home({"mug 1": "shelf"}, held="mug 2").all_of("mugtype") == ["mug 1", "mug 2"]


# -- two of a kind ---------------------------------------------------------------------------------------

TWO = Goal(thing="mugtype", receptacle="desktype", count=2)


def test_two_are_brought_one_after_the_other() -> None:
    assert plan(home({"mug 1": "shelf", "mug 2": "shelf"}), TWO) == [
        "go to shelf",
        "take mug 1 from shelf",
        "go to desk",
        "move mug 1 to desk",
        "go to shelf",
        "take mug 2 from shelf",
        "go to desk",
        "move mug 2 to desk",
    ]


def test_of_two_the_one_that_is_there_is_left_and_the_one_in_the_hand_comes_first() -> None:
    assert plan(home({"mug 1": "desk", "mug 2": "shelf"}), TWO) == [
        "go to shelf",
        "take mug 2 from shelf",
        "go to desk",
        "move mug 2 to desk",
    ]
    assert plan(home({"mug 1": "shelf"}, here="desk", held="mug 2"), TWO) == [
        "move mug 2 to desk",
        "go to shelf",
        "take mug 1 from shelf",
        "go to desk",
        "move mug 1 to desk",
    ]
    assert plan(home({"mug 1": "desk"}), TWO) is None


# -- looking ---------------------------------------------------------------------------------------------


def test_a_thing_is_fetched_and_the_lamp_lit() -> None:
    assert plan(home({"mug 1": "shelf", "lamp 1": "desk"}), LIT_MUG) == [
        "go to shelf",
        "take mug 1 from shelf",
        "go to desk",
        "use lamp 1",
    ]


def test_a_lamp_that_is_lit_is_not_turned_off_but_gone_to() -> None:
    lit = ("istoggled", "lamp 1")
    assert plan(home({"mug 1": "shelf", "lamp 1": "desk"}, lit), LIT_MUG) == [
        "go to shelf",
        "take mug 1 from shelf",
        "go to desk",
    ]
    assert plan(home({"lamp 1": "desk"}, lit, held="mug 1"), LIT_MUG) == ["go to desk"]
    assert plan(home({"lamp 1": "desk"}, lit, held="mug 1", here="desk"), LIT_MUG) == []
    assert plan(home({"lamp 1": "desk"}, held="mug 1", here="desk"), LIT_MUG) == ["use lamp 1"]


def test_of_two_lamps_the_lit_one_is_nearer_by_one_command() -> None:
    lamps = {"lamp 1": "shelf", "lamp 2": "desk"}
    assert plan(home(lamps, ("istoggled", "lamp 2"), held="mug 1"), LIT_MUG) == ["go to desk"]
    assert plan(home(lamps, ("istoggled", "lamp 1"), held="mug 1"), LIT_MUG) == ["go to shelf"]


def test_a_lamp_in_the_hand_gives_no_light() -> None:
    assert plan(home({"mug 1": "shelf"}, held="lamp 1"), LIT_MUG) is None


# -- one home, several ways ------------------------------------------------------------------------------


def test_a_way_leaves_the_home_as_it_was() -> None:
    before = home({"mug 1": "fridge"}, held="rug 1")
    way = before.copy()
    assert way.fetch("mug 1")
    way.put("desk")
    assert (before.inside, before.held, before.here) == ({"mug 1": "fridge"}, "rug 1", "at door")
    assert (before.closed, before.plan) == ({"microwave", "fridge"}, [])
    assert (way.inside["mug 1"], way.held, way.here, way.closed) == ("desk", None, "at desk", {"microwave"})
    assert len(way.plan) == 7


# -- goals -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("goal", "read"),
    [
        (
            "(objectType ?o MugType) (receptacleType ?r DeskType)",
            Goal(thing="mugtype", receptacle="desktype"),
        ),
        (
            "(objectType ?o MugType) (receptacleType ?r DeskType) (isHot ?o)",
            Goal(thing="mugtype", receptacle="desktype", treatment="ishot"),
        ),
        (
            "(objectType ?a MugType) (objectType ?b MugType) (receptacleType ?r DeskType) (not (= ?a ?b))",
            Goal(thing="mugtype", receptacle="desktype", count=2),
        ),
        (
            "(objectType ?l LampType) (isToggled ?l) (objectType ?o MugType) (holds ?a ?o)",
            Goal(thing="mugtype", lamp="lamptype"),
        ),
        ("(objectType ?o MugType) (receptacleType ?r DeskType) (receptacleType ?q ShelfType)", None),
        ("(objectType ?o MugType) (receptacleType ?r DeskType) (inReceptacleObject ?o ?p)", None),
        ("(objectType ?o MugType) (receptacleType ?r DeskType) (isSliced ?o)", None),
        ("(objectType ?o MugType) (receptacleType ?r DeskType) (isHot ?o) (isCool ?o)", None),
        ("(objectType ?o MugType) (objectType ?p CupType) (receptacleType ?r DeskType)", None),
        ("(objectType ?a MugType) (objectType ?b CupType) (receptacleType ?r DeskType) (not (= ?a ?b))", None),
        ("(objectType ?a MugType) (objectType ?b MugType) (receptacleType ?r DeskType)", None),
        ("(objectType ?a MugType) (receptacleType ?r DeskType) (not (= ?a ?b))", None),
        ("(objectType ?o MugType)", None),
        ("(receptacleType ?r DeskType)", None),
        ("(objectType ?l LampType) (isToggled ?l) (objectType ?o MugType)", None),
        ("(objectType ?l LampType) (objectType ?o MugType) (holds ?a ?o)", None),
        ("(objectType ?l LampType) (isToggled ?l) (holds ?a ?l)", None),
    ],
)
def test_only_the_six_goals_are_read(goal: str, read: Goal | None) -> None:
    elsewhere = "(:init (objectType cup CupType) (isSliced cup))"
    assert read_goal(f"(define (problem x) {elsewhere} (:goal (and {goal})))") == read
