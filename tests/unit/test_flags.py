"""What flags mean, and how a mistake in one is told."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentgym.errors import ConfigError
from agentgym.flags import parse_flags


@pytest.mark.parametrize(
    ("flags", "settings"),
    [
        ([], {}),
        (["--updates", "3"], {"updates": 3}),
        (["--updates=3"], {"updates": 3}),
        (["--learning-rate", "1e-3"], {"learning_rate": 1e-3}),
        (["--optim.learning-rate", "-1"], {"optim": {"learning_rate": -1}}),
        (["--lora"], {"lora": True}),
        (["--lora", "--seed", "1"], {"lora": True, "seed": 1}),
        (["--lora", "false"], {"lora": False}),
        (["--layers", "[1, 2]"], {"layers": [1, 2]}),
        (["--name", "a = b"], {"name": "a = b"}),
        (["--name=--x"], {"name": "--x"}),
        (["--name", "1\nother = 2"], {"name": "1\nother = 2"}),
        (["--name="], {"name": ""}),
        (["--output", "2026-11-23"], {"output": "2026-11-23"}),
        (["--env", "webshop"], {"env": {"id": "webshop"}}),
        (["--env", "./mine.py:Mine"], {"env": {"id": "./mine.py:Mine"}}),
        (["--env", "webshop", "--env.catalogue", "DIR"], {"env": {"id": "webshop", "catalogue": "DIR"}}),
        (["--env.catalogue", "DIR", "--env", "webshop"], {"env": {"id": "webshop", "catalogue": "DIR"}}),
        (["--env", '{id = "webshop", n = 1}'], {"env": {"id": "webshop", "n": 1}}),
        (["--env.n", "2", "--env", '{id = "webshop"}'], {"env": {"id": "webshop", "n": 2}}),
        (["--env", '{id = "webshop", n = 1}', "--env.m", "2"], {"env": {"id": "webshop", "n": 1, "m": 2}}),
        (["--optim.deep.a", "1", "--optim", "{deep = {b = 2}}"], {"optim": {"deep": {"a": 1, "b": 2}}}),
        (["--name=a=b"], {"name": "a=b"}),
        (["--name", "-"], {"name": "-"}),
        (["--width", "0x10"], {"width": 16}),
        (["--name", '"7"'], {"name": "7"}),
        (["--at", "10:00:00"], {"at": "10:00:00"}),
        (["--sub-group.two-words", "1"], {"sub_group": {"two_words": 1}}),
        (["--env.env", "x"], {"env": {"env": "x"}}),
        (["--trainer", "a-b"], {"trainer": {"id": "a-b"}}),
        (
            ["--curriculum", "c", "--engine", "e", "--protocol", "p"],
            {"curriculum": {"id": "c"}, "engine": {"id": "e"}, "protocol": {"id": "p"}},
        ),
        (["--model", "7"], {"model": {"id": "7"}}),
        (["--model", "1e5"], {"model": {"id": "1e5"}}),
        (["--model", "0x10"], {"model": {"id": "0x10"}}),
        (["--rewards.turn-cost", "0.1"], {"rewards": {"turn-cost": {"weight": 0.1}}}),
        (
            ["--rewards.turn-cost.free-turns", "2", "--rewards.turn-cost", "1"],
            {"rewards": {"turn-cost": {"free-turns": 2, "weight": 1}}},
        ),
        (["--rewards", "{success = 2}"], {"rewards": {"success": 2}}),
        (["--rewards./my_own.dir/j.py:judge", "2"], {"rewards": {"/my_own.dir/j.py:judge": {"weight": 2}}}),
        (
            ["--rewards../j.py", "2", "--rewards../j.py.a_b", "x"],
            {"rewards": {"./j.py": {"weight": 2, "a_b": "x"}}},
        ),
        (["--rewards", "./j.py:judge"], {"rewards": {"./j.py:judge": {"weight": 1}}}),
        (
            ["--rewards", "success", "--rewards", "./j.py", "--rewards../j.py.a", "2"],
            {"rewards": {"success": {"weight": 1}, "./j.py": {"weight": 1, "a": 2}}},
        ),
        (["--rewards.turn-cost", "--seed", "1"], {"rewards": {"turn-cost": {"weight": 1}}, "seed": 1}),
    ],
)
def test_flags(flags: list[str], settings: dict[str, Any]) -> None:
    assert parse_flags(flags) == settings


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["webshop"], 'expected a flag such as --seed or --env.catalogue, found "webshop"'),
        (["--seed", "1", "2"], 'found "2"'),
        (["-x", "1"], 'found "-x"; type: --x'),
        (["-seed=3"], 'found "-seed=3"; type: --seed=3'),
        (["--env", "--seed", "1"], "--env has no value; expected an id or a path, as in --env ./mine.py"),
        (["--seed", "1", "--model"], "--model has no value; expected an id or a path"),
        (["--rewards"], "--rewards has no value; expected an id or a path"),
        (["--updates", "1", "--updates", "2"], '"updates" is given twice, 1 and 2; leave one of the two out'),
        (["--updates", "1", "--updates=1"], '"updates" is given twice, 1 and 1'),
        (["--max-seconds", "1", "--max_seconds", "2"], '"max_seconds" is given twice, 1 and 2'),
        (["--env", "webshop", "--env", "other"], "\"env.id\" is given twice, 'webshop' and 'other'"),
        (["--env", "webshop", "--env.id", "other"], '"env.id" is given twice'),
        (["--env", '{id = "webshop", n = 1}', "--env.n", "2"], '"env.n" is given twice, 1 and 2'),
        (["--env.n", "2", "--env", '{id = "webshop", n = 1}'], '"env.n" is given twice; leave one of the two out'),
        (["--optim", "{a = {b = 1}}", "--optim", "{a = {b = 2}}"], '"optim.a.b" is given twice'),
        (["--rewards.success", "1", "--rewards.success", "2"], '"rewards.success.weight" is given twice'),
        (["--lora", "--lora", "false"], '"lora" is given twice, True and False'),
        (["--seed", "1", "--seed.x", "2"], '"seed" was given a value and cannot have "seed.x"'),
        (["--seed.x", "2", "--seed", "1"], '"seed" is given both a value and settings of its own'),
        (["--seed", "1", "--seed", "{x = 2}"], '"seed" is given both a value and settings of its own'),
        (["--a.b", "1", "--a.b.c", "2"], '"a.b" was given a value and cannot have "a.b.c"'),
        (["--a", "1", "--a.b.c", "2"], '"a" was given a value and cannot have "a.b.c"'),
        (["--rewards", "1", "--rewards.cost", "2"], '"rewards" was given a value'),
        (["--", "2"], 'found "--"'),
        (["--a..b", "2"], 'found "--a..b"'),
    ],
)
def test_flags_that_cannot_be_read(flags: list[str], message: str) -> None:
    with pytest.raises(ConfigError) as error:
        parse_flags(flags)
    assert message in str(error.value)


@given(st.integers() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_come_back_from_flags(value: float | int | bool) -> None:
    text = str(value).lower()
    assert parse_flags([f"--x={text}"]) == {"x": value}


@given(st.text(alphabet=st.characters(codec="utf-8"), min_size=1))
def test_any_text_is_a_choice(text: str) -> None:
    assert parse_flags([f"--model={text}"])["model"].keys() == {"id"} or text.strip().startswith("{")
