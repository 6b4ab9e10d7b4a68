"""Markup written as calls: what is text stays text."""

from __future__ import annotations

import urllib.parse

from bs4 import BeautifulSoup
from hypothesis import given
from hypothesis import strategies as st

from agentgym.browser.markup import Markup, document, image, joined, tag

TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=30)


def test_elements_by_hand() -> None:
    assert tag("br") == "<br>"
    assert tag("input", type="text", required=True, disabled=False, value=None) == '<input type="text" required>'
    assert tag("p", "a & b", [tag("b", "c"), None, ("d",)], aria_label='"x"', for_="y") == (
        '<p aria-label="&quot;x&quot;" for="y">a &amp; b<b>c</b>d</p>'
    )
    assert tag("a", element="b") == '<a element="b"></a>'
    assert isinstance(joined(["<", Markup("<i>")]), Markup)
    assert joined(["<", Markup("<i>")]) == "&lt;<i>"


@given(TEXTS, TEXTS)
def test_text_comes_back_as_it_was(text: str, value: str) -> None:
    found = BeautifulSoup(tag("p", text, title=value), "html.parser").p
    assert found is not None
    assert found.text == text
    assert found["title"] == value
    assert len(found.find_all(True)) == 0


def test_a_document_is_whole() -> None:
    page = BeautifulSoup(document("a < b", "b > i {}", [tag("p", "x")], scripts=["1 < 2"]), "html.parser")
    assert page.title is not None
    assert page.title.text == "a < b"
    assert [style.string for style in page.select("head style")] == ["b > i {}"]
    assert [script.string for script in page.select("head script[type=module]")] == ["1 < 2"]
    assert page.select_one("html[lang=en] > body > p") is not None


def test_a_picture_is_in_the_page() -> None:
    svg = tag("svg", tag("title", 'a "b" & c'), fill="#fff")
    found = BeautifulSoup(image(svg, alt="x"), "html.parser").img
    assert found is not None
    assert found["alt"] == "x"
    kind, _, data = str(found["src"]).partition(",")
    assert (kind, urllib.parse.unquote(data)) == ("data:image/svg+xml", svg)
    assert "#" not in data
