"""The tools: what they reply, and that a call leaves no trace outside its episode."""

from __future__ import annotations

import decimal
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from agentgym.environments.bfcl.data import Benchmark, Task, open_benchmark
from agentgym.environments.bfcl.grading import reference
from agentgym.environments.bfcl.world import World

_MODULE = "bfcl_eval.eval_checker.multi_turn_eval.func_source_code.long_context"
long_context = pytest.importorskip(_MODULE, reason="needs bfcl-eval: pip install --no-deps bfcl-eval==2026.3.23")


@pytest.fixture(scope="module")
def benchmark() -> Benchmark:
    return open_benchmark()


def task_with(benchmark: Benchmark, api: str, category: str = "base") -> Task:
    return next(task for task in benchmark.tasks.values() if api in task.apis and task.category == category)


def maths(benchmark: Benchmark) -> World:
    return World(benchmark, task_with(benchmark, "MathAPI"))


@pytest.mark.parametrize(
    ("name", "arguments", "reply"),
    [
        ("add", {"a": 1, "b": 2.5}, '{"result": 3.5}'),
        ("add", {"a": 1, "b": "x"}, '{"error": "Both inputs must be numbers"}'),
        ("power", {"base": 2, "exponent": 10}, '{"result": 1024}'),
        ("power", {"base": 10.0, "exponent": 999}, "Error during execution: (34, 'Numerical result out of range')"),
        ("power", {"base": 2, "exponent": 10**9}, "Error during execution: exponent is too large, it may be 1000 at"),
        ("round_number", {"number": 5, "decimal_places": -(10**9)}, "Error during execution: decimal_places is too"),
        ("square_root", {"number": 2, "precision": 5}, "{'result': Decimal('1.4142')}"),
        ("square_root", {"number": 2, "precision": 10**8}, "Error during execution: precision is too large"),
        ("logarithm", {"value": 100, "base": 10, "precision": 3}, "{'result': mpf('2.0')}"),
        ("logarithm", {"value": 10**4000, "base": 10, "precision": 3}, "Error during execution: value is too large"),
        ("mean", {"numbers": [10**4000]}, "Error during execution: "),
        ("mean", {"numbers": 3}, '{"error": "All elements in the list must be numbers"}'),
    ],
)
def test_what_a_tool_replies(benchmark: Benchmark, name: str, arguments: dict[str, Any], reply: str) -> None:
    assert maths(benchmark).call(name, arguments).startswith(reply)


def test_precision_ends_with_the_call(benchmark: Benchmark, monkeypatch: pytest.MonkeyPatch) -> None:
    """The package sets it for the thread, and for the whole process."""
    monkeypatch.setattr(benchmark.mpmath.mp, "dps", 21)
    world = maths(benchmark)
    with decimal.localcontext(decimal.Context(prec=17)):
        world.call("square_root", {"number": 2, "precision": 5})
        world.call("logarithm", {"value": 2, "base": 10, "precision": 3})
        assert (decimal.getcontext().prec, benchmark.mpmath.mp.dps) == (17, 21)


def test_what_a_tool_keeps_is_not_what_it_was_given(benchmark: Benchmark) -> None:
    world = World(benchmark, task_with(benchmark, "TwitterAPI"))
    world.instances["TwitterAPI"].authenticated = True
    tags = ["#one"]
    world.call("post_tweet", {"content": "x", "tags": tags})
    tags.append("#two")
    tweets = world.instances["TwitterAPI"].tweets
    assert tweets[max(tweets)]["tags"] == ["#one"]


def test_a_booking_does_not_alter_the_padding_of_long_contexts(benchmark: Benchmark) -> None:
    """In the package, the cards that pad a wallet are one object for all episodes."""
    task = task_with(benchmark, "TravelAPI", "long_context")
    card = next(card for card in long_context.CREDIT_CARD_EXTENSION if card not in json.dumps(task.config))
    before = json.dumps(long_context.CREDIT_CARD_EXTENSION)
    world = World(benchmark, task)
    travel = world.instances["TravelAPI"]
    travel.budget_limit = 0
    balance = travel.credit_card_list[card]["balance"]
    booking = {
        "access_token": travel.access_token,
        "card_id": card,
        "travel_date": "2024-10-10",
        "travel_from": "SFO",
        "travel_to": "LAX",
        "travel_class": "economy",
    }
    assert '"booking_status": true' in world.call("book_flight", booking)
    assert travel.credit_card_list[card]["balance"] < balance
    assert json.dumps(long_context.CREDIT_CARD_EXTENSION) == before
    assert World(benchmark, task).instances["TravelAPI"].credit_card_list[card]["balance"] == balance


def test_a_directory_copied_into_itself_is_survived(benchmark: Benchmark) -> None:
    world = World(benchmark, benchmark.tasks["multi_turn_base_0"])
    world.call("mkdir", {"dir_name": "a"})
    world.call("cp", {"source": "a", "destination": "a"})
    assert world.call("find", {}).startswith("Error during execution: maximum recursion depth exceeded")


def test_threads_do_not_mix_up_replies(benchmark: Benchmark) -> None:
    """The padded weather is one object of its module, which each call fills in."""
    tasks = [t for t in benchmark.tasks.values() if t.is_long and "VehicleControlAPI" in t.apis][:8]

    def temperatures(task: Task) -> list[str]:
        world = World(benchmark, task)
        return [world.call("get_outside_temperature_from_google", {}) for _ in range(50)]

    alone = [temperatures(task) for task in tasks]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(temperatures, tasks)) == alone


def test_the_reference_keeps_what_each_turn_led_to(benchmark: Benchmark) -> None:
    first, *_, last = reference("multi_turn_base_0")
    folders = [turn.state["GorillaFileSystem"]["root"].contents["document"].contents for turn in (first, last)]
    assert [sorted(folder) for folder in folders] == [["previous_report.pdf", "temp"], ["temp"]]
    assert first.results[:2] == ('{"current_working_directory": "document"}', "None")
    assert first.state["TwitterAPI"]["tweets"] is last.state["TwitterAPI"]["tweets"]  # shared, since nothing changed
