"""Grounding as an environment: a screenshot and an instruction, and the answer is a point.

An answer ends the episode. It is a success inside of the box; with ``reward="dense"`` it is paid as SE-GUI
(arXiv 2505.12370) pays: 1 inside, and everywhere with how near it came to the center, so that the center is worth 2.
Point and box are channels, so that the reward "point" can be made of them as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias, get_args

import numpy as np
from pydantic import Field

from agentgym.browser.chromium import check_installed
from agentgym.env import SPLITS, Env, Expert
from agentgym.environments._options import Split, task_and_split
from agentgym.environments.grounding.answers import UNREADABLE, read_point
from agentgym.environments.grounding.files import item_of, read_annotations
from agentgym.environments.grounding.hints import HINTS
from agentgym.environments.grounding.items import Element, Item, fitted
from agentgym.environments.grounding.levels import LEVELS, Level
from agentgym.environments.grounding.rendering import Renderer, default_cache
from agentgym.environments.grounding.screens import draw_screen
from agentgym.environments.grounding.visual import USAGE, Look, look_of
from agentgym.errors import ConfigError, UserError
from agentgym.pointing import hit, nearness
from agentgym.registry import register
from agentgym.types import Observation, TaskId

__all__ = ["LEVELS", "Grounding"]

Observe: TypeAlias = Literal["screenshot", "elements", "both"]
_SCREENS = {"train": 2_000, "validation": 200, "test": 200}
"""Of each split; a task is a screen and what is asked for on it, so that each screen serves many tasks."""
_LOOKS = 6
"""Turns of an episode with tools: five looks and an answer."""


@register
class Grounding(Env):
    """Point at what the instruction means.

    Example::

        env = Grounding(level="g2")
        observation, info = env.reset(options={"task": 0})
        observation, reward, terminated, truncated, info = env.step("click(120, 44)")
    """

    kind = "pictures"
    extra = "gui"
    hints = HINTS
    max_turns = 1
    corpus_episodes = 50
    instructions = "Point at what the instruction means: click(x, y), in pixels from the upper left corner."

    def __init__(
        self,
        *,
        level: Level = "g1",
        observe: Observe = "screenshot",
        reward: Literal["dense", "hit"] = "dense",
        tools: bool = False,
        longest: Annotated[int, Field(ge=32)] | None = None,
        file: str | Path | None = None,
        cache: str | Path | None = None,
        screen_seed: int = 0,
    ) -> None:
        """Choose the screens and what is shown of them.

        Args:
            level: how large the generated screens are, and how many things on them are how small: "g1" to "g5".
            observe: the "screenshot", the list of "elements" with their boxes for a policy that only reads, or "both".
            reward: "dense": 1 for a hit and up to 1 for how near it is; "hit": 1 inside the box alone.
            tools: let the policy crop, zoom, mark and measure before it answers; each brings a picture.
            longest: pixels that a picture's longer side has at most; a larger one is made smaller. None: as it is.
            file: screenshots of others in place of generated ones: annotations as ScreenSpot or AndroidControl have
                them.
            cache: folder that screens are kept in; None for one in the user's cache.
            screen_seed: seed of the generated screens and of the tasks.

        Raises ConfigError for options that contradict each other, DataError for a malformed file, MissingExtraError
        where there is no browser to draw screens.
        """
        self.level, self.observe, self.reward, self.tools, self.longest = level, observe, reward, tools, longest
        self.screen_seed = screen_seed
        self.annotations = None if file is None else read_annotations(Path(file).expanduser())
        self._check(tools=tools, observe=observe)
        if self.annotations is None:
            check_installed()
        self._render = Renderer(Path(cache).expanduser() if cache is not None else default_cache())
        self.max_turns = _LOOKS if tools else 1
        self.instructions = f"{Grounding.instructions} {USAGE}" if tools else Grounding.instructions

    def _check(self, *, tools: bool, observe: Observe) -> None:
        if observe == "elements" and tools:
            raise ConfigError('tools have no effect with observe "elements": there is no picture to look closer at')
        if observe != "screenshot" and self.annotations is not None and not any(one.nodes for one in self.annotations):
            raise ConfigError(
                f'observe "{observe}" has no effect: the file has no elements, only boxes that are asked for'
            )

    def tasks(self, split: str) -> Sequence[TaskId]:
        """Task ids of a split: seeds, or the numbers of a file's questions. Raises UserError."""
        Env.tasks(self, split)
        if self.annotations is None:
            return SPLITS[split]
        return [number for number, one in enumerate(self.annotations) if one.split == split]

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        """Ask the question of ``options["task"]``, or a random one of training. Raises UserError, DataError."""
        self.task = self._task((options or {}).get("task"))
        self._ask()
        return self._observe(), {"channels": self._box()}

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """A point, which ends the episode, or with tools a closer look."""
        look = look_of(action, self.item.image) if self.tools else None
        if isinstance(look, Look):
            return Observation(f"{look.text}\n{self._asked}", images=[look.image]), 0.0, False, False, {}
        point = None if look else read_point(action)
        if point is None:
            told = look or UNREADABLE
            return self._again(told), 0.0, False, False, {"invalid_action": told}
        share, box = self.item.share(point), self.item.target
        is_hit = hit(share, box)
        paid = is_hit + nearness(share, box) if self.reward == "dense" else is_hit
        channels = {**self._box(), "point_x": share[0], "point_y": share[1]}
        return "Thank you.", paid, True, False, {"success": bool(is_hit), "channels": channels}

    def expert(self) -> Expert:
        """Points at the center of the box."""
        return lambda observation: "click({:.0f}, {:.0f})".format(*self.item.center)

    def get_state(self) -> dict[str, Any]:
        """The task; nothing else is kept from turn to turn."""
        return {"task": self.task}

    def set_state(self, state: dict[str, Any]) -> None:
        """Go back to what ``get_state`` gave."""
        self.task = state["task"]
        self._ask()

    def close(self) -> None:
        """Give the browser back."""
        self._render.close()

    # -- what is asked -------------------------------------------------------------------------------

    def _task(self, given: Any) -> int:
        if self.annotations is None:
            return task_and_split(given, self.np_random)[0]
        if given is None:
            tasks = self.tasks("train") or range(len(self.annotations))
            return int(tasks[int(self.np_random.integers(len(tasks)))])
        if not isinstance(given, int | np.integer) or not 0 <= given < len(self.annotations):
            raise UserError(f"task {given!r} does not exist: tasks are the numbers 0 to {len(self.annotations) - 1}")
        return int(given)

    def _ask(self) -> None:
        item = self._drawn() if self.annotations is None else item_of(self.annotations[self.task])
        self.item = item if self.longest is None else fitted(item, self.longest)

    def _drawn(self) -> Item:
        """A generated question: a screen of the task's split, and one of the things that are seen on it."""
        split: Split = next(split for split in get_args(Split) if self.task in SPLITS[split])
        rng = np.random.default_rng([self.screen_seed, int(self.level[1:]), self.task])
        screen = draw_screen(self.level, split, int(rng.integers(_SCREENS[split])), self.screen_seed)
        rendered = self._render(screen)
        seen = sorted(rendered.boxes)
        number = seen[int(rng.integers(len(seen)))]
        thing, by_function = screen.things[number], rng.random() < LEVELS[self.level].by_function
        things = [(screen.things[one], rendered.boxes[one]) for one in seen]
        return Item(
            instruction=thing.by_function if by_function and thing.by_function else thing.by_name,
            image=rendered.image,
            box=rendered.boxes[number],
            elements=[Element(thing.role, thing.label, box) for thing, box in things],
            kind="icon" if thing.is_icon else "text",
        )

    # -- what is seen --------------------------------------------------------------------------------

    @property
    def _asked(self) -> str:
        return f"instruction: {self.item.instruction}"

    def _observe(self, told: str = "") -> Observation:
        lines = [told] if told else []
        if self.observe != "screenshot":
            lines += [f"{one.role} {one.label}: {_edges(one.box)}" for one in self.item.elements]
        lines.append(self._asked)
        images = [] if self.observe == "elements" else [self.item.image]
        return Observation("\n".join(lines), admissible=["click(<x>, <y>)"], images=images)

    def _again(self, told: str) -> Observation:
        return self._observe(f"error: {told}")

    def _box(self) -> dict[str, float]:
        return dict(zip(("box_left", "box_top", "box_right", "box_bottom"), self.item.target, strict=True))


def _edges(box: Sequence[float]) -> str:
    return " ".join(f"{edge:.0f}" for edge in box)
