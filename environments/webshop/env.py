"""The WebShop environment: pages as observations, ``search[words]`` and ``click[name]`` as actions.

Follows the text environment of princeton-nlp/WebShop (commit 64fa2a5) turn by turn: pages, clickables, score.
Departs from it where that one crashes or depends on chance:

- ``search[<a> …]`` has no effect (it crashes there), ``search[<c>]`` without a category finds nothing;
- every draw comes from ``reset``'s seed or from ``catalogue_seed``, never from a global RNG, and a task that is
  not given is any of the train split (there: of all goals, by weight);
- an episode that is over takes no more actions;
- there is no image, and ``html`` holds the same elements and texts in a plainer page.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias, get_args

import numpy as np
from pydantic import Field, InstanceOf

from agentgym.env import Env, Expert
from agentgym.environments.webshop.expert import Plan, next_action, plan_hastily, plan_purchase
from agentgym.environments.webshop.hints import HINTS
from agentgym.environments.webshop.render import SEPARATOR, as_html, as_rich_text, as_text
from agentgym.environments.webshop.reward import Nouns
from agentgym.environments.webshop.search import Ranker
from agentgym.environments.webshop.session import Session, State, parse_action
from agentgym.environments.webshop.shop import open_shop
from agentgym.errors import ConfigError, UserError, did_you_mean
from agentgym.registry import register
from agentgym.types import Observation

__all__ = ["MODES", "WebShop"]

ObservationMode: TypeAlias = Literal["text", "text_rich", "html", "url"]
MODES: tuple[ObservationMode, ...] = get_args(ObservationMode)


@register
class WebShop(Env):
    """Buy what the instruction asks for; the reward, given once on "Buy Now", says how well it fits (0 to 1).

    Example::

        env = WebShop()
        observation, info = env.reset(options={"task": 0})
        observation, reward, terminated, truncated, info = env.step("search[red mug]")
    """

    kind = "web"
    hints = HINTS
    instructions = "Buy the product that the instruction asks for. Actions: search[words], click[name on the page]."
    max_turns = 15

    def __init__(
        self,
        *,
        catalogue: str | Path | None = None,
        observation_mode: ObservationMode = "text",
        human_goals: bool = True,
        num_products: Annotated[int, Field(ge=1)] | None = None,
        ranker: Ranker | None = None,
        nouns: Nouns | None = None,
        goals: InstanceOf[Sequence[Mapping[str, Any]]] | None = None,
        prices: InstanceOf[Mapping[str, float]] | None = None,
        show_attrs: bool = False,
        num_prev_observations: Annotated[int, Field(ge=0)] = 0,
        num_prev_actions: Annotated[int, Field(ge=0)] = 0,
        catalogue_seed: int = 0,
        shopper: Literal["hasty", "careful"] = "hasty",
    ) -> None:
        """Open the shop; everything that can be shared with other environments of this process is.

        Args:
            catalogue: folder with the original's files; None for the embedded shop.
            observation_mode: what an observation is made of.
            human_goals: instructions written by people, or else synthetic ones (with a catalogue only).
            num_products: read only so many records (with a catalogue only).
            ranker: search engine, (query, k) → product ids; None for BM25.
            nouns: part-of-speech tagger, text → its nouns in lower case; None for a guess by word lists.
            goals: dicts with the original's goal fields, in session order: task i is ``goals[i]``.
            prices: product id → price in dollars, in place of the drawn ones.
            show_attrs: put an "Attributes" page behind every product.
            num_prev_observations: how many earlier observations stand before the present one.
            num_prev_actions: how many earlier actions stand between them.
            catalogue_seed: seed of the drawn prices and price ceilings, or of the embedded shop.
            shopper: the expert: "hasty" buys the first hit, forgets most options and is right in three of ten tasks;
                "careful" never errs.

        Raises ConfigError for a keyword that would have no effect, DataError for a malformed catalogue.
        """
        if catalogue is None and (num_products is not None or not human_goals):
            raise ConfigError("num_products and human_goals need a catalogue: the embedded shop has one set of goals")
        self.shop = open_shop(
            catalogue=catalogue,
            human=human_goals,
            num_products=num_products,
            goals=goals,
            prices=prices,
            ranker=ranker,
            nouns=nouns,
            show_attrs=show_attrs,
            catalogue_seed=catalogue_seed,
        )
        self.observation_mode = observation_mode
        self.num_prev_observations, self.num_prev_actions = num_prev_observations, num_prev_actions
        self.shopper = shopper
        self._observed: list[str] = []
        self._acted: list[str] = []

    def tasks(self, split: str) -> range:
        """Task ids of "train", "validation" (also named "eval") or "test". Raises UserError."""
        split = "validation" if split == "eval" else split
        if split not in self.shop.splits:
            raise UserError(
                f'unknown split "{split}".{did_you_mean(split, self.shop.splits)} Known: {", ".join(self.shop.splits)}'
            )
        return self.shop.splits[split]

    @classmethod
    def preload(cls, **options: Any) -> None:
        """Open the shop once for all processes that are forked afterwards."""
        cls(**options).close()

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        """Start at the search page of ``options["task"]``, or of a random train task. Raises UserError."""
        self.session = Session(self.shop, State(task=self._task((options or {}).get("task"))))
        observation = self._observe()
        self._observed, self._acted = [observation], []
        return self._with_admissible(observation), self._info_now()

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """One turn; an action that does not fit changes nothing, and the info says why."""
        problem = self.session.act(action, self.np_random)
        observation = self._observe()
        self._acted.append(str(action))
        shown = self._with_history(observation)
        self._observed.append(observation)
        del self._observed[: -self.num_prev_observations or None], self._acted[: -self.num_prev_actions or None]
        return self._with_admissible(shown), *self.outcome(problem)

    def outcome(self, problem: str | None) -> tuple[float, bool, bool, dict[str, Any]]:
        """What a turn came to, whoever carried it out: reward, terminated, truncated, info."""
        info = self._info_now()
        if problem is not None:
            info["invalid_action"] = problem
        done = self.session.state.place == "done"
        reward = self.session.state.reward if done else 0.0
        if done:
            info["success"] = reward == 1.0
        if self.session.bought is not None:
            info["channels"] = dataclasses.asdict(self.session.bought)
        return reward, done, False, info

    def expert(self) -> Expert:
        """A shopper who knows the goal and buys through the pages, from wherever it stands; the hasty one errs."""
        plan_of = plan_purchase if self.shopper == "careful" else plan_hastily

        @functools.lru_cache(maxsize=1)
        def plan(task: int) -> Plan:
            return plan_of(self.shop, task)

        return lambda observation: next_action(self.session, plan(self.session.state.task))

    @property
    def expert_may_lose(self) -> bool:
        """Whether it is the hasty one."""
        return self.shopper == "hasty"

    def get_state(self) -> dict[str, Any]:
        """The episode as plain JSON."""
        history = {"observed": list(self._observed), "acted": list(self._acted)}
        return {**dataclasses.asdict(self.session.state), **history}

    def set_state(self, state: dict[str, Any]) -> None:
        """Go back to what ``get_state`` gave."""
        fields = dict(state)
        self._observed, self._acted = list(fields.pop("observed")), list(fields.pop("acted"))
        self.session = Session(self.shop, State(**fields))

    def _task(self, given: Any) -> int:
        goals = len(self.shop.goals)
        if given is None:
            tasks = self.shop.splits["train"] or range(goals)
            if not tasks:
                raise UserError("found no goals: the catalogue holds no instructions; pass goals=[...]")
            return tasks[int(self.np_random.integers(len(tasks)))]
        if not isinstance(given, int | np.integer) or not 0 <= given < goals:
            raise UserError(f"task {given!r} does not exist: tasks are the numbers 0 to {goals - 1}")
        return int(given)

    def _observe(self) -> str:
        """The present page in the observation mode."""
        session = self.session
        match self.observation_mode:
            case "text":
                return as_text(session.nodes)
            case "text_rich":
                return as_rich_text(session.nodes, session.url, session.state.visited)
            case "html":
                return as_html(session.nodes)
            case "url":
                return session.url

    def _with_history(self, observation: str) -> str:
        """The present observation after the asked-for earlier actions and observations, oldest first."""
        parts = [observation]
        acted = self._acted[::-1][: self.num_prev_actions]
        observed = self._observed[::-1][: self.num_prev_observations]
        for action_and_observation in itertools.zip_longest(acted, observed):
            parts += (part for part in action_and_observation if part is not None)
        return SEPARATOR.join(reversed(parts))

    def _with_admissible(self, text: str) -> Observation:
        """Every action that has an effect, spelled as on the page; ``search[<query>]`` stands for all searches."""
        session = self.session
        clicks = {f"click[{node.text}]": name for name, node in session.clickables.items() if node.kind != "search"}
        valid = [action for action, name in clicks.items() if parse_action(action) == ("click", name)]
        return Observation(text, admissible=(["search[<query>]"] if self._has_search_bar else []) + valid)

    @property
    def _has_search_bar(self) -> bool:
        return self.session.state.place == "search"

    def _info_now(self) -> dict[str, Any]:
        session = self.session
        return {"clickables": list(session.clickables), "has_search_bar": self._has_search_bar, "url": session.url}
