"""The phone's site: what stands on its pages is what can be done in the simulator, and does the same."""

from __future__ import annotations

import random
from http import HTTPStatus
from typing import Any

import pytest
from bs4 import BeautifulSoup

from agentgym.browser.served import Request
from agentgym.environments.android_like.expert import next_command
from agentgym.environments.android_like.levels import LEVELS, Level
from agentgym.environments.android_like.pages import BAR
from agentgym.environments.android_like.phone import Command, Phone
from agentgym.environments.android_like.site import PhoneSite
from tests.unit.environments.android_kit import drawn, fresh, phone_of, tapped
from tests.unit.environments.site_kit import Guest

EVERY_LEVEL = pytest.mark.parametrize("level", list(LEVELS))


def opened(phone: Phone) -> tuple[PhoneSite, Guest]:
    site = PhoneSite()
    assert site.open(phone) == "/"
    return site, Guest(site)


def done_by_request(guest: Guest, command: Command) -> None:
    """Do what a command of the simulator says with what stands on the page."""
    shown = guest.get("/")
    id = command.verb if command.verb in BAR else command.target
    element: Any = shown.select_one(f'[id="{id}"]')
    assert element is not None, (command, shown)
    assert not element.find_parents(attrs={"inert": True}), "it lies under something"
    if command.verb == "fill":
        guest.post("/typed", id=command.target, value=command.text)
    elif element.name == "button":
        assert element["name"] == "tap"
        guest.post("/act", tap=element["value"])


def any_command(phone: Phone, rng: random.Random) -> Command:
    node = rng.choice([node for node in phone.screen.every if node.id] or [None])
    if node is None or rng.random() < 0.15:
        return Command(rng.choice(BAR))
    return Command("fill", node.id, rng.choice(("07:30", "x", ""))) if node.kind == "field" else Command("tap", node.id)


@EVERY_LEVEL
@pytest.mark.parametrize("number", range(4))
def test_expert_and_chance_lead_to_the_same_by_requests(level: Level, number: int) -> None:
    task, phone = drawn(number, level)
    _, guest = opened(other := phone_of(task, number, level))
    rng = random.Random(number)
    for turn in range(30):
        command = any_command(phone, rng) if turn % 3 else next_command(phone, task)
        if command.verb == "end":
            break
        phone.obey(command)
        done_by_request(guest, command)
        assert other.state.as_json() == phone.state.as_json(), command


def test_every_node_stands_on_the_page_once_with_its_name() -> None:
    rng = random.Random(3)
    seen = set[str]()
    for number in range(40):
        _, phone = drawn(number, "a2")
        _, guest = opened(phone)
        for _ in range(12):
            phone.obey(any_command(phone, rng))
            page = guest.get("/")
            ids = [str(element["id"]) for element in page.select("[id]")]
            wanted = [node.id for screen in phone.screens for node in screen.every if node.id]
            assert sorted(ids) == sorted([*wanted, *BAR, "alone"])
            seen |= {f"{frame.app}/{frame.screen}" for frame in phone.state.stack}
            for node in phone.screen.every:
                check_node(page, node)
    assert len(seen) == 18, "every screen of every app was shown"


def check_node(page: BeautifulSoup, node: Any) -> None:
    element: Any = page.select_one(f'[id="{node.id}"]') if node.id else None
    if element is None:
        assert node.text in page.get_text()
    elif node.kind == "field":
        assert element["value"] == node.value
        assert page.select_one(f'label[for="{node.id}"]').text == node.text  # type: ignore[union-attr]
    else:
        assert element["aria-label"] == " ".join(filter(None, (node.text, node.detail)))
    if node.kind in ("switch", "choice", "check"):
        assert element["aria-checked"] == str(node.is_on).lower()


def test_enter_in_a_field_sends_off_what_the_button_sends() -> None:
    phone = fresh()
    _, guest = opened(phone)
    tapped(phone, "clock", "alarm-1")
    form: Any = guest.get("/").select_one("form.fields")
    assert (form["method"], form["action"]) == ("post", "/act")
    assert [button["id"] for button in form.select("button")] == ["save"]
    others = guest.get("/").select("button:not(form.fields button)")
    assert [(button["id"], button["form"]) for button in others] == [(id, "alone") for id in ("delete", *BAR)]
    guest.post("/act", time="06:00", label="walk", tap="save")
    assert phone.records("alarms")["1"] == {"time": "06:00", "label": "walk", "on": True}


def test_what_the_phone_complains_of_stands_on_the_page_until_something_is_tapped() -> None:
    phone = fresh()
    site, guest = opened(phone)
    tapped(phone, "notes", "new")
    alert: Any = guest.post("/act", tap="save").select_one("[role=alert]")
    assert (alert.text, alert.has_attr("hidden")) == ("a note needs a title", False)
    assert site.problem == "a note needs a title"
    guest.post("/typed", id="title", value="x")
    assert guest.get("/").select_one("[role=alert]").text == "a note needs a title"  # type: ignore[union-attr]
    alert = guest.post("/act", tap="save").select_one("[role=alert]")
    assert (alert.text, alert.has_attr("hidden"), site.problem) == ("", True, "")
    guest.post("/act", tap="nosuch")
    assert site.problem == "there is no such thing on this screen"


def test_behind_a_dialog_all_is_inert_but_the_bar() -> None:
    phone = fresh()
    _, guest = opened(phone)
    tapped(phone, "notes", "note-1", "delete")
    page = guest.get("/")
    assert page.select_one("[inert] [id=edit]") is not None
    assert page.select_one("[inert] nav") is None
    assert page.select_one("[role=dialog] [id=yes]") is not None
    guest.post("/act", tap="back")
    assert guest.get("/").select_one("[inert]") is None


def test_after_the_end_nothing_is_done() -> None:
    phone = fresh()
    site, guest = opened(phone)
    tapped(phone, "to-do")
    phone.obey(Command("end"))
    before = phone.state.as_json()
    guest.post("/act", tap="todo-1")
    guest.post("/typed", id="more", value="x")
    assert phone.state.as_json() == before
    assert site.problem == ""


def test_words_cannot_become_markup_and_long_ones_are_refused() -> None:
    phone = fresh()
    site, guest = opened(phone)
    tapped(phone, "to-do")
    guest.post("/typed", id="more", value="<b id=x>&")
    guest.post("/act", tap="add")
    assert guest.get("/").select_one("b") is None
    guest.post("/typed", id="more", value="x" * 61)
    assert site.problem == "a field takes 60 characters"
    guest.post("/typed", id="nosuch", value="x")
    assert phone.screen.nodes[-2].value == ""


def test_all_screens_have_one_address() -> None:
    site = PhoneSite()
    assert site(Request("GET", "/", {})).status == HTTPStatus.SERVICE_UNAVAILABLE
    _, guest = opened(fresh())
    guest.get("/contacts/1?x=2")
    assert guest.path == "/"
