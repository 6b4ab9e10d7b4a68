"""The page in a real Chromium: what one sees, does with the keyboard alone, and what an episode cannot do to it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agentgym.run import Run
from agentgym.viewer.export import exported
from tests.kit import episode
from tests.unit.viewer.kit import Page, add, browsing, chromium, lines, made, opened, picture, spoken

pytestmark = pytest.mark.browser

HOSTILE = "</p><script>document.title='taken'</script><img src=x onerror=\"document.title='taken'\"><b>bold</b>"
VIEWS = (
    "runs",
    "curves",
    "episodes",
    "episode?number=3",
    "groups",
    "group?number=1",
    "trees",
    "tree?number=3",
    "task?task=7",
)


def episodes() -> list[Any]:
    """Beside those of every run: seven with tokens (7 to 13), of which one is hostile and one has an image."""
    said = [
        spoken(f"reply {n}", "again", episode_id=f"s{n}", logprob=-0.1 - n / 4, group_id="s", stage="train", update=2)
        for n in range(5)
    ]
    for n, each in enumerate(said):
        each.turns[-1].reward, each.turns[-1].breakdown = n / 4, {"environment": n / 4}
    hostile = spoken(HOSTILE, episode_id=HOSTILE, final_observation=HOSTILE, error=HOSTILE, stage=HOSTILE)
    hostile.turns[0].observation = hostile.turns[0].error = HOSTILE
    hostile.turns[0].channels = {HOSTILE: 1.0}
    seen = spoken("red", episode_id="image")
    return [*said, hostile, seen]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("page")
    made(folder, name="other")
    more, directory = episodes(), made(folder)
    more[-1].turns[0].media = [picture(directory)]
    add(directory, more)
    return directory


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def page(run: Path, browser: Any) -> Iterator[Page]:
    with browsing(browser, run, run.with_name("other")) as page:
        yield page


def rows(page: Page) -> list[str]:
    page.until("document.querySelectorAll('.line .tag').length > 0 || document.querySelector('.empty')")
    return [line.split("\n")[0] for line in page.page.locator(".line").all_inner_texts()]


def test_every_view_is_drawn_and_the_console_says_nothing(page: Page) -> None:
    for view in (*VIEWS, "compare"):
        page.go(view)
        assert page.page.locator(".problem").count() == (
            1 if view == "compare" and "nothing" in page.text("main") else 0
        )
    assert page.said == []


def test_episodes_are_filtered_and_opened(page: Page) -> None:
    page.go("episodes")
    assert len(rows(page)) == 13
    page.page.select_option("[name=success]", "true")
    page.until("document.querySelector('[role=status].quiet').textContent === '2 episodes'")
    assert rows(page) == ["3", "6"]
    page.page.locator(".line").nth(1).click()
    page.page.wait_for_selector("h1:has-text('Episode 6')")
    page.page.keyboard.press("Escape")
    page.page.wait_for_selector("h1:has-text('Episodes')")
    assert rows(page) == ["3", "6"]  # as it was left


def test_a_search_shows_where_it_was_found(page: Page) -> None:
    page.go("episodes?text=reply [24]&is_regex=true")
    page.until("document.querySelectorAll('mark').length === 2")
    assert [mark.strip() for mark in page.page.locator("mark").all_inner_texts()] == ["reply 2", "reply 4"]


def test_the_keyboard_alone_goes_everywhere(page: Page) -> None:
    page.go("episodes")
    press = page.page.keyboard.press
    for key in ("j", "j", "k", "j"):
        press(key)
    assert page.page.get_attribute("[aria-selected=true]", "id") == "row-2"
    press("Enter")
    page.page.wait_for_selector("h1:has-text('Episode 3')")
    press("j")
    assert page.page.get_attribute(".here", "id") == "turn-1"
    press("]")
    page.page.wait_for_selector("h1:has-text('Episode 4')")
    press("g")
    press("e")
    page.page.wait_for_selector("h1:has-text('Episodes')")
    press("/")
    assert page.page.evaluate("document.activeElement.id") == "text"
    page.page.keyboard.type("reply 3")
    page.until("document.querySelectorAll('mark').length === 1")
    press("Escape")
    press("Escape")
    page.until("document.querySelector('[role=status].quiet').textContent === '13 episodes'")
    press("?")
    assert "search in messages" in page.text("dialog[open]")
    press("Escape")
    assert page.page.locator("dialog[open]").count() == 0


def colors(page: Page) -> list[str]:
    page.page.wait_for_selector(".token.one")
    return [
        str(found)
        for found in page.page.evaluate(
            "[...document.querySelectorAll('.token.one')].map(e => getComputedStyle(e).backgroundColor)"
        )
    ]


def test_tokens_are_colored_by_what_is_known_of_them(page: Page) -> None:
    page.go("episode?number=7")
    page.page.select_option("#color", "advantage")
    worst = colors(page)
    page.go("episode?number=11")
    page.page.wait_for_selector("h1:has-text('Episode 11')")
    best = colors(page)
    assert len(worst) == len(best) == 4
    assert set(worst).isdisjoint(best)
    page.page.select_option("#color", "probability")
    page.until("document.querySelector('.ramp-up') !== null")
    page.page.locator(".token").first.hover()
    assert "p 0.333" in page.text(".token-readout")  # exp(-1.1)
    for name in ("logprob", "mask", "version"):
        page.page.select_option("#color", name)
        assert colors(page)
    page.page.select_option("#color", "entropy")
    page.page.wait_for_selector(".problem:has-text('come from the policy that a run kept')")
    page.page.select_option("#color", "none")
    page.until("document.querySelector('.token') === null")
    page.said.clear()  # a refused question is logged by the browser


def test_what_an_episode_printed_is_text(page: Page) -> None:
    page.go("episode?number=12")
    page.page.wait_for_selector("h1:has-text('Episode 12')")
    shown = page.text("main")
    assert shown.count(HOSTILE) >= 5
    page.page.select_option("#color", "mask")
    assert page.page.locator("main script, main img, main b:text-is('bold')").count() == 0
    page.page.select_option("#color", "none")
    page.go("episodes?episode_id=" + HOSTILE.replace("&", "%26").replace("#", "%23").replace(" ", "+"))
    page.page.wait_for_selector(".line")
    assert "taken" not in page.page.title()
    assert page.said == []


def test_images_are_shown(page: Page) -> None:
    page.go("episode?number=13")
    page.until("document.querySelector('.images img')?.naturalWidth === 4")


def test_a_tree_is_walked(page: Page) -> None:
    page.go("tree?number=3")
    page.page.wait_for_selector("h1:has-text('Tree 1-1')")
    press = page.page.keyboard.press
    told = []
    for key in ("l", "l", "j", "h"):
        press(key)
        told.append(page.text("[aria-pressed=true] .first"))
    assert told == ["said 0", "said 1", "said 1", "said 0"]
    press("ArrowRight")
    press("e")
    page.page.wait_for_selector("h1:has-text('Episode 3')")
    assert page.page.get_attribute(".here", "id") == "turn-1"


def test_play_from_here_is_a_command(page: Page, run: Path) -> None:
    page.go("episode?number=3")
    page.page.wait_for_selector("h1:has-text('Episode 3')")
    page.page.locator("button:text-is('play from here')").nth(1).click()
    assert page.text(".command code") == f"agentgym play toy --from {run} 3 1"


def test_what_is_written_meanwhile_is_shown(tmp_path: Path, browser: Any) -> None:
    directory = made(tmp_path)
    with browsing(browser, directory) as page:
        page.go("episodes")
        assert len(rows(page)) == 6
        assert page.text("#live") == "training"
        page.page.wait_for_timeout(500)  # it has looked once
        add(directory, [episode(1.0, episode_id="new")])
        page.until("document.querySelectorAll('.line').length === 7")
        page.go("curves")
        page.page.wait_for_selector("figure, .chart")
        Run.open(directory).log("train", 2, success=0.875)
        page.page.wait_for_selector("text=train 0.875", timeout=10_000)
        assert page.said == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_it_fits_and_has_no_serious_finding_of_axe(scheme: Any, width: int, run: Path, browser: Any) -> None:
    from axe_playwright_python.sync_playwright import Axe

    with browsing(browser, run, run.with_name("other"), width=width, color_scheme=scheme) as page:
        for view in (*VIEWS, "compare"):
            page.go(view)
            page.page.wait_for_timeout(150)
            wide = page.page.evaluate("document.documentElement.scrollWidth - innerWidth")
            assert wide <= 0, (view, wide)
            told = Axe().run(page.page).response
            found = told["violations"]
            assert any(each["id"] == "color-contrast" for each in told["passes"])
            serious = [
                (each["id"], [node["html"][:160] for node in each["nodes"]][:3])
                for each in found
                if each["impact"] in ("serious", "critical")
            ]
            assert serious == [], (view, json.dumps(serious, indent=1))
        ground = page.page.evaluate("getComputedStyle(document.body).backgroundColor")
        (first, *_) = map(int, re.findall(r"\d+", ground))
        assert (first < 64) is (scheme == "dark")


@pytest.mark.parametrize("width", [360, 1280])
def test_of_many_episodes_only_those_that_one_sees_are_drawn(width: int, tmp_path: Path, browser: Any) -> None:
    directory = made(tmp_path, [episode(0.0, episode_id=f"m{n}") for n in range(2000)])
    with browsing(browser, directory, width=width) as page:
        page.go("episodes")
        assert 10 < len(rows(page)) < 60
        page.page.keyboard.press("End")
        page.until("document.querySelector('[aria-selected=true] a')?.textContent === '2006'")
        assert 10 < len(rows(page)) < 60


def test_the_switch_changes_the_colors_and_is_remembered(run: Path, browser: Any) -> None:
    with browsing(browser, run, color_scheme="light") as page:
        page.go("runs")
        page.page.click("#theme")
        assert page.page.get_attribute("html", "data-theme") == "dark"
        page.page.reload()
        page.page.wait_for_selector("main h1")
        assert page.page.get_attribute("html", "data-theme") == "dark"


def test_the_file_shows_the_same_and_loads_nothing(run: Path, tmp_path: Path, browser: Any) -> None:
    with opened(run) as sources:
        (tmp_path / "page.html").write_text(exported(sources), encoding="utf-8")
    asked: list[str] = []
    with browsing(browser, file=tmp_path / "page.html") as page:
        page.page.on("request", lambda request: asked.append(request.url))
        for view in (*VIEWS, "episode?number=12", "episode?number=13", "episodes?success=true"):
            page.go(view)
            page.page.wait_for_timeout(60)
            assert page.page.locator(".problem:not(:has-text('</p>'))").count() == 0, view
        assert rows(page) == ["3", "6"]
        page.go("episode?number=11")
        page.page.wait_for_selector("h1:has-text('Episode 11')")
        page.page.select_option("#color", "advantage")
        assert colors(page)
        assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
        assert page.said == []


def test_lines_of_a_group_stand_side_by_side(page: Page) -> None:
    page.go("group?number=3")
    page.page.wait_for_selector("h1:has-text('Group 1-1')")
    assert page.page.locator(".side").count() == len(lines())
    page.go("group?number=1")
    page.page.wait_for_selector("h1:has-text('Group 1-0')")
    assert "equal rewards" in page.text("main")
