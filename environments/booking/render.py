"""Two renderings of one page: lines of text for a policy that reads, HTML for one that has a browser.

In the text an element stands behind its id in brackets, with its label only where that says something else: "[find]",
"[place] rome", "[olive-tree] olive tree: greek, 4.5". An empty field holds "-". Where something lies over the page only
that is shown, as a screen reader would have it, and the HTML says that the rest is inert.
"""

from __future__ import annotations

import html
from collections.abc import Iterator
from typing import NamedTuple

from agentgym.environments.booking.pages import Block, Kind, Node, Page

__all__ = ["Line", "as_html", "lines"]

_ALONE = frozenset(("text", "legend", "field", "picker", "item"))
"""Elements that have a line for themselves; others stand side by side."""


class Line(NamedTuple):
    """One line of the text, and the ids that stand in it."""

    text: str
    ids: tuple[str, ...]


# -- text ------------------------------------------------------------------------------------------------


def lines(page: Page) -> list[Line]:
    """All lines of a page."""
    found = [] if page.overlays else [Line(page.title, ())]
    for block in page.active:
        beside: list[Node] = []
        for node in (node for node in block.nodes if node.kind != "off"):
            if beside and (node.kind in _ALONE or node.kind == "submit" != beside[-1].kind):
                found += _side_by_side(beside)
                beside = []
            if node.kind in _ALONE:
                found.append(Line(_shown(node), (node.id,) if node.id else ()))
            else:
                beside.append(node)
        found += _side_by_side(beside)
    return found


def _side_by_side(nodes: list[Node]) -> Iterator[Line]:
    if nodes:
        yield Line(" ".join(map(_shown, nodes)), tuple(node.id for node in nodes if node.id))


def _shown(node: Node) -> str:
    value = node.value or ("-" if node.kind in ("field", "picker") else "")
    if not node.id:
        return f"{node.text} {value}".rstrip()
    label = "" if node.text == node.id else f"{node.text}:" if value else node.text
    return " ".join(filter(None, (f"[{node.id}]", label, value)))


# -- HTML ------------------------------------------------------------------------------------------------

_STYLE = """
body { font-family: system-ui, sans-serif; max-width: 44rem; margin: 0 auto; padding: 1rem; color: #222 }
header { border-bottom: 1px solid #ccc; margin-bottom: 1rem; font-weight: bold }
h1::first-letter, label::first-letter, button::first-letter { text-transform: uppercase }
form div { display: flex; gap: 1rem } form label { width: 8rem }
[role=alert] { color: #a00 } button { padding: .3rem .8rem }
.gone, :disabled { color: #999; text-decoration: line-through }
[role=dialog] { position: fixed; inset: 20% 15% auto; padding: 1rem; background: #fff; border: 2px solid #444 }
td { text-align: center } ul { padding: 0; list-style: none }
""".strip()

_WEEKDAYS = ("mo", "tu", "we", "th", "fr", "sa", "su")


def as_html(page: Page, alert: str = "") -> str:
    """The whole document; ``alert`` is what the site has to complain of."""
    body = [f'<p role="alert">{html.escape(alert)}</p>'] if alert else []
    inert = " inert" if page.overlays else ""
    body += [f"<main{inert}>", f"<h1>{html.escape(page.title)}</h1>", *map(_block, page.blocks), "</main>"]
    for number, overlay in enumerate(page.overlays, 1):
        body.append(_dialog(overlay, is_inert=number < len(page.overlays)))
    head = f'<meta charset="utf-8">\n<title>{html.escape(page.title)}</title>\n<style>\n{_STYLE}\n</style>'
    inside = "\n".join(body)
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n{head}\n</head>\n'
        f"<body>\n<header>Tables</header>\n{inside}\n</body>\n</html>"
    )


def _dialog(block: Block, *, is_inert: bool) -> str:
    inert = " inert" if is_inert else ""
    name = html.escape(block.name)
    return f'<div role="dialog" aria-modal="true" aria-label="{name}"{inert}>\n{_block(block)}\n</div>'


def _block(block: Block) -> str:
    name = html.escape(block.name)
    if block.kind == "calendar":
        days = [node for node in block.nodes if node.kind in ("day", "off")]
        rest = [_element(node) for node in block.nodes if node not in days]
        return "\n".join([*rest, _month(days, block.first_weekday)])
    if block.submit is not None:
        return f'<form aria-label="{name}">\n{_rows(block)}\n</form>'
    if block.kind in ("list", "times"):
        rows = "\n".join(f"<li>{_element(node)}</li>" for node in block.nodes)
        return f'<ul aria-label="{name}">\n{rows}\n</ul>'
    inside = "\n".join(map(_element, block.nodes))
    return f'<nav aria-label="{name}">\n{inside}\n</nav>' if block.kind == "nav" else f"<div>\n{inside}\n</div>"


def _rows(block: Block) -> str:
    """Of a form; choices stand together under their legend."""
    choices = "\n".join(_element(node) for node in block.nodes if node.kind == "choice")
    rows = []
    for node in block.nodes:
        if node.kind == "legend":
            rows.append(f"<fieldset>\n{_element(node)}\n{choices}\n</fieldset>")
        elif node.kind != "choice":
            rows.append(f"<div>{_element(node)}</div>")
    return "\n".join(rows)


def _month(days: list[Node], first_weekday: int) -> str:
    cells = ["<td></td>"] * first_weekday + [f"<td>{_element(day)}</td>" for day in days]
    weeks = ["".join(cells[start : start + 7]) for start in range(0, len(cells), 7)]
    head = "".join(f'<th scope="col">{day}</th>' for day in _WEEKDAYS)
    rows = "\n".join(f"<tr>{week}</tr>" for week in weeks)
    return f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}\n</tbody>\n</table>"


def _element(node: Node) -> str:
    id, text, value, url = map(html.escape, (node.id, node.text, node.value, node.url))
    marked = {"required": " required" if node.is_required else "", "checked": " checked" if value else ""}
    return _MARKUP[node.kind].format(id=id, text=text, value=value, url=url, input=node.input, **marked)


_LABEL = '<label for="{id}">{text}</label>'
_LINK = '<a id="{id}" href="{url}">{text}</a> <span>{value}</span>'
_BUTTON = '<button id="{id}" type="button">{text}</button>'
_MARKUP: dict[Kind, str] = {
    "text": "<p>{text}</p>",
    "legend": "<legend>{text}</legend>",
    "field": f'{_LABEL} <input id="{{id}}" name="{{id}}" type="{{input}}" value="{{value}}"{{required}}>',
    "picker": f'{_LABEL} <button id="{{id}}" type="button" aria-haspopup="dialog">{{value}}</button>',
    "choice": f'<input id="{{id}}" name="occasion" type="radio" value="{{id}}"{{checked}}> {_LABEL}',
    "submit": '<button id="{id}" type="submit">{text}</button>',
    "button": _BUTTON,
    "link": _LINK,
    "item": _LINK,
    "time": _LINK,
    "day": _BUTTON,
    "gone": '<span class="gone">{text}</span> <span>{value}</span>',
    "off": '<button type="button" disabled>{text}</button>',
}
