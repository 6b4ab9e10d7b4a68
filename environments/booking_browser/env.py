"""The tables as an environment in a browser: the booking tasks on pages that people would use.

Tasks, rules and reward are those of ``booking``, whose session the site drives; an episode here and one there in which
the same is typed and clicked on are paid the same in each step.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from agentgym.browser import Action, Click, Fill, Goto, Say, Seen
from agentgym.browser.spellings import SpellingName
from agentgym.env import Expert
from agentgym.environments._site import Observe, SiteEnv
from agentgym.environments.booking import Booking
from agentgym.environments.booking.commands import Command, parse_command
from agentgym.environments.booking.levels import LEVELS, Level
from agentgym.environments.booking.session import Session
from agentgym.environments.booking_browser.pages import CLEAR
from agentgym.environments.booking_browser.site import TablesSite
from agentgym.registry import register
from agentgym.types import Observation

__all__ = ["BookingBrowser"]

_ASK = "ASK USER HELP"


@register
class BookingBrowser(SiteEnv):
    """Book the table that the task asks for, on a site with pages, pictures and pop-ups.

    Example::

        env = BookingBrowser(level="b1")
        observation, info = env.reset(options={"task": 0})
        observation, reward, terminated, truncated, info = env.step("TYPE[1][rome]")
    """

    max_turns = LEVELS["b1"].max_turns

    def __init__(
        self,
        *,
        level: Level = "b1",
        observe: Observe = "text",
        spelling: SpellingName = "commands",
        marks: bool = False,
        reward: Literal["sparse", "dense"] = "sparse",
        site_seed: int = 0,
    ) -> None:
        """Choose the level and what is shown; the browser is started with the first episode.

        Args:
            level: as in ``booking``, "b1" to "b5"; pages are seen whole, and scrolling is the browser's.
            observe: the page as "text", its "elements" alone and where they are, a "screenshot", or "both" text and
                screenshot.
            spelling: how actions are written: Agent Q's "commands", BrowserGym's "calls" or Playwright MCP's "tools".
            marks: frame what can be acted on in a screenshot, and write its id beside it.
            reward: "sparse" or "dense", as in ``booking``.
            site_seed: seed of the restaurants, of what is sold out and of the tasks.
        """
        self.simulator = Booking(level=level, reward=reward, observation_mode="html", site_seed=site_seed)
        self.max_turns = self.simulator.max_turns
        self.site = TablesSite()
        self._serve(self.site, observe=observe, spelling=spelling, marks=marks)
        self.instructions += f" {_ASK}: the user tells what the task leaves out."

    def tasks(self, split: str) -> range:
        """Those of ``booking``. Raises UserError."""
        return self.simulator.tasks(split)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        """Start at the search, with the wish of ``options["task"]`` or of a random train task. Raises UserError."""
        _, info = self.simulator.reset(seed=seed, options=options)
        return self._begin(), info

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """One command, and the page that it leads to."""
        before, self.site.problem = self.simulator.progress(), ""
        problem = self._do(action)
        observation = self._look(problem)
        return observation, *self.simulator.outcome(problem or self.site.problem or None, before)

    def expert(self) -> Expert:
        """The simulator's guest."""
        inner = self.simulator.expert()
        return lambda observation: self._written(self.translated(str(inner(Observation()))))

    def _written(self, action: Action) -> str:
        return _ASK if isinstance(action, Say) else self.spelling.format(action)

    def translated(self, said: str) -> Action:
        """What to do on the page to carry out a command of the simulator."""
        command = parse_command(said)
        assert command is not None
        match command.verb:
            case "ask":
                return Say(_ASK)
            case "goto":
                return Goto(command.target)
            case "clear" if cleared := self.find(f'button[name="{CLEAR}"][value="{command.target}"]'):
                return Click(cleared)
        ref = self.ref_of(f'[id="{command.target}"]')
        match command.verb:
            case "type":
                return Fill(ref, self.value_of(ref) + command.text)
            case "clear":
                return Fill(ref, "")
            case _:
                return Click(ref)

    def get_state(self) -> dict[str, Any]:
        """The episode as plain JSON."""
        return {"session": self.simulator.get_state(), **self._page_state()}

    def set_state(self, state: dict[str, Any]) -> None:
        """Go back to what ``get_state`` gave."""
        self.simulator.set_state(state["session"])
        self._bring_back(state)

    @property
    def session(self) -> Session:
        """The simulator's, as far as the guest has come."""
        return self.simulator.session

    def _told(self) -> list[str]:
        notice = self.session.state.notice
        return self.simulator.told() + ([notice] if notice.startswith("user: ") else [])

    def _path(self) -> str:
        return self.site.open(self.session)

    def _parsed(self, said: str) -> Action:
        """The user can be asked in every spelling."""
        return Say(_ASK) if " ".join(said.upper().split()) == _ASK else super()._parsed(said)

    def _said(self, words: str) -> str | None:
        return self.session.obey(Command("ask"))

    def _admissible(self, seen: Seen) -> Sequence[str]:
        return () if self.session.state.at.at == "done" else [*super()._admissible(seen), _ASK]
