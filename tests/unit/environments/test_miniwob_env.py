"""MiniWoB: tasks and groups, what a page says of itself, and episodes in a real browser."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest

import agentgym
from agentgym.browser import Click, Fill, Node, Seen, Select, Wait
from agentgym.environments.miniwob import MiniWoB
from agentgym.environments.miniwob.experts import EXPERTS, expertise_for
from agentgym.environments.miniwob.groups import GROUPS, TURNS, group_of, tasks_of
from agentgym.environments.miniwob.page import Standing
from agentgym.errors import ConfigError
from agentgym.types import Observation

SEEDS = int(os.environ.get("AGENTGYM_SEEDS", "3"))
"""Of each task that a script plays; all were won on ten."""


def test_each_task_is_in_one_group() -> None:
    listed = [task for name in TURNS for task in GROUPS[name]]
    assert len(listed) == len(set(listed)) == len(GROUPS["all"]) == 130
    assert set(GROUPS["starter"]) <= set(EXPERTS) <= set(GROUPS["all"])
    assert {group_of("click-button"), group_of("draw-line")} == {"easy", "visual"}


def test_a_task_or_a_group_is_chosen_by_name() -> None:
    assert tasks_of("click-link") == ("click-link",)
    assert tasks_of("hard") == GROUPS["hard"]
    with pytest.raises(ConfigError, match=r'task is "click-buton"\. Did you mean "click-button"\?'):
        tasks_of("click-buton")


@pytest.mark.parametrize(
    ("raw", "done", "reward"), [(1, True, 1.0), (-1, True, 0.0), (0.5, True, 0.5), (0, False, 0.0), (1, False, 0.0)]
)
def test_the_raw_reward_counts_once_it_is_done(raw: float, done: bool, reward: float) -> None:
    assert Standing(utterance="", done=done, raw=raw).reward == reward


def test_a_page_may_tell_the_fields_of_its_task() -> None:
    told = {"utterance": {"utterance": "Send it.", "fields": {"by": "Ada"}}, "done": False, "raw": 0, "reason": ""}
    assert Standing.of(told) == Standing(utterance="Send it.", done=False, raw=0.0, given=(("by", "Ada"),))
    assert Standing.of(told | {"utterance": "Send it."}).given == ()


def seen(*nodes: Node) -> Seen:
    return Seen(url="", title="", page="a", nodes=nodes, scroll=(0, 0, 1, 1, 1, 1))


def node(ref: str, role: str, name: str = "", *states: str, value: str | None = None, depth: int = 0) -> Node:
    return Node(depth=depth, role=role, name=name, ref=ref, acts=True, states=states, value=value)


SUBMIT = node("9", "button", "Submit")


@pytest.mark.parametrize(
    ("task", "words", "nodes", "action"),
    [
        (
            "click-button",
            'Click on the "Ok" button.',
            [node("1", "button", "no"), node("2", "button", "Ok")],
            Click("2"),
        ),
        ("click-dialog", 'Close the dialog box by clicking the "x".', [node("1", "button", "Close")], Click("1")),
        (
            "click-checkboxes",
            "Select a, b and click Submit.",
            [node("1", "checkbox", "a", "checked"), node("2", "checkbox", "b"), SUBMIT],
            Click("2"),
        ),
        (
            "click-checkboxes",
            "Select nothing and click Submit.",
            [node("1", "checkbox", "a", "checked"), SUBMIT],
            Click("1"),
        ),
        ("click-checkboxes", "Select nothing and click Submit.", [node("1", "checkbox", "a"), SUBMIT], Click("9")),
        ("enter-text", 'Enter "Ada" into the text field', [node("1", "textbox", value=""), SUBMIT], Fill("1", "Ada")),
        ("enter-text", 'Enter "Ada" into the text field', [node("1", "textbox", value="Ada"), SUBMIT], Click("9")),
        (
            "choose-list",
            "Select Ada from the list",
            [node("1", "combobox", value="Bob"), SUBMIT],
            Select("1", ("Ada",)),
        ),
        (
            "click-tab-2",
            'find and click on the link "x".',
            [node("1", "tab", "1", "expanded"), node("2", "tab", "2", "collapsed")],
            Click("2"),
        ),
        (
            "click-tab-2",
            'find and click on the link "x".',
            [node("1", "tab", "1", "collapsed"), node("2", "tab", "2", "expanded")],
            Click("1"),
        ),
        (
            "simple-arithmetic",
            "Solve",
            [Node(depth=0, text="3 x -4 ="), node("1", "textbox", value=""), SUBMIT],
            Fill("1", "-12"),
        ),
        (
            "simple-algebra",
            "Solve",
            [Node(depth=0, text="7 - x = 10"), node("1", "textbox", value=""), SUBMIT],
            Fill("1", "-3"),
        ),
        ("enter-time", "Enter 8:04 PM as the time", [node("1", "textbox", value=""), SUBMIT], Fill("1", "20:04")),
        ("click-button", 'Click on the "Ok" button.', [], Wait(1)),
    ],
)
def test_experts_go_by_what_is_seen(task: str, words: str, nodes: list[Node], action: Any) -> None:
    expertise = expertise_for(task)
    assert expertise is not None
    assert expertise.next(words, seen(*nodes)) == action


@pytest.fixture
def env(request: pytest.FixtureRequest) -> Iterator[MiniWoB]:
    env = MiniWoB(**getattr(request, "param", {"task": "click-button"}))
    yield env
    env.close()


@pytest.mark.browser
def test_an_episode_that_is_won(env: MiniWoB) -> None:
    observation, info = env.reset(options={"task": 3})
    assert info["miniwob_task"] == "click-button"
    assert observation.startswith('task: Click on the "')
    [wanted] = [each for each in env.seen.nodes if each.role == "button" and each.name in observation.split('"')[1]][:1]
    _, reward, terminated, truncated, info = env.step(f"click('{wanted.ref}')")
    assert (reward, terminated, truncated, info["success"]) == (1.0, True, False, True)


@pytest.mark.browser
@pytest.mark.parametrize(
    ("action", "told"),
    [
        ("click(1)", "click(bid, button, modifiers) was expected, found bid='1'"),
        ("click('999')", "999: it is not on the page any more"),
        ("goto('file:///etc/passwd')", "the task is on this page, and there is no other"),
        ("go_back()", "the task is on this page, and there is no other"),
    ],
)
def test_what_cannot_be_done_is_told_and_changes_nothing(env: MiniWoB, action: str, told: str) -> None:
    before, _ = env.reset(options={"task": 0})
    after, reward, terminated, _, info = env.step(action)
    assert (reward, terminated, info["invalid_action"]) == (0.0, False, told)
    first, error, *rest = after.split("\n")
    assert error == f"error: {told}"
    assert "\n".join([first, *rest]) == before


@pytest.mark.browser
@pytest.mark.parametrize(
    ("env", "has_text", "num_images"),
    [
        ({"task": "click-button", "observe": "text"}, True, 0),
        ({"task": "click-button", "observe": "elements"}, True, 0),
        ({"task": "click-button", "observe": "screenshot", "marks": True, "picture": 105}, False, 1),
        ({"task": "click-button", "observe": "both"}, True, 1),
    ],
    indirect=["env"],
)
def test_what_is_shown(env: MiniWoB, has_text: bool, num_images: int) -> None:
    observation = Observation.of(env.reset(options={"task": 0})[0])
    assert ('button "' in observation) is has_text
    assert len(observation.images) == num_images
    again = Observation.of(env.reset(options={"task": 0})[0])
    assert again.images == observation.images, "a page is drawn the same every time"
    assert ("@ " in observation) is (env.observe == "elements")


@pytest.mark.browser
@pytest.mark.parametrize(
    ("spelling", "action"),
    [("calls", "click('{}')"), ("tools", "browser_click(ref={})"), ("commands", "CLICK[{}]")],
)
def test_each_spelling_wins(spelling: Any, action: str) -> None:
    env = MiniWoB(task="click-test", spelling=spelling)
    try:
        observation = Observation.of(env.reset(options={"task": 0})[0])
        assert observation.admissible is not None
        assert action.format(1) in observation.admissible
        assert bool(observation.tools) is (spelling == "tools")
        assert env.step(action.format(1))[1:3] == (1.0, True)
    finally:
        env.close()


@pytest.mark.browser
@pytest.mark.parametrize("fold_case", [True, False])
def test_texts_without_capitals_are_taken_for_those_that_are_shown(fold_case: bool) -> None:
    env = MiniWoB(task="enter-text", fold_case=fold_case)
    env.reset(seed=0, options={"task": 0})
    wanted = env.standing.utterance.split('"')[1]
    env.step(f"fill('1', '{wanted.lower()}')")
    assert env.step("click('2')")[1] == (1.0 if fold_case else 0.0)
    env.close()


@pytest.mark.browser
def test_tasks_of_a_group_take_turns() -> None:
    env = MiniWoB(task="starter")
    try:
        names = [env.reset(options={"task": task})[1] for task in range(6)]
        assert [info["miniwob_task"] for info in names] == [*GROUPS["starter"], GROUPS["starter"][0]]
        assert [info["page_seed"] for info in names] == [0, 0, 0, 0, 0, 1]
    finally:
        env.close()


@pytest.mark.browser
def test_time_that_passes_elsewhere_changes_nothing(env: MiniWoB) -> None:
    """The ten seconds of a page are switched off, and its countdown with them."""
    env.reset(options={"task": 0})
    for _ in range(12):  # a second of its time each
        observation, _, terminated, _, _ = env.step("noop()")
    assert not terminated
    assert observation.startswith("task: ")


@pytest.mark.browser
@pytest.mark.parametrize("task", sorted(EXPERTS))
def test_the_expert_wins(task: str) -> None:
    env = agentgym.make("miniwob", task=task)
    try:
        played = {seed: played_by_expert(env, seed) for seed in range(SEEDS)}
    finally:
        env.close()
    assert {seed: said for seed, (is_won, said) in played.items() if not is_won} == {}


def played_by_expert(env: Any, seed: int) -> tuple[bool, list[str]]:
    """Whether it won, and what was shown and said."""
    observation, _ = env.reset(options={"task": seed})
    expert, said = env.expert(), []
    for _ in range(env.max_turns):
        action = expert(observation)
        said += [str(observation), action]
        observation, _, terminated, _, info = env.step(action)
        if terminated:
            return bool(info["success"]), said
    return False, said
