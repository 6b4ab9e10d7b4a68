"""Tools and their arguments go by other names, so that a policy reads what a tool is for and does not know it by heart.

Names are changed letter by letter, vowels for vowels and consonants for consonants, by a permutation that the episode's
seed draws: a bijection of all names, so that no two meet and every name can be taken back, also of tools that come
later. What is said is taken back before the environment hears it; a tool's real name is one that there is not. The
strength is the probability that an episode has other names: then all of them are.

In schemas names of tools and of their arguments are changed, not of fields within an argument. In text they are changed
where they are surely meant: in calls, usages and listed actions, before the colon with which a reply begins, behind the
words tool and argument, and any word with an underscore or a capital within. What else is a word stays one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from agentgym.augmentation import Augmentation
from agentgym.registry import register
from agentgym.types import Action, Observation, ToolCall

__all__ = ["Cipher", "Names", "RenamedTools"]

_LETTERS = ("aeiou", "bcdfghjklmnpqrstvwxyz")
_EPISODE = (0, 1)
"""What an episode's names are drawn by, at every turn."""


class Cipher:
    """A bijection of words that keeps their shape; no letter stays what it is.

    >>> cipher = Cipher(np.random.default_rng(0))
    >>> cipher.taken_back(cipher("get_user_Id2")) == "get_user_Id2" != cipher("get_user_Id2")
    True
    """

    def __init__(self, rng: np.random.Generator) -> None:
        before, after = "", ""
        for letters in _LETTERS:
            order = [letters[index] for index in rng.permutation(len(letters))]
            before, after = before + "".join(order), after + "".join([*order[1:], order[0]])  # one cycle of all
        self._there = str.maketrans(before + before.upper(), after + after.upper())
        self._back = str.maketrans(after + after.upper(), before + before.upper())

    def __call__(self, word: str) -> str:
        return word.translate(self._there)

    def taken_back(self, word: str) -> str:
        """The word that became ``word``."""
        return word.translate(self._back)


@register
class RenamedTools(Augmentation):
    """Tools and their arguments have other names in each episode."""

    def misfit(self, seen: Observation) -> str:
        return "" if seen.tools else "its first observation has no schemas of tools"

    def observation(self, seen: Observation) -> str:
        if (names := self._names(seen)) is None:
            return seen
        admissible = None if seen.admissible is None else [names.in_call(action) for action in seen.admissible]
        tools = [names.in_schema(tool) for tool in seen.tools]
        return Observation(names.in_text(seen), admissible=admissible, tools=tools, images=seen.images)

    def action(self, said: str) -> str:
        names = self._names(self.env._seen)
        return said if names is None else names.taken_back(said)

    def said(self, expert: str) -> str:
        names = self._names(self.env._seen)
        return expert if names is None else names.in_action(expert)

    @property
    def instructions(self) -> str:  # type: ignore[override]  # a reset changes it
        """The environment's, with the names of the episode."""
        inner, names = self.env.instructions, self._names(self.env._seen) if self.strength else None
        return inner if names is None else names.in_text(inner)

    def _names(self, seen: Observation | None) -> Names | None:
        """Those of the running episode; None where they are as ever."""
        rng = self.rng(*_EPISODE)
        if seen is None or rng.random() >= self.strength:
            return None
        return Names(Cipher(rng), seen.tools)


class Names:
    """Where in schemas, calls and text the names of ``tools`` stand, and what they become by ``cipher``."""

    def __init__(self, cipher: Cipher, tools: tuple[Mapping[str, Any], ...]) -> None:
        self.cipher = cipher
        self.arguments = {_about(tool)["name"]: {*_properties(_about(tool))} for tool in tools}
        """Of each tool, by real names."""
        self.known = {*self.arguments, *(name for names in self.arguments.values() for name in names)}

    # -- from the environment's names to those of the episode ------------------------------------------

    def in_schema(self, tool: Mapping[str, Any]) -> dict[str, Any]:
        """A tool's schema."""
        about = self._described(dict(_about(tool)))
        about["name"] = self.cipher(about["name"])
        if isinstance(parameters := about.get("parameters"), Mapping):
            own = {self.cipher(name): self._described(schema) for name, schema in _properties(about).items()}
            needed = [self.cipher(name) for name in parameters.get("required", ())]
            about["parameters"] = {**parameters, "properties": own, "required": needed}
        return {**tool, "function": about} if "function" in tool else about

    def _described(self, schema: Any) -> Any:
        if isinstance(schema, Mapping) and isinstance(schema.get("description"), str):
            return {**schema, "description": self.in_text(schema["description"])}
        return schema

    def in_action(self, said: str) -> str:
        """What an expert says."""
        return _changed(said, self.cipher, self.in_call)

    def in_call(self, text: str) -> str:
        """A call as it is written, with parentheses."""
        return _in_calls(text, lambda word: self.cipher(word) if word in self.known else word)

    def in_text(self, text: str) -> str:
        """What is shown or explained."""
        return _SHOWN.sub(self._in_shown, text)

    def _in_shown(self, found: re.Match[str]) -> str:
        match found.lastgroup:
            case "usage" if found["tool"] in self.arguments:
                known = self.arguments[found["tool"]]
                inside = _ARGUMENT.sub(lambda it: self.cipher(it[0]) if it[0] in known else it[0], found["inside"])
                return f"{self.cipher(found['tool'])}({inside})"
            case "listed":
                return found["head"] + re.sub(r"\w+", lambda it: self._tool(it[0]), found["names"])
            case "reply":
                is_unknown = found.string.startswith("Error", found.end())
                return (self.cipher if is_unknown else self._tool)(found["replied"]) + ": "
            case "quoted":
                return f'{found["about"]}"{self.cipher(found["named"])}"'
            case "identifier" if found[0] in self.known:
                return self.cipher(found[0])
        return found[0]

    def _tool(self, word: str) -> str:
        return self.cipher(word) if word in self.arguments else word

    # -- and back --------------------------------------------------------------------------------------

    def taken_back(self, said: str) -> str:
        """What the policy said, as the environment knows it."""
        return _changed(said, self.cipher.taken_back, self._text_back)

    def _text_back(self, text: str) -> str:
        """Names that there are not among them, so that real ones are none; in words only what is surely meant."""
        is_call = _BEGINS.match(text) is not None

        def word_back(word: str) -> str:
            back = self.cipher.taken_back(word)
            return back if is_call or back in self.known else word

        return _in_calls(text, word_back)


_SHOWN = re.compile(
    r"""(?P<usage>\b(?P<tool>\w+)\((?P<inside>[^()]*)\))"""
    r"""|(?P<listed>\b(?P<head>(?:Tools|Known):\ )(?P<names>\w+(?:,\ \w+)*)(?![\w(]))"""
    r"""|(?P<reply>^(?P<replied>\w+):\ )"""
    r"""|(?P<quoted>(?P<about>\b(?:tool|argument|mean)\ )"(?P<named>\w+)")"""
    r"""|(?P<identifier>\b(?:\w*[A-Za-z]_\w+|[a-z]+[A-Z]\w*)\b)""",
    re.MULTILINE,
)
_ARGUMENT = re.compile(r"\b\w+\b(?=\s*(?:[=:,?]|$))")
_BEGINS = re.compile(r"\s*\[?\s*\w+\s*\(")
_CALLS = re.compile(r""""(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|(?P<called>\b\w+(?=\s*\())|(?P<given>\b\w+(?=\s*=(?!=)))""")


def _in_calls(text: str, change: Callable[[str], str]) -> str:
    """``text`` with each word changed that stands where a tool or an argument is named; quoted text stays."""
    return _CALLS.sub(lambda found: change(found[0]) if found.lastgroup else found[0], text)


def _changed(said: str, name: Callable[[str], str], text: Callable[[str], str]) -> str:
    """``said`` with the names in its calls changed by ``name``; where it has none but its text, by ``text``."""
    if calls := Action.of(said).tool_calls:
        made = [ToolCall(name=name(call.name), arguments=_renamed(call.arguments, name), id=call.id) for call in calls]
        is_json = str(said) == Action(tool_calls=calls)
        return Action(tool_calls=made) if is_json else Action(text(str(said)), tool_calls=made)
    if str(said).lstrip()[:1] in ("[", "{"):
        try:
            value = json.loads(str(said))
        except (ValueError, RecursionError):
            return text(str(said))
        many = value if isinstance(value, list) else [value]
        if many and all(isinstance(one, dict) and isinstance(one.get("name"), str) for one in many):
            made_of = [_renamed_call(one, name) for one in many]
            return json.dumps(made_of if isinstance(value, list) else made_of[0])
    return text(str(said))


def _renamed_call(call: Mapping[str, Any], name: Callable[[str], str]) -> dict[str, Any]:
    """A call as JSON has it."""
    changed = {**call, "name": name(call["name"])}
    for key in ("arguments", "parameters"):
        if isinstance(call.get(key), Mapping):
            changed[key] = _renamed(call[key], name)
    return changed


def _renamed(arguments: Mapping[str, Any], name: Callable[[str], str]) -> dict[str, Any]:
    return {name(key): value for key, value in arguments.items()}


def _about(tool: Mapping[str, Any]) -> Mapping[str, Any]:
    about = tool.get("function")
    return about if isinstance(about, Mapping) else tool


def _properties(about: Mapping[str, Any]) -> Mapping[str, Any]:
    parameters = about.get("parameters")
    found = parameters.get("properties") if isinstance(parameters, Mapping) else None
    return found if isinstance(found, Mapping) else {}
