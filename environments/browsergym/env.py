"""A task of BrowserGym as an environment, by BrowserGym's own observations, actions, rewards and ends.

What is seen is the goal, what the user says, what was wrong with the last action, the open tabs where there are
several, and the accessibility tree as BrowserGym writes it; or a screenshot. An action is one call of BrowserGym's,
such as ``click('13')``. It runs in BrowserGym's Playwright, so what ``agentgym.browser`` promises of pages, such as
that they ask nobody else for anything, is not promised here.
"""

from __future__ import annotations

import base64
import hashlib
import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

import gymnasium
from pydantic import Field

from agentgym.browser.chromium import check_installed
from agentgym.env import Env
from agentgym.environments._options import task_and_split
from agentgym.environments.browsergym.desk import INSTALL, Desk, sit_down
from agentgym.environments.browsergym.suites import SEEDED, actions_of, matching, task_arguments
from agentgym.errors import ConfigError, EnvError, UserError
from agentgym.extras import require
from agentgym.registry import register
from agentgym.types import Observation, TaskId

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["BrowserGym"]

_DEFAULT = "miniwob.click-test"
_LONGEST = 2_000
"""Characters of an action: a call, and what it types."""
_IGNORED = ("LineBreak", "InlineTextBox")
"""Roles that say nothing new: BrowserGym's own, and one that newer Chromiums have for the parts of a text's lines."""
_MOST_ERROR = 300
"""Characters of what is told of an error: Playwright's have a log behind them."""


@register
class BrowserGym(Env):
    """Do what the goal says in a browser, by BrowserGym's calls.

    Example::

        env = BrowserGym(name="miniwob.click-test")
        observation, info = env.reset(options={"task": 0})
        observation, reward, terminated, truncated, info = env.step("click('13')")
    """

    kind = "web"
    extra = "browsergym"
    corpus_episodes = 8
    max_turns = 10

    def __init__(
        self,
        *,
        name: str = _DEFAULT,
        observe: Literal["text", "screenshot", "both"] = "text",
        actions: tuple[str, ...] | None = None,
        delay: Annotated[float, Field(ge=0)] = 0.5,
        success_at: float = 1.0,
        max_turns: Annotated[int, Field(ge=1)] = 10,
    ) -> None:
        """Find the tasks; the browser is started with the first episode.

        Args:
            name: a task, such as "miniwob.click-test", a suite, such as "miniwob", or a pattern, such as
                "webarena_verified.*". The id ``browsergym:miniwob`` is short for it.
            observe: the page as "text", a "screenshot", or "both".
            actions: BrowserGym's sets of actions, such as "bid" and "nav"; none given: those of the suite.
            delay: seconds that BrowserGym waits after an action before it looks.
            success_at: total reward from which on an episode is a success.
            max_turns: turns that an episode may have.

        Raises ConfigError for an unknown name or set of actions, MissingExtraError.
        """
        require("browsergym.core", extra="browsergym", install=INSTALL)
        check_installed()
        self.names = matching(name)
        self.suite = self.names[0].partition(".")[0]
        self.observe, self.success_at, self.max_turns = observe, success_at, max_turns
        self._delay = delay
        highlevel = require("browsergym.core.action.highlevel", extra="browsergym", install=INSTALL)
        chosen = [*actions] if actions is not None else actions_of(self.names[0], highlevel.ACTION_SUBSETS)
        try:
            self.action_set = highlevel.HighLevelActionSet(subsets=chosen, multiaction=False, strict=True)
        except ValueError as error:
            raise ConfigError(f"actions are {chosen}: {error}; known: {', '.join(highlevel.ACTION_SUBSETS)}") from None
        calls = self.action_set.describe(with_long_description=False, with_examples=False)
        self.instructions = f"Do what the goal says. Say one call.{calls}"
        self._flatten = require("browsergym.utils.obs", extra="browsergym", install=INSTALL).flatten_axtree_to_str
        self._desk: Desk | None = None
        self._world: Any = None
        self._name = ""
        if not self._is_seeded:  # of a site that keeps what was done there, no replay is a way back
            self.restored_by = "none"  # type: ignore[misc]

    # -- tasks ---------------------------------------------------------------------------------------

    @property
    def _is_seeded(self) -> bool:
        return self.suite in SEEDED

    def tasks(self, split: str) -> Sequence[TaskId]:
        """Numbers where tasks draw from a seed, else names, by their hash. Raises UserError.

        Of fewer than ten names all are in every split, as NAME, NAME@validation and NAME@test: success there is that
        on tasks that were trained on.
        """
        seeds = super().tasks(split)  # knows the splits
        if self._is_seeded:
            return seeds
        if len(self.names) < 10:
            return [name if split == "train" else f"{name}@{split}" for name in self.names]
        return [name for name in self.names if _split_of(name) == split]

    def _chosen(self, task: Any) -> tuple[str, int | None]:
        """Name and seed of a task. Raises UserError."""
        if self._is_seeded:
            number, _ = task_and_split(task, self.np_random)
            seed, nth = divmod(number, len(self.names))
            return self.names[nth], seed
        every = self.tasks("train")
        name = str(every[int(self.np_random.integers(len(every)))] if task is None else task).partition("@")[0]
        if name not in self.names:
            raise UserError(f"task {task!r} does not exist: tasks are such as {self.names[0]!r}")
        return name, None

    # -- the episode ---------------------------------------------------------------------------------

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        """Begin ``options["task"]``, or a random one for training. Raises UserError, EnvError."""
        name, own_seed = self._chosen((options or {}).get("task"))
        if self._desk is not None and self._desk.is_lost:
            self._desk.leave()
            self._desk, self._world, self._name = None, None, ""
        self._desk = self._desk or sit_down()
        seen, _ = self._called(self._begun, name, self.seed if own_seed is None else own_seed)
        self.total, self._heard = 0.0, len(seen["chat_messages"])
        return self._observation(seen), {"name": name}

    def _begun(self, name: str, seed: int) -> Any:
        if self._name != name:
            if self._world is not None:
                self._world.close()
            self._world = gymnasium.make(
                f"browsergym/{name}",
                disable_env_checker=True,
                task_kwargs=task_arguments(name),
                action_mapping=self.action_set.to_python_code,
                pre_observation_delay=self._delay,
            )
            self._name = name
        return self._world.reset(seed=seed)

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """One call, and the page that it leads to; what cannot be done is told. Raises EnvError."""
        said = str(action).strip()
        if len(said) > _LONGEST:
            problem = f"an action has {_LONGEST} characters at most here, found {len(said)}"
            return self._last, 0.0, False, False, {"name": self._name, "invalid_action": problem}
        seen, reward, terminated, truncated, _ = self._called(lambda: self._world.step(said))
        self.total += float(reward)
        info: dict[str, Any] = {"name": self._name}
        if seen["last_action_error"]:
            info["invalid_action"] = _shortened(seen["last_action_error"])
        if terminated or truncated:
            info["success"] = self.total >= self.success_at
        return self._observation(seen), float(reward), bool(terminated), bool(truncated), info

    def _called(self, function: Any, *args: Any) -> Any:
        if self._desk is None:
            raise EnvError("no page is open; call reset()")
        try:
            return self._desk.call(function, *args)
        except (EnvError, UserError):
            raise
        except Exception as error:
            raise EnvError(f"BrowserGym's {self._name or self.names[0]} broke: {_shortened(repr(error))}") from error

    def close(self) -> None:
        """Close its browsers; with the last environment Playwright ends too."""
        desk, self._desk = self._desk, None
        world, self._world, self._name = self._world, None, ""
        if desk is None:
            return
        try:
            if world is not None and not desk.is_lost:
                desk.call(world.close)
        finally:
            desk.leave()

    # -- what is seen --------------------------------------------------------------------------------

    def _observation(self, seen: Mapping[str, Any]) -> Observation:
        goal = [part["text"] for part in seen["goal_object"] if part["type"] == "text"]
        lines = [f"goal: {text}" for text in goal]
        heard = seen["chat_messages"][self._heard :]
        self._heard = len(seen["chat_messages"])
        lines += [f"user: {message['message']}" for message in heard if message["role"] == "user"]
        if seen["last_action_error"]:
            lines.append(f"error: {_shortened(seen['last_action_error'])}")
        if len(seen["open_pages_urls"]) > 1:
            active = int(seen["active_page_index"][0])
            tabs = zip(seen["open_pages_titles"], seen["open_pages_urls"], strict=True)
            lines += [
                f"tab {nth}{' (active)' * (nth == active)}: {title} {url}" for nth, (title, url) in enumerate(tabs)
            ]
        if self.observe != "screenshot":
            extra = seen["extra_element_properties"]
            lines.append(self._flatten(seen["axtree_object"], extra_properties=extra, ignored_roles=_IGNORED))
        images = [_image(part["image_url"]) for part in seen["goal_object"] if part["type"] == "image_url"]
        if self.observe != "text":
            from PIL import Image

            images.append(Image.fromarray(seen["screenshot"]))
        self._last = shown = Observation("\n".join(lines), images=images)
        return shown


def _image(url: str | Mapping[str, str]) -> Image:
    """A picture of the goal. Raises EnvError for one that is no data."""
    from PIL import Image

    address = url if isinstance(url, str) else url["url"]
    head, _, data = address.partition(",")
    if not head.startswith("data:image/") or not head.endswith(";base64"):
        raise EnvError(f"the goal has a picture at {address[:60]!r}; expected its data")
    return Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB")


def _shortened(text: str) -> str:
    """The first line, and no more than a few hundred characters."""
    first = text.strip().partition("\n")[0]
    return first if len(first) <= _MOST_ERROR else f"{first[:_MOST_ERROR]}…"


def _split_of(name: str) -> str:
    """Of the names, six tenths are for training, two tenths each for validation and test."""
    share = int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "big") % 10
    return "train" if share < 6 else "validation" if share < 8 else "test"
