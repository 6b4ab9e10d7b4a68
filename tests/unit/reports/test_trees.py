"""Trees of lines: rebuilt from records, folded, drawn in words and as a picture."""

from __future__ import annotations

import itertools
import json
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from agentgym.archive import Card
from agentgym.errors import DataError
from agentgym.reports import drawn_svg, drawn_text, planted, tree_of
from agentgym.reports.tree_svg import laid_out
from agentgym.reports.tree_text import said
from agentgym.reports.trees import Stretch, folded
from agentgym.types import StopReason, Trajectory
from tests.kit import episode

Said = Sequence[tuple[str, float]]
"""Of each turn the action and its reward."""


def line(name: str, turns: Said, *, parent: str | None = None, at: int | None = None, **changes: Any) -> Trajectory:
    found = episode(*(reward for _, reward in turns), episode_id=name, group_id="g", update=3, stage="train", **changes)
    for turn, (action, _) in zip(found.turns, turns, strict=True):
        turn.action = action
    return found.model_copy(update={"parent_id": parent, "branch_turn": at})


#   north ── east ── south   1     a
#     │        └──── west    0     b, cut
#     └── up ── down               c, void

A = line("a", [("north", 0.0), ("east", 0.0), ("south", 1.0)], success=True)
B = line("b", [("north", 0.0), ("east", 0.0), ("west", 0.0)], parent="a", at=2, stop=StopReason.TURN_LIMIT)
C = line("c", [("north", 0.0), ("up", 0.0), ("down", 0.0)], parent="a", at=1, stop=StopReason.ENV_ERROR, error="wall")


def valued() -> list[Trajectory]:
    """The same with what a search made of them, which each line has of its own turns."""
    lines = [each.model_copy(deep=True) for each in (A, B, C)]
    worth: list[list[float | None]] = [[0.5, 0.5, 1.0], [0.5, 0.5, 0.0], [0.5, None, None]]
    for each, values in zip(lines, worth, strict=True):
        for turn, value in zip(each.turns, values, strict=True):
            turn.value, turn.visits = value, None if value is None else 2 if value == 0.5 else 1
    lines[0].turns[2].critic = 1.0
    return lines


def shown(lines: Sequence[Trajectory], width: int = 160) -> str:
    console = Console(width=width, force_terminal=False, color_system=None)
    with console.capture() as capture:
        console.print(drawn_text(tree_of(lines)))
    return "\n".join(row.rstrip() for row in capture.get().splitlines())


# -- rebuilt -----------------------------------------------------------------------------------------------


def test_each_turn_is_one_moment_with_the_lines_that_go_through_it() -> None:
    tree = tree_of([A, B, C])
    found = [
        (node.id, node.parent and node.parent.id, "".join(each.episode_id for each in node.lines))
        for node in tree.root.walk()
    ]
    assert found == [
        ("root", None, "abc"),
        ("a@0", "root", "abc"),
        ("a@1", "a@0", "ab"),
        ("a@2", "a@1", "a"),
        ("b@2", "a@1", "b"),
        ("c@1", "a@0", "c"),
        ("c@2", "c@1", "c"),
    ]
    assert (tree.num_moments, tree.best) == (6, A)


def test_the_best_line_is_the_first_that_was_worth_most_and_never_a_void_one() -> None:
    void = line("v", [("a", 5.0)], stop=StopReason.ABORTED)
    one, other = line("x", [("a", 1.0)]), line("y", [("b", 1.0)])
    assert tree_of([void, one, other]).best is one
    assert tree_of([void]).best is None


def test_a_group_that_did_not_branch_is_a_star() -> None:
    tree = tree_of([line("x", [("a", 0.0)]), line("y", [("a", 1.0), ("b", 0.0)]), line("z", [])])
    assert [child.id for child in tree.root.children] == ["x@0", "y@0"]
    assert [each.episode_id for each in tree.root.ends] == ["z"]


def test_the_first_line_stands_in_for_a_parent_that_is_not_on_record() -> None:
    found = [node.id for node in tree_of([B, C]).root.walk()]
    assert found == ["root", "b@0", "b@1", "b@2", "c@1", "c@2"]


def test_records_that_are_no_tree_are_refused() -> None:
    with pytest.raises(DataError, match="there are two episodes a, expected one: choose an --update"):
        tree_of([A, A])
    circle = [line("x", [("a", 0.0)] * 3, parent="y", at=2), line("y", [("a", 0.0)] * 3, parent="x", at=2)]
    with pytest.raises(DataError, match="episode x branched off y, which branched off itself"):
        tree_of(circle)
    with pytest.raises(DataError, match="branched off itself"):
        tree_of([line("x", [("a", 0.0)] * 3, parent="x", at=1)])


def test_as_json_it_has_nodes_and_lines() -> None:
    found = json.loads(json.dumps(tree_of(valued()).model_dump()))
    assert {key: found[key] for key in ("group_id", "update", "stage", "task", "best")} == {
        "group_id": "g",
        "update": 3,
        "stage": "train",
        "task": 0,
        "best": "a",
    }
    root, north, _, south, *_ = found["nodes"]
    assert root["parent"] is None
    assert (root["action"], root["lines"]) == (None, ["a", "b", "c"])
    assert north == {
        "id": "a@0",
        "parent": "root",
        "action": "north",
        "value": 0.5,
        "visits": 2,
        "critic": None,
        "reward": 0.0,
        "lines": ["a", "b", "c"],
    }
    assert (south["value"], south["visits"], south["critic"], south["reward"]) == (1.0, 1, 1.0, 1.0)
    assert [(each["id"], each["stop_reason"], each["error"]) for each in found["lines"]] == [
        ("a", "terminated", None),
        ("b", "turn_limit", None),
        ("c", "env_error", "wall"),
    ]


def test_groups_are_told_apart_by_stage_and_update() -> None:
    cards = [
        Card.of(each) for each in (A, B, A.model_copy(update={"update": 4}), A.model_copy(update={"group_id": ""}))
    ]
    assert [(each.group_id, each.update, len(each.cards), each.num_forks) for each in planted(cards)] == [
        ("g", 3, 2, 1),
        ("g", 4, 1, 0),
    ]


# -- folded ------------------------------------------------------------------------------------------------


def test_a_chain_without_a_branch_is_one_stretch() -> None:
    root = folded(tree_of([A, B, C]).root)
    (north,) = root.children
    assert [said(each) for each in (north, *north.children)] == ["north", "east", "up → down"]
    assert [said(each) for each in north.children[0].children] == ["south", "west"]


def test_a_line_that_ends_where_others_go_on_ends_a_stretch() -> None:
    whole = line("x", [("a", 0.0), ("b", 0.0), ("c", 0.0)])
    short = line("y", [("a", 0.0), ("b", 0.0)], parent="x", at=2)
    (first,) = folded(tree_of([whole, short]).root).children
    assert (said(first), [each.episode_id for each in first.ends]) == ("a → b", ["y"])
    assert [said(child) for child in first.children] == ["c"]


def test_what_is_long_is_cut_off_and_says_how_many_turns_it_has() -> None:
    (chain,) = folded(tree_of([line("x", [(f"go to place {number}", 0.0) for number in range(40)])]).root).children
    told = said(chain)
    assert told.startswith("go to place 0 → go to place 1 → ")
    assert told.endswith("… (40 turns)")
    assert len(told) == 100
    (word,) = folded(tree_of([line("x", [("a" * 300, 0.0)])]).root).children
    assert said(word, 36) == "a" * 35 + "…"


# -- drawn -------------------------------------------------------------------------------------------------


def test_in_words() -> None:
    assert shown(valued()) == "\n".join(
        [
            "group g, train, update 3, toy task 0: 3 lines, 6 turns, 9 if none were shared",
            "└── north  value 0.50, 2 visits",
            "    ├── east  value 0.50, 2 visits",
            "    │   ├── south  value 1.00, 1 visit, critic 1.00, reward +1.00  [a: 1.00, success, best]",
            "    │   └── west  value 0.00, 1 visit  [b: 0.00, cut, turn_limit]",
            "    └── up → down  [c: void, env_error, wall]",
        ]
    )


def test_endings_in_words() -> None:
    none = line("z", [], stop=StopReason.DEADLINE)
    shaped = line("x", [("[bold]a[/bold]", 0.5)], shaped=1.0, stop=StopReason.INVALID_LIMIT)
    unread = line("y", [("", 0.0)])
    unread.turns[0].action, unread.turns[0].reply = None, "hm\n\x1b[31m"
    assert shown([shaped, unread, none]).splitlines()[1:] == [
        "├── [bold]a[/bold]  reward +1.50  [x: 0.50, shaped 1.50, invalid_limit, best]",
        "├── no action: hm ·[31m  [y: 0.00]",
        "└── [z: void, deadline, no turn]",
    ]


SVG = "{http://www.w3.org/2000/svg}"


def picture(lines: Sequence[Trajectory]) -> tuple[Any, list[list[str]]]:
    """Its root and what each box says."""
    root = ElementTree.fromstring(drawn_svg(tree_of(lines)))
    return root, [[text.text or "" for text in box.findall(f"{SVG}text")] for box in root.findall(f"{SVG}svg")]


def test_as_a_picture() -> None:
    root, told = picture(valued())
    assert told == [
        ["3 lines begin"],
        ["north", "value 0.50, 2 visits"],
        ["east", "value 0.50, 2 visits"],
        ["south", "value 1.00, 1 visit, critic 1.00, r…", "a: 1.00, success, best"],
        ["west", "value 0.00, 1 visit", "b: 0.00, cut, turn_limit"],
        ["up → down", "c: void, env_error, wall"],
    ]
    rects = [box.find(f"{SVG}rect") for box in root.findall(f"{SVG}svg")]
    assert [rect.get("stroke") for rect in rects] == ["#1a7f37"] * 4 + ["#8c959f"] * 2
    assert [rect.get("fill") for rect in rects] == ["#ffffff", *["#d4e6ff"] * 2, "#b4d4ff", "#f4f8ff", "#ffffff"]
    assert [rect.get("stroke-dasharray") is not None for rect in rects] == [False] * 5 + [True]
    assert len(root.findall(f"{SVG}path")) == 5


def test_without_values_nothing_is_shaded() -> None:
    root, _ = picture([A, B])
    assert {box.find(f"{SVG}rect").get("fill") for box in root.findall(f"{SVG}svg")} == {"#ffffff"}


@given(st.text(max_size=60))
def test_an_action_may_be_anything(action: str) -> None:
    """A picture stays one, and nothing that was said becomes a part of it; in words it takes one line."""
    lines = [line("x", [(action, 0.0)])]
    root, told = picture(lines)
    assert {each.tag for each in root.iter()} <= {SVG + name for name in ("svg", "rect", "text", "path", "title")}
    assert told[0] == ["1 lines begin"]
    assert len(shown(lines).splitlines()) == 2


def test_markup_in_an_action_is_shown_as_it_is() -> None:
    _, told = picture([line("x", [("</text><script>&\x00", 0.0)])])
    assert told[1][0] == "</text><script>&·"


@st.composite
def stretches(draw: st.DrawFn) -> Stretch:
    shape = draw(st.recursive(st.just([]), lambda below: st.lists(below, max_size=4), max_leaves=20))
    moment = tree_of([A]).root

    def grown(of: list[Any]) -> Stretch:
        return Stretch([moment], [grown(child) for child in of])

    return grown(shape)


@given(stretches())
def test_nothing_is_laid_on_top_of_anything(root: Stretch) -> None:
    boxes = laid_out(root)
    assert (boxes[0].stretch, boxes[0].column, boxes[0].parent) == (root, 0, None)
    columns: dict[int, list[float]] = {}
    for box in boxes:
        columns.setdefault(box.column, []).append(box.row)
    assert all(later - sooner >= 1 for rows in columns.values() for sooner, later in itertools.pairwise(rows))
    for place, box in enumerate(boxes):
        below = [other for other in boxes if other.parent == place]
        assert [other.stretch for other in below] == box.stretch.children
        assert all(other.column == box.column + 1 for other in below)
        if below:
            assert box.row == (below[0].row + below[-1].row) / 2
    leaves = [box.row for box in boxes if not box.stretch.children]
    assert leaves == list(range(len(leaves)))
