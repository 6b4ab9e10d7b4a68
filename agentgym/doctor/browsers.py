"""What one episode leaves in a browser for the next: cookies, storage, databases, workers, history, the tab's name."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING

from agentgym.doctor.playing import SECONDS, MakeEnv, Remark, cases_of, expect
from agentgym.visit import Player

if TYPE_CHECKING:
    from agentgym.browser import Window

__all__ = ["clears_the_browser"]

_MARK = "agentgym-doctor"

_PLANT = f"""async () => {{
    const mark = "{_MARK}";
    const attempts = {{
        cookie: () => {{ document.cookie = `${{mark}}=1; max-age=3600`; return document.cookie.includes(mark); }},
        localStorage: () => {{ localStorage.setItem(mark, "1"); return true; }},
        sessionStorage: () => {{ sessionStorage.setItem(mark, "1"); return true; }},
        "window.name": () => {{ window.name = mark; return true; }},
        history: () => {{ history.pushState(null, "", `#${{mark}}`); return true; }},
        IndexedDB: () => new Promise((done) => {{
            const asked = indexedDB.open(mark);
            asked.onsuccess = () => {{ asked.result.close(); done(true); }};
            asked.onerror = () => done(false);
        }}),
        "cache storage": async () => {{ await caches.open(mark); return true; }},
        "service worker": async () => {{
            await navigator.serviceWorker.register(location.href);
            return (await navigator.serviceWorker.getRegistrations()).length > 0;
        }},
    }};
    const planted = [];
    for (const [name, attempt] of Object.entries(attempts)) {{
        try {{ if (await attempt()) planted.push(name); }} catch {{ /* there is no such thing here */ }}
    }}
    return planted;
}}"""
"""Leaves a mark wherever a page can; names where."""

_FIND = f"""async () => {{
    const mark = "{_MARK}";
    const looks = {{
        cookie: () => document.cookie.includes(mark),
        localStorage: () => localStorage.getItem(mark) !== null,
        sessionStorage: () => sessionStorage.getItem(mark) !== null,
        "window.name": () => window.name === mark,
        history: () => window.navigation.entries().some((entry) => entry.url.includes(mark)),
        IndexedDB: async () => (await indexedDB.databases()).some((each) => each.name === mark),
        "cache storage": () => caches.has(mark),
        "service worker": async () => (await navigator.serviceWorker.getRegistrations()).length > 0,
    }};
    const found = [];
    for (const [name, look] of Object.entries(looks)) {{
        try {{ if (await look()) found.push(name); }} catch {{ /* there is no such thing here */ }}
    }}
    return found;
}}"""
"""Names where such a mark is found."""


def clears_the_browser(make_env: MakeEnv, _: float = SECONDS, /) -> str:
    """What a page could keep in one episode is not found in the next, which begins at the same place or at another."""
    with Player(make_env()) as player:
        cases = cases_of(make_env, 2)
        before = _windows()
        with contextlib.suppress(Exception):  # where it cannot be reset others tell
            player.reset(*cases[0])
        if not (windows := [window for window in _windows() if window not in before]):
            return Remark("left out: it has no window of a browser")
        planted: set[str] = set()
        for case in (cases[0], cases[1]):
            planted |= {name for window in windows for name in window.evaluate(_PLANT)}
            player.reset(*case)
            found = sorted({name for window in windows for name in window.evaluate(_FIND)})
            expect(
                not found,
                f"what a page left in one episode is found in the next: {', '.join(found)}; begin episodes with "
                "Window.open, which leaves nothing, rather than with goto",
            )
    return f"nothing is found of what was left in an episode: {', '.join(sorted(planted))}"


def _windows() -> list[Window]:
    if "agentgym.browser.window" not in sys.modules:
        return []
    from agentgym.browser import open_windows

    return open_windows()
