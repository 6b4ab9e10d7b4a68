"""The tables' site: what stands on its pages is what can be done in the simulator, and does the same."""

from __future__ import annotations

import random
from http import HTTPStatus
from typing import Any

import pytest
from bs4 import BeautifulSoup

from agentgym.browser.served import Request
from agentgym.doctor.playing import random_action
from agentgym.environments.booking import Booking
from agentgym.environments.booking.commands import parse_command
from agentgym.environments.booking.levels import LEVELS, Level
from agentgym.environments.booking.session import Session
from agentgym.environments.booking.state import State
from agentgym.environments.booking_browser.site import TablesSite
from tests.unit.environments.site_kit import Guest

EVERY_LEVEL = pytest.mark.parametrize("level", list(LEVELS))


def opened(level: Level = "b1", task: int = 0) -> tuple[Booking, TablesSite, Guest]:
    """A simulator, and a site of a session of its own, at the same task."""
    simulator, site = Booking(level=level, reward="dense", observation_mode="html"), TablesSite()
    simulator.reset(seed=0, options={"task": task})
    own = simulator.session
    site.open(Session(own.site, own.wish, State.of(own.state.as_json())))
    return simulator, site, Guest(site)


def session_of(guest: Guest) -> Session:
    site = guest.site
    assert isinstance(site, TablesSite)
    assert site.session is not None
    return site.session


def seen(guest: Guest) -> BeautifulSoup:
    """The page where the guest is, as a browser comes to it that was sent there."""
    site = guest.site
    assert isinstance(site, TablesSite)
    return guest.get(site.open(session_of(guest)))


def done_by_request(guest: Guest, said: str) -> None:
    """Do what a command of the simulator says with what stands on the page."""
    command = parse_command(said)
    assert command is not None
    if command.verb == "ask":
        session_of(guest).obey(command)
        return
    if command.verb == "goto":
        guest.get(command.target)
        return
    shown = seen(guest)
    element: Any = shown.select_one(f'[id="{command.target}"]')
    assert element is not None, (said, shown)
    assert not element.find_parents(attrs={"inert": True}), "it lies under something"
    match command.verb:
        case "type" | "clear" if element.name == "input":
            value = element["value"] + command.text if command.verb == "type" else ""
            guest.post("/typed", id=command.target, value=value)
        case "clear":
            guest.post("/act", clear=command.target)
        case _ if element.name == "a":
            guest.get(element["href"])
        case _:
            assert element["name"] == "click"
            guest.post("/act", click=element["value"])


def compared(simulator: Booking, guest: Guest, said: str) -> bool:
    before = simulator.progress()
    _, reward, done, _, _ = simulator.step(said)
    done_by_request(guest, said)
    session = session_of(guest)
    assert session.state.as_json() == simulator.session.state.as_json()
    assert session.conditions() == simulator.session.conditions()
    assert reward == pytest.approx(simulator.progress() - before)
    assert done == (session.state.at.at == "done")
    return done


@EVERY_LEVEL
@pytest.mark.parametrize("task", range(3))
def test_the_expert_books_the_same_by_requests(level: Level, task: int) -> None:
    simulator, _, guest = opened(level, task)
    expert = simulator.expert()
    while not compared(simulator, guest, str(expert(simulator._seen or ""))):  # type: ignore[arg-type]
        pass
    assert all(session_of(guest).conditions().values())


@EVERY_LEVEL
@pytest.mark.parametrize("seed", range(4))
def test_random_commands_lead_to_the_same_by_requests(level: Level, seed: int) -> None:
    simulator, _, guest = opened(level, seed)
    rng, expert = random.Random(seed), simulator.expert()
    for turn in range(40):
        assert simulator._seen is not None
        by_expert = turn % 3 == 0  # to come deeper into the site
        said = str(expert(simulator._seen)) if by_expert else random_action(simulator, simulator._seen, rng)
        if compared(simulator, guest, said):
            break


@EVERY_LEVEL
def test_every_element_stands_on_the_page_once(level: Level) -> None:
    simulator, _, guest = opened(level, task=3)
    expert = simulator.expert()
    while True:
        shown, page = seen(guest), session_of(guest).page
        wanted = [node.id for block in (*page.blocks, *page.overlays) for node in block.nodes if node.id]
        main: Any = shown.main
        assert main.has_attr("inert") == bool(page.overlays), "what lies under something cannot be reached"
        if not page.overlays:
            found = [str(element["id"]) for element in shown.select("[id]") if element["id"] != "alone"]
            assert sorted(found) == sorted(wanted)
        for block in page.active:
            for node in block.nodes:
                if node.kind == "field":
                    field: Any = shown.select_one(f'[id="{node.id}"]')
                    assert field["value"] == node.value
                    assert shown.select_one(f'label[for="{node.id}"]') is not None
        if compared(simulator, guest, str(expert(simulator._seen or ""))):  # type: ignore[arg-type]
            break
    assert seen(guest).h1.text.startswith("confirmed")  # type: ignore[union-attr]


def test_what_a_field_holds_is_told_as_it_is_typed() -> None:
    _, site, guest = opened()
    for value, held in (("r", "r"), ("ro", "ro"), ("rome ", "rome"), ("rome  x", "rome x"), ("oslo", "oslo"), ("", "")):
        guest.post("/typed", id="place", value=value)
        assert session_of(guest).state.search["place"] == held
    assert site(Request("POST", "/typed", {"id": "place", "value": "x" * 61})).body == "place takes 60 characters"
    assert site.problem == "place takes 60 characters"
    assert session_of(guest).state.search["place"] == ""
    guest.post("/typed", id="place", value="rome")
    guest.post("/typed", id="place", value="rome" + "x" * 57)
    assert session_of(guest).state.search["place"] == "rome", "what is too long is not added, and nothing is lost"
    guest.post("/typed", id="place", value="rome x")
    assert site(Request("POST", "/typed", {"id": "nosuch", "value": "x"})).body == ""


def test_a_form_without_script_brings_its_fields_along() -> None:
    simulator, _, guest = opened()
    wish = simulator.session.wish
    date = next(field for field in wish.text.split(", ") if field.startswith("date ")).removeprefix("date ")
    guest.post("/act", place=wish.place, date=date, people=str(wish.people), click="find")
    assert session_of(guest).state.at.at == "results"
    assert guest.path.startswith("/find?place=")


def test_an_address_that_was_typed_is_gone_to_and_a_redirect_is_not() -> None:
    _, site, guest = opened("b3", task=2)
    session = session_of(guest)
    session.state.overlays = []
    guest.post("/act", click="date")
    assert session.state.overlays == ["calendar"]
    guest.get(site.open(session))
    assert session.state.overlays == ["calendar"]
    guest.get("/")
    assert session.state.overlays == []
    alert = guest.get("/nowhere").select_one("[role=alert]")
    assert alert is not None
    assert alert.text == "there is nothing at this address"
    assert site.problem == "there is nothing at this address"


def test_after_the_confirmation_nothing_is_done() -> None:
    simulator, site, guest = opened()
    expert = simulator.expert()
    while not compared(simulator, guest, str(expert(simulator._seen or ""))):  # type: ignore[arg-type]
        pass
    before = session_of(guest).state.as_json()
    guest.get("/")
    guest.post("/act", click="home")
    guest.post("/typed", id="place", value="rome")
    assert session_of(guest).state.as_json() == before
    assert site.problem == ""


def test_what_is_no_page_is_answered_too() -> None:
    site = TablesSite()
    assert site(Request("GET", "/", {})).status == HTTPStatus.SERVICE_UNAVAILABLE
