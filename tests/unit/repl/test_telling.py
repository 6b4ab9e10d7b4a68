"""What is told of a game: hints, reasons, the tree of what was played; and transcripts."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

import agentgym
from agentgym.hint import Hint
from agentgym.protocols.plain import Plain
from agentgym.protocols.react import React
from agentgym.repl import Reply
from tests.unit.repl.kit import Doors, Scripted, Stairs
from tests.unit.repl.test_shell import Played


class Hinted(Doors):
    """Says more of what is no door, and reports channels."""

    hints = (Hint("^swim", "no such door", "There is no water here."),)

    def reset(self, **options: Any) -> Any:
        return super().reset(**options)[0], {"channels": {"height": 1.5}}

    def step(self, action: str) -> Any:
        observation, reward, terminated, truncated, info = super().step(action)
        return observation, reward, terminated, truncated, {**info, "channels": {"height": len(self.passed)}}


def route_of(played: Played) -> list[str]:
    """The doors that are right."""
    env = played.game.env
    assert isinstance(env, Doors)
    return env.route


class Alone(Stairs):
    """Has no expert."""

    expert = agentgym.Env.expert


def test_a_hint_is_what_the_expert_would_do_and_nothing_is_played() -> None:
    played = Played(Hinted())
    route = route_of(played)
    assert played(":hint") == f"expert: {route[0]}\n"
    assert played.actions == []
    played(route[0])
    assert f"expert: {route[1]}" in played(":hint")


def test_a_hint_tells_what_the_environment_says_of_the_last_error() -> None:
    played = Played(Hinted())
    played("fly")
    assert "hint:" not in played(":hint")
    played("swim home")
    assert "hint: There is no water here." in played(":hint")
    assert "hint:" not in played(":undo", ":hint")


def test_where_there_is_no_expert_and_nothing_to_say_that_is_told() -> None:
    assert "Alone has no expert()" in Played(Alone())(":hint")
    hinted = Played(type("Told", (Alone,), {"hints": (Hint("up", "stair", "Mind the step."),)})())
    always = Played(type("Always", (Alone,), {"hints": (Hint("", "stair", "Mind the step."),)})())
    assert "Mind the step." not in always(":hint")
    assert "Mind the step." in always("up", ":hint")
    shown = hinted("up", ":hint")
    assert "hint: Mind the step." in shown
    assert "has no expert" not in shown


def rows(shown: str) -> list[list[str]]:
    return [line.split() for line in shown.splitlines()]


def test_why_has_each_turn_by_its_parts_and_channels_and_what_they_come_to() -> None:
    played = Played(Hinted())
    route = route_of(played)
    wrong = "left" if route[1] == "right" else "right"
    played(route[0], "fly", wrong)
    assert rows(played(":why")) == [
        ["turn", "action", "reward", "doors", "#height"],
        ["0", "(reset)", "1.5"],
        ["1", route[0], "0.5", "0.5", "1"],
        ["2", "fly", "0", "1"],
        ["3", wrong, "0", "0", "2"],
        ["together", "0.5", "0.5"],
    ]


def test_why_gives_nothing_for_a_reply_that_was_not_understood() -> None:
    played = Played(Hinted(), policy=Scripted("hm", protocol=React()))
    played(route_of(played)[0], ":step")
    assert rows(played(":why"))[3:] == [["2", "hm", "(not", "understood)", "0"], ["together", "0.5", "0.5"]]


def test_the_tree_has_every_moment_once_and_its_numbers_lead_back() -> None:
    played = Played()
    played("a", "b", ":undo", "c", ":branch high", ":undo 2", "d")
    shown = played(":tree")
    assert shown.splitlines() == [
        "#0 seed 0",
        "├── #1 a   reward 0.25",
        "│   ├── #2 b   reward 0.5",
        "│   └── #3 c   reward 0.5, :goto high",
        "└── #4 d   reward 0.25, you are here",
    ]
    played(":goto #2")
    assert played.actions == ["a", "b"]
    assert "reward 0.75" in played("e")
    assert "#5 e   reward 0.75, you are here" in played(":tree")
    played(":goto #1")
    assert played.actions == ["a"]
    assert played(":tree").count("\n") == 6
    assert "no moment #9 was played; :tree shows all" in played(":goto #9")
    assert 'expected a number, found "x"' in played(":goto #x")


def test_the_tree_has_one_for_each_episode_that_was_begun() -> None:
    played = Played()
    shown = played("a", ":task 7", "b", "c", "d", "e", ":tree")
    assert shown[shown.index("#0") :].splitlines() == [
        "#0 seed 0",
        "└── #1 a   reward 0.25",
        "#2 task 7, seed 0",
        "└── #3 b   reward 0.25",
        "    └── #4 c   reward 0.5",
        "        └── #5 d   reward 0.75",
        "            └── #6 e   reward 1, success, you are here",
    ]


def test_what_is_saved_is_played_again_and_compared(tmp_path: Path) -> None:
    file = tmp_path / "game.jsonl"
    policy = Scripted("Action: left", "hm", protocol=React())
    played = Played(Doors(), policy, seed=3)
    shown = played(":step", ":step", "right", f":save {file}")
    assert "3 turns are in" in shown
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert (lines[0]["env"], lines[0]["seed"], lines[0]["observation"]) == ("Doors", 3, "Passed 0: []")
    assert [line["action"] for line in lines[1:]] == ["left", None, "right"]
    assert [line["reply"] for line in lines[1:]] == ["Action: left", "hm", None]
    again = Played(Doors())
    assert "3 turns came to the same" in again(f":replay {file}").replace("\n", " ")
    assert again.actions == ["left", None, "right"]
    assert [moment.reply for moment in again.game.moments] == [moment.reply for moment in played.game.moments]
    assert again.game.seed == 3
    assert again.game.now.standing.total == played.game.now.standing.total


def test_tokens_of_replies_are_kept(tmp_path: Path) -> None:
    played = Played()
    spoken = Reply("up", (("u", -0.5), ("p", -1.0)), (5, 6))
    asyncio.run(played.game.hear("up", Plain(), spoken=spoken))
    played(f":save {tmp_path / 'game.jsonl'}")
    again = Played()
    again(f":replay {tmp_path / 'game.jsonl'}")
    assert again.game.now.spoken == spoken


@pytest.mark.parametrize(
    ("turn", "key", "value", "told"),
    [
        (0, "observation", "Passed 1: []", "turn 0 of the transcript comes to another observation"),
        (2, "observation", "Passed 9", "turn 2 of the transcript comes to another observation"),
        (1, "reward", 0.75, "turn 1 of the transcript comes to another reward"),
        (2, "terminated", True, "turn 2 of the transcript comes to another end"),
        (1, "images", ["a"], "turn 1 of the transcript comes to another set of images"),
    ],
)
def test_the_first_turn_that_differs_is_told_and_the_game_stands_before_it(
    turn: int, key: str, value: Any, told: str, tmp_path: Path
) -> None:
    file = tmp_path / "game.jsonl"
    Played(Doors())("left", "right", f":save {file}")
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    lines[turn][key] = value
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    again = Played(Doors())
    shown = again(f":replay {file}").replace("\n", " ")
    assert told in shown
    assert again.game.num_turns == max(0, turn - 1)
    again("left")
    assert again.game.num_turns == max(0, turn - 1) + 1


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "is no transcript"),
        ("[1]\n", "is no transcript"),
        ('{"turn": 1, "observation": ""}\n', "is no transcript"),
        ("no json\n", "is not JSON lines"),
        ('{"env": "Doors", "format": 9, "seed": 0, "observation": ""}\n', "has format 9, and this version reads 1"),
        (
            '{"env": "Tower", "format": 1, "seed": 0, "observation": ""}\n',
            "the transcript is of Tower, and this is Doors",
        ),
    ],
)
def test_what_is_no_transcript_of_this_environment_is_refused(text: str, told: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text(text)
    played = Played(Doors())
    assert told in played("left", f":replay {tmp_path / 'file'}").replace("\n", " ")
    assert played.actions == ["left"]


def test_nothing_is_overwritten_and_a_place_that_is_none_is_told(tmp_path: Path) -> None:
    (tmp_path / "dear").write_text("to me")
    played = Played()
    assert "exists already and is left as it is" in played(f":save {tmp_path / 'dear'}").replace("\n", " ")
    assert (tmp_path / "dear").read_text() == "to me"
    assert "No such file or directory" in played(f":save {tmp_path / 'no' / 'where'}").replace("\n", " ")
    assert "cannot read" in played(f":replay {tmp_path / 'nothing'}")
