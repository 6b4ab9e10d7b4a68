"""Two renderings of one page: the HTML is well formed, and has what the text has."""

from __future__ import annotations

import html.parser
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from agentgym.environments.booking import Booking
from agentgym.environments.booking.levels import LEVELS, Level
from agentgym.environments.booking.pages import Block, Node, Page
from agentgym.environments.booking.render import as_html, lines
from tests.unit.environments.booking_kit import begun, by_expert_to, step

VOID = {"meta", "input"}
INTERACTIVE = {"a", "button", "input"}


class Parsed(html.parser.HTMLParser):
    """A document whose tags must be closed in their order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[tuple[str, dict[str, Any]]] = []
        self.active: list[dict[str, Any]] = []
        """Attributes of all that can be acted on."""
        self.labels: list[str] = []
        self.ids: Counter[str] = Counter()
        self.words: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.ids.update([str(found["id"])] if "id" in found else [])
        if tag == "label":
            self.labels.append(str(found["for"]))
        is_inert = any("inert" in outer for _, outer in self.open)
        if tag in INTERACTIVE and not is_inert and "disabled" not in found:
            self.active.append({"tag": tag, **found})
        if tag not in VOID:
            self.open.append((tag, found))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop()[0] == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1][0] != "style":
            self.words.append(data)


def walked(level: Level) -> Iterator[Booking]:
    """All pages that experts come by."""
    for task in range(8):
        env = Booking(level=level)
        env.reset(options={"task": task})
        expert = env.expert()
        yield env
        while not step(env, str(expert(env._seen))).terminated:  # type: ignore[arg-type]  # it goes by the session
            yield env
        yield env


@pytest.mark.parametrize("level", list(LEVELS))
def test_each_page_is_well_formed_and_has_what_the_text_has(level: Level) -> None:
    for env in walked(level):
        page = Parsed(env.html)
        assert max(page.ids.values(), default=0) <= 1
        shown = [id for line in env.session.lines for id in line.ids]
        assert sorted(shown) == sorted(str(each.get("id")) for each in page.active)
        inputs = {str(each["id"]) for each in page.active if each["tag"] == "input"}
        assert inputs <= set(page.labels) <= set(page.ids)
        words = " ".join(page.words)
        assert env.session.page.title in words
        assert all(node.text in words for block in env.session.page.active for node in block.nodes)


def test_fields_say_what_they_hold_and_what_they_take() -> None:
    env = by_expert_to(begun("b5"), "details")
    step(env, 'TYPE[first][<b>"x" & y</b>]')
    fields = {each["id"]: each for each in Parsed(env.html).active if each["tag"] == "input"}
    assert fields["first"]["value"] == '<b>"x" & y</b>'
    assert "<b>" not in env.html
    assert {id: each["type"] for id, each in fields.items()} == {
        "first": "text",
        "last": "text",
        "phone": "tel",
        "email": "email",
        "request": "text",
        **dict.fromkeys(("birthday", "anniversary", "business"), "radio"),
    }
    assert "required" in fields["first"]
    assert "required" not in fields["request"]


def test_one_occasion_is_chosen_and_a_second_click_takes_it_back() -> None:
    env = by_expert_to(begun("b4"), "details")

    def chosen() -> list[str]:
        return [each["id"] for each in Parsed(env.html).active if "checked" in each]

    for action, then in (("birthday", ["birthday"]), ("business", ["business"]), ("business", [])):
        step(env, f"CLICK[{action}]")
        assert chosen() == then
        assert [id for id in ("birthday", "business") if f"[{id}] chosen" in str(env._seen)] == then


def test_links_have_the_addresses_of_their_pages() -> None:
    env = by_expert_to(begun(), "results")
    for each in Parsed(env.html).active:
        here = env.snapshot()
        step(env, f"GOTO[{each['href']}]")
        direct = env.html
        env.restore(here)
        step(env, f"CLICK[{each['id']}]")
        assert env.html == direct
        env.restore(here)


def test_a_page_under_a_dialog_is_inert_and_the_dialog_says_that_it_is_one() -> None:
    env = begun("b3", such=lambda wish: wish.popups == ("cookies", "news"))
    assert "<main inert>" in env.html
    assert 'role="dialog" aria-modal="true" aria-label="cookies">' in env.html
    step(env, f"GOTO[/find?place=rome&date={env.session.wish.date}&people=2]")
    assert 'aria-label="cookies" inert>' in env.html
    step(env, "CLICK[close]", "CLICK[accept]")
    assert "<main>" in env.html
    assert 'role="dialog"' not in env.html


def test_a_calendar_is_a_table_of_weeks() -> None:
    env = begun("b3", such=lambda wish: not wish.popups and wish.today.month == 5)
    step(env, "CLICK[date]", "CLICK[next]")
    rows = env.html.split("<tbody>\n")[1].split("\n</tbody>")[0].split("\n")
    assert [row.count("<td>") for row in rows] == [7, 7, 7, 7, 2]
    assert rows[0].startswith('<tr><td><button id="1"'), "june 1, 2026 is a Monday"
    step(env, "CLICK[next]")
    assert '<tr><td></td><td></td><td><button id="1"' in env.html, "july 1 is a Wednesday"


def test_html_may_be_what_is_observed() -> None:
    env = begun("b5", observation_mode="html")
    text, page = str(env._seen).split("\n", 1)
    assert text == f"task: {env.session.wish.text}"
    assert page == env.html
    by_expert_to(env, "results")
    assert env.session.num_screens == 1, "a page in HTML is seen whole"
    assert "CLICK[home]" in (step(env, "ASK USER HELP").observation.admissible or ())
    for _ in range(60):
        if step(env, str(env.expert()(env._seen))).terminated:  # type: ignore[arg-type]  # it goes by the session
            break
    assert env.session.state.at.at == "done"


def test_lines_by_hand() -> None:
    nodes = (
        Node("field", "place", "place", "rome"),
        Node("field", "Your name", "name"),
        Node("item", "olive tree", "olive-tree", "greek, 4.5"),
        Node("legend", "occasion"),
        Node("choice", "birthday", "birthday", "chosen"),
        Node("choice", "business", "business"),
        Node("submit", "Send it", "send"),
        Node("time", "19.30", "19.30"),
        Node("gone", "20.00", value="sold out"),
        Node("off", "7"),
        Node("text", "the end"),
    )
    page = Page("here", (Block("form", "all", nodes),))
    assert [line.text for line in lines(page)] == [
        "here",
        "[place] rome",
        "[name] Your name: -",
        "[olive-tree] olive tree: greek, 4.5",
        "occasion",
        "[birthday] chosen [business]",
        "[send] Send it [19.30] 20.00 sold out",
        "the end",
    ]
    assert lines(page)[6].ids == ("send", "19.30")
    assert lines(page._replace(overlays=(Block("dialog", "pop", (Node("text", "hello"),)),))) == [("hello", ())]
    assert "7" in as_html(page)
