"""The tables as a web site: requests become the simulator's commands, and its pages become HTML.

There are no other rules than the simulator's: a button is CLICK, what a field comes to hold is CLEAR and TYPE, a link
of the page is CLICK on it, and any other address is GOTO. An address that a reply of the site sent the browser to only
shows the page that it is of.
"""

from __future__ import annotations

import urllib.parse
from collections.abc import Mapping
from http import HTTPStatus

from agentgym.browser.served import Reply, Request
from agentgym.environments.booking.commands import Command
from agentgym.environments.booking.session import Session
from agentgym.environments.booking_browser.pages import ACT, CLEAR, CLICK, TYPED, page

__all__ = ["TablesSite"]


class TablesSite:
    """What one guest's browser is answered."""

    def __init__(self) -> None:
        self.session: Session | None = None
        self.problem = ""
        """What was wrong with what was done since somebody last looked here."""
        self._sent_to = ""
        """The address of the last redirect, until the browser has come there."""

    def open(self, session: Session) -> str:
        """Begin, or go on from, a session. Returns the address to come in by, which only shows the page."""
        self.session, self._sent_to, self.problem = session, session.url, ""
        return session.url

    def __call__(self, request: Request) -> Reply:
        """The reply."""
        path, session = urllib.parse.urlsplit(request.path).path, self.session
        if session is None:
            return _plain("the site is closed", HTTPStatus.SERVICE_UNAVAILABLE)
        if request.method == "POST":
            return self._sent(session, path, request.form)
        return self._come_to(session, request.path)

    def _sent(self, session: Session, path: str, form: Mapping[str, str]) -> Reply:
        is_open = session.state.at.at != "done"
        if path == TYPED:
            if is_open:
                self._fill(session, form.get("id", ""), form.get("value", ""))
            return _plain(_complaint(session), HTTPStatus.OK)
        if path == ACT and is_open:
            for id, value in form.items():
                self._fill(session, id, value)
            for verb in (CLICK, CLEAR):
                if verb in form:
                    self._obey(session, Command(verb, form[verb]))
        return self._redirect(session)

    def _come_to(self, session: Session, address: str) -> Reply:
        is_expected = address == self._sent_to
        self._sent_to = ""
        if is_expected or session.state.at.at == "done":
            return Reply(page(session, _complaint(session)))
        self._obey(session, _command(session, address))
        return self._redirect(session)

    def _fill(self, session: Session, id: str, value: str) -> None:
        """Let a field that can be reached hold ``value``, if it does not yet."""
        found = session.page.find(id)
        value = " ".join(value.split())
        if found is None or found[1].kind != "field" or found[1].value == value:
            return
        held = found[1].value
        if held and not value.startswith(held):
            self._obey(session, Command("clear", id))
            held = ""
        if value != held:
            self._obey(session, Command("type", id, value[len(held) :]))

    def _obey(self, session: Session, command: Command) -> None:
        self.problem = session.obey(command) or ""

    def _redirect(self, session: Session) -> Reply:
        self._sent_to = session.url
        return Reply.redirect(session.url)


def _command(session: Session, address: str) -> Command:
    links = (node for block in session.page.active for node in block.nodes if node.url == address)
    link = next(links, None)
    return Command("click", link.id) if link else Command("goto", address)


def _complaint(session: Session) -> str:
    """What is wrong with the last thing that was done there; "" where nothing is."""
    notice = session.state.notice
    return notice.removeprefix("error: ") if notice.startswith("error: ") else ""


def _plain(text: str, status: HTTPStatus) -> Reply:
    return Reply(text, "text/plain; charset=utf-8", status)
