"""The shop's site: what stands on its pages is what can be clicked on in the simulator, and does the same."""

from __future__ import annotations

import dataclasses
import random
from http import HTTPStatus
from typing import Any

import numpy as np
import pytest
from bs4 import BeautifulSoup

from agentgym.browser.markup import image
from agentgym.browser.served import Request
from agentgym.doctor.playing import random_action
from agentgym.environments.webshop import WebShop
from agentgym.environments.webshop.session import Session, State, parse_action
from agentgym.environments.webshop_browser.pages import page
from agentgym.environments.webshop_browser.pictures import picture as drawn
from agentgym.environments.webshop_browser.site import ShopSite, path_of
from tests.unit.environments.site_kit import Guest


def opened(task: int = 0) -> tuple[WebShop, ShopSite, Guest]:
    """A simulator, and a site of a session of its own, at the same task."""
    simulator, site = WebShop(shopper="careful"), ShopSite()
    simulator.reset(seed=0, options={"task": task})
    site.open(Session(simulator.shop, State(task=task)), np.random.default_rng(0))
    return simulator, site, Guest(site)


def clicked(guest: Guest, action: str) -> BeautifulSoup:
    """Do with requests what ``action`` does in the simulator: only what stands on the page is asked for."""
    verb, name = parse_action(action) or ("", "")
    if verb == "search":
        return guest.get(f"/search?q={name.replace(' ', '+')}")
    shown = guest.get(path_of(session_of(guest)))
    link = next((a for a in shown.select("a[href^='/item/']") if str(a["href"]).lower() == f"/item/{name}"), None)
    if link is not None:
        return guest.get(str(link["href"]))
    assert name in [button["value"] for button in shown.select("button[name=name]")], shown
    return guest.post("/click", name=name)


def session_of(guest: Guest) -> Session:
    site = guest.site
    assert isinstance(site, ShopSite)
    assert site.session is not None
    return site.session


def compared(simulator: WebShop, guest: Guest, action: str) -> bool:
    """Do ``action`` on both; whether both are at the end."""
    _, reward, done, _, _ = simulator.step(action)
    clicked(guest, action)
    session = session_of(guest)
    assert dataclasses.asdict(session.state) == dataclasses.asdict(simulator.session.state)
    assert done == (session.state.place == "done")
    assert session.state.reward == reward
    return done


@pytest.mark.parametrize("task", range(5))
def test_the_careful_shopper_buys_the_same_by_requests(task: int) -> None:
    simulator, _, guest = opened(task)
    expert = simulator.expert()
    for _ in range(12):
        if compared(simulator, guest, str(expert(simulator._seen or ""))):  # type: ignore[arg-type]
            break
    assert session_of(guest).state.reward == 1.0


@pytest.mark.parametrize("seed", range(8))
def test_random_clicks_lead_to_the_same_by_requests(seed: int) -> None:
    simulator, _, guest = opened(task=seed)
    rng = random.Random(seed)
    for _ in range(25):
        assert simulator._seen is not None
        if compared(simulator, guest, random_action(simulator, simulator._seen, rng)):
            break


@pytest.mark.parametrize("seed", range(4))
def test_what_can_be_clicked_on_stands_on_the_page_and_nothing_else(seed: int) -> None:
    simulator, _, guest = opened(task=seed)
    rng = random.Random(seed)
    for _ in range(20):
        shown, session = guest.get(path_of(session_of(guest))), session_of(guest)
        names = [str(button["value"]) for button in shown.select("button[name=name]")]
        names += [str(a["href"]).removeprefix("/item/").lower() for a in shown.select("a[href^='/item/']")]
        assert sorted(names) == sorted(name for name in session.clickables if name != "search")
        assert simulator._seen is not None
        if compared(simulator, guest, random_action(simulator, simulator._seen, rng)):
            break


def test_other_addresses_lead_to_where_the_shopper_is() -> None:
    _, _, guest = opened()
    guest.get("/search?q=red+mug")
    assert guest.path == "/results?q=red+mug&page=1"
    for address in ("/", "/thanks", "/item/NOSUCH", "/results?q=tent&page=1"):
        guest.get(address)
        assert guest.path == "/results?q=red+mug&page=1"
    assert "there is nothing to click" in guest.get("/item/NOSUCH").select_one("[role=alert]").text  # type: ignore[union-attr]


def test_each_page_of_results_has_an_address() -> None:
    _, _, guest = opened()
    guest.get("/search?q=mug")
    shown = guest.post("/click", name="next >")
    assert guest.path == "/results?q=mug&page=2"
    assert "11 to 20 of" in shown.text
    guest.post("/click", name="< prev")
    assert guest.path == "/results?q=mug&page=1"


def test_a_purchase_is_made_once() -> None:
    _, _, guest = opened()
    guest.get("/search?q=mug")
    session = session_of(guest)
    guest.get(f"/item/{session.state.shown[0]}")
    guest.post("/click", name="buy now")
    paid = session.state.reward
    guest.get("/search?q=tent")
    guest.post("/click", name="back to search")
    assert guest.path == "/thanks"
    assert session.state.place == "done"
    assert session.state.reward == paid


def test_pictures_are_of_what_is_sold_in_the_color_that_was_chosen() -> None:
    _, _, guest = opened()
    guest.get("/search?q=red+mug")
    session = session_of(guest)
    product = session.shop.products[session.state.shown[0]]
    guest.get(f"/item/{product.asin}")
    colors = product.options["color"]
    shown = guest.post("/click", name=colors[-1])
    picture: Any = shown.select_one("figure img")
    assert picture["alt"] == f"{colors[-1]} {product.query}"
    assert picture["src"] == BeautifulSoup(image(drawn(product, colors[-1])), "html.parser").img["src"]  # type: ignore[index]
    assert drawn(product, colors[-1]).startswith("<svg")
    assert drawn(product, colors[-1]) != drawn(product, colors[0])


def test_what_is_sold_cannot_write_markup() -> None:
    simulator, _, _ = opened()
    asin = next(iter(simulator.shop.products))
    evil = "<script>alert(1)</script>"
    product = dataclasses.replace(simulator.shop.products[asin], title=evil, options={'"><b>': ('"><i>',)})
    shop = dataclasses.replace(simulator.shop, products={asin: product})
    state = State(task=0, place="item", asin=asin)
    shown = BeautifulSoup(page(Session(shop, state)), "html.parser")
    assert shown.select("script, b, .options i") == []
    assert shown.h1 is not None
    assert shown.h1.text == evil
    assert [button["value"] for button in shown.select("fieldset button")] == ['"><i>']


def test_a_search_for_nothing_is_told() -> None:
    _, _, guest = opened()
    alert = guest.get("/search?q=").select_one("[role=alert]")
    assert alert is not None
    assert "search[words]" in alert.text
    assert guest.get("/").select_one("[role=alert]:not([hidden])") is not None
    guest.get("/search?q=mug")
    assert guest.get(guest.path).select_one("[role=alert]:not([hidden])") is None


def test_a_closed_shop_says_so() -> None:
    site = ShopSite()
    assert site(Request("GET", "/", {})).status == HTTPStatus.SERVICE_UNAVAILABLE
