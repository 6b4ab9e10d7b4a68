"""Reading the three files, and the goals and prices made from them."""

from __future__ import annotations

import random
import re
from pathlib import Path
from typing import Any

import pytest

import agentgym
from agentgym.environments.webshop import WebShop
from agentgym.environments.webshop.catalogue import read_catalogue
from agentgym.environments.webshop.goals import draw_ceiling, draw_prices
from agentgym.environments.webshop.search import BM25Ranker, document
from agentgym.errors import AgentGymError, ConfigError, DataError
from tests.unit.environments.webshop_kit import (
    ATTRIBUTES,
    GOAL,
    HUMAN,
    LAMP,
    PRODUCTS,
    TENT,
    catalogue,
    make_shop,
    product,
    write_catalogue,
)


def test_products_are_read_as_the_original_reads_them() -> None:
    products = read_catalogue(catalogue(), "none").products
    tent, lamp = products["B0TENT"], products["B0LAMP"]
    assert tent.options == {"color": ("navy blue", "red | white"), "size": ("2 person", "4 person")}
    assert (tent.query, tent.price_tag, lamp.price_tag) == ("tents", "$35.5", "$5.0 to $9.0")
    assert (lamp.bullets, lamp.options, lamp.attributes) == (("bright",), {}, ("dimmable",))


@pytest.mark.parametrize(
    ("pricing", "prices"),
    [("$1,683.00", (1683.0,)), ("$5 - $9", (5.0, 9.0)), ("$1 $2 $3", (1.0, 2.0)), ("", (100.0,)), (None, (100.0,))],
)
def test_prices(tmp_path: Path, pricing: str | None, prices: tuple[float, ...]) -> None:
    folder = write_catalogue(tmp_path / "priced", [product("B0", pricing=pricing)])
    assert read_catalogue(folder, "none").products["B0"].prices == prices


def test_products_without_a_proper_id_and_repetitions_are_skipped(tmp_path: Path) -> None:
    records = [TENT, product("nan"), product("B0123456789"), product("B0TENT", name="again"), LAMP]
    folder = write_catalogue(tmp_path / "skips", records)
    products = read_catalogue(folder, "none").products
    assert [(asin, product.title) for asin, product in products.items()] == [
        ("B0TENT", "Alpine Tent Blue"),
        ("B0LAMP", "Desk Lamp"),
    ]
    assert list(read_catalogue(folder, "none", 4).products) == ["B0TENT"]


def test_a_product_without_attributes_gets_the_dummy_one(tmp_path: Path) -> None:
    folder = write_catalogue(tmp_path / "dummy", PRODUCTS, {"B0LAMP": {}})
    products = read_catalogue(folder, "none").products
    assert products["B0TENT"].attributes == products["B0LAMP"].attributes == ("DUMMY_ATTR",)


def test_a_price_in_a_range_is_drawn_in_product_order_and_the_others_are_not() -> None:
    products = read_catalogue(catalogue(), "none").products.values()
    prices = draw_prices(products, random.Random(7))
    assert prices == {"B0TENT": 35.5, "B0LAMP": random.Random(7).uniform(5, 9)} | {
        f"B0MORE{i:02d}": 100.0 for i in range(15)
    }


def test_the_ceiling_is_one_of_the_next_four_tens_but_never_the_first() -> None:
    drawn = {draw_ceiling(35.5, random.Random(seed)) for seed in range(50)}
    assert drawn == {(float(c), f", and price lower than {c}.00 dollars") for c in (50, 60, 70)}
    assert draw_ceiling(980.0, random.Random(0)) == (1_000_000.0, "")
    assert draw_ceiling(40.0, random.Random(1))[0] > 50  # the price itself is no ceiling


def test_human_goals_leave_out_instructions_without_attributes() -> None:
    goals = WebShop(catalogue=catalogue()).shop.goals
    assert len(goals) == 1
    assert re.fullmatch(
        r"i need a waterproof navy tent, and price lower than [567]0.00 dollars", goals[0]["instruction_text"]
    )
    assert goals[0]["goal_options"] == ["navy blue", "2 person"]
    assert goals[0]["weight"] == 1


def test_synthetic_goals_are_the_product_of_the_options_in_name_order() -> None:
    goals = WebShop(catalogue=catalogue(), human_goals=False).shop.goals
    texts = sorted(goal["instruction_text"].partition(", and price")[0] for goal in goals)
    assert texts == [
        f"find me a tent with color: {color}, and size: {size}"
        for color in ("navy blue", "red | white")
        for size in ("2 person", "4 person")
    ]
    assert {goal["weight"] for goal in goals} == {0.25}


def test_goals_are_shuffled_by_the_fixed_seed(tmp_path: Path) -> None:
    written = [{**HUMAN["B0TENT"][0], "instruction": str(i)} for i in range(20)]
    folder = write_catalogue(tmp_path / "many", human={"B0TENT": written})
    order = list(range(20))
    random.Random(233).shuffle(order)
    found = [int(goal["instruction_text"].partition(",")[0]) for goal in WebShop(catalogue=folder).shop.goals]
    assert found == order


def test_splits_are_the_original_ones_cut_off_where_goals_end() -> None:
    env = make_shop(goals=[GOAL] * 1600)
    assert [env.tasks(split) for split in ("test", "eval", "train")] == [
        range(500),
        range(500, 1500),
        range(1500, 1600),
    ]
    few = make_shop()
    assert [len(few.tasks(split)) for split in ("test", "validation", "train")] == [1, 0, 0]
    few.reset(seed=1)  # no train tasks: any goal


def test_given_prices_count_for_ceilings_and_for_the_score() -> None:
    env = WebShop(catalogue=catalogue(), prices={"B0TENT": 100.0})
    assert env.shop.prices["B0TENT"] == 100.0
    assert env.shop.goals[0]["price_upper"] >= 120.0


def test_searched_text_and_ranking() -> None:
    folder_order = ["B0TENT", "B0LAMP"]
    products = [_product(TENT), _product(LAMP), _product(product("B0SAME"))]
    assert document(products[0]) == (
        "alpine tent blue keeps you dry & warm. made of soft nylon color: navy blue, red | white, "
        "and size: 2 person, 4 person"
    )
    ranker = BM25Ranker(products)
    assert ranker("tents with nylon", 50) == ["B0TENT", "B0SAME"]  # stemmed; ties in catalogue order
    assert ranker("bright lamp tent", 2) == ["B0LAMP", "B0TENT"]
    assert ranker("nothing of this", 50) == ranker("", 50) == ranker("the", 50) == []
    assert folder_order[0] in ranker("NYLON", 1)


def _product(record: dict[str, Any]) -> Any:
    from agentgym.environments.webshop.products import product_from_record
    from agentgym.environments.webshop.records import Record

    return product_from_record(Record(Path("x"), "y", record), ())


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"products": "{"}, "items_shuffle_tiny.json: not readable as JSON"),
        ({"products": []}, "found no product that counts"),
        ({"products": {}}, "found a JSON dict, expected a JSON list of products"),
        ({"products": [TENT, 3]}, "record 1 is 3, expected an object"),
        ({"products": [{"name": "x"}]}, 'record 0, field "asin": it is missing, expected text'),
        ({"products": [product("B0", name=None)]}, 'record 0 (asin "B0"), field "name": found null, expected text'),
        ({"products": [product("B0", pricing="cheap")]}, 'field "pricing": found "cheap", expected a price such as'),
        ({"products": [product("B0", pricing="$")]}, 'field "pricing"'),
        ({"products": [product("B0", small_description=[1])]}, "expected a list of texts"),
        ({"products": [product("B0", customization_options=[1])]}, "expected an object of lists, or null"),
        ({"products": [product("B0", customization_options={"c": [{}]})]}, 'field "customization_options.c"'),
        ({"attributes": []}, "expected a JSON object whose keys are product ids"),
        ({"attributes": {"B0TENT": {"attributes": "soft"}}}, '"B0TENT", field "attributes": found "soft"'),
        ({"human": {"B0TENT": {}}}, "expected a list of instructions"),
        ({"human": {"B0TENT": [{}]}}, '"B0TENT", instruction 0, field "instruction": it is missing'),
    ],
)
def test_a_malformed_file_is_refused_with_file_and_record(tmp_path: Path, files: dict[str, Any], message: str) -> None:
    folder = write_catalogue(tmp_path / "malformed", **files)
    with pytest.raises(DataError, match=re.escape(message)) as error:
        WebShop(catalogue=folder)
    assert str(folder) in str(error.value)


@pytest.mark.parametrize(
    "attributes", [{**ATTRIBUTES, "B0TENT": {"instruction": "x", "instruction_attributes": []}}, {}]
)
def test_synthetic_goals_need_an_entry_and_attributes_for_each_product(tmp_path: Path, attributes: Any) -> None:
    folder = write_catalogue(tmp_path / "synthetic", attributes=attributes)
    with pytest.raises(DataError, match="B0TENT"):
        WebShop(catalogue=folder, human_goals=False)


def test_a_missing_file_or_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="found no items_shuffle"):
        WebShop(catalogue=tmp_path / "nowhere")


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    folder = write_catalogue(tmp_path / "changing")
    assert len(WebShop(catalogue=folder).shop.products) == 17
    write_catalogue(folder, PRODUCTS[:5])
    assert len(WebShop(catalogue=folder).shop.products) == 5


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"observation_mode": "txt"}, ConfigError),
        ({"human_goals": False}, ConfigError),
        ({"num_products": 10}, ConfigError),
        ({"goals": [{"name": "x"}]}, DataError),
    ],
)
def test_bad_keywords_are_refused(options: dict[str, Any], error: type[AgentGymError]) -> None:
    with pytest.raises(error):
        agentgym.make("webshop", **options)


def test_rare_attributes_weigh_more_in_synthetic_goals(tmp_path: Path) -> None:
    """The tent's four goals share "soft" with the lamp's one: 1/4 for "dry", 1/5 for "soft", and their mean."""
    attributes = {
        "B0TENT": {"attributes": [], "instruction": "find a tent", "instruction_attributes": ["dry", "soft"]},
        "B0LAMP": {"attributes": [], "instruction": "find a lamp", "instruction_attributes": ["soft"]},
    }
    folder = write_catalogue(tmp_path / "weighed", [TENT, LAMP], attributes)
    goals = WebShop(catalogue=folder, human_goals=False).shop.goals
    weights = sorted((goal["asin"], goal["weight"]) for goal in goals)
    assert [asin for asin, _ in weights] == ["B0LAMP", *["B0TENT"] * 4]
    assert [weight for _, weight in weights] == pytest.approx([0.2, *[0.225] * 4])
    lamp = next(goal for goal in goals if goal["asin"] == "B0LAMP")
    assert re.fullmatch(r"find a lamp, and price lower than \d0.00 dollars", lamp["instruction_text"])
    assert lamp["goal_options"] == {}


def test_a_goal_has_what_its_product_and_its_instruction_say() -> None:
    (goal,) = WebShop(catalogue=catalogue()).shop.goals
    ceiling = float(goal["instruction_text"].rpartition(" than ")[2].removesuffix(" dollars"))
    assert goal == {
        "asin": "B0TENT",
        "category": "garden",
        "query": "tents",
        "name": "Alpine Tent Blue",
        "product_category": "Sports \u203a Camping \u203a Tents",
        "instruction_text": f"i need a waterproof navy tent, and price lower than {ceiling:.2f} dollars",
        "attributes": ("water proof",),
        "price_upper": ceiling,
        "goal_options": ["navy blue", "2 person"],
        "weight": 1.0,
    }


@pytest.mark.parametrize(
    ("price", "ceilings"),
    [(9.99, {20.0, 30.0, 40.0}), (10.0, {30.0, 40.0, 50.0}), (965.0, {980.0, 990.0}), (975.0, {990.0})],
)
def test_a_ceiling_lies_above_the_price_and_has_one_between(price: float, ceilings: set[float]) -> None:
    assert {draw_ceiling(price, random.Random(seed))[0] for seed in range(60)} == ceilings


def test_the_file_with_the_shortest_name_is_read(tmp_path: Path) -> None:
    folder = write_catalogue(tmp_path / "two")
    (folder / "items_shuffle_100000.json").write_text("not read")
    assert len(WebShop(catalogue=folder).shop.products) == 17


def test_the_first_records_are_read_where_a_number_is_given() -> None:
    assert list(read_catalogue(catalogue(), "none", 2).products) == ["B0TENT", "B0LAMP"]
    assert len(WebShop(catalogue=catalogue(), num_products=3).shop.products) == 3


def test_a_product_with_an_id_of_ten_characters_is_sold(tmp_path: Path) -> None:
    folder = write_catalogue(tmp_path / "long", [product("B012345678"), product("B0123456789")])
    assert list(read_catalogue(folder, "none").products) == ["B012345678"]


def test_splits_are_those_of_the_baselines() -> None:
    for count, ranges in (
        (500, (range(500), range(500, 500), range(500, 500))),
        (501, (range(500), range(500, 501), range(501, 501))),
        (1501, (range(500), range(500, 1500), range(1500, 1501))),
    ):
        env = make_shop(goals=[GOAL] * count)
        assert tuple(env.tasks(split) for split in ("test", "validation", "train")) == ranges


def test_a_range_of_prices_is_shown_whole_and_sold_at_one_price_within() -> None:
    env = make_shop(prices=None)
    assert 5.0 <= env.shop.prices["B0LAMP"] <= 9.0
    assert env.shop.products["B0LAMP"].price_tag == "$5.0 to $9.0"
    other = make_shop(catalogue_seed=1)
    assert other.shop.prices["B0LAMP"] != env.shop.prices["B0LAMP"]
    assert make_shop(prices={"B0LAMP": 6.5}).shop.prices["B0LAMP"] == 6.5


def test_given_prices_count_in_the_embedded_shop_too() -> None:
    usual = WebShop()
    asin = next(iter(usual.shop.products))
    changed = WebShop(prices={asin: 1.5})
    assert usual.shop.prices[asin] >= 11.0
    assert changed.shop.prices[asin] == 1.5
    assert changed.shop.prices.keys() == usual.shop.prices.keys()
