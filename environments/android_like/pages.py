"""The phone's screens as HTML: the simulator's nodes, laid out as a person is used to.

Each node stands here once, with the same id. Only the button that sends fields off belongs to their form, so that Enter
in a field does the same; all others share a form without fields. What lies over a screen is a dialog, and the screen
behind it is inert. The bar with Back and Home is at the foot of all.
"""

from __future__ import annotations

import hashlib

from agentgym.browser.markup import Child, Markup, document, lying, tag
from agentgym.environments.android_like.icons import icon
from agentgym.environments.android_like.phone import LONGEST, Phone
from agentgym.environments.android_like.screens import Node, Screen

__all__ = ["ACT", "BAR", "TAP", "TYPED", "page"]

ACT, TYPED = "/act", "/typed"
"""Addresses: of every form, and where the page's script tells of typing."""
TAP = "tap"
"""The name that a button sends its node's id under."""
BAR = ("back", "home")
"""Ids of the buttons at the foot."""

_ALONE = "alone"
"""The form of buttons that send off no fields."""
_PAINTS = ("#c2554d", "#3f7f6f", "#4a66b0", "#b57b2a", "#8a4f8d", "#4f7d3b", "#33839b")
_PEOPLE = ("contact-", "thread-")
_HINTS = {"time": "07:30", "phone": "0400 000 000", "text": "write something", "more": "something to do"}


def page(phone: Phone, alert: str = "") -> Markup:
    """The whole document; ``alert`` is what the phone has to complain of."""
    *below, top = phone.screens
    base = below[0] if below else top
    kind = _kind_of(phone, below)
    main = tag("main", _body(base), class_=kind)
    screen = tag("div", _head(base, kind), main, inert=bool(below), class_=f"screen {kind}-screen")
    dialog = _dialog(top) if below else None
    complaint = tag("p", alert, role="alert", hidden=not alert)
    alone = tag("form", id=_ALONE, method="post", action=ACT, hidden=True)
    body = (alone, _status(), screen, dialog, complaint, _bar())
    style, script = (lying(__package__, name) for name in ("style.css", "fields.js"))
    return document(f"{top.title} - phone", style, [tag("div", body, class_="phone")], scripts=[script])


def _kind_of(phone: Phone, below: list[Screen]) -> str:
    """What the looks of the screen go by."""
    stack = phone.state.stack[: -len(below) or None]
    if not stack:
        return "launcher"
    if (stack[-1].app, stack[-1].screen) == ("contacts", "page"):
        return "person"
    return {"thread": "thread", "edit": "form"}.get(stack[-1].screen, "list")


# -- around the screen -----------------------------------------------------------------------------------


def _status() -> Markup:
    signs = tag("span", icon("wi-fi"), icon("battery"))
    return tag("div", tag("span", "9:41"), signs, class_="status", aria_hidden="true")


def _head(screen: Screen, kind: str) -> Markup:
    title = tag("h1", screen.title, aria_label=screen.title, class_="name" if kind in ("person", "thread") else None)
    if kind == "launcher":
        clock = tag("div", tag("b", "9:41"), tag("span", "Monday, June 15"), class_="hour", aria_hidden="true")
        return tag("header", clock, title)
    tools = [_button(node, icon(node.id)) for node in screen.nodes if node.kind == "tool"]
    return tag("header", title, tag("div", tools, class_="tools") if tools else None)


def _bar() -> Markup:
    def button(id: str) -> Markup:
        sent = {"type": "submit", "name": TAP, "value": id, "form": _ALONE}
        return tag("button", icon(id), id=id, aria_label=id, **sent)

    return tag("nav", map(button, BAR), aria_label="phone")


def _dialog(screen: Screen) -> Markup:
    choices = [_choice(node) for node in screen.nodes if node.kind == "choice"]
    buttons = [_button(node, node.text, class_=node.kind) for node in screen.nodes if node.kind != "choice"]
    inside = (
        tag("h2", screen.title, aria_label=screen.title),
        choices,
        tag("div", buttons, class_="ways") if buttons else None,
    )
    box = tag("div", inside, role="dialog", aria_modal="true", aria_label=screen.title)
    return tag("div", box, class_="shade")


# -- the screen ------------------------------------------------------------------------------------------


def _body(screen: Screen) -> Child:
    nodes = [node for node in screen.nodes if node.kind != "tool"]
    rows = [_LAYOUTS[node.kind](node) for node in nodes if node.kind not in ("field", "main", "add")]
    fields = [_field(node) for node in nodes if node.kind == "field"]
    sends = [_send(node) for node in nodes if node.kind == "main"]
    sent = {"method": "post", "action": ACT, "novalidate": True, "autocomplete": "off"}
    form = tag("form", fields, sends, class_="fields", **sent) if fields else None
    news = [_button(node, icon("add"), class_="add") for node in nodes if node.kind == "add"]
    return tag("div", rows, class_="rows") if rows else None, form, news


def _send(node: Node) -> Markup:
    sign = icon(node.id)
    told = {"aria_label": node.text, "class_": "round" if sign else "main"}
    return tag("button", sign or node.text, id=node.id, type="submit", name=TAP, value=node.id, **told)


def _field(node: Node) -> Markup:
    told = {"value": node.value, "placeholder": _HINTS.get(node.id), "maxlength": LONGEST}
    field = tag("input", id=node.id, name=node.id, type="text", **told)
    return tag("div", tag("label", node.text, for_=node.id), field, class_="field")


def _button(node: Node, *children: Child, **attributes: str) -> Markup:
    """Named as the simulator names it, whatever the style makes of the letters."""
    sent = {"type": "submit", "name": TAP, "value": node.id, "form": _ALONE}
    name = " ".join(filter(None, (node.text, node.detail)))
    return tag("button", *children, id=node.id, aria_label=name, **sent, **attributes)


def _tile(node: Node) -> Markup:
    sign = tag("span", icon(node.id), class_=f"sign {node.id}")
    return _button(node, sign, tag("span", node.text), class_="tile")


def _row(node: Node) -> Markup:
    name = "name" if node.id.startswith(_PEOPLE) else None
    told = tag(
        "span", tag("strong", node.text, class_=name), tag("small", node.detail) if node.detail else None, class_="told"
    )
    row = _button(node, _face(node), told, class_="row")
    return tag("div", row, _switch_alone(node.beside), class_="line") if node.beside else row


def _face(node: Node) -> Markup | None:
    """What stands before a row: a section's sign, or the first letters of a name."""
    if sign := icon(node.id):
        return tag("i", sign, class_=f"face {node.id}", aria_hidden="true")
    if not node.id.startswith(_PEOPLE):
        return None
    letters = "".join(word[0] for word in node.text.split()[:2])
    return tag("i", letters, class_="face", style=f"background:{_paint(node.text)}", aria_hidden="true")


def _paint(name: str) -> str:
    return _PAINTS[hashlib.blake2b(name.encode(), digest_size=1).digest()[0] % len(_PAINTS)]


def _switch(node: Node) -> Markup:
    return _button(node, tag("span", node.text), _knob(), class_="row", role="switch", aria_checked=_is(node))


def _switch_alone(node: Node) -> Markup:
    return _button(node, _knob(), class_="aside", role="switch", aria_checked=_is(node))


def _knob() -> Markup:
    return tag("i", class_="knob", aria_hidden="true")


def _choice(node: Node) -> Markup:
    dot = tag("i", class_="dot", aria_hidden="true")
    return _button(node, dot, tag("span", node.text), class_="row", role="radio", aria_checked=_is(node))


def _check(node: Node) -> Markup:
    box = tag("i", icon("check") if node.is_on else None, class_="box", aria_hidden="true")
    row = _button(node, box, tag("span", node.text), class_="row", role="checkbox", aria_checked=_is(node))
    assert node.beside is not None
    removes = _button(node.beside, icon("remove"), class_="aside")
    return tag("div", row, removes, class_="line")


def _is(node: Node) -> str:
    return str(node.is_on).lower()


def _text(node: Node) -> Markup:
    return tag("div", tag("small", node.detail) if node.detail else None, tag("p", node.text), class_="text")


def _bubble(node: Node) -> Markup:
    who = "me" if node.kind == "mine" else "they"
    return tag("p", tag("span", f"{who}: ", class_="who"), node.text, class_=f"bubble {node.kind}")


def _plain_button(node: Node) -> Markup:
    return tag("div", _button(node, icon(f"{node.id}s"), tag("span", node.text), class_="button"), class_="alone")


_LAYOUTS = {
    "tile": _tile,
    "row": _row,
    "switch": _switch,
    "check": _check,
    "text": _text,
    "mine": _bubble,
    "theirs": _bubble,
    "button": _plain_button,
}
"""Of what stands in the rows of a screen."""
