"""The environment as a whole: contract, history, snapshots, determinism, and no surprises under any action."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from hypothesis import given, settings
from hypothesis import strategies as st

from agentgym.environments.webshop import WebShop
from agentgym.errors import UserError
from tests.unit.environments.webshop_kit import GOAL, make_shop, product, write_catalogue

ODD_ACTIONS = (
    "search[<r>]",
    "search[<c>]",
    "search[<q> tent]",
    "search[<a> b]",
    "search[ ]",
    "buy",
    "",
    "click[[]]",
    "]",
)


@pytest.fixture(scope="module")
def env() -> WebShop:
    return WebShop()


def test_gymnasium_finds_nothing_to_complain_about() -> None:
    check_env(WebShop(), skip_render_check=True)


def random_action(env: WebShop, rng: random.Random) -> str:
    assert env._seen is not None
    admissible = [a for a in env._seen.admissible or () if a != "search[<query>]"]
    searches = [f"search[{rng.choice(['tent', 'red mug', 'organic'])}]", *ODD_ACTIONS]
    return rng.choice(searches) if not admissible or rng.random() < 0.2 else rng.choice(admissible)


def test_snapshots_come_back_to_every_moment_of_random_episodes(env: WebShop) -> None:
    other = WebShop()
    rng = random.Random(0)
    for task in range(20):
        env.reset(seed=task, options={"task": task})
        done = False
        for _ in range(12):
            snapshot = env.snapshot()
            assert json.loads(json.dumps(snapshot.state)) == snapshot.state
            action = random_action(env, rng)
            first = env.step(action)
            assert other.restore(snapshot)[0] == snapshot.observation
            assert other.step(action) == first
            done = first[2]
            if done:
                break


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    actions=st.lists(st.one_of(st.text(max_size=12), st.sampled_from(ODD_ACTIONS)), max_size=6),
)
def test_any_action_is_survived_and_every_admissible_one_has_an_effect(seed: int, actions: list[str]) -> None:
    env, rng = WebShop(), random.Random(seed)
    observation, info = env.reset(seed=seed)
    for odd in actions:
        before = str(observation)
        for action in (odd, random_action(env, rng)):
            fits = action in observation.admissible  # type: ignore[attr-defined]
            observation, reward, terminated, _, info = env.step(action)
            assert 0.0 <= reward <= 1.0
            assert not (fits and "invalid_action" in info)
            assert ("invalid_action" not in info) or (str(observation), reward) == (before, 0.0)
            assert [a[6:-1].lower() for a in observation.admissible if a.startswith("click")] == [  # type: ignore[attr-defined]
                name for name in info["clickables"] if name != "search"
            ]
            before = str(observation)
            if terminated:
                return


def test_the_same_seed_gives_the_same_episode(env: WebShop) -> None:
    def play(env: WebShop) -> list[str]:
        observation, _ = env.reset(seed=3)
        return [str(observation), *(str(env.step(f"{action}")[0]) for action in ("search[<r>]", "click[Next >]"))]

    assert play(env) == play(WebShop()) == play(env)


def test_a_reset_without_a_task_draws_a_train_task(env: WebShop) -> None:
    drawn = []
    for seed in range(20):
        env.reset(seed=seed)
        drawn.append(env.session.state.task)
    assert set(drawn) <= set(env.tasks("train"))
    assert len(set(drawn)) > 15


@pytest.mark.parametrize("task", [-1, 10**6, "0", 1.0])
def test_an_unknown_task_is_refused(env: WebShop, task: object) -> None:
    with pytest.raises(UserError, match="does not exist"):
        env.reset(options={"task": task})


def test_earlier_observations_and_actions_stand_before_the_present_one() -> None:
    env = make_shop(observation_mode="url", num_prev_observations=2, num_prev_actions=1)
    first, _ = env.reset(options={"task": 0})
    second, *_ = env.step("search[two]")
    results = "http://127.0.0.1:3000/search_results/0/two/"
    assert str(second) == f"{first} [SEP] search[two] [SEP] {results}1"
    third, *_ = env.step("nonsense")
    assert str(third) == f"{first} [SEP] {results}1 [SEP] nonsense [SEP] {results}1"
    fourth, *_ = env.step("click[Next >]")
    assert str(fourth) == f"{results}1 [SEP] {results}1 [SEP] click[Next >] [SEP] {results}2"


def test_history_is_as_long_as_the_episode_allows() -> None:
    env = make_shop(observation_mode="url", num_prev_observations=9, num_prev_actions=9)
    env.reset(options={"task": 0})
    observations = [str(env.step(f"search[{word}]")[0]) for word in "abcdefghijkl"]
    assert [observation.count("[SEP]") for observation in observations] == [2, 4, 6, 8, 10, 12, 14, 16, 18, 18, 18, 18]
    assert observations[1].split(" [SEP] ")[1::2] == ["search[a]", "search[b]"]


def test_admissible_actions_are_spelled_as_on_the_page() -> None:
    env = make_shop()
    env.reset(options={"task": 0})
    observation, *_ = env.step("search[two]")
    assert observation.admissible == (  # type: ignore[attr-defined]
        "click[Back to Search]",
        "click[Next >]",
        "click[B0TENT]",
        "click[B0LAMP]",
    )


def test_environments_share_the_shop() -> None:
    first, second = WebShop(), WebShop(observation_mode="url")
    assert first.shop.products is second.shop.products
    assert first.shop.goals is second.shop.goals
    assert first.shop.ranker is second.shop.ranker


def test_the_last_task_exists_and_the_next_does_not() -> None:
    env = make_shop(goals=[GOAL, {**GOAL, "instruction_text": "the other"}])
    assert "the other" in str(env.reset(options={"task": np.int64(1)})[0])
    with pytest.raises(UserError, match=r"task 2 does not exist: tasks are the numbers 0 to 1"):
        env.reset(options={"task": 2})
    with pytest.raises(UserError, match="found no goals"):
        make_shop(goals=[]).reset(seed=0)


def test_only_what_was_asked_for_stands_before_the_present_observation() -> None:
    """Two earlier actions and no observation; then one observation and no action; after a reset nothing of before."""
    results = "http://127.0.0.1:3000/search_results/0/"
    acted = make_shop(observation_mode="url", num_prev_actions=2)
    acted.reset(options={"task": 0})
    seen = [str(acted.step(f"search[{word}]")[0]) for word in "abc"]
    assert seen == [
        f"search[a] [SEP] {results}a/1",
        f"search[a] [SEP] search[b] [SEP] {results}b/1",
        f"search[b] [SEP] search[c] [SEP] {results}c/1",
    ]
    acted.reset(options={"task": 0})
    assert str(acted.step("search[d]")[0]) == f"search[d] [SEP] {results}d/1"
    observed = make_shop(observation_mode="url", num_prev_observations=1)
    observed.reset(options={"task": 0})
    seen = [str(observed.step(f"search[{word}]")[0]) for word in "ab"]
    assert seen == [f"http://127.0.0.1:3000/0 [SEP] {results}a/1", f"{results}a/1 [SEP] {results}b/1"]
    assert str(observed.reset(options={"task": 0})[0]) == "http://127.0.0.1:3000/0"
    assert str(observed.step("search[c]")[0]) == f"http://127.0.0.1:3000/0 [SEP] {results}c/1"


def test_a_snapshot_has_the_history_and_does_not_follow_the_episode() -> None:
    env = make_shop(observation_mode="url", num_prev_observations=1, num_prev_actions=1)
    env.reset(options={"task": 0})
    env.step("search[a]")
    state = env.get_state()
    kept = json.loads(json.dumps(state))
    first = str(env.step("search[b]")[0])
    assert state == kept
    other = make_shop(observation_mode="url", num_prev_observations=1, num_prev_actions=1)
    other.reset(options={"task": 0})
    other.set_state(state)
    assert str(other.step("search[b]")[0]) == first
    assert state == kept


def test_the_search_bar_is_on_the_search_page_alone() -> None:
    env = make_shop()
    seen, info = env.reset(options={"task": 0})
    assert (seen.admissible, info["has_search_bar"]) == (("search[<query>]",), True)  # type: ignore[attr-defined]
    for action in ("search[two]", "click[B0TENT]", "click[Features]"):
        seen, *_, info = env.step(action)
        assert info["has_search_bar"] is False
        assert "search[<query>]" not in seen.admissible  # type: ignore[attr-defined]


def test_an_option_whose_click_would_be_read_otherwise_is_not_admissible(tmp_path: Path) -> None:
    options = {"kind": [{"value": "a[b"}, {"value": "plain"}]}
    folder = write_catalogue(tmp_path / "odd", [product("B0TENT", customization_options=options)])
    env = make_shop(catalogue=folder, ranker=lambda query, k: ["B0TENT"])
    env.reset(options={"task": 0})
    env.step("search[x]")
    seen, *_, info = env.step("click[B0TENT]")
    assert "a[b" in info["clickables"]
    assert [action for action in seen.admissible if "[B" not in action] == [  # type: ignore[attr-defined]
        "click[< Prev]",
        "click[Description]",
        "click[Features]",
        "click[Reviews]",
        "click[plain]",
    ]
