"""The oracle shopper's choices, each in a shop of a few products with a search engine made for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from agentgym.environments.webshop import WebShop
from agentgym.environments.webshop.expert import plan_hastily, plan_purchase
from agentgym.types import Observation
from tests.unit.environments.webshop_kit import GOAL, make_shop

RIGHT = {"color": "navy blue", "size": "2 person"}
OTHERS = [f"B0MORE{number:02d}" for number in range(15)]


def shop_with(find: Callable[[str], Sequence[str]], **goal: Any) -> WebShop:
    env = make_shop(ranker=lambda query, k: list(find(query)), goals=[{**GOAL, **goal}])
    env.reset(options={"task": 0})
    return env


def actions(env: WebShop) -> list[str]:
    """What the expert does until it has bought something."""
    expert, done, over = env.expert(), [], False
    while not over:
        done.append(str(expert(Observation(""))))
        _, _, over, _, info = env.step(done[-1])
        assert "invalid_action" not in info
        assert len(done) < 20
    return done


def test_the_first_hit_that_fits_is_bought_in_as_few_turns_as_can_be() -> None:
    env = shop_with(lambda query: ["B0LAMP", "B0TENT", *OTHERS])
    assert plan_purchase(env.shop, 0).asin == "B0TENT"
    assert actions(env)[1:] == ["click[B0TENT]", "click[navy blue]", "click[2 person]", "click[Buy Now]"]


def test_a_query_that_has_it_on_the_first_page_is_better_than_an_earlier_one() -> None:
    """The first query finds it on the second page, the last one, the title, on the first."""
    env = shop_with(lambda query: ["B0TENT"] if query == "alpine tent blue" else [*OTHERS, "B0TENT"])
    plan = plan_purchase(env.shop, 0)
    assert (plan.query, plan.asin, plan.page, plan.options, plan.reward) == (
        "alpine tent blue",
        "B0TENT",
        1,
        RIGHT,
        1.0,
    )


@pytest.mark.parametrize(("before", "page"), [(9, 1), (10, 2), (15, 2)])
def test_what_stands_on_a_later_page_is_turned_to(before: int, page: int) -> None:
    env = shop_with(lambda query: [*(["B0LAMP"] * before), "B0TENT"])
    assert plan_purchase(env.shop, 0).page == page
    assert actions(env)[1:page] == ["click[Next >]"] * (page - 1)
    env.reset(options={"task": 0})
    for action in (f"search[{plan_purchase(env.shop, 0).query}]", *["click[Next >]"] * 4):
        env.step(action)
    assert actions(env)[: 5 - page] == ["click[< Prev]"] * (5 - page)


def test_queries_are_words_of_the_instruction_in_its_order() -> None:
    asked: list[str] = []
    env = shop_with(
        lambda query: asked.append(query) or [],  # type: ignore[func-returns-value]
        instruction_text="I need a 2 person Tents of soft nylon, and price lower than 40.00 dollars",
        attributes=["soft nylon", "edible"],
        goal_options=["2 person"],
    )
    assert plan_purchase(env.shop, 0).query == "alpine tent blue"
    assert asked == [
        "2 person tents soft nylon",
        "tents soft nylon",
        "i need a 2 person tents of soft nylon",
        "alpine tent blue",
    ]


def test_the_best_there_is_is_bought_where_nothing_fits() -> None:
    """The lamp is worth nothing, another tent two of four parts less a lower price."""
    env = shop_with(lambda query: ["B0LAMP", "B0TENT"], attributes=["water proof", "edible"])
    plan = plan_purchase(env.shop, 0)
    assert (plan.asin, plan.options) == ("B0TENT", RIGHT)
    assert plan.reward == pytest.approx(4 / 5)


def test_an_option_is_answered_to_the_letter_or_else_by_what_counts_as_the_same() -> None:
    env = shop_with(lambda query: ["B0TENT"], goal_options=["royal blue", "4 person"])
    assert plan_purchase(env.shop, 0).options == {"color": "navy blue", "size": "4 person"}
    env = shop_with(lambda query: ["B0TENT"], goal_options={"color": "red | white", "size": "2 person"})
    assert plan_purchase(env.shop, 0).options == {"color": "red | white", "size": "2 person"}


def test_a_wrong_choice_is_replaced_and_a_right_one_kept() -> None:
    env = shop_with(lambda query: ["B0TENT"])
    for action in ("search[x]", "click[B0TENT]", "click[red | white]", "click[2 person]"):
        env.step(action)
    assert actions(env) == ["click[navy blue]", "click[Buy Now]"]


def test_another_product_and_another_search_are_left() -> None:
    env = shop_with(lambda query: ["B0LAMP"] if query == "lamp" else ["B0TENT"])
    for action in ("search[lamp]", "click[B0LAMP]", "click[Features]"):
        env.step(action)
    assert actions(env)[:3] == ["click[< Prev]", "click[< Prev]", "click[Back to Search]"]
    env.reset(options={"task": 0})
    for action in ("search[lamp]", "click[Next >]"):
        env.step(action)
    assert actions(env)[0] == "click[Back to Search]"


def test_who_is_in_a_hurry_takes_the_first_hit_and_forgets_what_is_asked_for() -> None:
    """Of the two options, task 0 has none, task 1 the second; what is forgotten is the same at every try."""
    env = make_shop(ranker=lambda query, k: ["B0TENT", "B0LAMP"], goals=[GOAL] * 2, shopper="hasty")
    plans = [plan_hastily(env.shop, task) for task in (0, 1, 1)]
    assert [(plan.asin, plan.options) for plan in plans] == [("B0TENT", {}), *[("B0TENT", {"size": "2 person"})] * 2]
    assert plans[0].reward < plans[1].reward < 1
    env.reset(options={"task": 1})
    assert actions(env)[1:] == ["click[B0TENT]", "click[2 person]", "click[Buy Now]"]
    assert env.expert_may_lose
    assert not make_shop().expert_may_lose


def test_who_is_in_a_hurry_does_not_look_at_what_else_was_found() -> None:
    env = make_shop(ranker=lambda query, k: ["B0LAMP", "B0TENT"])
    assert (plan_hastily(env.shop, 0).asin, plan_purchase(env.shop, 0).asin) == ("B0LAMP", "B0TENT")
    env = make_shop(ranker=lambda query, k: [])
    assert plan_hastily(env.shop, 0) == plan_purchase(env.shop, 0), "there is nothing to buy"


def test_what_is_taught_by_default_is_right_in_three_of_ten_tasks() -> None:
    shop = WebShop().shop
    won = [plan_hastily(shop, task).reward == 1.0 for task in shop.splits["train"][:1000]]
    assert 0.25 < sum(won) / len(won) < 0.35
