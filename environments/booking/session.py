"""One guest's way through the site: where they are, and what a command does.

A command that does not fit changes nothing but the notice, which says why. Typing adds to what a field holds, as at a
keyboard; CLEAR empties it.
"""

from __future__ import annotations

import datetime
import re

from agentgym.environments.booking import pages
from agentgym.environments.booking.commands import UNREADABLE, Command, parse_command
from agentgym.environments.booking.dates import YEAR, read_date, told
from agentgym.environments.booking.pages import Block, Node, Page
from agentgym.environments.booking.render import Line, lines
from agentgym.environments.booking.site import Restaurant, Site
from agentgym.environments.booking.state import State
from agentgym.environments.booking.urls import Address, read_people, read_url, url_of
from agentgym.environments.booking.values import digits, is_email, plain, same
from agentgym.environments.booking.wish import GO_ON, Wish

__all__ = ["Session"]

_LONGEST_VALUE = 60
"""Characters that a field takes."""
_OF_ONE_PAGE = ("calendar", "offer")
"""What lies over a page and goes away with it."""


class Session:
    """A state on a site, and the page it shows."""

    def __init__(self, site: Site, wish: Wish, state: State) -> None:
        self.site, self.wish, self.state = site, wish, state
        self._come_up()
        self._show()

    # -- what there is to see ------------------------------------------------------------------------

    @property
    def url(self) -> str:
        """The address of the page."""
        return url_of(self.state.at)

    @property
    def view(self) -> list[Line]:
        """The lines that are seen of the page."""
        size, top = self.site.difficulty.view or len(self.lines), self.state.screen
        return self.lines[top * size : (top + 1) * size]

    @property
    def num_screens(self) -> int:
        """How many such views the page has."""
        size = self.site.difficulty.view
        return -(-len(self.lines) // size) if size else 1

    @property
    def restaurant(self) -> Restaurant | None:
        """That the page is about."""
        return self.site.restaurants.get(self.state.at.restaurant)

    @property
    def offered(self) -> str:
        """The time that the pop-up "offer" has: the last free one, which is another; "" where there is none."""
        at = self.state.at
        free = self._free_times() if at.at == "details" else []
        return free[-1] if free and free[-1] != at.time else ""

    def _show(self) -> None:
        self.page = self._page()
        self.lines = lines(self.page)

    def _page(self) -> Page:
        bare, state = self._bare_page(), self.state
        return bare._replace(overlays=tuple(self._overlay(name) for name in state.overlays))

    def _overlay(self, name: str) -> Block:
        if name == "calendar":
            return pages.calendar(self.state.month, self.wish.today)
        return pages.popup(name, self.state.news, self.offered)

    def _bare_page(self) -> Page:
        state, at, difficulty = self.state, self.state.at, self.site.difficulty
        match at.at:
            case "home":
                today = told(self.wish.today) if difficulty.is_spoken else ""
                return pages.home_page(today, state.search, has_calendar=difficulty.has_calendar)
            case "results":
                return self._results_page()
            case "restaurant":
                return self._restaurant_page()
            case "details":
                return pages.details_page(self._booked(), difficulty.details, state.guest)
            case "done":
                guest = f"{state.guest['first']} {state.guest['last']}"
                return pages.done_page(self._booked(), guest, 1000 + state.task % 9000)

    def _results_page(self) -> Page:
        at, size = self.state.at, self.site.difficulty.per_page
        ids = self.site.found.get(plain(at.place), ())
        shown = ids[(at.page - 1) * size : at.page * size]
        links = [(self.site.restaurants[id], url_of(at._replace(at="restaurant", restaurant=id))) for id in shown]
        asked = f"{at.place}, {self._when()}"
        return pages.results_page(asked, links, at.page, -(-len(ids) // size), prices=self.site.difficulty.is_spoken)

    def _restaurant_page(self) -> Page:
        at, free = self.state.at, self._free_times()
        times = {
            time: url_of(at._replace(at="details", time=time)) if time in free else ""
            for time in self.site.difficulty.times
        }
        assert self.restaurant is not None
        return pages.restaurant_page(self.restaurant, self._when(), times, about=self.site.difficulty.is_spoken)

    def _free_times(self) -> list[str]:
        at = self.state.at
        return self.site.free_times(at.restaurant, datetime.date.fromisoformat(at.date), at.people)

    def _when(self, time: str = "") -> str:
        at = self.state.at
        day = told(datetime.date.fromisoformat(at.date))
        return ", ".join(filter(None, (day, time, f"{at.people} people")))

    def _booked(self) -> str:
        assert self.restaurant is not None
        return f"{self.restaurant.name}, {self._when(self.state.at.time)}"

    # -- commands ------------------------------------------------------------------------------------

    def act(self, action: str) -> str | None:
        """Perform ``action``. Returns what was wrong with it, in which case nothing but the notice has changed."""
        return self.obey(parse_command(action))

    def obey(self, command: Command | None) -> str | None:
        """The same with what an action says; None is what cannot be read."""
        self.state.notice = ""
        problem = UNREADABLE if command is None else self._perform(command)
        if problem is not None:
            self.state.notice = f"error: {problem}"
        self._come_up()
        self._show()
        return problem

    def _perform(self, command: Command) -> str | None:
        match command.verb:
            case "ask":
                self._ask()
                return None
            case "scroll":
                return self._scroll(command.target)
            case "goto":
                return self._go_to(command.target)
        found = self.page.find(command.target)
        if found is None:
            return self._not_there(command.target)
        block, node = found
        match command.verb:
            case "type":
                return self._type(node, command.text)
            case "clear":
                return self._clear(node)
            case "submit":
                return self._submit(block)
            case _:
                return self._click(node)

    def _ask(self) -> None:
        if not self.wish.missing or self.state.has_asked:
            self.state.notice = f"user: {GO_ON}"
        self.state.has_asked = True

    def _scroll(self, way: str) -> str | None:
        screen = self.state.screen + {"down": 1, "up": -1}.get(way, 0)
        if way not in ("up", "down"):
            return UNREADABLE
        if not 0 <= screen < self.num_screens:
            return f"the page does not go on further {way}"
        self.state.screen = screen
        return None

    def _not_there(self, id: str) -> str:
        if self.page.has(id):
            return "something lies over the page and must be dealt with first"
        shown = f" {id}" if re.fullmatch(r"[\w.-]{1,20}", id) else " of that name"
        return f"there is no element{shown} here"

    def _type(self, node: Node, text: str) -> str | None:
        if node.kind == "picker":
            return f"the {node.id} is chosen in a calendar, which a click opens"
        if node.kind != "field":
            return f"{node.id} is no field"
        if len(node.value + text) > _LONGEST_VALUE:
            return f"{node.id} takes {_LONGEST_VALUE} characters"
        self._fill(node.id, node.value + text)
        return None

    def _clear(self, node: Node) -> str | None:
        if node.kind not in ("field", "picker"):
            return f"{node.id} is no field"
        if not node.value:
            return f"{node.id} is empty"
        self._fill(node.id, "")
        return None

    def _fill(self, id: str, value: str) -> None:
        state = self.state
        if id == "news":
            state.news = value
        else:
            (state.search if id in state.search else state.guest)[id] = value

    def _submit(self, block: Block) -> str | None:
        if block.submit is None:
            return "this is no form"
        return self._click(block.submit)

    def _click(self, node: Node) -> str | None:
        if not node.does:
            return f"{node.id} is a field: type into it"
        problem: str | None = getattr(self, f"_{node.does}")(node.id)
        return problem

    # -- what clicks do, by the names that pages give them -------------------------------------------

    def _go(self, at: Address) -> None:
        self.state.at, self.state.screen = at, 0
        self.state.overlays = [name for name in self.state.overlays if name not in _OF_ONE_PAGE]

    def _come_up(self) -> None:
        """Show the pop-up that the page has to come up with, if it has one."""
        state = self.state
        for name, at in (("cookies", "home"), ("news", "results"), ("offer", "details")):
            if name in state.to_come and state.at.at == at and (name != "offer" or self.offered):
                state.to_come.remove(name)
                state.overlays.append(name)
                state.screen = 0

    def _go_to(self, url: str) -> str | None:
        try:
            at = read_url(url)
            if at.at != "home":
                self._check(at)
        except ValueError as error:
            return str(error)
        self._go(at)
        return None

    def _check(self, at: Address) -> None:
        """Raises ValueError for an address that leads nowhere."""
        date = datetime.date.fromisoformat(at.date)
        if date < self.wish.today:
            raise ValueError(f"{told(date)} is over: today is {told(self.wish.today)}")
        if at.at == "results":
            size = self.site.difficulty.per_page
            most = -(-len(self.site.found.get(plain(at.place), ())) // size)
            is_name = at.place.isprintable() and 0 < len(at.place) <= _LONGEST_VALUE
            if not (is_name and 1 <= at.page <= max(most, 1)):
                raise ValueError("there is no such page of results")
        elif at.restaurant not in self.site.restaurants:
            raise ValueError("there is no such restaurant")
        elif at.at == "details" and not self.site.is_free(at.restaurant, date, at.people, at.time):
            raise ValueError("there is no table at that time")

    def _go_home(self, _: str) -> None:
        self._go(Address())

    def _find(self, _: str) -> str | None:
        typed = self.state.search
        for name, value in typed.items():
            if not value:
                return f"{name} is empty"
        try:
            date, people = read_date(typed["date"]).isoformat(), read_people(typed["people"])
            at = Address("results", place=plain(typed["place"]), date=date, people=people)
            self._check(at)
        except ValueError as error:
            return str(error)
        self._go(at)
        return None

    def _turn_to(self, page: int) -> None:
        self._go(self.state.at._replace(page=page))

    def _next_page(self, _: str) -> None:
        self._turn_to(self.state.at.page + 1)

    def _previous_page(self, _: str) -> None:
        self._turn_to(self.state.at.page - 1)

    def _open_restaurant(self, id: str) -> None:
        self._go(self.state.at._replace(at="restaurant", restaurant=id))

    def _back_to_results(self, _: str) -> None:
        at = self.state.at
        place = at.place or self.site.restaurants[at.restaurant].place
        self._go(at._replace(at="results", restaurant="", place=place))

    def _take_time(self, time: str) -> None:
        self._go(self.state.at._replace(at="details", time=time))

    def _back_to_times(self, _: str) -> None:
        self._go(self.state.at._replace(at="restaurant", time=""))

    def _open_calendar(self, _: str) -> None:
        chosen = self.state.search["date"]
        self.state.month = read_date(chosen).month if chosen else self.wish.today.month
        self.state.overlays.append("calendar")
        self.state.screen = 0

    def _next_month(self, _: str) -> None:
        self.state.month += 1

    def _previous_month(self, _: str) -> None:
        self.state.month -= 1

    def _take_day(self, day: str) -> None:
        self.state.search["date"] = told(datetime.date(YEAR, self.state.month, int(day)))
        self._close("")

    def _close(self, _: str) -> None:
        self.state.overlays.pop()
        self.state.screen = 0

    def _take_offer(self, _: str) -> None:
        self.state.at = self.state.at._replace(time=self.offered)
        self._close("")

    def _join(self, _: str) -> str | None:
        if not is_email(self.state.news):
            return "news is no e-mail address"
        self._close("")
        return None

    def _choose_occasion(self, occasion: str) -> None:
        """Choose it; a second click takes it back."""
        guest = self.state.guest
        guest["occasion"] = "" if guest["occasion"] == occasion else occasion

    def _book(self, _: str) -> str | None:
        for name, value in self.state.guest.items():
            if not value and name not in ("occasion", "request"):
                return f"{name} is empty"
            if name == "email" and not is_email(value):
                return "email is no e-mail address"
            if name == "phone" and len(digits(value)) < 7:
                return "phone is no phone number: it has 7 digits or more"
        self._go(self.state.at._replace(at="done"))
        return None

    # -- the four conditions -------------------------------------------------------------------------

    def conditions(self) -> dict[str, float]:
        """What is right so far, each 0 or 1; all four are at the end of an episode that is a success."""
        at, wish, guest = self.state.at, self.wish, self.state.guest
        holds = {
            "date_and_time": (at.date, at.time) == (wish.date.isoformat(), wish.time),
            "party_size": at.people == wish.people,
            "guest": all(same(name, guest[name], value) for name, value in wish.guest.items()),
            "completed": at.at == "done" and at.restaurant == wish.restaurant,
        }
        return {name: float(value) for name, value in holds.items()}
