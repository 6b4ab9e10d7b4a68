"""What is taken for what, for policies without capitals."""

from __future__ import annotations

import pytest

from agentgym.environments.bfcl import BFCL
from agentgym.environments.bfcl.calls import Call
from agentgym.environments.bfcl.spelling import as_shown
from agentgym.environments.bfcl.toolbox import Tool, make_tool

pytest.importorskip("bfcl_eval", reason="needs bfcl-eval: pip install --no-deps bfcl-eval==2026.3.23")


class Car:
    def startEngine(self, ignitionMode: str, notes: list[str]) -> None: ...


@pytest.fixture
def tool() -> Tool:
    properties = {"ignitionMode": {"type": "string"}, "notes": {"type": "array", "items": {"type": "string"}}}
    parameters = {"type": "dict", "properties": properties, "required": ["ignitionMode", "notes"]}
    return make_tool("Car", Car, {"name": "startEngine", "description": "", "parameters": parameters})


@pytest.mark.parametrize(
    ("said", "shown", "meant"),
    [
        ("start", 'startEngine: "START" or "STOP"', "START"),  # in quotes before anything else
        ("start", "please start it with START", "start"),  # as it is
        ("bob smith", "Ask Bob  Smith.", "Bob  Smith"),
        ("q4 _ summary. doc", "Read 'Q4_summary.doc'.", "Q4_summary.doc"),
        ("a", "A1 then A2", "A"),
        ("ab", "Ab, then aB", "aB"),  # the last place
        ("ab", "'Ab', 'aB', then AB", "aB"),  # the last one in quotes
        ("nowhere", "Here.", "nowhere"),
        ("", "Here.", ""),
        (" ", "Here.", " "),
        ("i\u0307", "\u0130stanbul", "i\u0307"),  # a capital whose small form is two characters
    ],
)
def test_texts(tool: Tool, said: str, shown: str, meant: str) -> None:
    call = Call("startengine", {"ignitionmode": said, "notes": [said, 7, {"k": said}]}, (said,))
    expected = Call("startEngine", {"ignitionMode": meant, "notes": [meant, 7, {"k": meant}]}, (meant,))
    assert as_shown(call, [tool], shown) == expected


def test_an_unknown_tool_stays_unknown(tool: Tool) -> None:
    assert as_shown(Call("stop", {"A": "x"}), [tool], "X") == Call("stop", {"A": "x"})


def test_an_episode_without_capitals() -> None:
    task = "multi_turn_base_40"
    reply = "[ls(a=true), cd(folder='documents'), ls(), tail(file_name ='q4_summary. doc')]"
    env, plain = BFCL(fold_case=True), BFCL()
    for each in (env, plain):
        each.reset(options={"task": task})
    assert 'tail: {"last_lines": "Summary of Q4 results.' in env.step(reply)[0]
    env.restore(env.snapshot())
    assert env.step("[pwd()]")[0] == 'pwd: {"current_working_directory": "/alex/Documents"}'
    assert plain.step(reply)[0].endswith('tail: {"error": "tail: q4_summary. doc: No such file or directory"}')
