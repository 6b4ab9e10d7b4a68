"""The booking site by hand: pages, commands that fit and those that do not, pop-ups, the calendar, the user."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from agentgym.environments.booking import Booking
from agentgym.environments.booking.dates import MONTHS, YEAR, told
from agentgym.environments.booking.levels import Level
from agentgym.environments.booking.wish import GO_ON
from agentgym.hint import hints_for
from tests.unit.environments.booking_kit import begun, by_expert_to, problem, said, seen, step

# -- pages and the way through them ----------------------------------------------------------------------


def test_a_booking_by_hand() -> None:
    env = begun()
    wish = env.session.wish
    when = f"{told(wish.date)}, {wish.people} people"
    assert str(env._seen) == (
        f"task: book {wish.name}, place {wish.place}, date {told(wish.date)}, people {wish.people}, time {wish.time}, "
        f"first {wish.guest['first']}, last {wish.guest['last']}.\n"
        "find a table\n[place] -\n[date] -\n[people] -\n[find]"
    )
    step(env, f"TYPE[place][{wish.place}]", f"TYPE[date][{told(wish.date)}]", f"TYPE[people][{wish.people}]")
    assert seen(env)[1:] == [f"[place] {wish.place}", f"[date] {told(wish.date)}", f"[people] {wish.people}", "[find]"]
    step(env, "SUBMIT[find]")
    facts = [env.site.restaurants[id] for id in env.site.found[wish.place]]
    assert seen(env) == [
        f"{wish.place}, {when}",
        *(f"[{one.id}] {one.cuisine}, {one.rating}" for one in facts),
        "[home]",
    ]
    step(env, f"CLICK[{wish.restaurant}]")
    assert seen(env) == [f"{wish.name}, {when}", "[18.00] [19.00] [20.00] [21.00]", "[back] [home]"]
    step(env, f"CLICK[{wish.time}]")
    booked = f"{wish.name}, {told(wish.date)}, {wish.time}, {wish.people} people"
    assert seen(env) == [booked, "[first] -", "[last] -", "[book]", "[back] [home]"]
    step(env, f"TYPE[first][{wish.guest['first']}]", f"TYPE[last][{wish.guest['last']}]")
    done = step(env, "SUBMIT[book]")
    assert seen(env)[0] == f"confirmed: {booked}"
    assert seen(env)[1].startswith(f"{wish.guest['first']} {wish.guest['last']}, number ")
    assert done[1:4] == (1.0, True, False)
    assert done.info["success"] is True
    assert done.observation.admissible == ()


def test_what_is_admissible_is_what_is_seen() -> None:
    env = begun()
    assert step(env, "TYPE[place][rome]").observation.admissible == (
        *("TYPE[place][<text>]", "CLEAR[place]", "TYPE[date][<text>]", "TYPE[people][<text>]", "SUBMIT[find]"),
        *("GOTO[/]", "ASK USER HELP"),
    )
    env = by_expert_to(begun(), "restaurant")
    assert step(env, "ASK USER HELP").observation.admissible == (
        *(f"CLICK[{id}]" for id in ("18.00", "19.00", "20.00", "21.00", "back", "home")),
        *("GOTO[/]", "ASK USER HELP"),
    )


@pytest.mark.parametrize("level", ["b1", "b2", "b3", "b4", "b5"])
def test_whatever_is_admissible_has_an_effect(level: Level) -> None:
    env = begun(level)
    expert = env.expert()
    for _ in range(60):
        here = env.snapshot()
        for action in here.observation.admissible or ():
            if action not in ("SUBMIT[find]", "SUBMIT[book]", "SUBMIT[join]"):  # which may lack something
                result = step(env, action.replace("<text>", "word"))
                assert "invalid_action" not in result.info, action
                env.restore(here)
        if step(env, str(expert(here.observation))).terminated:
            return
    raise AssertionError("no end")


def test_results_have_pages_and_every_restaurant_is_on_one() -> None:
    env = by_expert_to(begun("b3", such=lambda wish: not wish.popups), "results")
    found: list[str] = []
    while True:
        ids = [line.split("]")[0][1:] for line in seen(env)[1:-1]]
        found += ids
        if "[next]" not in seen(env)[-1]:
            break
        step(env, "CLICK[next]")
    assert tuple(found) == env.site.found[env.session.wish.place]
    assert seen(env)[0].endswith("page 3 of 3")
    assert seen(env)[-1] == "[home] [prev]"
    step(env, "CLICK[prev]", "CLICK[prev]")
    assert seen(env)[-1] == "[home] [next]"
    assert problem(env, "CLICK[prev]") == "there is no element prev here"


def test_a_place_that_the_site_does_not_know_has_no_restaurants() -> None:
    env = begun()
    day = told(env.session.wish.date)
    step(env, "TYPE[place][Atlantis]", f"TYPE[date][{day}]", "TYPE[people][2]", "CLICK[find]")
    assert seen(env) == [f"atlantis, {day}, 2 people", "nothing found", "[home]"]


def test_ways_back_keep_what_was_typed() -> None:
    env = by_expert_to(begun(), "details")
    wish = env.session.wish
    step(env, "TYPE[first][zoe]", "CLICK[back]")
    assert seen(env)[0].startswith(f"{wish.name}, ")
    step(env, "CLICK[back]")
    assert seen(env)[0].startswith(f"{wish.place}, ")
    step(env, "CLICK[home]")
    assert seen(env)[1] == f"[place] {wish.place}"
    by_expert_to(env, "details")
    assert "[first] zoe" in seen(env)


def test_an_address_leads_to_its_page() -> None:
    env = begun()
    wish = env.session.wish
    query = f"date={wish.date}&people={wish.people}"
    for url, first in (
        (f"/find?place={wish.place}&{query}&page=1", f"{wish.place}, {told(wish.date)}"),
        (f"/at/{wish.restaurant}?{query}", f"{wish.name}, {told(wish.date)}"),
        (f"https://tables.example/book/{wish.restaurant}?{query}&time={wish.time}", f"{wish.name}, {told(wish.date)}"),
        ("/", "find a table"),
    ):
        result = step(env, f"GOTO[{url}]")
        assert seen(env)[0].startswith(first)
        assert "invalid_action" not in result.info
        assert url.endswith(result.info["url"])
    step(env, f"GOTO[/at/{wish.restaurant}?{query}]", "CLICK[back]")
    assert seen(env)[0].startswith(wish.place)


# -- commands that do not fit ----------------------------------------------------------------------------


def test_commands_that_do_not_fit_the_search() -> None:
    env = begun()
    assert problem(env, "go to the shop").startswith("expected CLICK[id], TYPE[id][text], ")
    assert problem(env, "CLICK[nowhere]") == "there is no element nowhere here"
    assert problem(env, "TYPE[{{7*7}}][x]") == "there is no element of that name here"
    assert problem(env, "CLICK[place]") == "place is a field: type into it"
    assert problem(env, "TYPE[find][x]") == "find is no field"
    assert problem(env, "CLEAR[find]") == "find is no field"
    assert problem(env, "CLEAR[place]") == "place is empty"
    assert problem(env, f"TYPE[place][{'x' * 61}]") == "place takes 60 characters"
    assert problem(env, "SCROLL[down]") == "the page does not go on further down"
    assert problem(env, "SCROLL[up]") == "the page does not go on further up"
    assert problem(env, "SCROLL[left]").startswith("expected CLICK")
    assert problem(env, "GOTO[/nowhere]") == "there is nothing at this address"
    assert problem(env, "SUBMIT[find]") == "place is empty"
    assert step(env, f"TYPE[place][{'x' * 60}]").info.get("invalid_action") is None
    assert problem(env, "SUBMIT[place]") == "date is empty"  # any element of a form sends it off


@pytest.mark.parametrize(
    ("date", "people", "told_then"),
    [
        ("february 30", "2", "there is no february 30"),
        ("soon", "2", "the date cannot be read: write a month and a day"),
        ("december 24", "13", "people is a number from 1 to 12"),
        ("december 24", "0", "people is a number from 1 to 12"),
        ("december 24", "two", "people is a number from 1 to 12"),
        ("december 24, 2027", "2", "there are only dates in 2026"),
    ],
)
def test_a_search_that_cannot_be_made(date: str, people: str, told_then: str) -> None:
    env = begun()
    step(env, "TYPE[place][rome]", f"TYPE[date][{date}]", f"TYPE[people][{people}]")
    assert problem(env, "SUBMIT[find]") == told_then


def test_days_that_are_over_cannot_be_booked_and_today_can() -> None:
    env = begun()
    today = env.session.wish.today
    before = today - datetime.timedelta(days=1)
    step(env, "TYPE[place][rome]", f"TYPE[date][{told(before)}]", "TYPE[people][2]")
    assert problem(env, "SUBMIT[find]") == f"{told(before)} is over: today is {told(today)}"
    assert problem(env, f"GOTO[/find?place=rome&date={before}&people=2]").startswith(f"{told(before)} is over")
    assert "invalid_action" not in step(env, "CLEAR[date]", f"TYPE[date][{told(today)}]", "SUBMIT[find]").info


def test_typing_adds_and_clearing_empties() -> None:
    env = begun()
    step(env, "TYPE[people][1]", "TYPE[people][0]")
    assert "[people] 10" in seen(env)
    step(env, "CLEAR[people]")
    assert "[people] -" in seen(env)


def test_times_that_are_sold_out_cannot_be_had() -> None:
    env = begun("b2")
    by_expert_to(env, "restaurant")
    wish, times = env.session.wish, env.site.difficulty.times
    free = env.site.free_times(wish.restaurant, wish.date, wish.people)
    gone = next(time for time in times if time not in free)
    assert f"{gone} sold out" in seen(env)[1]
    assert f"[{gone}]" not in seen(env)[1]
    assert problem(env, f"CLICK[{gone}]") == f"there is no element {gone} here"
    url = f"/book/{wish.restaurant}?date={wish.date}&people={wish.people}&time="
    assert problem(env, f"GOTO[{url}{gone}]") == "there is no table at that time"
    assert problem(env, f"GOTO[{url}12.00]") == "there is no table at that time"
    assert "invalid_action" not in step(env, f"GOTO[{url}{free[0]}]").info


def test_addresses_of_what_the_site_does_not_have() -> None:
    env = begun("b2")
    step(env, "CLICK[decline]")
    query = f"date={env.session.wish.date}&people=2"
    assert problem(env, f"GOTO[/at/nobody?{query}]") == "there is no such restaurant"
    for wrong in ("place=rome&page=3", "place=rome&page=0", "place=&page=1", "place=a%0Ab&page=1", "place=oz&page=2"):
        assert problem(env, f"GOTO[/find?{wrong}&{query}]") == "there is no such page of results"
    assert "invalid_action" not in step(env, f"GOTO[/find?place=rome&page=2&{query}]").info
    assert "invalid_action" not in step(env, f"GOTO[/find?place=oz&page=1&{query}]").info


@pytest.mark.parametrize(
    ("field", "typed", "told_then"),
    [
        ("first", "", "first is empty"),
        ("email", "", "email is empty"),
        ("email", "nobody", "email is no e-mail address"),
        ("phone", "555", "phone is no phone number: it has 7 digits or more"),
    ],
)
def test_a_form_that_cannot_be_sent(field: str, typed: str, told_then: str) -> None:
    env = by_expert_to(begun("b3"), "details")
    for name, value in {**env.session.wish.guest, field: typed}.items():
        if value:
            step(env, f"TYPE[{name}][{value}]")
    assert problem(env, "SUBMIT[book]") == told_then
    assert f'<p role="alert">{told_then}</p>' in env.html
    assert problem(env, "SUBMIT[back]") == "this is no form"


# -- what lies over a page -------------------------------------------------------------------------------


def test_a_popup_takes_all_commands_but_addresses() -> None:
    env = begun("b2", such=lambda wish: "cookies" in wish.popups)
    assert seen(env) == ["we use cookies", "[accept] [decline]"]
    assert problem(env, "TYPE[place][rome]") == "something lies over the page and must be dealt with first"
    assert problem(env, "SUBMIT[find]") == "something lies over the page and must be dealt with first"
    assert problem(env, "CLICK[nothing]") == "there is no element nothing here"
    step(env, "CLICK[accept]")
    assert seen(env)[0] == "find a table"
    assert seen(step_home(env)) == ["find a table", "[place] -", "[date] -", "[people] -", "[find]"]


def step_home(env: Booking) -> Booking:
    step(env, "GOTO[/]")
    return env


def test_popups_lie_over_each_other_and_the_last_is_on_top() -> None:
    env = begun("b3", such=lambda wish: wish.popups == ("cookies", "news"))
    step(env, f"GOTO[/find?place=rome&date={env.session.wish.date}&people=2]")
    assert env.session.state.overlays == ["cookies", "news"]
    assert seen(env) == ["get our news and save 10 percent", "[news] -", "[join] [close]"]
    assert problem(env, "CLICK[accept]") == "something lies over the page and must be dealt with first"
    assert problem(env, "SUBMIT[join]") == "news is no e-mail address"
    assert problem(env, "CLEAR[news]") == "news is empty"
    step(env, "TYPE[news][a]")
    assert problem(env, "SUBMIT[news]") == "news is no e-mail address"
    step(env, "CLEAR[news]", "TYPE[news][a@b.net]", "SUBMIT[join]")
    assert seen(env)[0] == "we use cookies"
    step(env, "CLICK[decline]")
    assert seen(env)[0].startswith("rome, ")
    assert said(env)[-1] == "SUBMIT[book]"


def test_an_offer_that_is_taken_moves_the_table() -> None:
    env = begun("b4", such=lambda wish: "offer" in wish.popups and wish.time < "19.00")
    by_expert_to(env, "details", without_popups=False)
    time, offered = env.session.state.at.time, env.session.offered
    assert seen(env) == [f"move your table to {offered} and get a free drink?", "[yes] [no]"]
    here = env.snapshot()
    step(env, "CLICK[no]")
    assert env.session.state.at.time == time
    env.restore(here)
    result = step(env, "CLICK[yes]")
    assert env.session.state.at.time == offered != time
    assert result.info["channels"]["date_and_time"] == 0
    assert said(env)[0] == "CLICK[back]"
    env.restore(here)
    step(env, "GOTO[/]")
    assert env.session.state.overlays == []


def test_nobody_is_offered_the_time_that_they_have() -> None:
    env = begun("b4", such=lambda wish: "offer" in wish.popups and wish.time == "21.30")
    by_expert_to(env, "details", without_popups=False)
    assert env.session.state.overlays == []
    assert env.session.state.to_come == ["offer"]


def test_what_comes_up_comes_up_once() -> None:
    env = begun("b4", such=lambda wish: len(wish.popups) == 3)
    said(env)
    assert env.session.state.to_come in ([], ["offer"])
    assert env.session.state.overlays == []


# -- the calendar ----------------------------------------------------------------------------------------


def opened() -> Booking:
    env = begun("b3", such=lambda wish: not wish.popups and wish.today.month < 9)
    step(env, "CLICK[date]")
    return env


def test_the_calendar_has_the_days_from_today_on() -> None:
    env = opened()
    today = env.session.wish.today
    rest = range(today.day, 32)
    days = [f"[{day}]" for day in rest if _exists(today.month, day)]
    assert seen(env) == [f"{MONTHS[today.month - 1]} {YEAR}", " ".join(["[next] [close]", *days])]
    assert problem(env, "CLICK[prev]") == "there is no element prev here"
    assert problem(env, "CLICK[32]") == "there is no element 32 here"
    if today.day > 1:
        assert problem(env, f"CLICK[{today.day - 1}]") == f"there is no element {today.day - 1} here"
    step(env, "CLICK[next]", "CLICK[next]", "CLICK[prev]")
    assert seen(env)[0] == f"{MONTHS[today.month]} {YEAR}"
    assert seen(env)[1].startswith("[prev] [next] [close] [1] [2] ")
    step(env, "CLICK[1]")
    assert f"[date] {MONTHS[today.month]} 1" in seen(env)
    step(env, "CLICK[date]")
    assert seen(env)[0] == f"{MONTHS[today.month]} {YEAR}", "it opens where the chosen day is"
    step(env, "CLICK[close]")
    assert f"[date] {MONTHS[today.month]} 1" in seen(env)
    step(env, "CLEAR[date]")
    assert "[date] -" in seen(env)


def _exists(month: int, day: int) -> bool:
    try:
        return bool(datetime.date(YEAR, month, day))
    except ValueError:
        return False


def test_the_calendar_ends_with_the_year() -> None:
    env = opened()
    for _ in range(12 - env.session.wish.today.month):
        step(env, "CLICK[next]")
    assert seen(env)[0] == f"december {YEAR}"
    assert problem(env, "CLICK[next]") == "there is no element next here"
    step(env, "CLICK[31]")
    assert "[date] december 31" in seen(env)


def test_where_there_is_a_calendar_no_date_is_typed() -> None:
    env = opened()
    assert problem(env, "TYPE[place][rome]") == "something lies over the page and must be dealt with first"
    step(env, "CLICK[close]")
    assert problem(env, "TYPE[date][march 14]") == "the date is chosen in a calendar, which a click opens"
    assert problem(env, "SUBMIT[find]") == "place is empty"
    step(env, "CLICK[date]", "GOTO[/]")
    assert env.session.state.overlays == []


# -- scrolling -------------------------------------------------------------------------------------------


def test_of_a_long_page_a_part_is_seen_and_scrolling_shows_the_rest() -> None:
    env = by_expert_to(begun("b5"), "results")
    whole = [line.text for line in env.session.lines]
    assert len(whole) > 8
    assert seen(env) == whole[:8]
    assert problem(env, "SCROLL[up]") == "the page does not go on further up"
    result = step(env, "SCROLL[down]")
    assert seen(env) == whole[8:]
    assert str(result.observation).endswith("\n(screen 2 of 2)")
    assert "SCROLL[up]" in (result.observation.admissible or ())
    assert "SCROLL[down]" not in (result.observation.admissible or ())
    assert "CLICK[home]" in (result.observation.admissible or ())
    assert problem(env, "SCROLL[down]") == "the page does not go on further down"
    step(env, "CLICK[next]")
    assert env.session.state.screen == 0


# -- the user --------------------------------------------------------------------------------------------


def test_the_user_tells_what_is_missing_and_it_stays_on_every_page() -> None:
    env = begun("b5", such=lambda wish: wish.missing == ("people", "phone"))
    wish = env.session.wish
    assert wish.guest["phone"] not in wish.text
    assert f"for {wish.people}" not in wish.text
    told_then = f"user: people {wish.people}, phone {wish.guest['phone']}."
    assert str(step(env, "ASK USER HELP").observation).splitlines()[1] == told_then
    assert told_then in str(step(env, "GOTO[/]").observation).splitlines()
    assert f"user: {GO_ON}" in str(step(env, "ASK USER HELP").observation).splitlines()
    assert f"user: {GO_ON}" not in str(step(env, "GOTO[/]").observation)


def test_a_user_who_has_said_all_says_to_go_on() -> None:
    env = begun()
    result = step(env, "ask user help")
    assert str(result.observation).splitlines()[1] == "user: go on, you know all that you need."
    assert "invalid_action" not in result.info
    assert "user" not in str(step(env, "TYPE[place][x]").observation)


def test_what_is_not_missing_is_in_the_task() -> None:
    for level, level_facts in {"b3": 0, "b4": 1, "b5": 2}.items():
        env = Booking(level=level)  # type: ignore[arg-type]  # it is one
        for task in range(60):
            env.reset(options={"task": task})
            wish = env.session.wish
            assert len(wish.missing) == level_facts
            facts: dict[str, Any] = {"time": wish.asked_time, **wish.guest}
            absent = {name for name, fact in facts.items() if fact and fact not in wish.text}
            assert absent == set(wish.missing) - {"people"}
            assert all(facts[name] in wish.answer for name in absent)
            assert wish.name in wish.text
            assert told(wish.date) in wish.text


# -- hints -----------------------------------------------------------------------------------------------

WRONG = (
    *("jump", "CLICK[nowhere]", "CLICK[place]", "TYPE[find][x]", "CLEAR[people]", "SCROLL[down]", "GOTO[/x]"),
    *("GOTO[/done]", "GOTO[http://x.y/]", "GOTO[/at/x?date=december+1&people=2]", "GOTO[/at/x?date=x&people=2]"),
    *("GOTO[/at/x?date=february+31&people=2]", "GOTO[/at/x?date=december+1&people=99]", "SUBMIT[find]"),
    *("GOTO[/at/x?date=january+1&people=2]", f"TYPE[place][{'x' * 61}]", "GOTO[/find?date=december+1&people=2]"),
    "GOTO[/at/x?date=2027-01-01&people=2]",
)


@pytest.mark.parametrize("action", WRONG)
def test_every_mistake_has_its_hint(action: str) -> None:
    told_then = problem(begun(), action)
    assert len(hints_for(Booking.hints, action, told_then)) == 1, told_then
