"""Reading calls: two forms, values only, and nothing that runs."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentgym.environments.bfcl.calls import MAX_CALLS, Call, parse_call, parse_calls, written
from agentgym.errors import ParseError
from agentgym.types import Action, ToolCall

TEXT = st.text(alphabet=st.characters(codec="utf-8"), max_size=20)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
NAMES = st.from_regex(r"[a-z][a-z_]{1,9}_", fullmatch=True)
CALLS = st.lists(st.tuples(NAMES, st.dictionaries(NAMES, VALUES, max_size=3)), min_size=1, max_size=3)


@given(calls=CALLS)
def test_every_form_says_the_same(calls: list[tuple[str, dict[str, object]]]) -> None:
    expected = [Call(*call) for call in calls]
    tool_calls = [ToolCall(name=name, arguments=arguments) for name, arguments in calls]
    assert parse_calls(Action(tool_calls=tool_calls)) == expected
    assert parse_calls(str(Action(tool_calls=tool_calls))) == expected
    assert parse_calls(f"[{', '.join(written(*call) for call in calls)}]") == expected
    assert parse_call(written(*calls[0])) == expected[0]


@pytest.mark.parametrize(
    ("text", "calls"),
    [
        ("[sort('a b.txt'), ls()]", [Call("sort", {}, ("a b.txt",)), Call("ls", {})]),
        ("ls(a=true)", [Call("ls", {"a": True})]),
        (" [f(x=[null, -1, {'k': false}])]\n", [Call("f", {"x": [None, -1, {"k": False}]})]),
        ("```python\n[ls()]\n```", [Call("ls", {})]),
        ("```json\n" + '{"name": "ls"}' + "\n```", [Call("ls", {})]),
        ('[{"name": "cd", "arguments": {"folder": "a"}}]', [Call("cd", {"folder": "a"})]),
        ("[]", []),
        ("Done.", []),
        ("I called ls(), and it is empty.", []),
        ("", []),
        ("a(b) or c", []),
    ],
)
def test_what_is_read(text: str, calls: list[Call]) -> None:
    assert parse_calls(text) == calls


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[f(x=g())]", "An argument is text, a number"),
        ("[f(x=y)]", "An argument is text, a number"),
        ("[f(x=().__class__)]", "An argument is text, a number"),
        ("[f(x=1+1)]", "An argument is text, a number"),
        ("[f(x=f'{1}')]", "An argument is text, a number"),
        ("[f(x=(1, 2))]", "An argument is text, a number"),
        ("[f(x={1, 2})]", "An argument is text, a number"),
        ("[f(x={[]: 1})]", "An argument is text, a number"),
        ("[f(x=b'a')]", "An argument is text, a number"),
        ("[f(x=1j)]", "An argument is text, a number"),
        ("[f(x=...)]", "An argument is text, a number"),
        ("[f(x={1: 2})]", "names in an object are text"),
        ("[f(x=1e999)]", "must be finite"),
        (r"[f(x='\ud800')]", "half of a character"),
        ('{"name": "f", "arguments": {"x": "\\ud800"}}', "half of a character"),
        ('{"name": "f", "arguments": {"x": NaN}}', "must be finite"),
        ("[f(x=" + "[" * 30 + "]" * 30 + ")]", "deeper than 20"),
        ("[f(*x)]", "An argument is text, a number"),
        ("[f(**x)]", "given once, by its name"),
        ("[f(x=1, x=2)]", "given once, by its name"),
        ("__import__('os').system('true')", "name of a tool"),
        ("[a.f()]", "name of a tool"),
        ("[lambda: 1]", "name of a tool"),
        ("[x]", "name of a tool"),
        ("[f(]", "cannot be read"),
        ("[f('\x00')]", "cannot be read"),
        ("[" * 10_000, "cannot be read"),
        ("[f(x=1" + "0" * 5000 + ")]", "cannot be read"),
        ("[" + "f()," * 60 + "]", f"may hold {MAX_CALLS} calls"),
        ("[f(x='" + "a" * 60_000 + "')]", "may take 50000 characters"),
        ("{", "not valid JSON"),
        ('[{"name": "x", "arguments": ' + "[" * 20_000, "not valid JSON"),
        ("[{}]", 'an object with "name"'),
        ('{"name": 7}', 'an object with "name"'),
        ('{"name": "x", "arguments": [1]}', 'an object with "name"'),
        ('[{"name": "x"}, 7]', 'an object with "name"'),
        ('[{"name": "x", "args": {"a": 1}}]', 'found the keys "name", "args"'),
        ('{"name": "x", "name": "y"}', 'the name "name" is there twice'),
    ],
)
def test_what_is_refused(text: str, message: str) -> None:
    with pytest.raises(ParseError, match=message) as error:
        parse_calls(text)
    assert len(str(error.value)) < 400


@given(text=st.text(alphabet="[](){}'\"\\,:=.fx_1eE- \n\x00*") | st.text())
def test_any_text_is_calls_an_answer_or_a_parse_error(text: str) -> None:
    try:
        calls = parse_calls(text)
    except ParseError as error:
        assert len(str(error)) > 20  # noqa: PT017
    else:
        json.dumps([[call.name, call.arguments, list(call.positional)] for call in calls], allow_nan=False).encode()
