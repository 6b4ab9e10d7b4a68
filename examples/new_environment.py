"""A whole environment: one class in one file. There are no tasks in it, so seeds are the tasks.

agentgym play examples/new_environment.py
agentgym train --env examples/new_environment.py
"""

from typing import Any

import agentgym
from agentgym.env import Expert

PLACES = ("north", "east", "south", "west")


@agentgym.register
class Bell(agentgym.Env):
    """Go where the bell rings, three times."""

    instructions = "Answer with one word: north, east, south or west."

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        self.route = self.np_random.choice(PLACES, size=3).tolist()  # same seed, same route
        self.turn = 0
        return f"A bell rings in the {self.route[0]}.", {}

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        reward = (action == self.route[self.turn]) / 3
        self.turn += 1
        over = self.turn == 3
        seen = "All is quiet." if over else f"A bell rings in the {self.route[self.turn]}."
        return seen, reward, over, False, {}

    def expert(self) -> Expert:  # may be left out; with it, training begins by imitation
        return lambda observation: self.route[self.turn]


if __name__ == "__main__":
    env = agentgym.make("new_environment")  # the id is the file's name
    print(env.reset(seed=1)[0])
    print(env.step("north")[:2])
