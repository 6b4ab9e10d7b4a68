"""What is seen: text nodes, their order, and the four observation modes against BeautifulSoup."""

from __future__ import annotations

import bs4
import pytest
from bs4.element import Comment
from hypothesis import given, settings
from hypothesis import strategies as st

from agentgym.environments.webshop import WebShop, pages
from agentgym.environments.webshop.pages import Node, clickables
from agentgym.environments.webshop.render import as_html, as_rich_text, as_text
from tests.unit.environments.webshop_kit import make_shop

INVISIBLE = {"style", "script", "head", "title", "meta", "[document]"}
ASKED = "Instruction: [SEP] i need a waterproof navy tent, and price lower than 40.00 dollars [SEP] "
RED = "You have clicked red | white.\n"


def parsed_nodes(html: str) -> list[bs4.element.NavigableString]:
    """The visible text nodes of a page, as the original's agent side finds them."""
    found = bs4.BeautifulSoup(html, "html.parser").find_all(string=True)
    visible = (
        node for node in found if node.parent and node.parent.name not in INVISIBLE and not isinstance(node, Comment)
    )
    return [node for node in visible if node != "\n"]


def walk(env: WebShop, *actions: str) -> list[str]:
    """The observations of an episode."""
    observation, _ = env.reset(options={"task": 0})
    return [str(observation), *(str(env.step(action)[0]) for action in actions)]


EPISODE = ("search[two]", "click[B0TENT]", "click[red | white]", "click[Features]", "click[< Prev]", "click[Buy Now]")


def test_text_of_every_page() -> None:
    search, results, item, chosen, features, _, done = walk(make_shop(), *EPISODE)
    assert search == f"WebShop [SEP] {ASKED}Search"
    assert results == (
        f"{ASKED}Back to Search [SEP] Page 1 (Total results: 2) [SEP] Next > [SEP] B0TENT [SEP] Alpine Tent Blue "
        "[SEP] $35.5 [SEP] B0LAMP [SEP] Desk Lamp [SEP] $5.0 to $9.0"
    )
    assert item == chosen
    assert item == (
        f"{ASKED}Back to Search [SEP] < Prev [SEP] color [SEP] navy blue [SEP] red | white [SEP] size [SEP] 2 person "
        "[SEP] 4 person [SEP] Alpine Tent Blue [SEP] Price: $35.5 [SEP] Rating: N.A. [SEP] Description [SEP] Features "
        "[SEP] Reviews [SEP] Buy Now"
    )
    assert features == f"{ASKED}Back to Search [SEP] < Prev [SEP] Made of soft nylon [SEP] Two doors"
    assert done == (
        "Thank you for shopping with us! [SEP] Your code: [SEP] None [SEP] (Paste it in your MTurk interface.) [SEP] "
        'Purchased [SEP] asin [SEP] B0TENT [SEP] options [SEP] {"color": "red | white"} [SEP] attrs [SEP] None [SEP] '
        "category [SEP] None [SEP] query [SEP] None [SEP] product category [SEP] None [SEP] Target [SEP] asin [SEP] "
        "options [SEP] attrs [SEP] price upper [SEP] instuction text [SEP] category [SEP] product category [SEP] query "
        "[SEP] Goal [SEP] None [SEP] Reward [SEP] Your score (min 0.0, max 1.0) [SEP] 0.6 [SEP] Reward Details "
        "[SEP] None"
    )


def test_rich_text_marks_buttons_options_and_products_and_what_was_clicked() -> None:
    search, _, item, red, both, again = walk(
        make_shop(observation_mode="text_rich"),
        *EPISODE[:3],
        "click[2 person]",
        "click[< Prev]",
    )
    assert search.startswith("WebShop\nInstruction: \ni need")
    assert search.endswith("dollars\n[button] Search [button_]\n")
    assert "color\n  [button] navy blue [button_]\n  [button] red | white [button_]\n" in item
    assert red.startswith(RED + "Instruction:\n")
    assert "  [clicked button] red | white [clicked button_]\n" in red
    assert both.startswith(f"You have clicked 2 person.\n{RED}")
    assert "\n\n[clicked button] B0TENT [clicked button_]\nAlpine" in again
    assert "\n\n[button] B0LAMP [button_]\nDesk" in again


def test_an_option_counts_as_clicked_when_the_query_quotes_it() -> None:
    page = [Node("color"), Node("red", "option", "color")]
    assert as_rich_text(page, '/item_page/0/A/"red"/1/{}', ()).startswith("You have clicked red.\n")
    assert as_rich_text(page, "/item_page/0/A/red/1/{}", ()).startswith("color\n")


def test_url_mode_shows_the_url() -> None:
    assert walk(make_shop(observation_mode="url"), "search[two]")[1].endswith("/search_results/0/two/1")


def test_html_mode_can_be_read_the_way_the_original_page_is_read() -> None:
    shown = walk(make_shop(observation_mode="html"), *EPISODE)
    assert [" [SEP] ".join(node.strip() for node in parsed_nodes(html)) for html in shown] == walk(
        make_shop(), *EPISODE
    )
    search, results, item = (bs4.BeautifulSoup(html, "html.parser") for html in shown[:3])
    assert search.find(id="search_input")
    assert search.find(id="instruction-text").h4.text.startswith("Instruction: i need")  # type: ignore[union-attr]
    assert [link.text for link in results.find_all(class_="product-link")] == ["B0TENT", "B0LAMP"]
    radios = [(radio["name"], radio["value"]) for radio in item.select('input[type="radio"]')]
    assert radios == [("color", "navy blue"), ("color", "red | white"), ("size", "2 person"), ("size", "4 person")]


def test_reviews_are_always_empty_and_attributes_only_shown_on_demand() -> None:
    env = make_shop(show_attrs=True)
    *_, reviews = walk(env, "search[two]", "click[B0TENT]", "click[Reviews]")
    assert reviews.endswith("Back to Search [SEP] < Prev")
    *_, attributes = walk(env, "search[two]", "click[B0TENT]", "click[Attributes]")
    assert attributes.endswith(
        "water proof [SEP] easy setup [SEP] garden [SEP] tents [SEP] Sports \u203a Camping \u203a Tents"
    )
    assert "Attributes" not in walk(make_shop(), "search[two]", "click[B0TENT]")[-1]


def test_an_empty_description_leaves_no_node_and_a_blank_bullet_a_blank_one() -> None:
    *_, description = walk(make_shop(), "search[two]", "click[B0LAMP]", "click[Description]")
    assert description.endswith("[SEP] < Prev")
    assert as_text([Node("a"), Node(" ", "bullet"), Node(" \n ")]) == "a [SEP] "


def test_receipt_escapes_options_as_flask_does() -> None:
    nodes = pages.done_page("B0", {"b": "men's", "a": "<x> & é"}, 0.5)
    assert '{"a": "\\u003cx\\u003e \\u0026 \\u00e9", "b": "men\\u0027s"}' in as_text(nodes)


def test_clickables_are_buttons_then_products_then_options() -> None:
    nodes = [Node("red", "option", "color"), Node("B0A", "link"), Node("Buy Now", "button"), Node("text")]
    assert list(clickables(nodes)) == ["buy now", "b0a", "red"]


TEXTS = st.text(alphabet="ab <>&\"'\n\t\r\xa0é;#", max_size=8)
KINDS = st.sampled_from(["text", "button", "link", "option", "bullet"])


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(TEXTS, KINDS), max_size=8), st.text(alphabet='ab"', max_size=6))
def test_texts_equal_what_beautifulsoup_finds_in_our_html(texts: list[tuple[str, str]], url: str) -> None:
    nodes = [Node(text, kind, "group") for text, kind in texts]  # type: ignore[arg-type]
    found = parsed_nodes(as_html(nodes))
    assert as_text(nodes) == " [SEP] ".join(node.strip() for node in found)
    assert as_rich_text(nodes, url, ["ab"]) == rich_text_of(found, url, ["ab"])


def rich_text_of(nodes: list[bs4.element.NavigableString], url: str, visited: list[str]) -> str:
    """An independent reading of the format, from the parsed page."""
    lines: list[str] = []
    clicked: list[str] = []
    for node in nodes:
        tag = node.parent.name if node.parent else ""
        mark = {"button": "", "label": "  ", "a": "\n"}.get(tag)
        if mark is None:
            lines.append(str(node))
            continue
        was_clicked = (tag == "label" and f'"{node}"' in url) or (tag == "a" and str(node) in visited)
        if was_clicked and tag == "label":
            clicked.insert(0, f"You have clicked {node}.")
        button = "clicked button" if was_clicked else "button"
        lines.append(f"{mark}[{button}] {node} [{button}_]")
    return "".join(f"{line}\n" for line in clicked + lines)


@pytest.mark.parametrize("count", [0, 1, 10])
def test_results_list_each_product_with_title_and_price(count: int) -> None:
    products = list(make_shop().shop.products.values())[:count]
    nodes = pages.results_page("x", 2, 17, products)
    assert [node.text for node in nodes[3:6]] == ["Page 2 (Total results: 17)", "< Prev", "Next >"]
    assert len(nodes) == 6 + 3 * count
