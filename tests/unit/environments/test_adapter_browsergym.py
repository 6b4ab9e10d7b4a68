"""BrowserGym by a package of the same interface that is faked, and by the package itself where it is installed."""

from __future__ import annotations

import base64
import importlib.util
import io
import sys
import threading
import time
import types
from collections.abc import Iterator, Mapping
from typing import Any

import gymnasium
import numpy as np
import pytest
from PIL import Image

import agentgym
from agentgym.environments.browsergym import BrowserGym, desk, suites
from agentgym.errors import ConfigError, EnvError, MissingExtraError, UserError
from agentgym.media import pixels_of
from agentgym.types import StepResult

IS_THERE = importlib.util.find_spec("browsergym") is not None


class Shop(gymnasium.Env[Any, str]):
    """A world of BrowserGym's interface: its observations, errors, messages and ends, recorded from one of its own."""

    made: list[Shop] = []  # noqa: RUF012

    def __init__(self, name: str, given: Mapping[str, Any]) -> None:
        self.name, self.given, self.is_open = name, given, True
        self.threads = {threading.current_thread().name}
        Shop.made.append(self)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        self.started_with, self.messages = seed, [{"role": "assistant", "message": "Hi!"}]
        return self._seen(""), {}

    def step(self, action: str) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.threads.add(threading.current_thread().name)
        if action == "crash":
            raise RuntimeError("the browser is gone\nwith a log")
        code = self.given["action_mapping"](action) if action else ""
        if code == "click('7')":
            return self._seen(""), 1.0, True, False, {}
        if code == "ask()":
            self.messages.append({"role": "assistant", "message": "which?"})
            self.messages.append({"role": "user", "message": "the red one"})
            return self._seen(""), 0.0, False, False, {}
        return self._seen(f"ValueError: {action} is no call\nCall log: ..."), 0.0, action == "give up", False, {}

    def close(self) -> None:
        self.is_open = False

    def _seen(self, error: str) -> dict[str, Any]:
        tabs = ("Shop", "Help") if len(self.messages) > 1 else ("Shop",)
        return {
            "goal_object": ({"type": "text", "text": f"buy {self.name} {self.started_with}"}, *PICTURES),
            "chat_messages": tuple(self.messages),
            "last_action_error": error,
            "open_pages_titles": tabs,
            "open_pages_urls": tuple(f"http://shop/{tab}" for tab in tabs),
            "active_page_index": np.array([len(tabs) - 1]),
            "axtree_object": {"text": "[7] button 'Buy'"},
            "extra_element_properties": {"7": {}},
            "screenshot": np.full((4, 6, 3), 9, dtype=np.uint8),
        }


PICTURES: list[dict[str, Any]] = []


class ActionSet:
    """What BrowserGym calls the same."""

    def __init__(self, subsets: list[str], multiaction: bool, strict: bool) -> None:
        assert (multiaction, strict) == (False, True), "one call a turn, and no code"
        if unknown := {*subsets} - {*SUBSETS}:
            raise ValueError(f"Unknown high-level action subspace: {unknown.pop()}")
        self.subsets = subsets

    def describe(self, *, with_long_description: bool, with_examples: bool) -> str:
        return f"\nactions of {self.subsets}"

    def to_python_code(self, action: str) -> str:
        return action


SUBSETS = ("chat", "infeas", "bid", "nav", "tab", "workarena", "webarena")


def flatten(tree: Mapping[str, str], extra_properties: Mapping[str, Any], ignored_roles: tuple[str, ...]) -> str:
    assert "7" in extra_properties
    assert "LineBreak" in ignored_roles
    return tree["text"]


@pytest.fixture
def faked(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A package browsergym, with a suite of twenty tasks that are always the same, one of two, and one with seeds."""
    highlevel = {"HighLevelActionSet": ActionSet, "ACTION_SUBSETS": dict.fromkeys(SUBSETS)}
    modules: dict[str, dict[str, Any]] = {
        "browsergym": {"__path__": []},
        "browsergym.core": {"_set_global_playwright": lambda playwright: None},
        "browsergym.core.action.highlevel": highlevel,
        "browsergym.utils.obs": {"flatten_axtree_to_str": flatten},
        "browsergym.webarena_verified": {},
        "browsergym.workarena": {},
        "browsergym.small": {},
    }
    for name, holds in modules.items():
        module = types.ModuleType(name)
        vars(module).update(holds)
        monkeypatch.setitem(sys.modules, name, module)
    ids = [*(f"webarena_verified.{n}" for n in range(20)), "workarena.order", "workarena.sort", "small.1", "small.2"]
    monkeypatch.setattr(gymnasium, "registry", dict(gymnasium.registry))
    monkeypatch.setattr(gymnasium.envs.registration, "registry", gymnasium.registry)
    for id in ids:
        gymnasium.register(f"browsergym/{id}", entry_point=lambda id=id, **given: Shop(id, given))
    monkeypatch.setattr("agentgym.environments.browsergym.env.check_installed", lambda: None)
    monkeypatch.setattr(desk.Desk, "start", lambda self: None)
    PICTURES.clear()
    Shop.made.clear()
    yield
    assert all(not shop.is_open for shop in Shop.made), "the test has left one open"


def step(env: Any, said: str) -> StepResult:
    return env.step(said)  # type: ignore[no-any-return]


def test_an_episode_is_the_packages_own(faked: None) -> None:
    env = agentgym.make("browsergym:small.1", delay=0.1)
    observation, info = env.reset(seed=5, options={"task": "small.1"})
    assert str(observation) == "goal: buy small.1 5\n[7] button 'Buy'"
    assert info == {"name": "small.1"}
    result = step(env, " nonsense ")
    assert "error: ValueError: nonsense is no call\n[7]" in str(result.observation), "the first line of an error"
    assert result.info["invalid_action"] == "ValueError: nonsense is no call"
    result = step(env, "ask()")
    assert str(result.observation).splitlines() == [
        "goal: buy small.1 5",
        "user: the red one",
        "tab 0: Shop http://shop/Shop",
        "tab 1 (active): Help http://shop/Help",
        "[7] button 'Buy'",
    ]
    assert "invalid_action" not in result.info
    result = step(env, "click('7')")
    assert "user:" not in str(result.observation), "what was heard is not told again"
    assert (result.reward, result.terminated, result.info["success"]) == (1.0, True, True)
    shop = Shop.made[0]
    assert shop.given["task_kwargs"] == {}
    assert shop.given["pre_observation_delay"] == 0.1
    assert len(shop.threads) == 1
    assert next(iter(shop.threads)).startswith("agentgym-browsergym"), "all of it runs in one thread of its own"
    env.close()


def test_an_end_without_what_counts_is_no_success(faked: None) -> None:
    env = BrowserGym(name="small.1", success_at=2.0)
    env.reset(options={"task": "small.1@test"})
    result = step(env, "click('7')")
    assert (result.reward, result.info["success"]) == (1.0, False)
    env.reset()
    result = step(env, "give up")
    assert (result.reward, result.terminated, result.info["success"]) == (0.0, True, False)
    env.close()


def test_pictures_are_those_of_the_goal_and_of_the_page(faked: None) -> None:
    file = io.BytesIO()
    Image.new("RGB", (3, 2), "red").save(file, "PNG")
    url = f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"
    PICTURES.append({"type": "image_url", "image_url": {"url": url}})
    env = BrowserGym(name="small", observe="screenshot")
    observation, _ = env.reset()
    assert "button" not in str(observation)
    goal, page = (pixels_of(image) for image in observation.images)  # type: ignore[attr-defined]
    assert goal.shape == (2, 3, 3)
    assert goal[0, 0].tolist() == [255, 0, 0]
    assert page.shape == (4, 6, 3)
    PICTURES[0] = {"type": "image_url", "image_url": "http://elsewhere/picture.png"}
    with pytest.raises(EnvError, match="expected its data"):
        env.reset()
    env.close()


def test_tasks_that_are_always_the_same_are_split_by_their_names(faked: None) -> None:
    env = BrowserGym(name="webarena_verified.*")
    assert env.names[:3] == ["webarena_verified.0", "webarena_verified.1", "webarena_verified.2"], "by their numbers"
    splits = {split: list(env.tasks(split)) for split in ("train", "validation", "test")}
    assert sorted(name for names in splits.values() for name in names) == sorted(env.names)
    assert all(splits.values())
    assert "actions of ['webarena']" in env.instructions
    assert env.restored_by == "none", "what was done at a site is done"
    for task in (splits["test"][0], None):
        _, info = env.reset(options={"task": task})
        assert info["name"] in env.names
    assert info["name"] in splits["train"]
    with pytest.raises(UserError, match=r"task 'webarena_verified\.99' does not exist"):
        env.reset(options={"task": "webarena_verified.99"})
    env.close()
    assert "actions of ['chat', 'infeas', 'bid', 'nav', 'tab']" in BrowserGym(name="small").instructions


def test_tasks_with_seeds_are_numbers_that_go_round(faked: None) -> None:
    env = BrowserGym(name="workarena")
    assert env.tasks("test")[0] == 1_001_000
    found = [(env.reset(options={"task": task})[1]["name"], Shop.made[-1].started_with) for task in (4, 5, 6)]
    assert found == [("workarena.order", 2), ("workarena.sort", 2), ("workarena.order", 3)]
    assert env.restored_by == "replay"
    with pytest.raises(UserError, match="tasks are the numbers"):
        env.reset(options={"task": "workarena.sort"})
    env.close()


def test_what_is_missing_or_unknown_is_told(faked: None) -> None:
    with pytest.raises(ConfigError, match=r'"small\.3", which no task .* Did you mean "small\.\d"'):
        BrowserGym(name="small.3")
    with pytest.raises(MissingExtraError, match="pip install --no-deps browsergym-visual-arena"):
        BrowserGym(name="visual_arena.1")
    with pytest.raises(ConfigError, match=r"actions are \['fly'\]: Unknown .*; known: chat, infeas"):
        BrowserGym(name="small", actions=("fly",))


@pytest.mark.skipif(IS_THERE, reason="BrowserGym is installed")
def test_without_the_package_it_says_what_to_type() -> None:
    with pytest.raises(MissingExtraError, match=r"pip install --no-deps browsergym-core==.* Playwright 1\.44"):
        BrowserGym()


def test_a_browser_that_breaks_voids_the_episode_and_the_next_one_is_played(faked: None) -> None:
    env = BrowserGym(name="small.1")
    env.reset(seed=1)
    with pytest.raises(EnvError, match=r"BrowserGym's small\.1 broke: RuntimeError"):
        step(env, "crash")
    env.reset(seed=1)
    assert step(env, "click('7')").reward == 1.0
    env.close()
    env.close()
    with pytest.raises(EnvError, match="call reset"):
        env.step("click('7')")


def test_an_action_that_is_too_long_changes_nothing(faked: None) -> None:
    env = BrowserGym(name="small.1")
    before, _ = env.reset(seed=1)
    result = step(env, "x" * 2001)
    assert str(result.observation) == str(before)
    assert result.info["invalid_action"] == "an action has 2000 characters at most here, found 2001"
    env.close()


def test_the_last_to_leave_ends_the_thread(faked: None) -> None:
    one, two = BrowserGym(name="small.1"), BrowserGym(name="small.2")
    for env in (one, two):
        env.reset()
    assert one._desk is two._desk is not None
    thread = next(thread for thread in threading.enumerate() if thread.name.startswith("agentgym-browsergym"))
    one.close()
    assert step(two, "click('7')").reward == 1.0
    two.close()
    thread.join(10)
    assert not thread.is_alive()


def test_a_call_that_hangs_is_given_up_and_waiting_for_others_counts_for_nobody(
    faked: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk, "_SECONDS", 0.5)
    there = desk.sit_down()
    waits = [threading.Thread(target=there.call, args=(time.sleep, 0.3)) for _ in range(3)]
    for one in waits:
        one.start()
    assert there.call(lambda: 7) == 7
    for one in waits:
        one.join()
    with pytest.raises(TimeoutError, match="own"):
        there.call(raises)
    with pytest.raises(EnvError, match=r"no answer in 0\.5 s"):
        there.call(time.sleep, 0.8)
    other = desk.sit_down()
    assert other is not there
    for each in (there, other):
        each.leave()


def test_after_a_call_that_hangs_the_next_episode_is_played_elsewhere(
    faked: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    env = BrowserGym(name="small.1")
    env.reset(seed=1)
    hung = Shop.made[0]
    with monkeypatch.context() as patched:
        patched.setattr(desk, "_SECONDS", 0.2)
        patched.setattr(hung, "step", lambda action: time.sleep(0.5))
        for problem in ("no answer in", "does not answer any more"):
            with pytest.raises(EnvError, match=problem):
                step(env, "click('7')")
    env.reset(seed=1)
    assert step(env, "click('7')").reward == 1.0
    assert len(Shop.made) == 2
    env.close()
    hung.close()


def raises() -> None:
    raise TimeoutError("its own")


def test_miniwob_is_told_where_its_pages_are(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("miniwob", reason="the extra gui is not installed")
    monkeypatch.delenv("MINIWOB_URL", raising=False)
    url = suites.task_arguments("miniwob.click-test")["base_url"]
    assert url.startswith("file:///")
    assert url.endswith("/html/miniwob/")
    assert suites.task_arguments("webarena.1") == {}
    monkeypatch.setenv("MINIWOB_URL", "http://127.0.0.1:8000/miniwob/")
    assert suites.task_arguments("miniwob.click-test") == {}


# -- the package itself ----------------------------------------------------------------------------------


@pytest.mark.browser
@pytest.mark.skipif(not IS_THERE, reason=desk.INSTALL)
def test_miniwob_is_played_by_the_package_itself() -> None:
    env = agentgym.make("browsergym", delay=0.1)
    observation, _ = env.reset(options={"task": 3})
    assert str(observation).startswith("goal: Click the button.\nRootWebArea 'Click Test Task'")
    again, _ = env.reset(options={"task": 3})
    assert str(again) == str(observation)
    result = step(env, "import os")
    assert "error: " in str(result.observation)
    ref = str(observation).partition("[")[2].partition("] button")[0]
    result = step(env, f"click('{ref}')")
    assert (result.reward, result.terminated, result.info["success"]) == (1.0, True, True)
    env.close()


@pytest.mark.browser
@pytest.mark.skipif(not IS_THERE, reason=desk.INSTALL)
def test_a_suite_has_all_of_its_tasks_and_shows_their_pages() -> None:
    env = agentgym.make("browsergym:miniwob", observe="both", delay=0.1)
    assert len(env.names) == 125  # type: ignore[attr-defined,unused-ignore]
    observation, info = env.reset(options={"task": 11})
    assert info["name"] == env.names[11]  # type: ignore[attr-defined,unused-ignore]
    assert pixels_of(observation.images[0]).ndim == 3  # type: ignore[attr-defined,unused-ignore]
    env.close()
