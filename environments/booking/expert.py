"""Booking the right table from wherever one stands: the next command, from the page and the wish alone.

It deals with what lies over the page, asks for what is missing where that is needed first, and corrects what is wrong.
"""

from __future__ import annotations

from agentgym.environments.booking.dates import told
from agentgym.environments.booking.session import Session
from agentgym.environments.booking.values import same

__all__ = ["next_action"]


def next_action(session: Session) -> str:
    """What to do now."""
    if session.state.overlays:
        return _out_of_the_way(session)
    match session.state.at.at:
        case "home":
            return _search(session)
        case "results":
            return _choose(session)
        case "restaurant":
            return _take_time(session)
        case _:
            return _fill_in(session)


def _out_of_the_way(session: Session) -> str:
    top = session.state.overlays[-1]
    if top == "calendar":
        return _turn_to_the_day(session)
    return _click(session, {"cookies": "decline", "news": "close", "offer": "no"}[top])


def _turn_to_the_day(session: Session) -> str:
    wanted, month = session.wish.date, session.state.month
    if same("date", session.state.search["date"], told(wanted)):
        return _click(session, "close")
    if month != wanted.month:
        return _click(session, "next" if month < wanted.month else "prev")
    return _click(session, str(wanted.day))


def _search(session: Session) -> str:
    wish = session.wish
    wanted = {"place": wish.place, "date": told(wish.date), "people": str(wish.people)}
    return _next_field(session, session.state.search, wanted) or _submit(session, "find")


def _next_field(session: Session, typed: dict[str, str], wanted: dict[str, str]) -> str:
    """What to do with the first field that is not right; "" where all are."""
    for name, value in wanted.items():
        if same(name, typed[name], value):
            continue
        if name in session.wish.missing and not session.state.has_asked:
            return "ASK USER HELP"
        if name == "occasion":
            return _click(session, value or typed[name])
        if name == "date" and session.site.difficulty.has_calendar:
            return _click(session, name)
        return _seen(session, name) or (f"CLEAR[{name}]" if typed[name] else f"TYPE[{name}][{value}]")
    return ""


def _is_as_wanted(session: Session) -> bool:
    """Whether day and number of people are."""
    at, wish = session.state.at, session.wish
    return (at.date, at.people) == (wish.date.isoformat(), wish.people)


def _choose(session: Session) -> str:
    at, wish = session.state.at, session.wish
    if not _is_as_wanted(session) or not same("place", at.place, wish.place):
        return _click(session, "home")
    page = session.site.found[wish.place].index(wish.restaurant) // session.site.difficulty.per_page + 1
    if page != at.page:
        return _click(session, "next" if at.page < page else "prev")
    return _click(session, wish.restaurant)


def _take_time(session: Session) -> str:
    if not _is_as_wanted(session):
        return _click(session, "home")
    if session.state.at.restaurant != session.wish.restaurant:
        return _click(session, "back")
    if "time" in session.wish.missing and not session.state.has_asked:
        return "ASK USER HELP"
    return _click(session, session.wish.time)


def _fill_in(session: Session) -> str:
    at, wish = session.state.at, session.wish
    if not _is_as_wanted(session) or (at.restaurant, at.time) != (wish.restaurant, wish.time):
        return _click(session, "back")
    return _next_field(session, session.state.guest, dict(wish.guest)) or _submit(session, "book")


def _click(session: Session, id: str) -> str:
    return _seen(session, id) or f"CLICK[{id}]"


def _submit(session: Session, id: str) -> str:
    return _seen(session, id) or f"SUBMIT[{id}]"


def _seen(session: Session, id: str) -> str:
    """How to bring an element into view; "" where it is."""
    shown = next(number for number, line in enumerate(session.lines) if id in line.ids)
    screen = shown // (session.site.difficulty.view or len(session.lines))
    if screen == session.state.screen:
        return ""
    return f"SCROLL[{'down' if screen > session.state.screen else 'up'}]"
