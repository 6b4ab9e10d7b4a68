"""The score, with every number worked out by hand."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from agentgym.environments.webshop.colors import COLORS, base_color
from agentgym.environments.webshop.goals import Goal
from agentgym.environments.webshop.products import Product
from agentgym.environments.webshop.reward import Score, score, similar
from tests.unit.environments.webshop_kit import GOAL, long_words

TENT = Product(
    asin="B0TENT",
    title="Alpine Tent Blue",
    category="garden",
    query="tents",
    product_category="Sports \u203a Camping \u203a Tents",
    description="Keeps you dry",
    bullets=("Made of soft", "nylon, two doors"),
    prices=(35.5,),
    price_tag="$35.5",
    options={},
    attributes=("water proof",),
)


def scored(options: dict[str, str], price: float = 35.5, title: str = TENT.title, **goal: Any) -> Score:
    wanted = Goal(**{**GOAL, **goal})  # type: ignore[typeddict-item]
    return score(dataclasses.replace(TENT, title=title), options, price, wanted, long_words)


def test_everything_right_is_worth_one() -> None:
    assert scored({"color": "navy blue", "size": "2 person"}).reward == 1.0


def test_each_missing_part_costs_its_share() -> None:
    """2 attributes + 2 options + 1 price = 5 parts."""
    assert scored({}).reward == pytest.approx(3 / 5)
    assert scored({}, price=40.01).reward == pytest.approx(2 / 5)
    assert scored({"size": "2 person"}, price=50, attributes=["solar", "water proof"]).reward == pytest.approx(2 / 5)


def test_the_price_may_equal_the_ceiling() -> None:
    assert scored({}, price=40.0).within_price


def test_attributes_match_fuzzily_or_lie_in_title_bullets_or_description() -> None:
    assert scored({}, attributes=["water proofs"]).attributes == 1  # ratio 96 with "water proof"
    assert scored({}, attributes=["soft nylon"]).attributes == 1  # across two joined bullets
    assert scored({}, attributes=["alpine", "keeps", "solar"]).attributes == 2
    assert scored({}, attributes=["Alpine"]).attributes == 0  # texts are lowered, the goal's words are not


def test_colors_count_by_the_first_known_color_inside_them() -> None:
    assert base_color("navy blue") == "blue"
    assert base_color("fashion girl") == "ash"
    assert base_color("12 inch") == "12 inch"
    assert len(COLORS) == len(set(COLORS)) == 102
    assert similar("sky blue", "navy blue")
    assert not similar("green", "navy blue")


def test_an_option_is_counted_once_however_many_choices_fit() -> None:
    assert scored({"color": "blue", "trim": "light blue"}, goal_options=["navy blue"]).options == 1


def test_synthetic_options_are_compared_as_pairs() -> None:
    """A pair is no string: "navy blue" in it is not cut down to "blue", while the chosen value is."""
    assert base_color(("color", "navy blue")) == ("color", "navy blue")
    assert base_color(("color", "navy")) == "navy"
    assert scored({"color": "navy blue"}, goal_options={"color": "navy blue"}).options == 1  # "blue" lies in the pair
    assert scored({"color": "r.brown2060"}, goal_options={"color": "r.brown2060"}).options == 0  # the known defect
    assert scored({"color": "color"}, goal_options={"color": "2 person"}).options == 1  # the group's name matches too


@pytest.mark.parametrize(
    ("title", "goal", "factor"),
    [
        ("Alpine Tent Blue", {}, 1.0),
        ("Tent", {"query": "x", "product_category": "y"}, 1.0),  # 1 of 3 nouns
        ("Tent", {"query": "x", "product_category": "y", "name": "tent aaaa bbbb cccc dddd"}, 0.5),  # 1 of 5: not > 0.2
        ("Tent", {"query": "x", "product_category": "Tents \u203a Camping", "name": "tent aaaa bbbb cccc dddd"}, 1.0),
        ("Tent", {"query": "x", "product_category": "Tents \u203a x", "name": "tent aaaa bbbb cccc dddd"}, 0.5),
        ("Tent", {"name": "tent " + "aaaa " * 10}, 0.1),  # 1 of 11, repetitions counted, in spite of the same query
        ("Lamp", {}, 0.0),  # no shared noun, in spite of the same query
        ("Lamp", {"name": "a b c"}, 1.0),  # a goal without nouns counts as 0.2, and the query is the same
        ("Lamp", {"name": "a b c", "query": "x", "product_category": "y"}, 0.5),
    ],
)
def test_type_factor(title: str, goal: dict[str, Any], factor: float) -> None:
    assert scored({}, title=title, **goal).type_factor == factor


def test_the_factor_multiplies_the_rest() -> None:
    result = scored({"size": "2 person"}, title="Tent", name="tent " + "aaaa " * 10)
    assert result.reward == (2 + 1 + 1) / 5 * 0.1


def test_words_count_as_the_same_when_more_than_85_of_100_agree() -> None:
    """Twice the letters in common, in order, over all letters of both: 12 / 14 is 86, 22 / 26 is 85."""
    assert similar("abcdefg", "abcdefx")
    assert not similar("abcdefghijklm", "abcdefghijkxy")
    assert scored({"trim": "abcdefg"}, goal_options=["abcdefx"]).options == 1
    assert scored({"trim": "abcdefghijklm"}, goal_options=["abcdefghijkxy"]).options == 0


def test_an_attribute_counts_when_more_than_85_of_100_agree() -> None:
    def counted(own: str, asked: str) -> int:
        wanted = Goal(**{**GOAL, "attributes": [asked]})  # type: ignore[typeddict-item]
        return score(dataclasses.replace(TENT, attributes=("x", own)), {}, 35.5, wanted, long_words).attributes

    assert counted("abcdefg", "abcdefx") == 1
    assert counted("abcdefghijklm", "abcdefghijkxy") == 0


def test_each_of_what_is_asked_for_counts_once_and_as_often_as_it_is_asked_for() -> None:
    result = scored({"size": "2 person"}, attributes=["water proof", "soft nylon", "solar", "edible"])
    assert (result.attributes, result.options, result.within_price, result.parts) == (2, 1, True, 7)
    assert result.reward == pytest.approx(4 / 7)
    assert scored({}, attributes=["alpine", "alpine", "alpine"], goal_options=[]).reward == 1.0
    assert scored({"a": "2 person"}, attributes=["solar"], goal_options=["2 person"] * 2, price_upper=0.0).reward == 0.5


def test_options_that_nobody_asked_for_cost_nothing() -> None:
    result = scored({"color": "navy blue", "size": "2 person", "trim": "gold", "fit": "wide"})
    assert (result.options, result.parts, result.reward) == (2, 5, 1.0)


def test_a_goal_of_nothing_but_a_price_is_all_or_nothing() -> None:
    assert scored({}, attributes=[], goal_options=[]).reward == 1.0
    assert scored({}, attributes=[], goal_options=[], price=40.01).reward == 0.0


def test_the_price_is_the_one_of_the_sale_and_not_the_tag() -> None:
    assert not scored({}, price=40.0, price_upper=39.99).within_price
    assert scored({}, price=39.99, price_upper=39.99).within_price
    assert not scored({}, price=100.0).within_price


@pytest.mark.parametrize(
    ("field", "asked", "counts"),
    [
        ("title", "tent blue", True),
        ("bullets", "soft nylon", True),
        ("description", "keeps you dry", True),
        ("category", "garden", False),
        ("query", "tents", False),
        ("product_category", "camping", False),
    ],
)
def test_an_attribute_may_stand_in_title_bullets_or_description_alone(field: str, asked: str, counts: bool) -> None:
    wanted = Goal(**{**GOAL, "attributes": [asked]})  # type: ignore[typeddict-item]
    words = {"title": "lamp", "bullets": (), "description": "", "category": "", "query": "", "product_category": ""}
    product = dataclasses.replace(TENT, **{**words, field: getattr(TENT, field)}, attributes=())
    assert score(product, {}, 1.0, wanted, long_words).attributes == counts


def test_an_attribute_does_not_reach_from_the_title_into_the_bullets() -> None:
    assert scored({}, attributes=["blue made"]).attributes == 0


@pytest.mark.parametrize(
    ("others", "goal", "factor"),
    [
        (9, {"query": "x", "product_category": "y"}, 0.5),  # 1 of 10 nouns is not less than a tenth
        (10, {"query": "x", "product_category": "y"}, 0.1),  # 1 of 11 is
        (9, {"product_category": "y"}, 1.0),  # the same query
        (9, {"query": "x"}, 1.0),  # all three parts of the category
        (10, {}, 0.1),  # neither helps below a tenth
        (4, {"query": "x", "product_category": "y"}, 0.5),  # a fifth is not more than a fifth
        (3, {"query": "x", "product_category": "y"}, 1.0),
    ],
)
def test_the_bounds_of_the_type_factor(others: int, goal: dict[str, Any], factor: float) -> None:
    name = " ".join(["tent", *(letter * 4 for letter in "abcdefghij"[:others])])
    assert scored({}, title="Tent", name=name, **goal).type_factor == factor


def test_nouns_are_compared_once_each_in_what_is_bought_and_as_often_as_named_in_the_goal() -> None:
    goal: dict[str, Any] = {"query": "x", "product_category": "y"}
    assert scored({}, title="Tent Tent Tent", name="tent aaaa bbbb cccc dddd", **goal).type_factor == 0.5  # 1 of 5
    assert scored({}, title="Tent", name="tent tent aaaa bbbb cccc", **goal).type_factor == 0.5  # 1 of 5, not 2
    assert scored({}, title="Tent Aaaa", name="tent aaaa bbbb cccc dddd", **goal).type_factor == 1.0  # 2 of 5


def test_parts_of_a_category_are_trimmed_and_compared_wherever_they_stand() -> None:
    goal: dict[str, Any] = {"query": "x", "name": "tent aaaa bbbb cccc dddd"}
    assert scored({}, title="Tent", product_category="Tents\u203a  Sports ", **goal).type_factor == 1.0
    assert scored({}, title="Tent", product_category="Tents \u203a Tents", **goal).type_factor == 0.5
