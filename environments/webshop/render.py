"""The observation modes: one page of nodes as ``text``, ``text_rich`` or ``html``.

The texts are what the original gets by parsing its own pages with BeautifulSoup, whose treatment of white
space is part of the format: nodes of white space vanish when they hold a line break, and are one blank
otherwise. The HTML departs from the original's: the same elements, ids and classes hold the same texts, so
that a parser written for one reads the other, but layout, style and scripts are left out.
"""

from __future__ import annotations

import html
from collections.abc import Collection, Iterable, Iterator
from typing import NamedTuple

from agentgym.environments.webshop.pages import Node

__all__ = ["as_html", "as_rich_text", "as_text"]

SEPARATOR = " [SEP] "
_ASCII_SPACE = " \t\n\r\f"


class _Tags(NamedTuple):
    before: str
    after: str


_MARKUP = {
    "text": _Tags("<h4>", "</h4>\n"),
    "asks": _Tags('<div id="instruction-text" class="text-center"><h4>', "<br>"),
    "asked": _Tags("", "</h4></div>\n"),
    "search": _Tags(
        '<input id="search_input" class="form-control" type="text" name="search_query" placeholder="Search...">\n'
        '<button class="btn btn-success" type="submit">',
        "</button>\n",
    ),
    "button": _Tags('<button type="submit" class="btn btn-primary">', "</button>\n"),
    "link": _Tags('<h4 class="product-asin"><a class="product-link">', "</a></h4>\n"),
    "option": _Tags("<label>", "</label>\n"),
    "bullet": _Tags('<p class="product-info">', "</p>\n"),
    "pre": _Tags("<pre>", "</pre>\n"),
}


def as_text(nodes: Iterable[Node]) -> str:
    """The nodes, stripped, with " [SEP] " between them."""
    return SEPARATOR.join(text.strip() for _, text in _visible(nodes))


def as_rich_text(nodes: Iterable[Node], url: str, visited: Collection[str]) -> str:
    """A line for each node; what can be clicked is marked, and what has been clicked marked otherwise.

    An option counts as clicked when the url holds it in quotes, wherever; the last such option is announced
    on the first line. A product counts as clicked when it is among the ``visited``.
    """
    lines, announced = "", ""
    for node, text in _visible(nodes):
        if node.kind in ("button", "search"):
            lines += f"[button] {text} [button_]\n"
        elif node.kind == "option" and f'"{text}"' in url:
            lines += f"  [clicked button] {text} [clicked button_]\n"
            announced = f"You have clicked {text}.\n{announced}"
        elif node.kind == "option":
            lines += f"  [button] {text} [button_]\n"
        elif node.kind == "link":
            clicked = "clicked " if text in visited else ""
            lines += f"\n[{clicked}button] {text} [{clicked}button_]\n"
        else:
            lines += f"{text}\n"
    return announced + lines


def as_html(nodes: Iterable[Node]) -> str:
    """A page source with the same texts in the same elements."""
    body = "".join(_element(node) for node in nodes)
    return f"<!DOCTYPE html>\n<html>\n<head><title>WebShop</title></head>\n<body>\n{body}</body>\n</html>"


def _element(node: Node) -> str:
    text, tags = html.escape(node.text), _MARKUP[node.kind]
    radio = f'<input type="radio" name="{html.escape(node.group)}" value="{text}">\n' if node.kind == "option" else ""
    return f"{radio}{tags.before}{text}{tags.after}"


def _visible(nodes: Iterable[Node]) -> Iterator[tuple[Node, str]]:
    """Each node that the original shows, with its text as BeautifulSoup folds it."""
    for node in nodes:
        if node.text.strip(_ASCII_SPACE):
            yield node, node.text
        elif node.text and "\n" not in node.text:
            yield node, " "
