"""What can be said and typed on the booking site: commands, dates, addresses, what means the same."""

from __future__ import annotations

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentgym.environments.booking.commands import Command, parse_command
from agentgym.environments.booking.dates import YEAR, days_in, read_date, told
from agentgym.environments.booking.urls import Address, read_people, read_url, url_of
from agentgym.environments.booking.values import is_email, same

DAYS = st.dates(datetime.date(YEAR, 1, 1), datetime.date(YEAR, 12, 31))


@pytest.mark.parametrize(
    ("action", "command"),
    [
        ("CLICK[find]", Command("click", "find")),
        ("click[ 19.30 ]", Command("click", "19.30")),
        ("TYPE[place][New  York]", Command("type", "place", "New York")),
        ("type [place] [a [b] c]", Command("type", "place", "a [b] c")),
        ("SUBMIT[find]", Command("submit", "find")),
        ("CLEAR[People]", Command("clear", "people")),
        ("GOTO[/at/Olive?date=2026-03-14]", Command("goto", "/at/Olive?date=2026-03-14")),
        ("SCROLL[down]", Command("scroll", "down")),
        ("  ask  user help\n", Command("ask")),
    ],
)
def test_the_seven_commands(action: str, command: Command) -> None:
    assert parse_command(action) == command


@pytest.mark.parametrize(
    "action",
    [
        "",
        "CLICK",
        "CLICK[]",
        "CLICK[ ]",
        "CLICK[a",
        "CLICK[a]]",
        "CLICK[a][b]",
        "I CLICK[a]",
        "CLICK[a] now",
        "CLICK[a]\nCLICK[b]",
        "TYPE[a]",
        "TYPE[a][]",
        "TYPE[a][ ]",
        "TYPE[][b]",
        "HOVER[a]",
        "ASK USER",
        "ASK USER HELP: when?",
        "SCROLL",
        "CLICK[\x00]",
        "CLICK[" + "a" * 300 + "]",
    ],
)
def test_what_is_no_command(action: str) -> None:
    assert parse_command(action) is None


@given(st.text())
def test_any_text_is_a_command_or_none(text: str) -> None:
    command = parse_command(text)
    assert command is None or command.verb in ("click", "type", "submit", "clear", "goto", "scroll", "ask")


# -- dates -----------------------------------------------------------------------------------------------


@given(DAYS)
def test_a_day_that_is_told_is_read_again(day: datetime.date) -> None:
    assert read_date(told(day)) == read_date(f" {told(day).upper()}, {YEAR}") == read_date(day.isoformat()) == day


def test_months_are_as_long_as_they_are() -> None:
    assert [days_in(month) for month in range(1, 13)] == [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("february 29", "there is no february 29"),
        ("2026-04-31", "there is no april 31"),
        ("may 0", "there is no may 0"),
        ("31 nov", "there is no november 31"),
        ("march 14 2027", "there are only dates in 2026"),
        ("2025-03-14", "there are only dates in 2026"),
        *((text, "the date cannot be read") for text in ("", "soon", "14", "smarch 14", "2026-13-01", "ma 3", "3/14")),
    ],
)
def test_a_day_that_does_not_exist(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=f"^{problem}"):
        read_date(text)


# -- addresses -------------------------------------------------------------------------------------------

ISO = DAYS.map(datetime.date.isoformat)
PEOPLE = st.integers(1, 12)
ID = st.from_regex(r"[a-z]{1,9}(-[a-z]{1,9})?", fullmatch=True)
PLACE = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)
ADDRESSES = st.one_of(
    st.just(Address()),
    st.tuples(PLACE, ISO, PEOPLE, st.integers(1, 99)).map(lambda given: Address("results", *given)),
    st.tuples(st.just(""), ISO, PEOPLE, st.just(1), ID).map(lambda given: Address("restaurant", *given)),
    st.tuples(st.just(""), ISO, PEOPLE, st.just(1), ID, st.just("19.30")).map(lambda it: Address("details", *it)),
)


@given(ADDRESSES)
def test_an_address_that_is_written_is_read_again(address: Address) -> None:
    assert read_url(url_of(address)) == read_url(f"https://tables.example{url_of(address)}") == address


def test_an_address_of_a_restaurant() -> None:
    address = Address("restaurant", restaurant="olive", date="2026-03-14", people=4)
    assert url_of(address) == "/at/olive?date=2026-03-14&people=4"
    assert read_url("at/Olive/?people=4&date=march+14") == address


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("/done", "nothing is booked yet"),
        ("/somewhere", "there is nothing at this address"),
        ("/at", "there is nothing at this address"),
        ("/at/olive/more", "there is nothing at this address"),
        ("http://[", "there is nothing at this address"),
        ("https://elsewhere.example/", "this browser stays at tables.example"),
        ("file:///etc/passwd", "this browser stays at tables.example"),
        ("/at/olive", "the date cannot be read"),
        ("/at/olive?date=2026-03-14", "people is a number from 1 to 12"),
        ("/at/olive?date=2026-02-30&people=4", "there is no february 30"),
    ],
)
def test_an_address_that_leads_nowhere(url: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        read_url(url)


@pytest.mark.parametrize("text", ["", "0", "13", "four", "2.5", "-1", "٣", "9" * 5000])
def test_what_is_no_number_of_people(text: str) -> None:
    assert (read_people(" 1 "), read_people("12")) == (1, 12)
    with pytest.raises(ValueError, match="people is a number from 1 to 12"):
        read_people(text)


# -- what means the same ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "typed", "wanted", "is_same"),
    [
        ("first", " Ada ", "ada", True),
        ("first", "adam", "ada", False),
        ("last", "", "moss", False),
        ("phone", "555-0107", "5550107", True),
        ("phone", "5550108", "5550107", False),
        ("email", "Moss42@Mail.net", "moss42@mail.net", True),
        ("email", "moss42@mail.nett", "moss42@mail.net", False),
        ("date", "14 March", "march 14", True),
        ("date", "march 15", "march 14", False),
        ("date", "tomorrow", "march 14", False),
        ("occasion", "", "", True),
    ],
)
def test_what_means_the_same(name: str, typed: str, wanted: str, is_same: bool) -> None:
    assert same(name, typed, wanted) is is_same


def test_what_is_an_email_address() -> None:
    good, bad = ("a@b.net", "a @b. NET", "a.b@c.d.org"), ("", "a", "a@b", "@b.net", "a@b@c.net", "a@.", "a@b.1")
    assert (all(map(is_email, good)), any(map(is_email, bad))) == (True, False)
