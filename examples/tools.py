"""An environment of tools: methods with type hints and a docstring are what a policy can call.

agentgym train --env examples/tools.py
"""

from typing import Literal

import agentgym
from agentgym.env import Expert
from agentgym.tools import ToolEnv, ToolError, call, tool


@agentgym.register
class Library(ToolEnv):
    """Find out where a book stands, then fetch it."""

    instructions = "Look a book up, then fetch it from its shelf. Tools: look_up(book), fetch(shelf)."

    def start(self, task: int | str) -> str:
        self.book, self.shelf = f"book {self.np_random.integers(100)}", str(self.np_random.choice(["east", "west"]))
        self.found = False
        return f"Please fetch {self.book}."

    @tool
    def look_up(self, book: str) -> str:
        """The shelf that a book stands on."""
        if book != self.book:
            raise ToolError("There is no such book.")  # shown to the policy; the turn counts as invalid
        return f"{book} stands on shelf {self.shelf}."

    @tool
    def fetch(self, shelf: Literal["east", "west"]) -> str:
        """Take the book from a shelf; that is the end, whether it stands there or not."""
        self.found = shelf == self.shelf
        self.finish()
        return "You took a book." if self.found else "There is a gap."

    def verdict(self) -> float:
        return float(self.found)

    def expert(self) -> Expert:  # may be left out
        plan = iter([call("look_up", book=self.book), call("fetch", shelf=self.shelf)])
        return lambda observation: next(plan)


if __name__ == "__main__":
    env = agentgym.make("tools")  # the id is the file's name
    print(env.reset(seed=1)[0])
    for action in ('{"name": "look_up", "arguments": {"book": "book 47"}}', "fetch(shelf=north)", "fetch(shelf=west)"):
        print(f"> {action}\n{env.step(action)[0]}")
