"""Streams of search: the text by hand, every strategy against the judge, and what the judge refuses."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import numpy as np
import pytest

from agentgym.environments.countdown import Countdown
from agentgym.environments.countdown.puzzles import Puzzle, puzzle_of_task
from agentgym.environments.countdown.streams import STRATEGIES, Strategy, judge, main, mixed, opening, trace

TWO = Puzzle((8, 3), 5)

DEPTH_FIRST = """\
Current State: 24:[8, 3, 1], Operations: []
Exploring Operation: 8*3=24, Resulting Numbers: [1, 24]
Generated Node #0,0: 24:[1, 24] Operation: 8*3=24
Moving to Node #0,0
Current State: 24:[1, 24], Operations: ['8*3=24']
Exploring Operation: 24*1=24, Resulting Numbers: [24]
24,24 equal: Goal Reached"""

BREADTH_FIRST = """\
Current State: 5:[8, 3], Operations: []
Exploring Operation: 8-3=5, Resulting Numbers: [5]
5,5 equal: Goal Reached"""

FAILURE = """\
Current State: 25:[8, 3], Operations: []
Exploring Operation: 8*3=24, Resulting Numbers: [24]
24,25 unequal: No Solution
Moving to Node #0
Current State: 25:[8, 3], Operations: []
Exploring Operation: 8+3=11, Resulting Numbers: [11]
11,25 unequal: No Solution
Moving to Node #0
Current State: 25:[8, 3], Operations: []
Exploring Operation: 8-3=5, Resulting Numbers: [5]
5,25 unequal: No Solution"""


def test_streams_by_hand() -> None:
    """By the mean distance to 24, 8 * 3 is the best of the first children: (23 + 0) / 2."""
    found = trace(Puzzle((8, 3, 1), 24), "dfs-sum")
    assert (found.text, found.solved, found.num_explored) == (DEPTH_FIRST, True, 2)
    assert trace(TWO, "bfs-1-sum").text == BREADTH_FIRST
    found = trace(Puzzle((8, 3), 25), "dfs-sum")
    assert (found.text, found.solved, found.num_explored) == (FAILURE, False, 3)
    assert trace(Puzzle((8, 3), 25), "bfs-3-sum").text.endswith("No solution found.")


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_what_a_strategy_claims_the_judge_confirms(strategy: Strategy) -> None:
    solved = 0
    for task in range(1_001_000, 1_001_030):
        puzzle = puzzle_of_task(task, "test", 4, 0)
        found = trace(puzzle, strategy)
        assert found.text.startswith(opening(puzzle))
        assert found.solved == ("Goal Reached" in found.text) == (judge(found.text, puzzle) is None)
        solved += found.solved
    assert solved >= (30 if strategy == "optimal" else 1)


def test_depth_first_without_a_threshold_always_arrives() -> None:
    for task in range(1_001_000, 1_001_020):
        puzzle = puzzle_of_task(task, "test", 4, 0)
        assert judge(trace(puzzle, "dfs-multiply", threshold=math.inf).text, puzzle) is None


def test_every_node_is_moved_to_under_the_name_it_was_generated_with() -> None:
    puzzle = puzzle_of_task(3, "train", 4, 0)
    for strategy in ("dfs-sum", "bfs-5-sum", "bfs-2-multiply"):
        text = trace(puzzle, strategy).text
        states = dict(re.findall(r"Generated Node #([\d,]+): (\d+:\[[\d, ]+\])", text)) | {"0": opening(puzzle)[15:-16]}
        moves = re.findall(r"Moving to Node #([\d,]+)\nCurrent State: (\d+:\[[\d, ]+\])", text)
        assert moves
        assert all(states[name] == state for name, state in moves)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", 'the search does not say "Goal Reached"'),
        ("24,24 equal: Goal Reached", "the search reaches the goal from nowhere"),
        (DEPTH_FIRST.replace("24*1=24", "24*1=25"), "24 * 1 is 24, not 25"),
        (DEPTH_FIRST.replace("24*1=24", "8*3=24"), "8 * 3 is of numbers that are not there: 1, 24"),
        (DEPTH_FIRST.replace("24*1=24", "24+1=25"), "the way ends with 25"),
        (DEPTH_FIRST.replace("['8*3=24']", "[]"), "24 * 1 is of numbers that are not there: 8, 3, 1"),
        (DEPTH_FIRST.replace("['8*3=24']", "['print(1)']"), 'expected one operation, like "25 * 4"'),
    ],
)
def test_what_the_judge_refuses(text: str, problem: str) -> None:
    assert judge(text, Puzzle((8, 3, 1), 24)) == problem


def test_the_environment_takes_the_rest_of_a_stream() -> None:
    env = Countdown(level="n3", mode="stream")
    env.reset(seed=0)
    env.set_state({"puzzle": [[8, 3, 1], 24], "numbers": [8, 3, 1]})
    first, rest = DEPTH_FIRST.split("\n", 1)
    assert first == opening(env.puzzle)
    assert env.step(rest) == ("right.", 1, True, False, {"success": True})
    env.set_state({"puzzle": [[8, 3, 1], 25], "numbers": [8, 3, 1]})


def test_mixed_streams_arrive_and_keep_to_a_length() -> None:
    detours = []
    for task in range(40):
        puzzle = puzzle_of_task(task, "train", 4, 0)
        stream = mixed(puzzle, np.random.default_rng(task), longest=1500)
        assert stream.solved
        assert len(stream.text) <= 1500
        detours.append(stream.num_explored - 3)
    assert min(detours) == 0
    assert max(detours) > 3


def test_the_command_writes_text_to_train_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "streams.jsonl"
    main(["--level", "n3", "--strategy", "dfs-sum", "--tasks", "5", "--split", "test", "--output", str(file)])
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert [line["task"] for line in lines] == list(range(1_001_000, 1_001_005))
    for line in lines:
        puzzle = puzzle_of_task(line["task"], "test", 3, 0)
        assert line["prompt"] == opening(puzzle)
        assert line["solved"] == (judge(f"{line['prompt']}\n{line['completion']}", puzzle) is None)
    assert f"5 streams in {file}, {sum(line['solved'] for line in lines)} of them" in capsys.readouterr().out
