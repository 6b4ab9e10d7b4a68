"""Every error of every tool has a hint, which is no answer."""

from __future__ import annotations

import ast
import inspect
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

import agentgym
from agentgym.hint import hints_for
from agentgym.registry import EnvFactory
from agentgym.types import Observation

pytest.importorskip("bfcl_eval")

from agentgym.environments.bfcl.calls import parse_call
from agentgym.environments.bfcl.data import open_benchmark
from agentgym.environments.bfcl.env import BFCL
from agentgym.environments.bfcl.hints import HINTS

APIS = sorted(open_benchmark().classes)
_HANDED_ON = "x: No such file or directory"
"""What stands for a message that comes from elsewhere."""


def errors_in(api: str) -> Iterator[tuple[str, str]]:
    """Each error in the source of an API's tools: the tool, and what it replies."""
    tree = ast.parse(inspect.getsource(open_benchmark().classes[api]))
    tools = {tool.name for tool in open_benchmark().tools_of[api]}
    for method in ast.walk(tree):
        if not (isinstance(method, ast.FunctionDef) and method.name in tools):
            continue
        for node in ast.walk(method):
            match node:
                case ast.Dict(keys=keys, values=values):
                    for key, value in zip(keys, values, strict=True):
                        if isinstance(key, ast.Constant) and key.value == "error":
                            yield method.name, json.dumps({"error": said(value)})
                case ast.Raise(exc=ast.Call(args=[value])):
                    yield method.name, f"Error during execution: {said(value)}"


def said(node: ast.expr) -> Any:
    """What a message in a source says, with "x" where there is a value in it."""
    match node:
        case ast.Constant(value=value):
            return value
        case ast.JoinedStr(values=parts):
            return "".join(str(part.value) if isinstance(part, ast.Constant) else "x" for part in parts)
        case ast.BinOp(left=left):
            return said(left)
    return _HANDED_ON


@pytest.mark.parametrize("api", APIS)
def test_every_error_in_the_sources_of_a_domain_has_a_hint(api: str) -> None:
    found = list(errors_in(api))
    assert len(found) >= 8
    without = [
        f"{tool}: {reply}" for tool, reply in found if not hints_for(HINTS, f"[{tool}(a=1)]", f"{tool}: {reply}")
    ]
    handed_on = {f"book_flight: {json.dumps({'error': _HANDED_ON})}"}  # what get_flight_cost raised, which is there too
    assert {*without} - handed_on == set()


@pytest.mark.parametrize(
    ("calls", "words"),
    [
        ("[cd(folder='a/b')]", "one level"),
        ("[rm(file_name='nowhere')]", "current directory"),
        ("[cat(file_name='nowhere')]", "current directory alone"),
        ("[ls(), cat(file_name='nowhere'), mv(source='no', destination='where')]", "current directory alone"),
        ("[no_such_tool(a=1)]", "Only what is listed"),
        ("[cat()]", "by the names in the usage"),
        ("[cat(", "could not be read"),
    ],
)
def test_in_an_episode_what_failed_is_explained(calls: str, words: str) -> None:
    env = EnvFactory("bfcl", augment={"error-hints": {}})()
    env.reset(seed=0, options={"task": "multi_turn_base_0", "strength": 1})
    seen, *_ = env.step(calls)
    assert words in seen.partition("Hint: ")[2]
    assert seen.count("Hint: ") == 1
    plain = agentgym.make("bfcl")
    plain.reset(seed=0, options={"task": "multi_turn_base_0"})
    assert seen.startswith(f"{plain.step(calls)[0]}\nHint: ")


def test_what_went_well_has_no_hint() -> None:
    """Whole conversations, as the ground truth has them."""
    env = BFCL(level="all")
    for task in env.tasks("train")[::16]:
        seen, _ = env.reset(seed=0, options={"task": task})
        expert, is_over = env.expert(), False
        while not is_over:
            said = expert(Observation.of(seen))
            seen, _, is_over, _, info = env.step(said)
            if '"error"' not in seen and "Error" not in seen and "invalid_action" not in info:
                assert hints_for(HINTS, said, seen) == [], (task, said, seen)


def words_of_the_truth() -> Iterator[str]:
    """What the ground truths call tools with: each text and number."""

    def parts(value: Any) -> Iterator[str]:
        match value:
            case dict() | list():
                for part in value.values() if isinstance(value, dict) else value:
                    yield from parts(part)
            case str() | int() | float():
                yield str(value)

    for task in open_benchmark().tasks.values():
        for call in (call for turn in task.truth for call in turn):
            yield from parts(parse_call(call).arguments)


def test_no_hint_holds_what_a_ground_truth_calls_a_tool_with() -> None:
    texts = "\n".join(hint.text for hint in HINTS)
    values = {value for value in words_of_the_truth() if value not in ("", "True", "False")}
    assert len(values) > 500
    assert [value for value in values if re.search(rf"(?<!\w){re.escape(value)}(?!\w)", texts)] == []
