"""What actions do, quirk by quirk (reference: the facts of the original's server and browser)."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentgym.environments.webshop import WebShop
from agentgym.environments.webshop.session import parse_action
from tests.unit.environments.webshop_kit import PRODUCTS, make_shop, product, write_catalogue


@pytest.fixture
def shop() -> WebShop:
    env = make_shop()
    env.reset(options={"task": 0})
    return env


def play(env: WebShop, *actions: str) -> str:
    for action in actions:
        observation, *_ = env.step(action)
    return str(observation)


def url(env: WebShop) -> str:
    return env.session.url.removeprefix("http://127.0.0.1:3000")


@given(st.text(alphabet="ab[] \n", max_size=14))
def test_actions_are_read_as_the_original_pattern_reads_them(action: str) -> None:
    match = re.match(r"(.+)\[(.+)\]", action)
    assert parse_action(action) == (match and (match[1], match[2].lower()))


@pytest.mark.parametrize("action", ["foo", "search[]", "click[]", "click[nope]", "Search[x]", "click[search]", "<r>"])
def test_an_action_that_does_not_fit_changes_nothing_and_is_told_why(shop: WebShop, action: str) -> None:
    before = str(shop.render())
    observation, reward, terminated, truncated, info = shop.step(action)
    assert (str(observation), reward, terminated, truncated) == (before, 0.0, False, False)
    assert info["invalid_action"]


def test_text_after_the_last_bracket_is_ignored(shop: WebShop) -> None:
    assert "Page 1" in play(shop, "search[tent] please")


def test_search_is_accepted_on_every_page(shop: WebShop) -> None:
    assert "Page 1 (Total results: 2)" in play(shop, "search[tent]", "click[B0TENT]", "click[Features]", "search[two]")


def test_hits_that_are_not_for_sale_are_left_out(shop: WebShop) -> None:
    play(shop, "search[two]")
    assert shop.session.state.shown == ["B0TENT", "B0LAMP"]


def test_next_is_offered_past_the_last_page_which_is_empty(shop: WebShop) -> None:
    page = play(shop, "search[tent]", *["click[Next >]"] * 5)
    assert page.endswith("Back to Search [SEP] Page 6 (Total results: 17) [SEP] < Prev [SEP] Next >")


def test_previous_is_not_offered_on_the_first_results_page(shop: WebShop) -> None:
    *_, info = shop.step("search[tent]")
    assert info["clickables"][:2] == ["back to search", "next >"]
    assert len(info["clickables"]) == 12


def test_previous_from_results_goes_one_page_back(shop: WebShop) -> None:
    assert "Page 1 " in play(shop, "search[tent]", "click[Next >]", "click[< Prev]")


def test_previous_from_an_item_shows_the_same_results_page_and_forgets_the_options(shop: WebShop) -> None:
    play(shop, "search[tent]", "click[Next >]", "click[B0MORE09]", "click[navy blue]")
    assert "Page 2 " in play(shop, "click[< Prev]")
    assert shop.session.state.options == {}


def test_previous_from_a_sub_page_keeps_the_options(shop: WebShop) -> None:
    play(shop, "search[tent]", "click[B0TENT]", "click[navy blue]", "click[Description]", "click[< Prev]")
    assert url(shop) == '/item_page/0/B0TENT/tent/1/{"color": "navy blue"}'


def test_choosing_again_in_a_group_replaces_the_choice(shop: WebShop) -> None:
    play(shop, "search[tent]", "click[B0TENT]", "click[navy blue]", "click[2 person]", "click[red | white]")
    assert shop.session.state.options == {"color": "red | white", "size": "2 person"}


def test_back_to_search_forgets_all_but_the_goal(shop: WebShop) -> None:
    first = shop.render()
    assert play(shop, "search[tent]", "click[B0TENT]", "click[navy blue]", "click[Back to Search]") == first
    assert shop.session.state.visited == []


def test_the_page_is_told_from_the_url_so_a_query_can_mislead(shop: WebShop) -> None:
    """On an item found by searching "search_results", "< Prev" turns the results page back."""
    play(shop, "search[search_results]", "click[Next >]", "click[B0MORE09]")
    assert "Page 1 " in play(shop, "click[< Prev]")
    page = play(shop, "click[B0TENT]", "click[< Prev]")
    assert "Page 0 (Total results: 17)" in page
    assert shop.session.state.shown == []


def test_urls_of_every_page(shop: WebShop) -> None:
    assert url(shop) == "/0"
    play(shop, "search[Blue  Tent]")
    assert url(shop) == "/search_results/0/blue++tent/1"
    play(shop, "click[b0tent]", "click[navy blue]")
    assert url(shop) == '/item_page/0/B0TENT/blue++tent/1/{"color": "navy blue"}'
    play(shop, "click[features]")
    assert url(shop) == "/item_sub_page/0/B0TENT/blue++tent/1/Features/{'color': 'navy blue'}"
    play(shop, "click[< prev]", "click[buy now]")
    assert url(shop) == "/done/0/B0TENT/{'color': 'navy blue'}"


def test_buying_ends_the_episode_and_only_then_scores(shop: WebShop) -> None:
    play(shop, "search[tent]", "click[B0TENT]", "click[navy blue]", "click[2 person]")
    _, reward, terminated, truncated, info = shop.step("click[Buy Now]")
    assert (reward, terminated, truncated, info["success"]) == (1.0, True, False, True)


def test_command_words_find_by_category_query_or_chance(shop: WebShop) -> None:
    rng = np.random.default_rng(0)
    assert shop.shop.find(["<c>", "home", "ignored"], rng) == ["B0LAMP"]
    assert shop.shop.find(["<q>", "lamps"], rng) == ["B0LAMP"]
    assert shop.shop.find(["<c>"], rng) == []
    drawn = shop.shop.find(["<r>"], rng)
    assert sorted(drawn) == sorted(record["asin"] for record in PRODUCTS)
    assert "invalid_action" in shop.step("search[<a> soft]")[4]


def test_a_value_offered_in_two_groups_counts_for_the_later(tmp_path: Path) -> None:
    options = {"color": [{"value": "natural"}], "style": [{"value": "natural"}]}
    folder = write_catalogue(tmp_path / "twice", [product("B0TWICE", customization_options=options)])
    env = make_shop(catalogue=folder, ranker=lambda query, k: ["B0TWICE"])
    env.reset(options={"task": 0})
    play(env, "search[x]", "click[B0TWICE]", "click[natural]")
    assert env.session.state.options == {"style": "natural"}


def test_an_option_named_like_a_button_works_as_the_button(tmp_path: Path) -> None:
    options = {"kind": [{"value": "Description"}, {"value": "Buy Now"}, {"value": "Search"}]}
    folder = write_catalogue(tmp_path / "named", [product("B0NAMED", customization_options=options)])
    env = make_shop(catalogue=folder, ranker=lambda query, k: ["B0NAMED"])
    env.reset(options={"task": 0})
    page = play(env, "search[x]", "click[B0NAMED]", "click[description]")
    assert page.endswith("< Prev [SEP] Keeps you dry & warm.")
    play(env, "click[< Prev]")
    *_, info = env.step("click[search]")
    assert info["invalid_action"]
    assert env.step("click[buy now]")[2]


def test_on_a_sub_page_a_query_that_names_an_item_page_leads_back_to_the_results(shop: WebShop) -> None:
    play(shop, "search[item_page]", "click[B0TENT]", "click[navy blue]", "click[Features]", "click[< Prev]")
    assert (shop.session.state.place, shop.session.state.page, shop.session.state.options) == ("results", 1, {})


def test_previous_from_a_sub_page_shows_its_item(shop: WebShop) -> None:
    page = play(shop, "search[tent]", "click[Next >]", "click[B0MORE09]", "click[Features]", "click[< Prev]")
    assert (shop.session.state.place, shop.session.state.asin) == ("item", "B0MORE09")
    assert "Tent Number 9" in page


def test_each_sub_page_is_the_one_that_was_clicked(shop: WebShop) -> None:
    play(shop, "search[two]", "click[B0TENT]")
    assert play(shop, "click[Description]").endswith("Keeps you dry & warm.")
    assert play(shop, "click[< Prev]", "click[Features]").endswith("Made of soft nylon [SEP] Two doors")
    assert play(shop, "click[< Prev]", "click[Reviews]").endswith("Back to Search [SEP] < Prev")


def test_what_was_bought_is_what_was_chosen_last(shop: WebShop) -> None:
    """Options of another product, chosen before, do not count: 2 attributes and the price of 5 parts."""
    play(shop, "search[tent]", "click[B0MORE00]", "click[navy blue]", "click[2 person]", "click[< Prev]")
    play(shop, "click[B0TENT]")
    _, reward, _, _, info = shop.step("click[Buy Now]")
    assert reward == 0.6
    assert info["success"] is False
    assert info["channels"] == {
        "type_factor": 1.0,
        "attributes": 2,
        "options": 0,
        "within_price": True,
        "parts": 5,
    }


def test_buying_from_another_page_of_the_product_is_not_possible(shop: WebShop) -> None:
    play(shop, "search[tent]", "click[B0TENT]", "click[Features]")
    assert shop.step("click[Buy Now]")[4]["invalid_action"] == (
        'there is nothing to click named "buy now" on this page'
    )


def test_nothing_is_paid_or_said_of_success_before_the_purchase(shop: WebShop) -> None:
    for action in ("search[tent]", "click[B0TENT]", "click[navy blue]", "click[2 person]"):
        _, reward, terminated, truncated, info = shop.step(action)
        assert (reward, terminated, truncated) == (0.0, False, False)
        assert not {"success", "channels", "invalid_action"} & info.keys()
    assert shop.step("click[Buy Now]")[4]["success"] is True
    _, info = shop.reset(options={"task": 0})
    assert info == {"clickables": ["search"], "has_search_bar": True, "url": "http://127.0.0.1:3000/0"}
    assert shop.step("search[tent]")[1:4] == (0.0, False, False)


def test_a_new_search_forgets_product_and_options_but_not_what_was_visited(shop: WebShop) -> None:
    play(shop, "search[tent]", "click[Next >]", "click[B0MORE09]", "click[navy blue]", "search[two]")
    state = shop.session.state
    assert (state.page, state.asin, state.options, state.keywords) == (1, "", {}, ["two"])
    assert state.visited == ["B0MORE09"]


def test_a_problem_says_what_was_wrong(shop: WebShop) -> None:
    assert shop.step("click[red]")[4]["invalid_action"] == 'there is nothing to click named "red" on this page'
    assert shop.step("buy")[4]["invalid_action"].startswith("an action is search[words] or click[name")
    assert shop.step("search[<a> soft]")[4]["invalid_action"].startswith("searching by attribute")
