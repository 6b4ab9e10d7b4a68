"""What is written in a spelling is read as the same action; what cannot be read is told."""

from __future__ import annotations

import contextlib
import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentgym.browser.actions import (
    Action,
    Back,
    Click,
    Drag,
    Fill,
    Forward,
    Goto,
    Hover,
    Point,
    Press,
    Say,
    Scroll,
    Select,
    Type,
    Wait,
)
from agentgym.browser.seen import Node
from agentgym.browser.spellings import SPELLINGS, SpellingName
from agentgym.doctor import STRANGE_ACTIONS
from agentgym.errors import ParseError
from agentgym.types import Action as Said
from agentgym.types import ToolCall

REFS = st.integers(1, 9999).map(str)
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=30)
NUMBERS = st.integers(-2000, 2000).map(float)
POINTS = st.builds(Point, NUMBERS, NUMBERS)
TARGETS = st.one_of(REFS, POINTS)
KEYS = st.sampled_from(["Enter", "a", "Control+A", "Tab", "ArrowDown"])
BUTTONS: Any = st.sampled_from(["left", "middle", "right"])
COUNTS = st.sampled_from([1, 2])
SAME_KIND = st.one_of(st.builds(Drag, REFS, REFS), st.builds(Drag, POINTS, POINTS))

COMMON = [
    st.builds(Click, TARGETS),
    st.builds(Hover, TARGETS),
    st.builds(Fill, REFS, TEXTS),
    SAME_KIND,
    st.builds(Type, TEXTS, REFS),
    st.builds(Press, KEYS),
    st.builds(Goto, TEXTS),
    st.just(Back()),
]
ACTIONS: dict[SpellingName, st.SearchStrategy[Action]] = {
    "calls": st.one_of(
        *COMMON,
        st.builds(Click, TARGETS, BUTTONS, COUNTS),
        st.builds(Type, TEXTS),
        st.builds(Press, KEYS, REFS),
        st.builds(Select, REFS, st.lists(TEXTS, min_size=1, max_size=3).map(tuple)),
        st.builds(Scroll, NUMBERS, NUMBERS),
        st.builds(Wait, st.integers(0, 9000).map(float)),
        st.builds(Say, TEXTS),
        st.just(Forward()),
    ),
    "tools": st.one_of(
        *COMMON,
        st.builds(Click, REFS, BUTTONS, COUNTS),
        st.builds(Type, TEXTS, REFS, st.booleans()),
        st.builds(Select, REFS, st.lists(TEXTS, min_size=1, max_size=3).map(tuple)),
        st.builds(Scroll, NUMBERS, NUMBERS),
        st.builds(Wait, st.integers(0, 9).map(lambda seconds: 1000.0 * seconds)),
    ),
    "commands": st.one_of(
        *COMMON,
        st.builds(Click, TARGETS, st.just("left"), COUNTS),
        st.builds(Select, REFS, st.tuples(TEXTS)),
        st.builds(Press, st.just("Enter"), REFS),
        st.sampled_from([Scroll(0, 400), Scroll(-400, 0), Say("ASK USER HELP")]),
        st.builds(Wait, st.integers(0, 9000).map(float)),
    ),
}


@pytest.mark.parametrize("name", SPELLINGS)
@given(data=st.data())
def test_what_is_written_is_read_as_the_same(name: SpellingName, data: st.DataObject) -> None:
    action = data.draw(ACTIONS[name])
    if name == "commands" and isinstance(action, Goto):  # blanks around an address mean nothing
        action = Goto(action.url.strip())
    assert SPELLINGS[name].parse(SPELLINGS[name].format(action)) == action


@pytest.mark.parametrize(
    ("name", "text", "action"),
    [
        ("calls", "click('12')", Click("12")),
        ("calls", " click(bid='12', button='right')\n", Click("12", "right")),
        ("calls", "dblclick('3')", Click("3", count=2)),
        ("calls", "fill('4', 'it\\'s')", Fill("4", "it's")),
        ("calls", "clear('4')", Fill("4", "")),
        ("calls", "select_option('4', ['a', 'b'])", Select("4", ("a", "b"))),
        ("calls", "mouse_click(3, 4.5)", Click(Point(3, 4.5))),
        ("calls", "scroll(0, -200)", Scroll(0, -200)),
        ("calls", "noop()", Wait(1000)),
        ("commands", "click [12]", Click("12")),
        ("commands", "CLICK[3, 4]", Click(Point(3, 4))),
        ("commands", "TYPE[12][a [b] c]", Type("a [b] c", "12")),
        ("commands", "FILL[12][]", Fill("12", "")),
        ("commands", "Goto[/cart]", Goto("/cart")),
        ("commands", "SCROLL[DOWN]", Scroll(0, 400)),
        ("commands", "SCROLL[up]", Scroll(0, -400)),
        ("commands", "ask  user help", Say("ASK USER HELP")),
        ("commands", "BACK", Back()),
        ("tools", "browser_click(ref=12)", Click("12")),
        ("tools", '{"name": "browser_click", "arguments": {"ref": "12", "element": "Find"}}', Click("12")),
        ("tools", 'browser_type(ref=1, text="a, b")', Fill("1", "a, b")),
        ("tools", "browser_type(ref=1, text=hi, submit=true)", Type("hi", "1", True)),
        ("tools", "browser_navigate_back()", Back()),
        ("tools", "browser_wait_for(time=2)", Wait(2000)),
    ],
)
def test_what_is_read(name: SpellingName, text: str, action: Action) -> None:
    assert SPELLINGS[name].parse(text) == action


def test_a_call_that_came_as_a_call_is_not_read_from_its_text() -> None:
    call = ToolCall(name="browser_click", arguments={"ref": "7"})
    assert SPELLINGS["tools"].parse(Said("whatever", tool_calls=[call])) == Click("7")
    with pytest.raises(ParseError, match="expected one call a turn, found 2"):
        SPELLINGS["tools"].parse(Said("whatever", tool_calls=[call, call]))


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("calls", "clik('12')", 'there is no action "clik". Did you mean "click"?'),
        ("calls", "click()", "click(bid, button, modifiers) was expected: missing a required argument: 'bid'"),
        ("calls", "click(12)", "found bid='12'"),
        ("calls", "click(f(1))", "click(bid, button, modifiers) was expected"),
        ("calls", "click('1'); click('2')", "expected one call such as click('12')"),
        ("calls", "os.system('true')", "expected one call"),
        ("calls", "mouse_click(1e999, 2)", "mouse_click(x, y, button) was expected, found x="),
        ("calls", "mouse_click(True, 2)", "found x='True'"),
        ("calls", "click('1', button='other')", "found button="),
        ("calls", "click('1', modifiers=['Shift'])", "modifiers are not supported"),
        ("commands", "CLICK", "expected CLICK[ref], found 'CLICK'"),
        ("commands", "CLICK[]", "expected a ref or a point x,y in the brackets, found nothing"),
        ("commands", "TIPE[1][a]", 'Did you mean "TYPE"?'),
        ("commands", "SCROLL[sideways]", "found 'sideways'"),
        ("commands", "WAIT[soon]", "found 'soon'"),
        ("commands", "TYPE[1]", "expected TYPE[ref][text]"),
        ("tools", "browser_clik(ref=1)", 'Did you mean "browser_click"?'),
        ("tools", "browser_click()", 'the argument "ref" is missing'),
        ("tools", "I would click.", "expected one call such as browser_click(ref=12)"),
    ],
)
def test_what_cannot_be_read_is_told(name: SpellingName, text: str, told: str) -> None:
    with pytest.raises(ParseError) as error:
        SPELLINGS[name].parse(text)
    assert told in str(error.value)


@pytest.mark.parametrize("name", SPELLINGS)
@pytest.mark.parametrize("text", STRANGE_ACTIONS, ids=range(len(STRANGE_ACTIONS)))
def test_strange_actions_are_no_actions(name: SpellingName, text: str) -> None:
    with pytest.raises(ParseError):
        SPELLINGS[name].parse(text)


@pytest.mark.parametrize("name", SPELLINGS)
@given(text=st.text(max_size=60))
def test_anything_is_read_or_refused(name: SpellingName, text: str) -> None:
    with contextlib.suppress(ParseError):
        assert dataclasses.is_dataclass(SPELLINGS[name].parse(text))


@pytest.mark.parametrize("name", SPELLINGS)
def test_admissible_actions_are_actions(name: SpellingName) -> None:
    nodes = [
        Node(depth=0, role="button", name="Find", ref="1"),
        Node(depth=0, role="textbox", ref="2", value="x"),
        Node(depth=0, role="combobox", ref="3", value="red"),
        Node(depth=1, role="option", ref="4"),
        Node(depth=0, role="button", ref="5", states=("disabled",)),
        Node(depth=0, text="words"),
    ]
    admissible = SPELLINGS[name].admissible(nodes)
    found = [SPELLINGS[name].parse(action) for action in admissible]
    assert Click("1") in found
    assert not any(getattr(action, "at", None) in ("4", "5") for action in found)
    assert {getattr(action, "at", None) for action in found} >= {"1", "2", "3"}


@pytest.mark.parametrize(
    ("name", "action"),
    [
        ("calls", Type("a", "1", True)),
        ("calls", Scroll(0, 1, "3")),
        ("tools", Say("hello")),
        ("tools", Drag("1", Point(1, 2))),
        ("commands", Forward()),
        ("commands", Click("1", "right")),
    ],
)
def test_what_has_no_spelling_is_refused(name: SpellingName, action: Action) -> None:
    with pytest.raises(ValueError, match="cannot be written"):
        SPELLINGS[name].format(action)


def test_tools_are_told_as_schemas() -> None:
    schemas = {tool["function"]["name"]: tool["function"] for tool in SPELLINGS["tools"].tools}
    assert schemas["browser_click"]["parameters"]["required"] == ["ref"]
    assert set(schemas["browser_type"]["parameters"]["properties"]) == {"ref", "text", "element", "submit", "slowly"}
