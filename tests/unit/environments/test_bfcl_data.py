"""The benchmark: what is in it, what is asked of the installed package, and who may see which task."""

from __future__ import annotations

import collections
import importlib.metadata
import sys
from pathlib import Path

import pytest

import agentgym
from agentgym.environments.bfcl import BFCL
from agentgym.environments.bfcl.data import CATEGORIES, VERSION, Task, open_benchmark
from agentgym.errors import ConfigError, DataError, MissingExtraError, UserError

bfcl_eval = pytest.importorskip("bfcl_eval", reason="needs bfcl-eval: pip install --no-deps bfcl-eval==2026.3.23")
open_anew = open_benchmark.__wrapped__


def test_it_holds_four_times_two_hundred_tasks_and_128_tools() -> None:
    benchmark = open_benchmark()
    assert collections.Counter(task.category for task in benchmark.tasks.values()) == dict.fromkeys(CATEGORIES, 200)
    assert len(benchmark.tools) == 128
    assert all(len(task.messages) == len(task.truth) <= 8 for task in benchmark.tasks.values())
    assert sum(map(len, benchmark.tools_of.values())) == 128
    assert {tool.api for tool in benchmark.tools.values()} == set(benchmark.classes)


def test_a_tool_is_shown_in_openais_form() -> None:
    tool = open_benchmark().tools["post_tweet"]
    assert tool.usage == "post_tweet(content, tags=[], mentions=[])"
    function = tool.schema["function"]
    assert tool.schema == {"type": "function", "function": function}
    assert set(function) == {"name", "description", "parameters"}
    assert function["parameters"]["type"] == "object"
    assert function["parameters"]["required"] == ["content"]
    assert function["parameters"]["properties"]["tags"]["items"] == {"type": "string"}
    types: collections.Counter[str] = collections.Counter()
    for tool in open_benchmark().tools.values():
        types.update(value["type"] for value in tool.schema["function"]["parameters"]["properties"].values())
    assert set(types) == {"string", "number", "integer", "boolean", "array", "object"}


def test_a_held_out_tool_comes_at_its_turn() -> None:
    benchmark = open_benchmark()
    task = benchmark.tasks["multi_turn_miss_func_0"]
    assert (task.held_out, task.messages[3]) == ({3: ("sort",)}, "")
    assert ["sort" in benchmark.offered(task, turn) for turn in range(5)] == [False, False, False, True, True]
    for task in benchmark.tasks.values():
        assert bool(task.held_out) == (task.category == "miss_func")
        assert [turn for turn, message in enumerate(task.messages) if not message] == list(task.held_out)


def test_splits_share_no_scenario_over_all_categories() -> None:
    env = BFCL(level="all")
    splits = {split: env.tasks(split) for split in ("train", "validation", "test")}
    assert {split: len(ids) for split, ids in splits.items()} == {"train": 320, "validation": 80, "test": 400}
    scenarios = [{id.rpartition("_")[2] for id in ids} for ids in splits.values()]
    assert sum(map(len, scenarios)) == len(set.union(*scenarios)) == 200
    apis = {split: {api for id in ids for api in env.benchmark.tasks[id].apis} for split, ids in splits.items()}
    assert apis["train"] == apis["validation"] == apis["test"] == set(env.benchmark.classes)
    for level in CATEGORIES:
        env = agentgym.make("bfcl", level=level)
        assert [len(env.tasks(split)) for split in splits] == [80, 20, 100]


@pytest.mark.parametrize("category", CATEGORIES[1:])
def test_categories_vary_the_same_scenarios(category: str) -> None:
    """What the splits stand on: the number at the end of an id names the scenario, up to later corrections."""
    tasks = open_benchmark().tasks
    pairs = [(tasks[f"multi_turn_base_{number}"], tasks[f"multi_turn_{category}_{number}"]) for number in range(200)]
    assert all(set(one.apis) == set(other.apis) for one, other in pairs)
    assert sum(one.config == other.config for one, other in pairs) > 190
    assert sum(calls(one) == calls(other) for one, other in pairs) >= 180


def calls(task: Task) -> list[tuple[str, ...]]:
    return [turn for turn in task.truth if turn]


@pytest.mark.parametrize("module", ["bfcl_eval", "mpmath"])
def test_a_missing_package_is_asked_for(monkeypatch: pytest.MonkeyPatch, module: str) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtraError) as error:
        open_anew()
    assert str(error.value) == (
        f"this needs {module}, which is not installed; type: "
        "pip install 'agentgym-lab[bfcl]' && pip install --no-deps bfcl-eval==2026.3.23"
    )


def test_another_release_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.metadata, "version", lambda name: {"bfcl-eval": "2025.6.16"}[name])
    with pytest.raises(ConfigError, match=rf"found bfcl-eval 2025\.6\.16, expected {VERSION}; type: pip install"):
        open_anew()


def test_damaged_files_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    source, copy = Path(bfcl_eval.__file__).parent / "data", tmp_path / "data"
    names = [f"{folder}BFCL_v4_multi_turn_{c}.json" for folder in ("", "possible_answer/") for c in CATEGORIES]
    docs = [f"multi_turn_func_doc/{file.name}" for file in (source / "multi_turn_func_doc").iterdir()]
    for name in [*names, *docs]:
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        (copy / name).write_bytes((source / name).read_bytes())
    monkeypatch.setattr(bfcl_eval, "__path__", [str(tmp_path), *bfcl_eval.__path__])
    assert len(open_anew().tasks) == 800
    answers = copy / names[4]
    lines = answers.read_text().splitlines()
    answers.write_text("\n".join(lines[1:]))
    with pytest.raises(DataError, match="hold different tasks; install it again"):
        open_anew()
    answers.write_text("\n".join([lines[0][:-1], *lines[1:]]))
    with pytest.raises(DataError, match=r"cannot read .*possible_answer.*base\.json"):
        open_anew()
    answers.unlink()
    with pytest.raises(DataError, match="No such file"):
        open_anew()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"level": "miss_fun"}, 'env.level is "miss_fun". Did you mean "miss_func"? Known: base, miss_func'),
        ({"reward": "dense"}, 'env.reward is "dense".'),
        ({"schemas": "name"}, 'env.schemas is "name". Did you mean "names"?'),
        ({"expert_calls": "json"}, 'env.expert_calls is "json".'),
        ({"max_steps": 0}, "env.max_steps: Input should be greater than or equal to 1, found 0"),
    ],
)
def test_a_wrong_option_is_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError) as error:
        agentgym.make("bfcl", **options)
    assert str(error.value).startswith(message)


@pytest.mark.parametrize("task", ["multi_turn_base_200", "multi_turn_miss_func_0", 0, ["multi_turn_base_0"]])
def test_an_unknown_task_is_refused(task: object) -> None:
    with pytest.raises(UserError, match='does not exist at level "base"'):
        BFCL().reset(options={"task": task})


def test_an_unknown_split_is_refused() -> None:
    with pytest.raises(UserError, match=r'unknown split "tests"\. Did you mean "test"'):
        BFCL().tasks("tests")
