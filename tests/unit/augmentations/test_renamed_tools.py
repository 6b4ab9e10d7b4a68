"""Other names for tools and arguments: a bijection, there and back, wherever a name stands."""

from __future__ import annotations

import json
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import agentgym
from agentgym.augmentations.renamed_tools import Cipher, Names, RenamedTools
from agentgym.errors import UserError
from agentgym.types import Action, ToolCall

WORDS = st.from_regex(r"[a-zA-Z][a-zA-Z0-9_]{0,12}", fullmatch=True)


def tool(name: str, *arguments: str) -> dict[str, Any]:
    properties = {each: {"type": "string", "description": f"{each} of get_user"} for each in arguments}
    parameters = {"type": "object", "properties": properties, "required": list(arguments[:1])}
    return {"type": "function", "function": {"name": name, "description": f"See get_user({', '.join(arguments)}).",
                                             "parameters": parameters}}  # fmt: skip


TOOLS = (tool("get_user", "name", "user_id"), tool("find", "path", "name"), tool("ls", "a"), tool("cd", "folder"))
CIPHER = Cipher(np.random.default_rng(5))
NAMES = Names(CIPHER, TOOLS)


@given(st.integers(0, 2**32), st.lists(WORDS, unique=True, max_size=20))
def test_it_is_a_bijection_that_keeps_the_shape(seed: int, words: list[str]) -> None:
    cipher = Cipher(np.random.default_rng(seed))
    found = [cipher(word) for word in words]
    assert len({*found}) == len(words)
    assert [cipher.taken_back(word) for word in found] == words
    for word, other in zip(words, found, strict=True):
        assert [letter in "aeiouAEIOU" for letter in word] == [letter in "aeiouAEIOU" for letter in other]
        assert all(a != b for a, b in zip(word, other, strict=True) if a.isalpha())


def test_schemas_have_the_other_names() -> None:
    about = NAMES.in_schema(TOOLS[0])["function"]
    name, arguments = CIPHER("get_user"), [CIPHER("name"), CIPHER("user_id")]
    assert about["name"] == name
    assert list(about["parameters"]["properties"]) == arguments
    assert about["parameters"]["required"] == arguments[:1]
    assert about["description"] == f"See {name}({', '.join(arguments)})."
    assert about["parameters"]["properties"][arguments[0]]["description"] == f"name of {name}"
    assert TOOLS[0] == tool("get_user", "name", "user_id")  # which is as it was


@pytest.mark.parametrize(
    "call",
    [
        "[get_user(name='ls(a)', user_id=\"x=1, name=2\"), ls(a=True)]",
        "find(path=., name=get_user)",
        "ls()",
        '[{"name": "find", "arguments": {"path": "name", "name": "find"}}]',
        '{"name": "ls", "parameters": {"a": [1, {"name": "ls"}]}}',
        "All is done, name it find, ls or cd.",
        "",
        "[",
    ],
)
def test_what_is_said_comes_back_as_it_was(call: str) -> None:
    there = NAMES.in_action(call)
    assert NAMES.taken_back(there) == call
    assert (there == call) == ("(" not in call and 'name":' not in call)


def test_calls_are_changed_where_names_stand_and_nowhere_else() -> None:
    name, user, user_id = CIPHER("name"), CIPHER("get_user"), CIPHER("user_id")
    said = NAMES.in_action("get_user(name='name', user_id=\"get_user(name=1)\")")
    assert said == f"{user}({name}='name', {user_id}=\"get_user(name=1)\")"
    said = NAMES.in_action('[{"name": "find", "arguments": {"name": "find", "path": {"name": 1}}}]')
    assert json.loads(said) == [{"name": CIPHER("find"), "arguments": {name: "find", CIPHER("path"): {"name": 1}}}]
    action = NAMES.in_action(Action("ls(a=1)", tool_calls=[ToolCall(name="ls", arguments={"a": "ls"}, id="7")]))
    assert isinstance(action, Action)
    assert action == f"{CIPHER('ls')}({CIPHER('a')}=1)"
    assert action.tool_calls == (ToolCall(name=CIPHER("ls"), arguments={CIPHER("a"): "ls"}, id="7"),)
    assert NAMES.taken_back(action) == "ls(a=1)"


@pytest.mark.parametrize("call", ["ls()", "[ls(), cd(folder='x')]", '{"name": "ls", "arguments": {}}', "no_tool(a=1)"])
def test_a_real_name_is_one_that_there_is_not(call: str) -> None:
    back = NAMES.taken_back(call)
    assert back != call
    assert not any(f"{name}(" in back or f'"{name}"' in back for name in ("ls", "cd", "no_tool"))


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        ('ls: {"name": "find"}', '{ls}: {{"name": "find"}}'),
        ("a file: find it, or name it", "a file: find it, or name it"),
        ("use get_user or user_id", "use {get_user} or {user_id}"),
        ("find(path=., name=None) or ls(a)", "{find}({path}=., {name}=None) or {ls}({a})"),
        ("call other(name=1)", "call other(name=1)"),
        ('the tool "cd" has no argument "folder"', 'the tool "{cd}" has no argument "{folder}"'),
        ("Tools: ls, cd, other", "Tools: {ls}, {cd}, other"),
        ("", ""),
    ],
)
def test_in_text_what_is_surely_a_name_is_changed(shown: str, expected: str) -> None:
    names = {name: CIPHER(name) for name in NAMES.known}
    assert NAMES.in_text(shown) == expected.format(**names)


class Clerk(agentgym.ToolEnv):
    """One who must be asked in the right way."""

    instructions = "Use look_up."

    def start(self, task: Any) -> str:
        self.found: list[str] = []
        self.instructions = f"Rules.\n{self.usage}"
        return "begin"

    @agentgym.tool
    def look_up(self, word: str, language: Literal["en", "de"] = "en") -> str:
        """Look up a word."""
        self.found.append(word)
        return f"{word} in {language}"

    def verdict(self) -> float:
        return float(self.found == ["word"])

    def expert(self) -> Any:
        from agentgym.tools.calls import call

        return lambda seen: "bye" if self.found else call("look_up", word="word")


def test_the_instructions_have_the_names_of_the_episode() -> None:
    env = RenamedTools(Clerk())
    plain = env.reset(seed=1) and env.instructions
    assert "look_up(word: string" in plain
    first = env.reset(seed=1, options={"strength": 1}) and env.instructions
    second = env.reset(seed=2, options={"strength": 1}) and env.instructions
    assert len({plain, first, second}) == 3
    assert "look_up" not in first
    assert first.partition("\n")[0] == "Rules."
    assert '"en" or "de"' in first


def test_the_policy_calls_by_the_new_names_alone() -> None:
    env = RenamedTools(Clerk())
    seen, _ = env.reset(seed=1, options={"strength": 1})
    about = seen.tools[0]["function"]
    name, (word, _) = about["name"], list(about["parameters"]["properties"])
    assert env.step(f'{name}({word}="plain")')[0] == "plain in en"
    answer, *_, info = env.step('look_up(word="word")')
    assert answer.startswith('There is no tool "look_up".')
    assert "invalid_action" in info
    assert name in answer


def test_the_expert_wins_under_any_names() -> None:
    env = RenamedTools(Clerk())
    for seed in range(5):
        seen, _ = env.reset(seed=seed, options={"strength": 1})
        expert = env.expert()
        assert expert is not None
        said = expert(seen)
        assert "look_up" not in said
        env.step(said)
        _, reward, terminated, *_ = env.step(expert(seen))
        assert (reward, terminated) == (1.0, True)


@pytest.mark.parametrize(("strength", "share"), [(1.0, 1.0), (0.5, 0.5), (0.2, 0.2)])
def test_the_strength_is_the_share_of_episodes(strength: float, share: float) -> None:
    env = RenamedTools(Clerk())
    num = 0
    for seed in range(200):
        seen, _ = env.reset(seed=seed, options={"strength": strength})
        num += seen.tools[0]["function"]["name"] != "look_up"
    assert num / 200 == pytest.approx(share, abs=0.12)


def test_without_tools_it_does_not_fit() -> None:
    with pytest.raises(UserError, match='"renamed-tools" does not fit the environment "blocksworld"'):
        RenamedTools(agentgym.make("blocksworld")).reset(seed=0, options={"strength": 1})
