"""The verdict on a turn, condition by condition, with instances and a ground truth made by hand."""

from __future__ import annotations

import itertools
from types import SimpleNamespace
from typing import Any

import pytest

from agentgym.environments.bfcl.calls import MAX_CALLS, Call, parse_calls
from agentgym.environments.bfcl.data import open_benchmark
from agentgym.environments.bfcl.episode import Episode
from agentgym.environments.bfcl.grading import Reference, Verdict, judge, reference
from agentgym.errors import ParseError

pytest.importorskip("bfcl_eval", reason="needs bfcl-eval: pip install --no-deps bfcl-eval==2026.3.23")


def world(**instances: dict[str, Any]) -> Any:
    """API class → public attributes of its instance."""
    return SimpleNamespace(instances={api: SimpleNamespace(**values) for api, values in instances.items()})


def judged(given: Any, results: list[str], expected: list[str], state: Any, *, called: bool = True) -> Verdict:
    return judge(given, results, Reference((("f", {}),), tuple(expected), state), called=called)


STATE: dict[str, dict[str, Any]] = {"Disk": {"files": ["a", "b"], "here": "/"}, "Car": {"doors": {"left": "open"}}}


@pytest.mark.parametrize(
    ("results", "expected", "right"),
    [
        ([], [], True),
        (["1", "2"], ["1", "2"], True),
        (["2", "1"], ["1", "2"], True),  # their order is never compared
        (["0", "2", "3", "1"], ["1", "2"], True),
        (["1"], ["1", "2"], False),
        (["None"], ["None", "None"], False),  # each as often as it is expected
        (["None", "x", "None"], ["None", "None"], True),
        (["None", "None", "None"], ["None"], True),
        (["1 "], ["1"], False),
        (["1", "2", "2"], ["1", "1", "2"], False),
        ([], ["1"], False),
    ],
)
def test_results_are_compared_as_a_multiset(results: list[str], expected: list[str], right: bool) -> None:
    verdict = judged(world(**STATE), results, expected, STATE)
    assert (verdict.results, verdict.state) == (right, True)
    assert verdict.is_right is right


@pytest.mark.parametrize(
    ("given", "same"),
    [
        (STATE, True),
        ({**STATE, "Disk": {"files": ["b", "a"], "here": "/"}}, False),  # the order in a list counts
        ({**STATE, "Disk": {"files": ["a", "b", "b"], "here": "/"}}, False),
        ({**STATE, "Disk": {"files": ["a", "b"], "here": "/tmp"}}, False),  # the first attribute is right
        ({**STATE, "Car": {"doors": {"left": "shut"}}}, False),  # the first instance is right
        ({**STATE, "Disk": {"files": [], "here": "/"}}, False),  # the last instance is right
        ({**STATE, "Disk": {"files": ["a", "b"], "here": "/", "more": 1}}, True),
        ({**STATE, "Phone": {"on": True}}, True),
    ],
)
def test_every_attribute_of_every_instance_must_be_as_expected(given: Any, same: bool) -> None:
    verdict = judged(world(**given), ["1"], ["1"], STATE)
    assert (verdict.state, verdict.results, verdict.is_right) == (same, True, same)


def test_something_must_have_been_called() -> None:
    assert judged(world(**STATE), ["1"], ["1"], STATE, called=False) == Verdict(
        expects_calls=True, called=False, state=True, results=True
    )
    assert not judged(world(**STATE), ["1"], ["1"], STATE, called=False).is_right


def test_where_nothing_is_expected_nothing_is_compared() -> None:
    expected = Reference((), ("1",), STATE)
    for called in (True, False):
        verdict = judge(world(Disk={"files": []}), [], expected, called=called)
        assert verdict == Verdict(expects_calls=False, called=called, state=True, results=True)
    assert judge(world(), [], expected, called=False, forced=True).forced


def test_a_state_that_cannot_be_compared_is_another_one() -> None:
    """A directory that was copied into itself."""
    one: list[Any] = []
    other: list[Any] = []
    one.append(one)
    other.append(other)
    assert judged(world(Disk={"root": one}), [], [], {"Disk": {"root": other}}).state is False


@pytest.mark.parametrize("given", list(itertools.product([False, True], repeat=5)))
def test_when_a_turn_is_right_and_what_it_scores(given: tuple[bool, ...]) -> None:
    """Of 32 verdicts: right are those that are not forced and either expect nothing or have all three things.

    Of the right ones only those score that called just when it was expected.
    """
    expects, called, state, results, forced = given
    verdict = Verdict(expects_calls=expects, called=called, state=state, results=results, forced=forced)
    right = {(False, c, s, r, False) for c in (False, True) for s in (False, True) for r in (False, True)}
    right.add((True, True, True, True, False))
    scoring = {(False, False, s, r, False) for s in (False, True) for r in (False, True)}
    scoring.add((True, True, True, True, False))
    assert verdict.is_right is (given in right)
    assert verdict.score == (1.0 if given in scoring else 0.0)
    assert Verdict(**verdict.as_json()) == verdict


# -- ground truths and conversations of the package ------------------------------------------------------

BASE = "multi_turn_base_0"


def test_the_ground_truth_is_told_turn_by_turn_in_its_order() -> None:
    assert [[name for name, _ in turn.calls] for turn in reference(BASE)] == [
        ["cd", "mkdir", "mv"],
        ["cd", "grep"],
        ["sort"],
        ["cd", "mv", "cd", "diff"],
    ]
    assert reference(BASE)[0].calls[0] == ("cd", {"folder": "document"})
    assert [len(turn.results) for turn in reference(BASE)] == [3, 2, 1, 4]
    roots = [turn.state["GorillaFileSystem"]["root"] for turn in reference(BASE)]
    assert [sorted(root.contents["document"].contents) for root in roots] == [
        ["previous_report.pdf", "temp"],
        ["previous_report.pdf", "temp"],
        ["previous_report.pdf", "temp"],
        ["temp"],
    ]


def test_a_turn_is_compared_with_its_own_ground_truth() -> None:
    """All calls of the conversation in its first turn: results are there, but the state is that of the end."""
    episode = conversation()
    for turn in range(4):
        episode.call([Call(name, dict(arguments)) for name, arguments in reference(BASE)[turn].calls])
    verdict = episode.close_turn()
    assert (verdict.called, verdict.state, verdict.results) == (True, False, True)
    episode = conversation()
    for turn in range(4):
        assert [call.name for call in episode.expected_calls()] == [name for name, _ in reference(BASE)[turn].calls]
        episode.call(episode.expected_calls())
        assert episode.close_turn().is_right
        assert episode.turn == turn + 1
    assert episode.is_over
    assert episode.is_right


def conversation(task: str = BASE, **options: Any) -> Episode:
    benchmark = open_benchmark()
    return Episode(benchmark, benchmark.tasks[task], **{"max_steps": 3, **options})


def test_one_wrong_turn_makes_a_conversation_wrong() -> None:
    episode = conversation()
    episode.close_turn()
    assert not episode.is_right
    episode.call([Call(name, dict(arguments)) for name, arguments in reference(BASE)[0].calls])
    for _ in range(3):
        episode.call(episode.expected_calls())
        assert episode.close_turn().is_right
    assert episode.is_over
    assert not episode.is_right


def test_steps_and_calls_are_counted_for_each_turn() -> None:
    episode = conversation()
    for number in (1, 2, 3):
        assert not episode.is_full
        episode.call([Call("pwd", {})])
        assert (episode.steps, episode.called) == (number, True)
    assert episode.is_full
    episode.close_turn()
    assert (episode.steps, episode.called, episode.is_full) == (0, False, False)
    assert episode.results == ['{"current_working_directory": "/workspace"}'] * 3  # results stay


def test_calls_are_made_in_order_whatever_the_ones_before_said() -> None:
    episode = conversation()
    replies = episode.call([Call("nothing", {}), Call("cd", {"folder": "document"}), Call("cd", {}), Call("pwd", {})])
    assert [reply.name for reply in replies] == ["nothing", "cd", "cd", "pwd"]
    assert [reply.problem is None for reply in replies] == [False, True, False, True]
    assert replies[3].text == '{"current_working_directory": "/workspace/document"}'
    assert episode.results == [reply.text for reply in replies]
    assert episode.executed == [("cd", {"folder": "document"}), ("pwd", {})]


def test_a_state_that_comes_back_goes_on_alone() -> None:
    episode = conversation()
    episode.call([Call("cd", {"folder": "document"}), Call("mkdir", {"dir_name": "temp"})])
    state = episode.get_state()
    episode.call([Call("cd", {"folder": "temp"})])
    assert len(state["executed"]) == len(state["results"]) == 2
    other = Episode.from_state(open_benchmark(), state, max_steps=3)
    assert (other.steps, other.called, other.turn) == (1, True, 0)
    (reply,) = other.call([Call("pwd", {})])
    assert reply.text == '{"current_working_directory": "/workspace/document"}'
    assert len(state["executed"]) == len(state["results"]) == 2


def test_new_tools_come_with_their_turn_and_stay() -> None:
    episode = conversation("multi_turn_miss_func_0")
    offered, new = [], []
    for _ in range(5):
        offered.append("sort" in episode.tools)
        new.append([tool.name for tool in episode.new_tools()])
        episode.close_turn()
        state = episode.get_state()
        other = Episode.from_state(episode.benchmark, state, max_steps=3)
        assert list(other.tools) == list(episode.tools)
    assert offered == [False, False, False, True, True]
    assert new == [[], [], [], ["sort"], []]


# -- bounds of what is read ------------------------------------------------------------------------------


def test_as_many_calls_as_are_allowed_are_read() -> None:
    assert len(parse_calls("[" + "f()," * MAX_CALLS + "]")) == MAX_CALLS == 50
    with pytest.raises(ParseError, match="may hold 50 calls, found 51"):
        parse_calls("[" + "f()," * 51 + "]")


def test_a_reply_may_be_so_long_and_no_longer() -> None:
    assert parse_calls("[f(x='" + "a" * (50_000 - 9) + "')]")[0].arguments["x"] == "a" * 49_991
    with pytest.raises(ParseError, match="may take 50000 characters, found 50001"):
        parse_calls("[f(x='" + "a" * (50_001 - 9) + "')]")


def test_arguments_may_be_so_deep_and_no_deeper() -> None:
    """The list of name, arguments and positional values is the first level, the arguments the second."""
    assert parse_calls("[f(x=" + "[" * 19 + "]" * 19 + ")]")
    with pytest.raises(ParseError, match="deeper than 20 levels"):
        parse_calls("[f(x=" + "[" * 20 + "]" * 20 + ")]")
