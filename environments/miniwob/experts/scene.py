"""What an expert goes by: the task in words and the page as a policy sees it; and the words that all scripts share."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, TypeAlias

from agentgym.browser import Action, Click, Fill, Node, Seen, Select

__all__ = ["EXPERTS", "NotSeen", "Scene", "Script", "numbers_in", "solves"]


class NotSeen(LookupError):
    """What a script looks for is not on the page."""


class Scene(NamedTuple):
    """One moment of an episode."""

    task: str
    seen: Seen

    @property
    def nodes(self) -> tuple[Node, ...]:
        """All that is seen, in reading order."""
        return self.seen.nodes

    @property
    def quoted(self) -> list[str]:
        """What the task has in quotation marks."""
        return re.findall(r'"([^"]*)"', self.task)

    def said(self, pattern: str) -> tuple[str, ...]:
        """The groups of ``pattern`` in the task. Raises NotSeen."""
        found = re.search(pattern, self.task)
        if found is None:
            raise NotSeen(f"{pattern} in {self.task}")
        return found.groups()

    def all(self, *roles: str) -> list[Node]:
        """The elements of these roles that have a ref."""
        return [node for node in self.nodes if node.ref and node.role in roles]

    def find(self, *roles: str, name: str | None = None, nth: int = 0) -> Node:
        """One of them, by name. Raises NotSeen."""
        found = [node for node in self.all(*roles) if name is None or node.name == name]
        if nth >= len(found):
            raise NotSeen(f"{roles} {name}")
        return found[nth]

    def named(self, name: str) -> Node:
        """The element of that name. Raises NotSeen."""
        for node in self.nodes:
            if node.ref and node.name == name:
                return node
        raise NotSeen(name)

    def click(self, *roles: str, name: str | None = None, nth: int = 0) -> Action:
        """Click it. Raises NotSeen."""
        return Click(self.find(*roles, name=name, nth=nth).ref)

    def inside(self, outer: Node) -> list[Node]:
        """What is nested in an element."""
        start = self.nodes.index(outer) + 1
        return list(_while_deeper(self.nodes[start:], outer.depth))

    def text_of(self, outer: Node) -> list[str]:
        """The words in it, piece by piece."""
        return [node.text or node.name for node in self.inside(outer) if node.text or node.name]

    def submit(self, name: str = "Submit") -> Action:
        """Press the button that ends the task. Raises NotSeen."""
        return Click(self.find("button", "generic", name=name).ref)

    def fields(self) -> list[Node]:
        """What can be typed into."""
        return [node for node in self.all("textbox", "searchbox", "spinbutton") if "disabled" not in node.states]

    def filled(self, wanted: Iterable[tuple[Node, str]]) -> Action | None:
        """Fill the first field that does not hold what it should; None where all do."""
        for node, text in wanted:
            if node.value != text:
                return Select(node.ref, (text,)) if node.role in ("combobox", "listbox") else Fill(node.ref, text)
        return None

    def checked(self, names: Iterable[str], *roles: str) -> Action | None:
        """Click the first box that should be checked and is not, or the other way; None where all are right."""
        wanted = set(names)
        for node in self.all(*roles):
            if ("checked" in node.states) != (node.name in wanted):
                return Click(node.ref)
        return None

    def focused(self) -> Node | None:
        """What has the focus."""
        return next((node for node in self.nodes if "focused" in node.states), None)


def _while_deeper(nodes: Iterable[Node], depth: int) -> Iterator[Node]:
    for node in nodes:
        if node.depth <= depth:
            return
        yield node


def numbers_in(text: str) -> list[int]:
    """The whole numbers in a text."""
    return [int(number) for number in re.findall(r"-?\d+", text)]


Script: TypeAlias = Callable[[Scene], Action]
"""What to do next; a function of what is seen alone, so that it goes on from anywhere. Raises NotSeen."""

EXPERTS: dict[str, Script] = {}
"""Task → its script."""


def solves(*tasks: str) -> Callable[[Script], Script]:
    """Have a script be the expert for these tasks."""

    def registered(script: Script) -> Script:
        EXPERTS.update(dict.fromkeys(tasks, script))
        return script

    return registered
