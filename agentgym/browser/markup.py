"""HTML and SVG written as calls, so that no text can become markup.

    >>> tag("p", "a < b ", tag("b", "!"), class_="note", hidden=True)
    '<p class="note" hidden>a &lt; b <b>!</b></p>'

Children that are plain text are escaped; only what these functions made stays as it is. An attribute's name may end in
"_" where Python has the word for itself, and has "-" where "_" is written. True writes the name alone; False and None
leave it out.
"""

from __future__ import annotations

import functools
import html
import importlib.resources
import urllib.parse
from collections.abc import Iterable
from typing import Any, TypeAlias

__all__ = ["Child", "Markup", "document", "image", "joined", "lying", "tag"]

_VOID = frozenset(("br", "hr", "img", "input", "link", "meta", "source"))
"""Elements of HTML that have no end."""


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


Child: TypeAlias = "str | Markup | Iterable[Child] | None"
"""What may stand in an element: text, markup, nothing, or several of them."""


def tag(element: str, /, *children: Child, **attributes: Any) -> Markup:
    """The element of that name."""
    written = "".join(_attribute(key, value) for key, value in attributes.items())
    if element in _VOID:
        return Markup(f"<{element}{written}>")
    return Markup(f"<{element}{written}>{joined(children)}</{element}>")


def joined(children: Iterable[Child]) -> Markup:
    """Several things, one after the other."""
    return Markup("".join(map(_shown, children)))


def document(title: str, style: str, body: Iterable[Child], *, scripts: Iterable[str] = ()) -> Markup:
    """A whole page, with ``style`` and ``scripts`` in it: whatever it asked for besides, each episode asks anew."""
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("title", title),
        tag("link", rel="icon", href="data:,"),
        tag("style", Markup(style)),
        [tag("script", Markup(script), type="module") for script in scripts],  # runs once all of the page is there
    )
    return Markup(f"<!DOCTYPE html>\n{tag('html', head, tag('body', body), lang='en')}\n")


def image(svg: Markup, **attributes: Any) -> Markup:
    """A picture that stands in the page itself."""
    return tag("img", src=f"data:image/svg+xml,{urllib.parse.quote(svg)}", **attributes)


@functools.cache
def lying(package: str, name: str) -> str:
    """A style or a script that lies beside the modules of a package."""
    return (importlib.resources.files(package) / name).read_text(encoding="utf-8")


def _shown(child: Child) -> str:
    if child is None:
        return ""
    if isinstance(child, str):
        return child if isinstance(child, Markup) else html.escape(child)
    return joined(child)


def _attribute(key: str, value: Any) -> str:
    if value is None or value is False:
        return ""
    name = key.rstrip("_").replace("_", "-")
    return f" {name}" if value is True else f' {name}="{html.escape(str(value))}"'
