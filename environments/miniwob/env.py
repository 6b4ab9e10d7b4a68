"""MiniWoB++ as an environment: a page in a real browser, seen as text, as elements or as a picture.

Tasks are numbers: with n tasks chosen, number t is the task t mod n with the page's seed t div n, so that any stretch
of a split has all of them. A page with a seed is the page that the package itself shows with that seed, in its training
mode for training and its test mode otherwise (some tasks then draw from other words).

A page's time stands still while nobody acts, and a second of it passes with each action: animations are over when the
page is looked at, and the same actions lead to the same page on a slow machine as on a fast one.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal, TypeAlias

from pydantic import Field

from agentgym.browser import Back, Fill, Forward, Goto, PageLost, Seen, Type, View, Window, as_text
from agentgym.browser.spellings import SPELLINGS, SpellingName
from agentgym.env import SPLITS, Env, Expert
from agentgym.environments._options import task_and_split
from agentgym.environments._spelling import Spelling
from agentgym.environments.miniwob.experts import Expertise, expertise_for
from agentgym.environments.miniwob.groups import TURNS, group_of, tasks_of
from agentgym.environments.miniwob.page import PROBE, SKIPPED, START, Standing, html_folder
from agentgym.errors import ParseError
from agentgym.registry import register
from agentgym.types import Observation

__all__ = ["MiniWoB"]

Observe: TypeAlias = Literal["text", "elements", "screenshot", "both"]

_SIZE = (500, 320)
"""Of the window, in pixels, as in the package."""
_CLIP = (160, 210)
"""Of the task in it: what pictures show."""
_TURN_MS = 1_000
_MODES = {"train": "train", "validation": "test", "test": "test"}


@register
class MiniWoB(Env):
    """Do what the task says, on a small web page.

    Example::

        env = MiniWoB(task="click-button")
        observation, info = env.reset(options={"task": 7})
        observation, reward, terminated, truncated, info = env.step("click('1')")
    """

    kind = "web"
    extra = "gui"
    max_turns = TURNS["medium"]
    corpus_episodes: ClassVar[int] = 40

    def __init__(
        self,
        *,
        task: str = "starter",
        observe: Observe = "text",
        spelling: SpellingName = "calls",
        marks: bool = False,
        picture: Annotated[int, Field(ge=32, le=640)] = 210,
        fold_case: bool = False,
    ) -> None:
        """Choose tasks, and how they are seen and acted on; the browser is started with the first episode.

        Args:
            task: a task such as "click-button", or a group of them: "starter" (five of different kinds), "easy",
                "medium", "hard", "visual", "all".
            observe: the page as "text", as "elements" (with their places), as a "screenshot", or as "both" text and
                screenshot.
            spelling: of actions: "calls" as BrowserGym writes them, "tools" as Playwright's MCP server has them, or
                "commands" as in Agent Q.
            marks: frame what can be acted on in screenshots, and write the refs beside it.
            picture: the most pixels that a screenshot has on its longer side.
            fold_case: type texts as the task or the page shows them in other case or with other blanks, for policies
                that cannot write them (nano).

        Raises ConfigError for an unknown task, MissingExtraError without Playwright, Chromium or the package.
        """
        self.names = tasks_of(task)
        self.observe, self.marks, self.picture, self.fold_case = observe, marks, picture, fold_case
        self.spelling = SPELLINGS[spelling]
        self.max_turns = max(TURNS[group_of(name)] for name in self.names)
        self.instructions = f"Do what the task says on the page. {self.spelling.usage}"
        self._folder = html_folder()
        self.window = Window(
            width=_SIZE[0],
            height=_SIZE[1],
            folders=[self._folder],
            graphics=True,
            skip=SKIPPED,
            probe=PROBE,
            clip=_CLIP,
            turn_ms=_TURN_MS,
        )
        self._view = View(boxes=observe == "elements")

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        """Open the page of ``options["task"]``, or of a random train task. Raises UserError, BrowserLost, PageLost."""
        task, split = task_and_split((options or {}).get("task"), self.np_random)
        self.page_seed, index = divmod(task, len(self.names))
        self.name_of_task = self.names[index]
        self.problem = ""
        self._expertise: Expertise | None = expertise_for(self.name_of_task)
        self.window.open((self._folder / "miniwob" / f"{self.name_of_task}.html").as_uri())
        self.window.evaluate(START, [self.page_seed, _MODES[split]])
        self._look()
        return self._shown(), {"miniwob_task": self.name_of_task, "page_seed": self.page_seed}

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """One turn; what cannot be done changes nothing, and page and info say why."""
        self.problem = self._act(action)
        self._look()
        info: dict[str, Any] = {"invalid_action": self.problem} if self.problem else {}
        if self.standing.done:
            info |= {"success": self.standing.raw >= 1, "reason": self.standing.reason}
        return self._shown(), self.standing.reward, self.standing.done, False, info

    def tasks(self, split: str) -> Sequence[int]:
        """Numbers of the split. Raises UserError."""
        super().tasks(split)
        return SPLITS[split]

    def expert(self) -> Expert | None:
        """A script that acts by what a policy sees; None for tasks without one."""
        if self._expertise is None:
            return None
        expertise = self._expertise
        return lambda observation: self.spelling.format(expertise.next(self.standing.utterance, self.seen))

    def close(self) -> None:
        """Give the window back."""
        self.window.close()

    def _act(self, action: str) -> str:
        """Do what was said; what was wrong with it, or ""."""
        try:
            parsed = self.spelling.parse(action)
        except ParseError as error:
            return str(error)
        if isinstance(parsed, Goto | Back | Forward):
            return "the task is on this page, and there is no other"
        if self.fold_case and isinstance(parsed, Fill | Type):
            shown = f"{as_text(self.seen)}\n{self.standing.utterance}"
            parsed = dataclasses.replace(parsed, text=Spelling(shown).of(parsed.text))
        return self.window.act(parsed) or ""

    def _look(self) -> None:
        self.seen: Seen = self.window.look()
        if self.seen.probed is None:
            raise PageLost(f"{self.name_of_task} went to {self.seen.url}, which is no page of the package")
        self.standing = Standing.of(self.seen.probed)

    def _shown(self) -> Observation:
        if self.standing.done:
            return Observation("The episode is over.", admissible=(), tools=self.spelling.tools)
        told = [f"task: {self.standing.utterance}"]
        told += [f"error: {self.problem}"] if self.problem else []
        told += self.seen.news
        told += [as_text(self.seen, self._view)] if self.observe != "screenshot" else []
        images = [self.window.screenshot(marks=self.marks, most=self.picture)] if self._shows else []
        return Observation(
            "\n".join(told),
            admissible=self.spelling.admissible(self.seen.nodes),
            tools=self.spelling.tools,
            images=images,
        )

    @property
    def _shows(self) -> bool:
        return self.observe in ("screenshot", "both")
