"""Sites without a browser: a visitor that follows redirects and reads what it gets."""

from __future__ import annotations

from bs4 import BeautifulSoup

from agentgym.browser.served import Reply, Request, Site

__all__ = ["Guest"]


class Guest:
    """One who sends requests, as a browser would for what is clicked on."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.path = ""

    def get(self, path: str) -> BeautifulSoup:
        return self._followed(path, self.site(Request("GET", path, {})))

    def post(self, path: str, **form: str) -> BeautifulSoup:
        return self._followed(path, self.site(Request("POST", path, form)))

    def _followed(self, path: str, reply: Reply) -> BeautifulSoup:
        for _ in range(3):
            if not reply.location:
                break
            path, reply = reply.location, self.site(Request("GET", reply.location, {}))
        assert not reply.location, "redirects go on and on"
        self.path = path
        return BeautifulSoup(reply.body, "html.parser")
