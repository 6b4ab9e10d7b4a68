"""Glimpse: pictures, one a turn, and what each shows is in the picture alone.

A colored square, or a digit in dark on light, stands somewhere on a noisy ground; the answer is one word. Nothing that
is said tells it, so a policy that does not see stays at chance: one in four colors, one in ten digits.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

import numpy as np
from pydantic import Field

from agentgym.env import Env, Expert
from agentgym.registry import register
from agentgym.types import Observation

__all__ = ["ANSWERS", "Glimpse", "draw"]

Kind: TypeAlias = Literal["colors", "digits"]
Pixels: TypeAlias = np.ndarray[Any, np.dtype[np.uint8]]

_COLORS = {"red": (200, 40, 40), "green": (40, 170, 60), "blue": (50, 70, 210), "yellow": (220, 200, 40)}
ANSWERS: dict[Kind, tuple[str, ...]] = {
    "colors": tuple(_COLORS),
    "digits": ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"),
}
"""What a picture may show, in the words of the actions."""

_STROKES = ("75557", "26227", "71747", "71717", "55711", "74717", "74757", "71111", "75757", "75717")
"""The digits' rows from above, three pixels each, as binary numbers: 5 is both sides of a zero."""

_SIDE = 32
"""Pixels of a picture's side."""


@register
class Glimpse(Env):
    """Say what each picture shows.

    Example::

        env = Glimpse()
        observation, info = env.reset(seed=0)
        observation, reward, terminated, truncated, info = env.step("red")
    """

    kind = "pictures"
    max_turns = 1
    instructions = "Each turn shows a picture. Say in one word what it shows."
    corpus_episodes = 50

    def __init__(
        self, *, shows: Kind = "colors", pictures: Annotated[int, Field(ge=1, le=100)] = 1, blank: bool = False
    ) -> None:
        """Choose what is to be seen.

        Args:
            shows: "colors" of a square, or "digits".
            pictures: how many an episode has; each is worth its share of 1, and success is to get all right.
            blank: show nothing but the ground, to see what is learned without seeing.
        """
        self.shows, self.pictures, self.blank = shows, pictures, blank
        self.max_turns = pictures

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        """Draw the pictures' answers, and show the first."""
        answers = ANSWERS[self.shows]
        self.answers = [answers[i] for i in self.np_random.integers(len(answers), size=self.pictures)]
        self.num_right = self.turn = 0
        return self._observe(), {}

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """One answer, which is not commented on; the next picture."""
        is_right = action.strip().lower() == self.answers[self.turn]
        self.turn += 1
        self.num_right += is_right
        is_over = self.turn == self.pictures
        info = {"success": self.num_right == self.pictures} if is_over else {}
        return "That was the last." if is_over else self._observe(), is_right / self.pictures, is_over, False, info

    def expert(self) -> Expert:
        """Knows what was drawn."""
        return lambda observation: self.answers[self.turn]

    def get_state(self) -> dict[str, Any]:
        """The episode as plain JSON."""
        return {"answers": self.answers, "turn": self.turn, "num_right": self.num_right}

    def set_state(self, state: dict[str, Any]) -> None:
        """Go back to what ``get_state`` gave."""
        self.answers, self.turn, self.num_right = list(state["answers"]), state["turn"], state["num_right"]

    def _observe(self) -> Observation:
        shown = None if self.blank else self.answers[self.turn]
        image = draw(shown, np.random.default_rng([self.seed, self.turn]))
        return Observation("What does it show?", admissible=ANSWERS[self.shows], images=[image])


def draw(shown: str | None, rng: np.random.Generator) -> Pixels:
    """A picture of ``shown``, one of the answers, or of nothing; its place, size and ground are drawn too."""
    picture = rng.normal(128, 12, (_SIDE, _SIDE, 3))
    scale = int(rng.integers(3, 5))
    height, width = 5 * scale, 3 * scale
    if shown in _COLORS:
        width = height
    top, left = (int(rng.integers(1, _SIDE - size)) for size in (height, width))
    place = picture[top : top + height, left : left + width]
    if shown in _COLORS:
        place[:] = np.array(_COLORS[shown]) + rng.normal(0, 10, place.shape)
    elif shown is not None:
        rows = [[int(bit) for bit in f"{int(row):03b}"] for row in _STROKES[ANSWERS["digits"].index(shown)]]
        ink = np.kron(np.array(rows), np.ones((scale, scale)))[..., None]
        place[:] = np.where(ink > 0, 30, 230) + rng.normal(0, 10, place.shape)
    return picture.clip(0, 255).astype(np.uint8)
