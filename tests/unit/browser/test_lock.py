"""What a page may ask for: the rules alone, without a browser."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentgym.browser.lock import Lock

LOCK = Lock(origins=["http://127.0.0.1:8000", "https://shop.test"], folders=[Path("/srv/pages")])


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:8000/",
        "http://127.0.0.1:8000",
        "http://127.0.0.1:8000?q=1",
        "https://shop.test/a/b#c",
        "file:///srv/pages/a.html",
        "about:blank",
        "data:text/html,x",
        "blob:http://127.0.0.1:8000/1",
    ],
)
def test_own_places_are_permitted(url: str) -> None:
    assert LOCK.permits(url)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:80001/",
        "http://127x0.0.1:8000/",
        "http://127.0.0.1:8000.evil.test/",
        "http://127.0.0.1:8000@evil.test/",
        "http://127.0.0.1/",
        "http://localhost:8000/",
        "https://127.0.0.1:8000/",
        "http://shop.test/",
        "https://shop.test.evil.test/",
        "file:///srv/pages.html",
        "file:///srv/pagesx/a.html",
        "file:///etc/passwd",
        "file://host/srv/pages/a.html",
        "chrome://crash",
        "javascript:alert(1)",
        "view-source:http://127.0.0.1:8000/",
        "ws://127.0.0.1:9000/",
        "",
    ],
)
def test_all_else_is_not(url: str) -> None:
    assert not LOCK.permits(url)


def test_without_places_nothing_is_permitted() -> None:
    assert not Lock().permits("http://127.0.0.1/")
    assert Lock().permits("about:blank")


def test_the_proxy_is_passed_by_for_the_origins_alone() -> None:
    assert LOCK.proxy == {"server": "http://127.0.0.1:1", "bypass": "<-loopback>,127.0.0.1:8000,shop.test:443"}
