"""The shop in a real browser: with clicks on refs it is the simulator, step by step."""

from __future__ import annotations

import dataclasses
import random
from typing import Any

import pytest

import agentgym
from agentgym.doctor.playing import random_action
from agentgym.env import Env
from agentgym.environments.webshop import WebShop
from agentgym.environments.webshop_browser import WebShopBrowser
from agentgym.errors import EnvError
from agentgym.types import Observation, StepResult

pytestmark = pytest.mark.browser


def begun(**options: Any) -> tuple[WebShop, WebShopBrowser]:
    return WebShop(shopper="careful"), WebShopBrowser(shopper="careful", **options)


def step(env: Env, said: str) -> StepResult:
    return env.step(said)  # type: ignore[return-value]  # past the boundary


def carried_out(env: WebShopBrowser, action: str) -> StepResult:
    """An action of the simulator, with mouse and keys: one command, or two for a search."""
    result = step(env, env.spelling.format(env.translated(action)))
    if action.startswith("search["):
        assert result.reward == 0
        assert result.terminated is False
        result = step(env, env.spelling.format(env.translated(action)))
    return result


def compared(simulator: WebShop, env: WebShopBrowser, action: str) -> bool:
    _, reward, done, _, info = simulator.step(action)
    result = carried_out(env, action)
    assert (result.reward, result.terminated) == (reward, done)
    assert result.info.get("success") == info.get("success")
    assert result.info.get("channels") == info.get("channels")
    assert dataclasses.asdict(env.session.state) == dataclasses.asdict(simulator.session.state)
    assert "invalid_action" not in result.info
    return done


def test_the_expert_is_paid_the_same_in_each_step() -> None:
    simulator, env = begun()
    expert = simulator.expert()
    for task in (0, 1234):
        simulator.reset(seed=3, options={"task": task})
        env.reset(seed=3, options={"task": task})
        while not compared(simulator, env, str(expert(simulator._seen))):  # type: ignore[arg-type]
            pass
        assert env.session.state.reward == 1.0
    env.close()


def test_random_clicks_are_paid_the_same_in_each_step() -> None:
    simulator, env = begun()
    rng = random.Random(0)
    for task in (1, 2):
        simulator.reset(seed=5, options={"task": task})
        env.reset(seed=5, options={"task": task})
        for _ in range(15):
            assert simulator._seen is not None
            action = random_action(simulator, simulator._seen, rng)
            if action.startswith("search[") and simulator.session.state.place != "search":
                continue
            if compared(simulator, env, action):
                break
    env.close()


@pytest.mark.parametrize("spelling", ["commands", "calls", "tools"])
def test_its_own_expert_buys_in_every_spelling(spelling: Any) -> None:
    env = agentgym.make("webshop-browser", shopper="careful", spelling=spelling, observe="elements")
    observation, _ = env.reset(options={"task": 0})
    expert, done, turns = env.expert(), False, 0
    while not done:
        observation, reward, done, _, info = env.step(expert(observation))
        turns += 1
    assert (reward, info["success"], turns) == (1.0, True, 5)
    env.close()


def test_what_is_seen_is_the_page_and_the_task() -> None:
    _, env = begun(observe="both", marks=True)
    observation, _ = env.reset(options={"task": 0})
    assert str(observation).startswith("task: i would like to buy a soothing")
    assert '[1] searchbox "Search" value=""' in str(observation)
    assert isinstance(observation, Observation)
    assert len(observation.images) == 1
    assert "127.0.0.1" not in str(observation)
    assert "localhost" not in str(observation)
    shot = WebShopBrowser(observe="screenshot")
    seen, _ = shot.reset(options={"task": 0})
    assert str(seen) == str(observation).partition("\n")[0]
    assert isinstance(seen, Observation)
    plain = seen.images[0]
    assert plain.digest != observation.images[0].digest, "marks are drawn"
    for one in (env, shot):
        one.close()


def test_a_moment_is_come_back_to_with_what_was_typed_and_not_sent() -> None:
    _, env = begun()
    env.reset(seed=1, options={"task": 0})
    step(env, "TYPE[1][red mug]")
    moment = env.snapshot()
    onward = [step(env, "CLICK[2]"), step(env, "CLICK[4]")]
    other = WebShopBrowser(shopper="careful")
    for one in (env, other):
        seen, _ = one.restore(moment)
        assert 'value="red mug"' in str(seen)
        again = [step(one, "CLICK[2]"), step(one, "CLICK[4]")]
        assert [str(result.observation) for result in again] == [str(result.observation) for result in onward]
        one.close()


def test_what_the_shop_said_last_stands_on_the_page_of_a_moment() -> None:
    """Until the next page, whatever went wrong in between without the shop hearing of it."""
    _, env = begun()
    env.reset(options={"task": 0})
    for said in ("FILL[1][<a> 3]", "CLICK[2]", "ASK USER HELP"):
        step(env, said)
    moment = env.snapshot()
    onward = str(step(env, "SCROLL[down]").observation)
    assert "by attribute" in onward
    other = WebShopBrowser()
    for one in (env, other):
        one.restore(moment)
        assert str(step(one, "SCROLL[down]").observation) == onward
        one.close()


def test_what_cannot_be_done_is_told_and_changes_nothing() -> None:
    _, env = begun()
    env.reset(options={"task": 0})
    before = dataclasses.asdict(env.session.state)
    for said, why in (
        ("CLICK[99]", "not on the page"),
        ("buy it", "expected one of"),
        ("GOTO[http://example.com/]", ""),
        ("GOTO[/thanks]", ""),
        ("ASK USER HELP", "nobody listens"),
    ):
        observation, reward, done, _, info = env.step(said)
        assert (reward, done) == (0.0, False)
        assert why in info.get("invalid_action", "")
        assert (f"error: {why}" in str(observation)) or not why or why in str(observation)
        assert dataclasses.asdict(env.session.state) == before
    env.close()


def test_nothing_is_left_of_the_episode_before() -> None:
    _, env = begun()
    first, _ = env.reset(options={"task": 0})
    step(env, "TYPE[1][red mug]")
    env._page.evaluate("() => { localStorage.x = 'left'; document.cookie = 'x=left'; }")
    again, _ = env.reset(options={"task": 0})
    assert str(again) == str(first)
    assert env._page.evaluate("() => [localStorage.x ?? '', document.cookie]") == ["", ""]
    env.close()


def test_a_site_that_breaks_voids_the_episode(monkeypatch: pytest.MonkeyPatch) -> None:
    _, env = begun()
    env.reset(options={"task": 0})

    def broken(*_: object) -> None:
        raise KeyError("asin")

    monkeypatch.setattr(env.session, "act", broken)
    step(env, "TYPE[1][mug]")
    with pytest.raises(EnvError, match=r"the site of webshop-browser broke: KeyError"):
        env.step("CLICK[2]")
    monkeypatch.undo()
    observation, _ = env.reset(options={"task": 0})
    assert 'searchbox "Search"' in str(observation)
    env.close()
