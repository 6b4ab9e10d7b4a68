"""Glimpse: the answer is in the picture and nowhere else."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from agentgym.environments.glimpse import ANSWERS, Glimpse, draw
from agentgym.media import pixels_of
from agentgym.types import Observation


def shown(env: Glimpse, seed: int) -> list[Observation]:
    """All observations of an episode played by the expert."""
    observation, _ = env.reset(seed=seed)
    seen, over = [Observation.of(observation)], False
    while not over:
        expert = env.expert()
        observation, _, over, _, _ = env.step(str(expert(seen[-1])))
        seen.append(Observation.of(observation))
    return seen


@pytest.mark.parametrize("shows", ["colors", "digits"])
def test_the_expert_is_right_and_the_text_says_nothing(shows: Any) -> None:
    env = Glimpse(shows=shows, pictures=3)
    texts = {tuple(map(str, shown(env, seed))) for seed in range(20)}
    assert len(texts) == 1
    assert env.num_right == 3
    assert not set(ANSWERS[env.shows]) & set(" ".join(texts.pop()).lower().split())


def test_each_picture_is_worth_its_share() -> None:
    env = Glimpse(pictures=4)
    env.reset(seed=1)
    rewards = [env.step(answer if i else "nothing")[1] for i, answer in enumerate(list(env.answers))]
    assert rewards == [0.0, 0.25, 0.25, 0.25]
    env.reset(seed=1)
    results = [env.step(f" {answer.upper()} ") for answer in list(env.answers)]
    assert results[-1][4] == {"success": True}


def test_a_blank_picture_shows_its_ground_alone() -> None:
    blank = [
        pixels_of(seen.images[0]) for seed in range(40) for seen in shown(Glimpse(pictures=1, blank=True), seed)[:1]
    ]
    assert all(abs(pixels.mean(axis=(0, 1)) - 128).max() < 4 for pixels in blank)


@pytest.mark.parametrize("answer", ANSWERS["digits"])
def test_digits_differ(answer: str) -> None:
    """The same place and size, another digit: other pixels."""
    others = [other for other in ANSWERS["digits"] if other != answer]
    own = draw(answer, np.random.default_rng(0)).astype(int)
    apart = [abs(own - draw(other, np.random.default_rng(0))).max(axis=2) > 100 for other in others]
    assert all(found.sum() >= 9 for found in apart)


def test_states_come_back() -> None:
    env, other = Glimpse(pictures=3), Glimpse(pictures=3)
    env.reset(seed=5)
    env.step("red")
    seen, _ = other.restore(env.snapshot())
    assert seen == env.snapshot().observation
    assert [other.step("red")[:4] for _ in range(2)] == [env.step("red")[:4] for _ in range(2)]


def test_one_wrong_answer_is_no_success_and_the_last_episode_is_forgotten() -> None:
    env = Glimpse()
    env.reset(seed=1)
    assert env.step(env.answers[0])[1:] == (1.0, True, False, {"success": True})
    env.reset(seed=2)
    assert env.step("nothing")[1:] == (0.0, True, False, {"success": False})
    env = Glimpse(pictures=2)
    env.reset(seed=1)
    assert env.step(env.answers[0]) == ("What does it show?", 0.5, False, False, {})
    assert env.step("nothing") == ("That was the last.", 0.0, True, False, {"success": False})


def test_every_answer_comes_and_the_seed_decides_which() -> None:
    for shows in ("colors", "digits"):
        env = Glimpse(shows=shows, pictures=100)
        env.reset(seed=3)
        first = list(env.answers)
        assert set(first) == set(ANSWERS[env.shows])
        env.reset(seed=4)
        assert env.answers != first
        env.reset(seed=3)
        assert env.answers == first


def test_what_may_be_said_is_listed_and_an_episode_has_a_turn_for_each_picture() -> None:
    colors = Observation.of(Glimpse().reset(seed=0)[0])
    assert (str(colors), colors.admissible) == ("What does it show?", ("red", "green", "blue", "yellow"))
    digits = Observation.of(Glimpse(shows="digits").reset(seed=0)[0])
    assert (digits.admissible or ())[:3] == ("zero", "one", "two")
    assert [Glimpse(pictures=number).max_turns for number in (1, 7)] == [1, 7]


def test_each_picture_has_a_ground_of_its_own_and_comes_again_with_the_seed() -> None:
    env = Glimpse(pictures=2, blank=True)
    one, other = (seen.images[0] for seen in shown(env, 6)[:2])
    again = [seen.images[0] for seen in shown(Glimpse(pictures=2, blank=True), 6)[:2]]
    elsewhere = shown(env, 7)[0].images[0]
    assert again == [one, other]
    assert len({image.data for image in (one, other, elsewhere)}) == 3


@pytest.mark.parametrize(
    ("color", "tone"),
    [("red", (200, 40, 40)), ("green", (40, 170, 60)), ("blue", (50, 70, 210)), ("yellow", (220, 200, 40))],
)
def test_a_color_is_a_square_of_it_inside_the_picture(color: str, tone: tuple[int, int, int]) -> None:
    sides, places = set(), set()
    for seed in range(30):
        pixels = draw(color, np.random.default_rng(seed)).astype(int)
        assert pixels.shape == (32, 32, 3)
        painted = abs(pixels - np.array(tone)).max(axis=2) < 48
        rows, columns = np.nonzero(painted.sum(axis=1) > 9)[0], np.nonzero(painted.sum(axis=0) > 9)[0]
        assert len(rows) == len(columns) == rows[-1] - rows[0] + 1 == columns[-1] - columns[0] + 1
        assert painted[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].mean() > 0.95
        assert min(rows[0], columns[0]) >= 1
        assert max(rows[-1], columns[-1]) <= 30
        sides.add(len(rows))
        places.add((int(rows[0]), int(columns[0])))
    assert sides == {15, 20}
    assert len(places) > 20


@pytest.mark.parametrize(
    ("digit", "rows"),
    [
        ("zero", "### #.# #.# #.# ###"),
        ("one", ".#. ##. .#. .#. ###"),
        ("two", "### ..# ### #.. ###"),
        ("three", "### ..# ### ..# ###"),
        ("four", "#.# #.# ### ..# ..#"),
        ("five", "### #.. ### ..# ###"),
        ("six", "### #.. ### #.# ###"),
        ("seven", "### ..# ..# ..# ..#"),
        ("eight", "### #.# ### #.# ###"),
        ("nine", "### #.# ### ..# ###"),
    ],
)
def test_a_digit_is_drawn_in_dark_on_light(digit: str, rows: str) -> None:
    pixels = draw(digit, np.random.default_rng(1)).astype(int).mean(axis=2)
    dark, plain = pixels < 80, pixels > 180
    columns = np.nonzero((dark | plain).sum(axis=0) > 9)[0]
    lines = np.nonzero((dark | plain).sum(axis=1) > 8)[0]
    scale = len(columns) // 3
    assert len(lines) == 5 * scale
    middle = [[dark[top + scale // 2, left + scale // 2] for left in columns[::scale]] for top in lines[::scale]]
    assert " ".join("".join("#" if ink else "." for ink in row) for row in middle) == rows


def test_a_snapshot_is_not_changed_by_what_comes_after() -> None:
    env = Glimpse(pictures=3)
    env.reset(seed=5)
    state = env.get_state()
    env.set_state(state)
    env.answers[0] = "red and blue"
    assert state["answers"][0] != "red and blue"
    env.set_state({"answers": ["red", "blue"], "turn": 1, "num_right": 1})
    env.pictures = 2
    assert env.step("blue")[1:] == (0.5, True, False, {"success": True})
