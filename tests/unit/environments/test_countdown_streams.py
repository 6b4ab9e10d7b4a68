"""Streams of search: the text by hand, every strategy against the judge, and what the judge refuses."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import numpy as np
import pytest

from agentgym.environments.countdown import Countdown, streams
from agentgym.environments.countdown.puzzles import Puzzle, puzzle_of_task
from agentgym.environments.countdown.streams import STRATEGIES, Strategy, Stream, judge, main, mixed, opening, trace

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


BREADTH_2 = """\
Current State: 10:[8, 3, 2], Operations: []
Exploring Operation: 3*2=6, Resulting Numbers: [8, 6]
Generated Node #0,0: 10:[8, 6] Operation: 3*2=6
Exploring Operation: 8+2=10, Resulting Numbers: [3, 10]
Generated Node #0,1: 10:[3, 10] Operation: 8+2=10
Moving to Node #0,0
Current State: 10:[8, 6], Operations: ['3*2=6']
Exploring Operation: 8+6=14, Resulting Numbers: [14]
14,10 unequal: No Solution
Exploring Operation: 8-6=2, Resulting Numbers: [2]
2,10 unequal: No Solution
Moving to Node #0,1
Current State: 10:[3, 10], Operations: ['8+2=10']
Exploring Operation: 10+3=13, Resulting Numbers: [13]
13,10 unequal: No Solution
Exploring Operation: 10-3=7, Resulting Numbers: [7]
7,10 unequal: No Solution
No solution found."""

OPTIMAL = """\
Current State: 81:[5, 4, 9], Operations: []
Exploring Operation: 5+4=9, Resulting Numbers: [9, 9]
Generated Node #0,0: 81:[9, 9] Operation: 5+4=9
Current State: 81:[9, 9], Operations: ['5+4=9']
Exploring Operation: 9*9=81, Resulting Numbers: [81]
81,81 equal: Goal Reached"""


def test_breadth_first_keeps_the_two_best_children_and_goes_to_the_best_first() -> None:
    """[8, 6] and [3, 10] are 3 and 3.5 from 10 on the mean; of two equal children the first comes first."""
    found = trace(Puzzle((8, 3, 2), 10), "bfs-2-sum")
    assert (found.text, found.solved, found.num_explored) == (BREADTH_2, False, 6)


def test_the_optimal_way_by_hand() -> None:
    found = trace(Puzzle((5, 4, 9), 81), "optimal")
    assert (found.text, found.solved, found.num_explored) == (OPTIMAL, True, 2)


def test_by_multiplying_what_is_near_a_factor_is_gone_to_first() -> None:
    """[3, 8] are factors of 24, and of equal children the first: 8 * 1, not 8 / 1."""
    lines = trace(Puzzle((8, 3, 1), 24), "dfs-multiply").text.splitlines()
    assert lines[1] == "Exploring Operation: 8*1=8, Resulting Numbers: [3, 8]"
    assert lines[-1] == "24,24 equal: Goal Reached"


@pytest.mark.parametrize(("threshold", "explored"), [(3, 1), (2.999, 0), (3.5, 3)])
def test_depth_first_goes_to_what_is_as_near_as_the_threshold(threshold: float, explored: int) -> None:
    """The children of the root at 3, and two at 3.5; what is below them lies farther."""
    lines = trace(Puzzle((8, 3, 2), 10), "dfs-sum", threshold=threshold).text.splitlines()
    first = [line for line in lines if line.startswith("Generated Node #0,")]
    assert len(first) == explored


def test_a_stream_of_exactly_the_longest_length_is_taken() -> None:
    """The strategy that is drawn first where none is too long, and another as soon as it is."""
    puzzle = puzzle_of_task(1, "train", 4, 0)
    free = mixed(puzzle, np.random.default_rng(5))
    assert mixed(puzzle, np.random.default_rng(5), longest=len(free.text)) == free
    assert mixed(puzzle, np.random.default_rng(5), longest=len(free.text) - 1) != free
    assert mixed(puzzle, np.random.default_rng(5), longest=0) == trace(puzzle, "optimal")


def test_mixed_streams_are_of_several_strategies() -> None:
    puzzle = puzzle_of_task(1, "train", 4, 0)
    found = {mixed(puzzle, np.random.default_rng(seed)).text for seed in range(30)}
    assert len(found) > 3


def test_the_first_goal_counts_and_what_is_said_after_it_does_not() -> None:
    puzzle = Puzzle((8, 3, 1), 24)
    assert judge(f"{DEPTH_FIRST}\nCurrent State: 24:[], Operations: []\nExploring Operation: 1+1=2, ", puzzle) is None
    assert judge(DEPTH_FIRST, Puzzle((8, 3, 1, 1), 24)) == "the way ends with 1, 24"
    assert judge(DEPTH_FIRST.replace("24,24", "25,25"), puzzle) is None, "the way counts, not what is said of it"


def test_the_command_takes_the_level_the_split_the_seed_and_what_is_mixed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def written(*arguments: str) -> list[dict[str, object]]:
        main([*arguments, "--output", str(tmp_path / "streams.jsonl")])
        return [json.loads(line) for line in (tmp_path / "streams.jsonl").read_text().splitlines()]

    plain = written("--tasks", "2")
    assert [line["task"] for line in plain] == [0, 1]
    assert plain[0]["prompt"] == "Current State: 80:[21, 48, 63, 86], Operations: []"
    assert capsys.readouterr().out == f"2 streams in {tmp_path / 'streams.jsonl'}, 2 of them reach the target\n"
    other = written("--tasks", "2", "--seed", "1")
    assert other[0]["prompt"] != plain[0]["prompt"]
    assert other == written("--tasks", "2", "--seed", "1")
    assert written("--tasks", "1", "--level", "n3", "--split", "validation")[0]["task"] == 1_000_000
    stream = str(written("--tasks", "1", "--strategy", "optimal")[0]["completion"])
    assert stream.count("Exploring") == 3


def test_what_is_mixed_is_drawn_anew_for_each_seed_and_task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[float] = []

    def mixing(puzzle: Puzzle, rng: np.random.Generator) -> Stream:
        drawn.append(float(rng.random()))
        return trace(puzzle, "optimal")

    monkeypatch.setattr(streams, "mixed", mixing)
    for seed in ("0", "1", "0"):
        main(["--tasks", "2", "--seed", seed, "--output", str(tmp_path / "streams.jsonl")])
    assert drawn[:2] == drawn[4:]
    assert len(set(drawn)) == 4
