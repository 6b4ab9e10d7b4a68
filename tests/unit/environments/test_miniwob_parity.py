"""A page with a seed is the page that the package's own environment shows: the same words, fields, elements, reward."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agentgym.browser import Node
from agentgym.browser.chromium import executable
from agentgym.environments.miniwob import MiniWoB
from agentgym.environments.miniwob.page import fields_of

pytestmark = pytest.mark.browser

TASKS = ("click-button", "click-checkboxes", "click-tab", "enter-text", "choose-list", "login-user", "read-table")
MORE = ("click-dialog", "email-inbox-forward-nl", "navigate-tree", "social-media", "use-spinner", "click-shape")
SEEDS = (0, 1, 17)


@pytest.fixture(scope="module", autouse=True)
def _selenium() -> Iterator[None]:
    driver = os.environ.get("MINIWOB_CHROMEDRIVER") or shutil.which("chromedriver")
    if driver is None:
        pytest.skip("the package needs chromedriver; type: apt-get install chromium-driver")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MINIWOB_CHROMEDRIVER", driver)
        patch.setenv("MINIWOB_CHROME_BINARY", os.environ.get("MINIWOB_CHROME_BINARY") or executable())
        yield


def theirs(task: str) -> Any:
    """The package's environment."""
    import gymnasium
    import miniwob

    gymnasium.register_envs(miniwob)
    return gymnasium.make(f"miniwob/{task}-v1", disable_env_checker=True).unwrapped


def end(other: Any) -> None:
    """Close the package's environment, and its browser for certain: the driver ends without it."""
    profile = other.instance.driver.capabilities["chrome"]["userDataDir"]
    other.close()
    for command in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            if f"user-data-dir={profile}".encode() in command.read_bytes():
                os.kill(int(command.parent.name), signal.SIGKILL)


@pytest.mark.parametrize("task", TASKS + MORE)
def test_the_same_seed_is_the_same_page(task: str) -> None:
    other, env = theirs(task), MiniWoB(task=task)
    try:
        for seed in SEEDS:
            # A page that was used before goes on from there in the package; ours is always fresh.
            other.instance.driver.get(other.instance.url)
            seen, _ = other.reset(seed=seed)
            env.reset(options={"task": seed})
            assert seen["utterance"] == env.standing.utterance
            assert list(map(tuple, seen["fields"])) == fields_of(task, env.standing)
            assert texts(seen["dom_elements"]) <= words(env.seen.nodes)
    finally:
        end(other)
        env.close()


def texts(elements: Any) -> set[str]:
    """Words of the elements that the package shows, and what their fields hold."""
    return {word for each in elements if each["tag"] not in ("option", "script") for word in each["text"].split()}


def words(nodes: tuple[Node, ...]) -> set[str]:
    """Those that we show."""
    return {word for node in nodes for word in f"{node.name} {node.text} {node.value or ''}".split()}


@pytest.mark.parametrize("is_right", [True, False], ids=["right", "wrong"])
def test_the_same_click_is_paid_the_same(is_right: bool) -> None:
    from miniwob.action import ActionTypes

    other, env = theirs("click-button"), MiniWoB(task="click-button")
    try:
        for seed in SEEDS:
            other.instance.driver.get(other.instance.url)
            seen, _ = other.reset(seed=seed)
            env.reset(options={"task": seed})
            wanted = dict(seen["fields"])["target"]
            buttons = [each for each in seen["dom_elements"] if each["tag"] == "button"]
            theirs_chosen = next((each for each in buttons if (each["text"] == wanted) == is_right), None)
            if theirs_chosen is None:  # all buttons are called so
                continue
            ours_chosen = next(
                node for node in env.seen.nodes if node.role == "button" and node.name == theirs_chosen["text"]
            )
            _, _, terminated, _, info = other.step(
                other.create_action(ActionTypes.CLICK_ELEMENT, ref=theirs_chosen["ref"])
            )
            _, reward, done, _, _ = env.step(f"click('{ours_chosen.ref}')")
            assert (terminated, info["raw_reward"]) == (done, env.standing.raw) == (True, 1 if is_right else -1)
            assert reward == float(is_right)
    finally:
        end(other)
        env.close()
