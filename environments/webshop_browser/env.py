"""The shop as an environment in a browser: WebShop's tasks on pages that people would use.

Tasks, rules, prices and reward are those of ``webshop``, whose session the site drives; an episode here and one there
with the same clicks are paid the same in each step.
"""

from __future__ import annotations

from typing import Any, Literal

from agentgym.browser import Action, Click, Fill
from agentgym.browser.spellings import SpellingName
from agentgym.env import Expert
from agentgym.environments._site import Observe, SiteEnv
from agentgym.environments.webshop import WebShop
from agentgym.environments.webshop.session import Session, parse_action
from agentgym.environments.webshop_browser.pages import ITEM
from agentgym.environments.webshop_browser.site import ShopSite, path_of
from agentgym.registry import register
from agentgym.types import Observation

__all__ = ["WebShopBrowser"]


@register
class WebShopBrowser(SiteEnv):
    """Buy what the task asks for, in a shop with pages, pictures and buttons.

    Example::

        env = WebShopBrowser()
        observation, info = env.reset(options={"task": 0})
        observation, reward, terminated, truncated, info = env.step("TYPE[1][red mug]")
    """

    max_turns = 20

    def __init__(
        self,
        *,
        observe: Observe = "text",
        spelling: SpellingName = "commands",
        marks: bool = False,
        catalogue: str | None = None,
        shopper: Literal["hasty", "careful"] = "hasty",
        catalogue_seed: int = 0,
    ) -> None:
        """Open the shop; the browser is started with the first episode.

        Args:
            observe: the page as "text", its "elements" alone and where they are, a "screenshot", or "both" text and
                screenshot.
            spelling: how actions are written: Agent Q's "commands", BrowserGym's "calls" or Playwright MCP's "tools".
            marks: frame what can be acted on in a screenshot, and write its id beside it.
            catalogue: folder with the original's files; None for the embedded shop.
            shopper: the expert, as in ``webshop``: "hasty" errs, "careful" does not.
            catalogue_seed: seed of the drawn prices and price ceilings, or of the embedded shop.
        """
        self.simulator = WebShop(catalogue=catalogue, shopper=shopper, catalogue_seed=catalogue_seed)
        self.site = ShopSite()
        self._serve(self.site, observe=observe, spelling=spelling, marks=marks)

    @classmethod
    def preload(cls, **options: Any) -> None:
        """Open the shop once for all processes that are forked afterwards; no browser is started."""
        cls(**options).close()

    def tasks(self, split: str) -> range:
        """Those of ``webshop``. Raises UserError."""
        return self.simulator.tasks(split)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        """Start at the front page with ``options["task"]``, or a random train task. Raises UserError."""
        _, info = self.simulator.reset(seed=seed, options=options)
        self._open()
        return self._begin(), info

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """One command, and the page that it leads to."""
        self.site.problem = ""
        problem = self._do(action)
        observation = self._look(problem)
        return observation, *self.simulator.outcome(problem or self.site.problem or None)

    def expert(self) -> Expert:
        """The simulator's shopper, whose searches take two commands here: type, and click."""
        inner = self.simulator.expert()
        return lambda observation: self.spelling.format(self.translated(str(inner(Observation()))))

    def translated(self, action: str) -> Action:
        """What to do next on the page to carry out an action of the simulator."""
        parsed = parse_action(action)
        assert parsed is not None
        verb, name = parsed
        if verb == "search":
            field = self.ref_of("input[name=q]")
            is_typed = self.value_of(field) == name
            return Click(self.ref_of("[role=search] button")) if is_typed else Fill(field, name)
        node = self.session.clickables[name]
        selector = f'a[href="{ITEM}{node.text}"]' if node.kind == "link" else f'button[value="{name}"]'
        return Click(self.ref_of(selector))

    @property
    def expert_may_lose(self) -> bool:
        """Whether it is the hasty one."""
        return self.simulator.expert_may_lose

    def get_state(self) -> dict[str, Any]:
        """The episode as plain JSON."""
        return {"session": self.simulator.get_state(), **self._page_state()}

    def set_state(self, state: dict[str, Any]) -> None:
        """Go back to what ``get_state`` gave."""
        self.simulator.set_state(state["session"])
        self._open()
        self._bring_back(state)

    def _open(self) -> None:
        self.site.open(self.session, self.np_random)

    @property
    def session(self) -> Session:
        """The simulator's, as far as the shopper has come."""
        return self.simulator.session

    def _told(self) -> list[str]:
        return [f"task: {self.session.goal_text}"]

    def _path(self) -> str:
        return path_of(self.session)
