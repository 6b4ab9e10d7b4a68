"""The phone as a web site: requests become its commands, and its screens become pages.

There are no other rules than the simulator's: a button is a tap, and what a field comes to hold is filled in. All
screens have one address, so that no other leads anywhere.
"""

from __future__ import annotations

import urllib.parse
from collections.abc import Mapping
from http import HTTPStatus

from agentgym.browser.served import Reply, Request
from agentgym.environments.android_like.pages import ACT, BAR, TAP, TYPED, page
from agentgym.environments.android_like.phone import Command, Phone

__all__ = ["PhoneSite"]


class PhoneSite:
    """What the browser of one phone is answered."""

    def __init__(self) -> None:
        self.phone: Phone | None = None
        self.problem = ""
        """What was wrong with what was done since somebody last looked here."""
        self._alert = ""
        """What the page complains of, until something else is done."""

    def open(self, phone: Phone) -> str:
        """Begin with, or go on from, a phone. Returns the address to come in by."""
        self.phone, self.problem, self._alert = phone, "", ""
        return "/"

    def __call__(self, request: Request) -> Reply:
        """The reply."""
        path, phone = urllib.parse.urlsplit(request.path).path, self.phone
        if phone is None:
            return _plain("the phone is off", HTTPStatus.SERVICE_UNAVAILABLE)
        if request.method == "POST":
            return self._sent(phone, path, request.form)
        return Reply(page(phone, self._alert)) if path == "/" else Reply.redirect("/")

    def _sent(self, phone: Phone, path: str, form: Mapping[str, str]) -> Reply:
        if path == TYPED and not phone.is_over:
            self._fill(phone, form.get("id", ""), form.get("value", ""))
            return _plain("", HTTPStatus.OK)
        if path == ACT and not phone.is_over:
            self._alert = ""
            for id, value in form.items():
                self._fill(phone, id, value)
            if TAP in form:
                self._tap(phone, form[TAP])
        return Reply.redirect("/")

    def _fill(self, phone: Phone, id: str, value: str) -> None:
        """Let a field hold ``value``, if it does not yet."""
        node = phone.screen.find(id)
        if node is not None and node.kind == "field" and node.value != value:
            self.problem = phone.obey(Command("fill", id, value)) or ""

    def _tap(self, phone: Phone, id: str) -> None:
        problem = phone.obey(Command(id) if id in BAR else Command("tap", id))
        self.problem = self._alert = problem or ""


def _plain(text: str, status: HTTPStatus) -> Reply:
    return Reply(text, "text/plain; charset=utf-8", status)
