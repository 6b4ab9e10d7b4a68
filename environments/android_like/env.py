"""The phone as an environment: tasks of several steps in apps, seen and tapped in a real browser.

An episode ends when the policy says so: ``DONE``, or ``ANSWER: ...`` where the task is a question. The rule that pays
looks at the phone alone: what was asked for is as it should be, nothing else is changed, and an answer is the right
one. Each is a channel. What is seen begins with the task, so that every screen can be acted on by itself.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, ClassVar, Literal, get_args

from agentgym.browser import Action, Back, Click, Fill, Say, Seen
from agentgym.browser.spellings import SpellingName
from agentgym.env import SPLITS, Expert
from agentgym.environments._options import Split, task_and_split
from agentgym.environments._site import Observe, SiteEnv
from agentgym.environments.android_like.expert import next_command
from agentgym.environments.android_like.hints import HINTS
from agentgym.environments.android_like.levels import LEVELS, Level
from agentgym.environments.android_like.phone import Command, Phone
from agentgym.environments.android_like.site import PhoneSite
from agentgym.environments.android_like.state import State
from agentgym.environments.android_like.tasks import Task, draw_task
from agentgym.errors import UserError, did_you_mean
from agentgym.registry import register

__all__ = ["AndroidLike"]

_END = re.compile(r"\s*(?:done|answer:(?P<answer>.*))\s*", re.IGNORECASE | re.DOTALL)
_DONE, _ANSWER = "DONE", "ANSWER: "

_SCROLLED = "() => { const main = document.querySelector('main'); return main ? main.scrollTop : 0; }"
_SCROLL = "(top) => { document.querySelector('main').scrollTop = top; }"


@register
class AndroidLike(SiteEnv):
    """Do what the task asks for on a phone with six apps.

    Example::

        env = AndroidLike(level="a1")
        observation, info = env.reset(options={"task": 0})
        observation, reward, terminated, truncated, info = env.step("CLICK[2]")
    """

    kind = "gui"
    hints = HINTS
    max_turns = LEVELS["a1"].max_turns
    width: ClassVar[int] = 400
    height: ClassVar[int] = 800

    def __init__(
        self,
        *,
        level: Level = "a1",
        observe: Observe = "text",
        spelling: SpellingName = "commands",
        marks: bool = False,
        reward: Literal["sparse", "dense"] = "sparse",
        phone_seed: int = 0,
    ) -> None:
        """Choose the level and what is shown; the browser is started with the first episode.

        Args:
            level: "a1", one app and a few taps, "a2", a form or more to read, or "a3", two apps or three; ``reset``
                takes another one as ``options["level"]``, so that curricula can choose.
            observe: the screen as "text", its "elements" alone and where they are, a "screenshot", or "both" text and
                screenshot.
            spelling: how actions are written: Agent Q's "commands", BrowserGym's "calls" or Playwright MCP's "tools".
            marks: frame what can be acted on in a screenshot, and write its id beside it.
            reward: "sparse" is 1 at the end where the phone is as it should be and nothing else was changed; "dense"
                pays each part of the task as it is done, and takes it back where it is undone.
            phone_seed: seed of what is on the phones, and of the tasks.
        """
        self.level, self.reward, self.phone_seed = level, reward, phone_seed
        self.max_turns = LEVELS[level].max_turns
        self.site = PhoneSite()
        self._serve(self.site, observe=observe, spelling=spelling, marks=marks)
        self.instructions = (
            f"Use the phone. {self.spelling.usage} Its Back and Home buttons are at its foot. {_DONE} ends, or "
            f"{_ANSWER}and the answer to a question."
        )

    def tasks(self, split: str) -> range:
        """Task ids of "train", "validation" or "test": each stands for a phone and a wish of its split.

        Tasks are draws, so two of one split may ask for the same; two of different splits never do. Raises UserError.
        """
        super().tasks(split)
        return SPLITS[split]

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        """Start at the home screen with ``options["task"]``, or a random train task. Raises UserError."""
        given = options or {}
        level = given.get("level", self.level)
        if not isinstance(level, str) or level not in LEVELS:
            raise UserError(f"unknown level {level!r}.{did_you_mean(str(level), LEVELS)} Levels: {', '.join(LEVELS)}")
        number, split = task_and_split(given.get("task"), self.np_random)
        self._take(number, split, level)
        contents = self.task.contents
        self.phone = Phone(State.of(State(task=number, level=level, contents=contents).as_json()))
        return self._begin(), self._info_now()

    def _take(self, number: int, split: Split, level: Level) -> None:
        self.task: Task = draw_task(number, split, level, self.phone_seed)
        self.max_turns = LEVELS[level].max_turns

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """One action, and the screen that it leads to."""
        before, self.site.problem = self.task.progress(self.phone), ""
        problem = self._do(action)
        observation = self._look(problem)  # only then has the phone been told of all that was done
        problem = problem or self.site.problem or None
        is_over, progress = self.phone.is_over, self.task.progress(self.phone)
        success = is_over and self.task.is_success(self.phone)
        info = self._info_now()
        if problem is not None:
            info["invalid_action"] = problem
        if is_over:
            info["success"] = success
        reward = float(success) if self.reward == "sparse" else progress - before
        return observation, reward, is_over, False, info

    def expert(self) -> Expert:
        """One who knows where everything is, and goes on from wherever the phone stands."""
        return lambda observation: self._written(self.translated(next_command(self.phone, self.task)))

    def _written(self, action: Action) -> str:
        return action.text if isinstance(action, Say) else self.spelling.format(action)

    def translated(self, command: Command) -> Action:
        """What to do in the browser to carry out a command of the simulator."""
        match command.verb:
            case "end":
                return Say(f"{_ANSWER}{command.text}" if command.text else _DONE)
            case "tap" | "fill":
                ref = self.ref_of(f'[id="{command.target}"]')
                return Click(ref) if command.verb == "tap" else Fill(ref, command.text)
            case _:
                return Click(self.ref_of(f"#{command.verb}"))

    def get_state(self) -> dict[str, Any]:
        """The episode as plain JSON."""
        return {
            "phone": self.phone.state.as_json(),
            "scrolled": self._page.evaluate(_SCROLLED),
            **self._page_state(),
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Go back to what ``get_state`` gave."""
        kept = State.of(state["phone"])
        split = next(split for split in get_args(Split) if kept.task in SPLITS[split])
        self._take(kept.task, split, kept.level)
        self.phone = Phone(kept)
        self._bring_back(state)
        self._page.evaluate(_SCROLL, state["scrolled"])
        self._page.look()

    def _info_now(self) -> dict[str, Any]:
        return {"channels": self.task.conditions(self.phone), "sort": self.task.sort}

    def _told(self) -> list[str]:
        return [f"task: {self.task.wanted.text}"]

    def _path(self) -> str:
        return self.site.open(self.phone)

    def _parsed(self, said: str) -> Action:
        """The end can be said in every spelling, and the way back is the phone's own button."""
        if found := _END.fullmatch(said):
            return Say(found["answer"] or "")
        action = super()._parsed(said)
        return Click(self.ref_of("#back")) if isinstance(action, Back) else action

    def _said(self, words: str) -> str | None:
        return self.phone.obey(Command("end", text=words))

    def _admissible(self, seen: Seen) -> Sequence[str]:
        if self.phone.is_over:
            return ()
        ends = [_DONE, f"{_ANSWER}<text>"]
        return [*super()._admissible(seen), *ends]
