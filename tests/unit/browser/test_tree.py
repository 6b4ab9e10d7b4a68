"""Pages as text: what is said of an element, what is left out, budgets and differences. Worked out by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import ImageColor

from agentgym.browser import Node, Seen, View, as_text, difference
from agentgym.browser.tree import _names, color_name, line_of

FORM = (
    Node(depth=0, role="heading", name="Find a table", level="1", box=(0, 0, 300, 30)),
    Node(depth=0, role="form", box=(0, 30, 300, 200)),
    Node(depth=1, text="Where?"),
    Node(depth=1, role="textbox", name="Place", ref="1", acts=True, value="", box=(10, 40, 80, 20)),
    Node(depth=1, role="paragraph"),
    Node(depth=2, text="in the city"),
    Node(depth=1, role="button", name="Find", ref="2", acts=True, box=(10, 900, 50, 20)),
)
TEXT = """\
heading 1 "Find a table"
form
  Where?
  [1] textbox "Place" value=""
  in the city
  [2] button "Find\""""


def seen(*nodes: Node, page: str = "a") -> Seen:
    return Seen(url="http://x/", title="", page=page, nodes=nodes, scroll=(0, 0, 300, 1000, 300, 600))


def test_a_page_in_words() -> None:
    assert as_text(seen(*FORM)) == TEXT


@pytest.mark.parametrize(
    ("view", "text"),
    [
        (View(interactive=True), 'heading 1 "Find a table"\n[1] textbox "Place" value=""\n[2] button "Find"'),
        (View(depth=0), 'heading 1 "Find a table"\nform'),
        (View(in_view=True), TEXT.rpartition("\n")[0]),
        (
            View(interactive=True, boxes=True),
            'heading 1 "Find a table" @ 0,0 300x30\n[1] textbox "Place" value="" @ 10,40 80x20\n'
            '[2] button "Find" @ 10,900 50x20',
        ),
        (View(budget=len(TEXT)), TEXT),
        (View(budget=len(TEXT) - 1), 'heading 1 "Find a table"\n[1] textbox "Place" value=""\n[2] button "Find"'),
        (View(budget=50), 'heading 1 "Find a table"\n(… 2 more lines)'),
        (View(budget=5, measure=lambda text: len(text.split())), "(… 3 more lines)"),
    ],
    ids=["interactive", "depth", "in view", "boxes", "fits", "words go first", "cut", "tokens"],
)
def test_how_much_is_told(view: View, text: str) -> None:
    assert as_text(seen(*FORM), view) == text


@pytest.mark.parametrize(
    ("node", "line"),
    [
        (Node(depth=0, text="words"), "words"),
        (
            Node(depth=0, role="radio", name="a", ref="3", states=("checked", "focused")),
            '[3] radio "a" (checked, focused)',
        ),
        (Node(depth=0, role="box", ref="4", color="rgb(255, 0, 0)", box=(1, 2, 3, 4)), "[4] box color=red @ 1,2 3x4"),
        (Node(depth=0, role="generic", ref="5", hint="#x.like"), "[5] generic #x.like"),
        (Node(depth=0, role="paragraph", name="said"), "said"),
        (Node(depth=0, role="paragraph", name="said", ref="6"), '[6] paragraph "said"'),
    ],
)
def test_an_element_in_words(node: Node, line: str) -> None:
    assert line_of(node) == line


def test_a_row_of_words_is_one_line() -> None:
    cells = [Node(depth=1, role="cell", name=name) for name in ("red", "12")]
    row = Node(depth=0, role="row")
    assert as_text(seen(row, *cells)) == 'row "red | 12"'
    clickable = Node(depth=1, role="cell", name="x", ref="1")
    assert as_text(seen(row, cells[0], clickable)) == 'row\n  cell "red"\n  [1] cell "x"'
    with_button = [row, cells[0], Node(depth=1, role="cell"), Node(depth=2, role="button", name="x", ref="1")]
    assert as_text(seen(*with_button)) == 'row\n  cell "red"\n  cell\n    [1] button "x"'


def test_as_many_lines_are_told_as_there_is_room_for() -> None:
    buttons = [Node(depth=0, role="button", name=str(number), ref=str(number)) for number in range(10)]
    lines = [f'[{number}] button "{number}"' for number in range(10)]
    for kept in range(9):
        told = "\n".join([*lines[:kept], f"(… {10 - kept} more lines)"])
        assert as_text(seen(*buttons), View(budget=len(told))) == told
        assert as_text(seen(*buttons), View(budget=len(told) + 1)) == told


def test_what_differs_is_told_alone() -> None:
    filled = (*FORM[:3], Node(depth=1, role="textbox", name="Place", ref="1", acts=True, value="rome"), *FORM[4:])
    before = seen(*FORM)
    assert difference(before, seen(*filled)) == '- [1] textbox "Place" value=""\n+ [1] textbox "Place" value="rome"'
    assert difference(before, before) == "(nothing changed)"
    assert difference(before, seen(*filled, page="b")) == as_text(seen(*filled))
    assert difference(before, seen(*FORM[:2])) == 'heading 1 "Find a table"\nform', "more went than stayed"


NODES = st.builds(
    Node,
    depth=st.integers(0, 6),
    role=st.sampled_from(["", "button", "row", "cell", "paragraph", "listitem"]),
    name=st.text(max_size=5),
    text=st.text(max_size=5),
    ref=st.sampled_from(["", "1", "22"]),
)


@given(nodes=st.lists(NODES, max_size=12), budget=st.integers(30, 200))
def test_a_budget_is_kept(nodes: list[Node], budget: int) -> None:
    assert len(as_text(seen(*nodes), View(budget=budget))) <= max(budget, len("(… 12 more lines)"))


def test_names_of_colors_do_not_depend_on_what_was_drawn_before() -> None:
    """Pillow keeps what it has once made of a name in its own table."""
    ImageColor.getrgb("white")
    _names.cache_clear()
    assert color_name("rgb(255, 255, 255)") == "white"
