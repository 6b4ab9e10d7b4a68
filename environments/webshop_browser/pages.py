"""The shop's pages as HTML: what the simulator's session shows, laid out as a person is used to.

Whatever the simulator lets one click on stands on the page under the name that it has there, as a link or a button, and
nothing else does: ``value`` and ``href`` carry that name back. The instruction is not part of the site; whoever is sent
shopping has it in mind.
"""

from __future__ import annotations

import itertools
import urllib.parse
from collections.abc import Iterable, Iterator

from agentgym.browser.markup import Child, Markup, document, image, lying, tag
from agentgym.environments.webshop import pages
from agentgym.environments.webshop.products import PATH_SEPARATOR, Product
from agentgym.environments.webshop.session import RESULTS_PER_PAGE, Session
from agentgym.environments.webshop_browser.pictures import color_shown, picture, swatch

__all__ = ["CLICK", "ITEM", "SEARCH", "page"]

CLICK, ITEM, SEARCH = "/click", "/item/", "/search"
"""Addresses: of a button's form, of products, of the search."""

_FORM = "clicks"
"""The one form that every button sends off."""
_NUM_TILES = 8
"""Sorts of goods on the front page."""


def page(session: Session, alert: str = "") -> Markup:
    """The whole document; ``alert`` is what the shop has to say to the last click."""
    title, main = _main(session)
    complaint = tag("p", alert, role="alert", hidden=not alert)
    body = [_header(session), tag("main", complaint, main), _footer()]
    clicks = tag("form", id=_FORM, method="post", action=CLICK, hidden=True)
    return document(f"{title} - Webshop", lying(__package__, "style.css"), [clicks, *body])


def _picture(product: Product, chosen: Iterable[str] = (), **attributes: str) -> Markup:
    return image(picture(product, color_shown(product, chosen)), **{"alt": "", **attributes})


def _header(session: Session) -> Markup:
    at_home = session.state.place == "search"
    return tag(
        "header",
        tag("span", tag("span", "W", class_="mark", aria_hidden="true"), "Webshop", class_="brand"),
        _search_bar() if session.state.place != "done" and not at_home else None,
        tag("nav", _button(pages.BACK), aria_label="Shop") if pages.BACK.lower() in session.clickables else None,
    )


def _search_bar() -> Markup:
    return tag(
        "form",
        tag(
            "input", type="search", name="q", aria_label="Search", placeholder="Search for products", autocomplete="off"
        ),
        tag("button", "Search", type="submit"),
        role="search",
        action=SEARCH,
    )


def _footer() -> Markup:
    told = tag("small", "Free returns within 30 days · Prices in US dollars")
    return tag("footer", told, aria_hidden="true")  # nobody who shops by reading need read it on every page


def _main(session: Session) -> tuple[str, Child]:
    """The title and what is under the header."""
    state, products = session.state, session.shop.products
    match state.place:
        case "search":
            return "Welcome", _front(session)
        case "results":
            return "Results", _results(session)
        case "item":
            return products[state.asin].title, _item(session, products[state.asin])
        case "sub_page":
            return products[state.asin].title, _sub_page(session, products[state.asin])
        case "done":
            return "Thank you", _thanks(session)


# -- the front page --------------------------------------------------------------------------------------


def _front(session: Session) -> Child:
    hero = tag(
        "section",
        tag("h1", "What are you looking for?"),
        tag("p", f"{len(session.shop.products):,} products, one search away."),
        _search_bar(),
        class_="hero",
    )
    tiles = [_tile(product) for product in itertools.islice(_one_of_each_sort(session), _NUM_TILES)]
    return hero, tag("section", tag("h2", "Browse"), tag("ul", tiles, class_="tiles"), aria_label="Browse")


def _one_of_each_sort(session: Session) -> Iterator[Product]:
    seen = set[str]()
    for product in session.shop.products.values():
        if product.query not in seen:
            seen.add(product.query)
            yield product


def _tile(product: Product) -> Markup:
    address = f"{SEARCH}?{urllib.parse.urlencode({'q': product.query})}"
    return tag("li", tag("a", _picture(product, role="presentation"), product.query, href=address))


# -- results ---------------------------------------------------------------------------------------------


def _results(session: Session) -> Child:
    state = session.state
    words = " ".join(state.keywords)
    cards = [_card(session.shop.products[asin]) for asin in state.shown]
    first = (state.page - 1) * RESULTS_PER_PAGE + 1
    told = (
        f"{first} to {first + len(cards) - 1} of {state.total} results" if cards else f"None of {state.total} results"
    )
    ways = [_button(name) for name in (pages.PREVIOUS, pages.NEXT) if name.lower() in session.clickables]
    return (
        tag("h1", "Results for ", tag("q", words)),
        tag("p", told, class_="told"),
        tag("ul", cards, class_="cards", aria_label="Products") if cards else _nothing(),
        tag("nav", ways[:-1], tag("span", f"Page {state.page}"), ways[-1:], class_="pages", aria_label="Pages"),
    )


def _card(product: Product) -> Markup:
    link = tag(
        "a",
        _picture(product, role="presentation"),
        tag("span", product.title, class_="title"),
        href=ITEM + urllib.parse.quote(product.asin, safe=""),
    )
    about = tag("p", tag("strong", _price(product)), tag("small", product.asin))
    return tag("li", link, about)


def _nothing() -> Markup:
    return tag("p", "Nothing here. Try fewer or other words.", class_="nothing")


# -- a product -------------------------------------------------------------------------------------------


def _item(session: Session, product: Product) -> Child:
    buy = _button(pages.BUY, class_="buy")
    groups = [_options(session, group, values) for group, values in product.options.items()]
    tabs = [_button(name) for name in pages.SUB_PAGES if name.lower() in session.clickables]
    offer = tag("section", _heading(product), groups, buy, class_="offer", aria_label="Offer")
    more = tag("nav", tabs, class_="tabs", aria_label="More about it")
    return _way_back(product), tag("div", _figure(session, product), offer, class_="item"), more


def _heading(product: Product) -> Child:
    price = tag("p", _price(product), class_="price")
    return tag("h1", product.title), tag("p", f"Item {product.asin} · no ratings yet", class_="told"), price


def _figure(session: Session, product: Product) -> Markup:
    chosen = session.state.options.values()
    seen = " ".join(filter(None, (color_shown(product, chosen), product.query)))
    return tag("figure", _picture(product, chosen, alt=seen))


def _way_back(product: Product) -> Markup:
    path = [part.strip() for part in product.product_category.split(PATH_SEPARATOR)]
    crumbs = tag("ol", [tag("li", part) for part in path if part], class_="crumbs")
    return tag("nav", _button(pages.PREVIOUS), crumbs, class_="way", aria_label="Way back")


def _options(session: Session, group: str, values: Iterable[str]) -> Markup:
    """A value that another group offers too chooses in the later one, as in the simulator."""
    chosen = session.state.options.get(group)
    buttons = [_choice(value, is_chosen=value == chosen) for value in values]
    told = tag("legend", group, tag("span", f" {chosen}") if chosen else None)
    return tag("fieldset", told, buttons)


def _choice(value: str, *, is_chosen: bool) -> Markup:
    paint = swatch(value)
    dot = tag("i", class_="dot", style=f"background:{paint}") if paint else None
    return _button(value, dot, aria_pressed=str(is_chosen).lower())


def _sub_page(session: Session, product: Product) -> Child:
    state = session.state
    told = tag("section", tag("h2", state.sub_page), _told(session, product), class_="about", aria_label=state.sub_page)
    aside = tag("aside", _figure(session, product), tag("h1", product.title), tag("p", _price(product), class_="price"))
    return _way_back(product), tag("div", aside, told, class_="item")


def _told(session: Session, product: Product) -> Child:
    match session.state.sub_page:
        case "Description":
            return tag("p", product.description)
        case "Features":
            return tag("ul", [tag("li", bullet) for bullet in product.bullets])
        case "Attributes":
            return tag("ul", [tag("li", attribute) for attribute in product.attributes])
        case _:
            return tag("p", "Nobody has written a review yet.")


def _thanks(session: Session) -> Child:
    product, options = session.shop.products[session.state.asin], session.state.options
    rows = [("Item", product.asin), *options.items(), ("Price", _price(product))]
    receipt = tag("dl", [(tag("dt", name), tag("dd", value)) for name, value in rows])
    return tag(
        "section",
        tag("div", "✓", class_="tick", aria_hidden="true"),
        tag("h1", "Thank you for shopping with us!"),
        tag("div", _figure(session, product), tag("div", tag("h2", product.title), receipt), class_="receipt"),
        class_="thanks",
    )


def _price(product: Product) -> str:
    """As the shop's tag says it, with two decimals."""
    return " to ".join(f"${price:,.2f}" for price in product.prices)


# -- what is clicked on ----------------------------------------------------------------------------------


def _button(name: str, *before: Child, **attributes: str) -> Markup:
    return tag("button", *before, name, type="submit", form=_FORM, name="name", value=name.lower(), **attributes)
