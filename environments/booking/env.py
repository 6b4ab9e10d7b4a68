"""The booking site as an environment: pages as observations, the commands of Agent Q as actions.

An episode ends with a confirmation, right or wrong. Four conditions make it a success, as in Agent Q (arXiv 2408.07199)
for OpenTable, where a model judged them by a screenshot and here they are read off: date and time, party size, the
guest's details, and that the reservation was completed (at the restaurant that was asked for). Each is a channel.

What is seen begins with the task, so that every page can be acted on by itself; then comes what the user has answered,
what the last command brought, and the page. At the beginning of an episode of the lowest level::

    task: book olive, place rome, date march 14, people 4, time 19.00, first ada, last moss.
    find a table
    [place] -
    [date] -
    [people] -
    [find]
"""

from __future__ import annotations

import dataclasses
from typing import Any, Literal, TypeAlias, get_args

from agentgym.env import SPLITS, Env, Expert
from agentgym.environments._options import Split, task_and_split
from agentgym.environments.booking.expert import next_action
from agentgym.environments.booking.hints import HINTS
from agentgym.environments.booking.levels import LEVELS, Level
from agentgym.environments.booking.pages import Node
from agentgym.environments.booking.render import as_html
from agentgym.environments.booking.session import Session
from agentgym.environments.booking.site import open_site
from agentgym.environments.booking.state import State
from agentgym.environments.booking.wish import wish_of_task
from agentgym.registry import register
from agentgym.types import Observation

__all__ = ["LEVELS", "Booking"]

Reward: TypeAlias = Literal["sparse", "dense"]


@register
class Booking(Env):
    """Book the table that the user asks for, on the pages of a site.

    Example::

        env = Booking(level="b1")
        observation, info = env.reset(options={"task": 0})
        observation, reward, terminated, truncated, info = env.step("TYPE[place][rome]")
    """

    kind = "web"
    hints = HINTS
    max_turns = LEVELS["b1"].max_turns
    instructions = (
        "Book the table that the task asks for. Commands: CLICK[id], TYPE[id][text] adds text, CLEAR[id], SUBMIT[id], "
        "GOTO[url], SCROLL[up|down], ASK USER HELP."
    )

    def __init__(
        self,
        *,
        level: Level = "b1",
        reward: Reward = "sparse",
        observation_mode: Literal["text", "html"] = "text",
        site_seed: int = 0,
    ) -> None:
        """Choose the level and what is shown.

        Args:
            level: how much there is to choose from, what is in the way and what is left out, "b1" to "b5".
            reward: "sparse" is 1 at a confirmation where all four conditions hold; "dense" pays a quarter for each, as
                it comes to hold, and takes it back where it does not any more.
            observation_mode: the page as "text" or as "html".
            site_seed: seed of the restaurants, of what is sold out and of the tasks.
        """
        self.level, self.reward, self.observation_mode, self.site_seed = level, reward, observation_mode, site_seed
        site = open_site(level, site_seed)
        view = site.difficulty.view if observation_mode == "text" else 0  # HTML is seen whole
        self.site = dataclasses.replace(site, difficulty=dataclasses.replace(site.difficulty, view=view))
        self.max_turns = self.site.difficulty.max_turns

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        """Start at the search, with the wish of ``options["task"]`` or of a random train task. Raises UserError."""
        task, split = task_and_split((options or {}).get("task"), self.np_random)
        wish = wish_of_task(task, split, self.level, self.site_seed)
        state = State.at_first(task, wish, has_calendar=self.site.difficulty.has_calendar)
        self.session = Session(self.site, wish, state)
        return self._observe(), self._info_now()

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """One turn; a command that does not fit changes nothing, and page and info say why."""
        before = self.progress()
        problem = self.session.act(action)
        return self._observe(), *self.outcome(problem, before)

    def outcome(self, problem: str | None, before: float) -> tuple[float, bool, bool, dict[str, Any]]:
        """What a turn came to, whoever carried it out, after the ``progress`` before it: reward, ends, info."""
        done, progress = self.session.state.at.at == "done", self.progress()
        success = done and progress == 1.0
        reward = float(success) if self.reward == "sparse" else progress - before
        info = self._info_now()
        if problem is not None:
            info["invalid_action"] = problem
        if done:
            info["success"] = success
        return reward, done, False, info

    def tasks(self, split: str) -> range:
        """Task ids of "train", "validation" or "test": each stands for a wish of its split. Raises UserError.

        Tasks are draws, so two of one split may be the same wish; two of different splits never are.
        """
        super().tasks(split)
        return SPLITS[split]

    def expert(self) -> Expert:
        """A guest who knows the wish, what the user left out among it once that was asked for."""
        return lambda observation: next_action(self.session)

    def get_state(self) -> dict[str, Any]:
        """The episode as plain JSON."""
        return self.session.state.as_json()

    def set_state(self, state: dict[str, Any]) -> None:
        """Go back to what ``get_state`` gave."""
        split = next(split for split in get_args(Split) if state["task"] in SPLITS[split])
        wish = wish_of_task(state["task"], split, self.level, self.site_seed)
        self.session = Session(self.site, wish, State.of(state))

    @property
    def html(self) -> str:
        """The page as a browser would get it."""
        notice = self.session.state.notice
        return as_html(self.session.page, notice.removeprefix("error: ") if notice.startswith("error") else "")

    def progress(self) -> float:
        """The share of the conditions that hold: the potential Φ of dense rewards.

        A turn pays Φ(s') - Φ(s) (Ng, Harada & Russell 1999 with γ = 1), so an episode's sum is Φ at its end.
        """
        conditions = self.session.conditions().values()
        return sum(conditions) / len(conditions)

    def _info_now(self) -> dict[str, Any]:
        return {"channels": self.session.conditions(), "url": self.session.url}

    def _observe(self) -> Observation:
        session, state = self.session, self.session.state
        told = self.told() + ([state.notice] if state.notice else [])
        if self.observation_mode == "html":
            return Observation("\n".join([*told, self.html]), admissible=self._admissible())
        told += [f"url: {session.url}"] if session.site.difficulty.shows_url else []
        told += [line.text for line in session.view]
        if session.num_screens > 1:
            told.append(f"(screen {state.screen + 1} of {session.num_screens})")
        return Observation("\n".join(told), admissible=self._admissible())

    def told(self) -> list[str]:
        """What the user has said: the task, and the answer to a question."""
        session = self.session
        has_answer = session.state.has_asked and session.wish.missing
        return [f"task: {session.wish.text}", *([f"user: {session.wish.answer}"] if has_answer else [])]

    def _admissible(self) -> list[str]:
        """The commands for what is in view, and those that need nothing there; ``<text>`` stands for any."""
        session, found = self.session, []
        if session.state.at.at == "done":
            return []
        ids = [id for line in session.view for id in line.ids]
        for _, node in filter(None, map(session.page.find, ids)):
            found += _commands(node)
        screen = session.state.screen
        found += ["SCROLL[up]"] if screen > 0 else []
        found += ["SCROLL[down]"] if screen + 1 < session.num_screens else []
        return [*found, "GOTO[/]", "ASK USER HELP"]


def _commands(node: Node) -> list[str]:
    if node.kind == "submit":
        return [f"SUBMIT[{node.id}]"]
    typed = [f"TYPE[{node.id}][<text>]"] if node.kind == "field" else [f"CLICK[{node.id}]"]
    return typed + ([f"CLEAR[{node.id}]"] if node.value and node.kind in ("field", "picker") else [])
