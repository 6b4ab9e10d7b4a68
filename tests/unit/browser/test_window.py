"""A window on real pages: what is seen, what can be done, what is refused, and what comes up. With Chromium."""

from __future__ import annotations

import itertools
import time
from pathlib import Path

import pytest

from agentgym.browser import (
    Action,
    Back,
    Click,
    Drag,
    Fill,
    Goto,
    Hover,
    Point,
    Press,
    Scroll,
    Select,
    Type,
    Wait,
    Window,
    as_text,
)
from tests.unit.browser.kit import named, opened, served, shown

pytestmark = pytest.mark.browser

FORM = """
<h1>Find a table</h1>
<form onsubmit="document.title = 'sent'; return false">
  <label for=place>Place</label> <input id=place value=rome>
  <label><input type=checkbox checked> With a view</label>
  <select aria-label=People><option>1<option selected>2<option>3</select>
  <textarea aria-label=Wish></textarea>
  <input type=password aria-label=Secret value=abc>
  <button disabled>Later</button> <button>Find</button>
</form>
<details><summary>More</summary><p>hidden words</p></details>
<p style="display:none">not there</p><p style="visibility:hidden">nor there</p><p aria-hidden=true>nor this</p>
<a href="#x">a <b>link</b></a> <div onclick="this.textContent = 'yes'">clicked?</div> <img alt="a dog" src="data:,">
"""


def test_a_page_is_seen_with_roles_names_values_and_states(tmp_path: Path) -> None:
    with opened(tmp_path, FORM) as window:
        assert shown(window).splitlines() == [
            'heading 1 "Find a table"',
            "form",
            '  [1] textbox "Place" value="rome"',
            '  [2] checkbox "With a view" (checked)',
            '  [3] combobox "People" value="2"',
            '    [4] option "1"',
            '    [5] option "2" (selected)',
            '    [6] option "3"',
            '  [7] textbox "Wish" value="" (multiline)',
            '  [8] textbox "Secret" value="•••"',
            '  [9] button "Later" (disabled)',
            '  [10] button "Find"',
            "group (collapsed)",
            '  [11] button "More"',
            '[12] link "a link"',
            '[13] generic "clicked?"',
            'image "a dog"',
        ]


def test_names_come_from_where_aria_says(tmp_path: Path) -> None:
    page = """
    <span id=a>First</span> <span id=b>name</span>
    <button aria-labelledby="a b">x</button> <button aria-label="Close">x</button> <button title="Help"></button>
    <button><img alt="Save"></button> <input type=submit> <input placeholder="Search"> <div role=button>Div</div>
    <div role=checkbox aria-checked=mixed tabindex=0>All</div> <ul><li>one</li><li>two <a href=#>three</a></li></ul>
    <div role=slider aria-valuenow=4 aria-label=Volume tabindex=0></div> <button role=presentation>bare</button>
    """
    with opened(tmp_path, page) as window:
        lines = shown(window).splitlines()
    assert lines == [
        "First",
        "name",
        '[1] button "First name"',
        '[2] button "Close"',
        '[3] button "Help"',
        '[4] button "Save"',
        '[5] button "Submit"',
        '[6] textbox "Search" value=""',
        '[7] button "Div"',
        '[8] checkbox "All" (mixed)',
        "list",
        '  listitem "one"',
        "  listitem",
        "    two",
        '    [9] link "three"',
        '[10] slider "Volume" value="4"',
        "bare",
    ]


def test_a_form_is_not_named_by_its_fields(tmp_path: Path) -> None:
    """``form.title`` is the field of that name, and no text."""
    page = "<form title=Note><input name=title aria-label=Title><input name=placeholder aria-label=Text></form>"
    with opened(tmp_path, page + page.replace("title=Note", "")) as window:
        lines = shown(window).splitlines()
    fields = [f'  [{ref}] textbox "{name}" value=""' for ref, name in enumerate(("Title", "Text") * 2, 1)]
    assert lines == ['form "Note"', *fields[:2], "form", *fields[2:]]


def test_frames_and_shadows_are_looked_into_and_acted_in(tmp_path: Path) -> None:
    (tmp_path / "inner.html").write_text("<button onclick=\"this.textContent = 'pressed'\">inside</button>")
    page = """<p>outer</p><iframe src="inner.html" style="margin: 50px; border: 7px solid"></iframe><div id=host></div>
    <script>host.attachShadow({ mode: "open" }).innerHTML =
        "<button onclick='this.textContent = `done`'>shadow</button>";</script>"""
    (tmp_path / "outer.html").write_text(page)
    with served(tmp_path) as origin:
        window = Window(origins=[origin])
        try:
            window.open(f"{origin}/outer.html")
            seen = window.look()
            assert as_text(seen) == 'outer\niframe\n  [1] button "inside"\n[2] button "shadow"'
            assert window.act(Click(named(seen, "inside").ref)) is None
            assert window.act(Click(named(seen, "shadow").ref)) is None
            assert as_text(window.look()) == 'outer\niframe\n  [1] button "pressed"\n[2] button "done" (focused)'
        finally:
            window.close()


def test_refs_stay_with_their_elements(tmp_path: Path) -> None:
    page = "<div id=list><button>b</button></div>"
    with opened(tmp_path, page) as window:
        window.look()
        window.evaluate("() => document.getElementById('list').insertAdjacentHTML('afterbegin', '<button>a</button>')")
        assert shown(window) == '[2] button "a"\n[1] button "b"'
        window.evaluate("() => document.querySelectorAll('button')[1].remove()")
        window.look()
        assert window.act(Click("1")) == "1: it is not on the page any more"
        assert window.act(Click("7")) == "7: it is not on the page any more"
        window.open(window.evaluate("() => location.href"))
        assert window.act(Click("1")) == "1: the page is another one now; look for the element again"


@pytest.mark.parametrize(
    ("action", "script", "found"),
    [
        (Click("1"), "b.dataset.n", "1"),
        (Click("1", count=2), "b.dataset.double", "yes"),
        (Click("1", button="right"), "b.dataset.menu", "yes"),
        (Click(Point(20, 20)), "b.dataset.n", "1"),
        (Hover("1"), "b.dataset.over", "yes"),
        (Fill("2", "new"), "t.value", "new"),
        (Fill("2", ""), "t.value", ""),
        (Type(" more", "2"), "t.value", "old more"),
        (Type("!", "2", True), "document.title", "sent"),
        (Press("Backspace", "2"), "t.value", "ol"),
        (Select("3", ("two",)), "s.value", "2"),
        (Select("3", ("1",)), "s.value", "1"),
        (Select("3", (" TWO",)), "s.value", "2"),
        (Scroll(0, 300), "String(scrollY > 0)", "true"),
        (Drag("1", "7"), "d.textContent", "dropped"),
    ],
    ids=str,
)
def test_what_is_done_is_done(tmp_path: Path, action: Action, script: str, found: str) -> None:
    page = """<style>body { margin: 0; height: 3000px } button, div { width: 60px; height: 40px }</style>
    <button id=b onclick="b.dataset.n = 1" ondblclick="b.dataset.double = 'yes'" onmouseover="b.dataset.over = 'yes'"
        oncontextmenu="b.dataset.menu = 'yes'; return false">b</button>
    <form onsubmit="document.title = 'sent'; return false"><input id=t value=old></form>
    <select id=s><option value=0>zero<option value=1>one<option value=2>two</select>
    <div id=d onmouseup="d.textContent = 'dropped'" onclick="">d</div>"""
    with opened(tmp_path, page) as window:
        window.look()
        assert window.act(action) is None
        window.look()
        assert window.evaluate(f"() => {script}") == found


def test_what_is_copied_is_the_windows_own(tmp_path: Path) -> None:
    page = "<input id=one value=secret> <input id=two value='x '>"
    with opened(tmp_path, page) as window:
        window.look()
        for key in ("Control+A", "Control+C"):
            assert window.act(Press(key, "1") if key == "Control+A" else Press(key)) is None
        with opened(tmp_path, page) as other:
            other.look()
            assert other.act(Press("Control+V", "2")) is None
            assert other.evaluate("() => two.value") == "x ", "nothing was copied there"
        assert window.act(Press("Control+V", "2")) is None
        assert window.evaluate("() => two.value") == "x secret"


@pytest.mark.parametrize(
    ("page", "told"),
    [
        ("<button disabled>x</button>", '1: button "x" is disabled'),
        (
            "<button style='width:0;height:0;padding:0;border:0;overflow:hidden'>x</button>",
            '1: button "x" cannot be seen',
        ),
        (
            "<button>x</button><div role=dialog aria-label=Cookies style='position:fixed;inset:0'></div>",
            '1: button "x" is covered by dialog "Cookies"',
        ),
    ],
    ids=["disabled", "without size", "covered"],
)
def test_what_cannot_be_acted_on_is_told(tmp_path: Path, page: str, told: str) -> None:
    with opened(tmp_path, page) as window:
        window.look()
        assert window.act(Click("1")) == told


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        ("three", '1: there is no option "three"; it has: zero, two, Two'),
        ("TWO", None),
        ("Two", '1: the option "Two" is disabled'),
    ],
)
def test_an_option_that_is_not_there_is_told_at_once(tmp_path: Path, wanted: str, told: str | None) -> None:
    page = "<select><option>zero<option> two <option disabled>Two</select><button>x</button>"
    with opened(tmp_path, page) as window:
        window.look()
        began = time.monotonic()
        assert window.act(Select("1", (wanted,))) == told
        assert window.act(Select("5", ("two",))) == "5: it is no list"
        assert time.monotonic() - began < 4


def test_what_is_out_of_view_is_scrolled_to(tmp_path: Path) -> None:
    with opened(tmp_path, "<div style='height:3000px'></div><button onclick='this.textContent=1'>x</button>") as window:
        window.look()
        assert window.act(Click("1")) is None
        assert shown(window) == '[1] button "1" (focused)'


def test_a_link_is_followed_before_the_next_look(tmp_path: Path) -> None:
    (tmp_path / "next.html").write_text("<title>Next</title><p>there</p>")
    with opened(tmp_path, "<a href=next.html>go</a>") as window:
        window.look()
        assert window.act(Click("1")) is None
        assert (window.look().title, as_text(window.look())) == ("Next", "there")
        assert window.act(Back()) is None
        assert window.look().title == "Page"


def test_it_waits_until_the_page_is_still(tmp_path: Path) -> None:
    page = """<p id=p>0</p><button onclick="let n = 0; const more = () => {
        p.textContent = ++n; if (n < 20) requestAnimationFrame(more); }; more()">go</button>"""
    with opened(tmp_path, page) as window:
        window.look()
        window.act(Click("1"))
        seen = window.look()
        assert seen.is_still
        assert seen.nodes[0].name == "20"


def test_a_form_that_is_sent_off_is_waited_for_whether_a_page_comes_of_it_or_not(tmp_path: Path) -> None:
    page = """<form action="javascript:void 0" onsubmit="p = window.__agentgym.still(60)"><button>go</button></form>
    <script>var p = null</script>"""
    with opened(tmp_path, page) as window:
        window.look()
        window.act(Click("1"))
        assert window.evaluate("() => p") is False
        assert window.look().is_still


def test_a_page_that_is_never_still_is_told(tmp_path: Path) -> None:
    page = "<p id=p>0</p><script>setInterval(() => p.textContent++, 1)</script>"
    with opened(tmp_path, page, still_ms=300) as window:
        assert not window.look().is_still


def test_the_pages_own_time_passes_with_actions_alone(tmp_path: Path) -> None:
    page = """<p id=p></p><button>x</button>
    <script>setInterval(() => { p.textContent = String(Math.round(performance.now())) }, 100)</script>"""
    with opened(tmp_path, page, turn_ms=500) as window:
        times = []
        for action in (None, Click("1"), Wait(300)):
            if action is not None:
                window.act(action)
            times.append(int(window.look().nodes[0].name))
            assert int(window.look().nodes[0].name) == times[-1]
        assert [later - earlier for earlier, later in itertools.pairwise(times)] == [500, 300]


def test_dialogs_are_answered_and_told(tmp_path: Path) -> None:
    page = "<button onclick=\"alert('Hello'); this.textContent = confirm('Sure?')\">x</button>"
    for answer, said, label in (("accept", "OK", "true"), ("dismiss", "Cancel", "false")):
        with opened(tmp_path, page, dialogs=answer) as window:
            window.look()
            assert window.act(Click("1")) is None
            seen = window.look()
            assert seen.news == ('alert: "Hello"', f'confirm: "Sure?" (answered: {said})')
            assert seen.nodes[0].name == label
            assert window.look().news == ()


def test_a_page_that_opens_is_the_one_that_is_seen(tmp_path: Path) -> None:
    (tmp_path / "next.html").write_text("<title>Next</title><button onclick=window.close()>close</button>")
    with opened(tmp_path, "<a href=next.html target=_blank>go</a>") as window:
        window.look()
        window.act(Click("1"))
        seen = window.look()
        assert (seen.title, seen.news) == ("Next", ("a new page opened",))
        window.act(Click("1"))
        assert window.look().title == "Page"


def test_only_own_places_can_be_asked_for(tmp_path: Path) -> None:
    with served(tmp_path) as other:
        page = f"""<img src="{other}/a.png"><iframe src="file:///etc/hostname"></iframe><p id=p></p><script>
        fetch("{other}/b").catch((e) => p.append("fetch "));
        const socket = new WebSocket("{other.replace("http", "ws")}/c");
        socket.onerror = () => p.append("socket ");</script>"""
        with opened(tmp_path, page) as window:
            window.look()
            window.evaluate(
                """() => new Promise((done) => {
                    const look = () => p.textContent.length > 12 ? done() : requestAnimationFrame(look);
                    look();
                })"""
            )
            assert sorted(window.evaluate("() => p.textContent").split()) == ["fetch", "socket"]
            assert {url.rpartition("/")[2] for url in window.lock.refused} >= {"a.png", "b", "hostname"}
            told = window.act(Goto("file:///etc/passwd"))
            assert told == '"file:///etc/passwd" cannot be opened from here'


@pytest.mark.parametrize("case", ["used again", "stored", "at an origin"])
def test_nothing_is_left_for_the_next_episode(tmp_path: Path, case: str) -> None:
    """A page of files that has stored nothing is gone on with; at an origin, storage is anew in each episode."""
    (tmp_path / "page.html").write_text("<title>Page</title><button>x</button>")
    with served(tmp_path) as origin:
        at_origin = case == "at an origin"
        window = Window(origins=[origin]) if at_origin else Window(folders=[tmp_path])
        url = f"{origin}/page.html" if at_origin else (tmp_path / "page.html").as_uri()
        try:
            window.open(url)
            window.look()
            first = window._pages
            if case != "used again":
                window.evaluate(
                    "() => { document.cookie = 'a=1'; localStorage.a = 1; sessionStorage.a = 1; name = 'a' }"
                )
            window.act(Hover("1"))
            window.open(url)
            assert (window._pages is first) is (case == "used again")
            found = window.evaluate(
                "() => [document.cookie, localStorage.length, sessionStorage.length, name, "
                "navigation.entries().length, document.querySelector('button:hover')]"
            )
            assert found == ["", 0, 0, "", 1, None]
        finally:
            window.close()


def test_pictures_show_what_is_in_view(tmp_path: Path) -> None:
    page = "<style>body { margin: 0; background: #00f }</style><button style='width:50px;height:50px'>x</button>"
    with opened(tmp_path, page, width=200, height=100, clip=(100, 80)) as window:
        window.look()
        image = window.screenshot()
        assert (image.size, image.getpixel((90, 70))) == ((100, 80), (0, 0, 255))
        assert window.screenshot(most=50).size == (50, 40)
        assert window.screenshot(marks=True).getpixel((0, 49)) == (0xD6, 0x27, 0x28)
