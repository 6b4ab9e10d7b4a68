"""The site's pages as HTML: the simulator's page model, laid out as a person is used to.

Each of its elements stands here once, with the same id: fields under their labels, whatever else can be clicked on as a
link or a button. Only the button that sends a form off belongs to it, so that Enter in a field does the same; all
others share a form without fields. What lies over the page is a dialog, and the page behind it is inert.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from agentgym.browser.markup import Child, Markup, document, image, lying, tag
from agentgym.environments.booking.pages import Block, Node, Page
from agentgym.environments.booking.session import Session
from agentgym.environments.booking.site import Restaurant
from agentgym.environments.booking_browser.pictures import picture

__all__ = ["ACT", "CLEAR", "CLICK", "TYPED", "page"]

ACT, TYPED = "/act", "/typed"
"""Addresses: of every form, and where the page's script tells of typing."""
CLICK, CLEAR = "click", "clear"
"""Names that a button sends its element's id under."""

_ALONE = "alone"
"""The form of buttons that send off no fields."""
_HINTS = {"place": "city", "date": "march 14", "people": "1 to 12", "phone": "digits", "email": "name@host.net"}
_STEPS = (
    ("Search", "Say where, when and for how many."),
    ("Compare", "Look at kitchens, ratings and free times."),
    ("Book", "Leave your name, and the table is yours."),
)
_WEEKDAYS = ("Mo", "Tu", "We", "Th", "Fr", "Sa", "Su")


def page(session: Session, alert: str = "") -> Markup:
    """The whole document; ``alert`` is what the site has to complain of."""
    shown, at = session.page, session.state.at.at
    main = tag("main", _LAYOUTS[at](session, shown), inert=bool(shown.overlays), class_=at)
    dialogs = [_dialog(block, is_inert=block is not shown.overlays[-1]) for block in shown.overlays]
    complaint = tag("p", alert, role="alert", hidden=not alert)
    header = tag("header", tag("span", tag("i", "T", aria_hidden="true"), "Tables", class_="brand"), _home(shown))
    alone = tag("form", id=_ALONE, method="post", action=ACT, hidden=True)
    body = [alone, header, complaint, main, dialogs]
    style, script = (lying(__package__, name) for name in ("style.css", "fields.js"))
    return document(f"{shown.title} - Tables", style, body, scripts=[script])


def _home(shown: Page) -> Child:
    """The way home, which the simulator has at the foot of a page."""
    return next((_element(node) for block in shown.blocks for node in block.nodes if node.id == "home"), None)


# -- one layout for each page ----------------------------------------------------------------------------


def _at_home(session: Session, shown: Page) -> Child:
    hero = tag("div", tag("h1", shown.title), tag("p", "Eight cities, and a table in each of them."), class_="hero")
    steps = [tag("div", tag("b", str(n)), tag("strong", what), how) for n, (what, how) in enumerate(_STEPS, 1)]
    around = tag("section", steps, class_="steps", aria_hidden="true")  # a policy that reads need not read it
    return tag("section", hero, [_form(block) for block in shown.blocks], class_="search"), around


def _at_results(session: Session, shown: Page) -> Child:
    found, ways = shown.blocks
    cards = [_card(session, node) if node.id else tag("li", _element(node), class_="none") for node in found.nodes]
    return tag("h1", shown.title), tag("ul", cards, aria_label=found.name, class_="cards"), _turns(ways)


def _card(session: Session, node: Node) -> Markup:
    restaurant = session.site.restaurants[node.id]
    stars = tag("span", tag("span", style=f"width:{restaurant.rating / 5:.0%}"), class_="stars", aria_hidden="true")
    link = tag("a", _picture(restaurant), tag("strong", node.text), id=node.id, href=node.url)
    return tag("li", link, tag("p", stars, " ", node.value))


def _at_restaurant(session: Session, shown: Page) -> Child:
    *about, times, ways = shown.blocks
    told = [_element(node) for block in about for node in block.nodes]
    top = tag("div", tag("h1", shown.title), told, class_="told")
    cells = [tag("li", _element(node)) for node in times.nodes]
    free = tag("section", tag("h2", "Choose a time"), tag("ul", cells, class_="times"), aria_label=times.name)
    return _turns(ways), _picture(_chosen(session), class_="cover"), top, free


def _at_details(session: Session, shown: Page) -> Child:
    form, ways = shown.blocks
    aside = tag("aside", _picture(_chosen(session)), tag("h2", shown.title))
    return _turns(ways), tag("div", tag("section", tag("h1", "Your details"), _form(form)), aside, class_="two")


def _when_done(session: Session, shown: Page) -> Child:
    told = [_element(node) for block in shown.blocks for node in block.nodes]
    tick = tag("div", "✓", class_="tick", aria_hidden="true")
    return tag("section", tick, tag("h1", shown.title), told, _picture(_chosen(session)), class_="receipt")


_LAYOUTS = {
    "home": _at_home,
    "results": _at_results,
    "restaurant": _at_restaurant,
    "details": _at_details,
    "done": _when_done,
}


def _chosen(session: Session) -> Restaurant:
    return session.site.restaurants[session.state.at.restaurant]


def _turns(ways: Block) -> Markup | None:
    turns = [_element(node) for node in ways.nodes if node.id != "home"]
    return tag("nav", turns, aria_label=ways.name, class_="ways") if turns else None


def _picture(restaurant: Restaurant, **attributes: str) -> Markup:
    return image(picture(restaurant), alt="", role="presentation", **attributes)


# -- forms and dialogs -----------------------------------------------------------------------------------


def _form(block: Block) -> Markup:
    """Fields and what sends them off; choices stand together under their legend. Fields are judged by the site."""
    choices = [_element(node) for node in block.nodes if node.kind == "choice"]
    rows: list[Child] = []
    for node in block.nodes:
        if node.kind == "legend":
            rows.append(tag("fieldset", _element(node), tag("div", choices, class_="chips")))
        elif node.kind != "choice":
            rows.append(tag("div", _element(node), class_="row"))
    if block.submit is None:
        return tag("div", rows, class_="rows")
    name = block.name if block.kind == "form" else None
    sent = {"method": "post", "action": ACT, "novalidate": True, "autocomplete": "off"}
    return tag("form", rows, aria_label=name, class_="rows", **sent)


def _dialog(block: Block, *, is_inert: bool) -> Markup:
    inside = _calendar(block) if block.kind == "calendar" else _form(block)
    return tag("div", inside, role="dialog", aria_modal="true", aria_label=block.name, inert=is_inert)


def _calendar(block: Block) -> Child:
    days = [node for node in block.nodes if node.kind in ("day", "off")]
    month, *turns = (node for node in block.nodes if node not in days)
    head = tag("div", tag("h2", month.text), tag("div", map(_element, turns), class_="turns"), class_="head")
    names = tag("thead", tag("tr", [tag("th", name, scope="col") for name in _WEEKDAYS]))
    return head, tag("table", names, tag("tbody", _weeks(days, block.first_weekday)))


def _weeks(days: Sequence[Node], first_weekday: int) -> Iterable[Markup]:
    cells = [tag("td")] * first_weekday + [tag("td", _element(day)) for day in days]
    return [tag("tr", cells[start : start + 7]) for start in range(0, len(cells), 7)]


# -- elements --------------------------------------------------------------------------------------------


def _element(node: Node) -> Child:
    match node.kind:
        case "text":
            return tag("p", node.text)
        case "legend":
            return tag("legend", node.text)
        case "field":
            return _label(node), _field(node)
        case "picker":
            return _label(node), _picker(node)
        case "link" | "time":
            return tag("a", node.text, id=node.id, href=node.url)
        case "gone":
            return tag("span", node.text, tag("small", node.value), class_="gone")
        case "off":
            return tag("button", node.text, type="button", disabled=True)
        case _:
            return _button(node)


def _label(node: Node) -> Markup:
    return tag("label", node.text, for_=node.id)


def _field(node: Node) -> Markup:
    sort = {"number": {"type": "text", "inputmode": "numeric"}}.get(node.input, {"type": node.input})
    told = {"value": node.value, "placeholder": _HINTS.get(node.id), "required": node.is_required}
    return tag("input", id=node.id, name=node.id, maxlength=60, **sort, **told)


def _picker(node: Node) -> Child:
    told = f"{node.text}: {node.value}" if node.value else node.text  # its label alone would hide what it holds
    opens = {"id": node.id, "class_": "picker", "aria_label": told, "aria_haspopup": "dialog", "form": _ALONE}
    empty = tag("span", "choose a date", class_="hint")
    shown = tag("button", node.value or empty, type="submit", name=CLICK, value=node.id, **opens)
    if not node.value:
        return shown
    cleared = {"type": "submit", "name": CLEAR, "value": node.id, "form": _ALONE}
    clear = tag("button", "\u00d7", aria_label=f"clear {node.text}", class_="x", **cleared)
    return tag("div", shown, clear, class_="picked")


def _button(node: Node) -> Markup:
    sent = {"type": "submit", "name": CLICK, "value": node.id, "form": None if node.kind == "submit" else _ALONE}
    pressed = {"aria_pressed": str(bool(node.value)).lower()} if node.kind == "choice" else {}
    return tag("button", node.text, id=node.id, class_=node.kind, **sent, **pressed)
