"""The invented shop, and the expert in it and in a shop read from files."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from thefuzz import fuzz

from agentgym.environments.webshop import WebShop
from agentgym.environments.webshop.colors import base_color
from agentgym.environments.webshop.embedded import invent_shop
from agentgym.environments.webshop.nouns import guess_nouns
from agentgym.environments.webshop.words import COLORS_SOLD, DEPARTMENTS
from tests.unit.environments.webshop_kit import GOAL, make_shop, write_catalogue


@pytest.fixture(scope="module")
def env() -> WebShop:
    return WebShop(shopper="careful")


def solve(env: WebShop, task: int, *first: str) -> tuple[float, int]:
    """Reward and number of actions of the expert, after some actions of another."""
    observation, _ = env.reset(options={"task": task})
    for action in first:
        observation, *_ = env.step(action)
    expert = env.expert()
    for turn in range(1, env.max_turns + 1):
        action = expert(observation)  # type: ignore[arg-type]
        observation, reward, terminated, _, info = env.step(action)
        assert "invalid_action" not in info
        if terminated:
            return reward, turn
    return 0.0, env.max_turns


def test_no_product_is_the_goal_of_two_splits(env: WebShop) -> None:
    asins = [{env.shop.goals[task]["asin"] for task in env.tasks(split)} for split in ("train", "validation", "test")]
    assert not any(a & b for a, b in itertools.combinations(asins, 2))
    assert [len(env.tasks(split)) for split in ("test", "validation")] == [500, 500]
    assert len(env.tasks("train")) > 5000


def test_splits_are_alike(env: WebShop) -> None:
    shares = [
        sum(env.shop.prices[env.shop.goals[t]["asin"]] < 50 for t in env.tasks(split)) / len(env.tasks(split))
        for split in ("train", "validation", "test")
    ]
    assert shares == pytest.approx([0.9] * 3, abs=0.01)


def test_the_shop_is_the_same_every_time_and_another_for_another_seed() -> None:
    assert invent_shop() == invent_shop()
    assert invent_shop(1).products != invent_shop().products


def test_the_vocabulary_is_closed_and_small(env: WebShop) -> None:
    texts = [goal["instruction_text"] for goal in env.shop.goals] + [p.title for p in env.shop.products.values()]
    assert len({word for text in texts for word in text.split()}) < 350
    assert len({p.price_tag for p in env.shop.products.values()}) < 40
    assert len(env.shop.products) == len({p.asin for p in env.shop.products.values()}) == 3000


def test_what_is_asked_for_can_be_read_from_the_pages(env: WebShop) -> None:
    for goal in env.shop.goals:
        product = env.shop.products[goal["asin"]]
        assert all(f" {attribute} " in product.title for attribute in goal["attributes"])
        assert all(any(option in values for values in product.options.values()) for option in goal["goal_options"])
        assert all(
            word in goal["instruction_text"] for word in (*goal["attributes"], *goal["goal_options"], goal["query"])
        )
        assert product.prices[0] < goal["price_upper"]


def test_the_score_tells_all_attributes_colors_and_kinds_apart() -> None:
    attributes = {attribute for department in DEPARTMENTS.values() for attribute in department.attributes}
    for a, b in itertools.combinations(sorted(attributes), 2):
        assert fuzz.token_set_ratio(a, b) <= 85
        assert a not in b
    assert [base_color(color) for color in COLORS_SOLD] == list(COLORS_SOLD)
    assert all(guess_nouns(kind) for department in DEPARTMENTS.values() for kind in department.kinds)


def test_the_expert_solves_the_embedded_goals_in_few_turns(env: WebShop) -> None:
    played = [solve(env, task) for task in (*env.tasks("test")[:100], *env.tasks("train")[:100])]
    assert sum(reward == 1.0 for reward, _ in played) >= 196
    assert max(turns for _, turns in played) <= 6


def test_the_first_hit_is_often_wrong(env: WebShop) -> None:
    """Searching well and buying the first hit with the right options must not be enough."""
    from agentgym.environments.webshop.expert import plan_purchase

    right = 0
    for task in (tasks := env.tasks("validation")):
        plan = plan_purchase(env.shop, task)
        first = env.shop.ranker(plan.query, 1)[0]
        right += env.shop.score(first, plan.options, task).reward == 1.0
    assert 0.6 <= right / len(tasks) <= 0.8


@pytest.mark.parametrize(
    "first",
    [
        ("search[red mug]", "click[Next >]"),
        ("search[red mug]", "click[Next >]", "click[Next >]", "click[Next >]", "click[Next >]", "click[Next >]"),
        ("search[<c> kitchen]",),
    ],
)
def test_the_expert_finds_its_way_from_anywhere(env: WebShop, first: tuple[str, ...]) -> None:
    assert solve(env, 5, *first)[0] == 1.0


def test_the_expert_leaves_a_wrong_product_and_mends_a_wrong_option() -> None:
    env = make_shop(ranker=None)
    assert solve(env, 0, "search[lamp]", "click[B0LAMP]", "click[Description]")[0] == 1.0
    assert solve(env, 0, "search[alpine]", "click[B0TENT]", "click[red | white]")[0] == 1.0


def test_the_expert_does_what_it_can_where_the_goal_cannot_be_met() -> None:
    env = make_shop(ranker=None, goals=[{**GOAL, "attributes": ["water proof", "edible"]}])
    assert solve(env, 0)[0] == pytest.approx(4 / 5)


def test_the_expert_solves_a_shop_read_from_files(env: WebShop, tmp_path: Path) -> None:
    """The embedded products, written in the original's format."""
    products = list(env.shop.products.values())[:400]
    records = [
        {
            "asin": p.asin,
            "name": p.title,
            "category": p.category,
            "query": p.query,
            "product_category": p.product_category,
            "full_description": p.description,
            "small_description": list(p.bullets),
            "pricing": p.price_tag,
            "customization_options": {g: [{"value": value} for value in values] for g, values in p.options.items()},
        }
        for p in products
    ]
    details = {
        p.asin: {
            "attributes": list(p.attributes),
            "instruction": f"find me a {p.attributes[0]} {p.query}",
            "instruction_attributes": p.attributes[:1],
        }
        for p in products
    }
    folder = write_catalogue(tmp_path / "written", records, details, {})
    shop = WebShop(catalogue=folder, human_goals=False, shopper="careful")
    assert len(shop.shop.goals) > 1000
    assert sum(solve(shop, task)[0] == 1.0 for task in range(200)) >= 194
