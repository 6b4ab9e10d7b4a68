"""The search engine against BM25 as Lucene has it, worked by hand, and the hits that reach the shopper.

A word that occurs ``tf`` times in a text of ``n`` words gains idf * tf / (tf + 0.9 * (0.6 + 0.4 * n / mean)), with
idf = ln(1 + (N - df + 0.5) / (df + 0.5)) for a word in ``df`` of ``N`` texts.
"""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from agentgym.environments.webshop.products import Product
from agentgym.environments.webshop.search import BM25Ranker, document
from agentgym.environments.webshop.session import Session, State
from agentgym.environments.webshop.shop import Shop
from tests.unit.environments.webshop_kit import long_words

RUG = "rug"


def sold(number: int, title: str, **changes: object) -> Product:
    given: dict[str, object] = {
        "asin": f"B{number}",
        "title": title,
        "category": "home",
        "query": "rug",
        "product_category": "Home",
        "description": "",
        "bullets": (),
        "prices": (10.0,),
        "price_tag": "$10.0",
        "options": {},
        "attributes": (),
    }
    return Product(**{**given, **changes})  # type: ignore[arg-type]


def ranker(*titles: str) -> BM25Ranker:
    """Over products B0, B1 ... of these titles."""
    return BM25Ranker([sold(number, title) for number, title in enumerate(titles)])


def words(tents: int, lamps: int, rugs: int) -> str:
    return " ".join(["tent"] * tents + ["lamp"] * lamps + [RUG] * rugs)


@pytest.mark.parametrize(
    ("texts", "best"),
    [
        # 0.6931 * 1 / (1 + 0.9 * 0.6 + 0.36 * 1 / 3.5) = 0.422 and 0.6931 * 2 / (2 + 0.54 + 0.36 * 6 / 3.5) = 0.439;
        # were length to weigh more than 0.4 does, the short text would win
        ([(0, 1, 0), (2, 0, 4)], ["B1", "B0"]),
        # were it to weigh less, the third lamp would outweigh two more words
        ([(1, 2, 0), (1, 3, 1)], ["B0", "B1"]),
        # were repetition to count for more (a k1 of 1 or above), four tents would outweigh two
        ([(2, 1, 3), (4, 1, 7), (0, 0, 3), (0, 0, 8)], ["B0", "B1"]),
        # were it to count for less (a k1 of 0.8 or below), the second lamp would
        ([(4, 1, 13), (2, 2, 18), (0, 0, 11)], ["B0", "B1"]),
    ],
)
def test_repetition_and_length_weigh_as_in_the_original(texts: list[tuple[int, int, int]], best: list[str]) -> None:
    assert ranker(*itertools.starmap(words, texts))("tent lamp", 50) == best


def test_a_rare_word_weighs_more_than_a_common_one() -> None:
    find = ranker("tent red", "tent blue", "tent green", "lamp red", "tent pink")
    assert find("tent lamp", 1) == ["B3"]
    assert find("pink tent", 2) == ["B4", "B0"]


def test_the_best_come_first_and_no_more_than_asked_for() -> None:
    """The more tents among three words, the better; the first three texts have none, so places are not ids."""
    find = ranker(*["rug rug rug"] * 3, "tent rug rug", "tent tent tent", "tent tent rug", "tent rug rug")
    assert find("tent", 50) == ["B4", "B5", "B3", "B6"]
    assert find("tent", 4) == ["B4", "B5", "B3", "B6"]
    assert find("tent", 3) == ["B4", "B5", "B3"]
    assert find("tent", 2) == ["B4", "B5"]
    assert find("tent", 1) == ["B4"]
    assert find("rug tent", 50)[-1] == "B2"


def test_of_equals_as_many_as_asked_for_come_in_the_order_of_the_catalogue() -> None:
    find = ranker(*["lamp rug"] * 2, *["tent rug"] * 60)
    assert find("tent", 50) == [f"B{number}" for number in range(2, 52)]
    assert find("lamp tent", 3) == ["B0", "B1", "B2"]


def test_words_are_matched_by_their_stems_in_any_case_and_stop_words_never() -> None:
    find = ranker("Tents for camping", "Ins and outs", "Lamp 42")
    assert find("TENT", 9) == find("camps", 9) == ["B0"]
    assert find("in", 9) == find("for", 9) == find("the and", 9) == []  # "ins" has the stem "in"
    assert find("outs", 9) == ["B1"]
    assert find("lamp,42!", 9) == ["B2"]


def test_stop_words_do_not_lengthen_a_text() -> None:
    assert ranker("tent rug", "tent for the and with", "rug")("tent", 9) == ["B1", "B0"]


def test_a_word_counts_as_often_as_the_query_has_it() -> None:
    find = ranker("tent rug", "lamp rug")
    assert find("tent lamp lamp", 9) == ["B1", "B0"]
    assert find("tent tent lamp", 9) == ["B0", "B1"]


def test_the_searched_text_has_the_first_bullet_and_every_option() -> None:
    product = sold(
        0,
        "Red Tent",
        description="For Two",
        bullets=("Soft", "Hard"),
        options={"color": ("red", "blue"), "size": ("2",)},
    )
    assert document(product) == "red tent for two soft color: red, blue, and size: 2"
    assert document(sold(1, "Rug")) == "rug   "


@pytest.fixture
def shop() -> Shop:
    """Rugs and 25 tents, B100 to B124, found in that order."""
    products = [
        *(sold(number, "rug") for number in range(3)),
        *(sold(100 + n, "tent", query="tents") for n in range(25)),
    ]
    return Shop(
        products={product.asin: product for product in products},
        goals=[{"instruction_text": "buy"}],  # type: ignore[typeddict-item]
        prices={},
        splits={},
        ranker=BM25Ranker(products),
        nouns=long_words,
    )


def test_each_results_page_shows_its_own_ten_hits(shop: Shop) -> None:
    session, rng = Session(shop, State(task=0)), np.random.default_rng(0)
    pages = []
    for action in ("search[tent]", *["click[next >]"] * 3):
        assert session.act(action, rng) is None
        pages.append((session.state.page, session.state.total, list(session.state.shown)))
    tents = [f"B{number}" for number in range(100, 125)]
    assert pages == [(1, 25, tents[:10]), (2, 25, tents[10:20]), (3, 25, tents[20:]), (4, 25, [])]
    assert session.act("click[< prev]", rng) is None
    assert session.state.shown == tents[20:]
    assert [node.text for node in session.nodes if node.kind == "link"] == tents[20:]


def test_a_click_on_a_hit_opens_that_product(shop: Shop) -> None:
    session, rng = Session(shop, State(task=0)), np.random.default_rng(0)
    for action in ("search[tent]", "click[next >]", "click[b117]"):
        assert session.act(action, rng) is None
    assert (session.state.place, session.state.asin, session.state.visited) == ("item", "B117", ["B117"])
    assert session.act("click[< prev]", rng) is None
    assert (session.state.page, session.state.shown[7]) == (2, "B117")
    assert session.act("click[b110]", rng) is None
    assert session.state.visited == ["B110", "B117"]


def test_the_page_before_the_first_is_empty(shop: Shop) -> None:
    session = Session(shop, State(task=0, place="item", keywords=["search_results"], page=1, asin="B100"))
    assert session.act("click[< prev]", np.random.default_rng(0)) is None
    assert (session.state.page, session.state.shown) == (0, [])
    assert session.act("click[next >]", np.random.default_rng(0)) is None
    assert session.state.page == 1


def test_commands_find_by_chance_category_or_query(shop: Shop) -> None:
    rng = np.random.default_rng(0)
    assert shop.find(["<q>", "tents"], rng) == [f"B{number}" for number in range(100, 125)]
    assert shop.find(["<c>", "home"], rng) == list(shop.products)
    assert shop.find(["<c>", "rug"], rng) == shop.find(["<q>", "home"], rng) == []
    assert sorted(shop.find(["<r>"], rng)) == sorted(shop.products)
    assert shop.find(["<r>"], np.random.default_rng(1)) == shop.find(["<r>"], np.random.default_rng(1))
    assert shop.find(["<r>"], np.random.default_rng(1)) != shop.find(["<r>"], np.random.default_rng(2))


def test_a_query_of_several_words_is_whole_and_a_category_is_one_word(shop: Shop) -> None:
    products = {"B1": sold(1, "x", query="desk lamps", category="home"), "B2": sold(2, "x", query="lamps")}
    shop = Shop(products=products, goals=[], prices={}, splits={}, ranker=lambda query, k: [], nouns=long_words)
    rng = np.random.default_rng(0)
    assert shop.find(["<q>", "desk", "lamps"], rng) == ["B1"]
    assert shop.find(["<q>", "lamps"], rng) == ["B2"]
    assert shop.find(["<c>", "home", "lamps"], rng) == ["B1", "B2"]


def test_fifty_hits_are_asked_for_and_fifty_drawn() -> None:
    asked: list[tuple[str, int]] = []

    def engine(query: str, k: int) -> list[str]:
        asked.append((query, k))
        return ["B7", "B999", "B3"]

    products = {f"B{number}": sold(number, "x") for number in range(60)}
    shop = Shop(products=products, goals=[], prices={}, splits={}, ranker=engine, nouns=long_words)
    assert shop.find(["red", "", "tent"], np.random.default_rng(0)) == ["B7", "B3"]  # what is not sold is left out
    assert asked == [("red  tent", 50)]
    drawn = shop.find(["<r>"], np.random.default_rng(0))
    assert len(drawn) == len(set(drawn)) == 50
