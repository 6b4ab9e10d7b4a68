"""What one episode leaves in a browser for the next is found, and named."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agentgym import doctor
from agentgym.browser import Window
from agentgym.doctor import Remark
from agentgym.env import Env
from agentgym.errors import EnvError
from tests.unit.browser.kit import served
from tests.unit.doctor.kit import Sound


class OnAPage(Env):
    """One page of a site; ``leaks`` begins episodes there without a fresh context."""

    def __init__(self, url: str, *, leaks: bool) -> None:
        self.window, self.url, self.leaks = Window(origins=[url]), url, leaks

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        if self.leaks and self.window.is_open:
            self.window.goto(self.url)
        else:
            self.window.open(self.url)
        return self.window.look().title, {}

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        return "", 0.0, True, False, {}

    def close(self) -> None:
        self.window.close()


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    (tmp_path / "index.html").write_text("<title>Page</title>")
    with served(tmp_path) as origin:
        yield f"{origin}/"


@pytest.mark.browser
def test_what_is_left_is_found(url: str) -> None:
    with pytest.raises(EnvError, match="found in the next: ") as error:
        doctor.clears_the_browser(functools.partial(OnAPage, url, leaks=True))
    found = str(error.value).partition("next: ")[2].partition(";")[0].split(", ")
    assert found == ["IndexedDB", "cache storage", "cookie", "history", "localStorage", "sessionStorage", "window.name"]


@pytest.mark.browser
def test_of_a_fresh_context_nothing_is_found(url: str) -> None:
    told = doctor.clears_the_browser(functools.partial(OnAPage, url, leaks=False))
    assert told == (
        "nothing is found of what was left in an episode: IndexedDB, cache storage, cookie, history, localStorage, "
        "sessionStorage, window.name"
    )


def test_without_a_browser_there_is_nothing_to_look_for() -> None:
    told = doctor.clears_the_browser(Sound)
    assert isinstance(told, Remark)
    assert told == "left out: it has no window of a browser"
