"""Grounding in a real browser: boxes to the pixel, rewards by hand, pictures that are kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import agentgym
from agentgym.env import SPLITS
from agentgym.environments.grounding.levels import LEVELS
from agentgym.environments.grounding.rendering import Renderer
from agentgym.environments.grounding.screens import Screen, draw_screen
from agentgym.errors import ConfigError, UserError
from agentgym.media import pixels_of

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Screens that the tests of this file share."""
    return tmp_path_factory.mktemp("screens")


def made(kept: Path, **options: Any) -> Any:
    return agentgym.make("grounding", cache=str(kept), **options)


def test_boxes_are_where_the_things_are_drawn(kept: Path) -> None:
    """A tile is of one color inside its box, and of another one outside."""
    env = made(kept, level="g1")
    for task in range(4):
        observation, _ = env.reset(options={"task": task})
        pixels = pixels_of(observation.images[0])
        assert pixels.shape == (160, 160, 3)
        left, top, right, bottom = (round(edge) for edge in env.item.box)
        inside, outside = pixels[top + 14, left + 20], pixels[(top + bottom) // 2, left - 3]
        edges = [pixels[(top + bottom) // 2, x] for x in (left + 1, right - 2)]
        assert all(np.array_equal(edge, inside) for edge in edges)
        assert not np.array_equal(outside, inside)
    env.close()


@pytest.mark.parametrize("level", list(LEVELS))
def test_the_expert_hits_on_every_level(kept: Path, level: Any) -> None:
    env = made(kept, level=level)
    for task in (0, SPLITS["test"][0]):
        observation, _ = env.reset(options={"task": task})
        _, reward, done, _, info = env.step(env.expert()(observation))
        assert done
        assert info["success"] is True
        assert reward > 1.99
    env.close()


def test_rewards_by_hand(kept: Path) -> None:
    for reward, near in (("dense", True), ("hit", False)):
        env = made(kept, reward=reward)
        env.reset(options={"task": 0})
        left, top, right, bottom = env.item.box
        _, paid, _, _, info = env.step(f"click({left}, {top})")
        x, y = (right - left) / 2 / 160, (bottom - top) / 2 / 160
        farthest = max(
            np.hypot((left + right) / 320 - a, (top + bottom) / 320 - b) for a in (0.0, 1.0) for b in (0.0, 1.0)
        )
        assert paid == pytest.approx(2 - (x**2 + y**2) / farthest**2 if near else 1.0)
        assert info["channels"]["point_x"] == pytest.approx(left / 160)
        env.reset(options={"task": 0})
        _, paid, done, _, info = env.step("click(1000, 1000)")
        assert (paid, done, info["success"]) == (0.0, True, False)
        env.close()


def test_a_reply_without_a_point_is_told_and_ends_nothing(kept: Path) -> None:
    env = made(kept)
    first, _ = env.reset(options={"task": 0})
    observation, reward, done, _, info = env.step("the red one")
    assert (reward, done) == (0.0, False)
    assert info["invalid_action"].startswith("an answer is a point")
    assert str(observation).endswith(str(first))
    assert observation.images[0] == first.images[0]
    env.close()


def test_elements_are_told_to_a_policy_that_reads(kept: Path) -> None:
    env = made(kept, level="g2", observe="elements")
    observation, _ = env.reset(options={"task": 3})
    assert observation.images == ()
    *listed, asked = str(observation).splitlines()
    assert asked == f"instruction: {env.item.instruction}"
    assert len(listed) == len(env.item.elements) >= 3
    left, top, right, bottom = map(float, listed[0].rpartition(": ")[2].split())
    assert 0 <= left < right <= 320
    assert 0 <= top < bottom <= 320
    env.close()


def test_tools_bring_pictures_before_the_answer(kept: Path) -> None:
    env = made(kept, level="g3", tools=True)
    observation, _ = env.reset(options={"task": 0})
    assert "crop(left, top, right, bottom)" in env.instructions
    for said, size in (("crop(0, 0, 100, 50)", (50, 100, 3)), ("zoom(200, 200, 2)", (480, 480, 3))):
        seen, reward, done, _, info = env.step(said)
        assert (reward, done) == (0.0, False)
        assert "invalid_action" not in info
        assert pixels_of(seen.images[0]).shape == size
        assert env.item.instruction in str(seen)
    _, _, _, _, info = env.step("crop(0, 0, 1, 1)")
    assert "at least" in info["invalid_action"]
    _, reward, done, _, _ = env.step(env.expert()(observation))
    assert done
    assert reward > 1.99
    env.close()
    with pytest.raises(ConfigError, match="tools have no effect"):
        made(kept, tools=True, observe="elements")


def test_a_screen_is_drawn_once_and_kept_whole(kept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    screen = draw_screen("g2", "train", 0, 0)
    first = Renderer(tmp_path)
    drawn = first(screen)
    first.close()
    [file] = tmp_path.iterdir()
    assert file.suffix == ".png"
    monkeypatch.setattr(Renderer, "_drawn", None)
    again = Renderer(tmp_path)(screen)
    assert again.boxes == drawn.boxes
    assert again.image.tobytes() == drawn.image.tobytes()
    assert len(drawn.boxes) >= 3
    monkeypatch.undo()
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(UserError, match=r"--env\.cache"):
        Renderer(blocked / "below")(screen)


def test_what_is_covered_or_cut_off_cannot_be_asked_for(tmp_path: Path) -> None:
    thing = '<b data-thing="{}" style="position:absolute;left:{}px;top:10px;width:40px;height:20px"></b>'
    cover = '<div style="position:absolute;left:100px;top:0;width:20px;height:50px"></div>'
    html = "".join(thing.format(number, left) for number, left in enumerate((10, 90, 180))) + cover
    render = Renderer(tmp_path)
    rendered = render(Screen(f"<!DOCTYPE html><body>{html}", 200, 60, ()))
    render.close()
    assert dict(rendered.boxes) == {0: (10, 10, 50, 30)}


def test_a_moment_is_come_back_to(kept: Path) -> None:
    env, other = made(kept, tools=True), made(kept, tools=True)
    env.reset(seed=1)
    env.step("mark(10, 10)")
    moment = env.snapshot()
    said = env.expert()(env._seen)
    result = env.step(said)
    other.restore(moment)
    assert other.step(said) == result
    for one in (env, other):
        one.close()
